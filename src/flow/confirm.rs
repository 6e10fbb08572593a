//! What an accepted attack is worth: the code is redeemed, the token used.
//!
//! A step that had to be refused and was not is a failure only when what it gave works. The rules
//! for authors are in `docs/checks.md`, "Accepted attacks are confirmed by use".

use super::{Answer, Outcome, Scene};
use crate::suite::model::{Part, Step, Template, Value, Verb};
use crate::targets::model::Resource;

/// What became of an accepted attack when its result was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmation {
    /// It works, or needs no further proof; the text says what was seen.
    Works(String),
    /// It was accepted, and leads nowhere.
    OfNoUse(String),
    /// It could not be used: no answer, throttling.
    Unknown(String),
}

/// Uses what the scene's step number `at` gave, as the section of `docs/checks.md` says.
///
/// Sends at most three redemptions; every step it performs is remembered in
/// the scene like any other, after the ones that are there.
pub async fn confirm(scene: &mut Scene<'_>, at: usize) -> Confirmation {
    let Some(outcome) = scene.outcomes.get(at).cloned() else {
        return Confirmation::Unknown("there is no such step".into());
    };
    if let Answer::Astray { location, .. } = &outcome.answer {
        return Confirmation::Works(format!("the browser was sent to {location}"));
    }
    if outcome.answer != Answer::Success {
        return Confirmation::OfNoUse(format!("it {}", outcome.answer.words()));
    }
    match outcome.verb {
        Verb::Authorize => confirm_code(scene, &outcome, &outcome).await,
        Verb::Push => confirm_pushed(scene, &outcome).await,
        Verb::Exchange | Verb::Grant | Verb::Refresh => confirm_token(scene, &outcome).await,
        Verb::Register => confirm_registration(scene, &outcome).await,
        _ => Confirmation::Works("the answer itself is the effect".into()),
    }
}

/// A correct step with nothing but a verb, a client and given parameters.
pub(crate) fn step(verb: Verb, client: &str, at: Option<&str>, given: &[(&str, &str)]) -> Step {
    Step {
        client: (!client.is_empty()).then(|| client.to_owned()),
        at: at.map(str::to_owned),
        given: given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), literal(value)))
            .collect(),
        ..Step::new(verb)
    }
}

fn literal(text: &str) -> Value {
    Value::Text(Template(vec![Part::Text(text.to_owned())]))
}

fn all<'o>(outcome: &'o Outcome, name: &str) -> Vec<&'o str> {
    outcome
        .sent
        .iter()
        .filter(|(key, value)| key == name && !value.is_empty())
        .map(|(_, value)| value.as_str())
        .collect()
}

/// The verifiers that may fit the challenges that were sent, the likeliest first; `None` sends none.
///
/// Without a method the challenge is the verifier (RFC 7636 §4.3), though some servers know S256 only.
fn verifiers(request: &Outcome) -> Vec<Option<String>> {
    let challenges = all(request, "code_challenge");
    if challenges.is_empty() {
        return vec![None];
    }
    let s256 = request.sent_param("code_challenge_method") == Some("S256");
    let own = request.asked.verifier.clone();
    let plain = challenges
        .iter()
        .map(|challenge| Some((*challenge).to_owned()));
    let mut candidates: Vec<Option<String>> = if s256 {
        vec![own]
    } else {
        plain.chain([own]).collect()
    };
    candidates.dedup();
    candidates.truncate(3);
    candidates
}

/// Redeems the code of `authorization`, which `request` (itself, or what was pushed) asked for.
async fn confirm_code(
    scene: &mut Scene<'_>,
    authorization: &Outcome,
    request: &Outcome,
) -> Confirmation {
    let Some(code) = authorization.code().map(str::to_owned) else {
        return Confirmation::Works("a token came with the redirect".into());
    };
    // The code belongs to the client that was named, whoever the case says is acting.
    let client = request
        .sent_param("client_id")
        .and_then(|id| {
            scene
                .world
                .target
                .clients
                .iter()
                .find(|client| client.id.as_deref() == Some(id))
        })
        .map_or_else(|| authorization.client.clone(), |owner| owner.name.clone());
    let label = format!("{}, the code redeemed", authorization.label);
    let mut last = Confirmation::Unknown("the code was not redeemed".into());
    for verifier in verifiers(request) {
        let mut given = vec![("code", code.as_str())];
        if let Some(verifier) = &verifier {
            given.push(("code_verifier", verifier));
        }
        if let Some(uri) = all(request, "redirect_uri").first() {
            given.push(("redirect_uri", uri));
        }
        let redemption = step(Verb::Exchange, &client, None, &given);
        last = match scene.arrange(redemption, &label).await {
            Ok(done) if done.answer == Answer::Success => {
                return Confirmation::Works(match &verifier {
                    None => "its code was redeemed without a verifier".into(),
                    Some(_) => "its code was redeemed".into(),
                });
            }
            Ok(done) => read("its code", done.answer),
            Err(answer) => read("its code", answer),
        };
        if matches!(last, Confirmation::Unknown(_)) {
            break;
        }
    }
    last
}

fn read(what: &str, answer: Answer) -> Confirmation {
    let words = format!("{what}, used, {}", answer.words());
    if answer.is_refusal() {
        Confirmation::OfNoUse(words)
    } else {
        Confirmation::Unknown(words)
    }
}

/// Follows a pushed request as its client would, and redeems the code.
async fn confirm_pushed(scene: &mut Scene<'_>, pushed: &Outcome) -> Confirmation {
    let Some(uri) = pushed.field("request_uri").map(str::to_owned) else {
        return Confirmation::OfNoUse("no request_uri came".into());
    };
    let walk = step(
        Verb::Authorize,
        &pushed.client,
        None,
        &[("request_uri", &uri)],
    );
    let label = format!("{}, the request used", pushed.label);
    match scene.arrange(walk, &label).await {
        Ok(done) => match &done.answer {
            Answer::Success => confirm_code(scene, &done, pushed).await,
            Answer::Astray { location, .. } => {
                Confirmation::Works(format!("the browser was sent to {location}"))
            }
            answer => read("the pushed request", answer.clone()),
        },
        Err(answer) => read("the pushed request", answer),
    }
}

/// Uses an access token at the resource that was asked for.
async fn confirm_token(scene: &mut Scene<'_>, outcome: &Outcome) -> Confirmation {
    let kind = outcome.field("token_type").unwrap_or_default();
    if kind.eq_ignore_ascii_case("dpop") {
        return Confirmation::Works("a token came that is bound to the key of the proof".into());
    }
    let resource = resource_asked_for(scene, outcome).map(|resource| resource.name.clone());
    match resource {
        Some(name) => use_at(scene, outcome, &name).await,
        None => Confirmation::Works(
            "an access token came, and the target names no resource to use it at".into(),
        ),
    }
}

/// The resource an outcome's token was asked for: by identifier, else by the step's `at`.
fn resource_asked_for<'s>(scene: &'s Scene<'_>, outcome: &Outcome) -> Option<&'s Resource> {
    let target = &scene.world.target;
    let asked = outcome
        .sent_param("resource")
        .or(outcome.asked.resource.as_deref())
        .filter(|identifier| !identifier.is_empty());
    let by_step = outcome
        .resource
        .as_deref()
        .and_then(|name| target.resource(name))
        .or(target.resources.first());
    match asked {
        None => by_step,
        Some(identifier) => by_step
            .filter(|resource| resource.id.as_deref() == Some(identifier))
            .or_else(|| {
                target
                    .resources
                    .iter()
                    .find(|resource| resource.id.as_deref() == Some(identifier))
            }),
    }
}

async fn use_at(scene: &mut Scene<'_>, outcome: &Outcome, resource: &str) -> Confirmation {
    let Some(token) = outcome.field("access_token") else {
        return Confirmation::OfNoUse("no access token came".into());
    };
    let call = step(
        Verb::Call,
        &outcome.client,
        Some(resource),
        &[("token", token)],
    );
    let label = format!("{}, the token used", outcome.label);
    let answer = match scene.arrange(call, &label).await {
        Ok(done) => done.answer,
        Err(answer) => answer,
    };
    match answer {
        Answer::Success => Confirmation::Works(format!("its token works at resource {resource}")),
        // A token with too little scope is a token that lives (RFC 6750 §3.1).
        Answer::Refused {
            status: 403,
            error: Some(error),
            ..
        } if error == "insufficient_scope" => Confirmation::Works(format!(
            "resource {resource} knows its token, and only finds its scope too small"
        )),
        other => read("its token", other),
    }
}

/// Whether an access token lives: called at its resource, or introspected.
pub(crate) async fn token_lives(scene: &mut Scene<'_>, outcome: &Outcome) -> Confirmation {
    let resource = resource_asked_for(scene, outcome).map(|resource| resource.name.clone());
    if let Some(name) = resource {
        return use_at(scene, outcome, &name).await;
    }
    let Some(token) = outcome.field("access_token") else {
        return Confirmation::OfNoUse("no access token came".into());
    };
    let question = step(Verb::Introspect, &outcome.client, None, &[("token", token)]);
    let label = format!("{}, the token introspected", outcome.label);
    match scene.arrange(question, &label).await {
        Ok(done) if done.answer == Answer::Success => {
            Confirmation::Works("introspection calls its token active".into())
        }
        Ok(done) => read("its token", done.answer),
        Err(answer) => read("its token", answer),
    }
}

/// Introspects an outcome's access token; the answer is remembered like any other.
pub(crate) async fn introspected(scene: &mut Scene<'_>, outcome: &Outcome) {
    let token = outcome.field("access_token").unwrap_or_default();
    let question = step(Verb::Introspect, &outcome.client, None, &[("token", token)]);
    let label = format!("{}, the token introspected", outcome.label);
    scene.arrange(question, &label).await.ok();
}

/// Revokes what an outcome got, its refresh token first (RFC 7009 §2.1).
pub(crate) async fn revoked(scene: &mut Scene<'_>, outcome: &Outcome) -> Answer {
    let token = outcome
        .field("refresh_token")
        .or(outcome.field("access_token"))
        .unwrap_or_default();
    let question = step(Verb::Revoke, &outcome.client, None, &[("token", token)]);
    let label = format!("{}, its token revoked", outcome.label);
    match scene.arrange(question, &label).await {
        Ok(done) => done.answer,
        Err(answer) => answer,
    }
}

/// Whether a refresh token lives: it is used once.
pub(crate) async fn refresh_lives(scene: &mut Scene<'_>, outcome: &Outcome) -> Confirmation {
    let Some(token) = outcome.field("refresh_token") else {
        return Confirmation::OfNoUse("no refresh token came".into());
    };
    let refresh = step(
        Verb::Refresh,
        &outcome.client,
        None,
        &[("refresh_token", token)],
    );
    let label = format!("{}, its refresh token used", outcome.label);
    match scene.arrange(refresh, &label).await {
        Ok(done) if done.answer == Answer::Success => {
            Confirmation::Works("its refresh token works".into())
        }
        Ok(done) => read("its refresh token", done.answer),
        Err(answer) => read("its refresh token", answer),
    }
}

/// Lets a user follow an authorization request of the client that was registered, when the fault is
/// in its redirect URIs.
async fn confirm_registration(scene: &mut Scene<'_>, outcome: &Outcome) -> Confirmation {
    if !outcome.changed.iter().any(|name| name == "redirect_uris") {
        return Confirmation::Works("the client is registered".into());
    }
    let text = outcome.sent_param("redirect_uris").unwrap_or_default();
    let uris: Vec<String> = match serde_json::from_str(text) {
        Ok(serde_json::Value::Array(items)) => items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        _ => vec![text.to_owned()],
    };
    // The faulty one of several is as a rule the last.
    let Some(uri) = uris.into_iter().rev().find(|uri| !uri.is_empty()) else {
        return Confirmation::Works("the client is registered without a redirect URI".into());
    };
    let name = format!("registered by {}", outcome.label);
    if !scene.adopt(&name, outcome) {
        return Confirmation::Unknown("the registration gave no client to use".into());
    }
    let walk = step(
        Verb::Authorize,
        &name,
        None,
        &[("redirect_uri", uri.as_str())],
    );
    let label = format!("{}, the client used", outcome.label);
    match scene.arrange(walk, &label).await {
        Ok(done) => match done.answer {
            Answer::Success => {
                Confirmation::Works(format!("an authorization of the new client leads to {uri}"))
            }
            Answer::Astray {
                location,
                with_code: true,
            } => Confirmation::Works(format!(
                "an authorization of the new client leads to {location}"
            )),
            answer => read("the new client", answer),
        },
        Err(answer) => read("the new client", answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(params: &[(&str, &str)]) -> Outcome {
        let mut outcome = Outcome::new(Verb::Authorize, "1 authorize", Answer::Success);
        outcome.sent = params
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        outcome.asked.verifier = Some("own".into());
        outcome
    }

    #[test]
    fn the_verifier_fits_the_challenge_that_was_sent() {
        assert_eq!(verifiers(&sent(&[])), [None]);
        assert_eq!(verifiers(&sent(&[("code_challenge", "")])), [None]);
        let s256 = sent(&[("code_challenge", "c"), ("code_challenge_method", "S256")]);
        assert_eq!(verifiers(&s256), [Some("own".to_owned())]);
        let plain = sent(&[
            ("code_challenge", "own"),
            ("code_challenge_method", "plain"),
        ]);
        assert_eq!(verifiers(&plain), [Some("own".to_owned())]);
        let without = sent(&[("code_challenge", "c")]);
        assert_eq!(
            verifiers(&without),
            [Some("c".to_owned()), Some("own".to_owned())]
        );
    }
}
