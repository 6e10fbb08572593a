//! Client authentication (RFC 6749 §2.3, RFC 7523 §2.2).

use serde_json::json;

use super::World;
use super::draft::{Assertion, Draft, Encoding};
use crate::targets::model::{Client, ClientAuth};

/// A request to an endpoint where the client authenticates. Where its credentials go is decided when the draft is finished, so that a
/// deviation of them reaches the header as well as the body.
pub fn authenticated(world: &World, url: &str, client: &Client, encoding: Encoding) -> Draft {
    let mut draft = Draft::new("POST", url, encoding);
    draft.push_some("client_id", client.id.clone());
    // Some servers issue a secret to a client that said it has none: it is not sent.
    if matches!(client.auth, ClientAuth::Basic | ClientAuth::Post) {
        draft.push_some("client_secret", client.secret.clone());
    }
    draft.auth = Some(client.auth);
    if client.auth == ClientAuth::PrivateKeyJwt {
        draft.assertion = client.id.as_deref().map(|id| assertion(world, id));
    }
    draft
}

/// A client assertion for this authorization server (RFC 7523 §3).
fn assertion(world: &World, id: &str) -> Assertion {
    let now = jiff::Timestamp::now().as_second();
    let claims = json!({
        "iss": id,
        "sub": id,
        "aud": world.target.issuer,
        "iat": now,
        "exp": now + 60,
        "jti": jose::random_token(16),
    });
    let mut header = serde_json::Map::new();
    header.insert("typ".into(), "JWT".into());
    let claims = claims.as_object().cloned().unwrap_or_default();
    Assertion {
        jwt: world.key.sign(&header, &claims),
    }
}
