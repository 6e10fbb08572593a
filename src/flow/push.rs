//! `push`: pushed authorization requests (RFC 9126 §2).

use super::answer::{document, json_fields, refusal};
use super::draft::{Draft, Encoding};
use super::scene::Act;
use super::{Answer, Outcome, Scene, authorize, token};
use crate::suite::model::Verb;
use crate::targets::model::Client;

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    let resource = scene.resource(act.step);
    let verifier = scene.world.verifier();
    let challenge = jose::s256(&verifier);
    let state = jose::random_token(16);
    let direct = authorize::request(scene, &client, resource, &challenge, &state)?;
    let pair = (verifier.clone(), challenge);
    let mut outcome = send(scene, act, &client, &direct, Some(pair)).await?;
    outcome.resource = resource.map(|resource| resource.name.clone());
    outcome.fields.insert("verifier".into(), verifier);
    Ok(outcome)
}

/// Pushes the parameters of an authorization request. With a PKCE pair the step's own changes are
/// applied to the push; without one they have been applied already.
pub(super) async fn send(
    scene: &mut Scene<'_>,
    act: &Act<'_>,
    client: &Client,
    request: &Draft,
    pair: Option<(String, String)>,
) -> Result<Outcome, Answer> {
    let endpoint = scene.world.endpoints.par.clone().ok_or_else(|| {
        Answer::NotApplicable("no pushed authorization request endpoint is known".into())
    })?;
    let mut draft = token::authenticated(scene.world, &endpoint, client, Encoding::Form);
    // As a parameter of the authorization request it is required here (RFC 9126 §2.1).
    draft.names_client = true;
    draft.remove("client_id");
    draft.params.splice(0..0, authorize::parameters(request));
    if let Some(pair) = pair {
        let names = scene.names(client, pair);
        draft
            .arrange(&act.step.given, &names)
            .and_then(|()| draft.apply(act.change, &names))
            .map_err(Answer::NotApplicable)?;
    }
    let sent = draft.sent();
    let recorded = scene.send(draft.finish(), &act.label, "as").await;
    let mut outcome = Outcome::new(Verb::Push, &act.label, Answer::Success);
    outcome.client = client.name.clone();
    outcome.sent = sent;
    match document(&recorded) {
        Err(answer) => outcome.answer = answer,
        Ok(reply) => {
            outcome.fields = json_fields(reply);
            let named = outcome
                .field("request_uri")
                .is_some_and(|uri| !uri.is_empty());
            if !reply.is_success() || !named {
                outcome.answer = refusal(reply);
            }
        }
    }
    Ok(outcome)
}
