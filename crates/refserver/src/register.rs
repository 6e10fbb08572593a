//! Dynamic client registration (RFC 7591) and its management (RFC 7592). Open to everybody; nothing a client says is fetched or believed.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use serde_json::{Map, Value, json};

use crate::{
    App, Fault, HightopFault,
    client_metadata::{Fail, checked, fail},
    fetch, http, issue,
    state::{Client, now, now_ms},
};

fn refuse(app: &App, fail: Fail) -> Response {
    let status = if app.broken(Fault::DcrErrors200) {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    http::oauth_error(status, fail.0, &fail.1)
}

/// `POST`: registers.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(response) = throttled(&app) {
        return response;
    }
    if app.broken(HightopFault::RegistrationClosed) {
        return http::secret_json(StatusCode::UNAUTHORIZED, &json!({"error": "invalid_token"}));
    }
    let members = match read(&headers, &body) {
        Ok(members) => members,
        Err(fail) => return refuse(&app, fail),
    };
    let mut client = match checked(&app, &members, true) {
        Ok(client) => client,
        Err(fail) => return refuse(&app, fail),
    };
    fetch_on_registration(&app, &members).await;
    let chosen = members
        .get("client_id")
        .and_then(Value::as_str)
        .filter(|_| app.broken(Fault::DcrChosenId));
    client.id = chosen
        .map(str::to_owned)
        .unwrap_or_else(|| issue::identifier(app.face.prefixes.client));
    if client.auth.starts_with("client_secret_") {
        let secret = if app.broken(Fault::DcrSecretShort) {
            format!("{:08}", app.db().next_serial() + 10_000_000)
        } else {
            issue::secret(app.face.prefixes.secret)
        };
        client.secret = Some(secret);
    }
    client.registration_token = Some(issue::secret(""));
    let answer = describe(&app, &client);
    let mut db = app.db();
    db.prune();
    db.clients.insert(client.id.clone(), client);
    drop(db);
    http::secret_json(
        if app.broken(Fault::DcrStatus200) {
            StatusCode::OK
        } else {
            StatusCode::CREATED
        },
        &answer,
    )
}

/// 429 with Retry-After (RFC 6585 §4), where registration is limited and the limit is reached.
fn throttled(app: &App) -> Option<Response> {
    let limit = app.face.rules.registrations?;
    let (now, window) = (now_ms(), limit.seconds * 1000);
    let mut db = app.db();
    db.registrations.retain(|at| at + window > now);
    if db.registrations.len() < limit.count {
        db.registrations.push(now);
        return None;
    }
    drop(db);
    let mut response = http::secret_json(
        StatusCode::TOO_MANY_REQUESTS,
        &json!({"error": "temporarily_unavailable", "error_description": "too many registrations"}),
    );
    if !app.broken(HightopFault::LimitWithoutTime) {
        http::set(
            &mut response,
            header::RETRY_AFTER,
            &limit.seconds.to_string(),
        );
    }
    Some(response)
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Fail> {
    if !http::is_json(headers) {
        return fail(
            "invalid_client_metadata",
            "the body must be application/json",
        );
    }
    let limits = wire::json::Limits {
        max_bytes: 64 * 1024,
        max_depth: 8,
        max_nodes: 2000,
    };
    let document = wire::json::scan(body, limits).map_err(|_| {
        (
            "invalid_client_metadata",
            "the body is not JSON within the limits".to_owned(),
        )
    })?;
    if !document.duplicates.is_empty() {
        return fail("invalid_client_metadata", "a member is repeated");
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        _ => fail("invalid_client_metadata", "the body must be a JSON object"),
    }
}

/// What the faults fetch the moment a client registers.
async fn fetch_on_registration(app: &App, members: &Map<String, Value>) {
    for (fault, names) in [
        (Fault::DcrLogoFetched, &["logo_uri"][..]),
        (Fault::DcrPolicyFetched, &["policy_uri", "tos_uri"]),
        (Fault::DcrSectorFetched, &["sector_identifier_uri"]),
        (Fault::DcrJwksFetchedAtOnce, &["jwks_uri"]),
    ] {
        for name in names.iter().filter(|_| app.broken(fault)) {
            if let Some(url) = members.get(*name).and_then(Value::as_str) {
                let _whatever = fetch::carelessly(url).await;
            }
        }
    }
}

/// The registration answer (RFC 7591 §3.2.1).
fn describe(app: &App, client: &Client) -> Value {
    let mut body = Map::new();
    body.insert("client_id".into(), client.id.clone().into());
    body.insert("client_id_issued_at".into(), now().into());
    if let Some(secret) = &client.secret {
        body.insert("client_secret".into(), secret.clone().into());
        body.insert("client_secret_expires_at".into(), 0.into());
    }
    if let (Some(token), Some(path)) = (&client.registration_token, app.face.paths.register) {
        body.insert("registration_access_token".into(), token.clone().into());
        body.insert(
            "registration_client_uri".into(),
            app.url(&format!("{path}/{}", client.id)).into(),
        );
    }
    body.extend(client.metadata.clone());
    body.into()
}

/// The client a management request is about: its own token opens it, and no other does.
fn managed(app: &App, headers: &HeaderMap, id: &str) -> Result<Client, Response> {
    let token = http::single(headers, header::AUTHORIZATION)
        .ok()
        .flatten()
        .and_then(http::bearer);
    let db = app.db();
    let client = db
        .clients
        .get(id)
        .filter(|client| client.registration_token.is_some());
    let known = |token: &str| {
        db.clients
            .values()
            .any(|other| other.registration_token.as_deref() == Some(token))
    };
    let open = client
        .is_some_and(|client| client.registration_token.as_deref() == token && token.is_some())
        || app.broken(Fault::DcrmOpen)
        || (app.broken(Fault::DcrmAnyToken) && token.is_some_and(known));
    match client.filter(|_| open) {
        Some(client) => Ok(client.clone()),
        None => {
            let mut response =
                http::secret_json(StatusCode::UNAUTHORIZED, &json!({"error": "invalid_token"}));
            let challenge = if token.is_some() {
                "Bearer realm=\"registration\", error=\"invalid_token\""
            } else {
                "Bearer realm=\"registration\""
            };
            http::set(&mut response, header::WWW_AUTHENTICATE, challenge);
            Err(response)
        }
    }
}

/// `GET`: reads.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match managed(&app, &headers, &id) {
        Ok(client) => http::secret_json(StatusCode::OK, &describe(&app, &client)),
        Err(response) => response,
    }
}

/// `PUT`: replaces (RFC 7592 §2.2). Identifier and secret stay.
pub(crate) async fn replace(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let client = match managed(&app, &headers, &id) {
        Ok(client) => client,
        Err(response) => return response,
    };
    let mut members = match read(&headers, &body) {
        Ok(members) => members,
        Err(fail) => return refuse(&app, fail),
    };
    let asked = members.get("client_id").and_then(Value::as_str);
    let renamed = asked
        .filter(|_| app.broken(Fault::DcrmImmutable))
        .map(str::to_owned);
    if asked != Some(&client.id) && renamed.is_none() {
        return refuse(
            &app,
            (
                "invalid_client_metadata",
                "client_id must be the client's own".into(),
            ),
        );
    }
    if members
        .get("client_secret")
        .is_some_and(|secret| secret.as_str() != client.secret.as_deref())
        && !app.broken(Fault::DcrmImmutable)
    {
        return refuse(
            &app,
            (
                "invalid_client_metadata",
                "client_secret cannot be chosen".into(),
            ),
        );
    }
    if app.broken(Fault::DcrmMerges) {
        for (name, value) in &client.metadata {
            members.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    let mut next = match checked(&app, &members, !app.broken(Fault::DcrmUnvalidated)) {
        Ok(next) => next,
        Err(fail) => return refuse(&app, fail),
    };
    let keeps_secret = next.auth.starts_with("client_secret_");
    if keeps_secret != client.auth.starts_with("client_secret_") {
        return refuse(
            &app,
            (
                "invalid_client_metadata",
                "a client cannot become public or confidential".into(),
            ),
        );
    }
    next.id = renamed.unwrap_or(client.id);
    next.secret = client.secret;
    if app.broken(Fault::DcrmImmutable)
        && let Some(secret) = members.get("client_secret").and_then(Value::as_str)
    {
        next.secret = Some(secret.to_owned());
    }
    next.registration_token = client.registration_token;
    let answer = describe(&app, &next);
    app.db().clients.insert(next.id.clone(), next);
    http::secret_json(StatusCode::OK, &answer)
}

/// `DELETE`: the client and everything it was granted are gone.
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let client = match managed(&app, &headers, &id) {
        Ok(client) => client,
        Err(response) => return response,
    };
    let mut db = app.db();
    db.clients.remove(&client.id);
    if !app.broken(Fault::DcrmLeavesTokens) {
        for grant in db
            .grants
            .values_mut()
            .filter(|grant| grant.client == client.id)
        {
            grant.alive = false;
        }
    }
    drop(db);
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    http::set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}
