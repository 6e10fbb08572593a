//! `push`: pushed authorization requests (RFC 9126 §2).

use super::scene::Act;
use super::{Answer, Outcome, Scene};
use crate::client::draft::Draft;
use crate::client::{Asked, Pkce, read, request};
use crate::event::Addressee;
use crate::suite::model::Verb;
use crate::targets::model::Client;

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    let resource = scene.resource(act.step);
    let pkce = Pkce::fresh();
    let state = jose::random_token(16);
    let direct = request::authorization(scene.world, &client, resource, &pkce, &state)?;
    let mut draft = request::push(scene.world, &client, &direct)?;
    scene.alter(act, &client, &mut draft, &pkce)?;
    let mut outcome = send(scene, act, &client, draft, pkce).await;
    outcome.resource = resource.map(|resource| resource.name.clone());
    Ok(outcome)
}

/// Pushes an authorization request as it is.
pub(super) async fn forward(
    scene: &mut Scene<'_>,
    act: &Act<'_>,
    client: &Client,
    direct: &Draft,
    pkce: Pkce,
) -> Result<Outcome, Answer> {
    let draft = request::push(scene.world, client, direct)?;
    Ok(send(scene, act, client, draft, pkce).await)
}

async fn send(
    scene: &mut Scene<'_>,
    act: &Act<'_>,
    client: &Client,
    draft: Draft,
    pkce: Pkce,
) -> Outcome {
    let asked = Asked::of(|name| draft.get(name), pkce.verifier);
    let first = scene.log.len();
    let to = Addressee::AuthorizationServer;
    let mut outcome = scene.send(act, client, draft, to, read::PUSHED).await;
    outcome.verb = Verb::Push;
    outcome.asked = asked;
    outcome.log = first..scene.log.len();
    outcome
}
