//! `call`: a request to a resource server with an access token (RFC 6750 §2.1).

use super::answer::{common, refusal};
use super::draft::{Draft, Encoding, Param};
use super::scene::Act;
use super::token::{forge, plain};
use super::{Answer, How, Outcome, Scene, dpop};
use crate::suite::model::{Step, Verb};
use crate::target::model::Resource;
use crate::transport::{Recorded, Reply};

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    let resource = scene
        .resource(act.step)
        .ok_or_else(|| Answer::NotApplicable("the target names no resource to call".into()))?;
    let names_token = act
        .change
        .with
        .iter()
        .chain(&act.step.given)
        .any(|(name, _)| name == "token")
        || act.change.without.iter().any(|name| name == "token");
    let token = if names_token {
        newest(scene, &client.name, resource)
    } else {
        Some(match newest(scene, &client.name, resource) {
            Some(token) => token,
            None => arrange(scene, act.step, &act.label).await?,
        })
    };
    let mut draft = Draft::new(&resource.method, resource.url.as_str(), Encoding::Form);
    draft.push_some("token", token);
    draft.credential = Some("token");
    if let Some((body, content_type)) = &resource.body {
        draft.body = Some(body.clone());
        draft.content_type = Some(content_type.clone());
    } else {
        draft.content_type = Some(String::new());
    }
    let names = scene.names(&client, (String::new(), String::new()));
    draft
        .arrange(&act.step.given, &names)
        .and_then(|()| draft.apply(act.change, &names))
        .map_err(Answer::NotApplicable)?;
    forge(scene, act, &mut draft)?;
    let sent = draft.sent();
    let token = draft.get("token");
    place_token(&mut draft);
    if let Some(revision) = &resource.mcp {
        speak_mcp(&mut draft, resource, revision);
    }
    let recorded = dpop::send(scene, act, draft, token, "rs").await;
    let mut outcome = Outcome::new(Verb::Call, &act.label, read(&recorded));
    outcome.client = client.name.clone();
    outcome.resource = Some(resource.name.clone());
    outcome.sent = sent;
    if let Ok(reply) = &recorded.reply {
        outcome
            .fields
            .insert("status".into(), reply.status.to_string());
        // Where there are no sessions, one that is made up stands for them.
        let session = reply.header("mcp-session-id");
        let session = session.unwrap_or_else(|| jose::random_token(16));
        outcome.fields.insert("session".into(), session);
    }
    Ok(outcome)
}

/// The headers of a message to an MCP server, unless the step says something else in their place.
fn speak_mcp(draft: &mut Draft, resource: &Resource, revision: &str) {
    let body = resource.body.as_ref().map(|(body, _)| body.as_str());
    let message: serde_json::Value =
        serde_json::from_str(body.unwrap_or_default()).unwrap_or_default();
    let text = |pointer: &str| {
        let value = message.pointer(pointer).and_then(|value| value.as_str());
        value.map(str::to_owned)
    };
    let headers = [
        ("Accept", Some("application/json, text/event-stream".into())),
        ("MCP-Protocol-Version", Some(revision.to_owned())),
        ("Mcp-Method", text("/method")),
        ("Mcp-Name", text("/params/name")),
    ];
    for (name, value) in headers {
        let said = draft
            .headers
            .iter()
            .any(|(own, _)| own.eq_ignore_ascii_case(name));
        if let Some(value) = value.filter(|_| !said) {
            draft.headers.push((name.to_owned(), value));
        }
    }
}

/// `token` is a parameter only until here: it becomes the Authorization header.
pub(crate) fn place_token(draft: &mut Draft) {
    let raw = draft
        .params
        .iter()
        .find(|(name, _)| name == "token")
        .map(|(_, value)| value.clone());
    draft.remove("token");
    if draft.authorization.is_none()
        && let Some(Param::Text(token) | Param::Raw(token)) = raw
    {
        let scheme = match draft.option("@dpop") {
            Some(_) => "DPoP",
            None => "Bearer",
        };
        draft.authorization = Some(format!("{scheme} {token}"));
    }
}

/// The newest access token of the client that should work at this resource.
fn newest(scene: &Scene<'_>, client: &str, resource: &Resource) -> Option<String> {
    scene
        .outcomes
        .iter()
        .rev()
        .filter(|outcome| outcome.client == client && outcome.answer == Answer::Success)
        .find(|outcome| outcome.field("access_token").is_some() && serves(scene, outcome, resource))
        .and_then(|outcome| outcome.field("access_token"))
        .map(str::to_owned)
}

/// Whether a token was issued for this probe: same resource, or same audience and enough scope.
fn serves(scene: &Scene<'_>, outcome: &Outcome, resource: &Resource) -> bool {
    let issued_for = outcome
        .resource
        .as_deref()
        .and_then(|name| scene.world.target.resource(name));
    let Some(issued_for) = issued_for else {
        return false;
    };
    let granted = outcome
        .field("scope")
        .or(outcome.field("requested_scope"))
        .unwrap_or_default();
    let enough = resource
        .scope
        .as_deref()
        .unwrap_or_default()
        .split_whitespace()
        .all(|scope| granted.split_whitespace().any(|have| have == scope));
    enough
        && issued_for.id == resource.id
        && (issued_for.rar == resource.rar || resource.rar.is_none())
}

/// Makes a grant for this resource.
async fn arrange(scene: &mut Scene<'_>, step: &Step, label: &str) -> Result<String, Answer> {
    let outcome = scene.arrange(plain(Verb::Grant, step), label).await?;
    match (outcome.answer.clone(), outcome.field("access_token")) {
        (Answer::Success, Some(token)) => Ok(token.to_owned()),
        (answer, _) => Err(match answer {
            Answer::Throttled(_) | Answer::NoAnswer(_) => answer,
            other => Answer::NotApplicable(format!("the grant before it {}", other.words())),
        }),
    }
}

/// Reads a resource server's answer (RFC 6750 §3).
pub(super) fn read(recorded: &Recorded) -> Answer {
    let reply = match common(recorded) {
        Ok(reply) => reply,
        Err(answer) => return answer,
    };
    if reply.is_success() {
        return Answer::Success;
    }
    match challenge_error(reply) {
        Some(error) => Answer::Refused {
            status: reply.status,
            error,
            how: How::Challenge,
        },
        None => refusal(reply),
    }
}

/// The `error` of the Bearer (or DPoP) challenge; `Some(None)` is a challenge without error.
pub(crate) fn challenge_error(reply: &Reply) -> Option<Option<String>> {
    let parsed = wire::challenge::parse(reply.all("www-authenticate"));
    let challenge = parsed.scheme("bearer").or_else(|| parsed.scheme("dpop"))?;
    Some(challenge.param("error").map(str::to_owned))
}
