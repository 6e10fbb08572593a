//! What a fresh token was asked for and what it says, beside what its resource server calls itself: where they differ is the mistake.

use super::{Answer, Outcome, Scene, confirm};
use crate::suite::model::Verb;

/// Why a call may have been refused with a token that was issued for just this resource, as text to add to the refusal; empty when the call
/// was no such one. An opaque token is introspected, where that can be done.
///
/// Source: RFC 8707 §2, RFC 9728 §3.3, RFC 9068 §4.
pub async fn side_by_side(scene: &mut Scene<'_>, call: &Outcome) -> String {
    let refused = matches!(call.answer, Answer::Refused { .. });
    if call.verb != Verb::Call || !refused || call.changed.iter().any(|name| name == "token") {
        return String::new();
    }
    let token = call.sent_param("token").unwrap_or_default().to_owned();
    let granted = scene.outcomes.iter().rev().find(|outcome| {
        outcome.answer == Answer::Success && outcome.field("access_token") == Some(token.as_str())
    });
    let Some(granted) = granted.cloned() else {
        return String::new();
    };
    let world = scene.world;
    let called = call
        .resource
        .as_deref()
        .and_then(|name| world.target.resource(name));
    let Some(called) = called.filter(|_| granted.resource == call.resource) else {
        return String::new();
    };
    let asked = granted.asked.resource.as_deref().unwrap_or("(none)");
    let document = world
        .resource_documents
        .get(&called.name)
        .map_or("(no document)", String::as_str);
    let audience = match jose::Token::parse(&token) {
        Ok(token) => token
            .claims
            .get("aud")
            .map_or_else(|| "(none)".to_owned(), ToString::to_string),
        Err(_) => introspected(scene, &granted, &token).await,
    };
    format!(
        "; side by side: resource asked for {asked}, resource of the protected resource metadata {document}, \
         the token's aud {audience}, URL called {}",
        called.url
    )
}

async fn introspected(scene: &mut Scene<'_>, granted: &Outcome, token: &str) -> String {
    let step = confirm::step(Verb::Introspect, &granted.client, None, &[("token", token)]);
    match scene.arrange(step, "the token introspected").await {
        Ok(told) if told.answer == Answer::Success => {
            told.said.get("aud").unwrap_or("(not told)").to_owned()
        }
        _ => "(opaque)".to_owned(),
    }
}
