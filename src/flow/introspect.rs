//! `introspect`: token introspection (RFC 7662 §2).

use super::answer::{document, json_fields, refusal};
use super::draft::Encoding;
use super::scene::Act;
use super::token::{authenticated, forge, plain};
use super::{Answer, How, Outcome, Scene};
use crate::suite::model::Verb;

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let world = scene.world;
    let endpoint = world
        .endpoints
        .introspection
        .clone()
        .ok_or_else(|| Answer::NotApplicable("no introspection endpoint is known".into()))?;
    // The client of the step is whose token it is; the caller is the introspection client unless
    // the step says otherwise with `given.client_id` and the like.
    let caller = world
        .target
        .introspection_client
        .as_deref()
        .and_then(|name| world.target.client(name))
        .cloned()
        .ok_or_else(|| Answer::NotApplicable("the target names no introspection client".into()))?;
    let owner = scene.client(act.step)?;
    let named = act
        .change
        .with
        .iter()
        .chain(&act.step.given)
        .any(|(name, _)| name == "token");
    if !named && scene.newest(&owner.name, "access_token").is_none() {
        let outcome = scene
            .arrange(plain(Verb::Grant, act.step), &act.label)
            .await?;
        if outcome.answer != Answer::Success {
            return Err(outcome.answer);
        }
    }
    let token = scene
        .newest(&owner.name, "access_token")
        .and_then(|outcome| outcome.field("access_token"))
        .map(str::to_owned);
    let mut draft = authenticated(world, &endpoint, &caller, Encoding::Form);
    draft.push_some("token", token);
    draft.credential = Some("token");
    let names = scene.names(&caller, (String::new(), String::new()));
    draft
        .arrange(&act.step.given, &names)
        .and_then(|()| draft.apply(act.change, &names))
        .map_err(Answer::NotApplicable)?;
    forge(scene, act, &mut draft)?;
    let sent = draft.sent();
    let recorded = scene.send(draft.finish(), &act.label, "as").await;
    let mut outcome = Outcome::new(Verb::Introspect, &act.label, Answer::Success);
    // Not the owner: an introspection answer's members are not tokens of that client.
    outcome.client = String::new();
    outcome.sent = sent;
    match document(&recorded) {
        Err(answer) => outcome.answer = answer,
        Ok(reply) => {
            outcome.fields = json_fields(reply);
            let active = outcome.field("active").map(str::to_owned);
            outcome.answer = match active.as_deref() {
                Some("true") if reply.is_success() => Answer::Success,
                Some("false") if reply.is_success() => Answer::Refused {
                    status: reply.status,
                    error: Some("inactive".into()),
                    how: How::Json,
                },
                _ => refusal(reply),
            };
        }
    }
    Ok(outcome)
}
