//! `authorization_details` (RFC 9396 §2): a JSON array of objects, each with a string `type`.

use crate::json::{self, Value};
use std::fmt;

/// One authorization detail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// Its `type`.
    pub kind: String,
    /// The whole object, `type` included.
    pub object: Value,
}

/// Why a text is no `authorization_details`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Not JSON, or more of it than is read.
    Json(json::Error),
    /// JSON, but no array.
    NotArray,
    /// An array without items, which asks for nothing.
    Empty,
    /// The item at this index is no object.
    NotObject(usize),
    /// The item at this index has no `type`.
    NoType(usize),
    /// The `type` of the item at this index is no string, or an empty one.
    BadType(usize),
    /// A name is repeated (its JSON pointer): readers would differ in what was asked for.
    Repeated(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Json(e) => write!(f, "is not JSON: {e}"),
            Problem::NotArray => f.write_str("is no array (RFC 9396 §2)"),
            Problem::Empty => f.write_str("is an empty array (RFC 9396 §2)"),
            Problem::NotObject(i) => write!(f, "item {i} is no object (RFC 9396 §2)"),
            Problem::NoType(i) => write!(f, "item {i} has no type (RFC 9396 §2)"),
            Problem::BadType(i) => {
                write!(
                    f,
                    "the type of item {i} is no string or empty (RFC 9396 §2)"
                )
            }
            Problem::Repeated(at) => write!(f, "the name {at} is repeated (RFC 8259 §4)"),
        }
    }
}

impl std::error::Error for Problem {}

/// Reads the value of an `authorization_details` parameter or member.
pub fn read(bytes: &[u8]) -> Result<Vec<Detail>, Problem> {
    let doc = json::scan(bytes, json::Limits::default()).map_err(Problem::Json)?;
    let Value::Array(items) = doc.value else {
        return Err(Problem::NotArray);
    };
    if let Some(pointer) = doc.duplicates.into_iter().next() {
        return Err(Problem::Repeated(pointer));
    }
    if items.is_empty() {
        return Err(Problem::Empty);
    }
    items
        .into_iter()
        .enumerate()
        .map(|(index, object)| detail(index, object))
        .collect()
}

fn detail(index: usize, object: Value) -> Result<Detail, Problem> {
    if object.as_object().is_none() {
        return Err(Problem::NotObject(index));
    }
    let kind = object.get("type").ok_or(Problem::NoType(index))?;
    match kind.as_str() {
        None | Some("") => Err(Problem::BadType(index)),
        Some(kind) => Ok(Detail {
            kind: kind.to_owned(),
            object,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_read_in_order() {
        let details = read(br#"[{"type":"payment","amount":"1"},{"type":"account"}]"#).unwrap();
        assert_eq!(details[0].kind, "payment");
        assert_eq!(
            details[1].object.get("type").and_then(Value::as_str),
            Some("account")
        );
    }

    #[test]
    fn anything_else_is_refused_for_its_reason() {
        for (text, problem) in [
            (r#"{"type":"x"}"#, Problem::NotArray),
            ("[]", Problem::Empty),
            ("[1]", Problem::NotObject(0)),
            ("[[]]", Problem::NotObject(0)),
            ("[null]", Problem::NotObject(0)),
            (r#"[{"type":"x"},{}]"#, Problem::NoType(1)),
            (r#"[{"type":1}]"#, Problem::BadType(0)),
            (r#"[{"type":""}]"#, Problem::BadType(0)),
            (
                r#"[{"type":"x","type":"y"}]"#,
                Problem::Repeated("/0/type".into()),
            ),
            (
                r#"[{"type":"x","ty\u0070e":"y"}]"#,
                Problem::Repeated("/0/type".into()),
            ),
        ] {
            assert_eq!(read(text.as_bytes()), Err(problem), "{text}");
        }
        assert!(read(br#"[{"type":"x"}] "#).is_ok());
        assert!(matches!(read(br#"[{"type":"x"}]]"#), Err(Problem::Json(_))));
    }
}
