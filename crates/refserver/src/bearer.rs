//! What a resource server makes of an access token: JWT or opaque, the audience decides where it may be used.

use jose::{Alg, Jwk, Jwks, Token, base64url_decode};
use serde_json::Value;

use crate::{
    App, Fault, HightopFault, alone, fetch, issue,
    state::{Db, now},
};

/// Whose token it is and what it may do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bearer {
    /// The grant it came out of, where that is known.
    pub grant: Option<u64>,
    pub sub: String,
    pub scopes: Vec<String>,
    pub details: Vec<Value>,
    /// What the grant's agent may not do.
    pub barred: &'static [&'static str],
    /// The thumbprint of the key the token is bound to.
    pub jkt: Option<String>,
}

/// What the agent of a grant may not do.
fn barred(app: &App, db: &Db, grant: u64) -> &'static [&'static str] {
    let agent = db
        .grants
        .get(&grant)
        .and_then(|grant| grant.agent.as_deref());
    let agent = agent.and_then(|id| app.agent(id));
    agent
        .filter(|_| !app.broken(HightopFault::PolicyIgnored))
        .map_or(&[], |agent| agent.barred)
}

/// Judges a token at the resource server `name` with identifier `id`. `None`: `invalid_token`.
pub(crate) async fn judge(app: &App, name: &str, id: &str, token: &str) -> Option<Bearer> {
    if app.broken(Fault::RsAnyToken) || (app.broken(Fault::RsEmptyToken) && token.is_empty()) {
        return Some(everything(app));
    }
    if app.face.rules.alone {
        return alone::judge(app, id, token).await;
    }
    if token.matches('.').count() >= 1 {
        jwt(app, name, id, token).await
    } else {
        opaque(app, name, id, token)
    }
}

fn everything(app: &App) -> Bearer {
    Bearer {
        scopes: app
            .face
            .scopes
            .iter()
            .map(|(scope, _)| (*scope).to_owned())
            .collect(),
        details: (app.face.details.iter())
            .map(|kind| serde_json::json!({"type": kind.name}))
            .collect(),
        ..Bearer::default()
    }
}

fn audience_fits(app: &App, name: &str, id: &str, audience: &[String]) -> bool {
    audience.iter().any(|own| own == id)
        || (name == "a" && app.broken(Fault::RsAudienceA))
        || (name == "b" && app.broken(Fault::RsAudienceB))
        || (audience.is_empty() && app.broken(Fault::AudienceMissing))
        || (app.broken(Fault::ResourceSpelling)
            && audience.iter().any(|own| own.trim_end_matches('/') == id))
}

fn opaque(app: &App, name: &str, id: &str, token: &str) -> Option<Bearer> {
    let db = app.db();
    if app.broken(Fault::RsRefreshToken)
        && let Some(refresh) = db.refresh.get(token).filter(|refresh| !refresh.revoked)
    {
        return Some(Bearer {
            scopes: refresh.scopes.clone(),
            ..Bearer::default()
        });
    }
    let near = |known: &str| {
        (app.broken(Fault::RsTokenTail) && token.starts_with(known))
            || (app.broken(Fault::RsTokenPrefix)
                && known.get(..12).is_some_and(|head| token.starts_with(head)))
    };
    let access = db
        .access
        .get(token)
        .or_else(|| {
            db.access
                .iter()
                .find(|(known, access)| !access.jwt && near(known))
                .map(|(_, access)| access)
        })
        .filter(|access| !access.jwt)?;
    let alive = (!access.revoked && db.grant_alive(access.grant)) || app.broken(Fault::RsRevoked);
    let fresh = access.expires > now() || app.broken(Fault::RsExpired);
    (alive && fresh && audience_fits(app, name, id, &access.audience)).then(|| Bearer {
        grant: Some(access.grant),
        sub: access.sub.clone(),
        scopes: access.scopes.clone(),
        details: access.details.clone(),
        barred: barred(app, &db, access.grant),
        jkt: access.jkt.clone(),
    })
}

/// What a JWT says it may do (RFC 9068 §2.2.3).
pub(crate) fn scopes(token: &Token) -> Vec<String> {
    let scope = token.claim_str("scope").unwrap_or_default();
    scope.split(' ').map(str::to_owned).collect()
}

/// RFC 9068 §4.
async fn jwt(app: &App, name: &str, id: &str, text: &str) -> Option<Bearer> {
    let unsigned = format!("{text}.");
    let text = if app.broken(Fault::RsSignatureStripped) && text.matches('.').count() == 1 {
        &unsigned
    } else {
        text
    };
    let token = Token::parse(text).ok()?;
    if !authentic(app, text, &token).await {
        let jti = token
            .claim_str("jti")
            .filter(|_| app.broken(Fault::RsFragile));
        if let Some(jti) = jti
            && let Some(access) = app.db().access.get_mut(jti)
        {
            access.revoked = true;
        }
        return None;
    }
    let claims = &token.claims;
    let typ = token
        .header_str("typ")
        .unwrap_or_default()
        .to_ascii_lowercase();
    if app.broken(Fault::RsIdToken) && typ == "jwt" {
        return Some(Bearer {
            sub: token.claim_str("sub").unwrap_or_default().to_owned(),
            ..everything(app)
        });
    }
    let access_type = matches!(typ.as_str(), "at+jwt" | "application/at+jwt")
        || (app.broken(Fault::JwtTyp) && typ == "jwt");
    // A signature that is not checked, or that the token itself vouches for, says nothing about typ either.
    if !access_type && !app.broken(Fault::RsSignature) {
        return None;
    }
    if token.claim_str("iss") != Some(&app.issuer) && !app.broken(Fault::RsIssuerTrusted) {
        return None;
    }
    let expires = match claims.get("exp")? {
        Value::String(text) if app.broken(Fault::JwtTimesText) => text.parse().ok()?,
        value => value.as_f64()?,
    };
    if expires <= now() as f64 && !app.broken(Fault::RsExpired) {
        return None;
    }
    let texts = |value: Option<&Value>| match value {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(several)) => several
            .iter()
            .filter_map(|one| one.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    };
    if !audience_fits(app, name, id, &texts(claims.get("aud"))) {
        return None;
    }
    let jti = token.claim_str("jti")?;
    if !alive(app, &app.db(), jti) {
        return None;
    }
    let grant = app.db().access.get(jti).map(|access| access.grant);
    Some(Bearer {
        grant,
        sub: token.claim_str("sub")?.to_owned(),
        scopes: scopes(&token),
        details: claims
            .get("authorization_details")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_else(|| hidden_details(app, &token)),
        barred: grant.map_or(&[], |grant| barred(app, &app.db(), grant)),
        jkt: claims
            .get("cnf")
            .and_then(|cnf| cnf.get("jkt")?.as_str())
            .map(str::to_owned),
    })
}

/// Grant status: a revoked token is refused at once, however long it was meant to live.
fn alive(app: &App, db: &Db, jti: &str) -> bool {
    app.broken(Fault::RsRevoked)
        || db
            .access
            .get(jti)
            .is_some_and(|access| access.jwt && !access.revoked && db.grant_alive(access.grant))
}

/// Where a fault keeps the details out of the token, the resource server still knows them.
fn hidden_details(app: &App, token: &Token) -> Vec<Value> {
    let jti = token
        .claim_str("jti")
        .filter(|_| app.broken(Fault::RarHidden))
        .unwrap_or_default();
    app.db()
        .access
        .get(jti)
        .map(|access| access.details.clone())
        .unwrap_or_default()
}

/// Whether the issuer has signed this: ES256 with its own key, found by `kid`, no extension (RFC 8725 §3.1, §3.2).
pub(crate) async fn authentic(app: &App, text: &str, token: &Token) -> bool {
    let strict = match issue::weak_secret(app) {
        Some(secret) => jose::verify_hs256(text, secret).is_ok(),
        None => token.header.contains_key("kid") && token.verify(&app.jwks, &[Alg::ES256]).is_ok(),
    };
    strict || by_fault(app, text, token).await
}

async fn by_fault(app: &App, text: &str, token: &Token) -> bool {
    let alg = token.header_str("alg").unwrap_or_default();
    let own = || app.jwks.keys().first();
    if app.broken(Fault::RsSignature) {
        return true;
    }
    if token.signature.is_empty()
        && (app.broken(Fault::RsSignatureEmpty) || app.broken(Fault::RsSignatureStripped))
        && !alg.eq_ignore_ascii_case("none")
    {
        return true;
    }
    if (app.broken(Fault::RsAlgNone) && alg == "none")
        || (app.broken(Fault::RsAlgNoneCased) && alg != "none" && alg.eq_ignore_ascii_case("none"))
    {
        return true;
    }
    let kid = token.header_str("kid").unwrap_or_default();
    let guessed = [
        app.broken(Fault::RsHs256Pem)
            .then(|| own().and_then(Jwk::to_pem))
            .flatten(),
        app.broken(Fault::RsHs256Jwk)
            .then(|| own().map(|key| key.to_json().to_string()))
            .flatten(),
        (app.broken(Fault::RsKidPath) && kid.ends_with("/dev/null")).then(String::new),
        app.broken(Fault::RsKidSql)
            .then(|| kid.split('\'').nth(2).map(str::to_owned))
            .flatten()
            .filter(|_| kid.contains("UNION SELECT")),
    ];
    if guessed
        .iter()
        .flatten()
        .any(|secret| jose::verify_hs256(text, secret.as_bytes()).is_ok())
    {
        return true;
    }
    if app.broken(Fault::RsKidOnly)
        && own().and_then(Jwk::kid) == Some(kid)
        && token.signature.len() == 64
        && alg == "ES256"
    {
        return true;
    }
    if app.broken(Fault::RsEmbeddedJwk)
        && let Some(key) = token.header.get("jwk").and_then(Jwk::from_json)
        && let Some(alg) = Alg::parse(alg)
    {
        return key
            .verify(alg, token.signing_input.as_bytes(), &token.signature)
            .is_ok();
    }
    if alg == "ES256" && degenerate(app, token) {
        return true;
    }
    fetched(app, token).await
}

/// The ways an ES256 signature can be no signature.
fn degenerate(app: &App, token: &Token) -> bool {
    let signature = token.signature.as_slice();
    let own = |signature: &[u8]| {
        app.jwks
            .find(token.header_str("kid"), Alg::ES256)
            .is_ok_and(|key| {
                key.verify(Alg::ES256, token.signing_input.as_bytes(), signature)
                    .is_ok()
            })
    };
    let order = base64url_decode("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE").unwrap_or_default();
    (app.broken(Fault::RsSignatureZero) && signature == [0; 64])
        || (app.broken(Fault::RsSignatureOrder) && signature == [order.as_slice(), &order].concat())
        || (app.broken(Fault::RsSignatureTrailing)
            && signature.len() > 64
            && signature.get(..64).is_some_and(own))
        || (app.broken(Fault::RsSignatureDer)
            && from_der(signature).is_some_and(|fixed| own(&fixed)))
}

/// r ‖ s out of a DER SEQUENCE of two INTEGERs.
fn from_der(signature: &[u8]) -> Option<Vec<u8>> {
    fn integer(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
        let (tag, rest) = bytes.split_first()?;
        let (length, rest) = rest.split_first()?;
        let (number, rest) = rest.split_at_checked(usize::from(*length))?;
        let digits: Vec<u8> = number
            .iter()
            .copied()
            .skip_while(|byte| *byte == 0)
            .collect();
        let padding = 32usize.checked_sub(digits.len())?;
        (*tag == 2).then(|| ([vec![0; padding], digits].concat(), rest))
    }
    let body = signature.strip_prefix(&[0x30])?.get(1..)?;
    let (r, rest) = integer(body)?;
    let (s, rest) = integer(rest)?;
    rest.is_empty().then(|| [r, s].concat())
}

/// Keys from wherever the token says.
async fn fetched(app: &App, token: &Token) -> bool {
    let mut urls = Vec::new();
    if app.broken(Fault::RsJku) {
        urls.extend(token.header_str("jku").map(str::to_owned));
    }
    if app.broken(Fault::RsX5u) {
        urls.extend(token.header_str("x5u").map(str::to_owned));
    }
    if app.broken(Fault::RsIssuerTrusted)
        && let Some(iss) = token.claim_str("iss").filter(|iss| *iss != app.issuer)
    {
        urls.push(format!(
            "{}/.well-known/jwks.json",
            iss.trim_end_matches('/')
        ));
    }
    for url in urls {
        let Ok(body) = fetch::carelessly(&url).await else {
            continue;
        };
        let jwks = serde_json::from_slice(&body)
            .ok()
            .and_then(|document: Value| Jwks::from_json(&document).ok());
        if jwks.is_some_and(|jwks| token.verify(&jwks, Alg::ALL).is_ok()) {
            return true;
        }
    }
    false
}
