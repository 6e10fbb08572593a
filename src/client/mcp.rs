//! What a client of the Model Context Protocol sends beside its message: headers and, up to revision 2025-11-25, a session.

use serde_json::{Value, json};

use super::draft::Draft;
use crate::targets::model::Resource;
use crate::transport::{Carrier, Recorded, Request};

/// The header that names a session (MCP 2025-11-25, transports).
pub const SESSION: &str = "Mcp-Session-Id";

/// Whether servers of this revision may keep sessions: those after 2025-11-25 do not.
pub fn has_sessions(revision: &str) -> bool {
    revision < "2026"
}

/// Whether a call of this resource names a tool in its headers too: after the sessions, and only where the message calls one.
pub fn names_tool_in_header(resource: &Resource) -> bool {
    let stateless = resource
        .mcp
        .as_deref()
        .is_some_and(|own| !has_sessions(own));
    let body = resource.body.as_ref().map(|(body, _)| body.as_str());
    let message: Value = serde_json::from_str(body.unwrap_or_default()).unwrap_or_default();
    stateless && message.get("method").and_then(Value::as_str) == Some("tools/call")
}

/// What came of opening a session.
pub struct Opened {
    /// Every exchange in order.
    pub log: Vec<Recorded>,
    /// The session; `None`: the server keeps none.
    pub session: Option<String>,
    /// Whether `initialize` succeeded.
    pub welcome: bool,
}

/// Opens a session with this token, as a client does before anything else.
pub async fn open(
    carrier: &dyn Carrier,
    resource: &Resource,
    revision: &str,
    token: Option<&str>,
) -> Opened {
    let url = resource.url.as_str();
    let recorded = carrier
        .carry(message(url, token, &initialize(revision)))
        .await;
    let welcome = recorded
        .reply
        .as_ref()
        .ok()
        .filter(|reply| reply.is_success());
    let mut opened = Opened {
        welcome: welcome.is_some(),
        session: welcome.and_then(|reply| reply.header(SESSION)),
        log: Vec::new(),
    };
    opened.log.push(recorded);
    if let Some(session) = &opened.session {
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let mut told = message(url, token, &ready);
        told.set("MCP-Protocol-Version", revision);
        told.set(SESSION, session);
        opened.log.push(carrier.carry(told).await);
    }
    opened
}

/// What a client says before anything else, without a token: one that guards itself answers 401, whatever it speaks.
pub fn hello(url: &str) -> Request {
    message(url, None, &initialize("2025-11-25"))
}

fn initialize(revision: &str) -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": 0,
        "method": "initialize",
        "params": {
            "protocolVersion": revision,
            "capabilities": {},
            "clientInfo": {"name": "oauthspec", "version": env!("CARGO_PKG_VERSION")},
        },
    })
}

fn message(url: &str, token: Option<&str>, body: &Value) -> Request {
    let body = body.to_string().into_bytes();
    let mut request = Request::post(url, "application/json", body);
    request.set("Accept", "application/json, text/event-stream");
    if let Some(token) = token {
        request.set("Authorization", format!("Bearer {token}"));
    }
    request
}

/// The headers of a message, unless the draft has something else in their place. What is no POST carries no message.
pub fn speak(draft: &mut Draft, resource: &Resource, revision: &str) {
    let posts = draft.method == "POST";
    if !posts {
        draft.body = None;
        draft.content_type = Some(String::new());
    }
    let body = resource.body.as_ref().map(|(body, _)| body.as_str());
    let message: Value = serde_json::from_str(body.unwrap_or_default()).unwrap_or_default();
    let text = |pointer: &str| {
        let value = message.pointer(pointer).and_then(Value::as_str);
        value.map(str::to_owned).filter(|_| !has_sessions(revision))
    };
    let accept = if posts {
        "application/json, text/event-stream"
    } else {
        "text/event-stream"
    };
    let headers = [
        ("Accept", Some(accept.to_owned())),
        ("MCP-Protocol-Version", Some(revision.to_owned())),
        ("Mcp-Method", text("/method")),
        ("Mcp-Name", text("/params/name")),
    ];
    for (name, value) in headers {
        let said = draft
            .headers
            .iter()
            .any(|(own, _)| own.eq_ignore_ascii_case(name));
        if let Some(value) = value.filter(|_| !said) {
            draft.headers.push((name.to_owned(), value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::has_sessions;

    #[test]
    fn sessions_went_with_the_revision_of_2026() {
        assert!(has_sessions("2025-03-26") && has_sessions("2025-11-25"));
        assert!(!has_sessions("2026-07-28"));
    }
}
