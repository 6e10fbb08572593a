//! Exchanges as reports may show them: redacted, and then cut.

use base64::Engine as _;

use super::super::{Recorded, Reply, Request};
use super::spelling::mask;
use super::{Redactor, SHORTEST};
use crate::event::{Addressee, Exchange, Message, Role};

/// Body bytes shown in evidence, and bytes of a URL, of one header and of all headers.
const BODY_SHOWN: usize = 8 << 10;
const URL_SHOWN: usize = 4 << 10;
const HEADER_SHOWN: usize = 2 << 10;
const HEADERS_SHOWN: usize = 8 << 10;

impl Redactor {
    /// An exchange as reports may show it.
    pub fn exchange(&self, recorded: &Recorded, role: Role, step: &str, to: Addressee) -> Exchange {
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
            from: match request.header("cookie") {
                Some(_) => Addressee::Page.sender().into(),
                None => to.sender().into(),
            },
            to: to.word().into(),
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
            raw: None,
        }
    }

    /// Headers, redacted and then cut: half a secret would not be recognised.
    fn headers(&self, headers: Vec<(String, String)>) -> Vec<(String, String)> {
        let mut room = HEADERS_SHOWN;
        let all = headers.len();
        let mut shown = Vec::new();
        for (name, value) in headers {
            let value = if self.hides {
                by_place(&name, value)
            } else {
                value
            };
            let value = cut(self.redact(&value), HEADER_SHOWN);
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
