//! `exchange`, `grant`, `refresh`: requests to the token endpoint (RFC 6749 §3.2, §4.1.3, §6).

use jose::{Context, Flaw, Forge};
use serde_json::json;

use super::answer::{document, json_fields, refusal};
use super::draft::{Assertion, Draft, Encoding, Param};
use super::scene::Act;
use super::{Answer, Outcome, Scene, World, dpop};
use crate::suite::model::{Step, Verb};
use crate::targets::model::{Client, ClientAuth, Driver};
use crate::transport::{Recorded, Request};

/// A request to an endpoint where the client authenticates.
pub(crate) fn authenticated(
    world: &World,
    url: &str,
    client: &Client,
    encoding: Encoding,
) -> Draft {
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

pub(super) fn token_draft(
    scene: &Scene<'_>,
    client: &Client,
    grant_type: &str,
) -> Result<Draft, Answer> {
    let world = scene.world;
    let endpoint = world
        .endpoints
        .token
        .as_deref()
        .ok_or_else(|| Answer::NotApplicable(world.without("token endpoint")))?;
    let encoding = if world.target.policy.token_body_json {
        Encoding::Json
    } else {
        Encoding::Form
    };
    let mut draft = authenticated(world, endpoint, client, encoding);
    draft
        .params
        .insert(0, ("grant_type".into(), Param::Text(grant_type.into())));
    Ok(draft)
}

/// A token request that is right but for its code, which is made up.
pub(crate) fn made_up(world: &World, client: &Client, json: bool) -> Option<Request> {
    let endpoint = world.endpoints.token.as_deref()?;
    let encoding = if json { Encoding::Json } else { Encoding::Form };
    let mut draft = authenticated(world, endpoint, client, encoding);
    draft.push("grant_type", "authorization_code");
    draft.push("code", jose::random_token(32));
    draft.push_some("redirect_uri", client.redirect_uris.first().cloned());
    draft.push("code_verifier", world.verifier());
    Some(draft.finish())
}

/// Breaks the step's credential in the named way.
pub(super) fn forge(scene: &Scene<'_>, act: &Act<'_>, draft: &mut Draft) -> Result<(), Answer> {
    let Some(name) = &act.change.forge else {
        return Ok(());
    };
    let Some(parameter) = draft.credential else {
        return Err(Answer::NotApplicable(
            "this step has no credential to forge".into(),
        ));
    };
    if Flaw::parse(name).is_some() {
        // It is the proof that is broken, when it is made.
        return Ok(());
    }
    let forge = Forge::parse(name)
        .ok_or_else(|| Answer::NotApplicable(format!("{name} is not a known forgery")))?;
    let token = draft.get(parameter).unwrap_or_default();
    // Where no key of ours could make the token valid, being asked at all is the finding.
    let place = match forge {
        Forge::X5u | Forge::IssEditedToListener => "canary",
        _ => "jwks",
    };
    let listener = scene
        .world
        .listener
        .as_ref()
        .and_then(|listener| listener.field(place, &scene.id));
    let context = Context {
        jwks: scene.world.jwks.as_ref(),
        attacker: &scene.world.key,
        listener: listener.as_deref(),
        issuer: scene.world.target.mint.as_ref().map(|mint| &***mint.signer),
    };
    let broken = forge
        .apply(&token, &context)
        .map_err(|reason| Answer::NotApplicable(reason.to_string()))?;
    draft.set(parameter, vec![Param::Text(broken)]);
    Ok(())
}

/// Redeems the newest unspent code of the client, or the one that the step names.
pub(super) async fn exchange(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    let named = act
        .change
        .with
        .iter()
        .chain(&act.step.given)
        .any(|(name, _)| name == "code");
    let authorization = match (named, scene.unspent_code(&client.name)) {
        (false, Some(authorization)) => authorization.clone(),
        (false, None) => arrange_code(scene, act).await?,
        // A code that is named brings its own verifier and redirect URI along.
        (true, _) => named_authorization(scene, act, &client)?,
    };
    redeem(scene, act, &client, &authorization, true).await
}

async fn arrange_code(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let step = plain(Verb::Authorize, act.step);
    let outcome = scene.arrange(step, &act.label).await?;
    match outcome.answer {
        Answer::Success => Ok(outcome),
        answer => Err(match answer {
            Answer::Throttled(_) | Answer::NoAnswer(_) => answer,
            other => {
                Answer::NotApplicable(format!("the authorization before it {}", other.words()))
            }
        }),
    }
}

fn named_authorization(
    scene: &Scene<'_>,
    act: &Act<'_>,
    client: &Client,
) -> Result<Outcome, Answer> {
    let names = scene.names(client, (String::new(), String::new()));
    let mut probe = Draft::new("POST", "", Encoding::Form);
    for (name, value) in act.step.given.iter().chain(&act.change.with) {
        if name == "code" {
            probe
                .arrange(&[(name.clone(), value.clone())], &names)
                .map_err(Answer::NotApplicable)?;
        }
    }
    let code = probe.get("code").unwrap_or_default();
    let known = scene.authorization_of(&code).cloned();
    // A made-up code: everything else as if the newest authorization were redeemed.
    Ok(known
        .or_else(|| scene.newest(&client.name, "verifier").cloned())
        .unwrap_or_else(|| {
            let mut made_up = Outcome::new(Verb::Authorize, &act.label, Answer::Success);
            made_up.client = client.name.clone();
            made_up
                .fields
                .insert("verifier".into(), scene.world.verifier());
            if let Some(uri) = client.redirect_uris.first() {
                made_up.fields.insert("redirect_uri".into(), uri.clone());
            }
            made_up
        }))
}

async fn redeem(
    scene: &mut Scene<'_>,
    act: &Act<'_>,
    client: &Client,
    authorization: &Outcome,
    deviate: bool,
) -> Result<Outcome, Answer> {
    let mut draft = token_draft(scene, client, "authorization_code")?;
    let own = |name: &str| authorization.field(name).map(str::to_owned);
    draft.push_some("code", own("code"));
    draft.push_some("redirect_uri", own("redirect_uri"));
    // The verifier belongs to a challenge: without one a correct client sends none.
    if authorization.field("code").is_none()
        || authorization
            .field("challenge")
            .is_some_and(|challenge| !challenge.is_empty())
    {
        draft.push_some("code_verifier", own("verifier"));
    }
    draft.push_some("resource", own("requested_resource"));
    draft.credential = Some("code");
    if deviate {
        let verifier = own("verifier").unwrap_or_default();
        let challenge = own("challenge").unwrap_or_else(|| jose::s256(&verifier));
        let names = scene.names(client, (verifier, challenge));
        draft
            .arrange(&act.step.given, &names)
            .and_then(|()| draft.apply(act.change, &names))
            .map_err(Answer::NotApplicable)?;
        forge(scene, act, &mut draft)?;
    } else if let Some(key) = dpop::chosen(act) {
        draft.options.push(("@dpop".into(), key));
    }
    if let Some(code) = draft.get("code") {
        scene.spend(&code);
    }
    let mut outcome = send(scene, act, client, draft, act.step.verb).await;
    outcome.resource = authorization.resource.clone();
    for name in [
        "code",
        "state",
        "iss",
        "redirect_uri",
        "verifier",
        "challenge",
        "requested_scope",
        "requested_resource",
    ] {
        if let Some(value) = authorization.field(name) {
            outcome
                .fields
                .entry(name.into())
                .or_insert_with(|| value.to_owned());
        }
    }
    outcome.response.clone_from(&authorization.response);
    outcome.location.clone_from(&authorization.location);
    outcome.pages.clone_from(&authorization.pages);
    outcome.consents = authorization.consents;
    Ok(outcome)
}

/// authorize, then exchange; the deviation is the authorization request's.
pub(super) async fn grant(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    if scene.world.target.login.driver == Driver::Tokens {
        return given(scene, act, &client);
    }
    if let Some(mint) = &scene.world.target.mint {
        let outcome = super::mint::grant(scene, act, &client, mint)?;
        let token = outcome.field("access_token").unwrap_or_default();
        scene.secrets.learn(token, "access_token");
        return Ok(outcome);
    }
    if act.step.asks_for_itself() {
        return by_client(scene, act, &client).await;
    }
    let mut authorization = super::authorize::perform(scene, act).await?;
    if authorization.answer != Answer::Success {
        authorization.verb = Verb::Grant;
        return Ok(authorization);
    }
    redeem(scene, act, &client, &authorization, false).await
}

/// Client credentials: the client asks for itself, and the deviation is in the one request there is (RFC 6749 §4.4.2).
async fn by_client(
    scene: &mut Scene<'_>,
    act: &Act<'_>,
    client: &Client,
) -> Result<Outcome, Answer> {
    let resource = scene.resource(act.step);
    let mut draft = token_draft(scene, client, "client_credentials")?;
    draft.push_some("scope", super::authorize::scope(scene, resource));
    draft.push_some("resource", resource.and_then(|own| own.id.clone()));
    let names = scene.names(client, (String::new(), String::new()));
    draft
        .arrange(&act.step.given, &names)
        .and_then(|()| draft.apply(act.change, &names))
        .map_err(Answer::NotApplicable)?;
    let asked = ["scope", "resource"].map(|name| (name, draft.get(name)));
    let mut outcome = send(scene, act, client, draft, Verb::Grant).await;
    outcome.resource = resource.map(|own| own.name.clone());
    for (name, value) in asked {
        let requested = format!("requested_{name}");
        outcome.fields.extend(value.map(|value| (requested, value)));
    }
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
    if !plain || act.user != crate::suite::model::User::Approve {
        return unlike("none can be asked for in another way");
    }
    if first.is_none_or(|first| first.name != client.name) {
        return unlike("they belong to one client");
    }
    let Some(resource) = scene.resource(act.step) else {
        return unlike("none for this resource");
    };
    let token = target
        .login
        .tokens
        .iter()
        .find(|(name, _)| *name == resource.name);
    let Some((_, token)) = token else {
        return unlike(&format!("none for resource {}", resource.name));
    };
    let mut outcome = Outcome::new(Verb::Grant, &act.label, Answer::Success);
    outcome.client = client.name.clone();
    outcome.resource = Some(resource.name.clone());
    outcome.fields.insert("access_token".into(), token.clone());
    let scope = resource.scope.clone().unwrap_or_default();
    outcome.fields.insert("requested_scope".into(), scope);
    Ok(outcome)
}

/// Uses the newest refresh token of the client, or the one that the step names.
pub(super) async fn refresh(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    if scene.newest(&client.name, "refresh_token").is_none() {
        let step = plain(Verb::Grant, act.step);
        let outcome = scene.arrange(step, &act.label).await?;
        if outcome.answer != Answer::Success {
            return Err(outcome.answer);
        }
    }
    let newest = scene.newest(&client.name, "refresh_token").cloned();
    let mut draft = token_draft(scene, &client, "refresh_token")?;
    draft.push_some(
        "refresh_token",
        newest
            .as_ref()
            .and_then(|outcome| outcome.field("refresh_token"))
            .map(str::to_owned),
    );
    draft.credential = Some("refresh_token");
    let names = scene.names(&client, (String::new(), String::new()));
    draft
        .arrange(&act.step.given, &names)
        .and_then(|()| draft.apply(act.change, &names))
        .map_err(Answer::NotApplicable)?;
    forge(scene, act, &mut draft)?;
    // What the new tokens are for follows the token that was used, not the newest grant.
    let used = draft.get("refresh_token").unwrap_or_default();
    let origin = scene
        .outcomes
        .iter()
        .rev()
        .find(|outcome| outcome.field("refresh_token") == Some(used.as_str()))
        .cloned()
        .or(newest);
    let mut outcome = send(scene, act, &client, draft, Verb::Refresh).await;
    if outcome.answer == Answer::Success {
        // A server that does not rotate lets the token that was used go on living.
        outcome.fields.entry("refresh_token".into()).or_insert(used);
    }
    if let Some(origin) = origin {
        outcome.resource.clone_from(&origin.resource);
        for name in ["requested_scope", "requested_resource"] {
            if let Some(value) = origin.field(name) {
                outcome
                    .fields
                    .entry(name.into())
                    .or_insert_with(|| value.to_owned());
            }
        }
    }
    Ok(outcome)
}

/// Sends a token request, once or several times at once.
pub(super) async fn send(
    scene: &mut Scene<'_>,
    act: &Act<'_>,
    client: &Client,
    draft: Draft,
    verb: Verb,
) -> Outcome {
    let sent = draft.sent();
    let spent = draft.get("refresh_token");
    let signed = draft.option("@dpop").is_some();
    let proved = signed.then(|| draft.clone());
    let request = draft.finish();
    let copies = act
        .step
        .parallel
        .filter(|_| !act.change.is_empty() || act.step.parallel.is_some());
    let mut outcome = match copies {
        Some(copies) if copies > 1 => {
            let mut all = Vec::new();
            for recorded in scene
                .world
                .transport
                .send_together(&request, copies as usize)
                .await
            {
                let mut copy = Outcome::new(verb, &act.label, Answer::Success);
                read(&recorded, &mut copy);
                copy.client = client.name.clone();
                scene.keep(recorded, &act.label, "as");
                all.push(copy);
            }
            let mut first = all
                .iter()
                .find(|copy| copy.answer == Answer::Success)
                .or(all.first())
                .cloned()
                .unwrap_or_else(|| {
                    Outcome::new(
                        verb,
                        &act.label,
                        Answer::NoAnswer("nothing was sent".into()),
                    )
                });
            first.copies = all;
            first
        }
        _ => {
            let recorded = match proved {
                Some(draft) => dpop::send(scene, act, draft, None, "as").await,
                None => scene.send(request, &act.label, "as").await,
            };
            let mut outcome = Outcome::new(verb, &act.label, Answer::Success);
            read(&recorded, &mut outcome);
            outcome
        }
    };
    outcome.client = client.name.clone();
    outcome.sent = sent;
    for name in ["access_token", "refresh_token", "id_token"] {
        if let Some(value) = outcome.fields.get(name) {
            scene.secrets.learn(value, name);
        }
    }
    for issued in std::iter::once(&outcome).chain(&outcome.copies) {
        let token = issued
            .field("refresh_token")
            .or(issued.field("access_token"))
            .filter(|_| issued.answer == Answer::Success);
        if let Some(token) = token {
            scene
                .world
                .note_grant(&client.name, token, spent.as_deref());
        }
    }
    outcome
}

/// Reads a token endpoint answer (RFC 6749 §5).
fn read(recorded: &Recorded, outcome: &mut Outcome) {
    outcome.answer = match document(recorded) {
        Err(answer) => answer,
        Ok(reply) => {
            let object = reply.json().unwrap_or_default();
            let token = object
                .get("access_token")
                .and_then(serde_json::Value::as_str)
                .is_some_and(|token| !token.is_empty());
            if reply.is_success() && token {
                outcome.fields = json_fields(reply);
                Answer::Success
            } else {
                refusal(reply)
            }
        }
    };
}

/// A correct step of this verb that keeps the client and resource of another.
pub(super) fn plain(verb: Verb, like: &Step) -> Step {
    Step {
        client: like.client.clone(),
        at: like.at.clone(),
        source: like.source.clone(),
        ..Step::new(verb)
    }
}
