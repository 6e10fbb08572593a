//! The committed samples: `reports/sample.json` is what a run with three faults wrote, and every other sample is
//! what the code writes of the same run.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use oauthspec::event::{CaseReport, Event, RunEnd, RunStart};
use oauthspec::report::json::Document;
use oauthspec::report::{Format, Look, Report as _, Run, Terminal};

const FAULTS: [&str; 3] = ["pkce-plain", "redirect-prefix", "iss-missing"];

/// Enough for one case of each kind and a page that is read at a glance.
const CASES: [&str; 9] = [
    "iss.*",
    "pkce.plain-rejected",
    "pkce.missing-challenge",
    "pkce.wrong-verifier",
    "pkce.s256-works",
    "prm.available",
    "redirect.near-miss",
    "redirect.loopback-any-port",
    "dcr.redirect-wildcard",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("reports")
}

/// A run of the program, read from its own report.
fn fresh() -> Vec<u8> {
    let name = format!("oauthspec-sample-{}.json", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_oauthspec"));
    command.args(["run", "--quiet", "--report"]);
    command.arg(format!("json={}", path.display()));
    for fault in FAULTS {
        command.args(["--fault", fault]);
    }
    for case in CASES {
        command.args(["--case", case]);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    bytes
}

/// What two runs of the same thing share: everything but what is drawn by chance, and time.
fn shape(document: &Document) -> Vec<String> {
    let mut lines = Vec::new();
    for line in &document.policy {
        lines.push(line.topic.clone());
    }
    for case in &document.cases {
        lines.push(format!("{} {:?} {:?}", case.id, case.verdict, case.source));
        for variant in &case.variants {
            let (name, deviation) = (&variant.name, &variant.deviation);
            lines.push(format!("  {name} {:?} {deviation}", variant.verdict));
        }
        for evidence in &case.evidence {
            let exchange = &evidence.exchange;
            lines.push(format!(
                "  {:?} {} {} {:?}",
                evidence.flow, exchange.step, exchange.method, exchange.status
            ));
        }
    }
    lines
}

/// The run that a report tells of.
fn told(document: &Document) -> Run {
    let start = RunStart {
        tool: document.tool.clone(),
        target: document.target.clone(),
        target_file: document.target_file.clone(),
        profiles: document.profiles.clone(),
        started_at: document.started_at.clone(),
        seed: document.seed,
        cases: document.summary.total(),
    };
    let end = RunEnd {
        duration_ms: document.duration_ms,
        requests: document.requests,
        summary: document.summary,
        policy: document.policy.clone(),
        leftovers: document.leftovers.clone(),
        interrupted: document.interrupted.clone(),
        problems: document.problems.clone(),
        outcome: document.outcome.clone(),
        exit_code: document.exit_code,
    };
    let cases = document.cases.iter().map(CaseReport::from).collect();
    Run::from_parts(Some(start), cases, Some(end))
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn terminal(run: &Run) -> Vec<u8> {
    let buffer = Buffer::default();
    let look = Look {
        width: 120,
        ..Look::default()
    };
    let mut terminal = Box::new(Terminal::new(Box::new(buffer.clone()), look));
    terminal.event(&Event::Start(run.start.clone())).unwrap();
    for case in &run.cases {
        terminal
            .event(&Event::Case(Box::new(case.clone())))
            .unwrap();
    }
    let end = Event::End(Box::new(run.end.clone()));
    terminal.event(&end).unwrap();
    terminal.finish().unwrap();
    buffer.0.lock().unwrap().clone()
}

#[test]
fn the_samples_are_of_one_run_with_three_faults() {
    let update = std::env::var_os("UPDATE").is_some();
    let advice = "is stale: run `UPDATE=1 cargo test --test it report_samples` and commit reports/";
    let json = folder().join("sample.json");
    let fresh = fresh();
    let run: Document = serde_json::from_slice(&fresh).unwrap();
    if update {
        std::fs::write(&json, &fresh).unwrap();
    }
    let committed: Document = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let (was, is) = (shape(&committed), shape(&run));
    let differs = was.iter().zip(&is).find(|(was, is)| was != is);
    assert!(was == is, "reports/sample.json {advice}: {differs:?}");
    assert_eq!(committed.exit_code, 1);
    assert!(committed.summary.fail > 3 && committed.summary.pass > 3);

    let run = told(&committed);
    let mut samples = vec![("sample.txt", terminal(&run))];
    for (name, format) in [
        ("sample.json", Format::Json),
        ("sample.junit.xml", Format::Junit),
        ("sample.sarif", Format::Sarif),
        ("sample.html", Format::Html),
        ("sample.md", Format::Markdown),
        ("sample.har", Format::Har),
        ("sample.svg", Format::Badge),
    ] {
        samples.push((name, format.render(&run).unwrap()));
    }
    for (name, written) in samples {
        let path = folder().join(name);
        if update {
            std::fs::write(&path, &written).unwrap();
        }
        let committed = std::fs::read(&path).unwrap_or_default();
        assert!(committed == written, "reports/{name} {advice}");
    }
}
