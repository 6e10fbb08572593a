//! DPoP proofs (RFC 9449): made for a request, and made again with the nonce that the server asks for.

use jose::dpop::proof;
use jose::{Flaw, SigningKey};

use crate::transport::{Carrier, Recorded, Reply, Request};

/// How a request shows that its sender has a key.
#[derive(Clone, Copy)]
pub struct Proof<'p> {
    /// The key.
    pub key: &'p SigningKey,
    /// The access token that goes along at a resource server (RFC 9449 §4.2 `ath`).
    pub token: Option<&'p str>,
    /// What is wrong with the proof; nothing in a correct client's.
    pub flaw: Option<Flaw>,
}

/// Sends a request with its proof; once more with a nonce when the server asks for one (RFC 9449 §8, §9). Every exchange in order, the
/// decisive one last.
pub async fn send(carrier: &dyn Carrier, request: &Request, proof: Proof<'_>) -> Vec<Recorded> {
    let mut log = Vec::new();
    let mut nonce: Option<String> = None;
    loop {
        let proved = with_proof(request, proof, nonce.as_deref());
        let recorded = carrier.carry(proved.clone()).await;
        let supplied = recorded.reply.as_ref().ok().and_then(supplied_nonce);
        let follows =
            nonce.is_none() && !matches!(proof.flaw, Some(Flaw::NoNonce | Flaw::OtherNonce));
        log.push(recorded);
        match supplied {
            Some(new) if follows => nonce = Some(new),
            _ => {
                if proof.flaw == Some(Flaw::Replayed) {
                    log.push(carrier.carry(proved).await);
                }
                return log;
            }
        }
    }
}

fn with_proof(request: &Request, own: Proof<'_>, nonce: Option<&str>) -> Request {
    let mut proved = request.clone();
    let copies = if own.flaw == Some(Flaw::Twice) { 2 } else { 1 };
    for _ in 0..copies {
        let of = jose::dpop::Request {
            method: &request.method,
            url: &request.url,
            token: own.token,
            nonce,
            now: jiff::Timestamp::now().as_second(),
        };
        let made = proof(own.key, &of, own.flaw);
        proved.headers.push(("DPoP".to_owned(), made));
    }
    proved
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
pub fn asks_for_nonce(reply: &Reply) -> bool {
    const ERROR: &str = "use_dpop_nonce";
    let challenge = wire::challenge::parse(reply.all("www-authenticate"));
    let by_challenge = challenge
        .scheme("dpop")
        .is_some_and(|challenge| challenge.param("error") == Some(ERROR));
    let body = reply.json();
    let by_body = body.is_some_and(|body| body.get("error").is_some_and(|error| error == ERROR));
    by_challenge || by_body
}
