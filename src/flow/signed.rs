//! Signed request objects (RFC 9101 §4): the parameters of an authorization request as the claims of a JWT.

use jose::{Alg, Context, Forge, SigningKey};
use serde_json::{Map, Value};

use super::draft::{Draft, Param};
use super::scene::Act;
use super::{Answer, Scene};
use crate::targets::model::Client;

/// The pseudo parameter that asks for a request object.
pub(super) const OPTION: &str = "@request";

/// Whether the step wants its parameters signed.
pub(super) fn wanted(draft: &Draft) -> bool {
    draft.option(OPTION).is_some()
}

/// Puts the parameters into a request object signed with the harness's key, broken in the way the step
/// says; `client_id` stays beside it, and so does what `@outside.NAME` names.
pub(super) fn pack(
    scene: &Scene<'_>,
    act: &Act<'_>,
    client: &Client,
    draft: &mut Draft,
) -> Result<(), Answer> {
    let world = scene.world;
    let now = jiff::Timestamp::now().as_second();
    let mut claims = Map::new();
    let mut claim = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
    claim("iss", client.id.clone().into());
    claim("aud", world.target.issuer.clone().into());
    claim("iat", now.into());
    claim("exp", (now + 120).into());
    claim("jti", jose::random_token(16).into());
    for (name, value) in draft.params.drain(..) {
        let value = match value {
            Param::Json(value) => value,
            Param::Text(text) | Param::Raw(text) if name == "authorization_details" => {
                serde_json::from_str(&text).unwrap_or(Value::String(text))
            }
            Param::Text(text) | Param::Raw(text) => Value::String(text),
        };
        let value = match claims.remove(&name) {
            Some(Value::Array(mut several)) if name == "resource" => {
                several.push(value);
                Value::Array(several)
            }
            Some(first) if name == "resource" => Value::Array(vec![first, value]),
            _ => value,
        };
        claims.insert(name, value);
    }
    let mut header = Map::new();
    header.insert("typ".into(), "oauth-authz-req+jwt".into());
    let mut object = world.key.sign(&header, &claims);
    if let Some(name) = &act.change.forge {
        object = forged(scene, name, &object)?;
    }
    draft.push_some("client_id", client.id.clone());
    draft.push("request", object);
    draft.params.append(&mut draft.outside);
    Ok(())
}

/// A forgery of the object: here the client is the signer, so its keys are public and ours is another.
fn forged(scene: &Scene<'_>, name: &str, object: &str) -> Result<String, Answer> {
    let world = scene.world;
    let forge = Forge::parse(name)
        .ok_or_else(|| Answer::NotApplicable(format!("{name} is not a known forgery")))?;
    let listener = world
        .listener
        .as_ref()
        .and_then(|listener| listener.field("canary", &scene.id));
    let context = Context {
        jwks: Some(&world.key.public_jwks()),
        attacker: &SigningKey::generate(Alg::ES256),
        listener: listener.as_deref(),
        issuer: None,
    };
    forge
        .apply(object, &context)
        .map_err(|reason| Answer::NotApplicable(reason.to_string()))
}
