//! Where an authorization request leads before anybody does anything, and what a refusal there means.

use crate::client::draft::Param;
use crate::client::{Answer, Pkce, World, read, request};
use crate::doctor::Report;
use crate::login::{self, End, Visit, Walk, Will, walk};
use crate::targets::model::Client;
use crate::transport::{Recorded, Request};

/// Sends a correct authorization request. Who wants nothing ([`Will::Nothing`]) gets to the first page; anybody else, as the target's first user, as
/// far as the login steps lead.
pub(super) async fn open(world: &World, client: &Client, uri: &str, will: Will) -> (End, Walk) {
    let mut log = Vec::new();
    let request = match correct(world, client, uri, &mut log).await {
        Ok(request) => request,
        Err(answer) => return unpushed(log, &answer),
    };
    let browser = login::Browser::new();
    let arrived = |url: &str| url.starts_with(uri);
    let visit = Visit {
        transport: &world.transport,
        browser: &browser,
        login: &world.target.login,
        user: world.target.users.first().filter(|_| will != Will::Nothing),
        will,
        arrived: &arrived,
    };
    match will {
        Will::Nothing => walk::look(&visit, request).await,
        _ => login::follow(&visit, request).await,
    }
}

/// The correct authorization request of a client with this redirect URI; pushed first where the server wants that (RFC 9126 §5).
async fn correct(
    world: &World,
    client: &Client,
    uri: &str,
    log: &mut Vec<Recorded>,
) -> Result<Request, Answer> {
    let resource = world.target.resource("a");
    let state = jose::random_token(16);
    let mut draft = request::authorization(world, client, resource, &Pkce::fresh(), &state)?;
    draft.set("redirect_uri", vec![Param::Text(uri.to_owned())]);
    if world.pushes() {
        let push = request::push(world, client, &draft)?;
        let recorded = world.transport.send(push.finish()).await;
        let (answer, said) = read::PUSHED.read(&recorded);
        log.push(recorded);
        if answer != Answer::Success {
            return Err(answer);
        }
        request::refer_to(&mut draft, said.get("request_uri"));
    }
    Ok(draft.finish())
}

/// A request that cannot be made, or that the server did not let us push: its answer stands in place of a page.
fn unpushed(log: Vec<Recorded>, answer: &Answer) -> (End, Walk) {
    let about = format!("the pushed authorization request {}", answer.words());
    let end = match answer {
        Answer::Refused { status, .. } => End::Page {
            status: *status,
            about,
        },
        Answer::ServerError(status) => End::ServerError(*status),
        Answer::Throttled(why) => End::Throttled(why.clone()),
        Answer::NoAnswer(why) => End::NoAnswer(why.clone()),
        other => End::Stuck(other.words()),
    };
    let walk = Walk {
        log,
        ..Walk::default()
    };
    (end, walk)
}

/// The text of the last page.
pub(super) fn last_text(walk: &Walk) -> String {
    walk.log
        .last()
        .and_then(|recorded| recorded.reply.as_ref().ok())
        .map(|reply| reply.text())
        .unwrap_or_default()
}

/// Whether a login begins there (or a server that asks nobody has approved).
pub(super) fn begins(end: &End) -> bool {
    match end {
        End::Page { status, .. } => *status < 400,
        End::Redirect { location, .. } => {
            let location = wire::location::read(location, None);
            ["code", "access_token"]
                .iter()
                .any(|name| location.query_pairs().first(name).is_some())
        }
        _ => false,
    }
}

/// An error that came back to the client with a redirect.
pub(super) fn refused(report: &mut Report, world: &World, client: &Client, location: &str) {
    let read = wire::location::read(location.as_bytes(), None);
    let get = |name: &str| read.query_pairs().first(name).unwrap_or_default();
    let (error, description) = (get("error"), get("error_description"));
    if error.is_empty() {
        report.problem(
            "redirect-astray",
            format!("the authorization request leads to {location}"),
            "if that host belongs to the server, add it to hosts in the target file",
        );
        return;
    }
    explain(report, world, client, &error, &description);
}

/// An error in the answer itself; false when it says nothing that can be read.
pub(super) fn answered(report: &mut Report, world: &World, client: &Client, body: &str) -> bool {
    let Ok(serde_json::Value::Object(object)) = serde_json::from_str(body) else {
        return false;
    };
    let get = |name: &str| {
        object
            .get(name)
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (error, description) = (get("error"), get("error_description"));
    if error.is_empty() || description.contains("redirect") || error.contains("redirect") {
        return false;
    }
    explain(report, world, client, &error, &description);
    true
}

/// What an error code at the authorization endpoint means for the target file.
fn explain(report: &mut Report, world: &World, client: &Client, error: &str, description: &str) {
    let target = &world.target;
    let name = &client.name;
    let said = if description.is_empty() {
        error.to_owned()
    } else {
        format!("{error}: {description}")
    };
    let lower = description.to_ascii_lowercase();
    let about = |word: &str| lower.contains(word);
    let resource = target.resources.first();
    let known = world
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.get("scopes_supported")?.as_array().cloned())
        .unwrap_or_default();
    let known: Vec<&str> = known.iter().filter_map(serde_json::Value::as_str).collect();
    let (kind, what, fix): (&'static str, String, String) = match error {
        "invalid_scope" => (
            "scope-unknown",
            format!("the server refuses the scope ({said})"),
            format!(
                "correct scope under [policy] and [resource.NAME]{}",
                if known.is_empty() { String::new() } else { format!("; announced are: {}", known.join(" ")) }
            ),
        ),
        "invalid_target" if resource.is_some_and(|resource| resource.id.is_some()) => (
            "resource-id",
            format!("the server does not know the resource {} ({said})", resource.and_then(|r| r.id.as_deref()).unwrap_or_default()),
            "correct id under [resource.a], character for character; its protected resource metadata names it".to_owned(),
        ),
        "invalid_target" => (
            "resource-missing",
            format!("the server wants a resource indicator ({said})"),
            "write id under [resource.a]: the identifier of the API (RFC 8707)".to_owned(),
        ),
        "invalid_authorization_details" => (
            "rar-invalid",
            format!("the server refuses the authorization details ({said})"),
            "correct details under [rar.NAME]".to_owned(),
        ),
        "unauthorized_client" => (
            "client-grant",
            format!("client {name} may not use this flow ({said})"),
            "allow it the authorization code flow at the server".to_owned(),
        ),
        "invalid_client" => (
            "client-unknown",
            format!("the server does not know client {name} ({said})"),
            format!("correct id under [client.{name}], or register the client there"),
        ),
        "server_error" | "temporarily_unavailable" => (
            "server-error",
            format!("the server failed at a correct request ({said}): that is the server's failure"),
            "look at the server's log".to_owned(),
        ),
        "access_denied" => (
            "login-denied",
            format!("the user was refused ({said})"),
            "look whether press names the button that approves, and whether the user may use this client".to_owned(),
        ),
        _ if about("authorization_details") => (
            "rar-missing",
            format!("the server wants authorization details ({said})"),
            "write [rar.NAME] with details, and rar = \"NAME\" under [policy]".to_owned(),
        ),
        _ if about("resource") => (
            "resource-missing",
            format!("the server wants a resource indicator ({said})"),
            "write id under [resource.a]: the identifier of the API (RFC 8707)".to_owned(),
        ),
        _ if about("request_uri") || about("pushed") => (
            "par-required",
            format!("the server wants pushed authorization requests only ({said})"),
            "its metadata must say so: require_pushed_authorization_requests, and where the endpoint is (RFC 9126 §5)".to_owned(),
        ),
        _ => (
            "authorization-request",
            format!("the server refuses a correct authorization request ({said})"),
            "if it wants a further parameter, write it under [params]: agent_id = \"agent-1\"".to_owned(),
        ),
    };
    report.problem(kind, what, fix);
}
