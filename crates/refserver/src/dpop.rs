//! Proofs of possession (RFC 9449): who sends a token must show the key it was issued to.

use axum::http::HeaderMap;
use jose::{Alg, Jwk, Token, base64url, sha256};
use serde_json::Value;

use crate::{App, Fault, state::now};

/// Signature algorithms taken in proofs.
pub(crate) const ALGS: &[Alg] = &[Alg::ES256, Alg::EdDSA];
/// How far `iat` may be off, in seconds.
const LEEWAY: u64 = 60;
/// How long a nonce is supplied, in seconds; the one before it is still taken.
const NONCE_LIFE: u64 = 300;
/// The header of a proof.
pub(crate) const HEADER: &str = "dpop";
/// The header of a nonce (RFC 9449 §8).
pub(crate) const NONCE_HEADER: &str = "dpop-nonce";

/// What is wrong with a proof.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// `invalid_dpop_proof`.
    Invalid(&'static str),
    /// `use_dpop_nonce`.
    Nonce,
}

/// The request a proof must be for.
pub(crate) struct Request<'r> {
    pub method: &'r str,
    pub url: &'r str,
    pub token: Option<&'r str>,
    /// Nonces of the authorization server are not those of the resource servers (RFC 9449 §9).
    pub server: &'static str,
}

/// The nonce supplied now by this server, or `ago` lives ago.
pub(crate) fn nonce(app: &App, server: &str, ago: u64) -> String {
    let number = (now() / NONCE_LIFE).saturating_sub(ago);
    base64url(sha256(
        format!("{} {server} {number}", app.nonce_secret).as_bytes(),
    ))
}

/// The thumbprint of the key whose possession the request proves; `None` when it brings no proof.
pub(crate) fn check(
    app: &App,
    headers: &HeaderMap,
    request: &Request<'_>,
) -> Result<Option<String>, Problem> {
    let mut proofs = headers.get_all(HEADER).iter();
    let Some(text) = proofs.next() else {
        return Ok(None);
    };
    if proofs.next().is_some() && !app.broken(Fault::DpopTwoProofs) {
        return Err(Problem::Invalid("more than one proof"));
    }
    let text = text
        .to_str()
        .map_err(|_| Problem::Invalid("the proof is no text"))?;
    let proof = Token::parse(text).map_err(|_| Problem::Invalid("the proof is no JWT"))?;
    if proof.header_str("typ") != Some("dpop+jwt") && !app.broken(Fault::DpopTyp) {
        return Err(Problem::Invalid("typ is not dpop+jwt"));
    }
    let jwk = proof.header.get("jwk").cloned().unwrap_or_default();
    let thumbprint = signed(app, text, &proof, &jwk)?;
    let claim = |name: &str| proof.claim_str(name).unwrap_or_default();
    if claim("htm") != request.method && !app.broken(Fault::DpopHtm) {
        return Err(Problem::Invalid("htm is not the method of the request"));
    }
    let htu = claim("htu").split(['?', '#']).next().unwrap_or_default();
    if htu != request.url && !app.broken(Fault::DpopHtu) {
        return Err(Problem::Invalid("htu is not the URL of the request"));
    }
    let issued = proof.claims.get("iat").and_then(Value::as_f64);
    let issued = issued.ok_or(Problem::Invalid("iat is missing"))?;
    let off = (issued - now() as f64).abs();
    if off > LEEWAY as f64 && !app.broken(Fault::DpopIat) {
        return Err(Problem::Invalid("iat is not now"));
    }
    let id = claim("jti");
    if id.is_empty() && !app.broken(Fault::DpopJtiMissing) {
        return Err(Problem::Invalid("jti is missing"));
    }
    if let Some(token) = request.token {
        let ath = base64url(sha256(token.as_bytes()));
        if claim("ath") != ath && !app.broken(Fault::DpopAth) {
            return Err(Problem::Invalid("ath is not the hash of the token"));
        }
    }
    let sent = claim("nonce");
    let fresh = [0, 1].map(|ago| nonce(app, request.server, ago));
    let known = fresh.iter().any(|own| own == sent)
        || (app.broken(Fault::DpopNonceAny) && !sent.is_empty());
    if !known {
        return Err(Problem::Nonce);
    }
    let seen = format!("{thumbprint} {id}");
    let again = app.db().proofs.insert(seen, now() + 2 * LEEWAY).is_some();
    if again && !id.is_empty() && !app.broken(Fault::DpopReplay) {
        return Err(Problem::Invalid("the proof has been used before"));
    }
    Ok(Some(thumbprint))
}

/// The thumbprint of the key in the proof, whose signature it bears.
fn signed(app: &App, text: &str, proof: &Token, jwk: &Value) -> Result<String, Problem> {
    let private = ["d", "k", "p", "q"]
        .iter()
        .any(|name| jwk.get(name).is_some());
    if private && !app.broken(Fault::DpopPrivateJwk) {
        return Err(Problem::Invalid("jwk has a private member"));
    }
    let key = Jwk::from_json(jwk).ok_or(Problem::Invalid("jwk is no key"))?;
    let name = proof.header_str("alg").unwrap_or_default();
    let alg = Alg::parse(name).filter(|alg| ALGS.contains(alg));
    let verified = alg.is_some_and(|alg| {
        key.is_valid(alg)
            && key
                .verify(alg, proof.signing_input.as_bytes(), &proof.signature)
                .is_ok()
    });
    let by_fault = app.broken(Fault::DpopSignature) && alg.is_some()
        || app.broken(Fault::DpopAlgNone) && name == "none"
        || app.broken(Fault::DpopHs256)
            && jose::verify_hs256(text, jwk.to_string().as_bytes()).is_ok();
    if !verified && !by_fault {
        return Err(Problem::Invalid("the signature is not that of jwk"));
    }
    if app.broken(Fault::DpopThumbprint) {
        return Ok(base64url(sha256(format!("{jwk}\n").as_bytes())));
    }
    key.thumbprint()
        .ok_or(Problem::Invalid("jwk has no thumbprint"))
}
