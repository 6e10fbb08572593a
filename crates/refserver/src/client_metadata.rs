//! What a client may register about itself (RFC 7591 §2). All of it is hostile; none of it is fetched.

use jose::Jwks;
use serde_json::{Map, Value};
use url::Url;
use wire::redirect_uri::{Parts, Problem, problems};

use crate::{App, Fault, client_auth::ASSERTION_ALGS, rights::read_scopes, state::Client};

/// An error code and its description.
pub(crate) type Fail = (&'static str, String);

/// A refusal.
pub(crate) fn fail<T>(error: &'static str, description: impl Into<String>) -> Result<T, Fail> {
    Err((error, description.into()))
}

fn text<'m>(
    app: &App,
    members: &'m Map<String, Value>,
    name: &str,
) -> Result<Option<&'m str>, Fail> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) if app.broken(Fault::DcrTypesUnchecked) => Ok(None),
        Some(_) => fail(
            "invalid_client_metadata",
            format!("{name} must be a string"),
        ),
    }
}

fn flag(app: &App, members: &Map<String, Value>, name: &str) -> Result<bool, Fail> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(yes)) => Ok(*yes),
        Some(_) if app.broken(Fault::DcrTypesUnchecked) => Ok(false),
        Some(_) => fail(
            "invalid_client_metadata",
            format!("{name} must be a boolean"),
        ),
    }
}

/// What a client may say about itself here.
const KNOWN: &[&str] = &[
    "redirect_uris",
    "token_endpoint_auth_method",
    "grant_types",
    "response_types",
    "client_name",
    "client_uri",
    "logo_uri",
    "scope",
    "contacts",
    "tos_uri",
    "policy_uri",
    "jwks_uri",
    "jwks",
    "software_id",
    "software_version",
    "software_statement",
    "require_pushed_authorization_requests",
    "request_object_signing_alg",
    "application_type",
    "client_id",
    "client_secret",
];

fn texts(app: &App, members: &Map<String, Value>, name: &str) -> Result<Option<Vec<String>>, Fail> {
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
        Some(_) if app.broken(Fault::DcrTypesUnchecked) => Ok(None),
        Some(_) => fail(
            "invalid_client_metadata",
            format!("{name} must be an array of strings"),
        ),
    }
}

/// Checks metadata and makes a client of it, still without identifier and secrets. `strict`: redirect URIs too.
pub(crate) fn checked(
    app: &App,
    members: &Map<String, Value>,
    strict: bool,
) -> Result<Client, Fail> {
    if app.broken(Fault::DcrUnknownRefused)
        && members.keys().any(|name| !KNOWN.contains(&name.as_str()))
    {
        return fail("invalid_client_metadata", "unknown metadata");
    }
    let believed = app.broken(Fault::DcrStatementBelieved);
    if members.contains_key("software_statement") && !believed {
        return fail(
            "unapproved_software_statement",
            "no software statement is trusted here",
        );
    }
    let auth = text(app, members, "token_endpoint_auth_method")?.unwrap_or("client_secret_basic");
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
    let grant_types = texts(app, members, "grant_types")?.unwrap_or_else(default_grants);
    let legacy = app.broken(Fault::DcrLegacyGrants);
    let supported = |kind: &str| {
        matches!(
            kind,
            "authorization_code" | "refresh_token" | "client_credentials"
        ) || (kind == crate::device::GRANT_TYPE && app.face.device.is_some())
            || (legacy && matches!(kind, "implicit" | "password"))
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
    let response_types = texts(app, members, "response_types")?.unwrap_or_else(|| {
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
        Some(Value::Array(_)) | None => texts(app, members, "redirect_uris")?.unwrap_or_default(),
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
    let every = || {
        app.face
            .scopes
            .iter()
            .map(|(scope, _)| (*scope).to_owned())
            .collect()
    };
    let scope = match text(app, members, "scope")? {
        _ if app.broken(Fault::DcrScopeAll) => Some(every()),
        Some(text) => Some(read_scopes(app, &Client::default(), text).map_err(|_| {
            (
                "invalid_client_metadata",
                "scope has a scope that does not exist".to_owned(),
            )
        })?),
        None => None,
    };
    let title = text(app, members, "client_name")?.unwrap_or_default();
    if title.len() > 256 || title.chars().any(char::is_control) {
        return fail(
            "invalid_client_metadata",
            "client_name is too long or has control characters",
        );
    }
    for name in ["client_uri", "logo_uri", "policy_uri", "tos_uri"] {
        if let Some(value) = text(app, members, name)?
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
    let push_required = flag(app, members, "require_pushed_authorization_requests")?;
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
        "require_pushed_authorization_requests",
        "request_object_signing_alg",
        "software_statement",
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
        push_required,
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
        Problem::PrivateSchemeWithoutDot => app.broken(Fault::DcrPrivateScheme),
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
    let uri = text(app, members, "jwks_uri")?;
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
