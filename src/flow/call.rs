//! `call`: a request to a resource server with an access token (RFC 6750 §2.1).

use super::change::{apply, arrange};
use super::scene::Act;
use super::{Answer, Outcome, Scene};
use crate::client::draft::Draft;
use crate::client::{Pkce, mcp, read, request};
use crate::event::Addressee;
use crate::suite::model::{Step, Verb};
use crate::targets::model::{Client, Resource};

/// A grant for the resource, so that there is a token to call it with.
pub(super) fn need(scene: &Scene<'_>, act: &Act<'_>, client: &Client) -> Option<Step> {
    let resource = scene.resource(act.step)?;
    let given = act.step.given.iter().any(|(name, _)| name == "token");
    let names_token = act.names("token") || act.change.without.iter().any(|name| name == "token");
    // A session is opened with the right token, whatever the request itself then carries.
    let wanted = !names_token || (session(act, resource).is_some() && !given);
    let nothing = newest(scene, &client.name, resource).is_none();
    (wanted && nothing).then(|| act.plain(Verb::Grant))
}

/// The revision of the MCP session that a call opens first; `None` where there are no sessions, or where the step says which one.
fn session<'r>(act: &Act<'_>, resource: &'r Resource) -> Option<&'r str> {
    let mut named = act.step.given.iter().chain(&act.change.with);
    let named = named.any(|(name, _)| {
        name.strip_prefix("@header.")
            .is_some_and(|header| header.eq_ignore_ascii_case(mcp::SESSION))
    });
    let revision = resource.mcp.as_deref()?;
    (mcp::has_sessions(revision) && !named).then_some(revision)
}

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    let resource = scene
        .resource(act.step)
        .ok_or_else(|| Answer::NotApplicable("the target names no resource to call".into()))?;
    let token = newest(scene, &client.name, resource).or_else(|| {
        // With too little scope it is the token of the grant that was made for it all the same.
        scene.newest(&client.name, "access_token")
    });
    let token = token.and_then(|outcome| outcome.field("access_token"));
    let mut draft = request::call(resource, token);
    let pkce = Pkce::default();
    arrange(&mut draft, &act.step.given, &scene.names(&client, &pkce))?;
    let mut opened = None;
    if let Some(revision) = session(act, resource) {
        match open(scene, act, resource, revision, &draft).await {
            Ok(session) => opened = session,
            Err(mut refused) => {
                refused.client = client.name;
                return Ok(refused);
            }
        }
        let header = opened.iter();
        let named = header.map(|session| (mcp::SESSION.to_owned(), session.clone()));
        draft.headers.extend(named);
    }
    apply(&mut draft, act.change, &scene.names(&client, &pkce))?;
    scene.forge(act, &mut draft)?;
    let sent = draft.sent();
    request::place_token(&mut draft);
    if let Some(revision) = &resource.mcp {
        mcp::speak(&mut draft, resource, revision);
    }
    let to = Addressee::ResourceServer;
    let mut outcome = scene.send(act, &client, draft, to, read::CALLED).await;
    outcome.sent = sent;
    about(scene, resource, &mut outcome);
    if opened.is_some() {
        outcome.asked.session.clone_from(&opened);
        outcome.asked.mcp_session = opened;
    }
    Ok(outcome)
}

/// What is known of a call besides its answer.
fn about(scene: &Scene<'_>, resource: &Resource, outcome: &mut Outcome) {
    outcome.resource = Some(resource.name.clone());
    let last = scene.log.last().map(|logged| &logged.recorded.reply);
    if let Some(Ok(reply)) = last {
        outcome.status = Some(reply.status.to_string());
        // Where there are no sessions, one that is made up stands for them.
        let session = reply.header(mcp::SESSION);
        let session = session.unwrap_or_else(|| jose::random_token(16));
        outcome.asked.session = Some(session);
    }
}

/// Opens a session with the token of the draft; else what the step comes to.
async fn open(
    scene: &mut Scene<'_>,
    act: &Act<'_>,
    resource: &Resource,
    revision: &str,
    draft: &Draft,
) -> Result<Option<String>, Outcome> {
    let token = draft.get("token");
    let transport = &scene.world.transport;
    let opened = mcp::open(transport, resource, revision, token.as_deref()).await;
    let read = opened.log.last().map(|last| read::CALLED.read(last).0);
    for recorded in opened.log {
        scene.keep(recorded, &act.label, Addressee::ResourceServer);
    }
    let answer = match read {
        Some(answer) if !opened.welcome => answer,
        _ => return Ok(opened.session),
    };
    let answer = match act.change.is_empty() {
        true => answer,
        // Not what the step is about: its deviation was not tried.
        false => Answer::NoAnswer(format!("found no session: initialize {}", answer.words())),
    };
    let mut outcome = Outcome::new(Verb::Call, &act.label, answer);
    about(scene, resource, &mut outcome);
    Err(outcome)
}

/// The newest success of the client with an access token that should work at this resource.
fn newest<'s>(scene: &'s Scene<'_>, client: &str, resource: &Resource) -> Option<&'s Outcome> {
    let mut own = scene
        .outcomes
        .iter()
        .rev()
        .filter(|outcome| outcome.client == client && outcome.answer == Answer::Success);
    own.find(|outcome| outcome.field("access_token").is_some() && serves(scene, outcome, resource))
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
        .said
        .get("scope")
        .or(outcome.asked.scope.as_deref())
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
