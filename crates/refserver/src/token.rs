//! The token endpoint (RFC 6749 §3.2): codes, refresh tokens and client credentials for access tokens.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::Response,
};
use serde_json::{Map, Value, json};

use crate::{
    AgnicFault, App, Fault, HightopFault, client_auth, device, dpop,
    http::{self, Params},
    issue::{self, Rights},
    pkce, rar, refresh,
    rights::{read_resources, read_scopes},
    state::{Client, Code, Db, Grant, now, now_ms},
};

/// An error code and its description.
pub(crate) type Fail = (&'static str, &'static str);

/// How long a fault looks away between checking and marking.
pub(crate) const RACE_WINDOW: Duration = Duration::from_millis(50);

/// An error answer of an endpoint for clients (RFC 6749 §5.2).
pub(crate) fn fail(app: &App, status: StatusCode, error: &str, description: &str) -> Response {
    let status = if app.broken(Fault::TokenErrors200) {
        StatusCode::OK
    } else {
        status
    };
    if app.broken(Fault::StackTrace) {
        let trace = "Traceback (most recent call last):\n  File \"/srv/app/oauth/token.py\", line 212, in post\n    raise GrantError(code)";
        return http::secret_json(
            status,
            &json!({"error": error, "error_description": description, "stack": trace}),
        );
    }
    http::oauth_error(status, error, description)
}

/// The body of a request for clients, checked for form and repeats.
pub(crate) fn read_form(app: &App, headers: &HeaderMap, body: &[u8]) -> Result<Params, Response> {
    let bad = |what: &str| Err(fail(app, StatusCode::BAD_REQUEST, "invalid_request", what));
    if !http::is_form(headers) && !app.broken(Fault::TokenContentType) {
        return bad("the body must be application/x-www-form-urlencoded");
    }
    if app.broken(Fault::TokenCharsetRefused)
        && headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value != "application/x-www-form-urlencoded")
    {
        return bad("unexpected content type");
    }
    let Some(mut params) = Params::parse(body) else {
        if app.broken(Fault::ServerError500) {
            return Err(fail(
                app,
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                "could not decode",
            ));
        }
        return bad("the body is not encoded properly");
    };
    if app.broken(Fault::TokenDuplicates) {
        params.keep_last();
    }
    if params.repeated().is_some() {
        return bad("a parameter is repeated");
    }
    Ok(params)
}

/// [`read_form`] where the body is a JSON object.
fn read_json(app: &App, headers: &HeaderMap, body: &[u8]) -> Result<Params, Response> {
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

/// `POST`.
pub(crate) async fn post(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let read = if app.face.rules.token_json {
        read_json(&app, &headers, &body)
    } else {
        read_form(&app, &headers, &body)
    };
    let mut params = match read {
        Ok(params) => params,
        Err(response) => return response,
    };
    if app.broken(Fault::TokenFromQuery) {
        params.extend(Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default());
    }
    handle(&app, &headers, &params).await
}

/// `GET`: refused, since a query ends up in logs.
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    if app.broken(Fault::TokenByGet) {
        let params = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
        return handle(&app, &headers, &params).await;
    }
    only_post(&app)
}

/// 405.
pub(crate) fn only_post(app: &App) -> Response {
    let mut response = fail(
        app,
        StatusCode::METHOD_NOT_ALLOWED,
        "invalid_request",
        "only POST is allowed here",
    );
    http::set(&mut response, header::ALLOW, "POST");
    response
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

async fn handle(app: &App, headers: &HeaderMap, params: &Params) -> Response {
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
            Ok(()) => by_code(app, &client, params, jkt).await,
            Err(fail) => Err(fail),
        },
        Some(kind @ "refresh_token") => match registered(kind) {
            Ok(()) => refresh::by_refresh(app, &client, params, jkt).await,
            Err(fail) => Err(fail),
        },
        Some(kind @ "client_credentials") => match registered(kind) {
            Ok(()) if !client.is_public() => by_client(app, &client, params, jkt),
            _ if client.is_public() && app.broken(Fault::PublicClientCredentials) => {
                by_client(app, &client, params, jkt)
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
        Some("password") if app.broken(Fault::PasswordGrant) => by_password(app, &client, params),
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

async fn by_code(
    app: &App,
    client: &Client,
    params: &Params,
    jkt: Option<&str>,
) -> Result<Map<String, Value>, Fail> {
    if app.broken(Fault::CodeRace) || app.broken(Fault::CodeRaceForks) {
        redeem(app, client, params, jkt, Step::Look)?;
        tokio::time::sleep(RACE_WINDOW).await;
        return redeem(app, client, params, jkt, Step::Take);
    }
    redeem(app, client, params, jkt, Step::Both)
}

/// On a correct server looking and taking are one step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Both,
    Look,
    Take,
}

/// Everything a valid redemption must show besides the code itself.
fn proof(app: &App, db: &Db, code: &Code, params: &Params) -> Result<(), Fail> {
    if params.get("redirect_uri").is_none()
        && app.face.rules.parameters_required
        && !app.broken(AgnicFault::TokenRedirectUriOptional)
    {
        return Err(("invalid_request", "redirect_uri is required"));
    }
    if let Some(uri) = params.get("redirect_uri")
        && uri != code.redirect_uri
        && !app.broken(Fault::TokenRedirectUnchecked)
    {
        return Err((
            "invalid_grant",
            "redirect_uri is not the one of the authorization request",
        ));
    }
    pkce::check(app, code, params, db.codes.values())
}

fn redeem(
    app: &App,
    client: &Client,
    params: &Params,
    jkt: Option<&str>,
    step: Step,
) -> Result<Map<String, Value>, Fail> {
    let Some(asked) = params.get("code") else {
        return Err(("invalid_request", "code is required"));
    };
    let mut db = app.db();
    let unknown = (
        "invalid_grant",
        "the code is unknown, used, expired or another client's",
    );
    let key = match () {
        () if db.codes.contains_key(asked) => asked.to_owned(),
        () if app.broken(Fault::CodePrefix) => {
            let near = |known: &&String| {
                asked.len() >= 8 && (known.starts_with(asked) || asked.starts_with(known.as_str()))
            };
            db.codes.keys().find(near).cloned().ok_or(unknown)?
        }
        () => return Err(unknown),
    };
    let code = db.codes.get(&key).cloned().ok_or(unknown)?;
    if code.client != client.id && !app.broken(Fault::CodeAnyClient) {
        return Err(unknown);
    }
    let proof = proof(app, &db, &code, params);
    if code.used && step != Step::Take && !app.broken(Fault::CodeReusable) {
        // Only a replay that would have been valid says that the code leaked together with its verifier (OAuth 2.1 §7.5.3).
        if (proof.is_ok() || app.broken(Fault::CodeReplayFragile))
            && !app.broken(Fault::CodeReplayHarmless)
        {
            end_after_replay(app, &mut db, code.grant);
        }
        return Err(unknown);
    }
    if code.expires_ms <= now_ms() && !app.broken(Fault::CodeNeverExpires) {
        return Err(unknown);
    }
    proof?;
    if code.jkt.is_some() && code.jkt.as_deref() != jkt {
        return Err(("invalid_dpop_proof", "the code is bound to another key"));
    }
    let grant = db
        .grants
        .get(&code.grant)
        .filter(|grant| grant.alive)
        .cloned()
        .ok_or(unknown)?;
    let audience = audience(app, params, &grant, app.broken(Fault::ResourceTokenSwitch))?;
    let details = details(app, params, &grant, app.broken(Fault::RarTokenWidens))?;
    if step == Step::Look {
        return Ok(Map::new());
    }
    if let Some(stored) = db.codes.get_mut(&key) {
        stored.used = true;
    }
    if app.broken(Fault::ResourceNarrowSticks)
        && let Some(stored) = db.grants.get_mut(&code.grant)
    {
        stored.resources = audience.clone();
    }
    let rights = Rights {
        scopes: grant.scopes.clone(),
        audience,
        details,
        refreshed: false,
        jkt: jkt.map(str::to_owned),
    };
    let id = if code.used && app.broken(Fault::CodeRaceForks) {
        let id = db.next_serial();
        db.grants.insert(id, grant.clone());
        id
    } else {
        code.grant
    };
    Ok(first_answer(app, &mut db, id, &grant, client, rights))
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
        let refresh = issue::refresh(app, db, id, client, scopes, false, jkt.as_deref());
        body.insert("refresh_token".into(), refresh.into());
    }
    if grant.scopes.iter().any(|scope| scope == "openid") {
        body.insert(
            "id_token".into(),
            issue::id_token(app, grant, client).into(),
        );
    }
    body
}

/// A code was replayed: what came out of it ends.
fn end_after_replay(app: &App, db: &mut Db, grant: u64) {
    if !app.broken(Fault::CodeReplayLeavesChain) {
        return db.end_grant(grant);
    }
    for access in db
        .access
        .values_mut()
        .filter(|access| access.grant == grant && !access.refreshed)
    {
        access.revoked = true;
    }
    for refresh in db
        .refresh
        .values_mut()
        .filter(|refresh| refresh.grant == grant && !refresh.refreshed)
    {
        refresh.revoked = true;
    }
}

/// The audience asked for: within the grant (RFC 8707 §2.2), or all of it.
pub(crate) fn audience(
    app: &App,
    params: &Params,
    grant: &Grant,
    any_known: bool,
) -> Result<Vec<String>, Fail> {
    let asked = params.all("resource");
    let ignored = [
        Fault::ResourceIgnored,
        Fault::AudienceMissing,
        Fault::AudienceAll,
    ]
    .iter()
    .any(|fault| app.broken(*fault));
    if asked.is_empty() || ignored || !app.face.rules.resource_indicators {
        return Ok(grant.resources.clone());
    }
    if app.broken(Fault::ResourceTokenUnknown) {
        return Ok(asked.into_iter().map(str::to_owned).collect());
    }
    let mut asked = read_resources(app, &asked).map_err(|what| ("invalid_target", what))?;
    if app.broken(Fault::ResourceFirstOnly) {
        asked.truncate(1);
    }
    if !any_known && asked.iter().any(|id| !grant.resources.contains(id)) {
        return Err(("invalid_target", "this resource was not granted"));
    }
    Ok(asked)
}

/// The authorization details asked for: within the grant (RFC 9396 §6), or all of them.
pub(crate) fn details(
    app: &App,
    params: &Params,
    grant: &Grant,
    any_valid: bool,
) -> Result<Vec<Value>, Fail> {
    let Some(text) = params.get("authorization_details") else {
        return Ok(grant.details.clone());
    };
    let asked = rar::read(app, text).map_err(|_| {
        (
            "invalid_authorization_details",
            "authorization_details is not valid",
        )
    })?;
    if !any_valid && !rar::within(app, &asked, &grant.details) {
        return Err((
            "invalid_authorization_details",
            "authorization_details exceeds what was granted",
        ));
    }
    Ok(asked)
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
    let (token, life) = issue::access(app, db, id, grant, client, rights);
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

/// A grant that needs no code.
fn direct_grant(
    app: &App,
    client: &Client,
    params: &Params,
    user: Option<usize>,
) -> Result<Grant, Fail> {
    let scopes = read_scopes(
        app,
        client,
        params.get("scope").unwrap_or(app.face.default_scope),
    )
    .map_err(|_| ("invalid_scope", "scope is malformed or unknown"))?;
    let asked = params.all("resource");
    let resources = match (asked.is_empty(), app.face.default_resource) {
        (false, _) => read_resources(app, &asked).map_err(|what| ("invalid_target", what))?,
        (true, Some(name)) => app
            .face
            .resources
            .iter()
            .filter(|resource| resource.name == name)
            .map(|resource| app.url(resource.path))
            .collect(),
        (true, None) => return Err(("invalid_target", "resource is required")),
    };
    let sub = match user.and_then(|user| app.users.get(user)) {
        Some(user) => user.sub.clone(),
        None => client.id.clone(),
    };
    let mut grant = Grant {
        client: client.id.clone(),
        user,
        sub,
        agent: None,
        limits: None,
        scopes,
        resources,
        details: Vec::new(),
        nonce: None,
        alive: true,
        expires: now() + app.face.lifetimes.refresh,
    };
    if let Some(text) = params.get("authorization_details") {
        grant.details = rar::read(app, text).map_err(|_| {
            (
                "invalid_authorization_details",
                "authorization_details is not valid",
            )
        })?;
    }
    Ok(grant)
}

/// Client credentials (RFC 6749 §4.4): no user, no refresh token.
fn by_client(
    app: &App,
    client: &Client,
    params: &Params,
    jkt: Option<&str>,
) -> Result<Map<String, Value>, Fail> {
    let named = ["sub", "username", "user_id", "login_hint"];
    let user = named
        .iter()
        .filter(|_| app.broken(Fault::ClientCredentialsAsUser))
        .find_map(|name| app.user_named(params.get(name)?));
    let grant = direct_grant(app, client, params, user)?;
    let mut db = app.db();
    let id = db.next_serial();
    db.grants.insert(id, grant.clone());
    let rights = Rights {
        scopes: grant.scopes.clone(),
        audience: grant.resources.clone(),
        details: grant.details.clone(),
        refreshed: false,
        jkt: jkt.map(str::to_owned),
    };
    let mut body = access_answer(app, &mut db, id, &grant, client, rights);
    if app.broken(Fault::ClientCredentialsRefresh) {
        body.insert(
            "refresh_token".into(),
            issue::refresh(app, &mut db, id, client, grant.scopes, false, jkt).into(),
        );
    }
    Ok(body)
}

/// The password grant, which exists by fault only.
fn by_password(app: &App, client: &Client, params: &Params) -> Result<Map<String, Value>, Fail> {
    let name = params.get("username").unwrap_or_default();
    let Some(user) = app
        .users
        .iter()
        .position(|user| user.login_name() == name)
        .or(Some(0))
    else {
        return Err(("invalid_grant", "no such user"));
    };
    let grant = direct_grant(app, client, params, Some(user))?;
    let mut db = app.db();
    let id = db.next_serial();
    db.grants.insert(id, grant.clone());
    let rights = Rights {
        scopes: grant.scopes.clone(),
        audience: grant.resources.clone(),
        details: grant.details.clone(),
        refreshed: false,
        jkt: None,
    };
    Ok(access_answer(app, &mut db, id, &grant, client, rights))
}
