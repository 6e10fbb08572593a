//! The published services: every promise of their documentation is tested or explained, and the faces of the reference server behave as documented.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use oauthspec::event::{Level, Verdict};
use oauthspec::run::plan::select;
use oauthspec::run::{self, Options};
use oauthspec::suite::model::Suite;
use oauthspec::targets::reference::Reference;
use refserver::Face;

use crate::pinned::{cases, every_suite};

/// The services, the suites that state their promises, and how many promises their pages were found to make.
const PROMISES: [(&str, &str, usize); 3] = [
    ("hightop", "hightop", 31),
    ("agnicpay", "agnic", 28),
    ("hasp", "hasp", 16),
];

/// The heading below which a service's page explains what another implementation does differently.
const ELSEWHERE: &str = "\n## The same promises asked of oidc-provider";

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
    // Differences of other implementations have a table of their own, below.
    let text = text.split(ELSEWHERE).next().unwrap_or_default();
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

/// The verdicts that a service's page explains for oidc-provider, by case.
fn explained(service: &str) -> BTreeMap<String, Verdict> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/services/{service}.md"));
    let text = std::fs::read_to_string(path).unwrap();
    let (_, section) = text
        .split_once(ELSEWHERE)
        .expect("the page has that section");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let verdict = Verdict::ALL
            .into_iter()
            .find(|verdict| verdict.word() == cells[1])
            .unwrap_or_else(|| panic!("{line}"));
        assert!(cells[2].len() > 20, "say why: {line}");
        (cells[0].trim_matches('`').to_owned(), verdict)
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oidc_provider_keeps_the_promises_but_for_those_that_are_explained_one_by_one() {
    for service in ["hightop", "hasp"] {
        let Some(server) = crate::servers::Real::start("oidc-provider", &[service]) else {
            return;
        };
        let target = crate::pinned::target(&format!("oidc-provider-{service}.toml"), &server);
        let options = Options {
            profiles: vec!["oauth21".to_owned(), service.to_owned()],
            ..Options::default()
        };
        let reports = cases(target, &[&format!("{service}.*")], options).await;
        assert_eq!(reports.len(), suite(service).cases.len());
        let seen: BTreeMap<String, Verdict> = (reports.into_iter())
            .filter(|report| report.verdict != Verdict::Pass)
            .map(|report| (report.id, report.verdict))
            .collect();
        assert_eq!(seen, explained(service), "docs/services/{service}.md");
    }
}

/// The program, asked about a target file with these variables and no others that the file names.
fn asked(
    arguments: &[&str],
    file: &str,
    variables: &[(&str, &str)],
    proxy: &str,
) -> (Option<i32>, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_oauthspec"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(arguments)
        .arg(file);
    for name in named(file) {
        command.env_remove(name);
    }
    // Whatever is sent would come here.
    command
        .env("HTTPS_PROXY", proxy)
        .env("HTTP_PROXY", proxy)
        .env_remove("NO_PROXY");
    command.envs(variables.iter().copied());
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// The variables that a target file asks for.
fn named(file: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let quoted = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
    quoted
        .map(|word| word.trim_start_matches("${").trim_end_matches('}'))
        .filter(|word| {
            word.contains('_') && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
        })
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_credentials_one_learns_what_is_missing_and_what_would_run_and_nothing_is_sent() {
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = format!("http://{}", proxy.local_addr().unwrap());
    for (service, suite, _) in PROMISES {
        let file = format!("fixtures/targets/{service}.toml");
        let wanted = named(&file);
        assert!(wanted.len() >= 4, "{wanted:?}");
        for command in [&["doctor"][..], &["run", "--dry-run"]] {
            let (exit, told) = asked(command, &file, &[], &place);
            assert_eq!(exit, Some(2), "{told}");
            for name in &wanted {
                let line = (told.lines())
                    .find(|line| line.starts_with(&format!("PROBLEM missing: {name}: ")));
                let line = line.unwrap_or_else(|| panic!("{name} is not named:\n{told}"));
                assert!(line.len() > name.len() + 35, "not where to get it: {line}");
            }
            assert!(told.contains("PROBLEM not-authorized: "), "{told}");
            let counts: Vec<usize> = (told
                .lines()
                .find(|line| line.starts_with("With that, "))
                .unwrap())
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
            assert!(
                counts.len() == 3 && counts[0] > 50 && counts[0] + counts[2] < counts[1],
                "{told}"
            );
            let lists = told
                .lines()
                .any(|line| line.trim().starts_with(&format!("run   {suite}.")));
            assert_eq!(lists, command.len() == 2, "{told}");
        }
        // With everything but the owner's permission, only that is missing.
        let all: Vec<(&str, &str)> = (wanted.iter())
            .map(|name| {
                (
                    name.as_str(),
                    if name.contains("URI") {
                        "https://app.example/cb"
                    } else {
                        name.as_str()
                    },
                )
            })
            .collect();
        let (exit, told) = asked(&["doctor"], &file, &all, &place);
        assert_eq!(exit, Some(2), "{told}");
        let problems: Vec<&str> = told
            .lines()
            .filter(|line| line.starts_with("PROBLEM"))
            .collect();
        assert!(
            problems.len() == 1 && problems[0].contains("not-authorized"),
            "{told}"
        );
    }
    let visit = tokio::time::timeout(Duration::from_millis(1), proxy.accept()).await;
    assert!(visit.is_err(), "something was sent");
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
    // Again and again, each time with sessions of its own; every night twenty times (ROUNDS).
    let asked = std::env::var("ROUNDS").map_or(3, |rounds| rounds.parse().expect("a number"));
    let rounds = if crate::staging::drivers::browser_here() {
        asked
    } else {
        0
    };
    for round in 0..rounds {
        let reports = cases(reference.target.clone(), &chosen, Options::default()).await;
        assert_eq!(reports.len(), chosen.len());
        for report in reports {
            let (id, why) = (&report.id, &report.reason);
            assert_eq!(report.verdict, Verdict::Pass, "round {round}, {id}: {why}");
        }
    }
    reference.target.login.driver = oauthspec::targets::model::Driver::Form;
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
