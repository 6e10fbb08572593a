//! What an answer says, operation by operation. Throttling, 5xx and silence read the same everywhere: see [`common`].

use super::answer::{Answer, How, Said, common, document, refusal};
use crate::transport::{Recorded, Reply};

/// How the answers of an operation are read.
#[derive(Clone, Copy)]
pub struct Reading {
    /// Whether its answers are JSON documents, so that one that only says so is no answer.
    document: bool,
    of: fn(&Reply) -> (Answer, Said),
}

/// A token endpoint's (RFC 6749 §5). Of a refusal nothing is kept but its code.
pub const TOKENS: Reading = Reading::document(tokens);
/// Of a pushed authorization request (RFC 9126 §2.2).
pub const PUSHED: Reading = Reading::document(|reply| with_member(reply, "request_uri"));
/// Of a device authorization request (RFC 8628 §3.2), with the user code in the spellings a person may type.
pub const DEVICE: Reading = Reading::document(device);
/// Of a registration (RFC 7591 §3.2).
pub const REGISTERED: Reading = Reading::document(|reply| with_member(reply, "client_id"));
/// Of an introspection (RFC 7662 §2.2): a token that is not active is one that is refused.
pub const INTROSPECTED: Reading = Reading::document(introspected);
/// A metadata document: 200, and a JSON object that names its issuer or resource as a string.
pub const METADATA: Reading = Reading::document(metadata);
/// Of a revocation (RFC 7009 §2.2): nothing counts but its status.
pub const REVOKED: Reading = Reading::status(|reply| (by_status(reply, refusal), Said::default()));
/// Of a resource server (RFC 6750 §3).
pub const CALLED: Reading =
    Reading::status(|reply| (by_status(reply, challenged), Said::default()));
/// Of any request at all to an authorization server: 2xx without an `error`.
pub const ANY: Reading = Reading::status(|reply| any(reply, refusal));
/// The same, of a resource server.
pub const ANY_OF_RESOURCE: Reading = Reading::status(|reply| any(reply, challenged));

impl Reading {
    const fn document(of: fn(&Reply) -> (Answer, Said)) -> Reading {
        Reading { document: true, of }
    }

    const fn status(of: fn(&Reply) -> (Answer, Said)) -> Reading {
        Reading {
            document: false,
            of,
        }
    }

    /// How the operation ended, and what the server said.
    pub fn read(&self, recorded: &Recorded) -> (Answer, Said) {
        let usable = match self.document {
            true => document(recorded),
            false => common(recorded),
        };
        usable.map_or_else(|answer| (answer, Said::default()), |reply| self.of(reply))
    }

    /// The same, of an answer that is known to be one.
    pub fn of(&self, reply: &Reply) -> (Answer, Said) {
        (self.of)(reply)
    }
}

fn by_status(reply: &Reply, refusal: fn(&Reply) -> Answer) -> Answer {
    match reply.is_success() {
        true => Answer::Success,
        false => refusal(reply),
    }
}

/// A document in which this member makes the difference between a success and a refusal.
fn with_member(reply: &Reply, needed: &str) -> (Answer, Said) {
    let said = Said::of(reply);
    match reply.is_success() && said.has(needed) {
        true => (Answer::Success, said),
        false => (refusal(reply), said),
    }
}

fn tokens(reply: &Reply) -> (Answer, Said) {
    if reply.is_success() {
        let object = reply.json().unwrap_or_default();
        let token = object.get("access_token").and_then(|token| token.as_str());
        if token.is_some_and(|token| !token.is_empty()) {
            return (Answer::Success, Said::from(object));
        }
    }
    (refusal(reply), Said::default())
}

fn device(reply: &Reply) -> (Answer, Said) {
    let (answer, mut said) = with_member(reply, "device_code");
    if let Some(code) = said.get("user_code").map(str::to_owned) {
        let bare: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
        said.set("user_code_bare", bare);
        said.set("user_code_lower", code.to_ascii_lowercase());
    }
    (answer, said)
}

fn introspected(reply: &Reply) -> (Answer, Said) {
    let said = Said::of(reply);
    let answer = match said.get("active") {
        Some("true") if reply.is_success() => Answer::Success,
        Some("false") if reply.is_success() => Answer::Refused {
            status: reply.status,
            error: Some("inactive".into()),
            how: How::Json,
        },
        _ => refusal(reply),
    };
    (answer, said)
}

fn metadata(reply: &Reply) -> (Answer, Said) {
    let object = reply.json().unwrap_or_default();
    let mut named = ["issuer", "resource"].iter();
    let identified = named.any(|name| object.get(*name).is_some_and(|one| one.is_string()));
    let answer = match reply.status == 200 && identified {
        true => Answer::Success,
        false => refusal(reply),
    };
    (answer, Said::from(object))
}

fn any(reply: &Reply, refusal: fn(&Reply) -> Answer) -> (Answer, Said) {
    let said = Said::of(reply);
    let answer = match said.get("error") {
        _ if !reply.is_success() => refusal(reply),
        None => Answer::Success,
        Some(error) => Answer::Refused {
            status: reply.status,
            error: Some(error.to_owned()),
            how: How::Json,
        },
    };
    (answer, said)
}

/// A refusal of a resource server: by its challenge, or without one.
fn challenged(reply: &Reply) -> Answer {
    match challenge_error(reply) {
        Some(error) => Answer::Refused {
            status: reply.status,
            error,
            how: How::Challenge,
        },
        None => refusal(reply),
    }
}

/// The `error` of the Bearer (or DPoP) challenge; `Some(None)` is a challenge without error.
fn challenge_error(reply: &Reply) -> Option<Option<String>> {
    let parsed = wire::challenge::parse(reply.all("www-authenticate"));
    let challenge = parsed.scheme("bearer").or_else(|| parsed.scheme("dpop"))?;
    Some(challenge.param("error").map(str::to_owned))
}
