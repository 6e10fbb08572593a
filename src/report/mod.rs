//! Reports: pure consumers of a run's events.
//!
//! The terminal speaks while the run goes on; every file is written at its end from the collected
//! [`Run`], atomically, and one that cannot be written does not take another with it.

pub mod badge;
pub mod compare;
pub mod exchange;
pub mod har;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod output;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod sample;
pub mod sarif;
pub mod terminal;
pub mod text;

use std::io;

use crate::event::{
    CaseReport, Event, RunEnd, RunStart, Severity, Summary, VariantReport, Verdict,
};
use crate::exit::Exit;

pub use output::{Destination, Format, Output};
pub use terminal::{Look, Terminal};

/// Somebody who listens to a run.
pub trait Report: Send {
    /// Hears one event. After an error it is not told anything more.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// The run is over; what was collected is written now.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// A whole run as the files see it.
#[derive(Debug, Clone)]
pub struct Run {
    /// How it began.
    pub start: RunStart,
    /// The cases, ordered by id, so that two runs of the same thing give the same file.
    pub cases: Vec<CaseReport>,
    /// How it ended.
    pub end: RunEnd,
    /// Whether the exchanges stand here with their secrets (`--keep-secrets`).
    pub raw: bool,
}

impl Run {
    /// The run from its events; one whose end never came is marked as interrupted.
    pub fn from_parts(
        start: Option<RunStart>,
        mut cases: Vec<CaseReport>,
        end: Option<RunEnd>,
    ) -> Run {
        cases.sort_by(|a, b| a.id.cmp(&b.id));
        let start = start.unwrap_or_else(|| RunStart {
            tool: format!("oauthspec {}", env!("CARGO_PKG_VERSION")),
            target: String::new(),
            target_file: None,
            profiles: Vec::new(),
            started_at: String::new(),
            seed: 0,
            cases: 0,
        });
        let end = end.unwrap_or_else(|| {
            let mut summary = Summary::default();
            for case in &cases {
                summary.count(case.verdict);
            }
            RunEnd {
                duration_ms: 0,
                requests: 0,
                summary,
                policy: Vec::new(),
                leftovers: Vec::new(),
                interrupted: Some("the run did not come to its end".to_owned()),
                problems: Vec::new(),
                outcome: Exit::Interrupted.words().to_owned(),
                exit_code: Exit::Interrupted.code(),
            }
        });
        Run {
            start,
            cases,
            end,
            raw: false,
        }
    }

    /// The same with every exchange as it was.
    fn with_secrets(mut self) -> Run {
        self.raw = true;
        let variants = self.cases.iter_mut().flat_map(|case| &mut case.variants);
        for variant in variants {
            for exchange in variant.evidence.iter_mut().chain(&mut variant.control) {
                if let Some(raw) = exchange.raw.take() {
                    *exchange = *raw;
                }
            }
        }
        self
    }

    /// What a report says about its secrets.
    pub fn about_secrets(&self) -> &'static str {
        if self.raw {
            "Secrets stand here as they were sent (--keep-secrets): keep this file to yourself"
        } else {
            "Secrets are redacted: prefix, length and hash"
        }
    }

    /// The cases that need attention, the costliest first: failures and errors, then warnings.
    pub fn troubles(&self) -> Vec<&CaseReport> {
        troubles(&self.cases)
    }

    /// The failures that a waiver excuses, the costliest first.
    pub fn waived(&self) -> Vec<&CaseReport> {
        waived(&self.cases)
    }

    /// What services promise, a service at a time: see [`promises`].
    pub fn promises(&self) -> Vec<(&str, Vec<&CaseReport>)> {
        promises(&self.cases)
    }

    /// The suites in order of name, each with its cases.
    pub fn suites(&self) -> Vec<(&str, Vec<&CaseReport>)> {
        let mut suites: Vec<(&str, Vec<&CaseReport>)> = Vec::new();
        for case in &self.cases {
            match suites.iter_mut().find(|(name, _)| *name == case.suite) {
                Some((_, cases)) => cases.push(case),
                None => suites.push((&case.suite, vec![case])),
            }
        }
        suites.sort_by_key(|(name, _)| *name);
        suites
    }
}

/// The cases that test a service's promises, by service (the suite's name); whether a server keeps them is another matter than whether it conforms.
pub(crate) fn promises(cases: &[CaseReport]) -> Vec<(&str, Vec<&CaseReport>)> {
    let mut services: Vec<(&str, Vec<&CaseReport>)> = Vec::new();
    for case in cases.iter().filter(|case| case.promise.is_some()) {
        match services.iter_mut().find(|(name, _)| *name == case.suite) {
            Some((_, cases)) => cases.push(case),
            None => services.push((&case.suite, vec![case])),
        }
    }
    services
}

/// How a service's promises fare, in words: `28 kept, 2 broken, 1 not known`.
pub(crate) fn promises_words(cases: &[&CaseReport]) -> String {
    let count = |chosen: &[Verdict]| {
        let all = cases.iter().filter(|case| chosen.contains(&case.verdict));
        all.count()
    };
    format!(
        "{} kept, {} broken, {} not known",
        count(&[Verdict::Pass]),
        count(&[Verdict::Fail, Verdict::Warn]),
        count(&[Verdict::Inconclusive, Verdict::Skipped, Verdict::Error])
    )
}

fn is_trouble(case: &CaseReport) -> bool {
    matches!(case.verdict, Verdict::Fail | Verdict::Error | Verdict::Warn)
}

fn costliest_first(mut found: Vec<&CaseReport>) -> Vec<&CaseReport> {
    let weight = |case: &CaseReport| (case.verdict != Verdict::Warn, case.severity);
    found.sort_by(|a, b| weight(b).cmp(&weight(a)).then_with(|| a.id.cmp(&b.id)));
    found
}

/// Failures and errors, then warnings, each by severity; without those a waiver excuses.
pub(crate) fn troubles(cases: &[CaseReport]) -> Vec<&CaseReport> {
    costliest_first(
        cases
            .iter()
            .filter(|case| is_trouble(case) && case.waived.is_none())
            .collect(),
    )
}

/// What a waiver excuses.
pub(crate) fn waived(cases: &[CaseReport]) -> Vec<&CaseReport> {
    costliest_first(
        cases
            .iter()
            .filter(|case| is_trouble(case) && case.waived.is_some())
            .collect(),
    )
}

/// The variant that gave the case its verdict: the first of the worst.
pub fn worst(case: &CaseReport) -> Option<&VariantReport> {
    let mut worst: Option<&VariantReport> = None;
    for variant in &case.variants {
        if worst.is_none_or(|found| variant.verdict > found.verdict) {
            worst = Some(variant);
        }
    }
    worst
}

/// What came of a variant: its reason without a beginning that only repeats the deviation.
pub fn result(variant: &VariantReport) -> &str {
    crate::event::result(&variant.reason, &variant.deviation)
}

/// The id with the variant's name, when it has one: `redirect.near-miss/trailing-slash`.
pub fn full_name(case: &CaseReport, variant: &VariantReport) -> String {
    if variant.name.is_empty() {
        case.id.clone()
    } else {
        format!("{}/{}", case.id, variant.name)
    }
}

/// The share of the cases that were decided, in words that cannot be taken for success: `37 of 344 decided`.
pub fn decided_words(summary: &Summary) -> String {
    format!("{} of {} decided", summary.decided(), summary.total())
}

/// Whether so few cases were decided that nothing good can be claimed: none, or less than half.
pub fn decided_little(summary: &Summary) -> bool {
    summary.decided() == 0 || summary.decided() * 2 < summary.total()
}

/// The outcome in words; success is not claimed for what was hardly looked at.
pub fn outcome_words(end: &RunEnd) -> &str {
    if end.exit_code == 0 && decided_little(&end.summary) {
        "nothing failed among the little that was decided"
    } else {
        &end.outcome
    }
}

/// The word for a severity.
pub fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Cosmetic => "cosmetic",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

/// The word for a level.
pub fn level_word(level: crate::event::Level) -> &'static str {
    use crate::event::Level;
    match level {
        Level::May => "may",
        Level::Should => "should",
        Level::Must => "must",
        Level::Promise => "promise",
    }
}

/// Everybody who listens to a run. A listener that fails is dropped with its message; the others go on.
#[derive(Default)]
pub struct Reports {
    listeners: Vec<(String, Box<dyn Report>)>,
    problems: Vec<String>,
}

impl Reports {
    /// Nobody yet.
    pub fn new() -> Reports {
        Reports::default()
    }

    /// Adds a listener; the name stands in the message when it fails.
    pub fn add(&mut self, name: impl Into<String>, report: Box<dyn Report>) {
        self.listeners.push((name.into(), report));
    }

    /// Tells everybody.
    pub fn event(&mut self, event: &Event) {
        let problems = &mut self.problems;
        self.listeners
            .retain_mut(|(name, report)| match report.event(event) {
                Ok(()) => true,
                Err(error) => {
                    note(problems, name, &error);
                    false
                }
            });
    }

    /// Lets everybody finish; returns what could not be written, in words.
    pub fn finish(mut self) -> Vec<String> {
        for (name, report) in std::mem::take(&mut self.listeners) {
            if let Err(error) = report.finish() {
                note(&mut self.problems, &name, &error);
            }
        }
        self.problems
    }
}

/// A closed pipe (`oauthspec run | head`) is the reader's choice, not a problem.
fn note(problems: &mut Vec<String>, name: &str, error: &io::Error) {
    if error.kind() != io::ErrorKind::BrokenPipe {
        problems.push(format!("{name}: {error}"));
    }
}

/// Collects a run and writes the files when it is over.
pub struct Files {
    outputs: Vec<Output>,
    keep_secrets: bool,
    start: Option<RunStart>,
    cases: Vec<CaseReport>,
    end: Option<RunEnd>,
}

impl Files {
    /// Will write these.
    pub fn new(outputs: Vec<Output>) -> Files {
        Files {
            outputs,
            keep_secrets: false,
            start: None,
            cases: Vec::new(),
            end: None,
        }
    }

    /// Writes exchanges as they were, into files that only their owner may read.
    pub fn keep_secrets(mut self, keep: bool) -> Files {
        self.keep_secrets = keep;
        self
    }
}

impl Report for Files {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Start(start) => self.start = Some(start.clone()),
            Event::Progress { .. } => {}
            Event::Case(case) => self.cases.push((**case).clone()),
            Event::End(end) => self.end = Some((**end).clone()),
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        let mut run = Run::from_parts(self.start, self.cases, self.end);
        if self.keep_secrets {
            run = run.with_secrets();
        }
        let mut problems: Vec<String> = Vec::new();
        for output in &self.outputs {
            if let Err(error) = output.write(&run) {
                note(&mut problems, &output.to_string(), &error);
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(io::Error::other(problems.join("; ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken;
    impl Report for Broken {
        fn event(&mut self, _: &Event) -> io::Result<()> {
            Err(io::Error::other("disk full"))
        }
        fn finish(self: Box<Self>) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn one_broken_report_never_loses_another() {
        let folder = sample::folder("one-broken");
        let good = folder.join("report.json");
        let blocked = folder.join("file");
        std::fs::write(&blocked, "").unwrap();
        let mut reports = Reports::new();
        reports.add("first", Box::new(Broken));
        reports.add(
            "files",
            Box::new(Files::new(vec![
                Output::file(Format::Junit, blocked.join("below-a-file.xml")),
                Output::file(Format::Json, good.clone()),
            ])),
        );
        for event in sample::events() {
            reports.event(&event);
        }
        let problems = reports.finish();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("disk full"));
        assert!(problems[1].contains("below-a-file.xml"));
        let document: json::Document =
            serde_json::from_str(&std::fs::read_to_string(good).unwrap()).unwrap();
        assert_eq!(document.cases.len(), sample::cases().len());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_run_without_an_end_is_interrupted_and_keeps_its_cases() {
        let run = Run::from_parts(None, sample::cases(), None);
        assert_eq!(run.end.exit_code, Exit::Interrupted.code());
        assert_eq!(run.end.summary.total() as usize, sample::cases().len());
        assert!(run.end.interrupted.is_some());
    }

    #[test]
    fn the_costliest_failure_comes_first() {
        let run = sample::run();
        let troubles = run.troubles();
        assert_eq!(troubles[0].id, "redirect.near-miss");
        assert_eq!(troubles.last().unwrap().verdict, Verdict::Warn);
    }

    #[test]
    fn texts_made_to_break_out_change_no_report() {
        for hostile in sample::HOSTILE {
            crate::fuzzing::report::whole(hostile);
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
        #[test]
        fn no_text_changes_how_a_report_is_built(hostile in proptest::prelude::any::<String>()) {
            crate::fuzzing::report::whole(&hostile);
        }

        #[test]
        fn no_markup_changes_how_a_report_is_built(hostile in "[ a\\n\\r\"'`<>&;:%#=\\[\\]{}()|*_!\\\\/\u{1b}\u{9b}\u{202e}-]{0,40}") {
            crate::fuzzing::report::whole(&hostile);
        }
    }
}
