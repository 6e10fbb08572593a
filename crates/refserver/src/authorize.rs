//! The authorization endpoint (RFC 6749 §3.1, §4.1.1): what is wrong with a request is found before anybody is asked to log in.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::Value;

use crate::{
    App, Fault,
    http::{self, Params},
    interaction, issue, pages, pkce, rar, redirect,
    state::Client,
};

/// A request that may be put to the user.
#[derive(Clone)]
pub(crate) struct Request {
    pub client: Client,
    pub redirect_uri: String,
    pub state: Option<String>,
    pub scopes: Vec<String>,
    pub challenge: Option<pkce::Challenge>,
    pub resources: Vec<String>,
    pub details: Vec<Value>,
    pub nonce: Option<String>,
    pub prompt: Vec<String>,
    pub login_hint: Option<String>,
    /// What goes back besides or instead of a code; nothing but by fault.
    pub implicit: bool,
    pub hybrid: bool,
    pub fragment: bool,
    /// The subject somebody who is not the user has chosen; by fault only.
    pub chosen: Option<usize>,
}

/// Why a request goes no further, as it is told to the client.
struct Stop {
    error: &'static str,
    description: String,
}

fn stop<T>(error: &'static str, description: impl Into<String>) -> Result<T, Stop> {
    Err(Stop {
        error,
        description: description.into(),
    })
}

/// `GET`.
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    respond(&app, &headers, params, StatusCode::FOUND).await
}

/// `POST`, form-encoded.
pub(crate) async fn post(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    if !http::is_form(&headers) {
        return pages::refusal(
            &app,
            StatusCode::BAD_REQUEST,
            "An authorization request by POST must be a form.",
        );
    }
    let params = Params::parse(&body);
    respond(&app, &headers, params, StatusCode::SEE_OTHER).await
}

async fn respond(
    app: &Arc<App>,
    headers: &HeaderMap,
    params: Option<Params>,
    status: StatusCode,
) -> Response {
    let mut response = match params {
        Some(params) => handle(app, headers, params, status).await,
        None if app.broken(Fault::ServerError500) => pages::refusal(
            app,
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something went wrong.",
        ),
        None => pages::refusal(
            app,
            StatusCode::BAD_REQUEST,
            "The request's parameters are not encoded properly.",
        ),
    };
    if app.broken(Fault::CorsOnAuthorize)
        && let Some(origin) = headers.get(header::ORIGIN)
    {
        response
            .headers_mut()
            .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
    response
}

async fn handle(
    app: &Arc<App>,
    headers: &HeaderMap,
    mut params: Params,
    status: StatusCode,
) -> Response {
    if app.broken(Fault::DuplicateLastWins)
        && params.count("client_id") < 2
        && params.count("redirect_uri") < 2
    {
        params.keep_last();
    }
    let session = interaction::session(app, headers);
    let user = session.as_ref().and_then(|(_, session)| session.user);
    let client = match client(app, &params) {
        Ok(client) => client,
        Err(page) => return page,
    };
    let state = params.get("state").map(str::to_owned);
    let (uri, trusted) = match redirect_uri(app, &client, &params, user.is_some()) {
        Ok(found) => found,
        Err(page) => return page,
    };
    let request = match validate(app, client, uri.clone(), state.clone(), &params) {
        Ok(_) if !trusted => return pages::bad_redirect_uri(app, &uri),
        Ok(request) => request,
        Err(Stop { error, description }) => {
            let told = trusted
                || app.broken(Fault::RedirectCheckedLast)
                || (app.broken(Fault::RedirectUncheckedBadType)
                    && error == "unsupported_response_type")
                || (app.broken(Fault::RedirectUncheckedBadPkce)
                    && description.contains("code_challenge"))
                || (app.broken(Fault::RedirectUncheckedBadScope) && error == "invalid_scope");
            if !told {
                return pages::bad_redirect_uri(app, &uri);
            }
            let fragment = app.broken(Fault::ResponseModeFragment)
                && params.get("response_mode") == Some("fragment");
            return error_redirect(
                app,
                &Target {
                    uri: &uri,
                    state: state.as_deref(),
                    fragment,
                },
                error,
                &description,
                status,
            );
        }
    };
    proceed(app, headers, request, &params, session, status)
}

fn client(app: &App, params: &Params) -> Result<Client, Response> {
    let refusal = |what: &str| Err(pages::refusal(app, StatusCode::BAD_REQUEST, what));
    let by_redirect = |what: &str| {
        let uri = params.get("redirect_uri").unwrap_or_default();
        let target = Target {
            uri,
            state: params.get("state"),
            fragment: false,
        };
        error_redirect(app, &target, "unauthorized_client", what, StatusCode::FOUND)
    };
    if params.count("client_id") > 1 {
        return refusal("The request names more than one client.");
    }
    let Some(id) = params.get("client_id") else {
        if app.broken(Fault::MissingClientGuessed) && params.get("redirect_uri").is_some() {
            return Err(by_redirect("client_id is required"));
        }
        return refusal("The request does not name a client.");
    };
    match app.db().clients.get(id) {
        Some(client) => return Ok(client.clone()),
        None if app.broken(Fault::UnknownClientRedirected)
            && params.get("redirect_uri").is_some() => {}
        None => return Err(pages::unknown_client(app, id)),
    }
    Err(by_redirect("unknown client"))
}

/// The redirect URI, and whether errors may be told to it.
fn redirect_uri(
    app: &App,
    client: &Client,
    params: &Params,
    has_session: bool,
) -> Result<(String, bool), Response> {
    let asked = params.all("redirect_uri");
    let (checked, used) = match (asked.as_slice(), params.count("redirect_uri")) {
        ([one], 1) => (*one, *one),
        ([first, .., last], _) if app.broken(Fault::RedirectFirstCheckedLastUsed) => {
            (*first, *last)
        }
        ([first, .., last], _) if app.broken(Fault::RedirectLastCheckedFirstUsed) => {
            (*last, *first)
        }
        ([], 0 | 1) => match client.redirect_uris.as_slice() {
            [only] => return Ok((only.clone(), true)),
            [first, ..] if app.broken(Fault::RedirectMissingGuessed) => {
                return Ok((first.clone(), true));
            }
            _ => {
                return Err(pages::refusal(
                    app,
                    StatusCode::BAD_REQUEST,
                    "The request must say which redirect URI is meant.",
                ));
            }
        },
        _ => {
            return Err(pages::refusal(
                app,
                StatusCode::BAD_REQUEST,
                "The request names more than one redirect URI.",
            ));
        }
    };
    let unchecked = app.broken(Fault::RedirectUncheckedNoSession) && !has_session;
    let trusted = unchecked || redirect::allowed(app, client, checked);
    let late = [
        Fault::RedirectCheckedLast,
        Fault::RedirectUncheckedBadType,
        Fault::RedirectUncheckedBadPkce,
        Fault::RedirectUncheckedBadScope,
    ];
    if !trusted && !late.iter().any(|fault| app.broken(*fault)) {
        return Err(pages::bad_redirect_uri(app, used));
    }
    Ok((used.to_owned(), trusted))
}

const KNOWN: &[&str] = &[
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "resource",
    "authorization_details",
    "nonce",
    "prompt",
    "login_hint",
    "id_token_hint",
    "claims",
    "max_age",
    "ui_locales",
    "acr_values",
    "display",
];

/// Everything but client and redirect URI.
fn validate(
    app: &App,
    client: Client,
    redirect_uri: String,
    state: Option<String>,
    params: &Params,
) -> Result<Request, Stop> {
    let twice_on_purpose = |name: &str| {
        name == "redirect_uri"
            && (app.broken(Fault::RedirectFirstCheckedLastUsed)
                || app.broken(Fault::RedirectLastCheckedFirstUsed))
    };
    if let Some(name) = params.repeated().filter(|name| !twice_on_purpose(name)) {
        let name = if KNOWN.contains(&name) {
            name
        } else {
            "a parameter"
        };
        return stop("invalid_request", format!("{name} is repeated"));
    }
    if app.broken(Fault::UnknownParamRefused)
        && params
            .pairs()
            .iter()
            .any(|(name, _)| !KNOWN.contains(&name.as_str()))
    {
        return stop("invalid_request", "unknown parameter");
    }
    if params.get("request").is_some() {
        return stop("request_not_supported", "request objects are not supported");
    }
    if params.get("request_uri").is_some() {
        return stop("request_uri_not_supported", "request_uri is not supported");
    }
    let (mut implicit, mut hybrid) = (false, false);
    match params.get("response_type") {
        Some("code") => {}
        Some("token") if app.broken(Fault::ImplicitIssued) => implicit = true,
        Some("code token" | "token code") if app.broken(Fault::HybridIssued) => hybrid = true,
        None if app.broken(Fault::ResponseTypeAssumed) => {}
        None => return stop("invalid_request", "response_type is required"),
        Some(other)
            if app.broken(Fault::UnknownResponseTypeAccepted) && !other.contains("token") => {}
        Some(_) => {
            return stop(
                "unsupported_response_type",
                "only response_type code is supported",
            );
        }
    }
    if !client.may("authorization_code") {
        return stop(
            "unauthorized_client",
            "the client is not registered for the authorization code grant",
        );
    }
    let mut fragment = implicit || hybrid;
    match params.get("response_mode") {
        None | Some("query") => {}
        Some("fragment") if app.broken(Fault::ResponseModeFragment) => fragment = true,
        Some(_) => return stop("invalid_request", "only response_mode query is supported"),
    }
    let challenge =
        pkce::from_request(app, &client, params).or_else(|what| stop("invalid_request", what))?;
    let scopes = scopes(app, &client, params)?;
    let resources = resources(app, params)?;
    let details = match params.get("authorization_details") {
        Some(text) => {
            rar::read(app, text).or_else(|what| stop("invalid_authorization_details", what))?
        }
        None => Vec::new(),
    };
    let prompt: Vec<String> = params
        .get("prompt")
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    if prompt.len() > 1
        && prompt.iter().any(|word| word == "none")
        && !app.broken(Fault::PromptNoneCombined)
    {
        return stop("invalid_request", "prompt none cannot be combined");
    }
    Ok(Request {
        client,
        redirect_uri,
        state,
        scopes,
        challenge,
        resources,
        details,
        nonce: params.get("nonce").map(str::to_owned),
        prompt,
        login_hint: params.get("login_hint").map(str::to_owned),
        implicit,
        hybrid,
        fragment,
        chosen: chosen_subject(app, params),
    })
}

/// The scopes asked for, or the default ones (RFC 6749 §3.3).
fn scopes(app: &App, client: &Client, params: &Params) -> Result<Vec<String>, Stop> {
    let text = match params.get("scope") {
        Some(text) => text,
        None if params.sent("scope") && app.broken(Fault::EmptyNotOmitted) => {
            return stop("invalid_scope", "scope is empty");
        }
        None => app.face.default_scope,
    };
    read_scopes(app, client, text).or_else(|what| stop("invalid_scope", what))
}

/// Reads a scope value and bounds it by what exists and what the client registered. `Err` is a description.
pub(crate) fn read_scopes(app: &App, client: &Client, text: &str) -> Result<Vec<String>, String> {
    let quoted = |what: &str| {
        if app.broken(Fault::ErrorDescriptionRaw) {
            format!("{what}: \"{text}\"")
        } else {
            what.to_owned()
        }
    };
    let allowed_byte =
        |b: u8| b == 0x21 || (0x23..=0x5b).contains(&b) || (0x5d..=0x7e).contains(&b);
    let known = |scope: &str| {
        app.face
            .scopes
            .iter()
            .map(|(name, _)| *name)
            .find(|name| *name == scope)
    };
    let mut scopes: Vec<String> = Vec::new();
    for word in text.split(' ') {
        if word.is_empty() || !word.bytes().all(allowed_byte) {
            if app.broken(Fault::ScopeMalformed) {
                continue;
            }
            return Err(quoted("scope is malformed"));
        }
        let found = known(word)
            .map(str::to_owned)
            .or_else(|| {
                app.broken(Fault::ScopeCase)
                    .then(|| word.to_ascii_lowercase())
                    .filter(|word| known(word).is_some())
            })
            .or_else(|| {
                let prefix = app
                    .face
                    .scopes
                    .iter()
                    .map(|(name, _)| *name)
                    .find(|name| name.starts_with(word) || word.starts_with(name));
                prefix
                    .filter(|_| app.broken(Fault::ScopePrefix))
                    .map(str::to_owned)
            })
            .or_else(|| {
                app.broken(Fault::ScopeUnknownGranted)
                    .then(|| word.to_owned())
            });
        let Some(scope) = found else {
            return Err(quoted("scope is unknown"));
        };
        let bounded = client.scope.as_ref().is_none_or(|own| own.contains(&scope))
            || app.broken(Fault::DcrScopeUnenforced);
        if !bounded {
            return Err(quoted("scope is not one the client has registered"));
        }
        if app.broken(Fault::ScopeOrderMatters) {
            let place = |scope: &str| app.face.scopes.iter().position(|(name, _)| *name == scope);
            if scopes
                .last()
                .is_some_and(|last| place(last) > place(&scope))
            {
                return Err("scopes are out of order".into());
            }
        }
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if scopes.is_empty() {
        return Err("scope is empty".into());
    }
    Ok(scopes)
}

/// The resources asked for, or the default one (RFC 8707 §2).
fn resources(app: &App, params: &Params) -> Result<Vec<String>, Stop> {
    let default = app.face.default_resource.and_then(|name| {
        app.face
            .resources
            .iter()
            .find(|resource| resource.name == name)
    });
    let asked = params.all("resource");
    if asked.is_empty() || app.broken(Fault::ResourceIgnored) {
        return match default {
            Some(resource) => Ok(vec![app.url(resource.path)]),
            None => stop("invalid_target", "resource is required"),
        };
    }
    let mut resources = read_resources(app, &asked).or_else(|what| stop("invalid_target", what))?;
    if app.broken(Fault::ResourceFirstOnly) {
        resources.truncate(1);
    }
    Ok(resources)
}

/// Reads `resource` values: each must be a resource identifier of ours, letter for letter. `Err` is a description.
pub(crate) fn read_resources(app: &App, asked: &[&str]) -> Result<Vec<String>, &'static str> {
    let known = app.resource_ids();
    let mut resources: Vec<String> = Vec::new();
    for asked in asked {
        let asked = if app.broken(Fault::ResourceMalformed) {
            asked.split('#').next().unwrap_or(asked)
        } else {
            asked
        };
        let found = known
            .iter()
            .find(|id| {
                *id == asked
                    || (app.broken(Fault::ResourcePrefix) && asked.starts_with(id.as_str()))
                    || (app.broken(Fault::ResourceHostOnly) && asked.starts_with(&app.origin))
            })
            .cloned()
            .or_else(|| {
                (app.broken(Fault::ResourceSpelling)
                    && known.iter().any(|id| asked.trim_end_matches('/') == id))
                .then(|| asked.to_owned())
            })
            .or_else(|| app.broken(Fault::ResourceUnknown).then(|| asked.to_owned()));
        let Some(id) = found else {
            return Err("resource is not one of this server's");
        };
        if !resources.contains(&id) {
            resources.push(id);
        }
    }
    Ok(resources)
}

/// The subject a parameter names. Nothing but a login may choose the subject, so this is `None` on a correct server.
fn chosen_subject(app: &App, params: &Params) -> Option<usize> {
    let by_hint = || {
        params
            .get("login_hint")
            .filter(|_| app.broken(Fault::LoginHintChoosesSubject))
            .and_then(|name| app.user_named(name))
    };
    let by_user_id = || {
        params
            .get("user_id")
            .filter(|_| app.broken(Fault::UserIdChoosesSubject))
            .and_then(|name| app.user_named(name))
    };
    let by_claims = || {
        let claims: Value = params
            .get("claims")
            .filter(|_| app.broken(Fault::ClaimsChoosesSubject))
            .and_then(|text| serde_json::from_str(text).ok())?;
        let sub = claims
            .pointer("/id_token/sub")
            .or_else(|| claims.pointer("/userinfo/sub"))?;
        let value = sub
            .get("value")
            .or_else(|| sub.pointer("/values/0"))
            .unwrap_or(sub);
        app.user_named(value.as_str()?)
    };
    let by_id_token = || {
        let token = params
            .get("id_token_hint")
            .filter(|_| app.broken(Fault::IdTokenHintChoosesSubject))?;
        app.user_named(jose::Token::parse(token).ok()?.claim_str("sub")?)
    };
    by_hint()
        .or_else(by_user_id)
        .or_else(by_claims)
        .or_else(by_id_token)
}

/// A sound request: on to login or consent, or an answer at once where `prompt` asks for one.
fn proceed(
    app: &Arc<App>,
    headers: &HeaderMap,
    request: Request,
    params: &Params,
    session: Option<(String, crate::state::Session)>,
    status: StatusCode,
) -> Response {
    let target = Target {
        uri: &request.redirect_uri,
        state: request.state.as_deref(),
        fragment: request.fragment,
    };
    let user = session.as_ref().and_then(|(_, session)| session.user);
    if app.broken(Fault::CodeWithoutUser) {
        return success(app, &request, 0, status);
    }
    if request.prompt.iter().any(|word| word == "none") {
        return match user {
            None if app.broken(Fault::PromptNoneCode) => success(app, &request, 0, status),
            None => error_redirect(
                app,
                &target,
                "login_required",
                "nobody is logged in",
                status,
            ),
            Some(user) if app.broken(Fault::PromptNoneSkipsConsent) => {
                success(app, &request, user, status)
            }
            Some(user) if app.broken(Fault::PromptNoneCombined) && request.prompt.len() > 1 => {
                success(app, &request, user, status)
            }
            // Consent is never remembered: any program could pose as a public client (RFC 9700 §4.14.2 and RFC 8252 §8.6).
            Some(_) => error_redirect(
                app,
                &target,
                "consent_required",
                "the user must be asked",
                status,
            ),
        };
    }
    if let (Some((_, session)), Some(user)) = (&session, user)
        && request.prompt.is_empty()
    {
        let silently = (app.broken(Fault::AutoApprove)
            && session.approved.contains(&request.client.id))
            || (app.broken(Fault::ConsentForAnyClient) && !session.approved.is_empty());
        if silently {
            return success(app, &request, user, status);
        }
    }
    let wants_login =
        request.prompt.iter().any(|word| word == "login") || params.get("max_age") == Some("0");
    interaction::begin(
        app,
        headers,
        request,
        user.filter(|_| !wants_login),
        session.map(|(id, _)| id),
        status,
    )
}

/// Where an authorization response goes.
pub(crate) struct Target<'a> {
    pub uri: &'a str,
    pub state: Option<&'a str>,
    pub fragment: bool,
}

/// The authorization response after an approval (RFC 6749 §4.1.2).
pub(crate) fn success(app: &App, request: &Request, user: usize, status: StatusCode) -> Response {
    let user = request.chosen.unwrap_or(user);
    let mut pairs: Vec<(&str, String)> = Vec::new();
    {
        let mut db = app.db();
        db.prune();
        let id = issue::open_grant(app, &mut db, request, user);
        if !request.implicit {
            pairs.push(("code", issue::code(app, &mut db, id, request)));
        }
        if (request.implicit || request.hybrid)
            && let Some(grant) = db.grants.get(&id).cloned()
        {
            let rights = issue::Rights {
                scopes: grant.scopes.clone(),
                audience: grant.resources.clone(),
                details: grant.details.clone(),
                refreshed: false,
            };
            let (token, life) = issue::access(app, &mut db, id, &grant, &request.client, rights);
            pairs.extend([
                ("access_token", token),
                ("token_type", "Bearer".into()),
                ("expires_in", life.to_string()),
            ]);
        }
    }
    let target = Target {
        uri: &request.redirect_uri,
        state: request.state.as_deref(),
        fragment: request.fragment,
    };
    answer(app, &target, pairs, status)
}

/// The authorization response after a refusal (RFC 6749 §4.1.2.1).
pub(crate) fn error_redirect(
    app: &App,
    target: &Target<'_>,
    error: &str,
    description: &str,
    status: StatusCode,
) -> Response {
    answer(
        app,
        target,
        vec![
            ("error", error.to_owned()),
            ("error_description", description.to_owned()),
        ],
        status,
    )
}

fn answer(
    app: &App,
    target: &Target<'_>,
    mut pairs: Vec<(&str, String)>,
    status: StatusCode,
) -> Response {
    let is_error = pairs.iter().any(|(name, _)| *name == "error");
    let mut state = target.state.map(str::to_owned);
    if app.broken(Fault::StateTrimmed) {
        state = state.map(|state| state.trim().to_owned());
    }
    if app.broken(Fault::StateCut) {
        state = state.map(|state| state.chars().take(255).collect());
    }
    if app.broken(Fault::StateInvented) && state.is_none() {
        state = Some(String::new());
    }
    if app.broken(Fault::StateLostOnError) && is_error {
        state = None;
    }
    let raw_state = app.broken(Fault::StateUnencoded) || app.broken(Fault::HeaderInjection);
    if let Some(state) = state.clone().filter(|_| !raw_state) {
        pairs.push(("state", state));
    }
    let iss = match () {
        () if app.broken(Fault::IssWrong) => "https://issuer.example".to_owned(),
        () if app.broken(Fault::IssSlash) => format!("{}/", app.issuer),
        () => app.issuer.clone(),
    };
    if !app.broken(Fault::IssMissing) && !(is_error && app.broken(Fault::IssMissingOnError)) {
        pairs.push(("iss", iss.clone()));
        if app.broken(Fault::IssTwice) {
            pairs.push(("iss", iss));
        }
    }
    let pairs: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let mut location = if target.fragment {
        // A fragment of its own: the registered URI has none.
        let query = http::with_query("", &pairs);
        format!("{}#{}", target.uri, query.trim_start_matches('?'))
    } else if app.broken(Fault::RedirectQueryLost) {
        http::with_query(target.uri.split('?').next().unwrap_or_default(), &pairs)
    } else {
        http::with_query(target.uri, &pairs)
    };
    let mut injected = Vec::new();
    if raw_state && let Some(state) = state {
        let mut lines = state.split(['\r', '\n']).filter(|line| !line.is_empty());
        location.push_str("&state=");
        if app.broken(Fault::HeaderInjection) {
            location.push_str(lines.next().unwrap_or_default());
            injected.extend(
                lines
                    .filter_map(|line| line.split_once(':'))
                    .map(|(name, value)| (name.to_owned(), value.trim().to_owned())),
            );
        } else {
            location.push_str(&state);
        }
    }
    let Some(mut response) = http::redirect(status, &location) else {
        return pages::refusal(
            app,
            StatusCode::BAD_REQUEST,
            "The redirect URI cannot be used.",
        );
    };
    for (name, value) in injected {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(&value),
        ) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
