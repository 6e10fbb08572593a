//! What a resource server alone makes of a token of the issuer it trusts (RFC 9068 §4). It knows no grants: the token says everything.

use jose::{Alg, Jwks, Token, base64url_decode};
use serde_json::{Map, Value};

use crate::{
    AloneFault, App,
    bearer::{self, Bearer},
    fetch,
    state::now,
};

/// Judges a token at the resource server with identifier `id`. `None`: `invalid_token`.
pub(crate) async fn judge(app: &App, id: &str, text: &str) -> Option<Bearer> {
    let inner = nested(text).filter(|_| app.broken(AloneFault::Nested));
    let text = inner.as_deref().unwrap_or(text);
    let token = Token::parse(text).ok()?;
    let fits = authentic(app, text, &token).await
        && type_fits(app, &token)
        && issuer_fits(app, token.claims.get("iss"))
        && audience_fits(app, id, &token.claims)
        && times_fit(app, &token.claims);
    if !fits {
        return None;
    }
    token.claim_str("jti")?;
    Some(Bearer {
        sub: token.claim_str("sub")?.to_owned(),
        scopes: bearer::scopes(&token),
        ..Bearer::default()
    })
}

/// The token that is another one's payload (RFC 7519 §5.2).
fn nested(text: &str) -> Option<String> {
    let payload = base64url_decode(text.split('.').nth(1)?)?;
    String::from_utf8(payload)
        .ok()
        .filter(|inner| Token::parse(inner).is_ok())
}

async fn authentic(app: &App, text: &str, token: &Token) -> bool {
    let mut stripped = token.clone();
    if app.broken(AloneFault::CritIgnored) {
        stripped.header.remove("crit");
    }
    match &app.trust {
        None => bearer::authentic(app, text, &stripped).await,
        Some(issuer) => match keys(issuer).await {
            Some(jwks) => stripped.verify(&jwks, Alg::ALL).is_ok(),
            None => false,
        },
    }
}

/// The trusted issuer's keys, where its metadata says they are. Nothing is kept: tests come and go.
async fn keys(issuer: &str) -> Option<Jwks> {
    let read = async |url: &str| -> Option<Value> {
        serde_json::from_slice(&fetch::carelessly(url).await.ok()?).ok()
    };
    let place = wire::metadata::well_known(issuer, "oauth-authorization-server")?;
    let metadata = read(&place).await?;
    if metadata.get("issuer").and_then(Value::as_str) != Some(issuer) {
        return None;
    }
    let jwks = read(metadata.get("jwks_uri")?.as_str()?).await?;
    Jwks::from_json(&jwks).ok()
}

fn type_fits(app: &App, token: &Token) -> bool {
    let typ = token.header.get("typ");
    let name = typ
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_ascii_lowercase();
    matches!(name.as_str(), "at+jwt" | "application/at+jwt")
        || app.broken(AloneFault::TypAny)
        || (typ.is_none() && app.broken(AloneFault::TypMissing))
        || (name == "jwt" && app.broken(AloneFault::TypJwt))
}

fn issuer_fits(app: &App, iss: Option<&Value>) -> bool {
    let trusted = app.issuer.as_str();
    let exact = |value: &Value| value.as_str() == Some(trusted);
    match iss {
        None => app.broken(AloneFault::IssMissing) || app.broken(AloneFault::IssAny),
        Some(_) if app.broken(AloneFault::IssAny) => true,
        Some(Value::Array(several)) => {
            app.broken(AloneFault::IssArray) && several.iter().any(exact)
        }
        Some(Value::String(one)) => {
            one == trusted
                || (app.broken(AloneFault::IssExtended) && one.starts_with(trusted))
                || (app.broken(AloneFault::IssSlash) && one.trim_end_matches('/') == trusted)
        }
        Some(_) => false,
    }
}

fn audience_fits(app: &App, id: &str, claims: &Map<String, Value>) -> bool {
    let one = |entry: &Value| {
        entry.as_str().is_some_and(|entry| {
            entry == id || (app.broken(AloneFault::AudExtended) && entry.starts_with(id))
        })
    };
    let client = app.broken(AloneFault::AudClient)
        && claims.get("aud").is_some()
        && claims.get("aud") == claims.get("client_id");
    app.broken(AloneFault::AudAny)
        || client
        || match claims.get("aud") {
            None => app.broken(AloneFault::AudMissing),
            Some(Value::Array(several)) if several.is_empty() => app.broken(AloneFault::AudEmpty),
            Some(Value::Array(several)) => several.iter().any(one),
            Some(entry) => one(entry),
        }
}

/// `exp` must be there and lie ahead; `nbf`, where it is, must not (RFC 7519 §4.1.4, §4.1.5). Numbers only.
fn times_fit(app: &App, claims: &Map<String, Value>) -> bool {
    let now = now() as f64;
    let exp = match claims.get("exp") {
        None => app.broken(AloneFault::ExpMissing),
        Some(Value::Null) => app.broken(AloneFault::ExpNull),
        Some(Value::String(_)) => app.broken(AloneFault::ExpText),
        Some(Value::Array(several)) => {
            let last = several.last().and_then(Value::as_f64);
            app.broken(AloneFault::ExpArray) && last.is_some_and(|last| last > now)
        }
        Some(value) => value
            .as_f64()
            .is_some_and(|exp| exp > now || app.broken(AloneFault::ExpIgnored)),
    };
    let nbf = match claims.get("nbf") {
        None => true,
        Some(_) if app.broken(AloneFault::NbfIgnored) => true,
        Some(Value::String(_)) => app.broken(AloneFault::NbfText),
        Some(value) => value.as_f64().is_some_and(|nbf| nbf <= now),
    };
    exp && nbf
}
