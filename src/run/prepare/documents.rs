//! What a target says about itself: metadata, keys, protected resource metadata.

use serde_json::Value as Json;

use super::Prepared;
use crate::client::{World, discover};
use crate::targets::model::Endpoints;
use crate::transport::{Reply, Request};

/// Reads metadata from the places where it may be. `Ok(Some(why))` when there is none but the server
/// answered; `Err` when it did not.
pub(crate) async fn read_metadata(
    world: &mut World,
    warnings: &mut Vec<String>,
) -> Result<Option<String>, String> {
    let issuer = world.target.issuer.clone();
    let mut seen = Vec::new();
    let mut answered = false;
    for place in discover::places(&issuer, "as")
        .into_iter()
        .chain(discover::places(&issuer, "openid"))
    {
        let recorded = world.transport.send_patiently(Request::get(&place)).await;
        match &recorded.reply {
            Err(reason) => seen.push(format!("{place}: {reason}")),
            Ok(reply) => {
                answered = true;
                match metadata_document(reply) {
                    Ok(object) => {
                        fill_endpoints(&mut world.endpoints, &object);
                        world.metadata = Some(object);
                        world.metadata_url = Some(place);
                        break;
                    }
                    Err(why) => seen.push(format!(
                        "{place}: {} without a metadata document: {why}",
                        reply.status
                    )),
                }
            }
        }
    }
    if let Some(url) = world.endpoints.jwks.clone() {
        match keys(world, &url).await {
            Ok(jwks) => world.jwks = Some(jwks),
            Err(why) => warnings.push(format!("the keys at {url} cannot be used: {why}")),
        }
    }
    if world.metadata.is_some() {
        return Ok(None);
    }
    let seen = seen.join("; ");
    if answered {
        Ok(Some(seen))
    } else {
        Err(format!(
            "{issuer} does not answer: {seen}. Check the URL, the port, and that the server runs"
        ))
    }
}

/// The metadata in this answer, or why there is none.
fn metadata_document(reply: &Reply) -> Result<serde_json::Map<String, Json>, String> {
    if reply.is_redirect() {
        let to = reply.header("location").unwrap_or_default();
        let to: String = to.chars().take(200).collect();
        return Err(format!("a redirect to {to:?}, which is not followed"));
    }
    if reply.status != 200 {
        return Err("the status is not 200".into());
    }
    let object = reply.read_json()?;
    match object.get("issuer") {
        Some(Json::String(_)) => Ok(object),
        Some(_) => Err("its `issuer` is not a string".into()),
        None => Err("its JSON has no `issuer`".into()),
    }
}

/// The most keys of a key set that are worth trying.
const MOST_KEYS: usize = 1_000;

/// The server's public keys.
async fn keys(world: &World, url: &str) -> Result<Json, String> {
    let recorded = world.transport.send(Request::get(url)).await;
    let reply = recorded.reply?;
    if reply.status != 200 {
        return Err(format!("answered {}", reply.status));
    }
    let object = reply
        .read_json()
        .map_err(|why| format!("answered 200, but {why}"))?;
    match object.get("keys").and_then(Json::as_array).map(Vec::len) {
        Some(count) if count > MOST_KEYS => Err(format!(
            "{count} keys, more than the {MOST_KEYS} that are taken"
        )),
        Some(_) => Ok(Json::Object(object)),
        None => Err("its JSON has no array `keys`".into()),
    }
}

fn fill_endpoints(endpoints: &mut Endpoints, metadata: &serde_json::Map<String, Json>) {
    let member = |name: &str| metadata.get(name).and_then(Json::as_str).map(str::to_owned);
    let fill = |slot: &mut Option<String>, name: &str| {
        if slot.is_none() {
            *slot = member(name);
        }
    };
    fill(&mut endpoints.authorization, "authorization_endpoint");
    fill(&mut endpoints.token, "token_endpoint");
    fill(&mut endpoints.registration, "registration_endpoint");
    fill(&mut endpoints.revocation, "revocation_endpoint");
    fill(&mut endpoints.introspection, "introspection_endpoint");
    fill(&mut endpoints.jwks, "jwks_uri");
    fill(&mut endpoints.par, "pushed_authorization_request_endpoint");
    fill(&mut endpoints.device, "device_authorization_endpoint");
}

/// Documents beside the metadata: the OpenID location, protected resource metadata.
pub(super) async fn look_at_documents(prepared: &mut Prepared) {
    let world = &prepared.world;
    let mut found = Vec::new();
    let first = discover::places(&world.target.issuer, "openid");
    if world.target.mint.is_none()
        && let Some(place) = first.first()
        && document(world, place).await.is_some()
    {
        found.push("openid".to_owned());
    }
    let mut documents = std::collections::BTreeMap::new();
    for (number, resource) in world
        .target
        .resources
        .iter()
        .take(MOST_RESOURCES)
        .enumerate()
    {
        let id = resource.id.as_deref();
        let place = id.and_then(|id| discover::places(id, "resource").into_iter().next());
        let Some(place) = place else { continue };
        if let Some(object) = document(world, &place).await {
            if number == 0 {
                found.push("prm".to_owned());
            }
            let own = object.get("resource").and_then(Json::as_str);
            let own = own.unwrap_or("(none)").chars().take(200).collect();
            documents.insert(resource.name.clone(), own);
        }
    }
    prepared.capabilities.extend(found);
    prepared.world.resource_documents = documents;
}

/// The resources whose documents are read.
const MOST_RESOURCES: usize = 16;

/// The JSON object at this place.
async fn document(world: &World, place: &str) -> Option<serde_json::Map<String, Json>> {
    let recorded = world.transport.send(Request::get(place)).await;
    let reply = recorded.reply.ok()?;
    reply.json().filter(|_| reply.status == 200)
}
