//! `http`: exactly the request that the step describes.

use super::answer::{common, json_fields, refusal};
use super::draft::{Draft, Encoding};
use super::scene::Act;
use super::{Answer, How, Outcome, Scene};
use crate::suite::model::Verb;
use crate::targets::model::{Client, ClientAuth, ClientKind};

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let world = scene.world;
    let endpoints = &world.endpoints;
    let (url, method, to) = match act.step.at.as_deref() {
        Some("authorize") => (endpoints.authorization.clone(), "GET", "as"),
        Some("token") => (endpoints.token.clone(), "POST", "as"),
        Some("revoke") => (endpoints.revocation.clone(), "POST", "as"),
        Some("introspect") => (endpoints.introspection.clone(), "POST", "as"),
        Some("register") => (endpoints.registration.clone(), "POST", "as"),
        Some("jwks") => (endpoints.jwks.clone(), "GET", "as"),
        Some("resource") => (
            world
                .target
                .resources
                .first()
                .map(|resource| resource.url.to_string()),
            "GET",
            "rs",
        ),
        _ => (Some(world.target.issuer.clone()), "GET", "as"),
    };
    let url = url.ok_or_else(|| {
        let at = act.step.at.as_deref().unwrap_or("the target");
        Answer::NotApplicable(format!("no {at} endpoint is known"))
    })?;
    let client = match scene.client(act.step) {
        // A public document is read without any client, when nothing names one.
        Err(_) if act.step.client.is_none() => nobody(),
        found => found?,
    };
    let mut draft = Draft::new(method, &url, Encoding::Form);
    let names = scene.names(&client, (String::new(), String::new()));
    draft
        .arrange(&act.step.given, &names)
        .and_then(|()| draft.apply(act.change, &names))
        .map_err(Answer::NotApplicable)?;
    if let Some(word) = draft.option("@tls") {
        let (place, word) = (draft.url.clone(), word.to_owned());
        return super::handshake::perform(scene, act, &place, &word).await;
    }
    let sent = draft.sent();
    let recorded = scene.send(draft.finish(), &act.label, to).await;
    let mut outcome = Outcome::new(Verb::Http, &act.label, Answer::Success);
    outcome.client = client.name.clone();
    outcome.sent = sent;
    match common(&recorded) {
        Err(answer) => outcome.answer = answer,
        Ok(reply) => {
            outcome.fields = json_fields(reply);
            // A request made by hand is no token of that client.
            outcome.client = String::new();
            outcome
                .fields
                .insert("status".into(), reply.status.to_string());
            // A registration made by hand is to be removed like any other.
            if reply.is_success() && outcome.field("redirect_uris").is_some() {
                world.note_registration(
                    outcome.field("registration_client_uri").unwrap_or_default(),
                    outcome.field("registration_access_token"),
                    outcome.field("client_id"),
                );
            }
            if !reply.is_success() {
                outcome.answer = if to == "rs" {
                    super::call::read(&recorded)
                } else {
                    refusal(reply)
                };
            } else if outcome.field("error").is_some() {
                outcome.answer = Answer::Refused {
                    status: reply.status,
                    error: outcome.field("error").map(str::to_owned),
                    how: How::Json,
                };
            }
        }
    }
    Ok(outcome)
}

/// Whoever reads a public document.
fn nobody() -> Client {
    Client {
        name: String::new(),
        register: false,
        id: None,
        secret: None,
        auth: ClientAuth::None,
        kind: ClientKind::Public,
        redirect_uris: Vec::new(),
    }
}
