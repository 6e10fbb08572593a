//! Making codes and tokens.

use jose::{base64url, random_token, sign_hs256};
use serde_json::{Map, Value, json};

use crate::{
    AgnicFault, App, Fault, HaspFault, HightopFault,
    authorize::Request,
    state::{Access, Client, Code, Db, Grant, Refresh, now, now_ms},
};

/// Bytes of randomness in every secret: 192 bits.
const ENTROPY: usize = 24;

/// A client identifier or similar name: no secret, but not a counter either.
pub(crate) fn identifier(prefix: &str) -> String {
    format!("{prefix}{}", random_token(12))
}

/// A ULID: 26 characters of Crockford's base 32, the first ten the time in milliseconds.
pub(crate) fn ulid() -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let digit = |value: u64| {
        let place = usize::try_from(value % 32).unwrap_or_default();
        DIGITS.get(place).map_or('0', |digit| char::from(*digit))
    };
    let time = (0..10).rev().map(|place| digit(now_ms() >> (5 * place)));
    let random = jose::sha256(random_token(ENTROPY).as_bytes());
    let chance = random.iter().take(16).map(|byte| digit(u64::from(*byte)));
    time.chain(chance).collect()
}

/// A one-time code as it comes by mail.
pub(crate) fn six_digits() -> String {
    let number = random_token(12)
        .bytes()
        .fold(0_u32, |sum, byte| (sum * 31 + u32::from(byte)) % 1_000_000);
    format!("{number:06}")
}

/// A secret of the usual strength.
pub(crate) fn secret(prefix: &str) -> String {
    format!("{prefix}{}", random_token(ENTROPY))
}

/// Opens the grant a user has just approved.
pub(crate) fn open_grant(app: &App, db: &mut Db, request: &Request, user: usize) -> u64 {
    let id = db.next_serial();
    let own = app
        .users
        .get(user)
        .map_or_else(String::new, |user| user.sub.clone());
    let resources = match () {
        () if app.broken(Fault::AudienceMissing) => Vec::new(),
        () if app.broken(Fault::AudienceAll) => app.resource_ids(),
        () => request.resources.clone(),
    };
    let grant = Grant {
        client: request.client.id.clone(),
        user: Some(user),
        sub: request.chosen.clone().unwrap_or(own),
        agent: request.agent.clone(),
        limits: request.limits.clone(),
        scopes: request.scopes.clone(),
        resources,
        details: request.details.clone(),
        nonce: request.nonce.clone(),
        alive: true,
        expires: now() + app.face.lifetimes.refresh,
    };
    db.grants.insert(id, grant);
    id
}

/// A code for the grant.
pub(crate) fn code(app: &App, db: &mut Db, grant: u64, request: &Request) -> String {
    let value = if app.broken(Fault::CodeGuessable) {
        format!("code-{:08}", db.next_serial())
    } else if app.broken(Fault::CodeShort) {
        random_token(4)
    } else if app.broken(Fault::CodeCarriesChallenge) {
        let challenge = request
            .challenge
            .as_ref()
            .map(|challenge| challenge.value.as_str());
        base64url(json!({"code_challenge": challenge, "nonce": random_token(ENTROPY)}).to_string())
    } else {
        secret(app.face.prefixes.code)
    };
    let life_ms = if request.client.brief {
        1000
    } else {
        app.face.lifetimes.code * 1000
    };
    let code = Code {
        grant,
        client: request.client.id.clone(),
        redirect_uri: request.redirect_uri.clone(),
        challenge: request.challenge.clone(),
        jkt: request.jkt.clone(),
        expires_ms: now_ms() + life_ms,
        used: false,
    };
    db.codes.insert(value.clone(), code);
    value
}

/// What an access token is for.
pub(crate) struct Rights {
    pub scopes: Vec<String>,
    pub audience: Vec<String>,
    pub details: Vec<Value>,
    /// Comes out of a refresh.
    pub refreshed: bool,
    /// The thumbprint of the key whose possession was proved.
    pub jkt: Option<String>,
}

/// An access token and its lifetime in seconds.
pub(crate) fn access(
    app: &App,
    db: &mut Db,
    id: u64,
    grant: &Grant,
    client: &Client,
    rights: Rights,
) -> (String, u64) {
    let life = match () {
        () if app.broken(Fault::AccessLongLived) => 30 * 86_400,
        () if client.brief => 2,
        () if app.broken(HaspFault::OneHour) => 3600,
        () if app.broken(AgnicFault::AccessShort) => 3600,
        () if app.broken(AgnicFault::AccessForCli) && client.name == "native" => 365 * 86_400,
        () if app.broken(AgnicFault::AccessAllAlike) => app.face.lifetimes.access,
        () => client.access.unwrap_or(app.face.lifetimes.access),
    };
    let issued = now();
    let jwt = (app.wants_jwt(&rights.audience) && !app.broken(HightopFault::OpaqueTokens))
        || (rights.audience.is_empty() && app.broken(Fault::AudienceMissing));
    let record = Access {
        grant: id,
        client: client.id.clone(),
        sub: grant.sub.clone(),
        scopes: rights.scopes,
        audience: rights.audience,
        details: rights.details,
        issued,
        expires: issued + life,
        revoked: false,
        jwt,
        jkt: rights.jkt.filter(|_| !app.broken(Fault::DpopUnbound)),
        refreshed: rights.refreshed,
    };
    let jti = secret(
        match app.broken(AgnicFault::AccessPrefix) || app.broken(HaspFault::PrefixMissing) {
            true => "",
            false => app.face.prefixes.access,
        },
    );
    let token = if jwt {
        jwt_access(app, &jti, &record)
    } else {
        jti.clone()
    };
    db.access.insert(jti, record);
    (token, life)
}

/// RFC 9068 §2.
fn jwt_access(app: &App, jti: &str, access: &Access) -> String {
    let mut claims = Map::new();
    claims.insert("iss".into(), app.issuer.clone().into());
    claims.insert("sub".into(), access.sub.clone().into());
    match access.audience.as_slice() {
        [] => {}
        [one] => drop(claims.insert("aud".into(), one.clone().into())),
        several => drop(claims.insert("aud".into(), several.into())),
    }
    if !app.broken(Fault::JwtClaimMissing) {
        claims.insert("client_id".into(), access.client.clone().into());
    }
    let scope = if app.broken(Fault::JwtScopeLies) {
        app.face
            .scopes
            .iter()
            .map(|(scope, _)| *scope)
            .collect::<Vec<_>>()
            .join(" ")
    } else {
        access.scopes.join(" ")
    };
    claims.insert("scope".into(), scope.into());
    for (name, time) in [("iat", access.issued), ("exp", access.expires)] {
        let value = if app.broken(Fault::JwtTimesText) {
            Value::String(time.to_string())
        } else {
            time.into()
        };
        claims.insert(name.into(), value);
    }
    claims.insert("jti".into(), jti.into());
    if let Some(jkt) = &access.jkt {
        claims.insert("cnf".into(), json!({"jkt": jkt}));
    }
    if !access.details.is_empty() && !app.broken(Fault::RarHidden) {
        claims.insert(
            "authorization_details".into(),
            access.details.clone().into(),
        );
    }
    let mut header = Map::new();
    header.insert(
        "typ".into(),
        if app.broken(Fault::JwtTyp) {
            "JWT"
        } else {
            "at+jwt"
        }
        .into(),
    );
    if let Some(weak) = weak_secret(app) {
        return sign_hs256(&header, &claims, weak);
    }
    app.key.sign(&header, &claims)
}

/// The secret access tokens are signed with, where a fault makes them symmetric.
pub(crate) fn weak_secret(app: &App) -> Option<&'static [u8]> {
    match () {
        () if app.broken(Fault::WeakSecret) => Some(b"secret"),
        () if app.broken(Fault::EmptySecret) => Some(b""),
        () => None,
    }
}

/// A refresh token.
pub(crate) fn refresh(
    app: &App,
    db: &mut Db,
    grant: u64,
    client: &Client,
    scopes: Vec<String>,
    refreshed: bool,
    jkt: Option<&str>,
) -> String {
    let value = if app.broken(Fault::RefreshGuessable) {
        format!("refresh-{:08}", db.next_serial())
    } else {
        secret(match app.broken(AgnicFault::RefreshPrefix) {
            true => "",
            false => app.face.prefixes.refresh,
        })
    };
    let record = Refresh {
        grant,
        client: client.id.clone(),
        scopes,
        // A confidential client authenticates with every refresh: that binds enough.
        jkt: jkt.filter(|_| client.is_public()).map(str::to_owned),
        consumed: false,
        revoked: false,
        refreshed,
        expires: now() + app.face.lifetimes.refresh,
    };
    db.refresh.insert(value.clone(), record);
    value
}

/// An ID token (OpenID Connect Core §2): here so that it can be tried where an access token belongs.
pub(crate) fn id_token(app: &App, grant: &Grant, client: &Client) -> String {
    let issued = now();
    let mut claims = Map::new();
    claims.insert("iss".into(), app.issuer.clone().into());
    claims.insert("sub".into(), grant.sub.clone().into());
    claims.insert("aud".into(), client.id.clone().into());
    claims.insert("iat".into(), issued.into());
    claims.insert("exp".into(), (issued + app.face.lifetimes.access).into());
    if let Some(nonce) = &grant.nonce {
        claims.insert("nonce".into(), nonce.clone().into());
    }
    let mut header = Map::new();
    header.insert("typ".into(), "JWT".into());
    app.key.sign(&header, &claims)
}

/// The first tokens of a user's grant: access token, refresh token, ID token when asked for.
pub(crate) fn first_answer(
    app: &App,
    db: &mut Db,
    id: u64,
    grant: &Grant,
    client: &Client,
    rights: Rights,
) -> Map<String, Value> {
    let jkt = rights.jkt.clone();
    let mut body = access_answer(app, db, id, grant, client, rights);
    if client.may("refresh_token")
        && app.face.rules.refresh_tokens
        && !app.broken(HightopFault::RefreshMissing)
    {
        let scopes = grant.scopes.clone();
        let next = refresh(app, db, id, client, scopes, false, jkt.as_deref());
        body.insert("refresh_token".into(), next.into());
    }
    if grant.scopes.iter().any(|scope| scope == "openid") {
        body.insert("id_token".into(), id_token(app, grant, client).into());
    }
    body
}

/// RFC 6749 §5.1, with the members of RFC 9396 §7.
pub(crate) fn access_answer(
    app: &App,
    db: &mut Db,
    id: u64,
    grant: &Grant,
    client: &Client,
    rights: Rights,
) -> Map<String, Value> {
    db.prune();
    let scope = rights.scopes.join(" ");
    let details = rights.details.clone();
    let bound = rights.jkt.is_some();
    let (token, life) = access(app, db, id, grant, client, rights);
    let mut body = Map::new();
    body.insert("access_token".into(), token.into());
    if !app.broken(Fault::TokenTypeMissing) {
        let kind = if bound { "DPoP" } else { "Bearer" };
        body.insert("token_type".into(), kind.into());
    }
    body.insert(
        "expires_in".into(),
        if app.broken(Fault::ExpiresInText) {
            Value::String(life.to_string())
        } else {
            life.into()
        },
    );
    if !app.broken(Fault::ScopeUnreported) && !app.face.scopes.is_empty() {
        body.insert("scope".into(), scope.into());
    }
    if !details.is_empty() && app.face.rules.details_returned && !app.broken(Fault::RarNotReturned)
    {
        body.insert("authorization_details".into(), details.into());
    }
    body
}
