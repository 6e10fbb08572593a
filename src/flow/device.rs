//! `device`: a device authorization request (RFC 8628 §3.1).

use super::answer::{document, json_fields, refusal};
use super::draft::Encoding;
use super::scene::Act;
use super::{Answer, Outcome, Scene, token};
use crate::suite::model::Verb;

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    let endpoint =
        scene.world.endpoints.device.clone().ok_or_else(|| {
            Answer::NotApplicable("no device authorization endpoint is known".into())
        })?;
    let mut draft = token::authenticated(scene.world, &endpoint, &client, Encoding::Form);
    draft.push_some("scope", scene.world.target.policy.scope.clone());
    let names = scene.names(&client, (String::new(), String::new()));
    draft
        .arrange(&act.step.given, &names)
        .and_then(|()| draft.apply(act.change, &names))
        .map_err(Answer::NotApplicable)?;
    let sent = draft.sent();
    let recorded = scene.send(draft.finish(), &act.label, "as").await;
    let mut outcome = Outcome::new(Verb::Device, &act.label, Answer::Success);
    outcome.client = client.name.clone();
    outcome.sent = sent;
    match document(&recorded) {
        Err(answer) => outcome.answer = answer,
        Ok(reply) => {
            outcome.fields = json_fields(reply);
            if !reply.is_success() || outcome.field("device_code").is_none() {
                outcome.answer = refusal(reply);
            }
        }
    }
    Ok(outcome)
}
