//! The authorization endpoint (RFC 6749 §3.1, §4.1.1): what is wrong with a request is found before anybody is asked to log in.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use serde_json::Value;

use crate::{
    AgnicFault, App, Fault, HaspFault, HightopFault,
    answer::{Target, error_redirect, success},
    approval, cimd,
    http::{self, Params},
    interaction, jar, pages, par, pkce, rar, redirect,
    rights::{read_resources, read_scopes},
    state::Client,
};

/// A request that may be put to the user.
#[derive(Clone, Default)]
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
    /// The key that must redeem the code (RFC 9449 §10).
    pub jkt: Option<String>,
    /// The device code this is decided for; empty as long as no user code has been typed.
    pub device: Option<String>,
    /// What goes back besides or instead of a code; nothing but by fault.
    pub implicit: bool,
    pub hybrid: bool,
    pub fragment: bool,
    /// The subject a parameter has chosen; by fault only.
    pub chosen: Option<String>,
    /// What may be spent, once that is known.
    pub limits: Option<approval::Limits>,
    /// The agent it is for, once that is known.
    pub agent: Option<String>,
    /// What is wrong with it and was not told before login; by fault only.
    pub late: Option<&'static str>,
    /// The reference it was pushed under (RFC 9126).
    pub pushed: Option<String>,
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
    let mut query = query.unwrap_or_default();
    if app.broken(Fault::PlusKept) {
        let kept = |pair: &str| match pair.strip_prefix("state=") {
            Some(state) => format!("state={}", state.replace('+', "%2B")),
            None => pair.to_owned(),
        };
        query = query.split('&').map(kept).collect::<Vec<_>>().join("&");
    }
    let params = Params::parse(query.as_bytes());
    let status = if app.broken(AgnicFault::RedirectStatus) {
        StatusCode::TEMPORARY_REDIRECT
    } else {
        StatusCode::FOUND
    };
    respond(&app, &headers, params, status).await
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
    let (params, pushed) = match par::resolve(app, params) {
        Ok(found) => found,
        Err(page) => return page,
    };
    if pushed.is_none()
        && app.face.knows_documents()
        && let Some(id) = params.get("client_id").filter(|id| cimd::is_url(id))
        && let Err(why) = cimd::discover(app, id).await
    {
        let what = format!("The client cannot be known: {why}.");
        return pages::refusal(app, StatusCode::BAD_REQUEST, &what);
    }
    let mut params = match jar::open(app, params).await {
        Ok(params) => params,
        Err(why) => {
            let what = format!("The request object is not valid: {why} (invalid_request_object).");
            return pages::refusal(app, StatusCode::BAD_REQUEST, &what);
        }
    };
    let session = interaction::session(app, headers);
    let user = session.as_ref().and_then(|(_, session)| session.user);
    let client = match client(app, &params) {
        Ok(client) => client,
        Err(page) => return page,
    };
    let state = params.get("state").map(str::to_owned);
    let (uri, trusted) = match redirect_uri(app, &client, &params, user.is_some(), pushed.is_some())
    {
        Ok(found) => found,
        Err(page) => return page,
    };
    if let Some(name) = missing(app, &params).filter(|_| trusted) {
        let what = format!("The request lacks the parameter {name}.");
        return pages::refusal(app, StatusCode::BAD_REQUEST, &what);
    }
    let late = (app.broken(HightopFault::ValidatesLate) && trusted)
        .then(|| forgiven(app, &client, &mut params))
        .flatten();
    let request = match validate(app, client, uri.clone(), pushed, &params) {
        Ok(_) if !trusted => return pages::bad_redirect_uri(app, &uri),
        Ok(request) => Request { late, ..request },
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

/// A required parameter that is not there, where a face tells that to the person and not to the client.
fn missing(app: &App, params: &Params) -> Option<&'static str> {
    let optional = |name: &str| match name {
        "state" => app.broken(AgnicFault::StateOptional),
        _ => app.broken(Fault::ResponseTypeAssumed),
    };
    ["state", "response_type"]
        .into_iter()
        .filter(|name| app.face.rules.parameters_required && !optional(name))
        .find(|name| params.get(name).is_none())
}

/// Takes what is wrong with scope and resource out of a request and returns its error code: for a fault that looks at them after login only.
fn forgiven(app: &App, client: &Client, params: &mut Params) -> Option<&'static str> {
    let good = app
        .face
        .resources
        .first()
        .map(|first| app.url(first.path))?;
    let wrong = match () {
        () if scopes(app, client, params).is_err() => "invalid_scope",
        () if resources(app, params).is_err() => "invalid_target",
        () => return None,
    };
    params.set("scope", app.face.default_scope);
    params.set("resource", &good);
    Some(wrong)
}

/// Whether a request that is pushed could be put to the user. `Err` is an error code and its description (RFC 9126 §2.3).
pub(crate) fn examine(
    app: &App,
    client: &Client,
    params: &Params,
) -> Result<(), (&'static str, String)> {
    match redirect_uri(app, client, params, false, true) {
        Ok((uri, true)) => validate(app, client.clone(), uri, Some(String::new()), params)
            .map(drop)
            .map_err(|stop| (stop.error, stop.description)),
        _ => Err((
            "invalid_request",
            "redirect_uri is not one of the client's".to_owned(),
        )),
    }
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
    pushed: bool,
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
            [only]
                if !app.face.rules.parameters_required
                    || app.broken(AgnicFault::RedirectUriOptional) =>
            {
                return Ok((only.clone(), true));
            }
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
    let unchecked = (app.broken(Fault::RedirectUncheckedNoSession) && !has_session)
        || (pushed && app.broken(Fault::ParRedirectUnchecked))
        || client.any_redirect_uri;
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

/// Everything but client and redirect URI. `pushed` is the reference of a pushed request.
fn validate(
    app: &App,
    mut client: Client,
    redirect_uri: String,
    pushed: Option<String>,
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
    if pushed.is_none() && client.push_required && !app.broken(Fault::ParUnrequired) {
        return stop("invalid_request", "the client must push its requests");
    }
    client.pkce_optional |= pushed.is_some() && app.broken(Fault::ParPkceOptional);
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
            let again = percent_decoded(text);
            let text = match app.broken(HaspFault::DecodedTwice) {
                true => &again,
                false => text,
            };
            rar::read(app, text).or_else(|what| stop("invalid_authorization_details", what))?
        }
        None => match app.face.rules.details_required {
            Some(_) if !app.broken(HaspFault::DetailsOptional) => {
                return stop("invalid_request", "authorization_details is required");
            }
            _ => Vec::new(),
        },
    };
    let agent = agent(app, params)?;
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
        device: None,
        jkt: params
            .get("dpop_jkt")
            .filter(|_| app.face.dpop && !app.broken(Fault::DpopJktIgnored))
            .map(str::to_owned),
        client,
        redirect_uri,
        state: params.get("state").map(str::to_owned),
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
        agent,
        limits: None,
        late: None,
        pushed,
    })
}

/// Text after one more round of percent-decoding.
fn percent_decoded(text: &str) -> String {
    match Params::parse(format!("x={text}").as_bytes()) {
        Some(params) => params.get("x").unwrap_or(text).to_owned(),
        None => text.to_owned(),
    }
}

/// The agent that the request names, where it must.
fn agent(app: &App, params: &Params) -> Result<Option<String>, Stop> {
    let Some(name) = app.face.rules.agent_parameter else {
        return Ok(None);
    };
    match params.get(name) {
        Some(id) if app.agent(id).is_some() || app.broken(HaspFault::AgentUnchecked) => {
            Ok(Some(id.to_owned()))
        }
        Some(_) => stop("invalid_request", format!("{name} is not known")),
        None if app.broken(HaspFault::AgentOptional) => {
            Ok(app.agents.first().map(|agent| agent.id.clone()))
        }
        None => stop("invalid_request", format!("{name} is required")),
    }
}

/// The scopes asked for, or the default ones (RFC 6749 §3.3).
fn scopes(app: &App, client: &Client, params: &Params) -> Result<Vec<String>, Stop> {
    let text = match params.get("scope") {
        Some(text) => text,
        None if params.sent("scope") && app.broken(Fault::EmptyNotOmitted) => {
            return stop("invalid_scope", "scope is empty");
        }
        None if app.broken(AgnicFault::DefaultScopeLess) => "balance:read",
        None => app.face.default_scope,
    };
    read_scopes(app, client, text).or_else(|what| stop("invalid_scope", what))
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
    if asked.is_empty() || app.broken(Fault::ResourceIgnored) || !app.face.rules.resource_indicators
    {
        let default = default.or_else(|| {
            let first = app.face.resources.first();
            first.filter(|_| app.broken(HightopFault::ResourceOptional))
        });
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

/// The subject a parameter names. Nothing but a login may choose the subject, so this is `None` on a correct server.
fn chosen_subject(app: &App, params: &Params) -> Option<String> {
    // Whoever is named becomes the subject, known or not.
    let subject = |name: &str| match app.user_named(name).and_then(|user| app.users.get(user)) {
        Some(user) => user.sub.clone(),
        None => name.to_owned(),
    };
    let by_hint = || {
        params
            .get("login_hint")
            .filter(|_| app.broken(Fault::LoginHintChoosesSubject))
            .map(subject)
    };
    let by_user_id = || {
        params
            .get("user_id")
            .filter(|_| app.broken(Fault::UserIdChoosesSubject))
            .map(subject)
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
        Some(subject(value.as_str()?))
    };
    let by_id_token = || {
        let token = params
            .get("id_token_hint")
            .filter(|_| app.broken(Fault::IdTokenHintChoosesSubject))?;
        Some(subject(jose::Token::parse(token).ok()?.claim_str("sub")?))
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
    mut request: Request,
    params: &Params,
    session: Option<(String, crate::state::Session)>,
    status: StatusCode,
) -> Response {
    let remembered = approval::remembered(
        app,
        &mut request,
        session.as_ref().map(|(_, session)| session),
    );
    let target = Target {
        uri: &request.redirect_uri,
        state: request.state.as_deref(),
        fragment: request.fragment,
    };
    let user = session.as_ref().and_then(|(_, session)| session.user);
    if app.broken(Fault::CodeWithoutUser) {
        return success(app, &request, 0, status);
    }
    let asks = |word: &str| request.prompt.iter().any(|own| own == word);
    if asks("none") && !(user.is_none() && app.broken(AgnicFault::NonePage)) {
        return match user {
            Some(user)
                if remembered
                    && request.prompt.len() == 1
                    && !app.broken(AgnicFault::NoneNever) =>
            {
                success(app, &request, user, status)
            }
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
            // As a rule consent is not remembered: any program could pose as a public client (RFC 9700 §4.14.2 and RFC 8252 §8.6).
            Some(_) => error_redirect(
                app,
                &target,
                "consent_required",
                "the user must be asked",
                status,
            ),
        };
    }
    let asks_consent = asks("consent") && !app.broken(AgnicFault::ConsentIgnored);
    let asks_login = asks("login") && !app.broken(AgnicFault::LoginIgnored);
    if let Some(user) = user.filter(|_| remembered && !asks_consent && !asks("login")) {
        return success(app, &request, user, status);
    }
    if let (Some((_, session)), Some(user)) = (&session, user)
        && request.prompt.is_empty()
    {
        let mut approved = session.approved.iter();
        let silently = (app.broken(Fault::AutoApprove)
            && approved.any(|approval| approval.client == request.client.id))
            || (app.broken(Fault::ConsentForAnyClient) && !session.approved.is_empty());
        if silently {
            return success(app, &request, user, status);
        }
    }
    let wants_login = asks_login || params.get("max_age") == Some("0");
    interaction::begin(
        app,
        headers,
        request,
        user.filter(|_| !wants_login),
        session.map(|(id, _)| id),
        status,
    )
}
