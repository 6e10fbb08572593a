//! What HASP promises and no specification asks for.

use serde_json::Value as Json;

use super::view::{View, outline, quote};
use super::{Check, Finding, Look};

pub(super) const CHECKS: &[Check] = &[
    Check("hasp-token-shape", Look::At(token_shape)),
    Check("hasp-credentials", Look::At(credentials)),
];

/// Eight hours.
const LIFETIME: f64 = 28_800.0;

fn token_shape(view: &View<'_>) -> Result<Finding, Finding> {
    let answer = view
        .token_answer()?
        .json()
        .ok_or_else(|| Finding::fail("the token answer is no JSON object"))?;
    let token = answer.get("access_token").and_then(Json::as_str);
    let token = token.ok_or_else(|| Finding::fail("the answer has no access_token"))?;
    if token.strip_prefix("hasp_agent_").is_none_or(str::is_empty) {
        return Err(Finding::fail(format!(
            "the access token does not begin with hasp_agent_: {}",
            outline(token)
        )));
    }
    let kind = answer.get("token_type").and_then(Json::as_str);
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")) {
        return Err(Finding::fail("token_type is not Bearer"));
    }
    match answer.get("expires_in") {
        Some(Json::Number(seconds)) if seconds.as_f64() == Some(LIFETIME) => Ok(Finding::pass(
            "a Bearer token hasp_agent_… for 28800 seconds",
        )),
        Some(Json::Number(seconds)) => Err(Finding::fail(format!(
            "expires_in is {seconds}, documented is 28800"
        ))),
        Some(_) => Err(Finding::fail("expires_in is no number")),
        None => Err(Finding::fail("the answer has no expires_in")),
    }
}

/// 26 characters of Crockford's base 32, the first of them at most 7.
fn is_ulid(text: &str) -> bool {
    let digit = |c: char| c.is_ascii_digit() || (c.is_ascii_uppercase() && !"ILOU".contains(c));
    text.len() == 26
        && text.chars().all(digit)
        && text
            .chars()
            .next()
            .is_some_and(|first| ('0'..='7').contains(&first))
}

/// The identifiers and secrets of the target's clients, which HASP's console has issued.
fn credentials(view: &View<'_>) -> Result<Finding, Finding> {
    let mut seen = 0;
    for client in &view.target.clients {
        let Some(id) = &client.id else { continue };
        seen += 1;
        let named = id.strip_prefix("hasp_app_").is_some_and(is_ulid);
        if !named {
            return Err(Finding::fail(format!(
                "the client identifier {} is not hasp_app_ and a ULID",
                quote(id)
            )));
        }
        if let Some(secret) = &client.secret
            && !secret.starts_with("hasp_cs_live_")
        {
            return Err(Finding::fail(format!(
                "the secret of client {} does not begin with hasp_cs_live_",
                client.name
            )));
        }
    }
    match seen {
        0 => Err(Finding::undecided(
            "the target has no client with an identifier",
        )),
        _ => Ok(Finding::pass(format!(
            "{seen} clients are named as documented"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Found;
    use super::super::stage::Stage;
    use super::*;

    fn shape(answer: &str) -> Found {
        let mut stage = Stage::new();
        stage.grant(answer);
        match token_shape(&stage.view()) {
            Ok(finding) | Err(finding) => finding.found,
        }
    }

    #[test]
    fn the_sample_answer_passes_and_its_near_misses_do_not() {
        let sample = r#"{"access_token":"hasp_agent_x","token_type":"Bearer","expires_in":28800}"#;
        assert_eq!(shape(sample), Found::Pass);
        for (from, to) in [
            ("hasp_agent_x", "hasp_agent_"),
            ("hasp_agent_x", "agent_x"),
            ("Bearer", "DPoP"),
            ("28800", "3600"),
            ("28800", "\"28800\""),
            (",\"expires_in\":28800", ""),
        ] {
            assert_eq!(shape(&sample.replace(from, to)), Found::Fail, "{from} {to}");
        }
    }

    #[test]
    fn a_ulid_is_26_digits_of_base_32() {
        assert!(is_ulid("01ARZ3NDEKTSV4RRFFQ69G5FAV"));
        for wrong in [
            "",
            "01ARZ3NDEKTSV4RRFFQ69G5FA",
            "01ARZ3NDEKTSV4RRFFQ69G5FAU",
            "01arz3ndektsv4rrffq69g5fav",
            "81ARZ3NDEKTSV4RRFFQ69G5FAV",
        ] {
            assert!(!is_ulid(wrong), "{wrong}");
        }
    }
}
