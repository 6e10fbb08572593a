//! The authorization endpoint (RFC 6749 §3.1, §4.1.1): what is wrong with a request is found before anybody is asked to log in.

use std::sync::Arc;

use crate::{
    AgnicFault, App, Fault, HightopFault,
    answer::{Target, error_redirect, success},
    approval, cimd,
    http::{self, Params},
    interaction, jar, pages, par, redirect,
    state::Client,
};
use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};

mod request;

pub(crate) use request::Request;
use request::{Stop, resources, scopes, validate};

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
