//! `oauthspec selftest`: can the harness be believed?

use std::collections::BTreeSet;
use std::fmt::Write as _;

use refserver::Fault;

use crate::exit::Exit;
use crate::report::text;
use crate::selftest::{self, Against, Outcome, Progress, concerns};

use super::args::SelftestArgs;
use super::{Failure, print, suites, target};

pub(super) async fn selftest(arguments: &SelftestArgs) -> Result<Exit, Failure> {
    let suites = suites::load(&arguments.suites)?;
    let asked: Vec<Fault> = if arguments.faults.is_empty() {
        Fault::every()
            .filter(|fault| fault.kind() == refserver::Kind::Case)
            .collect()
    } else {
        arguments
            .faults
            .iter()
            .map(|fault| target::fault(fault))
            .collect::<Result<_, _>>()?
    };
    // Of chosen suites only what looks for a fault can notice it.
    let cases = || suites.iter().flat_map(|suite| &suite.cases);
    let (faults, elsewhere): (Vec<Fault>, Vec<Fault>) = asked.into_iter().partition(|fault| {
        arguments.suites.is_empty() || cases().any(|case| concerns(*fault, case))
    });
    let say = |progress: Progress| match progress {
        Progress::Stage(stage) => print::note(&format!("selftest: {stage}")),
        Progress::Fault(fault, red) => match red.as_slice() {
            [] => print::note(&format!("{fault}: nothing went red")),
            [one] => print::note(&format!("{fault}: {one}")),
            [first, rest @ ..] => print::note(&format!("{fault}: {first} and {} more", rest.len())),
        },
    };
    let against = if arguments.quick {
        Against::ItsCases
    } else {
        Against::EveryCase
    };
    let wide = usize::from(arguments.jobs);
    let mut outcome = tokio::select! {
        outcome = selftest::run(&suites, &faults, against, wide, &say) => outcome
            .map_err(|error| Failure::unreachable(format!("the reference server does not start: {error}")))?,
        exit = super::signals::next() => {
            return Err(Failure { exit, message: "the self-test was ended by a signal".to_owned() });
        }
    };
    outcome.elsewhere = elsewhere.len();
    if !arguments.suites.is_empty() {
        let chosen: BTreeSet<&str> = suites.iter().map(|suite| suite.name.as_str()).collect();
        let mut others = suites::load(&[])?;
        others.retain(|suite| !chosen.contains(suite.name.as_str()));
        outcome.leave_to(&others);
    }
    if arguments.json {
        let json = serde_json::to_string_pretty(&outcome)
            .map_err(|error| Failure::usage(error.to_string()))?;
        print::text(&format!("{json}\n"))?;
    } else {
        print::text(&describe(&outcome))?;
    }
    Ok(match outcome.ok() {
        false => Exit::DoesNotConform,
        true if faults.is_empty() => Exit::NothingDecided,
        true => Exit::Conforms,
    })
}

fn describe(outcome: &Outcome) -> String {
    let mut out = String::new();
    let mut list = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = writeln!(out, "{title}");
            for line in lines {
                let _ = writeln!(out, "  {}", text::line(&line));
            }
            out.push('\n');
        }
    };
    list(
        "faults that no case noticed",
        outcome
            .survivors
            .iter()
            .map(|one| {
                format!(
                    "{} (should turn red: {})",
                    one.fault,
                    one.expected.join(", ")
                )
            })
            .collect(),
    );
    list(
        "faults with which `oauthspec run --fault` would end neither with 1 nor with 3",
        (outcome.exits.iter())
            .map(|one| format!("{}: {} {}", one.fault, one.code, one.problems.join("; ")))
            .collect(),
    );
    list(
        "cases that no fault turns red, without a reason",
        outcome.unproven.clone(),
    );
    list(
        "cases that are not green on the clean server",
        outcome
            .clean_failures
            .iter()
            .map(|one| format!("{} {}: {}", one.verdict.word(), one.id, one.reason))
            .collect(),
    );
    list(
        "cases that went red for a fault that should not concern them",
        outcome
            .unexpected
            .iter()
            .map(|one| format!("{}: {}: {}", one.fault, one.id, one.reason))
            .collect(),
    );
    list(
        "cases that no fault can turn red, and why",
        outcome
            .without_fault
            .iter()
            .map(|one| format!("{}: {}", one.id, one.reason))
            .collect(),
    );
    let hosts = &outcome.hosts;
    let _ = writeln!(
        out,
        "{} of {} faults noticed by {} cases; passes on a dead host {}, on one that says yes to everything {}, on one that says no {}",
        outcome.killed,
        outcome.faults,
        outcome.cases,
        hosts.dead.pass,
        hosts.yes.pass,
        hosts.no.pass
    );
    if !outcome.left.is_empty() {
        let _ = writeln!(
            out,
            "not noticed here, and looked for by other suites too: {}",
            outcome.left.join(", ")
        );
    }
    if outcome.elsewhere > 0 {
        let _ = writeln!(
            out,
            "not tried: {} faults that no case of these suites looks for",
            outcome.elsewhere
        );
    }
    let _ = writeln!(
        out,
        "{}",
        if outcome.ok() {
            "the harness can be believed"
        } else {
            "the harness cannot be believed"
        }
    );
    out
}
