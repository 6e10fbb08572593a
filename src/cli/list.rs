//! `oauthspec list`: the cases and what each needs.

use std::fmt::Write as _;

use serde_json::json;

use crate::exit::Exit;
use crate::report::{clause, level_word, severity_word, text};
use crate::suite::model::{Case, Suite};

use super::args::ListArgs;
use super::{Failure, print, suites};

pub(super) fn list(arguments: &ListArgs) -> Result<Exit, Failure> {
    let suites = suites::load(&arguments.suites)?;
    let chosen = |case: &Case| {
        arguments.cases.is_empty()
            || arguments
                .cases
                .iter()
                .any(|pattern| matches(pattern, &case.id))
    };
    let count = suites
        .iter()
        .flat_map(|suite| &suite.cases)
        .filter(|case| chosen(case))
        .count();
    if arguments.json {
        let cases: Vec<_> = suites
            .iter()
            .flat_map(|suite| &suite.cases)
            .filter(|case| chosen(case))
            .map(case_json)
            .collect();
        print::text(&format!("{:#}\n", json!({ "cases": cases })))?;
    } else {
        print::text(&plain(&suites, &chosen))?;
    }
    if count == 0 {
        return Err(Failure {
            exit: Exit::NothingDecided,
            message: "no case is selected".to_owned(),
        });
    }
    Ok(Exit::Conforms)
}

fn case_json(case: &Case) -> serde_json::Value {
    json!({
        "id": case.id,
        "suite": case.suite,
        "title": case.title,
        "level": level_word(case.level),
        "severity": severity_word(case.severity),
        "refs": case.refs,
        "needs": case.needs,
        "rows": case.rows,
        "variants": case.variants.iter().map(|variant| &variant.name).filter(|name| !name.is_empty()).collect::<Vec<_>>(),
        "source": format!("{}:{}", case.source.file, case.source.line),
    })
}

fn plain(suites: &[Suite], chosen: &dyn Fn(&Case) -> bool) -> String {
    let mut out = String::new();
    for suite in suites {
        let cases: Vec<&Case> = suite.cases.iter().filter(|case| chosen(case)).collect();
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
    row("clause", &clause::list(&case.refs));
    for address in case
        .refs
        .iter()
        .filter_map(|reference| clause::address(reference))
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

/// Whether a pattern, in which `*` stands for any text, fits the whole of a name.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(first) = pieces.next() else {
        return name.is_empty();
    };
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for piece in pieces {
        if let Some(earlier) = last.replace(piece) {
            let earlier: &str = earlier;
            match rest.find(earlier) {
                Some(at) => rest = rest.get(at + earlier.len()..).unwrap_or(""),
                None => return false,
            }
        }
    }
    match last {
        None => rest.is_empty(),
        Some(last) => rest.ends_with(last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, fits) in [
            ("pkce.plain", "pkce.plain", true),
            ("pkce.plain", "pkce.plain-rejected", false),
            ("pkce.*", "pkce.plain", true),
            ("*.near*", "redirect.near-miss", true),
            ("*-miss", "redirect.near-miss", true),
            ("a*a", "a", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "acb", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }
}
