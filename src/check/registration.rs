//! Client registration (RFC 7591 §3.2) and introspection (RFC 7662 §2.2).

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};
use wire::json::Value;

use super::metadata::{json_200, json_body};
use super::quality::quality;
use super::token::has_no_store;
use super::view::{View, outline, quote, strings, words};
use super::{Check, Finding, Look};
use crate::flow::Outcome;
use crate::suite::model::Verb;

pub(super) const CHECKS: &[Check] = &[
    Check("introspection-active", Look::At(introspection_active)),
    Check("introspection-inactive", Look::At(introspection_inactive)),
    Check("registration-response", Look::At(response)),
    Check("registration-corrected", Look::At(corrected)),
    Check("registration-id-fresh", Look::At(id_fresh)),
    Check("registration-replaced", Look::At(replaced)),
    Check("registration-without-legacy", Look::At(without_legacy)),
    Check("registration-scope-within", Look::At(scope_within)),
    Check("secret-quality", Look::At(secret_quality)),
];

fn introspection_active(view: &View<'_>) -> Result<Finding, Finding> {
    let document = json_200(view.last()?)?;
    let value = &document.value;
    if value.get("active").and_then(Value::as_bool) != Some(true) {
        return Err(Finding::fail("`active` is not true"));
    }
    for name in [
        "scope",
        "client_id",
        "username",
        "sub",
        "iss",
        "jti",
        "token_type",
    ] {
        if let Some(other) = value.get(name).filter(|value| value.as_str().is_none()) {
            return Err(Finding::fail(format!(
                "`{name}` is a JSON {}, not a string",
                other.kind()
            )));
        }
    }
    for name in ["exp", "iat", "nbf"] {
        if let Some(other) = value.get(name).filter(|value| value.as_f64().is_none()) {
            return Err(Finding::fail(format!(
                "`{name}` is a JSON {}, not a number",
                other.kind()
            )));
        }
    }
    let token = view.outcome.sent_param("token");
    let owner = view
        .earlier()
        .iter()
        .find(|outcome| token.is_some() && outcome.field("access_token") == token);
    let expected = owner.and_then(|outcome| outcome_client(view, outcome));
    if let (Some(got), Some(expected)) = (value.get("client_id").and_then(Value::as_str), expected)
        && got != expected
    {
        return Err(Finding::fail(format!(
            "`client_id` is {}, and the token is that of {}",
            quote(got),
            quote(&expected)
        )));
    }
    Ok(Finding::pass(
        "the token is active, the members have their types",
    ))
}

/// The identifier of the client that a step's token was issued to.
fn outcome_client(view: &View<'_>, outcome: &Outcome) -> Option<String> {
    view.target
        .client(&outcome.client)
        .and_then(|client| client.id.clone())
}

fn introspection_inactive(view: &View<'_>) -> Result<Finding, Finding> {
    let document = json_200(view.last()?)?;
    if document.value.get("active").and_then(Value::as_bool) != Some(false) {
        return Err(Finding::fail("`active` is not false"));
    }
    let members = document.value.as_object().unwrap_or_default();
    match members.iter().find(|(name, _)| name != "active") {
        Some((name, _)) => Err(Finding::warn(format!(
            "an inactive token is told more about: `{name}`"
        ))),
        None => Ok(Finding::pass("`active` is false, and nothing else is said")),
    }
}

/// The members of a JSON text that was sent, or the text itself.
fn sent_value(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_owned()))
}

/// The registration answer as an object.
fn answer(view: &View<'_>) -> Result<Map<String, Json>, Finding> {
    let reply = view.last()?;
    let refused = || {
        Finding::undecided(format!(
            "nothing was registered: the step {}",
            view.outcome.answer.words()
        ))
    };
    if !reply.is_success() {
        return Err(refused());
    }
    reply.json().ok_or_else(refused)
}

fn response(view: &View<'_>) -> Result<Finding, Finding> {
    let reply = view.last()?;
    if !matches!(reply.status, 200 | 201) {
        return Err(Finding::fail(format!("the status is {}", reply.status)));
    }
    let document = json_body(reply)?;
    let value = &document.value;
    if value
        .get("client_id")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .is_empty()
    {
        return Err(Finding::fail("there is no string `client_id`"));
    }
    if value.get("client_secret").is_some()
        && value
            .get("client_secret_expires_at")
            .and_then(Value::as_f64)
            .is_none()
    {
        return Err(Finding::fail(
            "there is a `client_secret` without a number `client_secret_expires_at`",
        ));
    }
    has_no_store(reply)?;
    if let Some(sent) = view.outcome.sent_param("redirect_uris").map(sent_value) {
        let got = reply
            .json()
            .and_then(|body| body.get("redirect_uris").cloned());
        if got.as_ref() != Some(&sent) {
            return Err(Finding::fail(format!(
                "`redirect_uris` {} came back as {}",
                quote(&sent.to_string()),
                quote(&got.map(|got| got.to_string()).unwrap_or_default())
            )));
        }
    }
    if reply.status == 200 {
        return Err(Finding::warn("the status is 200, not 201"));
    }
    Ok(Finding::pass("201, the client as it was registered"))
}

fn corrected(view: &View<'_>) -> Result<Finding, Finding> {
    let answer = answer(view)?;
    let changed = view.outcome.changed.iter();
    let mut sent: Vec<(String, Option<Json>)> = changed
        .map(|name| (name.clone(), view.outcome.sent_param(name).map(sent_value)))
        .collect();
    // An update is sent as one body, which is the change.
    if let Some(body) = sent_body(view) {
        sent.extend(body.into_iter().map(|(name, value)| (name, Some(value))));
    }
    for (name, sent) in &sent {
        if let Some(got) = answer.get(name)
            && Some(got) != sent.as_ref()
        {
            return Ok(Finding::pass(format!(
                "`{name}` was registered as {}",
                quote(&got.to_string())
            )));
        }
    }
    Err(Finding::fail(format!(
        "{} was registered as it was sent",
        quote(&view.outcome.changed.join(", "))
    )))
}

/// The identifiers and secrets of the registrations of the case before this one.
fn earlier_registrations<'v>(view: &'v View<'_>, field: &str) -> Vec<&'v str> {
    view.earlier()
        .iter()
        .filter(|outcome| outcome.verb == Verb::Register)
        .filter_map(|outcome| outcome.field(field))
        .collect()
}

fn id_fresh(view: &View<'_>) -> Result<Finding, Finding> {
    let answer = answer(view)?;
    for name in ["client_id", "client_secret"] {
        let Some(got) = answer.get(name).and_then(Json::as_str) else {
            continue;
        };
        if view.outcome.sent_param(name) == Some(got) {
            return Err(Finding::fail(format!(
                "`{name}` is the one that the request named: {}",
                outline(got)
            )));
        }
        if earlier_registrations(view, name).contains(&got) {
            return Err(Finding::fail(format!(
                "`{name}` is that of an earlier registration: {}",
                outline(got)
            )));
        }
    }
    Ok(Finding::pass(
        "the identifier and the secret are the server's own",
    ))
}

/// The JSON object that an `http` step sent.
fn sent_body(view: &View<'_>) -> Option<Map<String, Json>> {
    let last = view.exchanges().next_back()?;
    serde_json::from_slice(&last.request.body).ok()
}

fn replaced(view: &View<'_>) -> Result<Finding, Finding> {
    let document = json_200(view.last()?)?;
    let value = &document.value;
    let request =
        sent_body(view).ok_or_else(|| Finding::undecided("the request was no JSON object"))?;
    let sent = |name: &str| request.get(name);
    let got = |name: &str| value.get(name).and_then(Value::as_str);
    let id = sent("client_id").and_then(Json::as_str);
    if got("client_id") != id {
        return Err(Finding::fail(format!(
            "`client_id` is {}, and {} was replaced",
            quote(got("client_id").unwrap_or_default()),
            quote(id.unwrap_or_default())
        )));
    }
    let uris = value.get("redirect_uris").and_then(strings);
    let sent_uris: Option<Vec<&str>> = sent("redirect_uris")
        .and_then(Json::as_array)
        .map(|items| items.iter().filter_map(Json::as_str).collect());
    if sent_uris.is_some() && uris != sent_uris {
        return Err(Finding::fail(format!(
            "`redirect_uris` {:?} came back as {:?}",
            sent_uris.unwrap_or_default(),
            uris.unwrap_or_default()
        )));
    }
    let before = view
        .earlier()
        .iter()
        .find(|outcome| outcome.verb == Verb::Register && outcome.field("client_id") == id)
        .and_then(|outcome| outcome.sent_param("client_name"));
    if sent("client_name").is_none() && before.is_some() && got("client_name") == before {
        return Err(Finding::fail(format!(
            "`client_name` was left out, and is still {}",
            quote(before.unwrap_or_default())
        )));
    }
    Ok(Finding::pass("the registration is what was sent"))
}

fn without_legacy(view: &View<'_>) -> Result<Finding, Finding> {
    let answer = answer(view)?;
    let list = |name: &str| -> Vec<String> {
        answer
            .get(name)
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect()
    };
    let grant = list("grant_types")
        .into_iter()
        .find(|grant| matches!(grant.as_str(), "implicit" | "password"));
    let kind = list("response_types")
        .into_iter()
        .find(|kind| kind.split(' ').any(|word| word == "token"));
    match (grant, kind) {
        (Some(grant), _) => Err(Finding::fail(format!(
            "the client was registered for the grant type {grant}"
        ))),
        (_, Some(kind)) => Err(Finding::fail(format!(
            "the client was registered for the response type {}",
            quote(&kind)
        ))),
        _ => Ok(Finding::pass("the client has no legacy grant")),
    }
}

fn scope_within(view: &View<'_>) -> Result<Finding, Finding> {
    let answer = answer(view)?;
    let Some(got) = answer.get("scope").and_then(Json::as_str) else {
        return Ok(Finding::pass("the answer names no scope"));
    };
    let sent = view.outcome.sent_param("scope").unwrap_or_default();
    let more: BTreeSet<&str> = words(got).difference(&words(sent)).copied().collect();
    if more.is_empty() {
        Ok(Finding::pass(format!("`scope` is {}", quote(got))))
    } else {
        Err(Finding::fail(format!(
            "`scope` is {}, and {} was sent",
            quote(got),
            quote(sent)
        )))
    }
}

fn secret_quality(view: &View<'_>) -> Result<Finding, Finding> {
    let mut best = None;
    for (field, what) in [
        ("client_secret", "client secrets"),
        ("registration_access_token", "registration access tokens"),
    ] {
        let mut values = earlier_registrations(view, field);
        values.extend(view.outcome.field(field));
        if values.len() > 1 {
            let finding = quality(what, &values)?;
            best.get_or_insert(finding);
        }
    }
    best.ok_or_else(|| Finding::undecided("fewer than two secrets of a kind were seen"))
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, of};
    use crate::check::Found::{Fail, Pass, Undecided, Warn};

    fn registered(status: u16, body: &str) -> Stage {
        let mut stage = Stage::new();
        stage.register(
            &[
                ("redirect_uris", r#"["https://app.example/cb"]"#),
                ("scope", "a b"),
            ],
            status,
            body,
        );
        stage
    }

    #[test]
    fn a_live_token_is_described() {
        let check = "introspection-active";
        let with = |body: &str| {
            let mut stage = Stage::new();
            stage.grant(r#"{"access_token":"t"}"#);
            stage.introspect("t", body);
            of(check, &stage)
        };
        assert_eq!(with(r#"{"active":true,"client_id":"app-a","exp":9}"#), Pass);
        assert_eq!(with(r#"{"active":true,"client_id":"app-b"}"#), Fail);
        assert_eq!(with(r#"{"active":"true"}"#), Fail);
        assert_eq!(with(r#"{"active":true,"exp":"9"}"#), Fail);
        assert_eq!(with(r#"{"active":true,"sub":9}"#), Fail);
    }

    #[test]
    fn a_dead_token_is_not_described() {
        let check = "introspection-inactive";
        let with = |body: &str| {
            let mut stage = Stage::new();
            stage.introspect("t", body);
            of(check, &stage)
        };
        assert_eq!(with(r#"{"active":false}"#), Pass);
        assert_eq!(with(r#"{"active":false,"sub":"alice"}"#), Warn);
        assert_eq!(with(r#"{"active":true}"#), Fail);
    }

    #[test]
    fn a_registration_is_answered_in_full() {
        let check = "registration-response";
        let body = r#"{"client_id":"x","redirect_uris":["https://app.example/cb"]}"#;
        let with = |status: u16, body: &str| {
            let mut stage = registered(status, body);
            stage.header("Cache-Control", "no-store");
            of(check, &stage)
        };
        assert_eq!(with(201, body), Pass);
        assert_eq!(with(200, body), Warn);
        assert_eq!(with(400, body), Fail);
        assert_eq!(of(check, &registered(201, body)), Fail);
        assert_eq!(with(201, r#"{"client_id":"x"}"#), Fail);
        assert_eq!(
            with(201, &body.replace("{", r#"{"client_secret":"s","#)),
            Fail
        );
    }

    #[test]
    fn a_correction_is_told() {
        let check = "registration-corrected";
        let with = |body: &str| {
            let mut stage = registered(201, body);
            stage.changed("scope");
            of(check, &stage)
        };
        assert_eq!(with(r#"{"client_id":"x","scope":"a"}"#), Pass);
        assert_eq!(with(r#"{"client_id":"x","scope":"a b"}"#), Fail);
        assert_eq!(with(r#"{"client_id":"x"}"#), Fail);
        assert_eq!(of(check, &registered(400, "{}")), Undecided);
        let put = r#"{"client_id":"x","redirect_uris":["http://new.example/cb"]}"#;
        let with = |answer: &str| {
            let mut stage = Stage::new();
            stage.register(&[], 200, answer);
            stage.body(put);
            stage.changed("@body");
            of(check, &stage)
        };
        assert_eq!(with(put), Fail);
        assert_eq!(with(&put.replace("new", "old")), Pass);
    }

    #[test]
    fn a_replacement_replaces_everything() {
        let check = "registration-replaced";
        let put = r#"{"client_id":"x","redirect_uris":["https://new.example/cb"]}"#;
        let with = |answer: &str| {
            let mut stage = Stage::new();
            stage.register(&[("client_name", "Old")], 201, r#"{"client_id":"x"}"#);
            stage.register(&[], 200, answer);
            stage.body(put);
            of(check, &stage)
        };
        assert_eq!(with(put), Pass);
        assert_eq!(with(&put.replace("new", "old")), Fail);
        assert_eq!(with(&put.replace("\"x\"", "\"y\"")), Fail);
        assert_eq!(with(&put.replace('{', r#"{"client_name":"Old","#)), Fail);
        assert_eq!(of(check, &registered(200, put)), Undecided);
    }

    #[test]
    fn the_server_chooses_identifiers() {
        let check = "registration-id-fresh";
        let mut stage = Stage::new();
        stage.register(&[("client_id", "mine")], 201, r#"{"client_id":"mine"}"#);
        assert_eq!(of(check, &stage), Fail);
        let mut stage = registered(201, r#"{"client_id":"one"}"#);
        assert_eq!(of(check, &stage), Pass);
        stage.register(&[], 201, r#"{"client_id":"one"}"#);
        assert_eq!(of(check, &stage), Fail);
        assert_eq!(of(check, &registered(400, "{}")), Undecided);
    }

    #[test]
    fn legacy_grants_and_scopes_are_not_handed_out() {
        let check = "registration-without-legacy";
        assert_eq!(
            of(
                check,
                &registered(201, r#"{"grant_types":["authorization_code"]}"#)
            ),
            Pass
        );
        assert_eq!(
            of(check, &registered(201, r#"{"grant_types":["implicit"]}"#)),
            Fail
        );
        assert_eq!(
            of(
                check,
                &registered(201, r#"{"response_types":["id_token token"]}"#)
            ),
            Fail
        );
        let check = "registration-scope-within";
        assert_eq!(of(check, &registered(201, r#"{"scope":"a"}"#)), Pass);
        assert_eq!(of(check, &registered(201, "{}")), Pass);
        assert_eq!(of(check, &registered(201, r#"{"scope":"a admin"}"#)), Fail);
    }

    #[test]
    fn secrets_cannot_be_guessed() {
        let two = |one: &str, other: &str| {
            let body = |secret: &str| format!(r#"{{"client_id":"x","client_secret":"{secret}"}}"#);
            let mut stage = registered(201, &body(one));
            stage.register(&[], 201, &body(other));
            of("secret-quality", &stage)
        };
        assert_eq!(
            two("SplxlOBeZQQYbYS6WxSbIA", "Zx9KqLr0TnUvWaBcDeFgHi"),
            Pass
        );
        assert_eq!(two("secret1", "secret2"), Fail);
        assert_eq!(of("secret-quality", &registered(201, "{}")), Undecided);
    }
}
