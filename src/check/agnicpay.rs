//! What AgnicPay's documentation says of its metadata, tokens and consent, in words of its own.

use super::token::{success, token_object};
use super::view::{View, outline, quote, words};
use super::{Check, Finding, Look};

pub(super) const CHECKS: &[Check] = &[
    Check("agnic-metadata", Look::At(metadata)),
    Check("agnic-token-shape", Look::At(token_shape)),
    Check("agnic-token-lifetime", Look::At(token_lifetime)),
    Check("agnic-default-scope", Look::At(default_scope)),
    Check("agnic-limits-asked", Look::At(limits_asked)),
];

const TEXTS: [&str; 3] = ["issuer", "authorization_endpoint", "token_endpoint"];
const LISTS: [&str; 3] = [
    "scopes_supported",
    "response_types_supported",
    "grant_types_supported",
];

fn metadata(view: &View<'_>) -> Result<Finding, Finding> {
    let object = view
        .last()?
        .json()
        .ok_or_else(|| Finding::fail("the answer is no JSON object"))?;
    for name in TEXTS {
        if !object.get(name).is_some_and(serde_json::Value::is_string) {
            return Err(Finding::fail(format!("`{name}` is not there as a string")));
        }
    }
    for name in LISTS {
        let all = object.get(name).and_then(serde_json::Value::as_array);
        if !all.is_some_and(|all| all.iter().all(serde_json::Value::is_string)) {
            return Err(Finding::fail(format!(
                "`{name}` is not there as an array of strings"
            )));
        }
    }
    Ok(Finding::pass("the six documented members are there"))
}

fn token_shape(view: &View<'_>) -> Result<Finding, Finding> {
    let object = token_object(view, success(view)?)?;
    let text = |name: &str| object.get(name).and_then(serde_json::Value::as_str);
    for (name, prefix) in [
        ("access_token", "agnic_at_"),
        ("refresh_token", "agnic_rt_"),
    ] {
        match text(name) {
            Some(token) if token.len() > prefix.len() && token.starts_with(prefix) => {}
            Some(token) => {
                return Err(Finding::fail(format!(
                    "`{name}` does not begin with {prefix}: {}",
                    outline(token)
                )));
            }
            None => return Err(Finding::fail(format!("`{name}` is not there as a string"))),
        }
    }
    if text("token_type") != Some("Bearer") {
        let other = object.get("token_type").map(ToString::to_string);
        return Err(Finding::fail(format!(
            "`token_type` is {}, not \"Bearer\"",
            other.unwrap_or_else(|| "absent".into())
        )));
    }
    if !object
        .get("expires_in")
        .is_some_and(serde_json::Value::is_u64)
    {
        return Err(Finding::fail("`expires_in` is not there as an integer"));
    }
    if text("scope").is_none() {
        return Err(Finding::fail("`scope` is not there as a string"));
    }
    Ok(Finding::pass(
        "the prefixes, token_type, expires_in and scope are as documented",
    ))
}

const DAY: u64 = 86_400;

fn token_lifetime(view: &View<'_>) -> Result<Finding, Finding> {
    let object = token_object(view, success(view)?)?;
    let client = view
        .client
        .ok_or_else(|| Finding::undecided("the acting client is not known"))?;
    let (what, least, most) = match (client.name.as_str(), client.id.as_deref()) {
        (_, Some("agnic_cli")) => ("the CLI's tokens live 30 to 90 days", 30, 90),
        ("n8n", _) => ("N8N's tokens live a year", 365, 366),
        _ => ("access tokens live 30 to 60 days", 30, 60),
    };
    let life = object
        .get("expires_in")
        .and_then(serde_json::Value::as_u64)
        .ok_or_else(|| Finding::fail("`expires_in` is not there as an integer"))?;
    // Some servers count from the code, so a minute may be gone.
    if life + 60 >= least * DAY && life <= most * DAY {
        Ok(Finding::pass(format!("expires_in is {life} s: {what}")))
    } else {
        Err(Finding::fail(format!(
            "expires_in is {life} s, and {what} ({} to {} s)",
            least * DAY,
            most * DAY
        )))
    }
}

fn default_scope(view: &View<'_>) -> Result<Finding, Finding> {
    let outcome = success(view)?;
    let got = outcome
        .field("scope")
        .ok_or_else(|| Finding::fail("the answer has no `scope`"))?;
    let documented = "payments:sign balance:read";
    if words(got) == words(documented) {
        Ok(Finding::pass(format!("{} was granted", quote(got))))
    } else {
        Err(Finding::fail(format!(
            "{} was granted, and the documented default is {}",
            quote(got),
            quote(documented)
        )))
    }
}

/// What the consent is documented to ask for, and a word that shows it.
const ASKED: [(&str, &str); 4] = [
    ("a limit per transaction", "transaction"),
    ("a daily limit", "daily"),
    ("a monthly limit", "monthly"),
    ("the networks allowed", "network"),
];

fn limits_asked(view: &View<'_>) -> Result<Finding, Finding> {
    let pages = &view.outcome.pages;
    if pages.is_empty() {
        return Err(Finding::not_applicable("no page was shown"));
    }
    let text = pages.join("\n").to_ascii_lowercase();
    match ASKED.iter().find(|(_, word)| !text.contains(word)) {
        None => Ok(Finding::pass(
            "the pages ask for limits per transaction, day and month, and for networks",
        )),
        Some((what, _)) => Err(Finding::fail(format!("no page asks for {what}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, of};
    use crate::check::Found::{Fail, NotApplicable, Pass};

    const TOKEN: &str = r#"{"access_token":"agnic_at_x","refresh_token":"agnic_rt_x","token_type":"Bearer","expires_in":2592000,"scope":"balance:read payments:sign"}"#;

    fn grant(body: &str) -> Stage {
        let mut stage = Stage::new();
        stage.grant(body);
        stage
    }

    #[test]
    fn metadata_has_the_six_documented_members() {
        let whole = r#"{"issuer":"i","authorization_endpoint":"a","token_endpoint":"t","scopes_supported":["s"],"response_types_supported":["code"],"grant_types_supported":["g"]}"#;
        let document = |body: &str| {
            let mut stage = Stage::new();
            stage.discover("as", 200, body);
            of("agnic-metadata", &stage)
        };
        assert_eq!(document(whole), Pass);
        assert_eq!(document(&whole.replace("scopes_", "x_")), Fail);
        assert_eq!(document(&whole.replace("[\"s\"]", "\"s\"")), Fail);
        assert_eq!(document(&whole.replace("\"issuer\"", "\"x\"")), Fail);
    }

    #[test]
    fn tokens_begin_as_documented() {
        assert_eq!(of("agnic-token-shape", &grant(TOKEN)), Pass);
        for (from, to) in [
            ("agnic_at_x", "agnic_at_"),
            ("agnic_rt_", ""),
            ("\"Bearer\"", "\"bearer\""),
            ("2592000", "\"2592000\""),
            ("\"scope\"", "\"x\""),
            ("\"refresh_token\"", "\"x\""),
        ] {
            let body = TOKEN.replace(from, to);
            assert_eq!(of("agnic-token-shape", &grant(&body)), Fail, "{body}");
        }
    }

    #[test]
    fn a_token_lives_as_long_as_its_client_is_told() {
        let life = |name: &str, id: &str, days: u64| {
            let mut stage = grant(&TOKEN.replace("2592000", &(days * 86_400).to_string()));
            let client = stage.target.clients.first_mut().unwrap();
            (client.name, client.id) = (name.into(), Some(id.into()));
            stage.outcomes.first_mut().unwrap().client = name.into();
            of("agnic-token-lifetime", &stage)
        };
        assert_eq!(life("a", "app", 30), Pass);
        assert_eq!(life("a", "app", 60), Pass);
        assert_eq!(life("a", "app", 61), Fail);
        assert_eq!(life("a", "app", 1), Fail);
        assert_eq!(life("native", "agnic_cli", 90), Pass);
        assert_eq!(life("n8n", "flows", 365), Pass);
        assert_eq!(life("n8n", "flows", 30), Fail);
    }

    #[test]
    fn the_default_scope_is_a_set() {
        assert_eq!(of("agnic-default-scope", &grant(TOKEN)), Pass);
        let less = TOKEN.replace("balance:read ", "");
        assert_eq!(of("agnic-default-scope", &grant(&less)), Fail);
    }

    #[test]
    fn the_consent_asks_for_limits_and_networks() {
        let mut stage = Stage::new();
        stage.page("a=b", "Per transaction, daily and monthly limits. Networks");
        assert_eq!(of("agnic-limits-asked", &stage), Pass);
        let mut stage = Stage::new();
        stage.page("a=b", "daily and monthly limits. Networks");
        assert_eq!(of("agnic-limits-asked", &stage), Fail);
        let mut stage = Stage::new();
        stage.authorize("a=b", "https://app.example/cb?code=x");
        assert_eq!(of("agnic-limits-asked", &stage), NotApplicable);
    }
}
