//! `oauthspec fuzz` and `oauthspec replay`.

use std::io::IsTerminal as _;
use std::path::Path;

use crate::event::Verdict;
use crate::exit::Exit;
use crate::fuzz::drive::{self, Event, Report};
use crate::fuzz::finding::Finding;
use crate::report::severity_word;
use crate::report::text;
use crate::run;

use super::args::{FuzzArgs, ReplayArgs};
use super::{Failure, print, signals, target};

pub(super) async fn fuzz(arguments: &FuzzArgs) -> Result<Exit, Failure> {
    let ready = target::ready(&arguments.target, &arguments.faults).await?;
    let options = drive::Options {
        time: Some(arguments.time),
        programs: arguments.programs,
        seed: arguments.seed,
        rate: arguments.rate,
        out: Some(arguments.out.clone()),
        restart: arguments.restart.clone(),
        i_am_authorized: arguments.i_am_authorized,
        jobs: usize::from(arguments.jobs),
        most_findings: arguments.first.then_some(1),
        quick: false,
    };
    std::fs::create_dir_all(&arguments.out).map_err(|error| {
        Failure::usage(format!(
            "{} cannot be written: {error}",
            arguments.out.display()
        ))
    })?;
    let quiet = arguments.quiet;
    let live = std::io::stderr().is_terminal();
    let hear = move |event: Event| match event {
        Event::Note(note) if !quiet => print::note(&shown(&note)),
        Event::Progress {
            programs,
            requests,
            findings,
            elapsed,
            ..
        } if !quiet && live => {
            print::note(&format!(
                "{:.0} s: {programs} programs, {requests} requests, {findings} findings",
                elapsed.as_secs_f64()
            ));
        }
        Event::Finding(finding) => print::note(&line(&finding)),
        Event::Note(_) | Event::Progress { .. } => {}
    };
    let (sender, stop) = tokio::sync::watch::channel(false);
    let mut caught = None;
    let ended = {
        let running = drive::run_apart(ready.target.clone(), options, hear, stop);
        tokio::pin!(running);
        tokio::select! {
            ended = &mut running => ended,
            exit = signals::next() => {
                caught = Some(exit);
                sender.send_replace(true);
                print::note("stopping: what is on its way is finished and cleaned up (once more: stop at once)");
                tokio::select! {
                    ended = &mut running => ended,
                    exit = signals::next() => return Ok(exit),
                }
            }
        }
    };
    ready.stop().await;
    let report = ended.map_err(|failure| Failure {
        exit: failure.exit(),
        message: failure.to_string(),
    })?;
    print::text(&summary(&report, arguments.seed))?;
    Ok(match caught {
        Some(exit) => exit,
        None if !report.findings.is_empty() => Exit::DoesNotConform,
        None if report.programs == 0 => Exit::NothingDecided,
        None => Exit::Conforms,
    })
}

/// Server text must not move the cursor.
fn shown(text: &str) -> String {
    text::line(text)
}

fn line(finding: &Finding) -> String {
    let place = finding
        .path
        .as_ref()
        .map_or_else(|| finding.id.clone(), |path| path.display().to_string());
    shown(&format!(
        "{} {} at the {} endpoint: {}; {}; {} ({:.1} s, program {})",
        severity_word(finding.severity),
        finding.bucket.oracle.name(),
        finding.bucket.endpoint,
        finding.note,
        finding.stability(),
        place,
        finding.after.as_secs_f64(),
        finding.programs,
    ))
}

fn summary(report: &Report, seed: u64) -> String {
    let mut out = format!(
        "{} findings in {:.1} s: {} programs, {} requests ({:.0}/s), seed {seed}\n",
        report.findings.len(),
        report.elapsed.as_secs_f64(),
        report.programs,
        report.requests,
        report.requests as f64 / report.elapsed.as_secs_f64().max(0.001),
    );
    for finding in &report.findings {
        out.push_str(&format!(
            "  {:8} {:22} {}: {} [{}]{}\n",
            severity_word(finding.severity),
            finding.bucket.oracle.name(),
            finding.summary,
            finding.note,
            finding.stability(),
            match finding.again {
                0 => String::new(),
                again => format!(" and {again} more like it"),
            }
        ));
    }
    if report.duplicates > 0 {
        out.push_str(&format!("{} more of the same kinds\n", report.duplicates));
    }
    if !report.unconfirmed.is_empty() {
        let each = report.unconfirmed.iter();
        let each: Vec<String> = each
            .map(|(oracle, count)| format!("{} {count}", oracle.name()))
            .collect();
        out.push_str(&format!("did not show again: {}\n", each.join(", ")));
    }
    if let Some(last) = &report.dead {
        out.push_str(&format!("stopped: the server stays dead after {last}\n"));
    }
    for leftover in &report.leftovers {
        out.push_str(&format!("left behind: {leftover}\n"));
    }
    shown_lines(&out)
}

fn shown_lines(text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(shown).collect();
    lines.push(String::new());
    lines.join("\n")
}

pub(super) async fn replay(arguments: &ReplayArgs) -> Result<Exit, Failure> {
    let suites = load(&arguments.file)?;
    let ready = target::ready(&arguments.target, &arguments.faults).await?;
    let options = run::Options {
        timeout: arguments.timeout,
        i_am_authorized: arguments.i_am_authorized,
        // A finding may be about the only endpoint there is.
        despite_preflight: true,
        ..run::Options::default()
    };
    let mut lines = Vec::new();
    let mut worst = None;
    let mut hear = |event: crate::event::Event| {
        if let crate::event::Event::Case(case) = event {
            worst = worst.max(Some(case.verdict));
            lines.push(shown(&format!(
                "{}: {}: {}",
                case.verdict.word(),
                case.id,
                case.reason
            )));
        }
    };
    run::run(
        ready.target.clone(),
        &suites,
        &options,
        &mut hear,
        run::never(),
    )
    .await;
    ready.stop().await;
    lines.push(String::new());
    print::text(&lines.join("\n"))?;
    Ok(match worst {
        Some(Verdict::Fail) => Exit::DoesNotConform,
        Some(Verdict::Pass | Verdict::Warn) => Exit::Conforms,
        Some(Verdict::Error) => Exit::Usage,
        Some(Verdict::Inconclusive | Verdict::Skipped) | None => Exit::NothingDecided,
    })
}

fn load(file: &Path) -> Result<Vec<crate::suite::model::Suite>, Failure> {
    if !file.is_file() {
        return Err(Failure::usage(format!(
            "{} is no file; give a finding (a .toml file below findings/) or a suite file",
            file.display()
        )));
    }
    let known = jose::forgeries();
    crate::suite::load_paths(
        &[file],
        &crate::suite::Known {
            checks: crate::check::NAMES,
            forges: &known,
        },
    )
    .map_err(|problems| Failure::usage(problems.to_string()))
}
