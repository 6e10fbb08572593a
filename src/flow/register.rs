//! `register`: dynamic client registration (RFC 7591 §3.1).

use serde_json::Value;

use super::change::{apply, arrange};
use super::scene::Act;
use super::{Answer, Outcome, Scene};
use crate::client::draft::{Draft, Param};
use crate::client::listener::Page;
use crate::client::{Pkce, read, request};
use crate::event::Addressee;
use crate::suite::model::Verb;
use crate::targets::model::{Client, ClientAuth, ClientKind};

/// The client that registrations are like: the acting one, or a plain public one.
fn like(scene: &Scene<'_>, act: &Act<'_>) -> Client {
    scene.client(act.step).unwrap_or_else(|_| Client {
        name: "registered".into(),
        register: true,
        redirect_uris: vec!["https://registered.example/cb".into()],
        ..Client::nobody()
    })
}

/// Publishes a Client ID Metadata Document at our listener
/// (draft-ietf-oauth-client-id-metadata-document-02 §4). Its URL is the client's identifier.
fn publish(scene: &Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let world = scene.world;
    let listener = world
        .listener
        .as_ref()
        .ok_or_else(|| Answer::NotApplicable("there is no listener of ours".into()))?;
    let like = like(scene, act);
    let own = format!(
        "{}/client/{}/{}",
        listener.url(),
        scene.id,
        jose::random_token(6)
    );
    let mut draft = request::described(world, &like, &scene.id, &own);
    let pkce = Pkce::default();
    let names = scene.names(&like, &pkce);
    arrange(&mut draft, &act.step.given, &names)?;
    let url = draft.url.clone();
    draft
        .params
        .insert(0, ("client_id".into(), Param::Text(url.clone())));
    apply(&mut draft, act.change, &names)?;
    let mut outcome = Outcome::new(Verb::Register, &act.label, Answer::Success);
    outcome.sent = draft.sent();
    listener.publish(&url, page(draft));
    outcome.asked.client_id = Some(url);
    Ok(outcome)
}

/// A document as it is served.
fn page(draft: Draft) -> Page {
    let option = |name: &str| draft.option(name).map(str::to_owned);
    let mut page = Page {
        status: option("@status").and_then(|text| text.parse().ok()),
        location: option("@location"),
        ..Page::default()
    };
    let size = option("@size").and_then(|text| text.parse::<usize>().ok());
    let request = draft.finish();
    page.content_type = request.header("Content-Type").map(str::to_owned);
    page.body = String::from_utf8_lossy(&request.body).into_owned();
    if let Some(size) = size.filter(|size| *size > page.body.len()) {
        // White space after the opening brace: the document stays what it is.
        let more = " ".repeat(size - page.body.len());
        page.body = page.body.replacen('{', &format!("{{{more}"), 1);
    }
    page
}

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    if act.step.at.as_deref() == Some("document") {
        return publish(scene, act);
    }
    let world = scene.world;
    let like = like(scene, act);
    let mut draft = request::registration(world, &like, &scene.id)?;
    let pkce = Pkce::default();
    let names = scene.names(&like, &pkce);
    arrange(&mut draft, &act.step.given, &names)?;
    // A client that signs its requests registers its key (RFC 9101 §6.2).
    let keyed = draft.get("jwks").is_some() || draft.get("jwks_uri").is_some();
    if draft.get("request_object_signing_alg").is_some() && !keyed {
        let keys = Param::Json(world.key.public_jwks());
        draft.params.push(("jwks".into(), keys));
    }
    apply(&mut draft, act.change, &names)?;
    let to = Addressee::AuthorizationServer;
    let mut outcome = scene.send(act, &like, draft, to, read::REGISTERED).await;
    // Nobody's yet: what the answer names are no tokens of the client that it is like.
    outcome.client = String::new();
    if outcome.answer == Answer::Success {
        // Remembered by the run, which removes what it registered.
        let manage = outcome.said.get("registration_client_uri");
        let token = outcome.said.get("registration_access_token");
        world.note_registration(
            manage.unwrap_or_default(),
            token.filter(|_| manage.is_some()),
            outcome.said.get("client_id"),
        );
    }
    Ok(outcome)
}

/// The client a `register` step made, to act in later steps.
pub(super) fn client(name: &str, outcome: &Outcome) -> Option<Client> {
    if outcome.answer != Answer::Success {
        return None;
    }
    let method = outcome
        .field("token_endpoint_auth_method")
        .or(outcome.sent_param("token_endpoint_auth_method"));
    let auth = method.and_then(ClientAuth::parse);
    let auth = auth.unwrap_or(ClientAuth::Basic);
    let listed = |text: &str| -> Vec<String> {
        match serde_json::from_str(text) {
            Ok(Value::Array(items)) => items
                .into_iter()
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        }
    };
    Some(Client {
        name: name.to_owned(),
        register: true,
        id: outcome.field("client_id").map(str::to_owned),
        secret: outcome.field("client_secret").map(str::to_owned),
        auth,
        kind: if auth == ClientAuth::None {
            ClientKind::Public
        } else {
            ClientKind::Confidential
        },
        redirect_uris: outcome
            .field("redirect_uris")
            .or(outcome.sent_param("redirect_uris"))
            .map(listed)
            .unwrap_or_default(),
    })
}
