//! The clients that the target file asks to register (RFC 7591), and whether registrations can be managed (RFC 7592).

use serde_json::Value as Json;

use super::Prepared;
use crate::client::request;
use crate::flow::{Answer, Scene, World};
use crate::suite::model::{CREDENTIALS, Change, Step, User, Verb};
use crate::targets::model::{Client, ClientAuth};
use crate::transport::Request;
use crate::transport::redact::excerpt;

/// Registers the clients that the target file asks to register (RFC 7591).
pub(super) async fn register_clients(prepared: &mut Prepared) {
    let Some(endpoint) = prepared.world.endpoints.registration.clone() else {
        for client in &prepared.world.target.clients {
            if client.register && client.id.is_none() {
                prepared.warnings.push(format!(
                    "client {} cannot be registered: the target has no registration endpoint; give its id in the target file",
                    client.name
                ));
            }
        }
        return;
    };
    for (name, answer) in register_each(&mut prepared.world, &endpoint).await {
        if let Err(reason) = answer {
            prepared
                .warnings
                .push(format!("client {name} could not be registered: {reason}"));
        }
    }
}

/// Registers each client that asks for it; by name, its new identifier or why there is none.
pub(crate) async fn register_each(
    world: &mut World,
    endpoint: &str,
) -> Vec<(String, Result<String, String>)> {
    let mut answers = Vec::new();
    for at in 0..world.target.clients.len() {
        let Some(client) = world.target.clients.get(at).cloned() else {
            continue;
        };
        if !client.register || client.id.is_some() {
            continue;
        }
        let offered = offered(world, &client);
        let mut answer = ask(world, endpoint, &client, &offered).await;
        if answer.is_err() && !offered.is_empty() {
            // What a server offers it need not give to everybody who registers.
            answer = ask(world, endpoint, &client, &[]).await;
        }
        let answer = answer.and_then(|object| registered(world, at, &object));
        answers.push((client.name, answer));
    }
    answers
}

/// The grants beside the code's that cases use, as far as the metadata offers them to such a client.
fn offered(world: &World, client: &Client) -> Vec<&'static str> {
    let announced = (world.metadata.as_ref())
        .and_then(|metadata| metadata.get("grant_types_supported")?.as_array());
    let by_itself = client.auth != ClientAuth::None;
    [(request::DEVICE_CODE, true), (CREDENTIALS, by_itself)]
        .into_iter()
        .filter(|(name, fits)| {
            *fits && announced.is_some_and(|all| all.iter().any(|one| one == name))
        })
        .map(|(name, _)| name)
        .collect()
}

/// Sends a registration of this client, with these grants besides; the answer's object, or why there is none.
async fn ask(
    world: &mut World,
    endpoint: &str,
    client: &Client,
    further: &[&str],
) -> Result<serde_json::Map<String, Json>, String> {
    let mut members: serde_json::Map<String, Json> = request::metadata(world, client, "setup")
        .into_iter()
        .collect();
    if let Some(grants) = members.get_mut("grant_types").and_then(Json::as_array_mut) {
        grants.extend(further.iter().map(|grant| Json::from(*grant)));
    }
    let body = Json::Object(members).to_string().into_bytes();
    let recorded = world
        .transport
        .send_patiently(Request::post(endpoint, "application/json", body))
        .await;
    world.secrets.observe(&recorded);
    match &recorded.reply {
        Err(reason) => Err(reason.clone()),
        Ok(reply) => reply
            .json()
            .filter(|_| reply.is_success())
            .ok_or_else(|| format!("answered {}: {}", reply.status, excerpt(&recorded, 200))),
    }
}

/// Takes over what the server registered, which need not be what was asked for (RFC 7591 §3.2.1).
fn registered(
    world: &mut World,
    at: usize,
    object: &serde_json::Map<String, Json>,
) -> Result<String, String> {
    let text = |name: &str| object.get(name).and_then(Json::as_str).map(str::to_owned);
    let id = text("client_id").ok_or("the answer holds no client_id")?;
    world.note_registration(
        &text("registration_client_uri").unwrap_or_default(),
        text("registration_access_token").as_deref(),
        Some(&id),
    );
    let auth = text("token_endpoint_auth_method");
    if let Some(slot) = world.target.clients.get_mut(at) {
        slot.id = Some(id.clone());
        slot.secret = text("client_secret").or(slot.secret.take());
        if let Some(auth) = ClientAuth::ALL
            .into_iter()
            .find(|own| Some(own.word()) == auth.as_deref())
        {
            slot.auth = auth;
        }
    }
    Ok(id)
}

/// One correct registration tells whether registration is open, and whether registrations can be
/// managed (RFC 7592).
pub(super) async fn look_at_registration(prepared: &mut Prepared) {
    if !prepared.has("registration") {
        return;
    }
    let (managed, refusal) = {
        let mut scene = Scene::new(&prepared.world);
        let step = Step::new(Verb::Register);
        let outcome = scene
            .perform(&step, &Change::default(), User::Approve, 1)
            .await;
        let managed = outcome.field("registration_client_uri").is_some()
            && outcome.field("registration_access_token").is_some();
        let refusal = (outcome.answer != Answer::Success).then(|| outcome.answer.words());
        (managed, refusal)
    };
    if managed {
        prepared.capabilities.push("management".into());
    }
    if let Some(words) = refusal {
        prepared.capabilities.retain(|own| own != "registration");
        prepared.reasons.push((
            "registration".into(),
            format!("a correct registration {words}"),
        ));
    }
}
