//! `introspect`: token introspection (RFC 7662 §2).

use super::scene::Act;
use super::{Answer, Outcome, Scene};
use crate::client::{read, request};
use crate::event::Addressee;
use crate::suite::model::{Step, Verb};
use crate::targets::model::Client;

/// A grant, so that there is a token to ask about.
pub(super) fn need(scene: &Scene<'_>, act: &Act<'_>, owner: &Client) -> Option<Step> {
    let there = scene.world.endpoints.introspection.is_some() && scene.world.introspector().is_ok();
    let nothing = scene.newest(&owner.name, "access_token").is_none();
    (there && nothing && !act.names("token")).then(|| act.plain(Verb::Grant))
}

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    // The client of the step is whose token it is; the caller is the introspection client unless
    // the step says otherwise with `given.client_id` and the like.
    let caller = scene.world.introspector()?.clone();
    let owner = scene.client(act.step)?;
    let newest = scene.newest(&owner.name, "access_token");
    let token = newest.and_then(|outcome| outcome.field("access_token"));
    let draft = request::introspection(scene.world, &caller, token)?;
    let to = Addressee::AuthorizationServer;
    let asked = scene.ask(act, &caller, draft, to, read::INTROSPECTED);
    let mut outcome = asked.await?;
    // Not the owner: an introspection answer's members are not tokens of that client.
    outcome.client = String::new();
    Ok(outcome)
}
