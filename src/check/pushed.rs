//! Pushed authorization requests (RFC 9126): the answer to a push, and what a request by reference comes to.

use wire::json::Value;

use super::metadata::json_body;
use super::quality::quality;
use super::view::{View, quote};
use super::{Check, Finding, Look};
use crate::suite::model::Verb;

pub(super) const CHECKS: &[Check] = &[
    Check("push-response", Look::At(response)),
    Check("push-required", Look::At(required)),
    Check("request-kept", Look::At(kept)),
    Check("request-uri-quality", Look::At(request_uri_quality)),
];

/// RFC 9126 §2.2.
fn response(view: &View<'_>) -> Result<Finding, Finding> {
    let reply = view.last()?;
    if !reply.is_success() {
        let answer = &view.outcome.answer;
        return Err(Finding::without_success("nothing was pushed", answer));
    }
    let document = json_body(reply)?;
    let uri = document.value.get("request_uri").and_then(Value::as_str);
    if uri.unwrap_or_default().is_empty() {
        return Err(Finding::fail("there is no string `request_uri`"));
    }
    let life = document.value.get("expires_in").and_then(Value::as_f64);
    match life {
        Some(life) if life > 0.0 && life.fract() == 0.0 => {}
        Some(life) => {
            return Err(Finding::fail(format!(
                "`expires_in` is {life}, not a positive integer"
            )));
        }
        None => return Err(Finding::fail("there is no number `expires_in`")),
    }
    if reply.status != 201 {
        return Err(Finding::warn(format!(
            "the status is {}, not 201",
            reply.status
        )));
    }
    Ok(Finding::pass("201, with a request_uri and its lifetime"))
}

/// RFC 9126 §5, §6: the flag in the metadata of a server or in the registration of a client.
fn required(view: &View<'_>) -> Result<Finding, Finding> {
    let flag = "require_pushed_authorization_requests";
    match view.outcome.field(flag) {
        Some("true") => Ok(Finding::pass(format!("`{flag}` is true"))),
        _ => Err(Finding::not_applicable(format!("`{flag}` is not true"))),
    }
}

/// Whether the answer went where the pushed request or the request object said, with its state.
fn kept(view: &View<'_>) -> Result<Finding, Finding> {
    // What is in a request object is the first that was sent of each name.
    let pushed = match view.outcome.sent_param("request_uri") {
        None if view.outcome.sent_param("request").is_some() => view.outcome,
        reference => view
            .earlier()
            .iter()
            .rev()
            .find(|outcome| outcome.verb == Verb::Push && outcome.field("request_uri") == reference)
            .ok_or_else(|| Finding::undecided("the request refers to nothing that was pushed"))?,
    };
    // A request object that was pushed: what it says is known of the step that made it.
    let pushed = match pushed.sent_param("request") {
        Some(_) => view.outcome,
        None => pushed,
    };
    let location = view.outcome.location.as_deref().unwrap_or_default();
    if location.is_empty() {
        return Err(Finding::undecided("there was no redirect"));
    }
    let location = String::from_utf8_lossy(location).into_owned();
    let uri = pushed.sent_param("redirect_uri").unwrap_or_default();
    if !location.starts_with(uri) {
        return Err(Finding::fail(format!(
            "{} was asked for, and the answer went to {}",
            quote(uri),
            quote(&location)
        )));
    }
    let (sent, got) = (
        pushed.sent_param("state"),
        view.outcome.response_param("state"),
    );
    if sent != got {
        return Err(Finding::fail(format!(
            "the state {} was sent, and {} came back",
            quote(sent.unwrap_or_default()),
            quote(got.unwrap_or_default())
        )));
    }
    Ok(Finding::pass(
        "the answer went to the redirect URI of the request, with its state",
    ))
}

/// RFC 9126 §7.1.
fn request_uri_quality(view: &View<'_>) -> Result<Finding, Finding> {
    let references: Vec<&str> = view
        .so_far()
        .iter()
        .filter(|outcome| outcome.verb == Verb::Push)
        .filter_map(|outcome| outcome.field("request_uri"))
        .collect();
    quality("request URIs", &references)
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, of};
    use crate::check::Found::{Fail, NotApplicable, Pass, Undecided, Warn};

    const PUSHED: &str = r#"{"request_uri":"urn:x:6esc11ACC5bwc014ltc14eY22c","expires_in":60}"#;

    fn pushed(status: u16, body: &str) -> Stage {
        let mut stage = Stage::new();
        stage.push(status, body);
        stage
    }

    #[test]
    fn a_push_is_answered_with_201_a_reference_and_its_lifetime() {
        let found = |status, body| of("push-response", &pushed(status, body));
        assert_eq!(found(201, PUSHED), Pass);
        assert_eq!(found(200, PUSHED), Warn);
        for body in [
            r#"{"expires_in":60}"#,
            r#"{"request_uri":"","expires_in":60}"#,
            r#"{"request_uri":"urn:x:1"}"#,
            r#"{"request_uri":"urn:x:1","expires_in":"60"}"#,
            r#"{"request_uri":"urn:x:1","expires_in":0}"#,
            r#"{"request_uri":"urn:x:1","expires_in":1.5}"#,
        ] {
            assert_eq!(found(201, body), Fail, "{body}");
        }
        assert_eq!(found(400, r#"{"error":"invalid_request"}"#), NotApplicable);
    }

    #[test]
    fn the_flag_is_read_off_a_registration() {
        let found = |body: &str| {
            let mut stage = Stage::new();
            stage.register(&[], 201, body);
            of("push-required", &stage)
        };
        let flagged = r#"{"client_id":"c","require_pushed_authorization_requests":true}"#;
        assert_eq!(found(flagged), Pass);
        assert_eq!(found(r#"{"client_id":"c"}"#), NotApplicable);
    }

    #[test]
    fn what_was_pushed_or_signed_counts() {
        let found = |location: &str| {
            let mut stage = pushed(201, PUSHED);
            stage.sent("redirect_uri", "https://app.example/cb");
            stage.sent("state", "s1");
            stage.authorize("request_uri=urn", location);
            stage.sent("request_uri", "urn:x:6esc11ACC5bwc014ltc14eY22c");
            of("request-kept", &stage)
        };
        assert_eq!(found("https://app.example/cb?code=c&state=s1"), Pass);
        assert_eq!(found("https://app.example/cb?code=c&state=s2"), Fail);
        assert_eq!(found("https://app.example/cb?code=c"), Fail);
        assert_eq!(found("https://app.example/two?code=c&state=s1"), Fail);
        let mut object = Stage::new();
        object.authorize("request=x", "https://app.example/two?code=c&state=s1");
        object.sent("redirect_uri", "https://app.example/cb");
        object.sent("state", "s1");
        object.sent("request", "x");
        assert_eq!(of("request-kept", &object), Fail);
        let mut alone = Stage::new();
        alone.authorize("request_uri=urn", "https://app.example/cb?code=c");
        assert_eq!(of("request-kept", &alone), Undecided);
    }

    #[test]
    fn references_that_count_up_fail() {
        let mut stage = pushed(201, r#"{"request_uri":"urn:x:00000001","expires_in":60}"#);
        assert_eq!(of("request-uri-quality", &stage), Undecided);
        stage.push(201, r#"{"request_uri":"urn:x:00000002","expires_in":60}"#);
        assert_eq!(of("request-uri-quality", &stage), Fail);
    }
}
