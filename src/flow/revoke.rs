//! `revoke`: token revocation (RFC 7009 §2).

use super::answer::{common, refusal};
use super::draft::Encoding;
use super::scene::Act;
use super::token::{authenticated, forge, plain};
use super::{Answer, Outcome, Scene, World};
use crate::suite::model::Verb;
use crate::targets::model::Client;
use crate::transport::Request;

/// The correct revocation of a token of a client of the target file, for the clean-up.
pub(crate) fn revocation(world: &World, client: &Client, token: &str) -> Option<Request> {
    let endpoint = world.endpoints.revocation.as_deref()?;
    let mut draft = authenticated(world, endpoint, client, Encoding::Form);
    draft.push("token", token);
    Some(draft.finish())
}

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    let endpoint = scene
        .world
        .endpoints
        .revocation
        .clone()
        .ok_or_else(|| Answer::NotApplicable("no revocation endpoint is known".into()))?;
    if scene.newest(&client.name, "access_token").is_none() {
        let outcome = scene
            .arrange(plain(Verb::Grant, act.step), &act.label)
            .await?;
        if outcome.answer != Answer::Success {
            return Err(outcome.answer);
        }
    }
    let token = scene
        .newest(&client.name, "refresh_token")
        .and_then(|outcome| outcome.field("refresh_token"))
        .or_else(|| {
            scene
                .newest(&client.name, "access_token")?
                .field("access_token")
        })
        .map(str::to_owned);
    let mut draft = authenticated(scene.world, &endpoint, &client, Encoding::Form);
    draft.push_some("token", token);
    draft.credential = Some("token");
    let names = scene.names(&client, (String::new(), String::new()));
    draft
        .arrange(&act.step.given, &names)
        .and_then(|()| draft.apply(act.change, &names))
        .map_err(Answer::NotApplicable)?;
    forge(scene, act, &mut draft)?;
    let sent = draft.sent();
    let recorded = scene.send(draft.finish(), &act.label, "as").await;
    let mut outcome = Outcome::new(Verb::Revoke, &act.label, Answer::Success);
    outcome.client = client.name.clone();
    outcome.sent = sent;
    match common(&recorded) {
        Err(answer) => outcome.answer = answer,
        Ok(reply) => {
            outcome
                .fields
                .insert("status".into(), reply.status.to_string());
            if !reply.is_success() {
                outcome.answer = refusal(reply);
            }
        }
    }
    Ok(outcome)
}
