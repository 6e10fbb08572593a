//! Does every probe answer with a token, refuse without one, and can the introspection client introspect?

use crate::doctor::Report;
use crate::flow::{Answer, How, Outcome, Scene, World};
use crate::suite::model::{Change, Step, User, Verb};
use crate::targets::model::{Driver, Resource};
use crate::transport::redact::excerpt;
use crate::transport::{Reply, Request};

pub(super) async fn look(report: &mut Report, world: &World, scene: &mut Scene<'_>) {
    if world.target.resources.is_empty() {
        report.warning(
            "probe-missing",
            "the target names no protected resource: accepted tokens cannot be tried",
            "add [resource.a] with probe = \"GET /v1/me\", a harmless request",
        );
        return;
    }
    let change = Change::default();
    for (number, resource) in world.target.resources.iter().enumerate() {
        let mut step = Step::new(Verb::Call);
        step.at = Some(resource.name.clone());
        let called = scene
            .perform(&step, &change, User::Approve, 4 + number)
            .await
            .clone();
        if called.answer == Answer::Success {
            without_token(report, world, resource).await;
        } else {
            explain(report, world, scene, resource, &called);
        }
    }
}

/// A probe that answers everybody cannot tell a good token from a bad one.
async fn without_token(report: &mut Report, world: &World, resource: &Resource) {
    let mut request = Request {
        method: resource.method.clone(),
        url: resource.url.to_string(),
        ..Request::default()
    };
    if let Some((body, media)) = &resource.body {
        request.body = body.clone().into_bytes();
        request.set("Content-Type", media.clone());
    }
    let name = &resource.name;
    let probe = format!("{} {}", resource.method, resource.url);
    match world.transport.send_patiently(request).await.reply {
        Ok(reply) if reply.is_success() => report.problem(
            "probe-open",
            format!(
                "the probe `{probe}` of resource {name} answers {} without a token",
                reply.status
            ),
            format!("name a request under [resource.{name}] that needs one"),
        ),
        _ => report.good("probe", format!("{name}: {probe}")),
    }
}

fn explain(
    report: &mut Report,
    world: &World,
    scene: &Scene<'_>,
    resource: &Resource,
    called: &Outcome,
) {
    let name = &resource.name;
    let probe = format!("{} {}", resource.method, resource.url);
    let last = scene.last_exchange(called);
    let reply = last.and_then(|last| last.reply.as_ref().ok());
    let body = last.map_or_else(String::new, |last| excerpt(last, 200));
    let here = format!("under [resource.{name}]");
    match &called.answer {
        Answer::Refused { status: 401, .. } if world.target.login.driver == Driver::Tokens => {
            report.problem(
                "token-dead",
                format!(
                    "the given token for resource {name} is refused by `{probe}` (401): {}",
                    challenge(reply)
                ),
                format!("give a live one: token.{name} under [login]"),
            )
        }
        Answer::Refused {
            error,
            status,
            how: How::Challenge,
        } if *status == 403 || error.as_deref() == Some("insufficient_scope") => {
            let wanted = reply.and_then(|reply| parameter(reply, "scope"));
            let wanted =
                wanted.map_or_else(String::new, |scope| format!("; the server names “{scope}”"));
            report.problem(
                "scope-missing",
                format!(
                    "`{probe}` wants more scope than “{}”{wanted}",
                    resource.scope.as_deref().unwrap_or("none")
                ),
                format!("write scope {here}"),
            );
        }
        Answer::Refused { status: 401, .. } => report.problem(
            "probe-refused",
            format!(
                "`{probe}` refuses a fresh token (401): {}",
                challenge(reply)
            ),
            format!(
                "correct id {here} (the token may be meant for another resource), or the probe"
            ),
        ),
        Answer::Refused {
            status: status @ (404 | 405 | 410),
            ..
        } => report.problem(
            "probe-path",
            format!("`{probe}` is answered {status}"),
            format!("correct method and path of probe {here}"),
        ),
        Answer::Refused { status: 403, .. } => report.problem(
            "scope-missing",
            format!("`{probe}` is answered 403 with a fresh token: {body}"),
            format!("write scope {here}, or rar if it needs an authorization detail"),
        ),
        Answer::Refused { status, .. } => report.problem(
            "probe-request",
            format!("`{probe}` is answered {status} with a fresh token: {body}"),
            format!("correct probe, body and content_type {here}"),
        ),
        Answer::ServerError(status) => report.problem(
            "server-error",
            format!(
                "`{probe}` is answered {status} with a fresh token: that is the server's failure"
            ),
            "look at the server's log",
        ),
        Answer::NoAnswer(why) => report.problem(
            "probe-unreachable",
            format!("`{probe}` gets no answer: {why}"),
            format!("correct host and port of probe {here}"),
        ),
        Answer::Throttled(why) => report.problem(
            "throttled",
            format!("`{probe}` {why}"),
            "wait, or lower --rate",
        ),
        other => report.problem(
            "probe-grant",
            format!("no token for resource {name}: it {}", other.words()),
            format!("correct id, scope and rar {here}"),
        ),
    }
}

fn challenge(reply: Option<&Reply>) -> String {
    reply
        .and_then(|reply| reply.header("www-authenticate"))
        .unwrap_or_else(|| "no challenge".to_owned())
}

fn parameter(reply: &Reply, name: &str) -> Option<String> {
    let parsed = wire::challenge::parse(reply.all("www-authenticate"));
    parsed.scheme("bearer")?.param(name).map(str::to_owned)
}

/// Whether the client that may introspect does.
pub(super) async fn introspection(report: &mut Report, world: &World, scene: &mut Scene<'_>) {
    let Some(client) = &world.target.introspection_client else {
        return;
    };
    if world.endpoints.introspection.is_none() {
        report.warning(
            "introspection-missing",
            "the server has no introspection endpoint",
            "remove [introspection], or write introspection under [endpoints]",
        );
        return;
    }
    let step = Step::new(Verb::Introspect);
    let outcome = scene
        .perform(&step, &Change::default(), User::Approve, 90)
        .await
        .clone();
    match outcome.answer {
        Answer::Success if outcome.field("active") == Some("true") => {
            report.good("introspection", format!("client {client} may introspect"));
        }
        Answer::Success => report.problem(
            "introspection-client",
            format!("client {client} introspects a live token and is told that it is not active"),
            "name a client under [introspection] that may see the tokens of others",
        ),
        other => report.problem(
            "introspection-client",
            format!("client {client} may not introspect: it {}", other.words()),
            "name a client under [introspection] that may, with its secret",
        ),
    }
}
