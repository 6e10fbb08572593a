//! The HTML people see: plain forms, no script, everything that came from outside escaped.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    AgnicFault, App, Fault,
    face::{FieldKind, LoginField},
    http,
    state::Interaction,
};

fn send(app: &App, status: StatusCode, title: &str, body: Markup) -> Response {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { (title) } }
            body { h1 { (title) } (body) }
        }
    };
    let status = match status {
        StatusCode::BAD_REQUEST if app.broken(AgnicFault::ErrorPage200) => StatusCode::OK,
        other => other,
    };
    let mut response = http::page(status, markup);
    if app.broken(Fault::ReferrerUnset) {
        response.headers_mut().remove(header::REFERRER_POLICY);
    }
    if app.broken(Fault::FramingAllowed) {
        response.headers_mut().remove(header::X_FRAME_OPTIONS);
        response.headers_mut().insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'"),
        );
    }
    response
}

/// Outside text, escaped unless a fault says otherwise.
fn text(app: &App, raw: Fault, value: &str) -> Markup {
    if app.broken(raw) {
        PreEscaped(value.to_owned())
    } else {
        html! { (value) }
    }
}

/// A request that cannot go on, told to the person, not to the client.
pub(crate) fn refusal(app: &App, status: StatusCode, what: &str) -> Response {
    send(
        app,
        status,
        "This request cannot be completed",
        html! { p { (what) } },
    )
}

/// The client is unknown.
pub(crate) fn unknown_client(app: &App, client_id: &str) -> Response {
    let body = html! {
        p { "No client is registered under this identifier:" }
        p { code { (text(app, Fault::ClientIdUnescaped, client_id)) } }
    };
    send(app, StatusCode::BAD_REQUEST, "Unknown client", body)
}

/// The redirect URI is not one of the client's.
pub(crate) fn bad_redirect_uri(app: &App, asked: &str) -> Response {
    let body = html! {
        p { "The client has not registered this redirect URI:" }
        p { code { (text(app, Fault::RedirectUriUnescaped, asked)) } }
    };
    send(
        app,
        StatusCode::BAD_REQUEST,
        "Unregistered redirect URI",
        body,
    )
}

/// The login form.
pub(crate) fn login(
    app: &App,
    id: &str,
    interaction: &Interaction,
    problem: Option<&str>,
) -> Response {
    let status = if problem.is_some() {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    let page = app.face.login.get(interaction.page);
    let body = html! {
        @if let Some(problem) = problem { p role="alert" { (problem) } }
        @if app.broken(Fault::StateUnescaped) { p { "Request " (PreEscaped(interaction.request.state.clone().unwrap_or_default())) } }
        form method="post" action=(format!("{}/{id}", app.face.paths.login)) {
            input type="hidden" name="csrf" value=(interaction.csrf);
            @for one in page.map_or(&[][..], |page| page.fields) { (field(app, one, interaction)) }
            button type="submit" { (page.map_or("Log in", |page| page.button)) }
        }
    };
    dialog(app, status, page.map_or("Log in", |page| page.title), body)
}

fn field(app: &App, field: &LoginField, interaction: &Interaction) -> Markup {
    let hint = interaction.request.login_hint.as_deref();
    let own = |agent: &&crate::state::Agent| Some(agent.user) == interaction.claimed;
    html! {
        label {
            (field.label) " "
            @match field.kind {
                FieldKind::Name => input type="text" name=(field.name) autocomplete="username" value=[hint];,
                FieldKind::Email => input type="email" name=(field.name) autocomplete="username" value=[hint];,
                FieldKind::Password => input type="password" name=(field.name) autocomplete="current-password";,
                FieldKind::Code => input type="text" name=(field.name) inputmode="numeric" autocomplete="one-time-code";,
                FieldKind::Agent => select name=(field.name) {
                    @for agent in app.agents.iter().filter(own) { option value=(agent.id) { (agent.name) } }
                },
            }
        }
    }
}

/// A page with a form. Where pages need JavaScript, the form is in the script's hands: without it there is nothing to fill in.
fn dialog(app: &App, status: StatusCode, title: &str, body: Markup) -> Response {
    if !app.face.rules.script {
        return send(app, status, title, body);
    }
    const SCRIPT: &str = "const main = document.querySelector('main'); const bytes = Uint8Array.from(atob(main.dataset.page), c => c.charCodeAt(0)); main.innerHTML = new TextDecoder().decode(bytes);";
    let wrapped = html! {
        noscript { p { "This page needs JavaScript." } }
        main data-page=(STANDARD.encode(body.into_string())) {}
        script { (PreEscaped(SCRIPT)) }
    };
    let mut response = send(app, status, title, wrapped);
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; base-uri 'none'; frame-ancestors 'none'",
        STANDARD.encode(jose::sha256(SCRIPT.as_bytes()))
    );
    http::set(&mut response, header::CONTENT_SECURITY_POLICY, &policy);
    response
}

/// The form for a user code (RFC 8628 §3.3).
pub(crate) fn user_code(app: &App, action: &str, csrf: &str, code: &str, wrong: bool) -> Response {
    let status = if wrong {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    let body = html! {
        @if wrong { p role="alert" { "No device waits with this code." } }
        form method="post" action=(action) {
            input type="hidden" name="csrf" value=(csrf);
            label { "Code on your device " input type="text" name="user_code" autocomplete="off" value=(code); }
            button type="submit" { "Continue" }
        }
    };
    send(app, status, "Connect a device", body)
}

/// What became of a device.
pub(crate) fn device_decided(app: &App, approved: bool) -> Response {
    let what = if approved {
        "Your device is connected. You can close this page."
    } else {
        "The device has been turned away."
    };
    send(app, StatusCode::OK, "Done", html! { p { (what) } })
}

/// What the names of the fields begin with by which a scope is withheld.
pub(crate) const WITHHOLD: &str = "withhold_";

/// What the person allows to be spent, and where.
fn limits(app: &App) -> Markup {
    html! {
        h2 { "Spending limits, in USDC" }
        label { "Per transaction " input type="number" name="limit_transaction" min="0" value="1"; }
        @if !app.broken(AgnicFault::LimitsUnasked) {
            label { "Daily " input type="number" name="limit_daily" min="0" value="5"; }
            label { "Monthly " input type="number" name="limit_monthly" min="0" value="50"; }
            h2 { "Networks" }
            label { "Base " input type="checkbox" name="network_base" value="yes" checked; }
            label { "Solana " input type="checkbox" name="network_solana" value="yes"; }
        }
    }
}

/// The consent form: who asks, and for what.
pub(crate) fn consent(app: &App, id: &str, interaction: &Interaction) -> Response {
    let request = &interaction.request;
    let title = if request.client.title.is_empty() {
        &request.client.name
    } else {
        &request.client.title
    };
    let user = interaction
        .user
        .and_then(|user| app.users.get(user))
        .map_or("", |user| user.login_name());
    let host = wire::redirect_uri::Parts::split(&request.redirect_uri)
        .host
        .unwrap_or_default();
    let on_this_machine = |uri: &String| {
        let host = wire::redirect_uri::Parts::split(uri).host;
        matches!(host, Some("localhost" | "127.0.0.1" | "[::1]"))
    };
    let local = request.client.redirect_uris.iter().all(on_this_machine)
        && !app.broken(Fault::CimdLocalUnwarned);
    let what = html! {
        p {
            strong { (text(app, Fault::DcrNameUnescaped, title)) } " (" code { (request.client.id) } ") asks for access as " strong { (user) } "."
        }
        @if request.device.is_some() { p { "The device in your hands will be connected. Did you start this?" } }
        @else if !app.broken(Fault::CimdHostHidden) { p { "You will be sent to " code { (host) } "." } }
        @if local { p role="alert" { "Any program on this computer can pretend to be this application. Go on only if you have started it yourself." } }
        h2 { "Scopes" }
        ul {
            @for scope in &request.scopes {
                li {
                    code { (scope) } " "
                    @if let Some((_, meaning)) = app.face.scopes.iter().find(|(name, _)| name == scope) { (meaning) }
                }
            }
        }
        @if app.face.rules.resource_indicators {
            h2 { "At" }
            ul { @for resource in &request.resources { li { code { (resource) } } } }
        }
        @if let Some(agent) = request.agent.as_deref().and_then(|id| app.agent(id)) { p { "The agent is " strong { (agent.name) } "." } }
        @if !request.details.is_empty() {
            h2 { "Details" }
            ul { @for detail in &request.details { li { pre { (detail.to_string()) } } } }
        }
    };
    let body = html! {
        @if !app.broken(Fault::ConsentUninformed) { (what) } @else { p { "An application asks for access." } }
        form method="post" action=(format!("{}/{id}", app.face.paths.consent)) {
            input type="hidden" name="csrf" value=(interaction.csrf);
            @if app.face.rules.limits { (limits(app)) }
            @if app.face.lets_choose() {
                @for scope in &request.scopes {
                    label { input type="checkbox" name=(format!("{WITHHOLD}{scope}")) value="yes"; " Without " (scope) }
                }
            }
            button type="submit" name="decision" value="approve" { "Approve" }
            button type="submit" name="decision" value="deny" { "Deny" }
        }
    };
    dialog(app, StatusCode::OK, "Approve access", body)
}
