//! The published keys (RFC 7517).

use std::collections::BTreeSet;

use wire::json::Value;

use super::view::{View, object, quote};
use super::{Check, Finding, Look};

pub(super) const CHECKS: &[Check] = &[Check("jwks-public-only", Look::At(jwks_public_only))];

fn jwks_public_only(view: &View<'_>) -> Result<Finding, Finding> {
    let reply = view.last()?;
    if reply.status != 200 {
        return Err(Finding::fail(format!("the status is {}", reply.status)));
    }
    let document = object(reply).map_err(Finding::fail)?;
    let Some(keys) = document.value.get("keys").and_then(Value::as_array) else {
        return Err(Finding::fail("there is no array `keys`"));
    };
    if keys.is_empty() {
        return Err(Finding::fail("`keys` is empty"));
    }
    let set = wire::jwks::jwks(&document);
    let mut kids = BTreeSet::new();
    let mut nameless = false;
    for key in &set.keys {
        let index = key.index;
        let secret = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]
            .into_iter()
            .find(|name| key.value.get(name).is_some());
        if let Some(name) = secret {
            return Err(Finding::fail(format!(
                "key {index} publishes its private member `{name}`"
            )));
        }
        if key.kty.as_deref() == Some("oct") {
            return Err(Finding::fail(format!("key {index} is symmetric (oct)")));
        }
        if let Some(bits) = key.modulus_bits.filter(|bits| *bits < 2048) {
            return Err(Finding::fail(format!(
                "key {index} is an RSA key of {bits} bits"
            )));
        }
        match &key.kid {
            None => nameless = true,
            Some(kid) if !kids.insert(kid.clone()) => {
                return Err(Finding::fail(format!(
                    "two keys have the kid {}",
                    quote(kid)
                )));
            }
            Some(_) => {}
        }
    }
    if nameless && keys.len() > 1 {
        return Err(Finding::warn("of several keys, one has no kid"));
    }
    Ok(Finding::pass(format!(
        "{} keys, all of them public",
        keys.len()
    )))
}

#[cfg(test)]
mod tests {
    use super::super::stage::of_document;
    use crate::check::Found::{self, Fail, Pass, Warn};

    fn says(check: &str, document: &str) -> Found {
        of_document(check, "as", document)
    }

    #[test]
    fn a_key_set_has_public_keys_only() {
        let check = "jwks-public-only";
        let key = r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"1"}"#;
        assert_eq!(says(check, &format!(r#"{{"keys":[{key}]}}"#)), Pass);
        assert_eq!(says(check, &format!(r#"{{"keys":[{key},{key}]}}"#)), Fail);
        assert_eq!(says(check, r#"{"keys":[]}"#), Fail);
        assert_eq!(says(check, r#"{"keys":[{"kty":"oct","kid":"1"}]}"#), Fail);
        assert_eq!(
            says(check, r#"{"keys":[{"kty":"EC","d":"AA","kid":"1"}]}"#),
            Fail
        );
        assert_eq!(
            says(check, r#"{"keys":[{"kty":"EC"},{"kty":"EC","kid":"1"}]}"#),
            Warn
        );
    }
}
