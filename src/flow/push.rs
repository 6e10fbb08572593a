//! `push`: pushed authorization requests (RFC 9126 §2).

use super::answer::{document, json_fields, refusal};
use super::draft::Encoding;
use super::scene::Act;
use super::{Answer, Outcome, Scene, authorize, token};
use crate::suite::model::Verb;

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    let resource = scene.resource(act.step);
    let endpoint = scene.world.endpoints.par.clone().ok_or_else(|| {
        Answer::NotApplicable("no pushed authorization request endpoint is known".into())
    })?;
    let verifier = scene.world.verifier();
    let challenge = jose::s256(&verifier);
    let state = jose::random_token(16);
    let direct = authorize::request(scene, &client, resource, &challenge, &state)?;
    let mut draft = token::authenticated(scene.world, &endpoint, &client, Encoding::Form);
    draft.remove("client_id");
    draft.params.splice(0..0, authorize::parameters(&direct));
    let names = scene.names(&client, (verifier.clone(), challenge.clone()));
    draft
        .arrange(&act.step.given, &names)
        .and_then(|()| draft.apply(act.change, &names))
        .map_err(Answer::NotApplicable)?;
    let sent = draft.sent();
    let recorded = scene.send(draft.finish(), &act.label, "as").await;
    let mut outcome = Outcome::new(Verb::Push, &act.label, Answer::Success);
    outcome.client = client.name.clone();
    outcome.sent = sent;
    match document(&recorded) {
        Err(answer) => outcome.answer = answer,
        Ok(reply) => {
            outcome.fields = json_fields(reply);
            if !reply.is_success() || outcome.field("request_uri").is_none() {
                outcome.answer = refusal(reply);
            }
        }
    }
    outcome.fields.insert("verifier".into(), verifier);
    outcome.fields.insert("challenge".into(), challenge);
    outcome.fields.insert("sent_state".into(), state);
    Ok(outcome)
}
