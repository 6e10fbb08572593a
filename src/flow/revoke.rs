//! `revoke`: token revocation (RFC 7009 §2).

use super::scene::Act;
use super::{Answer, Outcome, Scene};
use crate::client::{read, request};
use crate::event::Addressee;
use crate::suite::model::{Step, Verb};
use crate::targets::model::Client;

/// A grant, so that there is something to revoke.
pub(super) fn need(scene: &Scene<'_>, act: &Act<'_>, client: &Client) -> Option<Step> {
    let there = scene.world.endpoints.revocation.is_some();
    let nothing = scene.newest(&client.name, "access_token").is_none();
    (there && nothing).then(|| act.plain(Verb::Grant))
}

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    let newest = |name| scene.newest(&client.name, name)?.field(name);
    let token = newest("refresh_token").or_else(|| newest("access_token"));
    let draft = request::revocation(scene.world, &client, token)?;
    let to = Addressee::AuthorizationServer;
    scene.ask(act, &client, draft, to, read::REVOKED).await
}
