//! The HTML report: one self-contained page that needs no network and forbids it (a strict Content
//! Security Policy pins the page's own style and script by hash).
//!
//! Everything readable is there without scripts; the script only filters. Details are closed and
//! `content-visibility` lets a browser skip what is not seen, so that ten thousand exchanges stay usable.

mod diagram;
mod failure;

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::event::{CaseReport, Severity, Summary, Verdict};

use super::{Run, decided_little, decided_words, outcome_words, severity_word, text};
use failure::{anchor, entry, failure};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The verdicts in the order of the page: what is wrong stands beside what is right.
const ORDER: [Verdict; 6] = [
    Verdict::Pass,
    Verdict::Fail,
    Verdict::Error,
    Verdict::Warn,
    Verdict::Inconclusive,
    Verdict::Skipped,
];

/// The run as one HTML page.
pub fn render(run: &Run) -> io::Result<Vec<u8>> {
    Ok(page(run).into_string().into_bytes())
}

fn hash(content: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content.as_bytes());
    format!("'sha256-{}'", STANDARD.encode(digest.as_ref()))
}

fn policy() -> String {
    format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

fn page(run: &Run) -> Markup {
    let troubles: Vec<&CaseReport> = run.troubles().into_iter().chain(run.waived()).collect();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { "oauthspec: " (line(&run.start.target)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a .skip href="#failures" { "Skip to the failures" }
                (head(run))
                main {
                    div .overview {
                        section aria-labelledby="areas" { (matrix(run)) }
                        @if !run.end.policy.is_empty() { section aria-labelledby="policy" { (readout(run)) } }
                    }
                    (leftovers(run))
                    (promised(run))
                    (filter(run))
                    h2 #failures tabindex="-1" { "Failures and warnings" }
                    @if troubles.is_empty() {
                        p { "None among the cases that were decided." }
                    }
                    @if troubles.len() > 1 { (contents(&troubles)) }
                    @for case in &troubles { (failure(case)) }
                    section #all aria-labelledby="all-cases" {
                        h2 #all-cases tabindex="-1" { "All cases" }
                        @for case in &run.cases { (entry(case)) }
                    }
                }
                footer {
                    p { "Keys: / search, j and k next and previous failure, Escape clear. " (run.about_secrets()) "." }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

fn line(content: &str) -> String {
    text::line(content)
}

fn count(summary: &Summary, verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Pass => summary.pass,
        Verdict::Fail => summary.fail,
        Verdict::Warn => summary.warn,
        Verdict::Inconclusive => summary.inconclusive,
        Verdict::Skipped => summary.skipped,
        Verdict::Error => summary.error,
    }
}

/// `2026-11-21T03:04:05.123Z` as `2026-11-21 03:04:05 UTC`; anything else as it is.
fn moment(started_at: &str) -> String {
    match (started_at.split_once('T'), started_at.ends_with('Z')) {
        (Some((day, time)), true) => {
            let time = time.split(['.', 'Z']).next().unwrap_or(time);
            line(&format!("{day} {time} UTC"))
        }
        _ => line(started_at),
    }
}

fn head(run: &Run) -> Markup {
    let (start, end) = (&run.start, &run.end);
    let little = decided_little(&end.summary);
    let tone = match end.exit_code {
        0 if little => "outcome little",
        0 => "outcome good",
        4 => "outcome little",
        _ => "outcome bad",
    };
    html! {
        header {
            h1 { "OAuth conformance of " (line(&start.target)) }
            p class=(tone) {
                b { (line(outcome_words(end))) } " — " (decided_words(&end.summary))
                @if little { ": little is known about this server" }
                " " span .count { "(exit code " (end.exit_code) ")" }
            }
            (bar(&end.summary))
            @if let Some(why) = &end.interrupted { p .fail { "The run ended early: " (line(why)) } }
            @for problem in &end.problems { p .error { "Problem: " (line(problem)) } }
            div .facts {
                span { "profiles " b { (line(&start.profiles.join(", "))) } }
                span { "started " b { (moment(&start.started_at)) } }
                span { "took " b { (format!("{:.1} s", end.duration_ms as f64 / 1000.0)) } }
                span { "requests " b { (end.requests) } }
                span { "seed " b { (start.seed) } }
                span { (line(&start.tool)) }
            }
        }
    }
}

/// The shares of the verdicts, as a picture and in words.
fn bar(summary: &Summary) -> Markup {
    let total = summary.total().max(1);
    let mut x = 0;
    let parts: Vec<(Verdict, u32, u32)> = ORDER
        .into_iter()
        .map(|verdict| {
            // What is there at all is seen.
            let least = u32::from(count(summary, verdict) > 0) * 4;
            let width = (count(summary, verdict) * 1000 / total).max(least);
            let part = (verdict, x, width);
            x += width;
            part
        })
        .collect();
    html! {
        svg .bar viewBox=(format!("0 0 {} 10", x.max(1))) preserveAspectRatio="none" aria-hidden="true" {
            @for (verdict, x, width) in parts {
                @if width > 0 { rect class=(verdict.word()) x=(x) y="0" width=(width) height="10" {} }
            }
        }
        ul .legend aria-label="Cases by verdict" {
            @for verdict in ORDER {
                @if count(summary, verdict) > 0 {
                    li class=(verdict.word()) { b { (count(summary, verdict)) } " " (verdict.word()) }
                }
            }
        }
    }
}

fn matrix(run: &Run) -> Markup {
    let none = |verdict| count(&run.end.summary, verdict) == 0;
    html! {
        h2 #areas { "Areas" }
        div .wide { table .matrix {
            thead { tr {
                th scope="col" { "area" }
                @for verdict in ORDER { th scope="col" .zero[none(verdict)] { span class=(verdict.word()) { (verdict.word()) } } }
                th scope="col" { "cases" }
            } }
            tbody {
                @for (suite, cases) in run.suites() {
                    tr {
                        th scope="row" { (line(suite)) }
                        @for verdict in ORDER {
                            @let number = cases.iter().filter(|case| case.verdict == verdict).count();
                            td .zero[none(verdict)] {
                                @if number == 0 { span .none aria-hidden="true" { "·" } }
                                @else {
                                    button type="button" class=(verdict.word()) data-pick=(verdict.word()) data-suite=(line(suite))
                                        aria-label=(format!("{number} {} in {}", verdict.word(), line(suite))) { (number) }
                                }
                            }
                        }
                        td { (cases.len()) }
                    }
                }
            }
            tfoot { tr {
                th scope="row" { "all" }
                @for verdict in ORDER { td .zero[none(verdict)] { (count(&run.end.summary, verdict)) } }
                td { (run.end.summary.total()) }
            } }
        } }
    }
}

/// What services promise, apart from conformance.
fn promised(run: &Run) -> Markup {
    html! {
        @for (service, cases) in run.promises() {
            h2 { "Promises of " (line(service)) }
            p { (super::promises_words(&cases)) }
            table .promises {
                thead .unseen { tr { th scope="col" { "verdict" } th scope="col" { "promise" } th scope="col" { "case" } } }
                tbody {
                    @for case in cases {
                        tr {
                            td { span class=(format!("word {}", case.verdict.word())) { (case.verdict.word()) } }
                            td { (line(case.promise.as_deref().unwrap_or_default())) }
                            td { code { (line(&case.id)) } }
                        }
                    }
                }
            }
        }
    }
}

fn readout(run: &Run) -> Markup {
    html! {
        h2 #policy { "Policy seen" }
        table .policy { tbody {
            @for policy in &run.end.policy {
                tr { th scope="row" { (line(&policy.topic)) } td { (line(&policy.observed)) } }
            }
        } }
    }
}

fn leftovers(run: &Run) -> Markup {
    html! {
        @if !run.end.leftovers.is_empty() {
            h2 { "Left behind at the target" }
            p { "This could not be removed; remove it by hand." }
            ul { @for leftover in &run.end.leftovers { li { (line(leftover)) } } }
        }
    }
}

fn filter(run: &Run) -> Markup {
    html! {
        div .filter role="search" {
            input #search type="search" placeholder="Search id, title, reason ( / )" aria-label="Search id, title, reason";
            fieldset {
                legend .unseen { "Verdicts" }
                @for verdict in ORDER {
                    @if count(&run.end.summary, verdict) > 0 {
                        label class=(verdict.word()) {
                            input type="checkbox" checked data-verdict=(verdict.word()); " " (verdict.word())
                        }
                    }
                }
            }
            select #severity aria-label="Severity" {
                option value="" { "any severity" }
                @for severity in [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Cosmetic] {
                    option { (severity_word(severity)) }
                }
            }
            select #suite aria-label="Area" {
                option value="" { "any area" }
                @for (suite, _) in run.suites() { option value=(line(suite)) { (line(suite)) } }
            }
            button #reset type="button" { "Reset" }
            span #count .count role="status" {}
        }
    }
}

/// The failures in one line each, the costliest first.
fn contents(troubles: &[&CaseReport]) -> Markup {
    html! {
        nav aria-label="Failures and warnings" {
            table .contents {
                thead .unseen { tr { th scope="col" { "verdict" } th scope="col" { "severity" } th scope="col" { "case" } } }
                tbody {
                    @for case in troubles {
                        tr data-case=(line(&case.id)) data-verdict=(case.verdict.word()) data-severity=(severity_word(case.severity)) data-suite=(line(&case.suite)) {
                            td { span class=(format!("word {}", case.verdict.word())) { (case.verdict.word()) } }
                            td { (severity_word(case.severity)) @if case.waived.is_some() { ", waived" } }
                            td data-text { a href=(format!("#{}", anchor(case))) { (line(&case.id)) } " " (line(&case.title)) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
