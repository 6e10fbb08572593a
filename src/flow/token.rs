//! `exchange`, `grant`, `refresh`: requests to the token endpoint (RFC 6749 §3.2, §4.1.3, §6).

use super::change::arrange;
use super::scene::Act;
use super::{Answer, Outcome, Scene, ask, authorize};
use crate::client::draft::{Draft, Encoding};
use crate::client::{Asked, Pkce, mint, read, request};
use crate::event::Addressee;
use crate::suite::model::{Step, User, Verb};
use crate::targets::model::{Client, Driver, Mint};

/// A code to redeem, or a grant with a refresh token to use.
pub(super) fn need(scene: &Scene<'_>, act: &Act<'_>, client: &Client) -> Option<Step> {
    let (nothing, verb) = match act.step.verb {
        Verb::Refresh => (
            scene.newest(&client.name, "refresh_token").is_none(),
            Verb::Grant,
        ),
        _ => (
            !act.names("code") && scene.unspent_code(&client.name).is_none(),
            Verb::Authorize,
        ),
    };
    nothing.then(|| act.plain(verb))
}

/// Redeems the newest unspent code of the client, or the one that the step names.
pub(super) async fn exchange(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    let authorization = match act.names("code") {
        // A code that is named brings its own verifier and redirect URI along.
        true => named_authorization(scene, act, &client)?,
        false => scene
            .unspent_code(&client.name)
            .cloned()
            .ok_or_else(|| Answer::NotApplicable("there is no code to redeem".into()))?,
    };
    let asked = &authorization.asked;
    let mut draft = request::redemption(scene.world, &client, authorization.code(), asked)?;
    let verifier = asked.verifier.clone().unwrap_or_default();
    let challenge = asked.challenge.clone();
    let challenge = challenge.unwrap_or_else(|| jose::s256(&verifier));
    let pkce = Pkce {
        verifier,
        challenge,
    };
    scene.alter(act, &client, &mut draft, &pkce)?;
    Ok(redeem(scene, act, &client, draft, authorization).await)
}

/// The authorization that gave the code that the step names.
fn named_authorization(
    scene: &Scene<'_>,
    act: &Act<'_>,
    client: &Client,
) -> Result<Outcome, Answer> {
    let pkce = Pkce::default();
    let names = scene.names(client, &pkce);
    let mut probe = Draft::new("POST", "", Encoding::Form);
    for pair in act.step.given.iter().chain(&act.change.with) {
        if pair.0 == "code" {
            arrange(&mut probe, std::slice::from_ref(pair), &names)?;
        }
    }
    let code = probe.get("code").unwrap_or_default();
    let known = scene.authorization_of(&code).cloned();
    let newest = || {
        let mut all = scene.outcomes.iter().rev();
        all.find(|one| one.client == client.name && one.asked.verifier.is_some())
            .cloned()
    };
    // A made-up code: everything else as if the newest authorization were redeemed.
    Ok(known.or_else(newest).unwrap_or_else(|| {
        let mut made_up = Outcome::new(Verb::Authorize, &act.label, Answer::Success);
        let Pkce {
            verifier,
            challenge,
        } = Pkce::fresh();
        made_up.client = client.name.clone();
        made_up.asked = Asked {
            redirect_uri: client.redirect_uris.first().cloned(),
            verifier: Some(verifier),
            challenge: Some(challenge),
            ..Asked::default()
        };
        made_up
    }))
}

/// Sends a redemption; what was asked and answered before it is part of the outcome.
async fn redeem(
    scene: &mut Scene<'_>,
    act: &Act<'_>,
    client: &Client,
    draft: Draft,
    authorization: Outcome,
) -> Outcome {
    if let Some(code) = draft.get("code") {
        scene.spend(&code);
    }
    let mut outcome = send_for_tokens(scene, act, client, draft).await;
    let code = authorization.code().map(str::to_owned);
    for name in ["state", "iss"] {
        if let Some(value) = authorization.said.get(name) {
            outcome.said.set(name, value);
        }
    }
    outcome.asked = authorization.asked;
    outcome.asked.code = code;
    outcome.resource = authorization.resource;
    outcome.response = authorization.response;
    outcome.location = authorization.location;
    outcome.pages = authorization.pages;
    outcome.consents = authorization.consents;
    outcome
}

/// authorize, then exchange; the deviation is the authorization request's.
pub(super) async fn grant(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    if scene.world.target.login.driver == Driver::Tokens {
        return given(scene, act, &client);
    }
    if let Some(mint) = &scene.world.target.mint {
        return minted(scene, act, &client, mint);
    }
    if act.step.asks_for_itself() {
        return by_client(scene, act, &client).await;
    }
    let mut authorization = authorize::perform(scene, act).await?;
    if authorization.answer != Answer::Success {
        authorization.verb = Verb::Grant;
        return Ok(authorization);
    }
    let (code, asked) = (authorization.code(), &authorization.asked);
    let mut draft = request::redemption(scene.world, &client, code, asked)?;
    if let Some(key) = ask::proof(act) {
        draft.options.push((ask::PROOF.into(), key));
    }
    Ok(redeem(scene, act, &client, draft, authorization).await)
}

/// Client credentials: the client asks for itself, and the deviation is in the one request there is (RFC 6749 §4.4.2).
async fn by_client(
    scene: &mut Scene<'_>,
    act: &Act<'_>,
    client: &Client,
) -> Result<Outcome, Answer> {
    let resource = scene.resource(act.step);
    let mut draft = request::client_credentials(scene.world, client, resource)?;
    scene.alter(act, client, &mut draft, &Pkce::default())?;
    let (scope, identifier) = (draft.get("scope"), draft.get("resource"));
    let mut outcome = send_for_tokens(scene, act, client, draft).await;
    outcome.resource = resource.map(|own| own.name.clone());
    outcome.asked.scope = scope;
    outcome.asked.resource = identifier;
    Ok(outcome)
}

/// A token of the target file, in place of a grant.
fn given(scene: &Scene<'_>, act: &Act<'_>, client: &Client) -> Result<Outcome, Answer> {
    let unlike = |why: &str| {
        Err(Answer::NotApplicable(format!(
            "the target file gives tokens: {why}"
        )))
    };
    let plain = act.change.is_empty() && act.step.given.is_empty();
    let target = &scene.world.target;
    let first = target.clients.first();
    if !plain || act.user != User::Approve {
        return unlike("none can be asked for in another way");
    }
    if first.is_none_or(|first| first.name != client.name) {
        return unlike("they belong to one client");
    }
    let Some(resource) = scene.resource(act.step) else {
        return unlike("none for this resource");
    };
    let Some(token) = target.login.token(&resource.name) else {
        return unlike(&format!("none for resource {}", resource.name));
    };
    let mut outcome = Outcome::new(Verb::Grant, &act.label, Answer::Success);
    outcome.client = client.name.clone();
    outcome.resource = Some(resource.name.clone());
    outcome.said.set("access_token", token);
    outcome.asked.scope = Some(resource.scope.clone().unwrap_or_default());
    Ok(outcome)
}

/// What a step may arrange of a token that oauthspec signs itself.
const ARRANGED: [&str; 2] = ["scope", "resource"];

/// A token as this step's grant would have it, where oauthspec is the issuer.
///
/// # Errors
/// What only an authorization server could do.
fn minted(
    scene: &mut Scene<'_>,
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
    let arranged = |name: &str| ARRANGED.contains(&name);
    if !act.change.is_empty() || !act.step.given.iter().all(|(name, _)| arranged(name)) {
        return own("no authorization server is asked for a token");
    }
    if !matches!(act.user, User::Approve | User::Returning | User::Second) {
        return own("no user logs in");
    }
    let Some(resource) = scene.resource(act.step) else {
        return own("the target names no such resource");
    };
    let mut draft = Draft::new("POST", "", Encoding::Form);
    draft.push_some("scope", request::scope(scene.world, Some(resource)));
    draft.push_some("resource", resource.id.clone());
    scene.alter(act, client, &mut draft, &Pkce::default())?;
    let scope = draft.get("scope").unwrap_or_default();
    let asked = mint::Grant {
        client,
        resource,
        audience: draft.all("resource"),
        scope: scope.clone(),
        second: act.user == User::Second,
    };
    let token = mint::token(scene.world, mint, &asked);
    scene.secrets.learn(&token, "access_token");
    let mut outcome = Outcome::new(Verb::Grant, &act.label, Answer::Success);
    outcome.client = client.name.clone();
    outcome.resource = Some(resource.name.clone());
    outcome.sent = draft.sent();
    outcome.said.set("access_token", token);
    outcome.asked.scope = Some(scope);
    outcome.asked.resource = draft.get("resource");
    Ok(outcome)
}

/// Uses the newest refresh token of the client, or the one that the step names.
pub(super) async fn refresh(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    let newest = scene.newest(&client.name, "refresh_token").cloned();
    let token = newest.as_ref().and_then(|one| one.field("refresh_token"));
    let mut draft = request::refresh(scene.world, &client, token)?;
    scene.alter(act, &client, &mut draft, &Pkce::default())?;
    // What the new tokens are for follows the token that was used, not the newest grant.
    let used = draft.get("refresh_token").unwrap_or_default();
    let origin = scene
        .outcomes
        .iter()
        .rev()
        .find(|outcome| outcome.field("refresh_token") == Some(used.as_str()))
        .cloned()
        .or(newest);
    let mut outcome = send_for_tokens(scene, act, &client, draft).await;
    if outcome.answer == Answer::Success && outcome.said.get("refresh_token").is_none() {
        // A server that does not rotate lets the token that was used go on living (RFC 6749 §6).
        outcome.said.set("refresh_token", used);
    }
    if let Some(origin) = origin {
        outcome.resource = origin.resource;
        outcome.asked.scope = origin.asked.scope;
        outcome.asked.resource = origin.asked.resource;
    }
    Ok(outcome)
}

/// Sends a token request, once or several times at once, and remembers what it gave.
pub(super) async fn send_for_tokens(
    scene: &mut Scene<'_>,
    act: &Act<'_>,
    client: &Client,
    draft: Draft,
) -> Outcome {
    let spent = draft.get("refresh_token");
    let to = Addressee::AuthorizationServer;
    let outcome = scene.send(act, client, draft, to, read::TOKENS).await;
    for name in ["access_token", "refresh_token", "id_token"] {
        if let Some(value) = outcome.said.get(name) {
            scene.secrets.learn(value, name);
        }
    }
    for issued in std::iter::once(&outcome).chain(&outcome.copies) {
        let refresh = issued.said.get("refresh_token");
        let token = refresh.or(issued.said.get("access_token"));
        if let Some(token) = token.filter(|_| issued.answer == Answer::Success) {
            let world = scene.world;
            world.note_grant(&client.name, token, spent.as_deref());
        }
    }
    outcome
}
