//! Whether a server does what its documents say, as far as the steps of the case have shown it.

use serde_json::Value;

use super::view::{View, quote};
use super::{Check, Finding, Look};
use crate::flow::Answer;
use crate::suite::model::Verb;
use crate::targets::model::ClientAuth;

pub(super) const CHECKS: &[Check] = &[
    Check("metadata-truthful", Look::At(metadata_truthful)),
    Check("statement-ignored", Look::At(statement_ignored)),
];

/// RFC 8414 §2: what the client of the case has used is what the document says.
fn metadata_truthful(view: &View<'_>) -> Result<Finding, Finding> {
    let document = view
        .last()?
        .json()
        .ok_or_else(|| Finding::undecided("the metadata is no JSON object"))?;
    let used = view
        .earlier()
        .iter()
        .find(|outcome| outcome.verb == Verb::Grant && outcome.answer == Answer::Success)
        .ok_or_else(|| Finding::undecided("no grant succeeded before"))?;
    let client = view
        .target
        .client(&used.client)
        .ok_or_else(|| Finding::undecided("the client of the grant is not known"))?;
    let method = match client.auth {
        ClientAuth::None => "none",
        ClientAuth::Basic => "client_secret_basic",
        ClientAuth::Post => "client_secret_post",
        ClientAuth::PrivateKeyJwt => "private_key_jwt",
    };
    let mut claims = vec![
        ("response_types_supported", "code", None),
        (
            "grant_types_supported",
            "authorization_code",
            Some("authorization_code"),
        ),
        (
            "token_endpoint_auth_methods_supported",
            method,
            Some("client_secret_basic"),
        ),
    ];
    if used.field("refresh_token").is_some() {
        claims.push((
            "grant_types_supported",
            "refresh_token",
            Some("authorization_code"),
        ));
    }
    let challenged = used.asked.challenge.as_ref();
    let challenged = challenged.is_some_and(|text| !text.is_empty());
    if challenged && document.contains_key("code_challenge_methods_supported") {
        claims.push(("code_challenge_methods_supported", "S256", None));
    }
    for (member, word, default) in claims {
        let listed = match document.get(member) {
            Some(Value::Array(items)) => items.iter().any(|item| item.as_str() == Some(word)),
            Some(_) => return Err(Finding::undecided(format!("`{member}` is no array"))),
            None => default == Some(word),
        };
        if !listed {
            return Err(Finding::warn(format!(
                "{} works, and `{member}` does not say so",
                quote(word)
            )));
        }
    }
    Ok(Finding::pass("what was used is what the metadata lists"))
}

/// RFC 7591 §3.2.1: a software statement that is believed comes back, and its claims count.
fn statement_ignored(view: &View<'_>) -> Result<Finding, Finding> {
    let answer = view
        .last()?
        .json()
        .ok_or_else(|| Finding::undecided("the registration answer is no JSON object"))?;
    if answer.contains_key("software_statement") {
        return Err(Finding::fail(
            "the software statement comes back, so it was taken for good",
        ));
    }
    match answer.get("client_name").and_then(Value::as_str) {
        Some("oauthspec statement") => Err(Finding::fail(
            "client_name is that of the software statement",
        )),
        _ => Ok(Finding::pass("nothing of the software statement was taken")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, of};
    use crate::check::Found::{Fail, Pass, Undecided, Warn};

    #[test]
    fn what_works_is_listed() {
        let says = |document: &str| {
            let mut stage = Stage::new();
            stage.grant(r#"{"access_token":"t","refresh_token":"r"}"#);
            stage.discover("as", 200, document);
            of("metadata-truthful", &stage)
        };
        let whole = r#"{"response_types_supported":["code"],"grant_types_supported":["authorization_code","refresh_token"],"token_endpoint_auth_methods_supported":["none"]}"#;
        assert_eq!(says(whole), Pass);
        assert_eq!(says(&whole.replace("refresh_token", "implicit")), Warn);
        assert_eq!(says(&whole.replace("none", "private_key_jwt")), Warn);
        assert_eq!(says("{}"), Warn);
        let mut alone = Stage::new();
        alone.discover("as", 200, whole);
        assert_eq!(of("metadata-truthful", &alone), Undecided);
    }

    #[test]
    fn a_statement_that_is_believed_shows() {
        let says = |answer: &str| {
            let mut stage = Stage::new();
            stage.register(&[("software_statement", "x")], 201, answer);
            of("statement-ignored", &stage)
        };
        assert_eq!(says(r#"{"client_id":"c"}"#), Pass);
        assert_eq!(says(r#"{"client_id":"c","software_statement":"x"}"#), Fail);
        let name = r#"{"client_id":"c","client_name":"oauthspec statement"}"#;
        assert_eq!(says(name), Fail);
    }
}
