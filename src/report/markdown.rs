//! Markdown, for a job summary or a comment: the outcome, the failures with their one difference,
//! the policy.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

use crate::event::{CaseReport, Verdict};
use crate::suite::refs;

use super::exchange::{self, Detail, Kind};
use super::{
    Run, decided_words, full_name, level_word, outcome_words, result, severity_word, text, worst,
};

/// The longest comment a forge takes (GitHub: 65,536 characters); a job summary may be longer (1 MiB).
/// Here it counts bytes, which are never fewer.
pub const MOST: usize = 65_536;

/// Characters of one cell or item.
const CELL: usize = 400;

/// A text that stays within [`MOST`] bytes: each part may fill it up to its own limit, so that one with
/// much to say leaves room for those after it.
#[derive(Default)]
pub(super) struct Bounded {
    pub(super) text: String,
}

impl Bounded {
    /// Adds a piece, or says that there is no room for it.
    pub(super) fn add(&mut self, piece: &str, limit: usize) -> bool {
        let fits = self.text.len() + piece.len() <= limit.min(MOST);
        if fits {
            self.text.push_str(piece);
        }
        fits
    }

    /// Adds a heading and as many pieces below it as fit, and says how many do not.
    pub(super) fn part(&mut self, head: &str, pieces: impl Iterator<Item = String>, limit: usize) {
        // For the line that says what is missing.
        let room = limit.saturating_sub(100);
        let mut pieces = pieces.peekable();
        if pieces.peek().is_none() || !self.add(head, room) {
            return;
        }
        let mut left_out = 0;
        for piece in pieces {
            if left_out > 0 || !self.add(&piece, room) {
                left_out += 1;
            }
        }
        if left_out > 0 {
            self.add(
                &format!("\n… and {left_out} more: a report file shows them all\n"),
                limit,
            );
        }
        self.add("\n", limit);
    }
}

/// One line of a table or a list, cut to a length that can be read there.
pub(super) fn cell(content: &str) -> String {
    text::markdown(&text::cut(&text::line(content), CELL))
}

/// The run as Markdown, at most [`MOST`] bytes.
pub fn render(run: &Run) -> io::Result<Vec<u8>> {
    let mut out = Bounded::default();
    let end = &run.end;
    let summary = &end.summary;
    let mut head = format!("# oauthspec: {}\n\n", cell(outcome_words(end)));
    let _ = writeln!(
        head,
        "**{}** of {} ({}): {} requests in {:.1} s, seed {}, {}\n",
        decided_words(summary),
        cell(&run.start.target),
        cell(&run.start.profiles.join(", ")),
        end.requests,
        end.duration_ms as f64 / 1000.0,
        run.start.seed,
        cell(&run.start.tool),
    );
    if let Some(why) = &end.interrupted {
        let _ = writeln!(head, "> **Interrupted**: {}\n", cell(why));
    }
    head.push_str(
        "| pass | fail | warn | inconclusive | skipped | error |\n|---|---|---|---|---|---|\n",
    );
    let _ = writeln!(
        head,
        "| {} | {} | {} | {} | {} | {} |\n",
        summary.pass,
        summary.fail,
        summary.warn,
        summary.inconclusive,
        summary.skipped,
        summary.error
    );
    out.add(&head, MOST);
    let problems = end.problems.iter();
    let problems = problems.map(|problem| format!("- problem: {}\n", cell(problem)));
    out.part("", problems, 6_000);
    let (failures, warnings): (Vec<&CaseReport>, Vec<&CaseReport>) = run
        .troubles()
        .into_iter()
        .partition(|case| case.verdict != Verdict::Warn);
    failed(&mut out, &failures);
    out.part(
        "## Warnings\n\n| case | reason | clause |\n|---|---|---|\n",
        warnings.iter().map(|case| {
            let clauses = refs::display_all(&case.refs);
            row(&[&case.id, &case.reason, &clauses])
        }),
        50_000,
    );
    let waived = run.waived();
    out.part(
        "## Waived\n\n| case | reason | waiver |\n|---|---|---|\n",
        waived.iter().map(|case| {
            let waiver = case.waived.as_deref().unwrap_or_default();
            row(&[&case.id, &case.reason, waiver])
        }),
        54_000,
    );
    for (service, cases) in run.promises() {
        let head = format!(
            "## Promises of {}\n\n{}\n\n| promise | verdict | case |\n|---|---|---|\n",
            cell(service),
            super::promises_words(&cases)
        );
        let rows = cases.iter().map(|case| {
            let promise = case.promise.as_deref().unwrap_or_default();
            row(&[promise, case.verdict.word(), &case.id])
        });
        out.part(&head, rows, 58_000);
    }
    undecided(&mut out, run);
    out.part(
        "## Policy seen\n\n| topic | observed |\n|---|---|\n",
        (end.policy.iter()).map(|line| row(&[&line.topic, &line.observed])),
        64_000,
    );
    let leftovers = end.leftovers.iter();
    out.part(
        "## Left behind at the target\n\n",
        leftovers.map(|leftover| format!("- {}\n", cell(leftover))),
        MOST,
    );
    Ok(out.text.into_bytes())
}

pub(super) fn row(cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|content| cell(content)).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// The failures in full as long as there is room for it, then in a line each.
fn failed(out: &mut Bounded, failures: &[&CaseReport]) {
    let mut shown = 0;
    if !failures.is_empty() {
        out.add("## Failures\n\n", MOST);
    }
    for case in failures {
        let mut piece = String::new();
        failure(&mut piece, case);
        if !out.add(&piece, 36_000) {
            break;
        }
        shown += 1;
    }
    let others = failures.iter().skip(shown);
    let lines = others.map(|case| format!("- {}: {}\n", cell(&case.id), cell(&case.reason)));
    out.part("", lines, 46_000);
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
    match variant {
        Some(variant) if variant.control.is_empty() => row("step", &variant.deviation),
        Some(variant) => row("deviation", &variant.deviation),
        None => {}
    }
    row("result", variant.map_or(case.reason.as_str(), result));
    row("clause", &refs::display_all(&case.refs));
    row("promise", case.promise.as_deref().unwrap_or(""));
    row("why", &case.why);
    row("fix", &case.fix);
    row("case", &case.source);
    out.push('\n');
    let Some(variant) = variant else { return };
    let rows = exchange::rows(variant, Detail::SHORT);
    if !rows.is_empty() {
        let (mut shown, title) = if variant.control.is_empty() {
            (String::new(), "the exchange")
        } else {
            let head = String::from("--- control\n+++ with the deviation\n");
            (head, "control and failing exchange")
        };
        for row in rows {
            match (row.kind, row.left, row.right) {
                (Kind::Same | Kind::Fresh, _, Some(line)) => {
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
        let _ = writeln!(out, "<details><summary>{title}</summary>\n");
        out.push_str(&text::markdown_fence(&shown, "diff"));
        out.push_str("\n</details>\n\n");
    }
    if let Some(first) = exchange::story(variant).failing.first() {
        out.push_str(&text::markdown_fence(&first.curl, "sh"));
        out.push('\n');
    }
}

fn undecided(out: &mut Bounded, run: &Run) {
    for (verdict, title, limit) in [
        (Verdict::Inconclusive, "Inconclusive", 60_000),
        (Verdict::Skipped, "Skipped", 61_500),
    ] {
        let mut reasons: BTreeMap<&str, u32> = BTreeMap::new();
        for case in run.cases.iter().filter(|case| case.verdict == verdict) {
            *reasons.entry(&case.reason).or_default() += 1;
        }
        out.part(
            &format!("## {title}\n\n| cases | reason |\n|---|---|\n"),
            reasons
                .into_iter()
                .map(|(reason, count)| row(&[&count.to_string(), reason])),
            limit,
        );
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
    fn a_run_in_which_everything_fails_fits_a_comment() {
        let cases = (0..800).map(|number| {
            let reason = format!("{} [a](b) `x`", "lang | ".repeat(400));
            let mut case = sample::hostile_case(&reason);
            case.id = format!("redirect.c{number}");
            case
        });
        let cases: Vec<_> = cases
            .chain((0..300).map(|number| {
                let verdict = [Verdict::Warn, Verdict::Skipped, Verdict::Inconclusive][number % 3];
                let reason = format!("{number} {}", "because ".repeat(300));
                sample::case(
                    &format!("token.c{number}"),
                    crate::event::Severity::Low,
                    vec![sample::variant("", verdict, &reason)],
                )
            }))
            .collect();
        let mut run = sample::run_of(cases);
        run.end.problems = vec!["problem ".repeat(300); 300];
        run.end.leftovers = vec!["leftover ".repeat(300); 300];
        run.end.policy = vec![run.end.policy[0].clone(); 300];
        let shown = String::from_utf8(render(&run).unwrap()).unwrap();
        assert!(shown.len() <= MOST, "{}", shown.len());
        for part in [
            "## Failures",
            "more: a report file shows them all",
            "## Warnings",
            "## Promises of",
            "## Skipped",
            "## Policy seen",
            "## Left behind",
        ] {
            assert!(shown.contains(part), "{part}");
        }
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
