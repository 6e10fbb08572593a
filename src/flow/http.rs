//! `http`: exactly the request that the step describes.

use super::scene::Act;
use super::{Answer, Outcome, Scene, handshake};
use crate::client::draft::{Draft, Encoding};
use crate::client::{Pkce, read};
use crate::event::Addressee;
use crate::targets::model::Client;

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let world = scene.world;
    let endpoints = &world.endpoints;
    let at = act.step.at.as_deref();
    let (url, method) = match at {
        Some("authorize") => (endpoints.authorization.clone(), "GET"),
        Some("token") => (endpoints.token.clone(), "POST"),
        Some("revoke") => (endpoints.revocation.clone(), "POST"),
        Some("introspect") => (endpoints.introspection.clone(), "POST"),
        Some("register") => (endpoints.registration.clone(), "POST"),
        Some("jwks") => (endpoints.jwks.clone(), "GET"),
        Some("resource") => {
            let first = world.target.resources.first();
            (first.map(|resource| resource.url.to_string()), "GET")
        }
        _ => (Some(world.target.issuer.clone()), "GET"),
    };
    let url = url.ok_or_else(|| {
        let at = at.unwrap_or("the target");
        Answer::NotApplicable(format!("no {at} endpoint is known"))
    })?;
    let (to, reading) = match at {
        Some("resource") => (Addressee::ResourceServer, read::ANY_OF_RESOURCE),
        _ => (Addressee::AuthorizationServer, read::ANY),
    };
    let client = match scene.client(act.step) {
        // A public document is read without any client, when nothing names one.
        Err(_) if act.step.client.is_none() => Client::nobody(),
        found => found?,
    };
    let mut draft = Draft::new(method, &url, Encoding::Form);
    scene.alter(act, &client, &mut draft, &Pkce::default())?;
    if let Some(word) = draft.option("@tls") {
        return handshake::perform(scene, act, &draft.url, word).await;
    }
    let mut outcome = scene.send(act, &client, draft, to, reading).await;
    if outcome.status.is_some() && !outcome.answer.is_unknown() {
        // A request made by hand is no token of that client.
        outcome.client = String::new();
    }
    // A registration made by hand is to be removed like any other.
    let success = outcome
        .status
        .as_ref()
        .is_some_and(|status| status.starts_with('2'));
    if success && outcome.said.get("redirect_uris").is_some() {
        world.note_registration(
            outcome
                .said
                .get("registration_client_uri")
                .unwrap_or_default(),
            outcome.said.get("registration_access_token"),
            outcome.said.get("client_id"),
        );
    }
    Ok(outcome)
}
