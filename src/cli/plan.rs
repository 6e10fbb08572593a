//! What would run against a target, and what would not and why: `run --dry-run` and `list TARGET`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::profile;
use crate::report::text;
use crate::run::foresee::{Prospect, foresee};
use crate::run::{Options, cleanup, plan, prepare};
use crate::suite::model::Suite;
use crate::targets::model::Target;

use super::Failure;
use super::target::Wanting;

/// One case of a plan.
pub(super) struct Planned {
    /// The case's id.
    pub id: String,
    /// How many of its variants run.
    pub runs: usize,
    /// How many it has.
    pub variants: usize,
    /// Why the first one that does not run does not.
    pub skipped: Option<String>,
}

/// Looks at the target as a run does (discovery, registration, one correct login), runs no case and
/// cleans up.
pub(super) async fn plan(
    target: Target,
    suites: &[Suite],
    options: &Options,
) -> Result<Vec<Planned>, Failure> {
    let profiles = options.profiles(&target).to_vec();
    let prepared = prepare(target, options).await.map_err(|failure| Failure {
        exit: failure.exit(),
        message: failure.to_string(),
    })?;
    let suites = profile::judged(suites, &profiles);
    let planned = plan::select(&suites, options, Some(&profiles))
        .into_iter()
        .map(|case| {
            let reasons: Vec<Option<String>> = case
                .variants
                .iter()
                .map(|variant| plan::skip_reason(case, variant, &prepared))
                .collect();
            Planned {
                id: case.id.clone(),
                runs: reasons.iter().filter(|reason| reason.is_none()).count(),
                variants: reasons.len(),
                skipped: reasons.into_iter().flatten().next(),
            }
        })
        .collect();
    cleanup::clean(&prepared.world, false).await;
    Ok(planned)
}

/// The plan as text.
pub(super) fn plain(planned: &[Planned]) -> String {
    let mut out = String::new();
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for case in planned {
        if case.runs > 0 {
            let count = if case.variants > 1 {
                format!(" ({} of {} variants)", case.runs, case.variants)
            } else {
                String::new()
            };
            let _ = writeln!(out, "run   {}{count}", text::line(&case.id));
        } else if let Some(reason) = &case.skipped {
            reasons.entry(reason).or_default().push(&case.id);
        }
    }
    for (reason, ids) in &reasons {
        let _ = writeln!(out, "\nskip  {}", text::line(reason));
        for id in ids {
            let _ = writeln!(out, "      {}", text::line(id));
        }
    }
    let run = planned.iter().filter(|case| case.runs > 0).count();
    let _ = writeln!(out, "\n{run} of {} cases would run", planned.len());
    out
}

/// What is missing before anything may be sent, and what would run with it.
pub(super) fn unsent(
    wanting: &Wanting,
    suites: &[Suite],
    options: &Options,
    each: bool,
) -> Result<String, Failure> {
    let foreseen = foresee(wanting.target.clone(), suites, options).map_err(|failure| Failure {
        exit: failure.exit(),
        message: failure.to_string(),
    })?;
    let mut out = missing(wanting);
    let mut runs: Vec<&str> = Vec::new();
    let mut open: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut skipped: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, prospect) in &foreseen {
        match prospect {
            Prospect::Runs => runs.push(id),
            Prospect::IfServer(needs) => open.entry(needs.join(", ")).or_default().push(id),
            Prospect::Skipped(reason) => skipped.entry(reason).or_default().push(id),
        }
    }
    if each {
        out.push('\n');
        for id in &runs {
            let _ = writeln!(out, "run   {}", text::line(id));
        }
    }
    let total = |groups: &mut dyn Iterator<Item = usize>| groups.sum::<usize>();
    let _ = writeln!(
        out,
        "\nWith that, {} of {} cases would run, and {} more if the server has what they need:",
        runs.len(),
        foreseen.len(),
        total(&mut open.values().map(Vec::len)),
    );
    let mut list = |heading: String, ids: &[&str]| {
        let _ = writeln!(out, "{}", text::line(&heading));
        for id in ids.iter().filter(|_| each) {
            let _ = writeln!(out, "        {}", text::line(id));
        }
    };
    if each {
        for (needs, ids) in &open {
            list(format!("{:>5} x {needs}", ids.len()), ids);
        }
    } else {
        let mut by_need: BTreeMap<&str, usize> = BTreeMap::new();
        for (needs, ids) in &open {
            for need in needs.split(", ") {
                *by_need.entry(need).or_default() += ids.len();
            }
        }
        let counts: Vec<String> = (by_need.iter())
            .map(|(need, count)| format!("{need} {count}"))
            .collect();
        list(format!("      {}", counts.join(", ")), &[]);
    }
    let count = total(&mut skipped.values().map(Vec::len));
    list(format!("{count} are skipped:"), &[]);
    for (reason, ids) in &skipped {
        list(format!("{:>5} x {reason}", ids.len()), ids);
    }
    out.push_str("Nothing was sent to anybody.\n");
    Ok(out)
}

/// Everything that is missing, each with where to get it.
fn missing(wanting: &Wanting) -> String {
    let mut out = String::new();
    let mut say = |name: &str, what: String, fix: &str| {
        let _ = writeln!(out, "PROBLEM {name}: {}", text::line(&what));
        let _ = writeln!(out, "{:<8}-> {}", "", text::line(fix));
    };
    for gap in &wanting.gaps {
        let what = format!("{}: {}", gap.name, gap.about);
        say("missing", what, &gap.fix);
    }
    if !wanting.foreign.is_empty() {
        say(
            "not-authorized",
            format!("not on this machine: {}", wanting.foreign.join(", ")),
            "pass --i-am-authorized if its owner lets you test it",
        );
    }
    out
}
