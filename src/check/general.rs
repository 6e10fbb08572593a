//! What holds for every answer, and what our listener heard.

use std::time::Duration;

use super::view::{View, quote, without_query};
use super::{Check, Finding, Look};
use crate::transport::Reply;

pub(super) const CHECKS: &[Check] = &[
    Check("listener-visited", Look::At(listener_visited)),
    Check("canary-unvisited", Look::At(canary_unvisited)),
    Check("no-attacker-host", Look::At(no_attacker_host)),
    Check("no-detail-leak", Look::At(no_detail_leak)),
    Check("prompt-answer", Look::At(prompt_answer)),
    Check("decided-later", Look::At(decided_later)),
];

/// The path of a URL that our listener was asked for.
fn path(hit: &str) -> &str {
    hit.split_once("://")
        .and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)))
        .unwrap_or_default()
}

fn listener_visited(view: &View<'_>) -> Result<Finding, Finding> {
    let hits = hits(view)?;
    match hits.iter().find(|hit| path(hit).starts_with("/jwks")) {
        Some(hit) => Ok(Finding::pass(format!("{} was fetched", quote(hit)))),
        None => Err(Finding::undecided(
            "the server has not fetched the key set of our listener",
        )),
    }
}

fn hits<'v>(view: &'v View<'_>) -> Result<&'v [String], Finding> {
    view.hits
        .as_deref()
        .ok_or_else(|| Finding::not_applicable("there is no listener that the server can reach"))
}

/// Says of what was asked of our listener that the canary was among it.
pub(crate) fn canary_fetched(hits: &[String]) -> Option<String> {
    let hit = hits.iter().find(|hit| path(hit).starts_with("/canary"))?;
    Some(format!("the server fetched {}", quote(hit)))
}

/// Whether the canary has not been asked for, as far as has been heard. A fetch that comes after the answers is for [`crate::run::listening`].
fn canary_unvisited(view: &View<'_>) -> Result<Finding, Finding> {
    match canary_fetched(hits(view)?) {
        Some(words) => Err(Finding::fail(words)),
        None => Ok(Finding::pass(
            "the server did not fetch what it was pointed at",
        )),
    }
}

/// A reply's body and the headers that lead somewhere, as text.
fn shown(reply: &Reply) -> impl Iterator<Item = (&'static str, String)> {
    let headers = ["location", "www-authenticate"]
        .into_iter()
        .flat_map(|name| {
            reply
                .all(name)
                .map(|value| (name, String::from_utf8_lossy(value).into_owned()))
                .collect::<Vec<_>>()
        })
        .collect::<Vec<_>>();
    std::iter::once(("body", reply.text())).chain(headers)
}

fn no_attacker_host(view: &View<'_>) -> Result<Finding, Finding> {
    for (recorded, reply) in view.answers() {
        for (place, text) in shown(reply) {
            if text.to_ascii_lowercase().contains("attacker.example") {
                return Err(Finding::fail(format!(
                    "the {place} of the answer of {} names attacker.example",
                    quote(without_query(&recorded.request.url))
                )));
            }
        }
    }
    Ok(Finding::pass("no answer names attacker.example"))
}

/// Texts that only an unhandled error shows.
const TRACES: &[(&str, &str)] = &[
    ("Traceback (most recent call last)", "a stack trace"),
    ("\n    at ", "a stack trace"),
    ("\n\tat ", "a stack trace"),
    ("&nbsp;at ", "a stack trace"),
    ("    at Object.", "a stack trace"),
    ("at java.", "a stack trace"),
    ("node:internal/", "a stack trace"),
    ("node_modules/", "a stack trace"),
    ("goroutine 1 [", "a stack trace"),
    ("' panicked at ", "a stack trace"),
    ("Stack trace:", "a stack trace"),
    ("NullReferenceException", "a stack trace"),
    ("NullPointerException", "a stack trace"),
    ("Fatal error: Uncaught", "a stack trace"),
    ("SQLSTATE[", "an SQL error"),
    ("SQLITE_ERROR", "an SQL error"),
    ("syntax error at or near", "an SQL error"),
    ("You have an error in your SQL syntax", "an SQL error"),
    ("unterminated quoted string", "an SQL error"),
    ("duplicate key value violates", "an SQL error"),
    ("psycopg2.", "an SQL error"),
    ("ORA-0", "an SQL error"),
    ("PG::", "an SQL error"),
];

/// Directories of a server's file system.
const PATHS: &[&str] = &[
    "/home/",
    "/root/",
    "/usr/",
    "/var/www/",
    "/var/lib/",
    "/opt/",
    "/srv/",
    "/etc/",
    "/app/src/",
    "C:\\",
];

/// A file system path: the name of a directory that no word and no URL leads up to.
fn file_path(text: &str) -> Option<&'static str> {
    PATHS.iter().copied().find(|directory| {
        text.match_indices(directory).any(|(at, _)| {
            let before = text.get(..at).and_then(|text| text.chars().next_back());
            // In markup a path after `="` or `(` is as a rule a link.
            before
                .is_none_or(|letter| letter.is_whitespace() || letter == '(' && directory.len() > 6)
        })
    })
}

fn no_detail_leak(view: &View<'_>) -> Result<Finding, Finding> {
    let secrets = [
        (
            "the client secret",
            view.client.and_then(|client| client.secret.as_deref()),
        ),
        ("the verifier", view.outcome.asked.verifier.as_deref()),
        ("the verifier", view.outcome.sent_param("code_verifier")),
        (
            "the client secret",
            view.outcome.sent_param("client_secret"),
        ),
    ];
    for (recorded, reply) in view.answers() {
        let from = || quote(without_query(&recorded.request.url));
        let text = reply.text();
        for (trace, what) in TRACES {
            if text.contains(trace) {
                return Err(Finding::warn(format!(
                    "the answer of {} shows {what} ({})",
                    from(),
                    quote(trace.trim())
                )));
            }
        }
        if let Some(directory) = file_path(&text) {
            return Err(Finding::warn(format!(
                "the answer of {} shows a path of the file system ({directory})",
                from()
            )));
        }
        for (what, secret) in secrets {
            if secret.is_some_and(|secret| secret.len() >= 8 && text.contains(secret)) {
                return Err(Finding::warn(format!(
                    "the answer of {} shows {what} that we sent",
                    from()
                )));
            }
        }
    }
    Ok(Finding::pass("no answer shows what is inside"))
}

/// How long a server may take for an answer.
const PROMPT: Duration = Duration::from_secs(2);

fn prompt_answer(view: &View<'_>) -> Result<Finding, Finding> {
    let mut slowest = None;
    for recorded in view.exchanges() {
        let from = || quote(without_query(&recorded.request.url));
        match &recorded.reply {
            Err(why) => return Err(Finding::fail(format!("{} gave no answer: {why}", from()))),
            Ok(reply) if reply.status >= 500 => {
                return Err(Finding::fail(format!(
                    "{} answered {}",
                    from(),
                    reply.status
                )));
            }
            Ok(_) if recorded.took > PROMPT => {
                return Err(Finding::fail(format!(
                    "{} answered after {:.1} s",
                    from(),
                    recorded.took.as_secs_f64()
                )));
            }
            Ok(_) => slowest = slowest.max(Some(recorded.took)),
        }
    }
    let slowest = slowest.ok_or_else(|| Finding::undecided("nothing was sent"))?;
    Ok(Finding::pass(format!(
        "the slowest answer took {} ms",
        slowest.as_millis()
    )))
}

fn decided_later(view: &View<'_>) -> Result<Finding, Finding> {
    let status = view.last()?.status;
    if status >= 500 {
        return Err(Finding::fail(format!("the server answered {status}")));
    }
    Ok(Finding::pass(format!(
        "answered {status}; the later steps show what it did"
    )))
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, of};
    use super::canary_unvisited;
    use crate::check::Found::{Fail, NotApplicable, Pass, Undecided, Warn};

    fn page(body: &str) -> Stage {
        let mut stage = Stage::new();
        stage.page("state=s", body);
        stage
    }

    #[test]
    fn the_listener_tells_who_came() {
        let with = |hits: Option<&[&str]>| {
            let mut stage = page("x");
            stage.hits = hits.map(|hits| hits.iter().map(|hit| (*hit).to_owned()).collect());
            let canary = match canary_unvisited(&stage.view()) {
                Ok(finding) | Err(finding) => finding.found,
            };
            (of("listener-visited", &stage), canary)
        };
        assert_eq!(with(None), (NotApplicable, NotApplicable));
        assert_eq!(with(Some(&[])), (Undecided, Pass));
        assert_eq!(with(Some(&["http://127.0.0.1:9/jwks/s"])), (Pass, Pass));
        assert_eq!(
            with(Some(&["http://[::1]:9/canary/s?redirected"])),
            (Undecided, Fail)
        );
    }

    #[test]
    fn the_attackers_host_is_nowhere() {
        let check = "no-attacker-host";
        assert_eq!(of(check, &page("hello")), Pass);
        assert_eq!(of(check, &page("<a href=//Attacker.example/x>")), Fail);
        let mut stage = Stage::new();
        stage.authorize("state=s", "https://attacker.example/cb");
        assert_eq!(of(check, &stage), Fail);
    }

    #[test]
    fn errors_show_nothing_of_the_inside() {
        let check = "no-detail-leak";
        assert_eq!(
            of(check, &page("<script src=\"/usr/x.js\">invalid request")),
            Pass
        );
        assert_eq!(of(check, &page("https://as.example/home/x")), Pass);
        for wrong in [
            "Traceback (most recent call last):",
            "Error: x\n    at handler (index.js:1)",
            "SQLSTATE[42000]: x",
            "cannot open /home/as/config.yml",
        ] {
            assert_eq!(of(check, &page(wrong)), Warn, "{wrong}");
        }
        let mut stage = page("you sent dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        stage.asked().verifier = Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into());
        assert_eq!(of(check, &stage), Warn);
    }

    #[test]
    fn an_answer_is_prompt() {
        let mut stage = Stage::new();
        stage.call("a", 401, "");
        assert_eq!(of("prompt-answer", &stage), Pass);
        stage.took(std::time::Duration::from_millis(2500));
        assert_eq!(of("prompt-answer", &stage), Fail);
        stage.call("a", 500, "");
        assert_eq!(of("prompt-answer", &stage), Fail);
        assert_eq!(of("decided-later", &stage), Fail);
        stage.call("a", 404, "");
        assert_eq!(of("decided-later", &stage), Pass);
    }
}
