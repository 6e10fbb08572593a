//! What an MCP server advertises (Model Context Protocol, revision 2026-07-28: authorization), and the sessions of revision 2025-11-25
//! (transports).

use std::collections::BTreeSet;

use wire::json::Value;

use super::metadata::document;
use super::quality::quality;
use super::view::{View, quote, strings};
use super::{Check, Finding, Look};

pub(super) const CHECKS: &[Check] = &[
    Check("prm-no-offline-access", Look::At(no_offline_access)),
    Check("prm-scopes-minimal", Look::At(scopes_minimal)),
    Check("registration-path", Look::At(registration_path)),
    Check("session-quality", Look::At(session_quality)),
    Check("session-unknown", Look::At(session_unknown)),
    Check("session-shows-own", Look::At(session_shows_own)),
];

/// `scopes_supported` of the document, empty when it is absent.
fn scopes(view: &View<'_>) -> Result<Vec<String>, Finding> {
    let document = document(view)?;
    if document.value.get("resource").is_none() {
        return Err(Finding::fail("there is no `resource`"));
    }
    let listed = document.value.get("scopes_supported");
    let listed: &Value = match listed {
        Some(listed) => listed,
        None => return Ok(Vec::new()),
    };
    let texts = strings(listed)
        .ok_or_else(|| Finding::fail("`scopes_supported` is no array of strings"))?;
    Ok(texts.into_iter().map(str::to_owned).collect())
}

fn no_offline_access(view: &View<'_>) -> Result<Finding, Finding> {
    if scopes(view)?.iter().any(|scope| scope == "offline_access") {
        return Err(Finding::fail("`scopes_supported` has offline_access"));
    }
    Ok(Finding::pass("`scopes_supported` lacks offline_access"))
}

fn scopes_minimal(view: &View<'_>) -> Result<Finding, Finding> {
    let omnibus = |scope: &String| {
        scope.contains('*') || ["all", "full-access", "full_access"].contains(&scope.as_str())
    };
    match scopes(view)?.iter().find(|scope| omnibus(scope)) {
        Some(scope) => Err(Finding::fail(format!(
            "`scopes_supported` has {}, which stands for everything",
            quote(scope)
        ))),
        None => Ok(Finding::pass("no scope stands for everything")),
    }
}

/// How a client that nobody here knows becomes one (MCP 2026-07-28, authorization: client registration).
fn registration_path(view: &View<'_>) -> Result<Finding, Finding> {
    let document = document(view)?;
    let documents = document.value.get("client_id_metadata_document_supported");
    if matches!(documents, Some(Value::Bool(true))) {
        return Ok(Finding::pass("Client ID Metadata Documents are supported"));
    }
    match document.value.get("registration_endpoint") {
        Some(Value::String(_)) => Err(Finding::warn(
            "clients can register at `registration_endpoint`; Client ID Metadata Documents, which the protocol prefers, are not announced",
        )),
        _ => Err(Finding::fail(
            "neither `registration_endpoint` nor `client_id_metadata_document_supported`: only clients known beforehand can be used",
        )),
    }
}

/// The sessions of all steps so far.
fn session_quality(view: &View<'_>) -> Result<Finding, Finding> {
    let sessions: Vec<&str> = (view.so_far().iter())
        .filter_map(|outcome| outcome.asked.mcp_session.as_deref())
        .collect();
    if sessions.is_empty() {
        return Err(Finding::not_applicable("the server keeps no sessions"));
    }
    let visible = |session: &&&str| session.bytes().all(|byte| byte.is_ascii_graphic());
    if let Some(odd) = sessions.iter().find(|session| !visible(session)) {
        return Err(Finding::fail(format!(
            "a session identifier has other characters than visible ASCII: {}",
            super::view::outline(odd)
        )));
    }
    quality("session identifiers", &sessions)
}

/// What is said to a session that is not there.
fn session_unknown(view: &View<'_>) -> Result<Finding, Finding> {
    match view.last()?.status {
        404 => Ok(Finding::pass(
            "answered 404: a client knows that it must begin anew",
        )),
        status @ 400..=499 => Err(Finding::warn(format!(
            "answered {status} in place of 404, by which a client knows that it must begin anew"
        ))),
        status => Err(Finding::fail(format!("answered {status}"))),
    }
}

/// Texts of a body that are long enough to be somebody's.
fn texts(body: &str) -> BTreeSet<&str> {
    let parts = body.split(['"', '\n', ',', '\\']);
    parts
        .map(str::trim)
        .filter(|part| part.len() >= 12)
        .collect()
}

/// Another user's session was taken: what it showed (MCP 2025-11-25, security best practices: session hijacking).
fn session_shows_own(view: &View<'_>) -> Result<Finding, Finding> {
    let token = |outcome: &crate::flow::Outcome| {
        let mut sent = outcome.sent.iter();
        sent.find(|(name, _)| name == "token")
            .map(|(_, value)| value.clone())
    };
    let shown = view.last()?.text();
    let (mut own, mut others) = (String::new(), String::new());
    for call in view.earlier() {
        let last = view.exchanges_of(call).next_back();
        let reply = last.and_then(|recorded| recorded.reply.as_ref().ok());
        let Some(reply) = reply.filter(|reply| call.status.is_some() && reply.is_success()) else {
            continue;
        };
        let who = match token(call) == token(view.outcome) {
            true => &mut own,
            false => &mut others,
        };
        who.push_str(&reply.text());
        who.push('\n');
    }
    let own = texts(&own);
    let foreign: BTreeSet<&str> = texts(&others).difference(&own).copied().collect();
    match texts(&shown).intersection(&foreign).next() {
        Some(_) => Err(Finding::fail(
            "it shows what only the session's owner is shown",
        )),
        None => Err(Finding::warn(
            "it shows nothing of the owner's; a session should be bound to its user all the same",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Found::{Fail, NotApplicable, Pass, Warn};
    use super::super::stage::{Stage, of};

    #[test]
    fn advertised_scopes_are_few_and_small() {
        let says = |check: &str, scopes: &str| {
            let mut stage = Stage::new();
            let body =
                format!(r#"{{"resource":"https://rs.example/a","scopes_supported":{scopes}}}"#);
            stage.discover("resource.a", 200, &body);
            of(check, &stage)
        };
        let offline = "prm-no-offline-access";
        assert_eq!(says(offline, r#"["read"]"#), Pass);
        assert_eq!(says(offline, r#"["read","offline_access"]"#), Fail);
        assert_eq!(says(offline, r#""read""#), Fail);
        let minimal = "prm-scopes-minimal";
        assert_eq!(says(minimal, r#"["read"]"#), Pass);
        for wrong in [r#"["*"]"#, r#"["files:*"]"#, r#"["all"]"#] {
            assert_eq!(says(minimal, wrong), Fail, "{wrong}");
        }
    }

    #[test]
    fn a_client_that_nobody_knows_finds_a_way_in() {
        let says = |members: &str| {
            let mut stage = Stage::new();
            stage.discover(
                "as",
                200,
                &format!(r#"{{"issuer":"https://as.example/t"{members}}}"#),
            );
            of("registration-path", &stage)
        };
        let endpoint = r#","registration_endpoint":"https://as.example/t/register""#;
        assert_eq!(
            says(r#","client_id_metadata_document_supported":true"#),
            Pass
        );
        assert_eq!(says(endpoint), Warn);
        assert_eq!(
            says(r#","client_id_metadata_document_supported":false"#),
            Fail
        );
        assert_eq!(says(""), Fail);
    }

    #[test]
    fn session_identifiers_are_random_and_visible() {
        let says = |sessions: &[&str]| {
            let mut stage = Stage::new();
            stage.call("a", 200, "");
            for session in sessions {
                stage.call("a", 200, "");
                stage.asked().mcp_session = Some(session.to_string());
            }
            of("session-quality", &stage)
        };
        let (one, other) = (jose::random_token(24), jose::random_token(24));
        assert_eq!(says(&[&one, &other]), Pass);
        assert_eq!(says(&["session-00001", "session-00002"]), Fail);
        assert_eq!(says(&[&format!("{one} {other}"), &other]), Fail);
        assert_eq!(says(&[]), NotApplicable);
    }

    #[test]
    fn a_session_that_is_not_there_is_not_found() {
        let says = |status: u16| {
            let mut stage = Stage::new();
            stage.call("a", status, "");
            of("session-unknown", &stage)
        };
        assert_eq!(says(404), Pass);
        assert_eq!(says(400), Warn);
        assert_eq!(says(200), Fail);
    }

    #[test]
    fn what_another_users_session_shows_counts() {
        let says = |shown: &str| {
            let mut stage = Stage::new();
            for (token, body) in [
                ("mine", r#"{"text":"items of the owner"}"#),
                ("theirs", r#"{"text":"items of another"}"#),
            ] {
                stage.call("a", 200, body);
                stage.sent("token", token);
                stage.status("200");
            }
            stage.call("a", 200, shown);
            stage.sent("token", "theirs");
            of("session-shows-own", &stage)
        };
        assert_eq!(says(r#"{"text":"items of the owner"}"#), Fail);
        assert_eq!(says(r#"{"text":"items of another"}"#), Warn);
        assert_eq!(says(r#"{"text":"nothing"}"#), Warn);
    }
}
