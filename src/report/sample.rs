//! Hand-made runs for the tests of the reports.

// The fuzz target needs the hostile ones only.
#![cfg_attr(not(test), allow(dead_code))]
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::time::Duration;

use crate::event::*;

/// An empty folder of its own for a test.
pub fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("oauthspec-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A message with these headers and this body.
pub fn message(headers: &[(&str, &str)], body: &str) -> Message {
    Message {
        headers: headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect(),
        body: body.to_owned(),
        body_bytes: body.len() as u64,
    }
}

/// An authorization request that was answered with a redirect.
pub fn exchange(role: Role, step: &str) -> Exchange {
    Exchange {
        role,
        step: step.to_owned(),
        from: "user".into(),
        to: "as".into(),
        method: "GET".into(),
        url: "https://as.example/authorize?response_type=code&client_id=a&redirect_uri=https%3A%2F%2Fapp-a.example%2Fcb&state=s1".into(),
        request: message(&[("Accept", "text/html")], ""),
        status: Some(303),
        response: Some(message(&[("Location", "https://app-a.example/cb?code=code…1f9a&state=s1"), ("Cache-Control", "no-store")], "")),
        error: None,
        started_ms: 12,
        duration_us: 3400,
        transport: "http".into(),
        curl: "curl -i 'https://as.example/authorize?response_type=code&client_id=a'".into(),
        raw: None,
    }
}

/// A token request that was answered with JSON.
pub fn token_exchange(role: Role, step: &str) -> Exchange {
    Exchange {
        from: "client".into(),
        method: "POST".into(),
        url: "https://as.example/token".into(),
        request: message(
            &[
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("Authorization", "Basic ****"),
            ],
            "grant_type=authorization_code&code=code…1f9a&code_verifier=verifier…77aa",
        ),
        status: Some(200),
        response: Some(message(
            &[
                ("Content-Type", "application/json"),
                ("Cache-Control", "no-store"),
            ],
            r#"{"access_token":"eyJ…(612 bytes, 9b1f)","token_type":"Bearer","expires_in":300}"#,
        )),
        curl: "curl -i https://as.example/token -d \"code=$CODE\"".into(),
        ..exchange(role, step)
    }
}

/// A variant with a control and one deviating request.
pub fn variant(name: &str, verdict: Verdict, reason: &str) -> VariantReport {
    let mut failing = exchange(Role::Deviation, "1 authorize");
    failing.url = failing.url.replace("%2Fcb", "%2Fcb%2F");
    VariantReport {
        name: name.into(),
        verdict,
        reason: reason.into(),
        deviation: "authorize with redirect_uri = \"https://app-a.example/cb/\"".into(),
        evidence: vec![failing],
        control: vec![
            exchange(Role::Control, "1 authorize"),
            token_exchange(Role::Setup, "2 exchange"),
        ],
    }
}

/// A case with these variants; its verdict and reason are the worst one's.
pub fn case(id: &str, severity: Severity, variants: Vec<VariantReport>) -> CaseReport {
    let suite = id.split('.').next().unwrap_or(id).to_owned();
    let mut case = CaseReport {
        id: id.into(),
        suite: suite.clone(),
        title: "Redirect URIs are compared as strings".into(),
        verdict: Verdict::Pass,
        level: Level::Must,
        severity,
        refs: vec!["rfc9700#2.1".into(), "oauth2.1-16#4.1.3".into()],
        reason: String::new(),
        why: "Whoever owns the other address receives the code.".into(),
        fix: "Compare the redirect URI byte by byte with the registered ones.".into(),
        promise: None,
        waived: None,
        variants,
        source: format!("suites/{suite}.toml:12"),
        duration_ms: 15,
    };
    if let Some(worst) = super::worst(&case) {
        (case.verdict, case.reason) = (worst.verdict, worst.reason.clone());
    }
    case
}

/// One case of each verdict, and a failure among variants.
pub fn cases() -> Vec<CaseReport> {
    vec![
        case(
            "authz.state-echo",
            Severity::Medium,
            vec![variant("", Verdict::Pass, "the state came back unchanged")],
        ),
        case(
            "redirect.near-miss",
            Severity::Critical,
            vec![
                variant("upper-host", Verdict::Pass, "answered with a page"),
                variant(
                    "trailing-slash",
                    Verdict::Fail,
                    "a code was issued to an address that is not registered",
                ),
                variant(
                    "twice",
                    Verdict::Fail,
                    "a code was issued although redirect_uri was sent twice",
                ),
            ],
        ),
        case(
            "token.response-shape",
            Severity::Low,
            vec![variant("", Verdict::Fail, "expires_in is a string")],
        ),
        case(
            "token.cache",
            Severity::Low,
            vec![variant("", Verdict::Warn, "Pragma is missing")],
        ),
        case(
            "refresh.replay",
            Severity::High,
            vec![variant(
                "",
                Verdict::Inconclusive,
                "the control was refused: 429",
            )],
        ),
        case(
            "rar.valid",
            Severity::High,
            vec![variant(
                "",
                Verdict::Skipped,
                "needs rar: the target file names no [rar.NAME]",
            )],
        ),
        case(
            "dcr.created",
            Severity::High,
            vec![variant(
                "",
                Verdict::Error,
                "the listener could not be started",
            )],
        ),
    ]
}

/// The beginning of the sample run.
pub fn start() -> RunStart {
    RunStart {
        tool: "oauthspec 0.1.0".into(),
        target: "https://as.example".into(),
        target_file: Some("target.toml:3".into()),
        profiles: vec!["oauth21".into()],
        started_at: "2026-11-21T03:04:05Z".into(),
        seed: 42,
        cases: cases().len() as u32,
    }
}

/// The end of a run with these cases.
pub fn end(cases: &[CaseReport]) -> RunEnd {
    let mut summary = Summary::default();
    for case in cases {
        summary.count(case.verdict);
    }
    RunEnd {
        duration_ms: 2345,
        requests: 120,
        summary,
        policy: vec![PolicyLine {
            topic: "PKCE methods".into(),
            observed: "S256".into(),
        }],
        leftovers: vec!["client c-17: the server answers 405 to DELETE".into()],
        interrupted: None,
        problems: vec![],
        outcome: "does not conform".into(),
        exit_code: 1,
    }
}

/// The sample run as events.
pub fn events() -> Vec<Event> {
    events_of(cases())
}

/// A run of these cases as events.
pub fn events_of(cases: Vec<CaseReport>) -> Vec<Event> {
    let mut events = vec![Event::Start(start())];
    let end = end(&cases);
    let total = cases.len() as u32;
    for (done, case) in cases.into_iter().enumerate() {
        events.push(Event::Progress {
            done: done as u32,
            total,
            doing: case.id.clone(),
            elapsed: Duration::from_millis(500),
        });
        events.push(Event::Case(Box::new(case)));
    }
    events.push(Event::End(Box::new(end)));
    events
}

/// The sample run, collected.
pub fn run() -> super::Run {
    run_of(cases())
}

/// A run of these cases, collected.
pub fn run_of(cases: Vec<CaseReport>) -> super::Run {
    let end = end(&cases);
    super::Run::from_parts(Some(start()), cases, Some(end))
}

/// A case in which every text is the given one.
pub fn hostile_case(text: &str) -> CaseReport {
    let mut bad = variant("", Verdict::Fail, text);
    bad.deviation = text.into();
    for exchange in bad.evidence.iter_mut().chain(bad.control.iter_mut()) {
        exchange.url = format!("https://as.example/{text}?a={text}");
        exchange.method = "GET".into();
        exchange.curl = format!("curl {text}");
        exchange.request.body = text.into();
        exchange
            .request
            .headers
            .push(("X-Sent".into(), text.into()));
        if let Some(response) = &mut exchange.response {
            response.headers.push(("Location".into(), text.into()));
            response.headers.push((text.into(), text.into()));
            response.body = text.into();
        }
    }
    let mut case = case("redirect.hostile", Severity::Critical, vec![bad]);
    case.title = text.into();
    case.why = text.into();
    case.fix = text.into();
    case.source = text.into();
    case.promise = Some(text.into());
    case
}

/// A run in which every text is the given one, those about the run as a whole too.
pub fn hostile_run(text: &str) -> super::Run {
    let mut waived = hostile_case(text);
    waived.id = "redirect.waived".into();
    waived.waived = Some(text.into());
    let mut skipped = hostile_case(text);
    skipped.id = "redirect.skipped".into();
    skipped.verdict = Verdict::Skipped;
    let mut run = run_of(vec![hostile_case(text), waived, skipped]);
    run.start.target = text.into();
    run.start.target_file = Some(text.into());
    run.start.profiles = vec![text.into()];
    run.start.started_at = text.into();
    run.end.policy = vec![PolicyLine {
        topic: "a topic of ours".into(),
        observed: text.into(),
    }];
    run.end.leftovers = vec![text.into()];
    run.end.problems = vec![text.into()];
    run.end.interrupted = Some(text.into());
    run.end.outcome = text.into();
    run
}

/// Texts that break naive writers.
pub const HOSTILE: [&str; 14] = [
    "</script><script>alert(1)</script>",
    "\"'><svg/onload=1>",
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "\r\n::error title=x::y",
    "##[error]x",
    "]]><failure message=\"x\"/>",
    "a\u{0}b\u{fffe}c\u{ffff}",
    "\u{202e}desrever\u{2028}\u{2029}",
    "| a | b |\n```\n# h",
    "[link](javascript:alert(1)) {0} @octocat",
    "&amp;&#x1b;<!--",
    "'; rm -rf / #",
    "%0A::warning::x",
    "\u{9b}31m\u{85}",
];
