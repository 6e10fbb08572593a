//! What must hold for every answer of a step, whether it refuses or not: for cases where either is lawful.

use serde_json::{Map, Value as Json};
use wire::json::{Limits, Value, scan};

use super::view::{View, quote, without_query};
use super::{Check, Finding, Look};
use crate::suite::model::Verb;
use crate::transport::{Reply, Request};

pub(super) const CHECKS: &[Check] = &[
    Check("tokens-not-stored", Look::At(tokens_not_stored)),
    Check("tokens-typed", Look::At(tokens_typed)),
    Check("error-in-form", Look::At(error_in_form)),
    Check("error-in-status", Look::At(error_in_status)),
    Check("no-insides", Look::At(no_insides)),
];

/// What stands in the errors of tools, and in nothing that people should read.
pub(crate) const INSIDES: &[&str] = &[
    "Traceback (most recent call last)",
    "stack backtrace:",
    "panicked at ",
    "goroutine 1 [",
    "node_modules/",
    "node:internal/",
    "/usr/src/",
    "/home/",
    "/srv/app",
    "/var/www/",
    "/usr/lib/python",
    "C:\\Users\\",
    "C:\\inetpub",
    "SQLSTATE[",
    "ORA-0",
    "PG::",
    "sqlite3.",
    "SQLITE_ERROR",
    "syntax error at or near",
    "You have an error in your SQL syntax",
    "java.lang.",
    "org.springframework.",
    "System.NullReferenceException",
    "Microsoft.AspNetCore",
    "Whoops, looks like something went wrong",
    "ActionController::",
    "undefined method `",
    "Werkzeug Debugger",
    "Fatal error: Uncaught",
    "PDOException",
    "UnhandledPromiseRejection",
    "RUST_BACKTRACE",
];

/// The answers that carry tokens.
fn with_tokens<'s>(view: &View<'s>) -> Vec<&'s Reply> {
    view.answers()
        .map(|(_, reply)| reply)
        .filter(|reply| {
            // Not `Reply::json`, which takes an answer with a repeated member for none.
            scan(&reply.body, Limits::default())
                .is_ok_and(|document| document.value.get("access_token").is_some())
        })
        .collect()
}

fn tokens_not_stored(view: &View<'_>) -> Result<Finding, Finding> {
    for reply in with_tokens(view) {
        let kept_out = reply
            .all("cache-control")
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|directive| directive.trim_ascii().eq_ignore_ascii_case(b"no-store"));
        if !kept_out {
            return Err(Finding::fail(
                "an answer with tokens has no Cache-Control: no-store",
            ));
        }
    }
    Ok(Finding::pass("no answer with tokens may be stored"))
}

fn tokens_typed(view: &View<'_>) -> Result<Finding, Finding> {
    for reply in with_tokens(view) {
        let document = scan(&reply.body, Limits::default())
            .map_err(|error| Finding::fail(format!("the answer is no JSON: {error}")))?;
        if let Some(name) = document.duplicates.first() {
            return Err(Finding::fail(format!(
                "{} comes twice",
                quote(&format!("{name:?}"))
            )));
        }
        let wrong = |name: &str, fits: fn(&Value) -> bool| {
            document.value.get(name).is_some_and(|value| !fits(value))
        };
        if document
            .value
            .get("token_type")
            .and_then(Value::as_str)
            .is_none()
        {
            return Err(Finding::fail("token_type is no string"));
        }
        if wrong("expires_in", |value| {
            value.as_f64().is_some_and(|seconds| seconds > 0.0)
        }) {
            return Err(Finding::fail("expires_in is no number above 0"));
        }
        for name in ["access_token", "refresh_token", "scope", "id_token"] {
            if wrong(name, |value| value.as_str().is_some()) {
                return Err(Finding::fail(format!("{name} is no string")));
            }
        }
    }
    Ok(Finding::pass("every member has its type"))
}

fn error_in_form(view: &View<'_>) -> Result<Finding, Finding> {
    if view.outcome.verb == Verb::Authorize {
        return Err(Finding::not_applicable(
            "errors of an authorization are pages and redirects",
        ));
    }
    for (_, reply) in view.answers() {
        if matches!(reply.status, 400 | 401)
            && let Some(wrong) = error_defects(reply).into_iter().next()
        {
            return Err(Finding::fail(wrong));
        }
    }
    Ok(Finding::pass("every error is in the endpoint's form"))
}

/// What is wrong with an error in an endpoint's form (RFC 6749 §5.2). An answer without any body has none.
pub(crate) fn error_defects(reply: &Reply) -> Vec<String> {
    let mut defects = Vec::new();
    if reply.body.is_empty() && reply.header("content-type").is_none() {
        return defects;
    }
    let Some(object) = reply.json() else {
        return vec![format!("{} without a JSON object", reply.status)];
    };
    let charset = |text: &str| {
        text.bytes()
            .all(|byte| matches!(byte, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
    };
    let text = |name: &str| object.get(name).and_then(Json::as_str);
    match text("error") {
        None => defects.push(format!("{} without the member error", reply.status)),
        Some(code) if code.is_empty() || !charset(code) => {
            defects.push("error has characters that are not allowed".into());
        }
        Some(_) => {}
    }
    if object.contains_key("access_token") {
        defects.push("an error with an access token".into());
    }
    if text("error_description").is_some_and(|text| !charset(text)) {
        defects.push("error_description has characters that are not allowed".into());
    }
    defects
}

fn error_in_status(view: &View<'_>) -> Result<Finding, Finding> {
    let elsewhere = matches!(view.outcome.verb, Verb::Revoke | Verb::Introspect);
    for (recorded, reply) in view.answers() {
        let tokens = !elsewhere && without_query(&recorded.request.url) == view.token_endpoint;
        let object = reply.json();
        if let Some(wrong) = status_defect(&recorded.request, reply, object.as_ref(), tokens) {
            return Err(Finding::fail(wrong));
        }
    }
    Ok(Finding::pass("every error has its status"))
}

/// Where the status of an answer to a POST says something else than `object`, what the answer has; or where 401 lacks the challenge that an
/// `Authorization` header of the request asks for (RFC 6749 §5.2). `tokens`: a success has tokens.
pub(crate) fn status_defect(
    request: &Request,
    reply: &Reply,
    object: Option<&Map<String, Json>>,
    tokens: bool,
) -> Option<String> {
    if request.method != "POST" {
        return None;
    }
    let status = reply.status;
    match (status, object) {
        (401, _) => {
            let basic = request.headers.iter().any(|(name, value)| {
                name.eq_ignore_ascii_case("authorization") && value.starts_with("Basic ")
            });
            (basic && reply.header("www-authenticate").is_none())
                .then(|| "401 to an Authorization header without WWW-Authenticate".into())
        }
        (200..=299, None) if tokens => Some(format!("{status} without a JSON object")),
        (200..=299, Some(object)) if object.contains_key("error") => {
            Some(format!("{status} with the member error"))
        }
        _ => None,
    }
}

fn no_insides(view: &View<'_>) -> Result<Finding, Finding> {
    for (_, reply) in view.answers() {
        let text = reply.text();
        if let Some(mark) = INSIDES.iter().find(|mark| text.contains(**mark)) {
            return Err(Finding::fail(format!("an answer has {}", quote(mark))));
        }
    }
    Ok(Finding::pass("no answer shows the server's insides"))
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, of};
    use crate::check::Found::{Fail, Pass};

    fn granted(body: &str, store: bool) -> Stage {
        let mut stage = Stage::new();
        stage.grant(body);
        if !store {
            stage.header("Cache-Control", "private, No-Store");
        }
        stage
    }

    #[test]
    fn tokens_are_typed_and_not_stored_and_refusals_are_neither_here_nor_there() {
        let good = r#"{"access_token":"t","token_type":"Bearer","expires_in":300}"#;
        assert_eq!(of("tokens-typed", &granted(good, false)), Pass);
        assert_eq!(of("tokens-not-stored", &granted(good, false)), Pass);
        assert_eq!(
            of("tokens-not-stored", &granted(r#"{"error":"x"}"#, true)),
            Pass
        );
        for wrong in [
            r#"{"access_token":"t"}"#,
            r#"{"access_token":"t","token_type":"Bearer","expires_in":"300"}"#,
            r#"{"access_token":"t","token_type":"Bearer","scope":["a"]}"#,
            r#"{"access_token":"t","token_type":"Bearer","token_type":"x"}"#,
        ] {
            assert_eq!(of("tokens-typed", &granted(wrong, false)), Fail, "{wrong}");
        }
    }

    #[test]
    fn an_error_says_so_in_its_status_and_challenges_the_header_it_refuses() {
        let check = "error-in-status";
        let error = |status: u16, basic: bool, challenge: bool| {
            let mut stage = Stage::new();
            stage.token_error(status, r#"{"error":"invalid_client"}"#);
            if basic {
                stage.request_header("Authorization", "Basic eDp5");
            }
            if challenge {
                stage.header("WWW-Authenticate", "Basic realm=\"x\"");
            }
            of(check, &stage)
        };
        assert_eq!(error(401, true, true), Pass);
        assert_eq!(error(401, true, false), Fail);
        assert_eq!(error(401, false, false), Pass);
        assert_eq!(error(400, true, false), Pass);
        assert_eq!(error(200, false, false), Fail);
        assert_eq!(of(check, &granted(r#"{"access_token":"t"}"#, false)), Pass);
        assert_eq!(of(check, &granted("", false)), Fail);
        let mut elsewhere = Stage::new();
        elsewhere.introspect("t", "");
        assert_eq!(of(check, &elsewhere), Pass);
    }

    #[test]
    fn an_error_is_in_form_and_has_no_insides() {
        let error = |body: &str| {
            let mut stage = Stage::new();
            stage.token_error(400, body);
            (of("error-in-form", &stage), of("no-insides", &stage))
        };
        assert_eq!(error(r#"{"error":"invalid_grant"}"#), (Pass, Pass));
        assert_eq!(error("<p>no</p>"), (Fail, Pass));
        assert_eq!(
            error(r#"{"error":"x","error_description":"a\nb"}"#),
            (Fail, Pass)
        );
        assert_eq!(error(r#"{"error":"x","access_token":"t"}"#), (Fail, Pass));
        assert_eq!(
            error(r#"{"error":"x","stack":"at /srv/app/x.py"}"#),
            (Pass, Fail)
        );
    }
}
