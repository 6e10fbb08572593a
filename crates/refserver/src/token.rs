//! The token endpoint (RFC 6749 §3.2): what it reads, who asks, and which grant answers.

use std::sync::Arc;

use axum::{
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::Response,
};
use serde_json::Value;

use crate::{
    AgnicFault, App, Fault, client_auth, code, device, direct, dpop,
    endpoint::{Sent, fail, read_form},
    http::{self, Params},
    refresh,
    state::Client,
};

/// What was posted: a form, or JSON where a face takes that.
pub(crate) fn read(app: &App, sent: &Sent<'_>) -> Result<Params, Response> {
    let mut params = if app.face.rules.token_json {
        read_json(app, sent)?
    } else {
        read_form(app, sent)?
    };
    if app.broken(Fault::TokenFromQuery) {
        params.extend(Params::parse(sent.query.as_bytes()).unwrap_or_default());
    }
    Ok(params)
}

/// [`read_form`] where the body is a JSON object.
fn read_json(app: &App, sent: &Sent<'_>) -> Result<Params, Response> {
    let Sent { headers, body, .. } = *sent;
    let bad = |what: &str| Err(fail(app, StatusCode::BAD_REQUEST, "invalid_request", what));
    let charset = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value != "application/json");
    if !http::is_json(headers) || (charset && app.broken(AgnicFault::JsonCharset)) {
        return bad("the body must be application/json");
    }
    match Params::from_json(body) {
        Some(params)
            if app.broken(AgnicFault::JsonForCodesOnly)
                && params.get("grant_type") == Some("refresh_token") =>
        {
            bad("a refresh token must come in a form")
        }
        Some(params) => Ok(params),
        None => bad("the body is not a JSON object, or repeats a name"),
    }
}

/// The client that a refresh token was issued to, where a face lets the token speak for it. `None`: the client must say who it is.
fn client_of_refresh(app: &App, headers: &HeaderMap, params: &Params) -> Option<Client> {
    let alone = params.get("grant_type") == Some("refresh_token")
        && !["client_id", "client_secret", "client_assertion"]
            .iter()
            .any(|name| params.get(name).is_some())
        && !headers.contains_key(header::AUTHORIZATION);
    if !app.face.rules.refresh_without_client
        || app.broken(AgnicFault::RefreshNeedsClient)
        || !alone
    {
        return None;
    }
    let db = app.db();
    let owner = params
        .get("refresh_token")
        .and_then(|token| db.refresh.get(token))
        .and_then(|refresh| db.clients.get(&refresh.client));
    // A made-up token belongs to nobody; it is refused as a grant, not as a client.
    let nobody = || Client {
        auth: "none".to_owned(),
        grant_types: vec!["refresh_token".to_owned()],
        ..Client::default()
    };
    Some(owner.cloned().unwrap_or_else(nobody)).filter(Client::is_public)
}

const KNOWN: &[&str] = &[
    "grant_type",
    "code",
    "redirect_uri",
    "client_id",
    "client_secret",
    "code_verifier",
    "refresh_token",
    "scope",
    "resource",
    "authorization_details",
    "client_assertion",
    "client_assertion_type",
    "device_code",
];

/// Answers a request for a token.
pub(crate) async fn handle(app: Arc<App>, headers: HeaderMap, params: Params) -> Response {
    let (app, headers, params) = (&*app, &headers, &params);
    if app.broken(Fault::TokenUnknownRefused)
        && params
            .pairs()
            .iter()
            .any(|(name, _)| !KNOWN.contains(&name.as_str()))
    {
        return fail(
            app,
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "unknown parameter",
        );
    }
    let mut grant_type = params.get("grant_type").map(str::to_owned);
    if app.broken(Fault::GrantTypeCase) {
        grant_type = grant_type.map(|kind| kind.to_ascii_lowercase());
    }
    if app.broken(Fault::GrantTypeGuessed) && params.get("code").is_some() {
        grant_type = grant_type.or(Some("authorization_code".into()));
    }
    let lenient =
        app.broken(Fault::RefreshSecretUnchecked) && grant_type.as_deref() == Some("refresh_token");
    let client = match client_of_refresh(app, headers, params) {
        Some(client) => client,
        None => match client_auth::authenticate(app, headers, params, lenient).await {
            Ok(client) => client,
            Err(response) => return response,
        },
    };
    let key = match proved(app, headers) {
        Ok(key) => key,
        Err(response) => return response,
    };
    let jkt = key.as_deref();
    let registered = |kind: &str| {
        if client.may(kind) || app.broken(Fault::DcrGrantUnenforced) {
            Ok(())
        } else {
            Err((
                "unauthorized_client",
                "the client is not registered for this grant type",
            ))
        }
    };
    let outcome = match grant_type.as_deref() {
        None => Err(("invalid_request", "grant_type is required")),
        Some(kind @ "authorization_code") => match registered(kind) {
            Ok(()) => code::by_code(app, &client, params, jkt).await,
            Err(fail) => Err(fail),
        },
        Some(kind @ "refresh_token") => match registered(kind) {
            Ok(()) => refresh::by_refresh(app, &client, params, jkt).await,
            Err(fail) => Err(fail),
        },
        Some(kind @ "client_credentials") => match registered(kind) {
            Ok(()) if !client.is_public() => direct::by_client(app, &client, params, jkt),
            _ if client.is_public() && app.broken(Fault::PublicClientCredentials) => {
                direct::by_client(app, &client, params, jkt)
            }
            Ok(()) => Err((
                "unauthorized_client",
                "a public client cannot act for itself",
            )),
            Err(fail) => Err(fail),
        },
        Some(kind @ device::GRANT_TYPE) if app.face.device.is_some() => match registered(kind) {
            Ok(()) => device::by_device_code(app, &client, params, jkt),
            Err(fail) => Err(fail),
        },
        Some("password") if app.broken(Fault::PasswordGrant) => {
            direct::by_password(app, &client, params)
        }
        Some(_) => Err(("unsupported_grant_type", "this grant type is not supported")),
    };
    match outcome {
        Ok(body) => {
            let body = Value::Object(body);
            if app.broken(Fault::TokenCacheable) {
                http::json_response(StatusCode::OK, &body)
            } else {
                http::secret_json(StatusCode::OK, &body)
            }
        }
        Err((error, description)) => {
            let pending = error == "authorization_pending" && app.broken(Fault::DevicePending200);
            let status = match error {
                _ if pending => StatusCode::OK,
                "invalid_grant" if app.broken(AgnicFault::InvalidGrant401) => {
                    StatusCode::UNAUTHORIZED
                }
                _ => StatusCode::BAD_REQUEST,
            };
            fail(app, status, error, description)
        }
    }
}

/// The key that a DPoP proof at the token endpoint shows (RFC 9449 §5).
fn proved(app: &App, headers: &HeaderMap) -> Result<Option<String>, Response> {
    if !app.face.dpop {
        return Ok(None);
    }
    let request = dpop::Request {
        method: "POST",
        url: &app.url(app.face.paths.token),
        token: None,
        server: "as",
    };
    let bad = |error, what| fail(app, StatusCode::BAD_REQUEST, error, what);
    match dpop::check(app, headers, &request) {
        Ok(key) => Ok(key),
        Err(dpop::Problem::Invalid(what)) => Err(bad("invalid_dpop_proof", what)),
        Err(dpop::Problem::Nonce) => {
            let mut response = bad("use_dpop_nonce", "the proof needs the nonce of this answer");
            let nonce = dpop::nonce(app, "as", 0);
            http::set(
                &mut response,
                HeaderName::from_static(dpop::NONCE_HEADER),
                &nonce,
            );
            Err(response)
        }
    }
}
