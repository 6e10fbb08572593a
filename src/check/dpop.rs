//! Proof of possession: tokens bound to a key, and nonces (RFC 9449 §5, §6, §8, §9).

use super::view::{View, quote};
use super::{Check, Finding, Look};
use crate::client::dpop::asks_for_nonce;
use crate::suite::model::Verb;

pub(super) const CHECKS: &[Check] = &[
    Check("dpop-token", Look::At(token)),
    Check("dpop-bound", Look::At(bound)),
    Check("dpop-nonce-asked", Look::At(nonce_asked)),
    Check("dpop-jkt-not-enforced", Look::At(jkt_not_enforced)),
];

fn token(view: &View<'_>) -> Result<Finding, Finding> {
    let kind = view.outcome.field("token_type").ok_or_else(|| {
        Finding::without_success("no token_type to look at", &view.outcome.answer)
    })?;
    if kind.eq_ignore_ascii_case("bearer") {
        return Err(Finding::not_applicable(
            "the server answers a proof with a bearer token, which it may",
        ));
    }
    if !kind.eq_ignore_ascii_case("dpop") {
        let says = format!("`token_type` is {}", quote(kind));
        return Err(Finding::fail(says));
    }
    Ok(Finding::pass("`token_type` is DPoP"))
}

fn bound(view: &View<'_>) -> Result<Finding, Finding> {
    token(view)?;
    if !view.readable(view.outcome) {
        return Ok(Finding::pass(
            "`token_type` is DPoP; the token cannot be read, so its key cannot be seen",
        ));
    }
    let cnf = view.claim(view.outcome, "cnf");
    let jkt = cnf.as_ref().and_then(|cnf| cnf.get("jkt")?.as_str());
    match jkt {
        None => Err(Finding::fail(
            "`token_type` is DPoP, but the token has no `cnf.jkt`: it is bound to no key",
        )),
        Some(jkt) if view.thumbprints.iter().any(|own| own == jkt) => {
            Ok(Finding::pass("`cnf.jkt` is the thumbprint of the key"))
        }
        Some(jkt) => Err(Finding::fail(format!(
            "`cnf.jkt` is {}, and the RFC 7638 thumbprint of the key is another",
            quote(jkt)
        ))),
    }
}

fn nonce_asked(view: &View<'_>) -> Result<Finding, Finding> {
    let asking = view.answers().find(|(_, reply)| asks_for_nonce(reply));
    let Some((_, reply)) = asking else {
        return Err(Finding::not_applicable("the server asks for no nonce"));
    };
    let nonces = reply.all("dpop-nonce").count();
    let nonce = reply.header("dpop-nonce").unwrap_or_default();
    if nonces != 1 || nonce.trim().is_empty() {
        return Err(Finding::fail(format!(
            "use_dpop_nonce comes with {nonces} DPoP-Nonce headers; one that is not empty is needed"
        )));
    }
    let wanted = if view.outcome.verb == Verb::Call {
        401
    } else {
        400
    };
    if reply.status != wanted {
        return Err(Finding::warn(format!(
            "use_dpop_nonce comes with status {}, not {wanted}",
            reply.status
        )));
    }
    Ok(Finding::pass("use_dpop_nonce comes with a nonce"))
}

fn jkt_not_enforced(_: &View<'_>) -> Result<Finding, Finding> {
    Err(Finding::warn(
        "dpop_jkt is not enforced; a server that does not know the parameter may ignore it",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::Found::{Fail, NotApplicable, Pass, Undecided, Warn};
    use super::super::stage::{Stage, of, quoted_jwt};

    fn granted(kind: &str, claims: &str) -> Stage {
        let mut stage = Stage::new();
        stage.thumbprints = vec!["thumb".into()];
        let token = quoted_jwt(claims);
        stage.grant(&format!(
            r#"{{"access_token":{token},"token_type":"{kind}"}}"#
        ));
        stage
    }

    #[test]
    fn a_bound_token_names_the_key() {
        let says = |kind: &str, claims: &str| of("dpop-bound", &granted(kind, claims));
        assert_eq!(says("DPoP", r#"{"cnf":{"jkt":"thumb"}}"#), Pass);
        assert_eq!(says("dpop", r#"{"cnf":{"jkt":"other"}}"#), Fail);
        assert_eq!(says("DPoP", "{}"), Fail);
        assert_eq!(says("mac", "{}"), Fail);
        assert_eq!(says("Bearer", "{}"), NotApplicable);
        assert_eq!(of("dpop-token", &granted("DPoP", "{}")), Pass);
        assert_eq!(of("dpop-token", &granted("Bearer", "{}")), NotApplicable);
        let mut opaque = Stage::new();
        opaque.grant(r#"{"access_token":"opaque","token_type":"DPoP"}"#);
        assert_eq!(of("dpop-bound", &opaque), Pass);
        assert_eq!(of("dpop-bound", &Stage::silent()), Undecided);
    }

    #[test]
    fn a_nonce_comes_with_the_demand_for_one() {
        let mut stage = Stage::new();
        stage.token_error(400, r#"{"error":"use_dpop_nonce"}"#);
        assert_eq!(of("dpop-nonce-asked", &stage), Fail);
        stage.header("DPoP-Nonce", "n-1");
        assert_eq!(of("dpop-nonce-asked", &stage), Pass);
        stage.header("DPoP-Nonce", " ");
        assert_eq!(of("dpop-nonce-asked", &stage), Fail);
        let mut late = Stage::new();
        late.token_error(401, r#"{"error":"use_dpop_nonce"}"#);
        late.header("DPoP-Nonce", "n-1");
        assert_eq!(of("dpop-nonce-asked", &late), Warn);
        let mut resource = Stage::new();
        resource.call("a", 401, "");
        resource.header("WWW-Authenticate", "DPoP error=\"use_dpop_nonce\"");
        resource.header("DPoP-Nonce", "n-1");
        assert_eq!(of("dpop-nonce-asked", &resource), Pass);
        let mut none = Stage::new();
        none.token_error(400, r#"{"error":"invalid_grant"}"#);
        assert_eq!(of("dpop-nonce-asked", &none), NotApplicable);
    }
}
