//! `oauthspec doctor`: every mistake of a configuration by name, each with what to do.

use std::fmt::Write as _;

use crate::doctor::{Report, State, examine};
use crate::exit::Exit;
use crate::report::text;
use crate::run::Options;

use super::args::DoctorArgs;
use super::{Failure, plan, print, suites, target};

pub(super) async fn doctor(arguments: &DoctorArgs) -> Result<Exit, Failure> {
    let options = Options {
        timeout: arguments.timeout,
        rate: arguments.rate,
        i_am_authorized: arguments.i_am_authorized,
        ..Options::default()
    };
    if let Some(wanting) = target::wanting(&arguments.target, options.i_am_authorized)? {
        print::text(&plan::unsent(
            &wanting,
            &suites::load(&[])?,
            &options,
            false,
        )?)?;
        return Ok(Exit::Usage);
    }
    let ready = target::ready(&arguments.target, &[]).await?;
    let report = examine(ready.target.clone(), &options).await;
    ready.stop().await;
    print::text(&describe(&report))?;
    Ok(match report.first_problem() {
        None => Exit::Conforms,
        Some(problem) if problem.name == "not-authorized" || problem.name == "network-files" => {
            Exit::Usage
        }
        Some(_) => Exit::Unreachable,
    })
}

fn describe(report: &Report) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        let word = match finding.state {
            State::Good => "ok",
            State::Warning => "warning",
            State::Problem => "PROBLEM",
        };
        let name = finding.name;
        let _ = writeln!(out, "{word:<8}{name}: {}", text::line(&finding.what));
        if !finding.fix.is_empty() {
            let _ = writeln!(out, "{:<8}-> {}", "", text::line(&finding.fix));
        }
    }
    let count = |state: State| {
        report
            .findings
            .iter()
            .filter(|finding| finding.state == state)
            .count()
    };
    let mut capabilities = report.capabilities.clone();
    capabilities.sort();
    capabilities.dedup();
    if !capabilities.is_empty() {
        let words = text::line(&capabilities.join(", "));
        let _ = writeln!(out, "\ncapabilities: {words}");
    }
    for (capability, reason) in &report.reasons {
        let _ = writeln!(out, "no {}: {}", text::line(capability), text::line(reason));
    }
    for leftover in &report.leftovers {
        let _ = writeln!(out, "left behind: {}", text::line(leftover));
    }
    let _ = match (count(State::Problem), count(State::Warning)) {
        (0, 0) => writeln!(out, "\nready to run"),
        (0, warnings) => writeln!(out, "\nready to run; {warnings} to know about"),
        (1, _) => writeln!(
            out,
            "\none problem; what depends on it was not looked at. Mend it and ask again"
        ),
        (problems, _) => writeln!(out, "\n{problems} problems; mend them and ask again"),
    };
    out
}
