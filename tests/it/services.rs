//! The published services: every promise of their documentation is tested or explained, and the faces of the reference server behave as documented.

use std::collections::BTreeSet;
use std::path::Path;

use oauthspec::event::{Level, Verdict};
use oauthspec::run::plan::select;
use oauthspec::run::{self, Options};
use oauthspec::suite::model::Suite;
use oauthspec::target::reference::Reference;
use refserver::Face;

use crate::pinned::{cases, every_suite};

/// The services, the suites that state their promises, and how many promises their pages were found to make.
const PROMISES: [(&str, &str, usize); 3] = [
    ("hightop", "hightop", 31),
    ("agnicpay", "agnic", 28),
    ("hasp", "hasp", 16),
];

fn suite(name: &str) -> Suite {
    let found = every_suite().into_iter().find(|suite| suite.name == name);
    found.unwrap_or_else(|| panic!("there is no suite {name}"))
}

/// A row of the document's table: the promise, the cases that test it, the note.
struct Row {
    promise: String,
    cases: Vec<String>,
    note: String,
}

fn rows(service: &str, name: &str) -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/services/{service}.md"));
    let text = std::fs::read_to_string(path).unwrap();
    let quoted = |cell: &str| -> Vec<String> {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    text.lines()
        .filter(|line| line.starts_with(&format!("| `{name}.")))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            Row {
                promise: quoted(cells[0]).remove(0),
                cases: quoted(cells[1]),
                note: cells[2].to_owned(),
            }
        })
        .collect()
}

#[test]
fn every_promise_is_tested_or_says_why_it_is_not() {
    for (service, name, count) in PROMISES {
        let (suite, rows) = (suite(name), rows(service, name));
        let promises: BTreeSet<&str> = rows.iter().map(|row| row.promise.as_str()).collect();
        assert_eq!(promises.len(), count, "docs/services/{service}.md");
        for row in &rows {
            assert!(
                !row.cases.is_empty() || row.note.len() > 20,
                "{} has neither a case nor a reason",
                row.promise
            );
            let serving: BTreeSet<&str> = (suite.cases.iter())
                .filter(|case| case.id == row.promise || case.rows.contains(&row.promise))
                .map(|case| case.id.as_str())
                .collect();
            let said: BTreeSet<&str> = row.cases.iter().map(String::as_str).collect();
            assert_eq!(said, serving, "{}", row.promise);
        }
        for case in &suite.cases {
            // What the page and a specification disagree about is judged by the specification.
            let promised = case.level == Level::Promise;
            assert_eq!(case.promise.is_some(), promised, "{}", case.id);
            let known = promises.contains(case.id.as_str())
                || case.rows.iter().any(|row| promises.contains(row.as_str()));
            assert!(
                known,
                "docs/services/{service}.md does not know {}",
                case.id
            );
        }
    }
}

#[test]
fn a_service_suite_concerns_only_targets_that_name_the_service() {
    let suites = every_suite();
    let ids = |profiles: &[&str]| -> usize {
        let profiles: Vec<String> = profiles.iter().map(|name| (*name).to_owned()).collect();
        select(&suites, &Options::default(), Some(&profiles))
            .iter()
            .filter(|case| PROMISES.iter().any(|(_, name, _)| case.suite == *name))
            .count()
    };
    assert_eq!(ids(&["oauth21"]), 0);
    for (service, name, _) in PROMISES {
        assert_eq!(
            ids(&["oauth21", service]),
            suite(name).cases.len(),
            "{service}"
        );
    }
}

#[tokio::test]
async fn registration_is_throttled_with_a_time_to_come_back() {
    let reference = Reference::start(Face::Hightop, Vec::new(), 0)
        .await
        .unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/oauth/reg", reference.target.issuer);
    let mut throttled = None;
    for _ in 0..60 {
        let answer = client
            .post(&url)
            .header("content-type", "application/json")
            .body(
                r#"{"redirect_uris":["https://x.example/cb"],"token_endpoint_auth_method":"none"}"#,
            )
            .send()
            .await
            .unwrap();
        if answer.status() == 429 {
            throttled = Some(answer);
            break;
        }
        assert_eq!(answer.status(), 201);
    }
    let throttled = throttled.expect("sixty registrations met no limit");
    let wait: u64 = throttled.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    reference.stop().await;
}

#[tokio::test]
async fn pages_that_need_scripts_are_passed_by_a_browser_and_by_nothing_else() {
    let mut reference = Reference::start(Face::HightopScript, Vec::new(), 0)
        .await
        .unwrap();
    let chosen = ["hightop.self", "hightop.interaction-path"];
    if crate::staging::drivers::browser_here() {
        let reports = cases(reference.target.clone(), &chosen, Options::default()).await;
        assert_eq!(reports.len(), chosen.len());
        for report in reports {
            assert_eq!(
                report.verdict,
                Verdict::Pass,
                "{}: {}",
                report.id,
                report.reason
            );
        }
    }
    reference.target.login.driver = oauthspec::target::model::Driver::Form;
    let target = reference.target.clone();
    let end = run::run(
        target,
        &every_suite(),
        &Options::default(),
        &mut |_| {},
        run::never(),
    )
    .await;
    assert_eq!((end.exit_code, end.summary.pass), (3, 0));
    assert!(
        end.problems
            .iter()
            .any(|problem| problem.contains("browser")),
        "{:?}",
        end.problems
    );
    reference.stop().await;
}
