//! Client authentication at the endpoint, revocation and introspection endpoints (RFC 6749 §2.3, RFC 7523 §2.2).

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jose::{Alg, Jwks, Token};

use crate::{
    App, Fault, cimd, endpoint, fetch,
    http::{self, Params},
    state::{Client, now},
};

/// Signature algorithms taken in client assertions.
pub(crate) const ASSERTION_ALGS: &[Alg] = &[Alg::ES256, Alg::RS256, Alg::PS256, Alg::EdDSA];
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a client has shown.
enum Shown {
    Nothing,
    Secret {
        secret: String,
        method: &'static str,
    },
    Assertion(String),
}

/// The client a request comes from. `lenient`: a fault of the endpoint lets the secret be left out.
pub(crate) async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    params: &Params,
    lenient: bool,
) -> Result<Client, Response> {
    let bad_request = |what: &str| {
        Err(endpoint::fail(
            app,
            StatusCode::BAD_REQUEST,
            "invalid_request",
            what,
        ))
    };
    let Ok(authorization) = http::single(headers, header::AUTHORIZATION) else {
        return bad_request("more than one Authorization header");
    };
    let body_id = params.get("client_id");
    let mut basic = false;
    let (id, shown) = match authorization {
        Some(value) => {
            basic = true;
            let Some((id, secret)) = read_basic(app, value) else {
                return Err(refused(
                    app,
                    true,
                    "the Authorization header is not Basic credentials",
                ));
            };
            let twice =
                params.get("client_secret").is_some() || params.get("client_assertion").is_some();
            if twice && !app.broken(Fault::MultipleAuthAccepted) {
                return bad_request("more than one way of client authentication");
            }
            match body_id {
                Some(other) if other != id && !app.broken(Fault::AuthClientMismatch) => {
                    return bad_request("client_id is not the authenticated client");
                }
                _ => (
                    id,
                    Shown::Secret {
                        secret,
                        method: "client_secret_basic",
                    },
                ),
            }
        }
        None => match (params.get("client_assertion"), params.get("client_secret")) {
            (Some(_), Some(_)) => return bad_request("more than one way of client authentication"),
            (Some(assertion), None) => {
                if params.get("client_assertion_type") != Some(ASSERTION_TYPE) {
                    return bad_request("client_assertion_type is missing or unknown");
                }
                let subject = Token::parse(assertion)
                    .ok()
                    .and_then(|token| token.claim_str("sub").map(str::to_owned));
                let Some(id) = subject else {
                    return Err(refused(
                        app,
                        false,
                        "the client assertion is not a JWT with a sub",
                    ));
                };
                if body_id.is_some_and(|other| other != id) {
                    return bad_request("client_id is not the authenticated client");
                }
                (id, Shown::Assertion(assertion.to_owned()))
            }
            (None, secret) => {
                let Some(id) = body_id
                    .map(str::to_owned)
                    .or_else(|| client_of_code(app, params))
                    .or_else(|| client_of_refresh(app, params))
                else {
                    return bad_request("client_id is required");
                };
                match secret {
                    Some(secret) => (
                        id,
                        Shown::Secret {
                            secret: secret.to_owned(),
                            method: "client_secret_post",
                        },
                    ),
                    None if params.sent("client_secret") && app.broken(Fault::SecretEmpty) => (
                        id,
                        Shown::Secret {
                            secret: String::new(),
                            method: "client_secret_post",
                        },
                    ),
                    None => (id, Shown::Nothing),
                }
            }
        },
    };
    let known = app.db().clients.get(&id).cloned();
    let forgotten = cimd::is_url(&id) && app.broken(Fault::CimdTokenUnknown);
    let Some(client) = known.filter(|_| !forgotten) else {
        return Err(refused(app, basic, "unknown client"));
    };
    match shown {
        Shown::Nothing if client.is_public() || lenient || app.broken(Fault::SecretOmitted) => {}
        Shown::Nothing if cimd::is_url(&id) && app.broken(Fault::CimdAuthUnenforced) => {}
        Shown::Nothing => return Err(refused(app, basic, "the client must authenticate")),
        Shown::Secret { .. } if lenient => {}
        Shown::Secret { secret, method } => {
            if client.auth != method && !app.broken(Fault::DcrMethodUnenforced) {
                return Err(refused(
                    app,
                    basic,
                    "the client is not registered for this way of authentication",
                ));
            }
            if !secret_fits(app, &client, &secret) {
                return Err(refused(app, basic, "the client secret is wrong"));
            }
        }
        Shown::Assertion(assertion) => {
            if client.auth != "private_key_jwt" {
                return Err(refused(
                    app,
                    basic,
                    "the client is not registered for this way of authentication",
                ));
            }
            assertion_fits(app, &client, &assertion)
                .await
                .map_err(|what| refused(app, basic, what))?;
        }
    }
    // Only by fault does anything but the authenticated client count from here on.
    if app.broken(Fault::AuthClientMismatch)
        && let Some(other) = body_id.and_then(|id| app.db().clients.get(id).cloned())
    {
        return Ok(other);
    }
    Ok(client)
}

/// `invalid_client`: with a challenge when the client tried the Authorization header (RFC 6749 §5.2).
fn refused(app: &App, basic: bool, what: &str) -> Response {
    let challenge = basic && !app.broken(Fault::BasicWithoutChallenge);
    let status = if challenge {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::BAD_REQUEST
    };
    let mut response = endpoint::fail(app, status, "invalid_client", what);
    if challenge {
        http::set(
            &mut response,
            header::WWW_AUTHENTICATE,
            "Basic realm=\"oauth\", charset=\"UTF-8\"",
        );
    }
    response
}

/// Identifier and secret, each form-encoded before base64 (RFC 6749 §2.3.1).
fn read_basic(app: &App, value: &str) -> Option<(String, String)> {
    let (scheme, rest) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |part: &str| {
        if app.broken(Fault::BasicNotDecoded) {
            return Some(part.to_owned());
        }
        String::from_utf8(wire::form::decode_component(part.as_bytes())).ok()
    };
    Some((decode(id)?, decode(secret)?))
}

fn client_of_code(app: &App, params: &Params) -> Option<String> {
    let code = params
        .get("code")
        .filter(|_| app.broken(Fault::ClientIdOptional))?;
    app.db().codes.get(code).map(|code| code.client.clone())
}

fn client_of_refresh(app: &App, params: &Params) -> Option<String> {
    let asked = params
        .get("refresh_token")
        .filter(|_| app.broken(Fault::RefreshClientGuessed))?;
    let db = app.db();
    db.refresh.get(asked).map(|refresh| refresh.client.clone())
}

fn secret_fits(app: &App, client: &Client, given: &str) -> bool {
    let Some(own) = client.secret.as_deref() else {
        return false;
    };
    let (a, b) = (jose::sha256(own.as_bytes()), jose::sha256(given.as_bytes()));
    // Digests compare in a time that says nothing about the secret.
    a == b
        || app.broken(Fault::SecretUnchecked)
        || (app.broken(Fault::SecretEmpty) && given.is_empty())
        || (app.broken(Fault::SecretPrefix)
            && !given.is_empty()
            && (own.starts_with(given) || given.starts_with(own)))
        || (app.broken(Fault::SecretAnyClient)
            && app
                .db()
                .clients
                .values()
                .any(|other| other.secret.as_deref() == Some(given)))
}

/// The keys of a client, as registered or fetched from where they are.
pub(crate) async fn keys(app: &App, client: &Client) -> Result<Jwks, &'static str> {
    let document = match (&client.jwks, &client.jwks_uri) {
        (Some(jwks), _) => jwks.clone(),
        (None, Some(uri)) => {
            let body = fetch::registered(app, uri).await?;
            serde_json::from_slice(&body).map_err(|_| "jwks_uri does not give JSON")?
        }
        (None, None) => return Err("the client has no keys"),
    };
    Jwks::from_json(&document).map_err(|_| "the client's key set is malformed")
}

/// RFC 7523 §3.
async fn assertion_fits(app: &App, client: &Client, assertion: &str) -> Result<(), &'static str> {
    let token = Token::parse(assertion).map_err(|_| "the client assertion is not a JWT")?;
    let jwks = keys(app, client).await?;
    token
        .verify(&jwks, ASSERTION_ALGS)
        .map_err(|_| "the client assertion's signature is wrong")?;
    if token.claim_str("iss") != Some(&client.id) || token.claim_str("sub") != Some(&client.id) {
        return Err("iss and sub of the client assertion must be the client");
    }
    let us = [app.issuer.clone(), app.url(app.face.paths.token)];
    let audience = match token.claims.get("aud") {
        Some(serde_json::Value::String(one)) => us.contains(one),
        Some(serde_json::Value::Array(several)) => several.iter().any(|one| {
            one.as_str()
                .is_some_and(|one| us.iter().any(|own| own == one))
        }),
        _ => false,
    };
    if !audience {
        return Err("the client assertion is for another server");
    }
    let Some(expires) = token
        .claims
        .get("exp")
        .and_then(serde_json::Value::as_u64)
        .filter(|exp| *exp > now() && *exp < now() + 3600)
    else {
        return Err("the client assertion has expired, or lives too long");
    };
    let Some(id) = token.claim_str("jti") else {
        return Err("the client assertion has no jti");
    };
    match app
        .db()
        .assertions
        .insert(format!("{} {id}", client.id), expires)
    {
        None => Ok(()),
        Some(_) => Err("the client assertion has been used before"),
    }
}
