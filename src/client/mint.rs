//! A valid access token (RFC 9068 §2) where oauthspec is the issuer: signed with the key that the resource servers trust.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::World;
use crate::targets::model::{Client, Mint, Resource};

/// What a token is for.
pub struct Grant<'g> {
    /// Whom it is issued to.
    pub client: &'g Client,
    /// The resource whose probe it is for.
    pub resource: &'g Resource,
    /// Its audience: the identifiers asked for.
    pub audience: Vec<String>,
    /// Its scope; none when it is empty.
    pub scope: String,
    /// Whether the second user's.
    pub second: bool,
}

/// Signs a token.
pub fn token(world: &World, mint: &Mint, grant: &Grant<'_>) -> String {
    let target = &world.target;
    let now = Timestamp::now().as_second();
    let lifetime = i64::try_from(mint.lifetime.as_secs()).unwrap_or(i64::MAX);
    let mut claims = Map::new();
    claims.insert("iss".into(), target.issuer.clone().into());
    claims.insert("sub".into(), "oauthspec-user".into());
    claims.insert("client_id".into(), grant.client.id.clone().into());
    match grant.audience.as_slice() {
        [] => {}
        [one] => drop(claims.insert("aud".into(), one.clone().into())),
        several => drop(claims.insert("aud".into(), json!(several))),
    }
    if !grant.scope.is_empty() {
        claims.insert("scope".into(), grant.scope.clone().into());
    }
    claims.insert("iat".into(), now.into());
    claims.insert("exp".into(), now.saturating_add(lifetime).into());
    claims.insert("jti".into(), jose::random_token(16).into());
    let details = grant
        .resource
        .rar
        .as_deref()
        .and_then(|name| target.rar(name));
    if let Some(details) = details.and_then(|text| serde_json::from_str::<Value>(text).ok()) {
        claims.insert("authorization_details".into(), details);
    }
    claims.extend(mint.claims.clone());
    if grant.second {
        let first = claims
            .get("sub")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let second = format!("{first}-second");
        claims.insert("sub".into(), second.into());
    }
    let mut header = Map::new();
    if !mint.typ.is_empty() {
        header.insert("typ".into(), mint.typ.clone().into());
    }
    mint.signer.sign(&header, &claims)
}
