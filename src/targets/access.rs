//! How to get in: the login with its driver and steps, and the network on the way.

use std::time::Duration;

use toml::de::DeValue;

use super::model::{Call, Driver, Hook, Login, LoginStep, Resource, User};
use super::read::{Pieces, SHAPES};
use crate::reader::{At, Shape, Span, Table, kind};
use crate::transport::Network;
use crate::transport::network::{Identity, check_proxy, parse_address};

/// The longest time one login may be given.
const LONGEST_LOGIN: Duration = Duration::from_secs(1800);
/// What a person is given, when the file says nothing.
const FOR_A_PERSON: Duration = Duration::from_secs(300);

/// The names a login step can use.
/// The field of `$user.user_code`: what a device shows (RFC 8628 §3.2).
const DEVICE_FIELD: &str = "user_code";

const NAMES: &str = "a login step can name the user's fields (\"$user.username\") and \"$hook\"";

impl Pieces<'_> {
    pub(super) fn login(
        &self,
        root: &Table<'_, '_>,
        users: &[User],
        resources: &[Resource],
    ) -> Login {
        let Some(table) = root.table("login", "the login", &SHAPES.login) else {
            return Login::default();
        };
        let driver = table.word("driver", &Driver::ALL.map(Driver::word), |word| {
            Driver::ALL.into_iter().find(|driver| driver.word() == word)
        });
        let kind = driver.as_ref().map_or(Driver::Form, |driver| driver.value);
        let steps = table.tables("step", "a login step", &SHAPES.step);
        if let Some(driver) = &driver {
            self.driver_has_what_it_needs(kind, &driver.span, &table, steps.is_some());
        }
        let usual = Login::default();
        let timeout = table
            .duration("timeout", LONGEST_LOGIN)
            .map(|timeout| timeout.value);
        let timeout = timeout.unwrap_or(if kind == Driver::Manual {
            FOR_A_PERSON
        } else {
            usual.timeout
        });
        let shared = table.word("sessions", &["fresh", "shared"], |word| match word {
            "fresh" => Some(false),
            "shared" => Some(true),
            _ => None,
        });
        Login {
            driver: kind,
            steps: steps
                .unwrap_or_default()
                .iter()
                .map(|step| match kind {
                    Driver::Json => self.api_step(step, users),
                    _ => self.page_step(step, users),
                })
                .collect(),
            hook: self.hook(&table),
            tokens: self.tokens(&table, resources),
            timeout,
            // A browser takes seconds to log in, and a person minutes.
            share_session: shared.map_or(matches!(kind, Driver::Browser), |shared| shared.value),
            open: table.flag("open").is_some_and(|open| open.value),
        }
    }

    fn driver_has_what_it_needs(
        &self,
        driver: Driver,
        span: &Span,
        table: &Table<'_, '_>,
        steps: bool,
    ) {
        let word = driver.word();
        let problem = match driver {
            Driver::Form | Driver::Browser if !steps => (
                format!("the {word} driver has no steps"),
                "add [[login.step]] with fill and press for every page, or driver = \"none\"",
            ),
            Driver::Json if !steps => (
                "the json driver has no steps".to_owned(),
                "add [[login.step]] with post = \"/api/login\", body and take for every request",
            ),
            Driver::None | Driver::Manual | Driver::Tokens | Driver::Hook if steps => (
                format!("the driver `{word}` does no login steps"),
                "write driver = \"form\", or remove the steps",
            ),
            Driver::Hook if table.entry("hook").is_none() => (
                "the hook driver has no command".to_owned(),
                "add hook = [\"./login.sh\"]: it gets OAUTHSPEC_URL and prints the callback URL",
            ),
            Driver::Tokens if table.entry("token").is_none() => (
                "the tokens driver has no tokens".to_owned(),
                "add token.a.env = \"ACCESS_TOKEN\", a token for [resource.a]",
            ),
            _ => return,
        };
        self.error(span, problem.0).help(problem.1).report();
    }

    fn hook(&self, table: &Table<'_, '_>) -> Option<Hook> {
        let words = table.texts("hook")?;
        Some(Hook {
            command: words.iter().map(|word| word.value.to_owned()).collect(),
            folder: self.around.folder.map(std::path::Path::to_owned),
        })
    }

    fn tokens(&self, table: &Table<'_, '_>, resources: &[Resource]) -> Vec<(String, String)> {
        let rows = table.map("token").unwrap_or_default();
        let free = Shape {
            keys: rows.iter().map(|row| row.key.to_owned()).collect(),
            required: Vec::new(),
        };
        let Some(tokens) = table.table("token", "the tokens", &free) else {
            return Vec::new();
        };
        let mut all = Vec::new();
        for row in &rows {
            if !resources.iter().any(|resource| resource.name == row.key) {
                self.error(&row.key_span, format!("there is no [resource.{}]", row.key))
                    .suggest(row.key, resources.iter().map(|own| own.name.as_str()))
                    .report();
            }
            let what = format!("the token for resource `{}`", row.key);
            if let Some(token) = self.secret(&tokens, row.key, &what) {
                all.push((row.key.to_owned(), token));
            }
        }
        all
    }

    /// Fields and what they are filled with.
    fn fields(&self, table: &Table<'_, '_>, key: &str, users: &[User]) -> Vec<(String, String)> {
        let mut fill = Vec::new();
        for row in table.map(key).unwrap_or_default() {
            let DeValue::String(value) = row.value else {
                self.error(
                    &row.span,
                    format!("`{}` is filled with {}", row.key, kind(row.value)),
                )
                .help("write a string: \"$user.username\"")
                .report();
                continue;
            };
            if value != "$hook" {
                self.user_field(value, &row.span, users);
            }
            fill.push((row.key.to_owned(), value.to_string()));
        }
        fill
    }

    fn page_step(&self, table: &Table<'_, '_>, users: &[User]) -> LoginStep {
        self.belongs_to_json(table);
        let fill = self.fields(table, "fill", users);
        let press = table.owned("press");
        let link = table.owned("link");
        match (table.entry("press"), table.entry("link")) {
            (Some(_), Some(link)) => self
                .error(
                    &link.key_span,
                    "a login step both presses a button and follows a link",
                )
                .help("make two steps of it")
                .report(),
            (None, None) => self
                .error(&table.span, "a login step that leads nowhere")
                .help("add press = \"the button's text\", or link = \"the link's text\"")
                .report(),
            _ => {}
        }
        if let Some(deny) = table.entry("deny")
            && table.entry("press").is_none()
        {
            self.error(
                &deny.key_span,
                "`deny` without the button of a user who approves",
            )
            .help("add press = \"Approve\"")
            .report();
        }
        LoginStep {
            fill,
            press,
            deny: table.owned("deny"),
            partly: self.fields(table, "partly", users),
            link,
            call: None,
        }
    }

    /// Keys that only the `json` driver understands.
    fn belongs_to_json(&self, table: &Table<'_, '_>) {
        for key in [
            "get",
            "post",
            "put",
            "open",
            "body",
            "deny_body",
            "header",
            "take",
        ] {
            if let Some(entry) = table.entry(key) {
                self.error(
                    &entry.key_span,
                    format!("`{key}` belongs to the driver `json`"),
                )
                .help("write driver = \"json\", or describe the page with fill and press")
                .report();
            }
        }
    }

    fn api_step(&self, table: &Table<'_, '_>, users: &[User]) -> LoginStep {
        for key in ["fill", "press", "deny", "partly", "link"] {
            if let Some(entry) = table.entry(key) {
                self.error(
                    &entry.key_span,
                    format!("`{key}` is for pages, and the driver `json` makes requests"),
                )
                .help("write post = \"/path\" with body and take; deny_body for a user who says no")
                .report();
            }
        }
        let mut places: Vec<(&str, At<&str>)> = Vec::new();
        for (key, method) in [
            ("get", "GET"),
            ("post", "POST"),
            ("put", "PUT"),
            ("open", "OPEN"),
        ] {
            places.extend(table.text(key).map(|place| (method, place)));
        }
        let (method, url) = match places.as_slice() {
            [(method, place)] => ((*method).to_owned(), place.value.to_owned()),
            _ => {
                self.error(&table.span, "a json step is one request")
                    .help("give it exactly one of get, post, put and open")
                    .report();
                (String::new(), String::new())
            }
        };
        let pairs = |key: &str| -> Vec<(String, String)> {
            let rows = table.map(key).unwrap_or_default();
            rows.iter()
                .filter_map(|row| match row.value {
                    DeValue::String(text) => Some((row.key.to_owned(), text.to_string())),
                    other => {
                        self.error(&row.span, format!("`{}` is {}", row.key, kind(other)))
                            .help("write a string")
                            .report();
                        None
                    }
                })
                .collect()
        };
        let body = |key: &str| {
            let entry = table.entry(key)?;
            self.names_in(entry.value, &entry.span, users);
            Some(json(entry.value))
        };
        LoginStep {
            call: Some(Call {
                method,
                url,
                body: body("body"),
                deny_body: body("deny_body"),
                headers: pairs("header"),
                take: pairs("take"),
            }),
            ..LoginStep::default()
        }
    }

    /// Every `$user.FIELD` in a body is one that the users have.
    fn names_in(&self, value: &DeValue<'_>, span: &Span, users: &[User]) {
        match value {
            DeValue::String(text) if text.starts_with("$user.") => {
                self.user_field(text, span, users);
            }
            DeValue::Array(list) => {
                for item in list {
                    self.names_in(item.get_ref(), &item.span(), users);
                }
            }
            DeValue::Table(table) => {
                for (_, item) in table {
                    self.names_in(item.get_ref(), &item.span(), users);
                }
            }
            _ => {}
        }
    }

    fn user_field(&self, value: &str, span: &Span, users: &[User]) {
        let Some(field) = value.strip_prefix("$user.") else {
            if let Some(rest) = value.strip_prefix('$') {
                self.error(span, format!("unknown reference `${rest}`"))
                    .help(NAMES)
                    .report();
            }
            return;
        };
        // What a device shows is every user's to type.
        if field == DEVICE_FIELD {
            return;
        }
        if users.is_empty() {
            self.error(span, "there is no user to take this from")
                .help(format!("add [user.a] with {field} = \"…\""))
                .report();
        }
        for user in users {
            if !user.fields.iter().any(|(name, _)| name == field) {
                self.error(span, format!("user `{}` has no field `{field}`", user.name))
                    .suggest(field, user.fields.iter().map(|(name, _)| name.as_str()))
                    .report();
            }
        }
    }

    pub(super) fn network(&self, root: &Table<'_, '_>) -> Network {
        let from_environment =
            |network: Network| network.with_environment(&|name| (self.around.env)(name));
        let Some(table) = root.table("network", "the network", &SHAPES.network) else {
            return from_environment(Network::default());
        };
        let mut network = Network::default();
        if let Some(entry) = table.entry("proxy") {
            let proxy = match entry.value {
                DeValue::String(text) => Some(text.to_string()),
                _ => self.elsewhere(entry, "the proxy"),
            };
            match proxy.as_deref().map(check_proxy) {
                Some(Err(why)) => self
                    .error(&entry.span, format!("the proxy {why}"))
                    .help("write proxy = \"http://proxy.example:3128\"")
                    .report(),
                _ => network.proxy = proxy,
            }
        }
        let file = |key: &str| {
            let path = table.text(key)?;
            self.file_below(&path, "it must be a PEM file")
                .map(String::into_bytes)
        };
        // A certificate is public: it may stand in the target file itself.
        let inline = (table.text("ca")).filter(|ca| ca.value.starts_with("-----BEGIN CERTIFICATE"));
        network.ca = match inline {
            Some(ca) => ca.value.as_bytes().to_vec(),
            None => file("ca").unwrap_or_default(),
        };
        match (table.entry("certificate"), table.entry("key")) {
            (Some(_), Some(_)) => {
                if let (Some(certificates), Some(key)) = (file("certificate"), file("key")) {
                    network.identity = Some(Identity { certificates, key });
                }
            }
            (None, None) => {}
            (Some(entry), None) | (None, Some(entry)) => self
                .error(&entry.key_span, "a client certificate is two files")
                .help("give certificate = \"client.pem\" and key = \"client.key\"")
                .report(),
        }
        for row in table.map("resolve").unwrap_or_default() {
            let parsed = match row.value {
                DeValue::String(text) => parse_address(row.key, text),
                other => Err(format!("`{}` is {}", row.key, kind(other))),
            };
            match parsed {
                Ok(pair) => network.resolve.push(pair),
                Err(why) => self
                    .error(&row.span, why)
                    .help("write resolve = { \"as.example\" = \"203.0.113.7\" }")
                    .report(),
            }
        }
        network.http1_only = table
            .word("http", &["auto", "1.1"], |word| match word {
                "auto" => Some(false),
                "1.1" => Some(true),
                _ => None,
            })
            .is_some_and(|one| one.value);
        from_environment(network)
    }
}

/// A TOML value as JSON; dates become their text.
pub(super) fn json(value: &DeValue<'_>) -> serde_json::Value {
    match value {
        DeValue::String(text) => text.to_string().into(),
        DeValue::Boolean(flag) => (*flag).into(),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(serde_json::Value::Null, Into::into),
        DeValue::Float(number) => number
            .as_str()
            .parse::<f64>()
            .map_or(serde_json::Value::Null, Into::into),
        DeValue::Datetime(date) => date.to_string().into(),
        DeValue::Array(list) => list.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => table
            .iter()
            .map(|(key, item)| (key.get_ref().to_string(), json(item.get_ref())))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}
