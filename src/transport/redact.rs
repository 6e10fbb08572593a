//! Secrets are marked where they pass, and every output shows prefix, length and hash instead.

use std::collections::BTreeMap;

use base64::Engine as _;

use super::{Recorded, Reply, Request};
use crate::event::{Exchange, Message, Role};

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
];

/// Values shorter than this are not secrets worth the name, and replacing them would garble the text.
const SHORTEST: usize = 6;

/// Body bytes shown in evidence, and bytes of a URL, of one header and of all headers.
const BODY_SHOWN: usize = 8 << 10;
const URL_SHOWN: usize = 4 << 10;
const HEADER_SHOWN: usize = 2 << 10;
const HEADERS_SHOWN: usize = 8 << 10;

/// Cookie values remembered in one scene. More come only from a server that means to slow us down;
/// in `Set-Cookie` they are cut out by their place all the same.
const MOST_COOKIES: usize = 200;

/// Every secret seen, with the word for what it is.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    known: BTreeMap<String, &'static str>,
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
        self.known.insert(value.to_owned(), what);
    }

    /// Takes over what another registry knows.
    pub fn extend(&mut self, other: &Secrets) {
        for (value, what) in &other.known {
            self.known.entry(value.clone()).or_insert(what);
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
                    self.learn(secret, "client_secret");
                }
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
        let is_json = request
            .header("content-type")
            .is_some_and(|value| value.contains("json"));
        if is_json {
            self.observe_json(&request.body);
        } else {
            self.observe_pairs(&request.body);
        }
    }

    fn observe_reply(&mut self, reply: &Reply) {
        for cookie in reply.all("set-cookie") {
            let text = String::from_utf8_lossy(cookie);
            if let Some((_, value)) = text.split(';').next().unwrap_or_default().split_once('=') {
                self.learn(value.trim(), "cookie");
            }
        }
        if let Some(location) = reply.header("location") {
            for part in location.split(['?', '#']).skip(1) {
                self.observe_pairs(part.as_bytes());
            }
        }
        self.observe_json(&reply.body);
    }

    fn observe_pairs(&mut self, bytes: &[u8]) {
        let pairs = wire::form::Pairs::parse(bytes);
        for name in SECRET_NAMES {
            for value in pairs.all(name) {
                self.learn(&value, name);
            }
        }
    }

    fn observe_json(&mut self, body: &[u8]) {
        let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(body) else {
            return;
        };
        for name in SECRET_NAMES {
            if let Some(serde_json::Value::String(value)) = object.get(*name) {
                self.learn(value, name);
            }
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
            let encoded = wire::form::encode_component(secret.as_bytes());
            if encoded != *secret {
                known.push(Hidden {
                    spelling: encoded,
                    shown: shown.clone(),
                    what,
                });
            }
            known.push(Hidden {
                spelling: secret.clone(),
                shown,
                what,
            });
        }
        // Longer ones go first, so that a secret inside another leaves nothing behind.
        known.sort_by_key(|hidden| std::cmp::Reverse(hidden.spelling.len()));
        Redactor { known }
    }
}

/// One spelling of a secret.
struct Hidden {
    spelling: String,
    shown: String,
    what: &'static str,
}

/// Replaces secrets, also where they stand percent-encoded.
pub struct Redactor {
    known: Vec<Hidden>,
}

impl Redactor {
    /// The text with every known secret replaced.
    pub fn redact(&self, text: &str) -> String {
        let mut out = text.to_owned();
        for hidden in &self.known {
            if out.contains(&hidden.spelling) {
                out = out.replace(&hidden.spelling, &hidden.shown);
            }
        }
        out
    }

    /// The text as one word of a POSIX shell, with every secret as a shell variable: `'a='"${CODE}"'&b=1'`.
    fn shell_word(&self, text: &str) -> String {
        // Noncharacters hold the places while the text around them is quoted.
        const OPEN: char = '\u{fdd0}';
        const CLOSE: char = '\u{fdd1}';
        let mut out = text.replace([OPEN, CLOSE], "\u{fffd}");
        for hidden in &self.known {
            if out.contains(&hidden.spelling) {
                let name = format!("{OPEN}{}{CLOSE}", hidden.what.to_ascii_uppercase());
                out = out.replace(&hidden.spelling, &name);
            }
        }
        let quoted = format!("'{}'", out.replace('\'', r"'\''"));
        quoted.replace(OPEN, "'\"${").replace(CLOSE, "}\"'")
    }

    /// An exchange as reports may show it.
    pub fn exchange(&self, recorded: &Recorded, role: Role, step: &str, to: &str) -> Exchange {
        let request = &recorded.request;
        let message = |headers: Vec<(String, String)>, body: &[u8]| Message {
            headers: self.headers(headers),
            body: self.body(body),
            body_bytes: body.len() as u64,
        };
        let reply = recorded.reply.as_ref().ok();
        Exchange {
            role,
            step: step.to_owned(),
            from: if request.header("cookie").is_some() || to == "page" {
                "user".into()
            } else {
                "client".into()
            },
            to: if to == "page" {
                "as".into()
            } else {
                to.to_owned()
            },
            method: request.method.clone(),
            url: cut(self.redact(&request.url), URL_SHOWN),
            request: message(request.headers.clone(), &request.body),
            status: reply.map(|reply| reply.status),
            response: reply
                .map(|reply| {
                    message(
                        reply
                            .headers
                            .iter()
                            .map(|(name, value)| {
                                (name.clone(), String::from_utf8_lossy(value).into_owned())
                            })
                            .collect(),
                        &reply.body,
                    )
                })
                .map(|message| with_picture(message, reply)),
            error: recorded
                .reply
                .as_ref()
                .err()
                .map(|text| cut(self.redact(text), HEADER_SHOWN)),
            started_ms: recorded.started.as_millis() as u64,
            duration_us: recorded.took.as_micros() as u64,
            transport: if recorded.raw { "raw" } else { "http" }.into(),
            curl: self.curl(request),
        }
    }

    /// Headers, redacted and then cut: half a secret would not be recognised.
    fn headers(&self, headers: Vec<(String, String)>) -> Vec<(String, String)> {
        let mut room = HEADERS_SHOWN;
        let all = headers.len();
        let mut shown = Vec::new();
        for (name, value) in headers {
            let value = cut(self.redact(&by_place(&name, value)), HEADER_SHOWN);
            let name = cut(name, HEADER_SHOWN);
            let Some(left) = room.checked_sub(name.len() + value.len()) else {
                shown.push(("…".into(), format!("({all} header fields in all)")));
                break;
            };
            room = left;
            shown.push((name, value));
        }
        shown
    }

    /// The beginning of a body, redacted and then cut.
    fn body(&self, body: &[u8]) -> String {
        // The longest secret may begin just before the cut.
        let longest = self.known.first().map_or(0, |hidden| hidden.spelling.len());
        let near = body.get(..BODY_SHOWN + longest).unwrap_or(body);
        let mut text = self.redact(&String::from_utf8_lossy(near));
        if text.len() > BODY_SHOWN || near.len() < body.len() {
            text.truncate(text.floor_char_boundary(BODY_SHOWN));
            text.push_str(&format!("… ({} bytes in all)", body.len()));
        }
        text
    }

    fn curl(&self, request: &Request) -> String {
        let mut line = format!("curl -i --path-as-is -X {}", request.method);
        for (name, value) in &request.headers {
            line.push_str(" -H ");
            line.push_str(&self.shell_word(&format!("{name}: {value}")));
        }
        if !request.body.is_empty() {
            line.push_str(" --data-raw ");
            line.push_str(&self.shell_word(&String::from_utf8_lossy(&request.body)));
        }
        line.push(' ');
        line.push_str(&self.shell_word(&request.url));
        if line.len() > BODY_SHOWN {
            // Cut, it would not repeat the request.
            return String::new();
        }
        line
    }
}

/// A picture goes into the evidence whole, as a data URL.
fn with_picture(mut message: Message, reply: Option<&Reply>) -> Message {
    const LARGEST: usize = 1 << 20;
    if let Some(reply) = reply.filter(|reply| reply.media_type() == "image/png")
        && reply.body.len() <= LARGEST
    {
        let picture = base64::engine::general_purpose::STANDARD.encode(&reply.body);
        message.body = format!("data:image/png;base64,{picture}");
    }
    message
}

/// At most this many bytes of a text.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let all = text.len();
        text.truncate(text.floor_char_boundary(most));
        text.push_str(&format!("… ({all} bytes in all)"));
    }
    text
}

/// A `Set-Cookie` header without the cookie's value.
fn by_place(name: &str, value: String) -> String {
    if !name.eq_ignore_ascii_case("set-cookie") {
        return value;
    }
    let (cookie, attributes) = match value.split_once(';') {
        Some((cookie, attributes)) => (cookie, format!(";{attributes}")),
        None => (value.as_str(), String::new()),
    };
    match cookie.split_once('=') {
        Some((name, secret)) if secret.trim().len() >= SHORTEST => {
            format!("{name}={}{attributes}", mask(secret.trim(), "cookie"))
        }
        _ => value,
    }
}

/// `abcd…[code 43 1f2e3d4c]`: enough to tell two secrets apart, not enough to use one.
fn mask(secret: &str, what: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.as_bytes());
    let hash: String = digest
        .as_ref()
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let shown = if secret.len() >= 20 { 4 } else { 0 };
    let prefix: String = secret.chars().take(shown).collect();
    format!("{prefix}…[{what} {} {hash}]", secret.len())
}

#[cfg(test)]
mod tests {
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
}
