//! Signed request objects (RFC 9101), by value: only what the client has signed counts.

use jose::{Alg, Jwk, Jwks, Token};
use serde_json::Value;

use crate::{
    App, Fault,
    client_auth::{self, ASSERTION_ALGS},
    fetch,
    http::Params,
    state::now,
};

/// Claims that are about the object itself, not parameters of the request (RFC 9101 §4).
const OWN: &[&str] = &["iss", "aud", "exp", "iat", "nbf", "jti", "sub"];

/// The parameters of a request: those of its request object, when it has one.
///
/// # Errors
/// Why the object cannot be believed.
pub(crate) async fn open(app: &App, outside: Params) -> Result<Params, &'static str> {
    if !app.face.speaks_jar() {
        return Ok(outside);
    }
    if let Some(uri) = outside.get("request_uri") {
        if app.broken(Fault::JarRequestUriFetched) {
            let _answer = fetch::carelessly(uri).await;
        }
        if outside.get("request").is_some() {
            return Err("request and request_uri exclude each other");
        }
    }
    let Some(object) = outside.get("request") else {
        return Ok(outside);
    };
    let id = outside.get("client_id").unwrap_or_default();
    let client = app.db().clients.get(id).cloned();
    let client = client.ok_or("the client is not known")?;
    let token = Token::parse(object).map_err(|_| "it is not a JWT")?;
    let keys = client_auth::keys(app, &client).await?;
    if !genuine(app, &token, &keys) {
        return Err("its signature is wrong");
    }
    let claimed = token.claim_str("client_id");
    if claimed != Some(id) && !app.broken(Fault::JarClientUnchecked) {
        return Err("its client_id is not that of the request");
    }
    if ["request", "request_uri"]
        .iter()
        .any(|name| token.claims.contains_key(*name))
    {
        return Err("it has another request in it");
    }
    if !app.broken(Fault::JarClaimsUnchecked) {
        timely(&token)?;
        addressed(app, &token)?;
    }
    let mut params = inside(&token);
    if app.broken(Fault::JarMerged) {
        let beside = outside.without(&["request", "client_id"]);
        let names: Vec<&str> = beside.pairs().iter().map(|pair| pair.0.as_str()).collect();
        params = params.without(&names);
        params.extend(beside.clone());
    }
    Ok(params)
}

/// RFC 9101 §6.2: signed with a key of the client, by an algorithm that is allowed.
fn genuine(app: &App, token: &Token, keys: &Jwks) -> bool {
    let name = token.header_str("alg").unwrap_or_default();
    if app.broken(Fault::JarUnverified) || (app.broken(Fault::JarAlgNone) && name == "none") {
        return true;
    }
    if app.broken(Fault::JarEmbeddedKey)
        && let Some(key) = token.header.get("jwk").and_then(Jwk::from_json)
        && let Some(alg) = Alg::parse(name)
    {
        return key
            .verify(alg, token.signing_input.as_bytes(), &token.signature)
            .is_ok();
    }
    token.verify(keys, ASSERTION_ALGS).is_ok()
}

/// RFC 7519 §4.1.4, §4.1.5.
fn timely(token: &Token) -> Result<(), &'static str> {
    let time = |name: &str| match token.claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or("a time in it is no number"),
    };
    // Seconds since the epoch are far from where doubles lose whole numbers.
    let now = now() as f64;
    if time("exp")?.is_some_and(|exp| exp <= now) {
        return Err("it has expired");
    }
    if time("nbf")?.is_some_and(|nbf| nbf > now + 5.0) {
        return Err("it is not valid yet");
    }
    Ok(())
}

/// RFC 7519 §4.1.3.
fn addressed(app: &App, token: &Token) -> Result<(), &'static str> {
    let us = |value: &Value| value.as_str() == Some(&app.issuer);
    match token.claims.get("aud") {
        None => Ok(()),
        Some(Value::Array(several)) if several.iter().any(us) => Ok(()),
        Some(one) if us(one) => Ok(()),
        Some(_) => Err("it is for another server"),
    }
}

/// The claims as parameters: structures as JSON text, several resources as several parameters.
fn inside(token: &Token) -> Params {
    let mut params = Params::default();
    for (name, value) in &token.claims {
        match value {
            _ if OWN.contains(&name.as_str()) => {}
            Value::String(text) => params.push(name, text),
            Value::Array(several) if name == "resource" => {
                for one in several.iter().filter_map(Value::as_str) {
                    params.push(name, one);
                }
            }
            other => params.push(name, &other.to_string()),
        }
    }
    params
}
