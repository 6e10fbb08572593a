//! Dynamic client registration (RFC 7591) and its management (RFC 7592). Open to everybody; nothing a client says is fetched or believed.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use jose::Jwks;
use serde_json::{Map, Value, json};
use url::Url;
use wire::redirect_uri::{Parts, Problem, problems};

use crate::{
    App, Fault,
    client_auth::ASSERTION_ALGS,
    fetch, http, issue,
    state::{Client, now},
};

/// An error code and its description.
type Fail = (&'static str, String);

fn fail<T>(error: &'static str, description: impl Into<String>) -> Result<T, Fail> {
    Err((error, description.into()))
}

fn refuse(fail: Fail) -> Response {
    http::oauth_error(StatusCode::BAD_REQUEST, fail.0, &fail.1)
}

/// `POST`: registers.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let members = match read(&headers, &body) {
        Ok(members) => members,
        Err(fail) => return refuse(fail),
    };
    let mut client = match checked(&app, &members, true) {
        Ok(client) => client,
        Err(fail) => return refuse(fail),
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
    if db.full() {
        return refuse((
            "invalid_client_metadata",
            "no more clients can be registered".into(),
        ));
    }
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

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Result<Option<&'m str>, Fail> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => fail(
            "invalid_client_metadata",
            format!("{name} must be a string"),
        ),
    }
}

fn texts(members: &Map<String, Value>, name: &str) -> Result<Option<Vec<String>>, Fail> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(items)) => {
            let items: Option<Vec<String>> = items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect();
            items.map(Some).ok_or((
                "invalid_client_metadata",
                format!("{name} must be an array of strings"),
            ))
        }
        Some(_) => fail(
            "invalid_client_metadata",
            format!("{name} must be an array of strings"),
        ),
    }
}

/// Checks metadata and makes a client of it, still without identifier and secrets. `strict`: redirect URIs too.
fn checked(app: &App, members: &Map<String, Value>, strict: bool) -> Result<Client, Fail> {
    if members.contains_key("software_statement") {
        return fail(
            "unapproved_software_statement",
            "no software statement is trusted here",
        );
    }
    let auth = text(members, "token_endpoint_auth_method")?.unwrap_or("client_secret_basic");
    if ![
        "none",
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
    ]
    .contains(&auth)
    {
        return fail(
            "invalid_client_metadata",
            "token_endpoint_auth_method is not supported",
        );
    }
    let default_grants = || vec!["authorization_code".to_owned(), "refresh_token".to_owned()];
    let grant_types = texts(members, "grant_types")?.unwrap_or_else(default_grants);
    let legacy = app.broken(Fault::DcrLegacyGrants);
    let supported = |kind: &str| {
        matches!(
            kind,
            "authorization_code" | "refresh_token" | "client_credentials"
        ) || (legacy && matches!(kind, "implicit" | "password"))
    };
    if grant_types.is_empty() || !grant_types.iter().all(|kind| supported(kind)) {
        return fail(
            "invalid_client_metadata",
            "grant_types has a type that is not supported",
        );
    }
    if auth == "none" && grant_types.iter().any(|kind| kind == "client_credentials") {
        return fail(
            "invalid_client_metadata",
            "a public client cannot act for itself",
        );
    }
    let uses_code = grant_types.iter().any(|kind| kind == "authorization_code");
    let response_types = texts(members, "response_types")?.unwrap_or_else(|| {
        if uses_code {
            vec!["code".into()]
        } else {
            Vec::new()
        }
    });
    let consistent =
        response_types.iter().all(|kind| kind == "code") && uses_code != response_types.is_empty();
    if !consistent && !legacy {
        return fail(
            "invalid_client_metadata",
            "response_types and grant_types do not go together, or are not supported",
        );
    }
    let redirect_uris = match members.get("redirect_uris") {
        Some(Value::Array(_)) | None => texts(members, "redirect_uris")?.unwrap_or_default(),
        Some(_) => {
            return fail(
                "invalid_redirect_uri",
                "redirect_uris must be an array of strings",
            );
        }
    };
    if uses_code && redirect_uris.is_empty() {
        return fail("invalid_redirect_uri", "redirect_uris is required");
    }
    if redirect_uris.len() > 32 {
        return fail("invalid_redirect_uri", "too many redirect_uris");
    }
    if strict {
        redirect_uris
            .iter()
            .try_for_each(|uri| redirect_uri(app, uri))?;
    }
    let scope = match text(members, "scope")? {
        Some(text) => Some(
            crate::authorize::read_scopes(app, &Client::default(), text).map_err(|_| {
                (
                    "invalid_client_metadata",
                    "scope has a scope that does not exist".to_owned(),
                )
            })?,
        ),
        None => None,
    };
    let title = text(members, "client_name")?.unwrap_or_default();
    if title.len() > 256 || title.chars().any(char::is_control) {
        return fail(
            "invalid_client_metadata",
            "client_name is too long or has control characters",
        );
    }
    for name in ["client_uri", "logo_uri", "policy_uri", "tos_uri"] {
        if let Some(value) = text(members, name)?
            && !Url::parse(value)
                .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        {
            return fail(
                "invalid_client_metadata",
                format!("{name} must be an http or https URL"),
            );
        }
    }
    let (jwks, jwks_uri) = keys(app, members)?;
    if auth == "private_key_jwt" && jwks.is_none() && jwks_uri.is_none() {
        return fail(
            "invalid_client_metadata",
            "private_key_jwt needs jwks or jwks_uri",
        );
    }
    let mut metadata = Map::new();
    metadata.insert("redirect_uris".into(), redirect_uris.clone().into());
    metadata.insert("token_endpoint_auth_method".into(), auth.into());
    metadata.insert("grant_types".into(), grant_types.clone().into());
    metadata.insert("response_types".into(), response_types.into());
    if let Some(scope) = &scope {
        metadata.insert("scope".into(), scope.join(" ").into());
    }
    for name in [
        "client_name",
        "client_uri",
        "logo_uri",
        "policy_uri",
        "tos_uri",
        "jwks",
        "jwks_uri",
        "contacts",
        "software_id",
        "software_version",
    ] {
        if let Some(value) = members.get(name).filter(|value| !value.is_null()) {
            metadata.insert(name.into(), value.clone());
        }
    }
    let auth = auth.to_owned();
    Ok(Client {
        title: title.to_owned(),
        auth,
        redirect_uris,
        grant_types,
        scope,
        jwks,
        jwks_uri,
        metadata,
        ..Client::default()
    })
}

/// Whether a redirect URI may be registered.
fn redirect_uri(app: &App, uri: &str) -> Result<(), Fail> {
    let tolerated = |problem: &Problem| match problem {
        // Not recommended, but MCP clients and many others live on it; the comparison stays exact.
        Problem::Localhost => true,
        Problem::Fragment => app.broken(Fault::DcrFragment),
        Problem::ScriptScheme => app.broken(Fault::DcrScript),
        Problem::PlainHttp => app.broken(Fault::DcrHttp),
        Problem::Userinfo => app.broken(Fault::DcrUserinfo),
        Problem::Relative => app.broken(Fault::DcrRelative),
        Problem::PrivateSchemeWithoutDot => {
            app.broken(Fault::DcrPrivateScheme) || app.broken(Fault::DcrScript)
        }
        Problem::Wildcard => app.broken(Fault::DcrWildcard),
        _ => false,
    };
    if let Some(problem) = problems(uri).iter().find(|problem| !tolerated(problem)) {
        return fail(
            "invalid_redirect_uri",
            format!("a redirect URI {}", plain(&problem.to_string())),
        );
    }
    if uri.len() > 2048 {
        return fail("invalid_redirect_uri", "a redirect URI is too long");
    }
    let reserved = [
        "code",
        "state",
        "iss",
        "error",
        "error_description",
        "response",
    ];
    let query = wire::form::Pairs::parse(Parts::split(uri).query.unwrap_or_default().as_bytes());
    if reserved.iter().any(|name| query.count(name) > 0) && !app.broken(Fault::DcrReservedQuery) {
        return fail(
            "invalid_redirect_uri",
            "a redirect URI has a response parameter in its query",
        );
    }
    Ok(())
}

/// error_description is ASCII without quotes and backslashes (RFC 6749 §5.2).
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c == '§' { 's' } else { c })
        .filter(|c| (' '..='~').contains(c) && !"\"\\".contains(*c))
        .collect()
}

/// The client's keys: by value or by reference, public, asymmetric and big enough.
fn keys(app: &App, members: &Map<String, Value>) -> Result<(Option<Value>, Option<String>), Fail> {
    let uri = text(members, "jwks_uri")?;
    let jwks = members.get("jwks").filter(|value| !value.is_null());
    if uri.is_some() && jwks.is_some() {
        return fail(
            "invalid_client_metadata",
            "jwks and jwks_uri exclude each other",
        );
    }
    if let Some(uri) = uri {
        // Whether the address may be fetched from is asked when it is fetched; a name can change its meaning until then.
        let sound = Url::parse(uri)
            .is_ok_and(|url| url.scheme() == "https" || (url.scheme() == "http" && loopback(&url)));
        if !sound && !app.broken(Fault::FetchSpecialUse) && !app.broken(Fault::DcrJwksFetchedAtOnce)
        {
            return fail(
                "invalid_client_metadata",
                "jwks_uri must be https, or http on a loopback address",
            );
        }
    }
    if let Some(jwks) = jwks.filter(|_| !app.broken(Fault::DcrBadKeys)) {
        let set = Jwks::from_json(jwks).map_err(|_| {
            (
                "invalid_client_metadata",
                "jwks is not a key set".to_owned(),
            )
        })?;
        let count = jwks
            .get("keys")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        let sound = |key: &jose::Jwk| {
            let json = key.to_json();
            let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]
                .iter()
                .any(|member| json.get(member).is_some());
            let long = json.get("kty") != Some(&"RSA".into())
                || json
                    .get("n")
                    .and_then(Value::as_str)
                    .and_then(jose::base64url_decode)
                    .is_some_and(|n| n.len() >= 256);
            !private
                && long
                && ASSERTION_ALGS
                    .iter()
                    .any(|alg| key.fits(*alg) && key.is_valid(*alg))
        };
        if count == 0 || set.keys().len() != count || !set.keys().iter().all(sound) {
            return fail(
                "invalid_client_metadata",
                "jwks must hold public keys for signatures, RSA with 2048 bits or more",
            );
        }
    }
    Ok((jwks.cloned(), uri.map(str::to_owned)))
}

fn loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        _ => false,
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
    if let Some(token) = &client.registration_token {
        body.insert("registration_access_token".into(), token.clone().into());
        body.insert(
            "registration_client_uri".into(),
            app.url(&format!("{}/{}", app.face.paths.register, client.id))
                .into(),
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
        Err(fail) => return refuse(fail),
    };
    if members.get("client_id").and_then(Value::as_str) != Some(&client.id) {
        return refuse((
            "invalid_client_metadata",
            "client_id must be the client's own".into(),
        ));
    }
    if members
        .get("client_secret")
        .is_some_and(|secret| secret.as_str() != client.secret.as_deref())
    {
        return refuse((
            "invalid_client_metadata",
            "client_secret cannot be chosen".into(),
        ));
    }
    if app.broken(Fault::DcrmMerges) {
        for (name, value) in &client.metadata {
            members.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    let mut next = match checked(&app, &members, !app.broken(Fault::DcrmUnvalidated)) {
        Ok(next) => next,
        Err(fail) => return refuse(fail),
    };
    let keeps_secret = next.auth.starts_with("client_secret_");
    if keeps_secret != client.auth.starts_with("client_secret_") {
        return refuse((
            "invalid_client_metadata",
            "a client cannot become public or confidential".into(),
        ));
    }
    next.id = client.id.clone();
    next.secret = client.secret;
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
