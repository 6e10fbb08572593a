//! DPoP proofs of a step (RFC 9449): made with a key of the scene, sent again with the nonce that the
//! server asks for, and broken where the step says so.

use jose::Flaw;
use jose::dpop::proof;

use super::Scene;
use super::draft::Draft;
use super::scene::Act;
use crate::suite::model::{Part, Template, Value};
use crate::transport::{Recorded, Reply};

const OPTION: &str = "@dpop";

/// The key a step names for its proofs, deviation included.
pub(super) fn chosen(act: &Act<'_>) -> Option<String> {
    if act.change.without.iter().any(|name| name == OPTION) {
        return None;
    }
    let mut named = act.change.with.iter().chain(&act.step.given);
    let (_, value) = named.find(|(name, _)| name == OPTION)?;
    match value {
        Value::Text(Template(parts)) => match parts.as_slice() {
            [Part::Text(key)] => Some(key.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Sends a request, with a proof when its draft names a key. `token` is the access token that goes
/// along at a resource server.
pub(super) async fn send(
    scene: &mut Scene<'_>,
    act: &Act<'_>,
    draft: Draft,
    token: Option<String>,
    to: &'static str,
) -> Recorded {
    let key = draft.option(OPTION).map(str::to_owned);
    let request = draft.finish();
    let Some(key) = key else {
        return scene.send(request, &act.label, to).await;
    };
    let flaw = act.change.forge.as_deref().and_then(Flaw::parse);
    let mut nonce: Option<String> = None;
    loop {
        let mut proved = request.clone();
        let copies = if flaw == Some(Flaw::Twice) { 2 } else { 1 };
        for _ in 0..copies {
            let of = jose::dpop::Request {
                method: &request.method,
                url: &request.url,
                token: token.as_deref(),
                nonce: nonce.as_deref(),
                now: jiff::Timestamp::now().as_second(),
            };
            let made = scene.key(&key).map(|key| proof(key, &of, flaw));
            proved
                .headers
                .extend(made.map(|made| ("DPoP".to_owned(), made)));
        }
        let recorded = scene.send(proved.clone(), &act.label, to).await;
        let supplied = recorded.reply.as_ref().ok().and_then(supplied_nonce);
        let follows = nonce.is_none() && !matches!(flaw, Some(Flaw::NoNonce | Flaw::OtherNonce));
        match supplied {
            Some(new) if follows => nonce = Some(new),
            _ if flaw == Some(Flaw::Replayed) => {
                return scene.send(proved, &act.label, to).await;
            }
            _ => return recorded,
        }
    }
}

/// The nonce of an answer that asks for one (RFC 9449 §8, §9).
fn supplied_nonce(reply: &Reply) -> Option<String> {
    if !asks_for_nonce(reply) {
        return None;
    }
    reply
        .header("dpop-nonce")
        .map(|nonce| nonce.trim().to_owned())
        .filter(|nonce| !nonce.is_empty())
}

/// Whether the answer is `use_dpop_nonce`.
pub(crate) fn asks_for_nonce(reply: &Reply) -> bool {
    const ERROR: &str = "use_dpop_nonce";
    let challenge = wire::challenge::parse(reply.all("www-authenticate"));
    let by_challenge = challenge
        .scheme("dpop")
        .is_some_and(|challenge| challenge.param("error") == Some(ERROR));
    let body = reply.json();
    let by_body = body.is_some_and(|body| body.get("error").is_some_and(|error| error == ERROR));
    by_challenge || by_body
}
