//! `oauthspec run`: a target, the suites, the reports, and the exit code.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use anstream::{AutoStream, ColorChoice};

use crate::exit::Exit;
use crate::profile;
use crate::report::{Destination, Files, Format, Look, Output, Reports, Terminal};
use crate::run::Options;
use crate::run::waiver::Waivers;
use crate::selftest::concerns;
use crate::suite::model::Suite;
use crate::targets::model::Target;
use crate::targets::reference::shows;

use super::args::RunArgs;
use super::drive::drive;
use super::target::Ready;
use super::waivers::Update;
use super::{Failure, plan, print, resume, signals, suites, target};

/// Where reports go when nobody says where.
const FOLDER: &str = "oauthspec-report";

pub(super) async fn run(arguments: &RunArgs) -> Result<Exit, Failure> {
    let suites = suites::load(&arguments.selection.suites)?;
    let mut options = options(arguments)?;
    if crate::run::plan::select(&suites, &options, None).is_empty() {
        return Err(Failure {
            exit: Exit::NothingDecided,
            message: "no case is selected; `oauthspec list` shows their ids".to_owned(),
        });
    }
    if arguments.dry_run {
        return dry(arguments, &suites, &options).await;
    }
    let ready = target::ready(&arguments.target, &arguments.faults).await?;
    if let Err(failure) = looked_for(arguments, &suites, &options, &ready.target) {
        ready.stop().await;
        return Err(failure);
    }
    if let Some(path) = &arguments.resume {
        options.earlier = resume::earlier(path, &ready.target)?;
    }
    let update = arguments
        .waivers
        .clone()
        .filter(|_| arguments.update_waivers)
        .map(|path| {
            let every = suites.iter().flat_map(|suite| &suite.cases);
            let every = every.map(|case| case.id.clone()).collect();
            let old = options.waivers.clone().unwrap_or_default();
            Update::new(path, old, every, options.strict)
        });
    perform(Asked {
        ready,
        suites,
        options,
        reports: &arguments.reports,
        quiet: arguments.quiet,
        update,
    })
    .await
}

/// Everything that makes a run.
pub(super) struct Asked<'a> {
    /// What is tested.
    pub ready: Ready,
    /// By which cases.
    pub suites: Vec<Suite>,
    /// How.
    pub options: Options,
    /// The reports asked for.
    pub reports: &'a [Output],
    /// Only failures and the summary on the terminal.
    pub quiet: bool,
    /// The waiver file to bring in step.
    pub update: Option<Update>,
}

/// Runs and reports.
pub(super) async fn perform(asked: Asked<'_>) -> Result<Exit, Failure> {
    let Asked {
        ready,
        suites,
        options,
        reports,
        quiet,
        update,
    } = asked;
    let (outputs, chosen) = outputs(reports)?;
    if options.keep_secrets
        && outputs
            .iter()
            .any(|output| output.destination == Destination::Stdout)
    {
        return Err(Failure::usage(
            "--keep-secrets writes files only: give the report a path instead of -",
        ));
    }
    let mut reports = Reports::new();
    reports.add("terminal", terminal(&outputs, quiet));
    let files = Files::new(outputs.clone()).keep_secrets(options.keep_secrets);
    reports.add("reports", Box::new(files));
    if let Some(update) = update {
        reports.add("waivers", Box::new(update));
    }
    let target = ready.target.clone();
    let driven = drive(
        reports,
        |mut hear, stop| async move {
            crate::run::run(target, &suites, &options, &mut *hear, stop).await
        },
        signals::next,
    )
    .await;
    ready.stop().await;
    for problem in &driven.problems {
        print::error(problem);
    }
    if !chosen && driven.problems.is_empty() {
        for output in &outputs {
            print::note(&format!("wrote the {output}"));
        }
    }
    Ok(Exit::from_code(driven.code()).unwrap_or(Exit::Usage))
}

/// A fault that no case of the run looks for would leave it green: said, or refused where nobody asked for less than everything.
fn looked_for(
    arguments: &RunArgs,
    suites: &[Suite],
    options: &Options,
    target: &Target,
) -> Result<(), Failure> {
    let profiles = options.profiles(target);
    let judged = profile::judged(suites, profiles);
    let selected = crate::run::plan::select(&judged, options, Some(profiles));
    let chosen = !arguments.selection.suites.is_empty()
        || !arguments.selection.cases.is_empty()
        || !arguments.profiles.is_empty()
        || arguments.partition.is_some();
    for name in &arguments.faults {
        let fault = target::fault(name)?;
        if selected.iter().any(|case| concerns(fault, case)) {
            continue;
        }
        let message = format!(
            "no case of this run looks for the fault `{name}`, which turns red: {}",
            fault.breaks().join(", ")
        );
        if !chosen {
            return Err(Failure::usage(format!(
                "{message}; take the target {}, or --profile {}",
                shows(fault),
                profile::CATALOGUE
            )));
        }
        print::warning(&message);
    }
    Ok(())
}

/// What would run and what would not: looks at the target as a run does, but runs no case. While something is missing, nothing is sent.
async fn dry(arguments: &RunArgs, suites: &[Suite], options: &Options) -> Result<Exit, Failure> {
    if let Some(wanting) = target::wanting(&arguments.target, options.i_am_authorized)? {
        print::text(&plan::unsent(&wanting, suites, options, true)?)?;
        return Ok(Exit::Usage);
    }
    let ready = target::ready(&arguments.target, &arguments.faults).await?;
    let planned = plan::plan(ready.target.clone(), suites, options).await;
    ready.stop().await;
    let planned = planned?;
    print::text(&plan::plain(&planned))?;
    Ok(if planned.iter().any(|case| case.runs > 0) {
        Exit::Conforms
    } else {
        Exit::NothingDecided
    })
}

fn options(arguments: &RunArgs) -> Result<Options, Failure> {
    let known = profile::names();
    if let Some(unknown) = arguments
        .profiles
        .iter()
        .find(|name| !known.contains(&name.as_str()))
    {
        return Err(Failure::usage(format!(
            "there is no profile `{unknown}`: known are {}",
            known.join(", ")
        )));
    }
    let waivers = match &arguments.waivers {
        // The first time there is no file to bring in step.
        Some(path) if arguments.update_waivers && !path.exists() => Some(Waivers::default()),
        Some(path) => {
            Some(Waivers::load(path).map_err(|problems| Failure::usage(problems.to_string()))?)
        }
        None => None,
    };
    Ok(Options {
        waivers,
        // `suites::load` has chosen already.
        suites: Vec::new(),
        cases: arguments.selection.cases.clone(),
        profiles: arguments.profiles.clone(),
        jobs: usize::from(arguments.jobs),
        rate: arguments.rate,
        partition: arguments.partition,
        seed: arguments.seed,
        timeout: arguments.timeout,
        deadline: arguments.deadline,
        fail_on: arguments.fail_on,
        slow: arguments.slow,
        // A fault is there to be noticed.
        strict: arguments.strict || !arguments.faults.is_empty(),
        i_am_authorized: arguments.i_am_authorized,
        keep_secrets: arguments.keep_secrets,
        ..Options::default()
    })
}

/// The reports to write, and whether the user chose them. Each is known to be writable.
fn outputs(wanted: &[Output]) -> Result<(Vec<Output>, bool), Failure> {
    let chosen = !wanted.is_empty();
    let outputs = if chosen {
        wanted.to_vec()
    } else {
        let folder = PathBuf::from(FOLDER);
        vec![
            Output::file(Format::Json, folder.join("report.json")),
            Output::file(Format::Html, folder.join("report.html")),
        ]
    };
    let mut seen = BTreeSet::new();
    for output in &outputs {
        let place = match &output.destination {
            Destination::Stdout => PathBuf::from("-"),
            Destination::File(path) => path.clone(),
        };
        if !seen.insert(place) {
            return Err(Failure::usage(format!(
                "two reports would go to the same place: {output}"
            )));
        }
        output
            .check()
            .map_err(|error| Failure::usage(format!("the {output} cannot be written: {error}")))?;
    }
    Ok((outputs, chosen))
}

/// The terminal report; it leaves the standard output to a report that asked for it.
fn terminal(outputs: &[Output], quiet: bool) -> Box<Terminal> {
    let taken = outputs
        .iter()
        .any(|output| output.destination == Destination::Stdout);
    let tty = if taken {
        io::stderr().is_terminal()
    } else {
        io::stdout().is_terminal()
    };
    let choice = if taken {
        AutoStream::choice(&io::stderr())
    } else {
        AutoStream::choice(&io::stdout())
    };
    let look = Look {
        colour: choice != ColorChoice::Never,
        live: tty && std::env::var_os("CI").is_none(),
        width: width(tty),
        quiet,
        annotations: std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true"),
    };
    if taken {
        Box::new(Terminal::new(Box::new(anstream::stderr()), look))
    } else {
        Box::new(Terminal::new(Box::new(anstream::stdout()), look))
    }
}

/// The terminal's columns; a log has room.
fn width(tty: bool) -> usize {
    let asked = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse::<usize>().ok());
    let seen = || terminal_size::terminal_size().map(|(columns, _)| usize::from(columns.0));
    match asked {
        Some(columns) => columns,
        None if tty => seen().unwrap_or(80),
        None => 120,
    }
    .clamp(40, 400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_reports_in_one_place_are_refused() {
        let one: Output = "json=-".parse().unwrap();
        let two: Output = "junit=-".parse().unwrap();
        assert!(
            outputs(&[one, two])
                .unwrap_err()
                .message
                .contains("the same place")
        );
    }

    #[test]
    fn a_report_that_cannot_be_written_is_refused_before_the_run() {
        let failure = outputs(&[Output::file(Format::Json, "/")]).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(
            failure.message.contains("cannot be written"),
            "{}",
            failure.message
        );
    }
}
