//! Pushed authorization requests (RFC 9126): checked when they are pushed, kept for a minute, and good for one code.

use std::sync::Arc;

use axum::{
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde_json::json;

use crate::{
    App, Fault, authorize, cimd, client_auth,
    endpoint::fail,
    http::{self, Params},
    issue, jar, pages,
    state::{Client, Db, now_ms},
};

/// What the reference of a pushed request begins with (RFC 9126 §2.2).
const URN: &str = "urn:ietf:params:oauth:request_uri:";

/// A pushed request.
#[derive(Clone)]
pub(crate) struct Pushed {
    pub client: String,
    pub params: Params,
    /// Milliseconds since the epoch.
    pub expires_ms: u64,
    /// A code has come of it.
    pub used: bool,
}

/// RFC 9126 §2.1: authenticate the client, refuse `request_uri`, validate like an authorization request.
pub(crate) async fn push(app: Arc<App>, headers: HeaderMap, params: Params) -> Response {
    let (app, headers, params) = (&*app, &headers, &params);
    let bad = |error: &str, what: &str| fail(app, StatusCode::BAD_REQUEST, error, what);
    let lenient = app.broken(Fault::ParUnauthenticated);
    if app.face.knows_documents()
        && let Some(id) = params.get("client_id").filter(|id| cimd::is_url(id))
        && let Err(why) = cimd::discover(app, id).await
    {
        return bad(
            "invalid_client",
            &format!("the client cannot be known: {why}"),
        );
    }
    let client = match client_auth::authenticate(app, headers, params, lenient).await {
        Ok(client) => client,
        Err(response) => return response,
    };
    if params.get("client_id").is_none() {
        return bad("invalid_request", "client_id is required");
    }
    if params.get("request_uri").is_some() && !app.broken(Fault::ParRequestUriPushed) {
        return bad("invalid_request", "request_uri cannot be pushed");
    }
    let params = params.without(&[
        "client_secret",
        "client_assertion",
        "client_assertion_type",
        "request_uri",
    ]);
    let params = match jar::open(app, params).await {
        Ok(params) => params,
        Err(why) => return bad("invalid_request_object", why),
    };
    if let Err((error, what)) = authorize::examine(app, &client, &params) {
        return bad(error, &what);
    }
    keep(app, &client, params)
}

fn keep(app: &App, client: &Client, params: Params) -> Response {
    let life = if client.brief {
        1
    } else {
        app.face.lifetimes.pushed
    };
    let mut db = app.db();
    db.prune();
    let name = if app.broken(Fault::ParGuessable) {
        format!("{:08}", db.next_serial())
    } else {
        issue::secret("")
    };
    let uri = format!("{URN}{name}");
    let pushed = Pushed {
        client: client.id.clone(),
        params,
        expires_ms: now_ms() + life * 1000,
        used: false,
    };
    db.pushed.insert(uri.clone(), pushed);
    let status = if app.broken(Fault::ParStatus200) {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    http::secret_json(status, &json!({"request_uri": uri, "expires_in": life}))
}

/// The parameters an authorization request stands for: its own, or those that were pushed. With the latter comes the reference.
pub(crate) fn resolve(app: &App, front: Params) -> Result<(Params, Option<String>), Response> {
    let Some(uri) = front.get("request_uri").filter(|uri| uri.starts_with(URN)) else {
        return Ok((front, None));
    };
    let refusal = |what: &str| Err(pages::refusal(app, StatusCode::BAD_REQUEST, what));
    if front.count("request_uri") > 1 || front.count("client_id") > 1 {
        return refusal("The request is ambiguous.");
    }
    let Some(pushed) = app.db().pushed.get(uri).cloned() else {
        return refusal("The pushed request is not known.");
    };
    match front.get("client_id") {
        Some(id) if id == pushed.client || app.broken(Fault::ParAnyClient) => {}
        None if app.broken(Fault::ParClientIdOptional) => {}
        _ => return refusal("The pushed request is not that of the client."),
    }
    if pushed.used && !app.broken(Fault::ParReusable) {
        return refusal("The pushed request has been used.");
    }
    if pushed.expires_ms <= now_ms() && !app.broken(Fault::ParNeverExpires) {
        return refusal("The pushed request has expired.");
    }
    let mut params = pushed.params;
    if app.broken(Fault::ParFrontWins) {
        let outside = front.without(&["request_uri", "client_id"]);
        let names: Vec<&str> = outside
            .pairs()
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        params = params.without(&names);
        params.extend(outside.clone());
    }
    Ok((params, Some(uri.to_owned())))
}

/// Marks a pushed request as used: a code has come of it.
pub(crate) fn spend(db: &mut Db, uri: &str) {
    if let Some(pushed) = db.pushed.get_mut(uri) {
        pushed.used = true;
    }
}
