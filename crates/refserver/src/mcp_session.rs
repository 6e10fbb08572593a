//! Sessions of an MCP server (Model Context Protocol up to revision 2025-11-25, transports): opened by `initialize`, named in a header, ended by
//! `DELETE`. Each belongs to the user whose token opened it; another user's token does not see that it exists.

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::json;

use crate::{
    App, SessionFault, http, issue,
    state::{Db, now},
};

/// The header that names a session.
pub(crate) const NAME: &str = "mcp-session-id";
/// Seconds a session lives.
const LIFE: u64 = 3600;

/// A session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Whose token opened it.
    pub sub: String,
    /// In seconds since the epoch.
    pub expires: u64,
}

/// The session that a request names; `None` when it names none that is open.
pub(crate) fn named(app: &App, headers: &HeaderMap) -> Option<Session> {
    let id = headers.get(NAME)?.to_str().ok()?;
    app.db().mcp_sessions.get(id).cloned()
}

/// Opens a session and names it in the answer to `initialize`.
pub(crate) fn open(app: &App, sub: &str, response: &mut Response) {
    let mut db = app.db();
    db.prune();
    let id = match () {
        () if app.broken(SessionFault::Counts) => format!("session-{:08}", db.next_serial()),
        () if app.broken(SessionFault::Odd) => {
            format!("{} {}", issue::secret(""), issue::secret(""))
        }
        () => issue::secret(""),
    };
    db.prune();
    keep(&mut db, &id, sub);
    if let Ok(value) = HeaderValue::from_str(&id) {
        let name = HeaderName::from_static(NAME);
        response.headers_mut().insert(name, value);
    }
}

fn keep(db: &mut Db, id: &str, sub: &str) -> Session {
    let session = Session {
        sub: sub.to_owned(),
        expires: now() + LIFE,
    };
    db.mcp_sessions.insert(id.to_owned(), session.clone());
    session
}

/// Finds the session that a request of this user names. The answer is whose data it shows.
///
/// # Errors
/// 400 without a session, 404 for one that is not there or not this user's.
pub(crate) fn enter(app: &App, headers: &HeaderMap, sub: &str) -> Result<String, Response> {
    let id = headers.get(NAME).and_then(|value| value.to_str().ok());
    let Some(id) = id else {
        let body = json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": "a session is needed"}});
        return Err(http::json_response(StatusCode::BAD_REQUEST, &body));
    };
    let mut db = app.db();
    let known = db.mcp_sessions.get(id).filter(|one| one.expires > now());
    let session = match known.cloned() {
        Some(session) => session,
        None if app.broken(SessionFault::Unknown) => keep(&mut db, id, sub),
        None if app.broken(SessionFault::Unknown400) => {
            return Err(http::empty(StatusCode::BAD_REQUEST));
        }
        None => return Err(http::empty(StatusCode::NOT_FOUND)),
    };
    match session.sub == sub {
        true => Ok(session.sub),
        false if app.broken(SessionFault::AnyUser) => Ok(session.sub),
        false if app.broken(SessionFault::Shared) => Ok(sub.to_owned()),
        false => Err(http::empty(StatusCode::NOT_FOUND)),
    }
}

/// Ends the session that a request names.
pub(crate) fn end(app: &App, headers: &HeaderMap) -> Response {
    let id = headers.get(NAME).and_then(|value| value.to_str().ok());
    if !app.broken(SessionFault::Immortal) {
        app.db().mcp_sessions.remove(id.unwrap_or_default());
    }
    http::empty(StatusCode::NO_CONTENT)
}

/// What the server has to say to a session: one event, and the end. A client may come again and ask for more.
pub(crate) fn stream(owner: &str) -> Response {
    let data = json!({"level": "info", "data": format!("protected item 3 of {owner}")});
    let message = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": data});
    let mut response = Response::new(format!("id: 1\nevent: message\ndata: {message}\n\n").into());
    http::set(&mut response, header::CONTENT_TYPE, "text/event-stream");
    http::set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}
