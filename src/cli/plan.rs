//! What would run against a target, and what would not and why: `run --dry-run` and `list TARGET`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::profile;
use crate::report::text;
use crate::run::{Options, cleanup, plan, prepare};
use crate::suite::model::Suite;
use crate::target::model::Target;

use super::Failure;

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
