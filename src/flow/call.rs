//! `call`: a request to a resource server with an access token (RFC 6750 §2.1).

use super::answer::{common, refusal};
use super::draft::{Draft, Encoding, Param};
use super::scene::Act;
use super::token::{forge, plain};
use super::{Answer, How, Outcome, Scene, dpop, mcp};
use crate::suite::model::{Step, Verb};
use crate::targets::model::{Client, Resource};
use crate::transport::{Recorded, Reply};

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    let resource = scene
        .resource(act.step)
        .ok_or_else(|| Answer::NotApplicable("the target names no resource to call".into()))?;
    let names = |(name, _): &(String, _)| name == "token";
    let given = act.step.given.iter().any(names);
    let names_token = given
        || act.change.with.iter().any(names)
        || act.change.without.iter().any(|name| name == "token");
    // A session is opened with the right token, whatever the request itself then carries.
    let revision = resource.mcp.as_deref();
    let in_session =
        revision.is_some_and(mcp::has_sessions) && !mcp::names_session(act.step, &act.change.with);
    let token = match newest(scene, &client.name, resource) {
        None if !names_token || (in_session && !given) => {
            Some(arrange(scene, act.step, &act.label).await?)
        }
        known => known,
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
    let pkce = || (String::new(), String::new());
    draft
        .arrange(&act.step.given, &scene.names(&client, pkce()))
        .map_err(Answer::NotApplicable)?;
    let mut session = None;
    if let Some(revision) = revision.filter(|_| in_session) {
        let token = draft.get("token");
        match mcp::open(scene, &act.label, resource, revision, token.as_deref()).await {
            Ok(opened) => session = opened,
            Err(refused) if act.change.is_empty() => {
                return Ok(outcome(act, &client, resource, &refused));
            }
            // Not what the step is about: its deviation was not tried.
            Err(refused) => {
                let words = read(&refused).words();
                return Err(Answer::NoAnswer(format!(
                    "found no session: initialize {words}"
                )));
            }
        }
        let header = session.iter();
        let named = header.map(|session| (mcp::SESSION.to_owned(), session.clone()));
        draft.headers.extend(named);
    }
    draft
        .apply(act.change, &scene.names(&client, pkce()))
        .map_err(Answer::NotApplicable)?;
    forge(scene, act, &mut draft)?;
    let sent = draft.sent();
    let token = draft.get("token");
    place_token(&mut draft);
    if let Some(revision) = revision {
        mcp::speak(&mut draft, resource, revision);
    }
    let recorded = dpop::send(scene, act, draft, token, "rs").await;
    let mut outcome = outcome(act, &client, resource, &recorded);
    outcome.sent = sent;
    if let Some(session) = session {
        outcome.fields.insert("mcp_session".into(), session.clone());
        outcome.fields.insert("session".into(), session);
    }
    Ok(outcome)
}

/// What came of the request.
fn outcome(act: &Act<'_>, client: &Client, resource: &Resource, recorded: &Recorded) -> Outcome {
    let mut outcome = Outcome::new(Verb::Call, &act.label, read(recorded));
    outcome.client = client.name.clone();
    outcome.resource = Some(resource.name.clone());
    if let Ok(reply) = &recorded.reply {
        outcome
            .fields
            .insert("status".into(), reply.status.to_string());
        // Where there are no sessions, one that is made up stands for them.
        let session = reply.header("mcp-session-id");
        let session = session.unwrap_or_else(|| jose::random_token(16));
        outcome.fields.insert("session".into(), session);
    }
    outcome
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
