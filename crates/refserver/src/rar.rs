//! Rich authorization requests (RFC 9396): two detail types with closed schemas, and what "no more than granted" means for each.

use serde_json::{Map, Value};
use wire::json;

use crate::{App, Fault, HaspFault};

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A non-empty array of these words. Fewer is narrower.
    Words(&'static [&'static str]),
    /// Three capital letters. Must stay the same.
    Currency,
    /// An integer from 1 to 1 000 000. Less is narrower.
    Amount,
    /// A short text. Must stay the same; naming one where none was named is narrower.
    Text,
    /// A non-empty array of the server's own resource identifiers. Fewer is narrower.
    Locations,
}

/// A field of a detail type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub name: &'static str,
    pub required: bool,
    pub kind: Kind,
}

/// An authorization detail type. Fields that are not listed are refused (RFC 9396 §5).
#[derive(Clone, Copy, Debug)]
pub(crate) struct DetailType {
    pub name: &'static str,
    pub fields: &'static [Field],
}

pub(crate) const REFERENCE_TYPES: &[DetailType] = &[
    DetailType {
        name: "pay",
        fields: &[
            Field {
                name: "actions",
                required: true,
                kind: Kind::Words(&["initiate", "status", "cancel"]),
            },
            Field {
                name: "currency",
                required: true,
                kind: Kind::Currency,
            },
            Field {
                name: "limit",
                required: true,
                kind: Kind::Amount,
            },
            Field {
                name: "payee",
                required: false,
                kind: Kind::Text,
            },
        ],
    },
    DetailType {
        name: "records",
        fields: &[
            Field {
                name: "actions",
                required: true,
                kind: Kind::Words(&["list", "read", "delete"]),
            },
            Field {
                name: "locations",
                required: false,
                kind: Kind::Locations,
            },
        ],
    },
];

/// The one type that HASP's page names. It has no further field there.
pub(crate) const HASP_TYPES: &[DetailType] = &[DetailType {
    name: "hasp.data.read",
    fields: &[],
}];

/// Reads and checks `authorization_details`. `Err` is the description of an `invalid_authorization_details`.
pub(crate) fn read(app: &App, text: &str) -> Result<Vec<Value>, String> {
    let limits = json::Limits {
        max_bytes: 16 * 1024,
        max_depth: 8,
        max_nodes: 1000,
    };
    let document = json::scan(text.as_bytes(), limits)
        .map_err(|_| "authorization_details is not JSON within the limits".to_owned())?;
    if (!document.duplicates.is_empty() && !app.broken(Fault::RarDuplicateKeys)) || document.bom {
        return Err("authorization_details names a member twice".into());
    }
    let value: Value =
        serde_json::from_str(text).map_err(|_| "authorization_details is not JSON".to_owned())?;
    let items = match value {
        Value::Array(items) => items,
        object @ Value::Object(_) if app.broken(Fault::RarObjectAccepted) => vec![object],
        _ => return Err("authorization_details must be an array".into()),
    };
    if items.is_empty() && !app.broken(Fault::RarEmptyAccepted) {
        return Err("authorization_details must not be empty".into());
    }
    let mut checked = Vec::new();
    for item in items {
        if let Some(detail) = check(app, item)? {
            checked.push(detail);
        }
    }
    // Nothing is left of what was asked for: at least one detail must be valid.
    if checked.is_empty() && app.broken(HaspFault::UnknownDropped) {
        return Err("no authorization detail is valid".into());
    }
    Ok(checked)
}

fn detail_type(app: &App, name: &str) -> Option<&'static DetailType> {
    let same = |own: &str| {
        own == name || (app.broken(Fault::RarTypeCase) && own.eq_ignore_ascii_case(name))
    };
    app.face.details.iter().find(|known| same(known.name))
}

fn check(app: &App, item: Value) -> Result<Option<Value>, String> {
    let Value::Object(mut detail) = item else {
        return Err("each authorization detail must be an object".into());
    };
    let Some(name) = detail
        .get("type")
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
    else {
        return Err("each authorization detail needs a type".into());
    };
    let Some(known) = detail_type(app, &name) else {
        if app.broken(Fault::RarUnknownAccepted) {
            return Ok(Some(Value::Object(detail)));
        }
        if app.broken(Fault::RarUnknownDropped) || app.broken(HaspFault::UnknownDropped) {
            return Ok(None);
        }
        return Err("unknown authorization detail type".into());
    };
    detail.insert("type".into(), known.name.into());
    if !app.broken(Fault::RarFieldUnknown)
        && let Some(stray) = detail
            .keys()
            .find(|key| *key != "type" && !known.fields.iter().any(|field| field.name == *key))
    {
        let stray: String = stray
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(32)
            .collect();
        return Err(format!("{} details have no field {stray}", known.name));
    }
    for field in known.fields {
        match detail.get(field.name) {
            None if field.required && !app.broken(Fault::RarFieldMissing) => {
                return Err(format!("{} details need {}", known.name, field.name));
            }
            Some(value) if !app.broken(Fault::RarFieldType) && !valid(app, field.kind, value) => {
                return Err(format!(
                    "{} of a {} detail is not valid",
                    field.name, known.name
                ));
            }
            _ => {}
        }
    }
    Ok(Some(Value::Object(detail)))
}

fn valid(app: &App, kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Words(words) => {
            texts(value).is_some_and(|given| given.iter().all(|word| words.contains(word)))
        }
        Kind::Currency => value
            .as_str()
            .is_some_and(|text| text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase())),
        Kind::Amount => value
            .as_u64()
            .is_some_and(|amount| (1..=1_000_000).contains(&amount)),
        Kind::Text => value.as_str().is_some_and(|text| {
            (1..=64).contains(&text.len()) && !text.chars().any(char::is_control)
        }),
        Kind::Locations => {
            let known = app.resource_ids();
            texts(value).is_some_and(|given| {
                given
                    .iter()
                    .all(|location| known.iter().any(|id| id == location))
            })
        }
    }
}

/// A non-empty array of strings.
fn texts(value: &Value) -> Option<Vec<&str>> {
    let items = value.as_array().filter(|items| !items.is_empty())?;
    items.iter().map(Value::as_str).collect()
}

/// Whether every asked-for detail lies within one that was granted (RFC 9396 §6).
pub(crate) fn within(app: &App, asked: &[Value], granted: &[Value]) -> bool {
    asked.iter().all(|asked| {
        granted
            .iter()
            .any(|granted| one_within(app, asked, granted))
    })
}

fn one_within(app: &App, asked: &Value, granted: &Value) -> bool {
    let (Some(asked), Some(granted)) = (asked.as_object(), granted.as_object()) else {
        return false;
    };
    let name = |detail: &Map<String, Value>| {
        detail
            .get("type")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let (Some(kind), true) = (
        name(asked).and_then(|name| detail_type(app, &name)),
        name(asked) == name(granted),
    ) else {
        return asked == granted;
    };
    kind.fields.iter().all(
        |field| match (asked.get(field.name), granted.get(field.name)) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(asked), Some(granted)) => match field.kind {
                Kind::Words(_) | Kind::Locations => match (texts(asked), texts(granted)) {
                    (Some(asked), Some(granted)) => asked.iter().all(|word| granted.contains(word)),
                    _ => false,
                },
                Kind::Amount => asked
                    .as_u64()
                    .zip(granted.as_u64())
                    .is_some_and(|(asked, granted)| asked <= granted),
                Kind::Currency | Kind::Text => asked == granted,
            },
        },
    )
}

/// Whether the details of a token allow an action of a type.
pub(crate) fn allows(app: &App, details: &[Value], kind: &str, action: &str) -> bool {
    app.broken(Fault::RarUnenforced)
        || details.iter().any(|detail| {
            detail.get("type").and_then(Value::as_str) == Some(kind)
                && (app.broken(Fault::RarActionUnenforced)
                    || action.is_empty()
                    || detail
                        .get("actions")
                        .and_then(texts)
                        .is_some_and(|actions| actions.contains(&action)))
        })
}
