//! `grant` where oauthspec is the issuer: a valid access token (RFC 9068 §2), signed with the key that the resource servers trust.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::draft::{Draft, Encoding};
use super::scene::Act;
use super::{Answer, Outcome, Scene};
use crate::suite::model::{User, Verb};
use crate::targets::model::{Client, Mint};

/// What a step may arrange of a token.
const ARRANGED: [&str; 2] = ["scope", "resource"];

/// Makes a token as this step's grant would have it.
///
/// # Errors
/// What only an authorization server could do.
pub(super) fn grant(
    scene: &Scene<'_>,
    act: &Act<'_>,
    client: &Client,
    mint: &Mint,
) -> Result<Outcome, Answer> {
    let own = |why: &str| {
        Err(Answer::NotApplicable(format!(
            "oauthspec is the issuer here: {why}"
        )))
    };
    if !act.step.expect.check.is_empty() {
        return own("its own token is not judged");
    }
    if !act.change.is_empty() {
        return own("no authorization server is asked for a token");
    }
    let arranged = |name: &str| ARRANGED.contains(&name);
    if !act.step.given.iter().all(|(name, _)| arranged(name)) {
        return own("no authorization server is asked for a token");
    }
    let target = &scene.world.target;
    let Some(resource) = scene.resource(act.step) else {
        return own("the target names no such resource");
    };
    let mut draft = Draft::new("POST", "", Encoding::Form);
    draft.push_some("scope", super::authorize::scope(scene, Some(resource)));
    draft.push_some("resource", resource.id.clone());
    let names = scene.names(client, (String::new(), String::new()));
    draft
        .arrange(&act.step.given, &names)
        .map_err(Answer::NotApplicable)?;
    let scope = draft.get("scope").filter(|scope| !scope.is_empty());

    let now = Timestamp::now().as_second();
    let lifetime = i64::try_from(mint.lifetime.as_secs()).unwrap_or(i64::MAX);
    let mut claims = Map::new();
    claims.insert("iss".into(), target.issuer.clone().into());
    claims.insert("sub".into(), "oauthspec-user".into());
    claims.insert("client_id".into(), client.id.clone().into());
    match draft.all("resource").as_slice() {
        [] => {}
        [one] => drop(claims.insert("aud".into(), one.clone().into())),
        several => drop(claims.insert("aud".into(), json!(several))),
    }
    if let Some(scope) = &scope {
        claims.insert("scope".into(), scope.clone().into());
    }
    claims.insert("iat".into(), now.into());
    claims.insert("exp".into(), now.saturating_add(lifetime).into());
    claims.insert("jti".into(), jose::random_token(16).into());
    let details = resource.rar.as_deref().and_then(|name| target.rar(name));
    if let Some(details) = details.and_then(|text| serde_json::from_str::<Value>(text).ok()) {
        claims.insert("authorization_details".into(), details);
    }
    claims.extend(mint.claims.clone());
    match act.user {
        User::Approve | User::Returning => {}
        User::Second => {
            let first = claims
                .get("sub")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let second = format!("{first}-second");
            claims.insert("sub".into(), second.into());
        }
        _ => return own("no user logs in"),
    }
    let mut header = Map::new();
    if !mint.typ.is_empty() {
        header.insert("typ".into(), mint.typ.clone().into());
    }
    let token = mint.signer.sign(&header, &claims);

    let mut outcome = Outcome::new(Verb::Grant, &act.label, Answer::Success);
    outcome.client = client.name.clone();
    outcome.resource = Some(resource.name.clone());
    outcome.sent = draft.sent();
    outcome.fields.insert("access_token".into(), token);
    outcome
        .fields
        .insert("requested_scope".into(), scope.unwrap_or_default());
    if let Some(id) = draft.get("resource") {
        outcome.fields.insert("requested_resource".into(), id);
    }
    Ok(outcome)
}
