//! Secrets are marked where they pass, and every output shows prefix, length and hash instead.

mod evidence;
mod redactor;
mod spelling;

use std::collections::BTreeMap;

use base64::Engine as _;

use super::{Recorded, Reply, Request};
use redactor::Hidden;
pub use redactor::Redactor;
use spelling::{mask, spellings};

/// JSON members and form parameters whose values are secrets.
const SECRET_NAMES: &[&str] = &[
    "access_token",
    "refresh_token",
    "id_token",
    "client_secret",
    "registration_access_token",
    "code",
    "code_verifier",
    "token",
    "device_code",
    "user_code",
    "password",
    "otp",
    "assertion",
    "client_assertion",
    "subject_token",
    "csrf",
    "csrf_token",
    "id_token_hint",
    "actor_token",
    "pin",
    "passcode",
];

/// What a parameter or member is called in reports, when its value is a secret.
fn secret_name(name: &str) -> Option<&'static str> {
    if let Some(known) = SECRET_NAMES.iter().find(|known| **known == name) {
        return Some(known);
    }
    let lower = name.to_ascii_lowercase();
    let marks = [
        ("csrf", "form_token"),
        ("xsrf", "form_token"),
        ("passw", "password"),
        ("secret", "secret"),
    ];
    marks
        .iter()
        .find(|(mark, _)| lower.contains(mark))
        .map(|(_, what)| *what)
}

/// Values shorter than this are not secrets worth the name, and replacing them would garble the text;
/// those that the target file names (a PIN) are replaced where they stand alone.
const SHORTEST: usize = 6;
/// A part of a secret shorter than this tells nothing.
const SHORTEST_PART: usize = 16;

/// Cookie values remembered in one scene. More come only from a server that means to slow us down;
/// in `Set-Cookie` they are cut out by their place all the same.
const MOST_COOKIES: usize = 200;

/// The beginning of an answer for a message, at most so many characters. What is secret by its place is
/// hidden first: half a secret, where the text is cut, would not be recognised afterwards.
pub fn excerpt(recorded: &Recorded, most: usize) -> String {
    let Ok(reply) = &recorded.reply else {
        return String::new();
    };
    let mut secrets = Secrets::default();
    secrets.observe(recorded);
    secrets.redact(&reply.text()).chars().take(most).collect()
}

/// Every secret seen, with the word for what it is.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    known: BTreeMap<String, &'static str>,
    /// Short ones from the target file.
    short: BTreeMap<String, &'static str>,
    cookies: usize,
}

impl Secrets {
    /// Marks a value as secret.
    pub fn learn(&mut self, value: &str, what: &'static str) {
        if value.len() < SHORTEST || self.known.contains_key(value) {
            return;
        }
        if what == "cookie" {
            if self.cookies >= MOST_COOKIES {
                return;
            }
            self.cookies += 1;
        }
        // The claims and the signature of a JWT, which may be shown by themselves (RFC 7515 §3.1).
        if value.starts_with("eyJ") {
            for part in value.split('.').skip(1).take(4) {
                if part.len() >= SHORTEST_PART && part.len() < value.len() {
                    self.known.insert(part.to_owned(), what);
                }
            }
        }
        self.known.insert(value.to_owned(), what);
    }

    /// Marks a value of the target file as secret, however short it is.
    pub fn learn_given(&mut self, value: &str, what: &'static str) {
        if (3..SHORTEST).contains(&value.len()) {
            self.short.insert(value.to_owned(), what);
        }
        self.learn(value, what);
    }

    /// Takes over what another registry knows.
    pub fn extend(&mut self, other: &Secrets) {
        for (value, what) in &other.known {
            self.known.entry(value.clone()).or_insert(what);
        }
        for (value, what) in &other.short {
            self.short.entry(value.clone()).or_insert(what);
        }
    }

    /// Marks everything in this exchange that is secret by its place: credentials in headers, known
    /// parameters and members, cookies.
    pub fn observe(&mut self, recorded: &Recorded) {
        self.observe_request(&recorded.request);
        if let Ok(reply) = &recorded.reply {
            self.observe_reply(reply);
        }
    }

    fn observe_request(&mut self, request: &Request) {
        for (name, value) in &request.headers {
            if name.eq_ignore_ascii_case("authorization") {
                let credential = value
                    .split_once(' ')
                    .map_or(value.as_str(), |(_, rest)| rest);
                self.learn(credential.trim(), "credential");
                if let Ok(decoded) =
                    base64::engine::general_purpose::STANDARD.decode(credential.trim())
                    && let Ok(text) = String::from_utf8(decoded)
                    && let Some((_, secret)) = text.split_once(':')
                {
                    // It is form-encoded in there (RFC 6749 §2.3.1).
                    let plain = wire::form::Pairs::parse(format!("s={secret}").as_bytes());
                    for plain in plain.all("s") {
                        self.learn(&plain, "client_secret");
                    }
                    self.learn(secret, "client_secret");
                }
            } else if name.eq_ignore_ascii_case("dpop") {
                self.learn(value.trim(), "dpop_proof");
            } else if name.eq_ignore_ascii_case("mcp-session-id") {
                self.learn(value.trim(), "session");
            } else if name.eq_ignore_ascii_case("cookie") {
                for cookie in value.split(';') {
                    if let Some((_, value)) = cookie.split_once('=') {
                        self.learn(value.trim(), "cookie");
                    }
                }
            }
        }
        if let Some((_, query)) = request.url.split_once('?') {
            self.observe_pairs(query.as_bytes());
        }
        // Both, for an attack may send one under the name of the other.
        self.observe_json(&request.body);
        self.observe_pairs(&request.body);
    }

    fn observe_reply(&mut self, reply: &Reply) {
        for cookie in reply.all("set-cookie") {
            let text = String::from_utf8_lossy(cookie);
            if let Some((_, value)) = text.split(';').next().unwrap_or_default().split_once('=') {
                self.learn(value.trim(), "cookie");
            }
        }
        if let Some(session) = reply.header("mcp-session-id") {
            self.learn(session.trim(), "session");
        }
        if let Some(location) = reply.header("location") {
            for part in location.split(['?', '#']).skip(1) {
                self.observe_pairs(part.as_bytes());
            }
        }
        if reply.media_type() == "text/html" {
            self.observe_page(&reply.text());
        } else {
            self.observe_json(&reply.body);
        }
    }

    /// Hidden fields of forms: what a page hands from step to step, and protects its forms with.
    fn observe_page(&mut self, page: &str) {
        let tags = page
            .match_indices("<input")
            .chain(page.match_indices("<meta"));
        for (at, _) in tags.take(MOST_COOKIES) {
            let tag = page.get(at..).unwrap_or_default();
            let tag = tag
                .get(..tag.find('>').unwrap_or(tag.len()))
                .unwrap_or_default();
            let lower = tag.to_ascii_lowercase();
            if !lower.contains("hidden") && !lower.contains("csrf") {
                continue;
            }
            let value = [" value=\"", " value='", " content=\"", " content='"]
                .iter()
                .find_map(|open| {
                    let rest = tag.get(lower.find(open)? + open.len()..)?;
                    rest.split(['"', '\'']).next()
                });
            // A URL or a sentence is no secret.
            if let Some(value) = value.filter(|value| {
                value.len() >= SHORTEST_PART
                    && !value.contains([' ', '/'])
                    && !value.contains("%2F")
            }) {
                self.learn(value, "form_token");
            }
        }
    }

    fn observe_pairs(&mut self, bytes: &[u8]) {
        let pairs = wire::form::Pairs::parse(bytes);
        for pair in pairs.iter() {
            let name = String::from_utf8_lossy(&pair.name);
            if let Some(what) = secret_name(&name) {
                self.learn(&pair.text(), what);
            } else if name == "request" {
                // A request object (RFC 9101) says what is asked for, which a reader needs; without its
                // signature nobody can send it again.
                let text = pair.text();
                if let Some(signature) = text.split('.').nth(2).filter(|_| text.starts_with("eyJ"))
                {
                    self.learn(signature, "signature");
                }
            }
        }
    }

    fn observe_json(&mut self, body: &[u8]) {
        if let Ok(value) = serde_json::from_slice(body) {
            self.observe_value(&value);
        }
    }

    /// Members at any depth; the parser has bounded it.
    fn observe_value(&mut self, value: &serde_json::Value) {
        match value {
            serde_json::Value::Object(object) => {
                for (member, value) in object {
                    if let serde_json::Value::String(text) = value
                        && let Some(what) = secret_name(member)
                    {
                        self.learn(text, what);
                    }
                    self.observe_value(value);
                }
            }
            serde_json::Value::Array(list) => {
                for value in list {
                    self.observe_value(value);
                }
            }
            _ => {}
        }
    }

    /// The text with every known secret replaced; for many texts make a [`Redactor`].
    pub fn redact(&self, text: &str) -> String {
        self.redactor().redact(text)
    }

    /// What replaces every secret known now.
    pub fn redactor(&self) -> Redactor {
        let mut known: Vec<Hidden> = Vec::new();
        for (secret, what) in &self.known {
            let shown = mask(secret, what);
            known.extend(spellings(secret).into_iter().map(|spelling| Hidden {
                spelling,
                shown: shown.clone(),
                what,
            }));
        }
        let short = self.short.iter();
        let short = short.map(|(value, what)| (value.clone(), format!("…[{what}]")));
        Redactor::new(known, short.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::spelling::lower_escapes;
    use super::*;

    #[test]
    fn a_shell_reads_the_curl_words_as_they_were_sent() {
        let mut secrets = Secrets::default();
        secrets.learn("it's-a-secret-0123456789", "code");
        let word = secrets
            .redactor()
            .shell_word("code=it's-a-secret-0123456789&x='$(id)`id`${HOME}");
        assert!(!word.contains("a-secret"), "{word}");
        let shell = std::process::Command::new("sh")
            .args(["-c", &format!("printf %s {word}")])
            .env("CODE", "CODE-VALUE")
            .env("HOME", "leaked")
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(shell.stdout).unwrap(),
            "code=CODE-VALUE&x='$(id)`id`${HOME}"
        );
    }

    #[test]
    fn secrets_disappear_in_every_spelling() {
        let mut secrets = Secrets::default();
        secrets.learn("s3cret+/value-0123456789", "client_secret");
        let text = "a=s3cret+/value-0123456789&b=s3cret%2B%2Fvalue-0123456789";
        let shown = secrets.redact(text);
        assert!(!shown.contains("value-0123456789"), "{shown}");
        assert!(shown.contains("client_secret 24"), "{shown}");
    }

    #[test]
    fn secrets_disappear_in_whatever_they_are_wrapped() {
        let secret = "p\"4&s<w ör/d+0123456789-abcdef";
        let mut secrets = Secrets::default();
        secrets.learn(secret, "password");
        let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let once = wire::form::encode_component(secret.as_bytes());
        for wrapped in [
            serde_json::json!({ "a": secret }).to_string(),
            format!(
                "<input value=\"{}\">",
                secret
                    .replace('&', "&amp;")
                    .replace('<', "&lt;")
                    .replace('"', "&quot;")
            ),
            wire::form::encode_component(format!("/login?p={once}").as_bytes()),
            lower_escapes(&once),
            once.replace("%20", "+"),
        ] {
            let shown = secrets.redact(&wrapped);
            assert!(!shown.contains("456789"), "{wrapped}: {shown}");
        }
        for before in ["", "a", "ab", "abc"] {
            let shown = secrets.redact(&base64(&format!("{before}{secret}z")));
            assert!(shown.len() < 60 && shown.contains("password"), "{shown}");
        }
    }

    #[test]
    fn the_parts_of_a_jwt_are_secrets_too() {
        let mut secrets = Secrets::default();
        secrets.learn(
            "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLWJ5dGVz",
            "access_token",
        );
        let shown = secrets.redact("claims eyJzdWIiOiJhbGljZSJ9 signature c2lnbmF0dXJlLWJ5dGVz");
        assert!(
            !shown.contains("hbGljZSJ9") && !shown.contains("cmUtYnl0"),
            "{shown}"
        );
    }

    #[test]
    fn a_pin_is_hidden_where_it_stands_alone() {
        let mut secrets = Secrets::default();
        secrets.learn_given("4711", "password");
        assert_eq!(
            secrets.redact("pin=4711&n=147110 \"4711\" 4711"),
            "pin=…[password]&n=147110 \"…[password]\" …[password]"
        );
    }

    #[test]
    fn what_an_answer_gives_away_is_learnt_by_its_place() {
        let mut secrets = Secrets::default();
        secrets.observe(&Recorded {
            request: Request::get("https://as.example/cb?code=the-code-0123&state=x"),
            reply: Ok(Reply {
                status: 200,
                headers: vec![("set-cookie".into(), b"sid=cookie-value-1; Path=/".to_vec())],
                body: br#"{"access_token":"token-value-1"}"#.to_vec(),
                truncated: false,
            }),
            started: std::time::Duration::ZERO,
            took: std::time::Duration::ZERO,
            raw: false,
        });
        let shown = secrets.redact("the-code-0123 cookie-value-1 token-value-1");
        assert!(
            !shown.contains("0123 ") && !shown.contains("value-1"),
            "{shown}"
        );
    }

    #[test]
    fn a_request_object_is_readable_and_cannot_be_sent_again() {
        let mut secrets = Secrets::default();
        let request = "eyJhbGciOiJFUzI1NiJ9.eyJzY29wZSI6InJlYWQifQ.c2lnbmF0dXJlLWJ5dGVz";
        secrets.observe_pairs(format!("client_id=a&request={request}").as_bytes());
        let shown = secrets.redact(request);
        assert!(shown.contains(".eyJzY29wZSI6InJlYWQifQ."), "{shown}");
        assert!(!shown.contains("cmUtYnl0"), "{shown}");
    }

    #[test]
    fn an_excerpt_ends_in_no_half_secret() {
        let secret = "0123456789abcdefghijklmnopqrstuvwxyz".repeat(9);
        let recorded = Recorded {
            request: Request::get("https://as.example/token"),
            reply: Ok(Reply {
                status: 400,
                body: format!("{{\"access_token\":\"{secret}\"}}").into_bytes(),
                ..Reply::default()
            }),
            started: std::time::Duration::ZERO,
            took: std::time::Duration::ZERO,
            raw: false,
        };
        let shown = excerpt(&recorded, 200);
        assert!(shown.contains("access_token 324"), "{shown}");
        assert!(!shown.contains("456789"), "{shown}");
    }
}
