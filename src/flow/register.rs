//! `register`: dynamic client registration (RFC 7591 §3.1).

use serde_json::{Value, json};

use super::answer::{document, json_fields, refusal};
use super::draft::{Draft, Encoding, Param};
use super::listener::Page;
use super::scene::Act;
use super::{Answer, Outcome, Scene, World};
use crate::suite::model::Verb;
use crate::targets::model::{Client, ClientAuth, ClientKind};

/// What registered clients are called.
pub const CLIENT_NAME: &str = "oauthspec test client";

/// The metadata a correct registration sends, like that of a client of the target.
pub fn metadata(world: &World, like: &Client, scene: &str) -> Vec<(String, Value)> {
    let mut members = vec![
        ("client_name".to_owned(), json!(CLIENT_NAME)),
        ("redirect_uris".to_owned(), json!(like.redirect_uris)),
        (
            "grant_types".to_owned(),
            json!(["authorization_code", "refresh_token"]),
        ),
        ("response_types".to_owned(), json!(["code"])),
        (
            "token_endpoint_auth_method".to_owned(),
            json!(like.auth.word()),
        ),
    ];
    if like.kind == ClientKind::Native {
        members.push(("application_type".to_owned(), json!("native")));
    }
    if like.auth == ClientAuth::PrivateKeyJwt {
        let jwks = world
            .listener
            .as_ref()
            .and_then(|listener| listener.field("jwks", scene));
        match jwks {
            Some(url) => members.push(("jwks_uri".to_owned(), json!(url))),
            None => members.push(("jwks".to_owned(), world.key.public_jwks())),
        }
    }
    members
}

/// The client that registrations are like: the acting one, or a plain public one.
fn like(scene: &Scene<'_>, act: &Act<'_>) -> Client {
    scene.client(act.step).unwrap_or_else(|_| Client {
        name: "registered".into(),
        register: true,
        id: None,
        secret: None,
        auth: ClientAuth::None,
        kind: ClientKind::Public,
        redirect_uris: vec!["https://registered.example/cb".into()],
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
    let mut draft = Draft::new("POST", &own, Encoding::Json);
    for (name, value) in metadata(world, &like, &scene.id) {
        draft.params.push((name, Param::Json(value)));
    }
    let names = scene.names(&like, (String::new(), String::new()));
    let arranged = draft.arrange(&act.step.given, &names);
    arranged.map_err(Answer::NotApplicable)?;
    let url = draft.url.clone();
    draft
        .params
        .insert(0, ("client_id".into(), Param::Text(url.clone())));
    let members: Vec<String> = draft.params.iter().map(|(name, _)| name.clone()).collect();
    draft
        .apply(act.change, &names)
        .map_err(Answer::NotApplicable)?;
    let option = |name: &str| draft.option(name).map(str::to_owned);
    let mut page = Page {
        status: option("@status").and_then(|text| text.parse().ok()),
        location: option("@location"),
        ..Page::default()
    };
    let size = option("@size").and_then(|text| text.parse::<usize>().ok());
    let mut outcome = Outcome::new(Verb::Register, &act.label, Answer::Success);
    outcome.sent = draft.sent();
    for name in members {
        if let Some(value) = outcome.sent_param(&name).map(str::to_owned) {
            outcome.fields.insert(name, value);
        }
    }
    let request = draft.finish();
    page.content_type = request.header("Content-Type").map(str::to_owned);
    page.body = String::from_utf8_lossy(&request.body).into_owned();
    if let Some(size) = size.filter(|size| *size > page.body.len()) {
        // White space after the opening brace: the document stays what it is.
        let more = " ".repeat(size - page.body.len());
        page.body = page.body.replacen('{', &format!("{{{more}"), 1);
    }
    listener.publish(&url, page);
    outcome.fields.insert("client_id".into(), url);
    Ok(outcome)
}

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    if act.step.at.as_deref() == Some("document") {
        return publish(scene, act);
    }
    let world = scene.world;
    let endpoint = world
        .endpoints
        .registration
        .as_deref()
        .ok_or_else(|| Answer::NotApplicable("no registration endpoint is known".into()))?;
    let like = like(scene, act);
    let mut draft = Draft::new("POST", endpoint, Encoding::Json);
    for (name, value) in metadata(world, &like, &scene.id) {
        draft.params.push((name, Param::Json(value)));
    }
    let names = scene.names(&like, (String::new(), String::new()));
    let arranged = draft.arrange(&act.step.given, &names);
    arranged.map_err(Answer::NotApplicable)?;
    // A client that signs its requests registers its key (RFC 9101 §6.2).
    let keyed = draft.get("jwks").is_some() || draft.get("jwks_uri").is_some();
    if draft.get("request_object_signing_alg").is_some() && !keyed {
        let keys = Param::Json(world.key.public_jwks());
        draft.params.push(("jwks".into(), keys));
    }
    draft
        .apply(act.change, &names)
        .map_err(Answer::NotApplicable)?;
    let sent = draft.sent();
    let recorded = scene.send(draft.finish(), &act.label, "as").await;
    let mut outcome = Outcome::new(Verb::Register, &act.label, Answer::Success);
    outcome.sent = sent;
    match document(&recorded) {
        Err(answer) => outcome.answer = answer,
        Ok(reply) => {
            outcome.fields = json_fields(reply);
            let identified = outcome.field("client_id").is_some_and(|id| !id.is_empty());
            if !reply.is_success() || !identified {
                outcome.answer = refusal(reply);
            } else if let Some(manage) = outcome.field("registration_client_uri") {
                // Remembered by the run, which removes what it registered.
                world.note_registration(
                    manage,
                    outcome.field("registration_access_token"),
                    outcome.field("client_id"),
                );
            } else {
                world.note_registration("", None, outcome.field("client_id"));
            }
        }
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
        .or(outcome.sent_param("token_endpoint_auth_method"))
        .unwrap_or("client_secret_basic");
    let auth = match method {
        "none" => ClientAuth::None,
        "client_secret_post" => ClientAuth::Post,
        "private_key_jwt" => ClientAuth::PrivateKeyJwt,
        _ => ClientAuth::Basic,
    };
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
