//! What the harness says about real servers, pinned: every verdict, and for each that is no pass our reason, written by
//! somebody who looked at the exchange and the clause. A difference means that a server, a case or the engine changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use oauthspec::event::{CaseReport, Event, Verdict};
use oauthspec::profile::CATALOGUE;
use oauthspec::run::{self, Options};
use oauthspec::suite::model::Suite;
use oauthspec::suite::{builtin, load as suites};
use oauthspec::targets::load::{Surroundings, load_str};
use oauthspec::targets::model::Target;

use crate::servers::Real;
use crate::suites::with_known;

/// The repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The target file of a server that runs, with the server's port and secrets as the environment.
pub fn target(file: &str, server: &Real) -> Target {
    let path = root().join("fixtures/targets").join(file);
    let text = std::fs::read_to_string(&path).expect("the target file is there");
    let env = server.env();
    let around = Surroundings {
        env: &|name| {
            let (_, value) = env.iter().find(|(known, _)| *known == name)?;
            Some(value.clone())
        },
        folder: path.parent(),
    };
    match load_str(file, &text, &around) {
        Ok(loaded) => loaded.target,
        Err(problems) => panic!("{problems}"),
    }
}

/// Every suite of the binary.
pub fn every_suite() -> Vec<Suite> {
    with_known(|known| {
        let files = builtin::SUITES.iter();
        files
            .map(|(file, text)| suites::load_str(file, text, known).expect("it loads"))
            .collect()
    })
}

/// Runs the chosen cases (`[]`: all) and gives their reports, in order.
pub async fn cases(target: Target, chosen: &[&str], options: Options) -> Vec<CaseReport> {
    let options = Options {
        cases: chosen.iter().map(|&id| id.to_owned()).collect(),
        ..options
    };
    let mut reports = Vec::new();
    let mut hear = |event: Event| {
        if let Event::Case(report) = event {
            reports.push(*report);
        }
    };
    let end = run::run(target, &every_suite(), &options, &mut hear, run::never()).await;
    assert!(
        !reports.is_empty(),
        "nothing was decided: {:?}",
        end.problems
    );
    reports
}

/// A pinned verdict: for a pass without a reason.
pub struct Pin {
    /// What it was.
    pub verdict: Verdict,
    reason: Option<String>,
}

/// The pins of a file of `fixtures/pinned/`.
pub fn pins(file: &Path) -> BTreeMap<String, Pin> {
    let text = std::fs::read_to_string(file).expect("the pins are there");
    let table: toml::Table = text.parse().expect("the pins are TOML");
    let mut pins = BTreeMap::new();
    for (section, cases) in &table {
        let verdict = Verdict::ALL
            .into_iter()
            .find(|verdict| verdict.word() == section)
            .unwrap_or_else(|| panic!("{section} is no verdict"));
        let entries: Vec<(String, Option<String>)> = match cases {
            toml::Value::Array(ids) => ids
                .iter()
                .map(|id| (id.as_str().expect("an id").to_owned(), None))
                .collect(),
            toml::Value::Table(reasons) => reasons
                .iter()
                .map(|(id, reason)| {
                    let reason = reason.as_str().expect("a reason").to_owned();
                    assert!(reason.len() > 20, "{id}: say why");
                    (id.clone(), Some(reason))
                })
                .collect(),
            _ => panic!("{section} is a list of ids or a table of reasons"),
        };
        for (id, reason) in entries {
            assert_eq!(reason.is_none(), verdict == Verdict::Pass, "{id}");
            let before = pins.insert(id.clone(), Pin { verdict, reason });
            assert!(before.is_none(), "{id} is pinned twice");
        }
    }
    pins
}

/// What differs between the pins and the run, one paragraph for each case.
fn differences(pins: &BTreeMap<String, Pin>, reports: &[CaseReport]) -> String {
    let mut out = String::new();
    for report in reports {
        let now = report.verdict.word();
        match pins.get(&report.id) {
            Some(pin) if pin.verdict == report.verdict => {}
            Some(pin) => {
                let then = pin.verdict.word();
                let _ = writeln!(out, "{}: pinned {then}, now {now}", report.id);
                if let Some(reason) = &pin.reason {
                    let _ = writeln!(out, "    pinned: {reason}");
                }
                let _ = writeln!(out, "    now: {}", report.reason);
            }
            None => {
                let _ = writeln!(out, "{}: new, {now}: {}", report.id, report.reason);
            }
        }
    }
    for id in pins.keys() {
        if !reports.iter().any(|report| report.id == *id) {
            let _ = writeln!(out, "{id}: pinned, and no longer a case");
        }
    }
    out
}

/// Runs everything against a server and compares.
async fn pinned(name: &str, server: &str, arguments: &[&str]) {
    let Some(server) = Real::start(server, arguments) else {
        return;
    };
    let target = target(&format!("{name}.toml"), &server);
    let options = Options {
        profiles: vec![CATALOGUE.to_owned()],
        ..Options::default()
    };
    let reports = cases(target, &[], options).await;
    let file = format!("fixtures/pinned/{name}.toml");
    let differences = differences(&pins(&root().join(&file)), &reports);
    assert!(
        differences.is_empty(),
        "{differences}\n\
         Start the server (head of fixtures/targets/{name}.toml), run\n    \
         oauthspec run fixtures/targets/{name}.toml --case ID --report html=report.html\n\
         and read the exchange against the clause. Where the server or the case is right, correct {file}, with a reason;\n\
         where the case or the engine is wrong, mend that."
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oidc_provider_hightop_is_judged_as_pinned() {
    pinned("oidc-provider-hightop", "oidc-provider", &["hightop"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oidc_provider_hasp_is_judged_as_pinned() {
    pinned("oidc-provider-hasp", "oidc-provider", &["hasp"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_oauth_is_judged_as_pinned() {
    pinned("node-oauth", "node-oauth", &[]).await;
}

#[test]
fn a_verdict_that_differs_from_its_pin_is_told_with_both_reasons() {
    let folder = std::env::temp_dir().join(format!("oauthspec-pins-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("pins.toml");
    std::fs::write(
        &file,
        "pass = [\"pkce.kept\", \"pkce.gone\"]\n[warn]\n\"pkce.other\" = \"a reason that says why it warns\"\n",
    )
    .unwrap();
    let mut kept = report("pkce.kept", Verdict::Pass);
    let other = report("pkce.other", Verdict::Fail);
    let fresh = report("pkce.fresh", Verdict::Pass);
    let pins = pins(&file);
    assert_eq!(
        differences(&pins, &[kept.clone(), other, fresh]),
        "pkce.other: pinned warn, now fail\n    pinned: a reason that says why it warns\n    now: because\n\
         pkce.fresh: new, pass: because\npkce.gone: pinned, and no longer a case\n"
    );
    kept.verdict = Verdict::Inconclusive;
    assert!(differences(&pins, &[kept]).starts_with("pkce.kept: pinned pass, now inconclusive\n"));
    std::fs::remove_dir_all(folder).unwrap();
}

fn report(id: &str, verdict: Verdict) -> CaseReport {
    serde_json::from_value(serde_json::json!({
        "id": id, "suite": "pkce", "title": "", "verdict": verdict, "level": "must", "severity": "high",
        "refs": [], "reason": "because", "why": "", "fix": "", "variants": [], "source": "", "duration_ms": 0,
    }))
    .unwrap()
}
