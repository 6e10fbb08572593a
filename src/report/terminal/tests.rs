//! What the terminal report shows, and what no server can make it show.

use proptest::prelude::*;

use super::*;
use crate::fuzzing::report::terminal::{Buffer, commands, holds, shown};
use crate::report::sample;

#[test]
fn a_failure_says_everything_needed_to_mend_it() {
    let shown = shown(
        Look {
            width: 120,
            ..Look::default()
        },
        sample::cases(),
    );
    for part in [
        "redirect.near-miss/trailing-slash",
        "[must, critical]",
        "a code was issued to an address that is not registered",
        "authorize with redirect_uri = \"https://app-a.example/cb/\"",
        "twice (fail)",
        "RFC 9700 §2.1, OAuth 2.1 (draft 16) §4.1.3",
        "Whoever owns the other address receives the code.",
        "Compare the redirect URI byte by byte",
        "?redirect_uri=https%3A%2F%2Fapp-a.example%2Fcb%2F",
        "curl -i 'https://as.example/authorize",
        "suites/redirect.toml:12",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    let differing = shown.lines().filter(|line| line.contains('≠')).count();
    assert_eq!(
        differing, 3,
        "one changed parameter in each of three failures\n{shown}"
    );
}

#[test]
fn a_narrow_terminal_shows_one_after_the_other_and_keeps_to_its_width() {
    let shown = shown(
        Look {
            width: 80,
            ..Look::default()
        },
        sample::cases(),
    );
    assert!(shown.contains("- │"), "{shown}");
    for line in shown
        .lines()
        .filter(|line| line.contains('│') && !line.contains("repeat") && !line.contains("case "))
    {
        assert!(text::width(line) <= 80, "{line}");
    }
}

#[test]
fn little_decided_never_reads_as_success() {
    let mut cases = sample::cases();
    cases.retain(|case| {
        matches!(
            case.verdict,
            Verdict::Pass | Verdict::Skipped | Verdict::Inconclusive
        )
    });
    let buffer = Buffer::default();
    let mut terminal = Terminal::new(Box::new(buffer.clone()), Look::default());
    let end = RunEnd {
        exit_code: 0,
        outcome: "conforms".into(),
        ..sample::end(&cases)
    };
    terminal.event(&Event::End(Box::new(end))).unwrap();
    let shown = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
    assert!(
        shown.contains("1 of 3 decided: little is known about this server"),
        "{shown}"
    );
    assert!(!shown.contains("conforms"), "{shown}");
}

#[test]
fn a_failure_without_a_control_is_one_exchange_and_no_difference() {
    let mut lone = sample::variant("", Verdict::Fail, "authorize succeeded without an iss");
    lone.control.clear();
    lone.deviation = "authorize".into();
    let shown = shown(
        Look::default(),
        vec![sample::case("iss.success", Severity::High, vec![lone])],
    );
    assert!(
        !shown.contains('≠') && !shown.contains("control"),
        "{shown}"
    );
    assert!(shown.contains("step     │ authorize"), "{shown}");
    // What the step says already is not said again.
    assert!(
        shown.contains("result   │ succeeded without an iss"),
        "{shown}"
    );
}

#[test]
fn the_end_of_a_run_names_its_failures_once_more() {
    let shown = shown(Look::default(), sample::cases());
    let (_, end) = shown.rsplit_once("Left behind").unwrap();
    for id in ["redirect.near-miss", "token.response-shape", "dcr.created"] {
        assert!(end.contains(id), "{end}");
    }
    assert!(end.lines().count() < 12, "{end}");
}

#[test]
fn what_is_skipped_is_said_once_a_reason() {
    let skipped: Vec<CaseReport> = (0..5)
        .map(|n| {
            sample::case(
                &format!("rar.x{n}"),
                Severity::Low,
                vec![sample::variant("", Verdict::Skipped, "needs rar")],
            )
        })
        .collect();
    let shown = shown(Look::default(), skipped);
    assert!(shown.contains("5 × needs rar"), "{shown}");
    assert_eq!(shown.matches("needs rar").count(), 1);
}

#[test]
fn a_waived_failure_is_listed_apart_and_annotates_nothing() {
    let mut case = sample::cases().remove(1);
    case.waived = Some("known since spring".into());
    let shown = shown(
        Look {
            annotations: true,
            ..Look::default()
        },
        vec![case],
    );
    assert!(shown.contains("because known since spring"), "{shown}");
    assert!(shown.contains("1 of them waived"), "{shown}");
    assert!(
        !shown.contains("━━ fail") && commands(&shown).is_empty(),
        "{shown}"
    );
}

#[test]
fn quiet_keeps_failures_and_the_summary() {
    let shown = shown(
        Look {
            quiet: true,
            ..Look::default()
        },
        sample::cases(),
    );
    assert!(!shown.contains("authz.state-echo"));
    assert!(shown.contains("redirect.near-miss/trailing-slash"));
    assert!(shown.contains("4 of 7 decided"));
}

#[test]
fn without_colour_there_is_not_one_escape_character() {
    assert!(!shown(Look::default(), sample::cases()).contains('\u{1b}'));
    assert!(
        shown(
            Look {
                colour: true,
                ..Look::default()
            },
            sample::cases()
        )
        .contains('\u{1b}')
    );
}

#[test]
fn a_progress_line_is_wiped_before_the_next_line() {
    let shown = shown(
        Look {
            live: true,
            ..Look::default()
        },
        sample::cases(),
    );
    assert!(shown.contains("\r\u{1b}[2K"));
    for line in shown.lines() {
        // What the eye sees is what follows the last wipe.
        let seen = line.rsplit("\u{1b}[2K").next().unwrap_or(line);
        assert!(
            !(seen.contains("fail  ") && seen.contains("/7  ")),
            "{line}"
        );
    }
}

#[test]
fn texts_made_to_break_out_stay_text() {
    for hostile in sample::HOSTILE {
        holds(hostile, 120);
        holds(hostile, 80);
    }
}

proptest! {
    #[test]
    fn no_text_starts_a_workflow_command_or_moves_the_cursor(hostile in any::<String>(), wide in any::<bool>()) {
        holds(&hostile, if wide { 130 } else { 70 });
    }
}
