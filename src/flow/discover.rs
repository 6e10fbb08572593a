//! `discover`: metadata documents (RFC 8414 §3, OpenID Connect Discovery §4, RFC 9728 §3).

use super::scene::Act;
use super::{Answer, Outcome, Scene, handshake};
use crate::client::discover::places;
use crate::client::{Pkce, read, request};
use crate::event::Addressee;
use crate::targets::model::Client;

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let target = &scene.world.target;
    let at = act.step.at.as_deref().unwrap_or("as");
    let resource = at.strip_prefix("resource").map(|rest| {
        let name = rest.trim_start_matches('.');
        if name.is_empty() { "a" } else { name }
    });
    let (subject, document) = match resource {
        None => (Some(target.issuer.clone()), at),
        Some(name) => {
            let resource = target.resource(name);
            (resource.and_then(|one| one.id.clone()), "resource")
        }
    };
    let subject = subject.ok_or_else(|| {
        let name = resource.unwrap_or_default();
        Answer::NotApplicable(format!("resource {name} has no identifier"))
    })?;
    let place = places(&subject, document)
        .into_iter()
        .next()
        .ok_or_else(|| Answer::NotApplicable(format!("{subject} is not a URL")))?;
    let nobody = Client::nobody();
    let mut draft = request::document(&place);
    scene.alter(act, &nobody, &mut draft, &Pkce::default())?;
    if let Some(word) = draft.option("@tls") {
        return handshake::perform(scene, act, &place, word).await;
    }
    let to = Addressee::AuthorizationServer;
    let mut outcome = scene.send(act, &nobody, draft, to, read::METADATA).await;
    outcome.resource = resource.map(str::to_owned);
    Ok(outcome)
}
