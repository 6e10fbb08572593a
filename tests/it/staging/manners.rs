//! Being a guest: throttling is obeyed and never becomes a verdict, grants are revoked, given tokens are
//! used for resource servers only.

use oauthspec::event::{CaseReport, Event, RunEnd, Verdict};
use oauthspec::run::{Options, never, run};
use oauthspec::suite::model::Suite;
use oauthspec::targets::model::Target;

use super::odd::{Odd, Oddities};

const LOGIN: &str = r#"[login]
driver = "form"
[[login.step]]
link = "Continue with e-mail"
[[login.step]]
fill = { "e-mail address" = "$user.email" }
press = "Next"
[[login.step]]
fill = { Password = "$user.password" }
press = "Sign in"
[[login.step]]
press = "Allow"
deny = "Refuse"
"#;

fn suites() -> Vec<Suite> {
    crate::suites::with_known(oauthspec::suite::load::load_builtin).unwrap()
}

async fn judged(target: Target, cases: &[&str]) -> (Vec<CaseReport>, RunEnd) {
    let options = Options {
        cases: cases.iter().map(|case| (*case).to_owned()).collect(),
        jobs: 4,
        ..Options::default()
    };
    let mut reports = Vec::new();
    let mut hear = |event| {
        if let Event::Case(report) = event {
            reports.push(*report);
        }
    };
    let end = run(target, &suites(), &options, &mut hear, never()).await;
    (reports, end)
}

/// Cases that exercise documents, login, exchange and the resource.
const CASES: &[&str] = &[
    "as-meta.*",
    "pkce.p*",
    "pkce.s256*",
    "pkce.verifier-*",
    "authz.client-unknown*",
    "authz.denial",
    "authz.get",
    "authz.response-type*",
    "authz.state-echo*",
    "rs.no-token",
];

#[tokio::test]
async fn a_server_that_throttles_gets_no_false_verdict() {
    let calm = Odd::start(Oddities::default()).await;
    let (usual, end) = judged(calm.load(LOGIN), CASES).await;
    let decided = end.summary.decided();
    assert!(decided >= 24, "{:?} {:?}", end.summary, end.problems);
    assert!(calm.revoked() > 0, "no grant was revoked");
    let calm_summary = end.summary;

    let busy = Odd::start(Oddities {
        throttle: Some(7),
        ..Oddities::default()
    })
    .await;
    let (throttled, end) = judged(busy.load(LOGIN), CASES).await;
    assert!(end.problems.is_empty(), "{:?}", end.problems);
    // Patience costs time, and hardly a verdict.
    let decided = end.summary.decided();
    assert!(
        decided >= 20 && busy.throttled() > 20,
        "{:?}, without throttling {calm_summary:?}; {} answers were 429",
        end.summary,
        busy.throttled()
    );
    // Verdict by verdict: what is decided is what it is without throttling, and what is not says so.
    assert_eq!(usual.len(), throttled.len());
    for (expected, seen) in usual.iter().zip(&throttled) {
        assert_eq!(expected.id, seen.id);
        let undecided = seen.verdict == Verdict::Inconclusive;
        assert!(
            seen.verdict == expected.verdict || undecided,
            "{}: {:?} became {:?}: {}",
            seen.id,
            expected.verdict,
            seen.verdict,
            seen.reason
        );
    }
}

#[tokio::test]
async fn given_tokens_are_used_at_the_resource_and_nothing_is_asked_of_the_authorization_server() {
    let server = Odd::start(Oddities::default()).await;
    let token = server.token();
    let mut target = server.load("[login]\ndriver = \"tokens\"\ntoken.a.env = \"ODD_PASSWORD\"\n");
    target.login.tokens[0].1 = token;
    let (reports, end) = judged(target, &[]).await;
    assert!(end.problems.is_empty(), "{:?}", end.problems);
    let decided: Vec<&str> = reports
        .iter()
        .filter(|report| {
            matches!(
                report.verdict,
                Verdict::Pass | Verdict::Fail | Verdict::Warn
            )
        })
        .map(|report| report.id.as_str())
        .collect();
    assert!(
        decided.iter().filter(|id| id.starts_with("rs.")).count() >= 3,
        "{decided:?}"
    );
    assert_eq!(server.tokens_asked(), 0);
    assert_eq!(server.revoked(), 0, "a token that was given was revoked");
    let errors: Vec<_> = reports
        .iter()
        .filter(|report| report.verdict == Verdict::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
}
