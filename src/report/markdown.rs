//! Markdown, for a job summary or a comment: the outcome, the failures with their one difference,
//! the policy.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

use crate::event::{CaseReport, Verdict};
use crate::suite::refs;

use super::exchange::{self, Detail, Kind};
use super::{Run, decided_words, full_name, level_word, outcome_words, severity_word, text, worst};

/// How many failures are shown in full; forges cut long texts off.
const SHOWN: usize = 25;

/// The run as Markdown.
pub fn render(run: &Run) -> io::Result<Vec<u8>> {
    let mut out = String::new();
    let end = &run.end;
    let summary = &end.summary;
    let _ = writeln!(out, "# oauthspec: {}\n", text::markdown(outcome_words(end)));
    let _ = writeln!(
        out,
        "**{}** of {} ({}): {} requests in {:.1} s, seed {}, {}\n",
        decided_words(summary),
        text::markdown(&run.start.target),
        text::markdown(&run.start.profiles.join(", ")),
        end.requests,
        end.duration_ms as f64 / 1000.0,
        run.start.seed,
        text::markdown(&run.start.tool),
    );
    if let Some(why) = &end.interrupted {
        let _ = writeln!(out, "> **Interrupted**: {}\n", text::markdown(why));
    }
    out.push_str(
        "| pass | fail | warn | inconclusive | skipped | error |\n|---|---|---|---|---|---|\n",
    );
    let _ = writeln!(
        out,
        "| {} | {} | {} | {} | {} | {} |\n",
        summary.pass,
        summary.fail,
        summary.warn,
        summary.inconclusive,
        summary.skipped,
        summary.error
    );
    for problem in &end.problems {
        let _ = writeln!(out, "- problem: {}", text::markdown(problem));
    }
    let troubles = run.troubles();
    let (failures, warnings): (Vec<&CaseReport>, Vec<&CaseReport>) = troubles
        .into_iter()
        .partition(|case| case.verdict != Verdict::Warn);
    if !failures.is_empty() {
        out.push_str("## Failures\n\n");
        for case in failures.iter().take(SHOWN) {
            failure(&mut out, case);
        }
        for case in failures.iter().skip(SHOWN) {
            let _ = writeln!(
                out,
                "- {}: {}",
                text::markdown(&case.id),
                text::markdown(&case.reason)
            );
        }
    }
    if !warnings.is_empty() {
        out.push_str("## Warnings\n\n| case | reason | clause |\n|---|---|---|\n");
        for case in warnings {
            let _ = writeln!(
                out,
                "| {} | {} | {} |",
                text::markdown(&case.id),
                text::markdown(&case.reason),
                text::markdown(&refs::display_all(&case.refs))
            );
        }
        out.push('\n');
    }
    let waived = run.waived();
    if !waived.is_empty() {
        out.push_str("## Waived\n\n| case | reason | waiver |\n|---|---|---|\n");
        for case in waived {
            let _ = writeln!(
                out,
                "| {} | {} | {} |",
                text::markdown(&case.id),
                text::markdown(&case.reason),
                text::markdown(case.waived.as_deref().unwrap_or_default())
            );
        }
        out.push('\n');
    }
    for (service, cases) in run.promises() {
        let _ = writeln!(
            out,
            "## Promises of {}\n\n{}\n\n| promise | verdict | case |\n|---|---|---|",
            text::markdown(service),
            super::promises_words(&cases)
        );
        for case in cases {
            let _ = writeln!(
                out,
                "| {} | {} | {} |",
                text::markdown(case.promise.as_deref().unwrap_or_default()),
                case.verdict.word(),
                text::markdown(&case.id)
            );
        }
        out.push('\n');
    }
    undecided(&mut out, run);
    if !end.policy.is_empty() {
        out.push_str("## Policy seen\n\n| topic | observed |\n|---|---|\n");
        for line in &end.policy {
            let _ = writeln!(
                out,
                "| {} | {} |",
                text::markdown(&line.topic),
                text::markdown(&line.observed)
            );
        }
        out.push('\n');
    }
    if !end.leftovers.is_empty() {
        out.push_str("## Left behind at the target\n\n");
        for leftover in &end.leftovers {
            let _ = writeln!(out, "- {}", text::markdown(leftover));
        }
    }
    Ok(out.into_bytes())
}

fn failure(out: &mut String, case: &CaseReport) {
    let variant = worst(case);
    let name = variant.map_or_else(|| case.id.clone(), |variant| full_name(case, variant));
    let _ = writeln!(
        out,
        "### {} {}\n\n{} ({}, {})\n",
        case.verdict.word(),
        text::markdown(&name),
        text::markdown(&case.title),
        level_word(case.level),
        severity_word(case.severity)
    );
    let mut row = |label: &str, content: &str| {
        if !content.is_empty() {
            let _ = writeln!(out, "- **{label}**: {}", text::markdown(content));
        }
    };
    row("reason", &case.reason);
    if let Some(variant) = variant {
        row("deviation", &variant.deviation);
    }
    row("clause", &refs::display_all(&case.refs));
    row("promise", case.promise.as_deref().unwrap_or(""));
    row("why", &case.why);
    row("fix", &case.fix);
    row("case", &case.source);
    out.push('\n');
    let Some(variant) = variant else { return };
    let rows = exchange::rows(variant, Detail::SHORT);
    if !rows.is_empty() {
        let mut shown = String::from("--- control\n+++ with the deviation\n");
        for row in rows {
            match (row.kind, row.left, row.right) {
                (Kind::Same | Kind::Fresh, Some(_), Some(line)) => {
                    let _ = writeln!(shown, " {line}");
                }
                (_, left, right) => {
                    if let Some(line) = left {
                        let _ = writeln!(shown, "-{line}");
                    }
                    if let Some(line) = right {
                        let _ = writeln!(shown, "+{line}");
                    }
                }
            }
        }
        out.push_str("<details><summary>control and failing exchange</summary>\n\n");
        out.push_str(&text::markdown_fence(&shown, "diff"));
        out.push_str("\n</details>\n\n");
    }
    if let Some(first) = exchange::story(variant).failing.first() {
        out.push_str(&text::markdown_fence(&first.curl, "sh"));
        out.push('\n');
    }
}

fn undecided(out: &mut String, run: &Run) {
    for (verdict, title) in [
        (Verdict::Inconclusive, "Inconclusive"),
        (Verdict::Skipped, "Skipped"),
    ] {
        let mut reasons: BTreeMap<&str, u32> = BTreeMap::new();
        for case in run.cases.iter().filter(|case| case.verdict == verdict) {
            *reasons.entry(&case.reason).or_default() += 1;
        }
        if reasons.is_empty() {
            continue;
        }
        let _ = writeln!(out, "## {title}\n\n| cases | reason |\n|---|---|");
        for (reason, count) in reasons {
            let _ = writeln!(out, "| {count} | {} |", text::markdown(reason));
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::report::markdown::holds;
    use crate::report::sample;

    #[test]
    fn the_one_difference_is_shown_as_a_diff() {
        let shown = String::from_utf8(render(&sample::run()).unwrap()).unwrap();
        assert!(
            shown.contains("\n-  ?redirect_uri=https%3A%2F%2Fapp-a.example%2Fcb\n"),
            "{shown}"
        );
        assert!(
            shown.contains("\n+  ?redirect_uri=https%3A%2F%2Fapp-a.example%2Fcb%2F\n"),
            "{shown}"
        );
        assert!(shown.contains("**4 of 7 decided**"));
    }

    #[test]
    fn texts_made_to_break_out_stay_text() {
        for hostile in sample::HOSTILE {
            holds(hostile);
        }
    }

    proptest::proptest! {
        #[test]
        fn hostile_text_comes_back_as_the_same_text(hostile in proptest::prelude::any::<String>()) {
            holds(&hostile);
        }

        #[test]
        fn text_of_markup_characters_comes_back_as_the_same_text(hostile in "[ a\\*_`~\\[\\]()<>|#!&:\\\\.@=+-]{0,24}") {
            holds(&hostile);
        }
    }
}
