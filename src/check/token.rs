//! The token endpoint's answers: shape, caching, scope, rotation (RFC 6749 §5).

use serde_json::Value as Json;
use wire::json::Value;

use super::authorization::in_error_charset;
use super::metadata::{json_200, json_body};
use super::quality::{distinct, quality};
use super::view::{View, outline, quote};
use super::{Check, Finding, Look};
use crate::flow::{Answer, How, Outcome};
use crate::suite::model::Verb;

pub(super) const CHECKS: &[Check] = &[
    Check("token-response-shape", Look::At(response_shape)),
    Check("token-error-shape", Look::At(error_shape)),
    Check("error-not-200", Look::At(error_not_200)),
    Check("no-store", Look::At(no_store)),
    Check("not-invalid-grant", Look::At(not_invalid_grant)),
    Check("basic-challenge", Look::At(basic_challenge)),
    Check("no-refresh-token", Look::At(no_refresh_token)),
    Check("tokens-differ", Look::At(tokens_differ)),
    Check("refresh-token-rotated", Look::At(rotated)),
    Check("token-lifetime", Look::At(lifetime)),
    Check("token-quality", Look::At(token_quality)),
];

fn response_shape(view: &View<'_>) -> Result<Finding, Finding> {
    let document = json_200(view.token_answer()?)?;
    let member = |name: &str| document.value.get(name);
    let token = member("access_token")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if token.is_empty() || !token.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
        return Err(Finding::fail(
            "`access_token` is no string of printable ASCII characters",
        ));
    }
    match member("token_type").and_then(Value::as_str) {
        Some(kind) if ["bearer", "dpop"].contains(&kind.to_ascii_lowercase().as_str()) => {}
        Some(kind) => return Err(Finding::fail(format!("`token_type` is {}", quote(kind)))),
        None => return Err(Finding::fail("there is no string `token_type`")),
    }
    for name in ["scope", "refresh_token"] {
        if let Some(value) = member(name).filter(|value| value.as_str().is_none()) {
            return Err(Finding::fail(format!(
                "`{name}` is a JSON {}, not a string",
                value.kind()
            )));
        }
    }
    match member("expires_in") {
        None => Err(Finding::warn(
            "`expires_in` is absent: a client cannot know how long the token lives",
        )),
        Some(value) if value.as_f64().is_some_and(|seconds| seconds > 0.0) => {
            Ok(Finding::pass("the token answer has its members and types"))
        }
        Some(Value::Number(text)) => Err(Finding::fail(format!("`expires_in` is {}", quote(text)))),
        Some(value) => Err(Finding::fail(format!(
            "`expires_in` is a JSON {}, not a number",
            value.kind()
        ))),
    }
}

fn error_shape(view: &View<'_>) -> Result<Finding, Finding> {
    let reply = view.token_answer()?;
    let document = json_body(reply)?;
    let error = document.value.get("error").and_then(Value::as_str);
    let error = error
        .filter(|error| !error.is_empty())
        .ok_or_else(|| Finding::fail("there is no string `error`"))?;
    if !in_error_charset(error) {
        return Err(Finding::fail(format!(
            "`error` has other characters than RFC 6749 allows: {}",
            quote(error)
        )));
    }
    for name in ["access_token", "refresh_token"] {
        if document.value.get(name).is_some() {
            return Err(Finding::fail(format!("the error answer has `{name}`")));
        }
    }
    let says = format!("{} with error {}", reply.status, quote(error));
    match (reply.status, error) {
        (400, _) | (401, "invalid_client") => Ok(Finding::pass(says)),
        (401 | 403, _) => Err(Finding::warn(format!("{says}; 400 is expected"))),
        _ => Err(Finding::fail(format!("{says}; 400 is expected"))),
    }
}

fn error_not_200(view: &View<'_>) -> Result<Finding, Finding> {
    for (_, reply) in view.answers() {
        let error = reply
            .json()
            .and_then(|body| body.get("error").and_then(Json::as_str).map(str::to_owned));
        if let Some(error) = error.filter(|_| reply.status < 400) {
            return Err(Finding::fail(format!(
                "error {} came with status {}",
                quote(&error),
                reply.status
            )));
        }
    }
    if let Answer::Refused { status, how, .. } = &view.outcome.answer
        && *how != How::Redirect
        && *status < 400
    {
        return Err(Finding::fail(format!(
            "the request was refused with status {status}"
        )));
    }
    Ok(Finding::pass("no error came with a status below 400"))
}

fn no_store(view: &View<'_>) -> Result<Finding, Finding> {
    let reply = view.last()?;
    has_no_store(reply)?;
    Ok(Finding::pass("Cache-Control has no-store"))
}

/// RFC 9111 §5.2.2.5.
pub(super) fn has_no_store(reply: &crate::transport::Reply) -> Result<(), Finding> {
    let values: Vec<String> = reply
        .all("cache-control")
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .collect();
    let found = values
        .iter()
        .flat_map(|value| value.split(','))
        .any(|directive| directive.trim().eq_ignore_ascii_case("no-store"));
    if found {
        return Ok(());
    }
    Err(Finding::fail(if values.is_empty() {
        "the answer has no Cache-Control".to_owned()
    } else {
        format!("Cache-Control is {}", quote(&values.join(", ")))
    }))
}

/// The error code of the last answer.
fn error_code(view: &View<'_>) -> Option<String> {
    match &view.outcome.answer {
        Answer::Refused { error, .. } => error.clone(),
        _ => None,
    }
}

fn not_invalid_grant(view: &View<'_>) -> Result<Finding, Finding> {
    view.last()?;
    match error_code(view).as_deref() {
        Some("invalid_grant") => Err(Finding::fail(
            "the error is invalid_grant: the grant type is alive, only the credentials were wrong",
        )),
        Some(error) => Ok(Finding::pass(format!("the error is {}", quote(error)))),
        None => Ok(Finding::pass(format!(
            "no invalid_grant: the step {}",
            view.outcome.answer.words()
        ))),
    }
}

fn basic_challenge(view: &View<'_>) -> Result<Finding, Finding> {
    let reply = view.last()?;
    if reply.status != 401 {
        return Err(Finding::fail(format!(
            "the status is {}, not 401",
            reply.status
        )));
    }
    let parsed = wire::challenge::parse(reply.all("www-authenticate"));
    if parsed.scheme("basic").is_none() {
        return Err(Finding::fail(
            "there is no WWW-Authenticate challenge of scheme Basic",
        ));
    }
    let error = reply
        .json()
        .and_then(|body| body.get("error").and_then(Json::as_str).map(str::to_owned));
    if error.as_deref() != Some("invalid_client") {
        return Err(Finding::fail(format!(
            "the error is {}, not invalid_client",
            quote(&error.unwrap_or_default())
        )));
    }
    Ok(Finding::pass("401, a Basic challenge, invalid_client"))
}

fn no_refresh_token(view: &View<'_>) -> Result<Finding, Finding> {
    let answer = token_object(view, view.outcome)?;
    if answer.contains_key("refresh_token") {
        return Err(Finding::warn("the answer has a refresh token"));
    }
    Ok(Finding::pass("the answer has no refresh token"))
}

/// The token answer of a step as an object.
pub(super) fn token_object(
    view: &View<'_>,
    outcome: &Outcome,
) -> Result<serde_json::Map<String, Json>, Finding> {
    view.token_object(outcome)
        .ok_or_else(|| Finding::without_success("no token answer", &outcome.answer))
}

/// A successful token answer.
pub(super) fn success<'v>(view: &'v View<'_>) -> Result<&'v Outcome, Finding> {
    if view.outcome.field("access_token").is_none() {
        return Err(Finding::without_success(
            "no access token came",
            &view.outcome.answer,
        ));
    }
    Ok(view.outcome)
}

/// The scope that the step's request asked for.
fn tokens_differ(view: &View<'_>) -> Result<Finding, Finding> {
    let token = success(view)?.field("access_token");
    match view
        .earlier()
        .iter()
        .find(|earlier| earlier.verb != Verb::Http && earlier.field("access_token") == token)
    {
        Some(earlier) => Err(Finding::fail(format!(
            "the access token {} is that of step {}",
            outline(token.unwrap_or_default()),
            earlier.label
        ))),
        None => Ok(Finding::pass("the access token is a new one")),
    }
}

fn rotated(view: &View<'_>) -> Result<Finding, Finding> {
    let outcome = success(view)?;
    let sent = outcome.sent_param("refresh_token");
    match outcome.field("refresh_token") {
        Some(new) if Some(new) != sent => {
            return Ok(Finding::pass("a new refresh token came"));
        }
        _ => {}
    }
    let bound = outcome
        .field("token_type")
        .is_some_and(|kind| kind.eq_ignore_ascii_case("dpop"))
        || view.claim(outcome, "cnf").is_some();
    if bound {
        return Ok(Finding::pass("the tokens are bound to a key"));
    }
    Err(Finding::fail(if outcome.field("refresh_token").is_some() {
        "the refresh token that was sent came back and stays in use"
    } else {
        "no refresh token came back: the one that was sent stays in use"
    }))
}

fn lifetime(view: &View<'_>) -> Result<Finding, Finding> {
    let outcome = success(view)?;
    let number = |name: &str| view.claim(outcome, name).and_then(|value| value.as_f64());
    let seconds = outcome
        .field("expires_in")
        .and_then(|text| text.parse::<f64>().ok())
        .or_else(|| Some(number("exp")? - number("iat")?))
        .ok_or_else(|| Finding::not_applicable("nothing says how long the token lives"))?;
    if seconds <= 3600.0 {
        Ok(Finding::pass(format!("it lives {seconds} seconds")))
    } else {
        Err(Finding::warn(format!(
            "it lives {seconds} seconds, longer than an hour"
        )))
    }
}

fn token_quality(view: &View<'_>) -> Result<Finding, Finding> {
    let steps = || {
        view.so_far().iter().filter(|outcome| {
            matches!(outcome.verb, Verb::Grant | Verb::Exchange | Verb::Refresh)
                && outcome.answer == Answer::Success
        })
    };
    let access: Vec<&str> = steps()
        .filter_map(|outcome| outcome.field("access_token"))
        .collect();
    // A refresh token that is kept, not rotated, is one token.
    let refresh: Vec<&str> = steps()
        .filter_map(|outcome| {
            outcome
                .field("refresh_token")
                .filter(|token| outcome.sent_param("refresh_token") != Some(token))
        })
        .collect();
    let mut best = None;
    for (what, values) in [("access tokens", access), ("refresh tokens", refresh)] {
        distinct(what, &values)?;
        let opaque: Vec<&str> = values
            .iter()
            .filter(|token| !wire::jwt::looks_like_jwt(token))
            .copied()
            .collect();
        if opaque.len() > 1 {
            let finding = quality(what, &opaque)?;
            best.get_or_insert(finding);
        } else if values.len() > 1 && opaque.is_empty() {
            best.get_or_insert(Finding::pass(format!("the {what} are JWTs, and differ")));
        }
    }
    best.ok_or_else(|| Finding::undecided("fewer than two tokens of a kind were seen"))
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, granted, of};
    use crate::check::Found::{Fail, NotApplicable, Pass, Undecided, Warn};
    use crate::flow::{Answer, How};

    fn refused(status: u16, body: &str) -> Stage {
        let mut stage = Stage::new();
        stage.token_error(status, body);
        stage
    }

    #[test]
    fn a_token_answer_has_its_members() {
        let check = "token-response-shape";
        let right = r#"{"access_token":"t","token_type":"bearer","expires_in":60}"#;
        assert_eq!(of(check, &granted(right)), Pass);
        assert_eq!(of(check, &granted(&right.replace("60", "\"60\""))), Fail);
        assert_eq!(of(check, &granted(&right.replace("60", "-1"))), Fail);
        assert_eq!(of(check, &granted(&right.replace("bearer", "mac"))), Fail);
        assert_eq!(of(check, &granted(&right.replace("\"t\"", "\"\""))), Fail);
        assert_eq!(of(check, &granted(&right.replace("expires_in", "x"))), Warn);
        assert_eq!(of(check, &refused(400, right)), Fail);
        assert_eq!(of(check, &Stage::silent()), Undecided);
    }

    #[test]
    fn a_token_error_has_its_shape() {
        let check = "token-error-shape";
        let body = r#"{"error":"invalid_grant"}"#;
        assert_eq!(of(check, &refused(400, body)), Pass);
        assert_eq!(
            of(check, &refused(401, r#"{"error":"invalid_client"}"#)),
            Pass
        );
        assert_eq!(of(check, &refused(401, body)), Warn);
        assert_eq!(of(check, &refused(200, body)), Fail);
        assert_eq!(of(check, &refused(400, r#"{"error":""}"#)), Fail);
        assert_eq!(
            of(check, &refused(400, r#"{"error":"x","access_token":"t"}"#)),
            Fail
        );
    }

    #[test]
    fn an_error_has_an_error_status() {
        let body = r#"{"error":"invalid_grant"}"#;
        assert_eq!(of("error-not-200", &refused(400, body)), Pass);
        assert_eq!(of("error-not-200", &refused(200, body)), Fail);
        let mut stage = refused(200, "{}");
        stage.answer(Answer::Refused {
            status: 200,
            error: None,
            how: How::Page,
        });
        assert_eq!(of("error-not-200", &stage), Fail);
    }

    #[test]
    fn answers_with_tokens_are_not_stored() {
        let with = |value: &str| {
            let mut stage = granted(r#"{"access_token":"t"}"#);
            stage.header("Cache-Control", value);
            of("no-store", &stage)
        };
        assert_eq!(with("private, No-Store"), Pass);
        assert_eq!(with("no-cache"), Fail);
        assert_eq!(of("no-store", &granted("{}")), Fail);
    }

    #[test]
    fn a_dead_grant_type_does_not_look_at_credentials() {
        let check = "not-invalid-grant";
        assert_eq!(
            of(
                check,
                &refused(400, r#"{"error":"unsupported_grant_type"}"#)
            ),
            Pass
        );
        assert_eq!(
            of(check, &refused(400, r#"{"error":"invalid_grant"}"#)),
            Fail
        );
    }

    #[test]
    fn a_wrong_basic_credential_is_challenged() {
        let check = "basic-challenge";
        let mut stage = refused(401, r#"{"error":"invalid_client"}"#);
        assert_eq!(of(check, &stage), Fail);
        stage.header("WWW-Authenticate", "Basic realm=\"x\"");
        assert_eq!(of(check, &stage), Pass);
        assert_eq!(of(check, &refused(400, "{}")), Fail);
    }

    #[test]
    fn a_refresh_token_that_was_not_asked_for_is_warned_of() {
        assert_eq!(
            of("no-refresh-token", &granted(r#"{"access_token":"t"}"#)),
            Pass
        );
        let stage = granted(r#"{"access_token":"t","refresh_token":"r"}"#);
        assert_eq!(of("no-refresh-token", &stage), Warn);
    }

    #[test]
    fn tokens_are_new_and_refresh_tokens_rotate() {
        let then = |second: &str| {
            let mut stage = granted(r#"{"access_token":"t","refresh_token":"r"}"#);
            stage.refresh(&[("refresh_token", "r")], second);
            stage
        };
        let new = then(r#"{"access_token":"u","refresh_token":"s"}"#);
        assert_eq!(of("tokens-differ", &new), Pass);
        assert_eq!(of("refresh-token-rotated", &new), Pass);
        let same = then(r#"{"access_token":"t","refresh_token":"r"}"#);
        assert_eq!(of("tokens-differ", &same), Fail);
        assert_eq!(of("refresh-token-rotated", &same), Fail);
        assert_eq!(
            of("refresh-token-rotated", &then(r#"{"access_token":"u"}"#)),
            Fail
        );
        let bound = then(r#"{"access_token":"u","token_type":"DPoP"}"#);
        assert_eq!(of("refresh-token-rotated", &bound), Pass);
    }

    #[test]
    fn a_refused_step_has_no_token_to_look_at() {
        for check in ["tokens-differ", "scope-reported", "token-lifetime"] {
            let stage = refused(400, r#"{"error":"invalid_scope"}"#);
            assert_eq!(of(check, &stage), NotApplicable, "{check}");
            assert_eq!(of(check, &Stage::silent()), Undecided, "{check}");
        }
    }

    #[test]
    fn tokens_live_an_hour_at_most() {
        let check = "token-lifetime";
        assert_eq!(
            of(check, &granted(r#"{"access_token":"t","expires_in":3600}"#)),
            Pass
        );
        assert_eq!(
            of(
                check,
                &granted(r#"{"access_token":"t","expires_in":86400}"#)
            ),
            Warn
        );
        assert_eq!(
            of(check, &granted(r#"{"access_token":"t"}"#)),
            NotApplicable
        );
    }

    #[test]
    fn tokens_cannot_be_guessed() {
        let two = |one: &str, other: &str| {
            let mut stage = granted(&format!(r#"{{"access_token":"{one}"}}"#));
            stage.grant(&format!(r#"{{"access_token":"{other}"}}"#));
            of("token-quality", &stage)
        };
        assert_eq!(
            two("SplxlOBeZQQYbYS6WxSbIA", "Zx9KqLr0TnUvWaBcDeFgHi"),
            Pass
        );
        assert_eq!(two("token-1", "token-2"), Fail);
        assert_eq!(two("same", "same"), Fail);
        assert_eq!(
            of("token-quality", &granted(r#"{"access_token":"t"}"#)),
            Undecided
        );
    }
}
