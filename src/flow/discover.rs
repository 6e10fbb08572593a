//! `discover`: metadata documents (RFC 8414 §3, OpenID Connect Discovery §4, RFC 9728 §3).

use super::answer::{json_fields, refusal};
use super::draft::{Draft, Encoding};
use super::scene::Act;
use super::{Answer, Outcome, Scene};
use crate::suite::model::Verb;
use crate::targets::model::Client;

/// Where the documents of an issuer may be, the standard place first.
pub fn places(issuer: &str, document: &str) -> Vec<String> {
    let mut places = Vec::new();
    let mut add = |url: Option<String>| {
        if let Some(url) = url
            && !places.contains(&url)
        {
            places.push(url);
        }
    };
    match document {
        "openid" => {
            add(Some(wire::metadata::openid_append(issuer)));
            add(wire::metadata::well_known(issuer, "openid-configuration"));
        }
        "resource" => add(wire::metadata::well_known(
            issuer,
            "oauth-protected-resource",
        )),
        _ => {
            add(wire::metadata::well_known(
                issuer,
                "oauth-authorization-server",
            ));
        }
    }
    places
}

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let world = scene.world;
    let at = act.step.at.as_deref().unwrap_or("as");
    let subject = match at {
        "as" | "openid" => world.target.issuer.clone(),
        _ => {
            let name = at.strip_prefix("resource.").unwrap_or("a");
            world
                .target
                .resource(name)
                .and_then(|resource| resource.id.clone())
                .ok_or_else(|| {
                    Answer::NotApplicable(format!("resource {name} has no identifier"))
                })?
        }
    };
    let document = if at.starts_with("resource") {
        "resource"
    } else {
        at
    };
    let place = places(&subject, document)
        .into_iter()
        .next()
        .ok_or_else(|| Answer::NotApplicable(format!("{subject} is not a URL")))?;
    let mut draft = Draft::new("GET", &place, Encoding::Query);
    let nobody = Client {
        name: String::new(),
        register: false,
        id: None,
        secret: None,
        auth: crate::targets::model::ClientAuth::None,
        kind: crate::targets::model::ClientKind::Public,
        redirect_uris: Vec::new(),
    };
    let names = scene.names(&nobody, (String::new(), String::new()));
    draft
        .arrange(&act.step.given, &names)
        .and_then(|()| draft.apply(act.change, &names))
        .map_err(Answer::NotApplicable)?;
    if let Some(word) = draft.option("@tls") {
        let word = word.to_owned();
        return super::handshake::perform(scene, act, &place, &word).await;
    }
    let sent = draft.sent();
    let recorded = scene.send(draft.finish(), &act.label, "as").await;
    let mut outcome = Outcome::new(Verb::Discover, &act.label, Answer::Success);
    outcome.sent = sent;
    outcome.resource = at.strip_prefix("resource").map(|rest| {
        let name = rest.trim_start_matches('.');
        if name.is_empty() {
            "a".to_owned()
        } else {
            name.to_owned()
        }
    });
    match super::answer::document(&recorded) {
        Err(answer) => outcome.answer = answer,
        Ok(reply) => {
            let object = reply.json();
            let identified = object.as_ref().is_some_and(|object| {
                ["issuer", "resource"]
                    .iter()
                    .any(|name| object.get(*name).is_some_and(serde_json::Value::is_string))
            });
            outcome.fields = json_fields(reply);
            if reply.status != 200 || !identified {
                outcome.answer = refusal(reply);
            }
        }
    }
    Ok(outcome)
}
