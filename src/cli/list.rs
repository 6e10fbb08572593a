//! `oauthspec list`: the cases and what each needs.

use std::fmt::Write as _;

use serde_json::json;

use crate::exit::Exit;
use crate::profile::{self, Profile};
use crate::report::{level_word, severity_word, text};
use crate::run::Options;
use crate::run::plan::select;
use crate::suite::model::{Case, Suite};
use crate::suite::refs;

use super::args::ListArgs;
use super::plan::Planned;
use super::{Failure, plan, print, suites, target};

pub(super) async fn list(arguments: &ListArgs) -> Result<Exit, Failure> {
    let suites = suites::load(&arguments.selection.suites)?;
    let options = Options {
        cases: arguments.selection.cases.clone(),
        i_am_authorized: arguments.i_am_authorized,
        ..Options::default()
    };
    let cases = select(&suites, &options, None);
    if cases.is_empty() {
        return Err(Failure {
            exit: Exit::NothingDecided,
            message: "no case is selected".to_owned(),
        });
    }
    let planned = match &arguments.target {
        None => None,
        Some(name) => {
            let ready = target::ready(name, &[]).await?;
            let planned = plan::plan(ready.target.clone(), &suites, &options).await;
            ready.stop().await;
            Some(planned?)
        }
    };
    if arguments.json {
        let cases: Vec<_> = cases
            .iter()
            .map(|case| case_json(case, planned.as_deref()))
            .collect();
        print::text(&format!("{:#}\n", json!({ "cases": cases })))?;
    } else if let Some(planned) = &planned {
        print::text(&plan::plain(planned))?;
    } else {
        print::text(&plain(&suites, &cases))?;
    }
    Ok(Exit::Conforms)
}

#[expect(clippy::indexing_slicing, reason = "a JSON object takes any member")]
fn case_json(case: &Case, planned: Option<&[Planned]>) -> serde_json::Value {
    let mut value = json!({
        "id": case.id,
        "suite": case.suite,
        "title": case.title,
        "level": level_word(case.level),
        "severity": severity_word(case.severity),
        "refs": case.refs,
        "profiles": profiles(case),
        "needs": case.needs,
        "rows": case.rows,
        "variants": case.variants.iter().map(|variant| &variant.name).filter(|name| !name.is_empty()).collect::<Vec<_>>(),
        "source": format!("{}:{}", case.source.file, case.source.line),
    });
    if let Some(planned) =
        planned.and_then(|planned| planned.iter().find(|planned| planned.id == case.id))
    {
        value["runs"] = json!(planned.runs > 0);
        value["skipped"] = json!(planned.skipped);
    }
    value
}

/// Which profiles judge a case, and how binding it is there.
fn profiles(case: &Case) -> serde_json::Map<String, serde_json::Value> {
    let judging = |profile: &'static Profile| {
        let level = profile.level(&case.id)?;
        Some((profile.name.clone(), json!(level_word(level))))
    };
    profile::all().iter().filter_map(judging).collect()
}

fn plain(suites: &[Suite], chosen: &[&Case]) -> String {
    let mut out = String::new();
    for suite in suites {
        let cases: Vec<&&Case> = chosen
            .iter()
            .filter(|case| case.suite == suite.name)
            .collect();
        if cases.is_empty() {
            continue;
        }
        let _ = writeln!(
            out,
            "{}  {} ({} cases)",
            text::line(&suite.name),
            text::line(&suite.title),
            cases.len()
        );
        for case in cases {
            let variants = case
                .variants
                .iter()
                .filter(|variant| !variant.name.is_empty())
                .count();
            let count = if variants > 0 {
                format!(" ({variants})")
            } else {
                String::new()
            };
            let _ = writeln!(
                out,
                "  {:<44} {:<7} {:<8} {}",
                text::line(&case.id) + &count,
                level_word(case.level),
                severity_word(case.severity),
                text::line(&case.title)
            );
            if !case.needs.is_empty() {
                let _ = writeln!(
                    out,
                    "  {:<44} needs {}",
                    "",
                    text::line(&case.needs.join(", "))
                );
            }
        }
    }
    out
}

/// A case in full, for `explain`.
pub(super) fn describe(case: &Case) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}\n", text::line(&case.title));
    let mut row = |label: &str, content: &str| {
        if !content.is_empty() {
            let _ = writeln!(out, "{label:<10} {}", text::line(content));
        }
    };
    row("level", level_word(case.level));
    row("severity", severity_word(case.severity));
    row("clause", &refs::display_all(&case.refs));
    for address in case
        .refs
        .iter()
        .filter_map(|reference| refs::address(reference))
    {
        row("", &address);
    }
    row("why", &case.why);
    row("fix", &case.fix);
    row("promise", case.promise.as_deref().unwrap_or(""));
    row("needs", &case.needs.join(", "));
    let variants: Vec<&str> = case
        .variants
        .iter()
        .map(|variant| variant.name.as_str())
        .filter(|name| !name.is_empty())
        .collect();
    row("variants", &variants.join(", "));
    row("no fault", case.without_fault.as_deref().unwrap_or(""));
    row(
        "written in",
        &format!("{}:{}", case.source.file, case.source.line),
    );
    out
}
