//! The HTML people see: plain forms, no script, everything that came from outside escaped.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{App, Fault, face::LoginStyle, http, state::Interaction};

fn send(app: &App, status: StatusCode, title: &str, body: Markup) -> Response {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { (title) } }
            body { h1 { (title) } (body) }
        }
    };
    let mut response = http::page(status, markup);
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
    let hint = interaction.request.login_hint.as_deref();
    let body = html! {
        @if let Some(problem) = problem { p role="alert" { (problem) } }
        @if app.broken(Fault::StateUnescaped) { p { "Request " (PreEscaped(interaction.request.state.clone().unwrap_or_default())) } }
        form method="post" action=(format!("{}/{id}", app.face.paths.login)) {
            input type="hidden" name="csrf" value=(interaction.csrf);
            @match app.face.login {
                LoginStyle::Password => {
                    label { "User name " input type="text" name="username" autocomplete="username" value=[hint]; }
                    label { "Password " input type="password" name="password" autocomplete="current-password"; }
                }
            }
            button type="submit" { "Log in" }
        }
    };
    send(app, status, "Log in", body)
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
    let what = html! {
        p {
            strong { (text(app, Fault::DcrNameUnescaped, title)) } " (" code { (request.client.id) } ") asks for access as " strong { (user) } "."
        }
        @if request.device.is_some() { p { "The device in your hands will be connected. Did you start this?" } }
        @else { p { "You will be sent to " code { (host) } "." } }
        h2 { "Scopes" }
        ul {
            @for scope in &request.scopes {
                li {
                    code { (scope) } " "
                    @if let Some((_, meaning)) = app.face.scopes.iter().find(|(name, _)| name == scope) { (meaning) }
                }
            }
        }
        h2 { "At" }
        ul { @for resource in &request.resources { li { code { (resource) } } } }
        @if !request.details.is_empty() {
            h2 { "Details" }
            ul { @for detail in &request.details { li { pre { (detail.to_string()) } } } }
        }
    };
    let body = html! {
        @if !app.broken(Fault::ConsentUninformed) { (what) } @else { p { "An application asks for access." } }
        form method="post" action=(format!("{}/{id}", app.face.paths.consent)) {
            input type="hidden" name="csrf" value=(interaction.csrf);
            button type="submit" name="decision" value="approve" { "Approve" }
            button type="submit" name="decision" value="deny" { "Deny" }
        }
    };
    send(app, StatusCode::OK, "Approve access", body)
}
