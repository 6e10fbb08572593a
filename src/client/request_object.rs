//! Signed request objects (RFC 9101 §4): the parameters of an authorization request as the claims of a JWT.

use serde_json::{Map, Value};

use super::World;
use super::draft::{Draft, Param};
use crate::targets::model::Client;

/// Takes the parameters out of a draft and signs them with the harness's key.
pub fn sign(world: &World, client: &Client, draft: &mut Draft) -> String {
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
    world.key.sign(&header, &claims)
}

/// Puts the object where the parameters were: `client_id` stays beside it (RFC 9101 §5), and so does what was kept outside.
pub fn carry(client: &Client, draft: &mut Draft, object: String) {
    draft.push_some("client_id", client.id.clone());
    draft.push("request", object);
    draft.params.append(&mut draft.outside);
}
