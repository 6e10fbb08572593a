//! Login and consent: a page each, bound to the browser that began, and one outcome for each request.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use jose::random_token;

use crate::{
    App, Fault, HaspFault, HightopFault,
    answer::{self, Target},
    approval::{Approval, Limits},
    authorize::Request,
    device,
    face::{FieldKind, LoginPage},
    http::{self, Params},
    pages,
    state::{Db, Interaction, Phase, Session, now},
};

const COOKIE: &str = "oauthspec_session";
/// Long enough for a person, in seconds.
const SESSION_LIFE: u64 = 3600;

/// The browser's session, if it has a live one.
pub(crate) fn session(app: &App, headers: &HeaderMap) -> Option<(String, Session)> {
    let id = http::cookie(headers, COOKIE)?;
    let session = app
        .db()
        .sessions
        .get(id)
        .filter(|session| session.expires > now())
        .cloned()?;
    Some((id.to_owned(), session))
}

fn set_cookie(app: &App, response: &mut Response, id: &str) {
    let rules = match () {
        () if app.broken(Fault::SessionCookieOpen) => "Path=/",
        () if app.broken(Fault::ConsentWithoutCsrf) => "Path=/; HttpOnly",
        () => "Path=/; HttpOnly; SameSite=Lax",
    };
    let secure = match app.face.rules.https {
        true => "; Secure",
        false => "",
    };
    http::set(
        response,
        header::SET_COOKIE,
        &format!("{COOKIE}={id}; {rules}{secure}"),
    );
}

/// Sends the browser to the login page, or to the consent page when somebody is logged in.
pub(crate) fn begin(
    app: &Arc<App>,
    _headers: &HeaderMap,
    request: Request,
    user: Option<usize>,
    session: Option<String>,
    status: StatusCode,
) -> Response {
    let id = random_token(24);
    let mut db = app.db();
    db.prune();
    let (session, fresh) = match session {
        Some(session) => (session, false),
        None => (random_token(24), true),
    };
    if fresh {
        db.sessions.insert(
            session.clone(),
            Session {
                expires: now() + SESSION_LIFE,
                ..Session::default()
            },
        );
    }
    // Whoever is logged in already has only those pages left that do not ask who it is.
    let left = match user {
        None => Some(0),
        Some(_) => (app.face.login.iter()).position(|page| !identifies(page)),
    };
    let left = left.filter(|page| *page < app.face.login.len());
    let (phase, page) = match left {
        None => (Phase::Consent, app.face.paths.consent),
        Some(_) if app.broken(HightopFault::InteractionElsewhere) => (Phase::Login, "/login"),
        Some(_) => (Phase::Login, app.face.paths.login),
    };
    let expires = now() + app.face.lifetimes.interaction;
    let interaction = Interaction {
        request,
        session: session.clone(),
        csrf: random_token(24),
        user,
        claimed: user,
        page: left.unwrap_or_default(),
        phase,
        expires,
    };
    db.interactions.insert(id.clone(), interaction);
    drop(db);
    let Some(mut response) = http::redirect(status, &app.url(&format!("{page}/{id}"))) else {
        return pages::refusal(app, StatusCode::INTERNAL_SERVER_ERROR, "No way on.");
    };
    if fresh {
        set_cookie(app, &mut response, &session);
    }
    response
}

/// Whether a page of the login asks who somebody is.
fn identifies(page: &LoginPage) -> bool {
    page.fields
        .iter()
        .any(|field| field.kind != FieldKind::Agent)
}

/// The interaction, if it is this browser's and in this phase.
fn find(app: &App, db: &Db, headers: &HeaderMap, id: &str) -> Option<Interaction> {
    let interaction = db
        .interactions
        .get(id)
        .filter(|interaction| interaction.expires > now())?;
    let own = http::cookie(headers, COOKIE) == Some(interaction.session.as_str());
    (own || app.broken(Fault::InteractionAnyBrowser)).then(|| interaction.clone())
}

fn gone(app: &App) -> Response {
    pages::refusal(
        app,
        StatusCode::BAD_REQUEST,
        "There is nothing to decide here: the request has expired, is over, or began in another browser.",
    )
}

/// Whether login and approval are told apart by what is next, not by the path.
fn one_path(app: &App) -> bool {
    app.face.paths.login == app.face.paths.consent
}

/// `GET` login page; where both are at one path, the approval too.
pub(crate) async fn login_page(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let interaction = find(&app, &app.db(), &headers, &id);
    match interaction {
        Some(interaction) if interaction.phase == Phase::Login => {
            pages::login(&app, &id, &interaction, None)
        }
        Some(interaction) if interaction.phase == Phase::Consent && one_path(&app) => {
            pages::consent(&app, &id, &interaction)
        }
        _ => gone(&app),
    }
}

/// A form of ours, or nothing.
fn form(headers: &HeaderMap, body: &[u8]) -> Option<Params> {
    Params::parse(body).filter(|params| http::is_form(headers) && params.repeated().is_none())
}

/// `POST` login page; where both are at one path, the approval too.
pub(crate) async fn login(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let next = find(&app, &app.db(), &headers, &id).map(|interaction| interaction.phase);
    if one_path(&app) && next != Some(Phase::Login) {
        return consent(State(app), Path(id), headers, body).await;
    }
    let Some(params) = form(&headers, &body) else {
        return gone(&app);
    };
    let mut db = app.db();
    let Some(interaction) =
        find(&app, &db, &headers, &id).filter(|interaction| interaction.phase == Phase::Login)
    else {
        drop(db);
        return gone(&app);
    };
    if params.get("csrf") != Some(interaction.csrf.as_str()) {
        drop(db);
        return pages::refusal(
            &app,
            StatusCode::FORBIDDEN,
            "This form was not sent from its own page.",
        );
    }
    let step = app.face.login.get(interaction.page);
    let Some((user, agent)) = step.and_then(|page| answered(&app, page, &interaction, &params))
    else {
        drop(db);
        return pages::login(
            &app,
            &id,
            &interaction,
            Some("This is not right. Try again."),
        );
    };
    let next = app.face.login.get(interaction.page + 1);
    // The last page that asks who it is has been answered.
    let now_known =
        interaction.user.is_none() && !next.is_some_and(identifies) && step.is_some_and(identifies);
    // A new session identifier at login: the old one may be known to somebody else (session fixation).
    let fresh = now_known.then(|| random_token(24));
    if let Some(fresh) = &fresh {
        db.sessions.remove(&interaction.session);
        db.sessions.insert(
            fresh.clone(),
            Session {
                user: Some(user),
                expires: now() + SESSION_LIFE,
                ..Session::default()
            },
        );
    }
    // Whoever came for a device types its code now.
    let for_device = interaction.request.device.is_some() && next.is_none();
    if for_device {
        db.interactions.remove(&id);
    } else if let Some(stored) = db.interactions.get_mut(&id) {
        if let Some(fresh) = &fresh {
            stored.session = fresh.clone();
            stored.user = Some(user);
        }
        stored.csrf = random_token(24);
        stored.claimed = Some(user);
        stored.request.agent = agent.or(stored.request.agent.take());
        stored.page += 1;
        if next.is_none() {
            stored.phase = Phase::Consent;
        }
    }
    drop(db);
    let login = match () {
        () if app.broken(HightopFault::InteractionElsewhere) => "/login",
        () => app.face.paths.login,
    };
    let path = match (next, app.face.device.filter(|_| for_device)) {
        (_, Some(paths)) => paths.page.to_owned(),
        (Some(_), None) => format!("{login}/{id}"),
        (None, None) => format!("{}/{id}", app.face.paths.consent),
    };
    let Some(mut response) = http::redirect(StatusCode::SEE_OTHER, &app.url(&path)) else {
        return gone(&app);
    };
    if let Some(fresh) = &fresh {
        set_cookie(&app, &mut response, fresh);
    }
    response
}

/// Who a page of the login has been answered by, and which agent was chosen on it. `None`: not as it should be.
fn answered(
    app: &App,
    page: &LoginPage,
    interaction: &Interaction,
    params: &Params,
) -> Option<(usize, Option<String>)> {
    let mut agent = None;
    let fits = |user: usize| {
        page.fields.iter().all(|field| {
            let given = params.get(field.name);
            if field.kind == FieldKind::Agent {
                let known = given.and_then(|id| app.agent(id));
                return known.is_some_and(|agent| agent.user == user);
            }
            let own = app.users.get(user).and_then(|user| user.field(field.name));
            own.is_some() && given == own
        })
    };
    let user = match interaction.claimed {
        Some(user) => Some(user).filter(|user| fits(*user)),
        None => (0..app.users.len()).find(|user| fits(*user)),
    }?;
    for field in page
        .fields
        .iter()
        .filter(|one| one.kind == FieldKind::Agent)
    {
        agent = params.get(field.name).map(str::to_owned);
    }
    Some((user, agent))
}

/// `GET` consent page.
pub(crate) async fn consent_page(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let interaction = find(&app, &app.db(), &headers, &id);
    match interaction {
        Some(interaction) if interaction.phase == Phase::Consent => {
            pages::consent(&app, &id, &interaction)
        }
        _ => gone(&app),
    }
}

/// Checks a decision and, unless `look_only`, marks it as taken.
fn decide(
    app: &App,
    headers: &HeaderMap,
    id: &str,
    params: &Params,
    look_only: bool,
) -> Result<(Interaction, bool), Response> {
    let mut db = app.db();
    let Some(mut interaction) = find(app, &db, headers, id) else {
        drop(db);
        return Err(gone(app));
    };
    let open = match interaction.phase {
        Phase::Consent => true,
        Phase::Approved => app.broken(Fault::InteractionReusable),
        Phase::Denied => {
            app.broken(Fault::ApproveAfterDeny) || app.broken(Fault::InteractionReusable)
        }
        Phase::Login => false,
    };
    // Whoever is logged in now must be the one the page was shown to.
    let session_user = db
        .sessions
        .get(&interaction.session)
        .filter(|session| session.expires > now())
        .and_then(|session| session.user);
    if !open || interaction.user.is_none() || session_user != interaction.user {
        drop(db);
        return Err(gone(app));
    }
    if params.get("csrf") != Some(interaction.csrf.as_str())
        && !app.broken(Fault::ConsentWithoutCsrf)
    {
        drop(db);
        return Err(pages::refusal(
            app,
            StatusCode::FORBIDDEN,
            "This form was not sent from its own page.",
        ));
    }
    let mut approved = match params.get("decision") {
        Some("approve") => true,
        Some("deny") => app.broken(Fault::DenialApproves),
        _ => {
            drop(db);
            return Err(pages::refusal(
                app,
                StatusCode::BAD_REQUEST,
                "Approve or deny?",
            ));
        }
    };
    if app.face.lets_choose() && !app.broken(Fault::PartialConsentIgnored) {
        let scopes = &mut interaction.request.scopes;
        let asked = scopes.len();
        scopes.retain(|scope| params.get(&format!("{}{scope}", pages::WITHHOLD)).is_none());
        // Whoever withholds everything has said no.
        approved &= asked == 0 || !scopes.is_empty();
    }
    if app.face.rules.limits && approved {
        interaction.request.limits = Limits::read(app, params);
        if interaction.request.limits.is_none() {
            drop(db);
            return Err(pages::refusal(
                app,
                StatusCode::BAD_REQUEST,
                "Every spending limit must be an amount.",
            ));
        }
    }
    if !look_only {
        if let Some(stored) = db.interactions.get_mut(id) {
            stored.phase = if approved {
                Phase::Approved
            } else {
                Phase::Denied
            };
        }
        if approved && let Some(session) = db.sessions.get_mut(&interaction.session) {
            let request = &interaction.request;
            session.approved.push(Approval {
                client: request.client.id.clone(),
                scopes: request.scopes.clone(),
                limits: request.limits.clone(),
            });
        }
    }
    Ok((interaction, approved))
}

/// `POST` consent page: the decision, taken once.
pub(crate) async fn consent(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(params) = form(&headers, &body) else {
        return gone(&app);
    };
    let mut decision = decide(
        &app,
        &headers,
        &id,
        &params,
        app.broken(Fault::InteractionRace),
    );
    if app.broken(Fault::InteractionRace) && decision.is_ok() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let _marked = decide(&app, &headers, &id, &params, false);
    }
    let (interaction, approved) = match decision {
        Ok(ref mut decision) => decision,
        Err(page) => return page,
    };
    let status = if app.broken(Fault::Redirect307) {
        StatusCode::TEMPORARY_REDIRECT
    } else {
        StatusCode::SEE_OTHER
    };
    let request = &interaction.request;
    if request.device.is_some() {
        return device::decided(&app, request, interaction.user.filter(|_| *approved));
    }
    if let Some(error) = request.late {
        let target = Target {
            uri: &request.redirect_uri,
            state: request.state.as_deref(),
            fragment: request.fragment,
        };
        return answer::error_redirect(
            &app,
            &target,
            error,
            "the request was not in order",
            status,
        );
    }
    // Nobody can approve for an agent that is not theirs.
    let foreign = (request.agent.as_deref())
        .and_then(|id| app.agent(id))
        .is_some_and(|agent| Some(agent.user) != interaction.user)
        && !app.broken(HaspFault::AgentOfAnybody);
    match (interaction.user, *approved && !foreign) {
        (Some(user), true) => answer::success(&app, request, user, status),
        _ => {
            let target = Target {
                uri: &request.redirect_uri,
                state: request.state.as_deref(),
                fragment: request.fragment,
            };
            answer::error_redirect(&app, &target, "access_denied", "the user said no", status)
        }
    }
}
