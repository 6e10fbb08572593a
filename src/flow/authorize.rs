//! `authorize`: the user follows the authorization request through login and consent
//! (RFC 6749 §4.1.1, §4.1.2).

use jose::{Alg, Context, SigningKey};

use super::change::{apply, arrange, forged};
use super::scene::Act;
use super::{Answer, How, Outcome, Scene, person, push};
use crate::client::draft::Draft;
use crate::client::redirect::Waiting;
use crate::client::{Asked, Pkce, request, request_object};
use crate::event::Addressee;
use crate::login::End;
use crate::suite::model::Verb;
use crate::targets::model::Client;

/// The pseudo parameter that asks for a request object.
const SIGNED: &str = "@request";

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    person::possible(&scene.world.target.login, act.user).map_err(Answer::NotApplicable)?;
    let resource = scene.resource(act.step);
    let pkce = Pkce::fresh();
    let state = jose::random_token(16);
    let mut draft = request::authorization(scene.world, &client, resource, &pkce, &state)?;
    let direct = act.change.with.iter().any(|(name, _)| name == "@direct");
    let mut given = act.step.given.clone();
    if direct {
        given.retain(|(name, _)| name != "request_uri");
    } else if given.iter().any(|(name, _)| name == "request_uri") {
        request::refer_to(&mut draft, None);
    }
    let names = scene.names(&client, &pkce);
    arrange(&mut draft, &given, &names)?;
    apply(&mut draft, act.change, &names)?;
    // What was asked for is read off the parameters, wherever they travel.
    let signed = draft.option(SIGNED).is_some().then(|| draft.clone());
    if signed.is_some() {
        let object = request_object::sign(scene.world, &client, &mut draft);
        let object = match &act.change.forge {
            None => object,
            Some(name) => broken(scene, name, &object)?,
        };
        request_object::carry(&client, &mut draft, object);
    }
    let mut pushed = pushed(scene, &draft).cloned();
    let by_hand = draft.get("request").is_some() && signed.is_none();
    if pushed.is_none() && !direct && scene.world.pushes() && !by_hand {
        let mut outcome = push::forward(scene, act, &client, &draft, pkce.clone()).await?;
        if outcome.answer != Answer::Success {
            outcome.verb = Verb::Authorize;
            return Ok(outcome);
        }
        request::refer_to(&mut draft, outcome.said.get("request_uri"));
        // For the checks it is a step like any other.
        scene.outcomes.push(outcome.clone());
        pushed = Some(outcome);
    }
    let of = |name: &str| {
        let inside = signed.as_ref().unwrap_or(&draft);
        match &pushed {
            None => inside.get(name),
            Some(pushed) => {
                let sent = pushed.sent_param(name).map(str::to_owned);
                sent.or_else(|| signed.as_ref()?.get(name))
            }
        }
    };
    let of_push = pushed.as_ref().and_then(|one| one.asked.verifier.clone());
    let mut asked = Asked::of(of, of_push.unwrap_or(pkce.verifier));
    let mut uris = draft.all("redirect_uri");
    if let Some(uri) = of("redirect_uri").filter(|uri| !uris.contains(uri)) {
        uris.insert(0, uri);
    }
    let first = uris.first().filter(|uri| !uri.is_empty());
    asked.redirect_uri = asked.redirect_uri.or(first.cloned());
    let mut sent = signed.as_ref().map(Draft::sent).unwrap_or_default();
    sent.extend(draft.sent());
    let mut outcome = go(scene, act, &client, draft, &uris).await;
    outcome.sent = sent;
    outcome.asked = asked;
    outcome.resource = resource.map(|resource| resource.name.clone());
    Ok(outcome)
}

/// The push that a request refers to.
fn pushed<'s>(scene: &'s Scene<'_>, draft: &Draft) -> Option<&'s Outcome> {
    let uri = draft.get("request_uri")?;
    scene.outcomes.iter().rev().find(|outcome| {
        outcome.verb == Verb::Push && outcome.said.get("request_uri") == Some(uri.as_str())
    })
}

/// A request object broken in the way of this name: here the client is the signer, so its keys are public and ours is another.
fn broken(scene: &Scene<'_>, name: &str, object: &str) -> Result<String, Answer> {
    let world = scene.world;
    let listener = world.listener.as_ref();
    let listener = listener.and_then(|listener| listener.field("canary", &scene.id));
    let context = Context {
        jwks: Some(&world.key.public_jwks()),
        attacker: &SigningKey::generate(Alg::ES256),
        listener: listener.as_deref(),
        issuer: None,
    };
    forged(name, object, &context)
}

/// Lets the user follow the drafted request and reads where it ends. `asked` are the redirect URIs asked for.
async fn go(
    scene: &mut Scene<'_>,
    act: &Act<'_>,
    client: &Client,
    draft: Draft,
    asked: &[String],
) -> Outcome {
    let waiting = Waiting {
        target: &scene.world.target,
        client,
        asked,
    };
    let (end, walk) = person::behave(scene, act, draft.finish(), waiting).await;
    let last = walk.log.last();
    let last = last.and_then(|recorded| recorded.reply.as_ref().ok());
    let status = last.map_or(0, |reply| reply.status);
    let error = last.and_then(|reply| reply.json()?.get("error")?.as_str().map(str::to_owned));
    let mut outcome = Outcome::new(Verb::Authorize, &act.label, Answer::Success);
    outcome.answer = match end {
        End::Redirect { location, post } => {
            let response = waiting.read(&location, post.as_ref(), status);
            let said = response.said();
            for name in ["code", "state", "iss", "error"] {
                if let Some(value) = said.get(name) {
                    outcome.said.set(name, value);
                }
            }
            outcome.response = response.params;
            outcome.location = Some(location);
            response.answer
        }
        End::Page { status, .. } => Answer::Refused {
            status,
            error,
            how: How::Page,
        },
        End::ServerError(status) => Answer::ServerError(status),
        End::Throttled(why) => Answer::Throttled(why),
        End::NoAnswer(why) | End::Stuck(why) => Answer::NoAnswer(why),
    };
    if let Some(code) = outcome.said.get("code") {
        scene.secrets.learn(code, "code");
    }
    outcome.client = client.name.clone();
    outcome.pages = walk.pages;
    outcome.seen = walk.seen;
    outcome.consents = walk.consents;
    for recorded in walk.log {
        scene.keep(recorded, &act.label, Addressee::Page);
    }
    outcome
}
