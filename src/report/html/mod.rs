//! The HTML report: one self-contained page that needs no network and forbids it (a strict Content
//! Security Policy pins the page's own style and script by hash).
//!
//! Everything readable is there without scripts; the script only filters. Details are closed and
//! `content-visibility` lets a browser skip what is not seen, so that ten thousand exchanges stay usable.

mod diagram;

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::event::{CaseReport, Exchange, Severity, Summary, VariantReport, Verdict};
use crate::suite::refs;

use super::exchange::{self, Detail, Kind};
use super::{
    Run, decided_little, decided_words, full_name, level_word, outcome_words, severity_word, text,
    worst,
};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

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
                    (matrix(run))
                    (promised(run))
                    (readout(run))
                    (filter(run))
                    h2 #failures { "Failures and warnings" }
                    @if troubles.is_empty() {
                        p { "None among the cases that were decided." }
                    }
                    @for case in &troubles { (failure(case)) }
                    section #all aria-label="All cases" {
                        h2 { "All cases " span #count .count aria-live="polite" {} }
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
            div .facts {
                span { "profiles " b { (line(&start.profiles.join(", "))) } }
                span { "started " b { (line(&start.started_at)) } }
                span { "took " b { (format!("{:.1} s", end.duration_ms as f64 / 1000.0)) } }
                span { "requests " b { (end.requests) } }
                span { "seed " b { (start.seed) } }
                span { (line(&start.tool)) }
            }
            p class=(tone) {
                b { (line(outcome_words(end))) } " — " (decided_words(&end.summary))
                @if little { ": little is known about this server" }
                " " span .count { "(exit code " (end.exit_code) ")" }
            }
            (bar(&end.summary))
            @if let Some(why) = &end.interrupted { p .fail { "The run ended early: " (line(why)) } }
            @for problem in &end.problems { p .error { "Problem: " (line(problem)) } }
        }
    }
}

fn bar(summary: &Summary) -> Markup {
    let total = summary.total().max(1);
    let order = [
        Verdict::Pass,
        Verdict::Warn,
        Verdict::Fail,
        Verdict::Error,
        Verdict::Inconclusive,
        Verdict::Skipped,
    ];
    let mut x = 0;
    let parts: Vec<(Verdict, u32, u32)> = order
        .into_iter()
        .map(|verdict| {
            let width = count(summary, verdict) * 1000 / total;
            let part = (verdict, x, width);
            x += width;
            part
        })
        .collect();
    html! {
        svg .bar viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" {
            title { @for verdict in order { (count(summary, verdict)) " " (verdict.word()) " " } }
            @for (verdict, x, width) in parts {
                @if width > 0 { rect class=(verdict.word()) x=(x) y="0" width=(width) height="10" {} }
            }
        }
    }
}

fn matrix(run: &Run) -> Markup {
    html! {
        h2 { "Areas" }
        div .wide { table .matrix {
            thead { tr {
                th scope="col" { "area" }
                @for verdict in Verdict::ALL { th scope="col" class=(verdict.word()) { (verdict.word()) } }
                th scope="col" { "cases" }
            } }
            tbody {
                @for (suite, cases) in run.suites() {
                    tr {
                        th scope="row" { (line(suite)) }
                        @for verdict in Verdict::ALL {
                            @let number = cases.iter().filter(|case| case.verdict == verdict).count();
                            td {
                                @if number == 0 { span .none { "·" } }
                                @else {
                                    button type="button" class=(verdict.word()) data-pick=(verdict.word()) data-suite=(line(suite))
                                        aria-label=(format!("{number} {} in {}", verdict.word(), line(suite))) { (number) }
                                }
                            }
                        }
                        td { (cases.len()) }
                    }
                }
                tr {
                    th scope="row" { "all" }
                    @for verdict in Verdict::ALL { td class=(verdict.word()) { (count(&run.end.summary, verdict)) } }
                    td { (run.end.summary.total()) }
                }
            }
        } }
    }
}

/// What services promise, apart from conformance.
fn promised(run: &Run) -> Markup {
    html! {
        @for (service, cases) in run.promises() {
            h2 { "Promises of " (line(service)) }
            p { (super::promises_words(&cases)) }
            table .promises { tbody {
                @for case in cases {
                    tr {
                        td { span class=(format!("word {}", case.verdict.word())) { (case.verdict.word()) } }
                        td { (line(case.promise.as_deref().unwrap_or_default())) }
                        td { code { (line(&case.id)) } }
                    }
                }
            } }
        }
    }
}

fn readout(run: &Run) -> Markup {
    html! {
        @if !run.end.policy.is_empty() {
            h2 { "Policy seen" }
            table .policy { tbody {
                @for policy in &run.end.policy {
                    tr { th scope="row" { (line(&policy.topic)) } td { (line(&policy.observed)) } }
                }
            } }
        }
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
            input #search type="search" placeholder="Search id, title, reason ( / )" aria-label="Search";
            @for verdict in Verdict::ALL {
                @if count(&run.end.summary, verdict) > 0 {
                    label class=(verdict.word()) {
                        input type="checkbox" checked data-verdict=(verdict.word()); " " (verdict.word())
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
        }
    }
}

fn clauses(references: &[String]) -> Markup {
    html! {
        @for (index, reference) in references.iter().enumerate() {
            @if index > 0 { ", " }
            @if let Some(address) = refs::address(reference) {
                a href=(address) rel="noreferrer noopener" { (line(&refs::display(reference))) }
            } @else { (line(&refs::display(reference))) }
        }
    }
}

fn failure(case: &CaseReport) -> Markup {
    let variant = worst(case);
    let name = variant.map_or_else(|| case.id.clone(), |variant| full_name(case, variant));
    html! {
        section class=(format!("failure v-{}", case.verdict.word())) tabindex="-1" data-case=(line(&case.id))
            data-verdict=(case.verdict.word()) data-severity=(severity_word(case.severity)) data-suite=(line(&case.suite)) {
            div .heading {
                span class=(format!("word {}", case.verdict.word())) { (case.verdict.word()) }
                h3 { (line(&name)) }
                span .tag { (level_word(case.level)) }
                span class=(format!("tag {}", severity_word(case.severity))) { (severity_word(case.severity)) }
                @if case.waived.is_some() { span .tag { "waived" } }
                @if case.promise.is_some() { span .tag { "service promise" } }
            }
            p data-text { (line(&case.title)) }
            dl {
                dt { "Reason" } dd { (line(&case.reason)) }
                @if let Some(waived) = &case.waived { dt { "Waived" } dd { (line(waived)) } }
                @if let Some(variant) = variant {
                    @if !variant.deviation.is_empty() { dt { "The one deviation" } dd { code { (line(&variant.deviation)) } } }
                }
                dt { "Clause" } dd { (clauses(&case.refs)) }
                @if let Some(promise) = &case.promise { dt { "Promise" } dd { (line(promise)) } }
                dt { "Why it matters" } dd { (line(&case.why)) }
                dt { "How to mend it" } dd { (line(&case.fix)) }
                dt { "Case" } dd { code { (line(&case.source)) } }
            }
            @if let Some(variant) = variant {
                @if !variant.evidence.is_empty() {
                    h4 { "Flow" }
                    (diagram::sequence(variant))
                }
                (beside(variant))
                (curl(variant))
            }
            (variants(case))
        }
    }
}

fn beside(variant: &VariantReport) -> Markup {
    let rows = exchange::rows(variant, Detail::FULL);
    html! {
        @if !rows.is_empty() {
            h4 { "Control and failing exchange" }
            table .beside {
                thead { tr { th scope="col" { "control" } th scope="col" { "with the deviation" } } }
                tbody {
                    @for row in rows {
                        tr .differs[row.kind == Kind::Differs] .fresh[row.kind == Kind::Fresh] {
                            td { (row.left.as_deref().unwrap_or("")) }
                            td { (row.right.as_deref().unwrap_or("")) }
                        }
                    }
                }
            }
        }
    }
}

fn curl(variant: &VariantReport) -> Markup {
    html! {
        @if let Some(first) = exchange::story(variant).failing.first() {
            h4 { "Repeat it" }
            pre { code { (line(&first.curl)) } }
        }
    }
}

fn variants(case: &CaseReport) -> Markup {
    html! {
        @if case.variants.len() > 1 {
            h4 { "Variants" }
            table { tbody {
                @for variant in &case.variants {
                    tr {
                        td { span class=(format!("word {}", variant.verdict.word())) { (variant.verdict.word()) } }
                        td { (line(&variant.name)) }
                        td { (line(&variant.reason)) }
                    }
                }
            } }
        }
    }
}

/// A case in the list of all: closed, with every exchange inside.
fn entry(case: &CaseReport) -> Markup {
    html! {
        details .case data-case=(line(&case.id)) data-verdict=(case.verdict.word())
            data-severity=(severity_word(case.severity)) data-suite=(line(&case.suite)) {
            summary data-text {
                span class=(format!("word {}", case.verdict.word())) { (case.verdict.word()) }
                b { (line(&case.id)) } " " (line(&case.title))
                @if !case.reason.is_empty() { " " span .count { (line(&case.reason)) } }
            }
            div {
                dl {
                    dt { "Clause" } dd { (clauses(&case.refs)) }
                    dt { "Why" } dd { (line(&case.why)) }
                    dt { "Case" } dd { code { (line(&case.source)) } ", " (case.duration_ms) " ms" }
                }
                (variants(case))
                @for (index, variant) in case.variants.iter().enumerate() {
                    @let before = index.checked_sub(1).and_then(|before| case.variants.get(before));
                    (exchanges(case, variant, before))
                }
            }
        }
    }
}

/// The exchanges of a variant; a control it shares with the variant before is not shown again.
fn exchanges(case: &CaseReport, variant: &VariantReport, before: Option<&VariantReport>) -> Markup {
    let shared = before.is_some_and(|before| before.control == variant.control);
    let control: &[Exchange] = if shared { &[] } else { &variant.control };
    html! {
        div .exchanges {
            @for (flow, list) in [("control", control), ("with the deviation", variant.evidence.as_slice())] {
                @if !list.is_empty() {
                    h4 { (line(&full_name(case, variant))) ", " (flow) }
                    @for one in list {
                        details .exchange {
                            summary {
                                (line(&one.step)) ": " code { (text::cut(&line(&format!("{} {}", one.method, one.url)), 120)) }
                                " → " @if let Some(status) = one.status { (status) } @else { "no answer" }
                                " " span .count { (format!("{:.1} ms", one.duration_us as f64 / 1000.0)) }
                            }
                            pre { @for shown in exchange::lines(one, Detail::FULL) { (shown) "\n" } }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use scraper::{Html, Selector};

    use super::*;
    use crate::fuzzing::report::html::{holds, read, skeleton, texts};
    use crate::report::sample;

    #[test]
    fn each_failure_is_a_section_with_everything_needed_to_mend_it() {
        let page = read(&sample::run());
        assert_eq!(
            texts(&page, "section.failure h3")[0],
            "redirect.near-miss/trailing-slash"
        );
        let first = &texts(&page, "section.failure")[0];
        for part in [
            "a code was issued to an address that is not registered",
            "RFC 9700 §2.1",
            "Compare the redirect URI byte by byte",
            "curl -i",
            "suites/redirect.toml:12",
            "≠ GET /authorize",
        ] {
            assert!(first.contains(part), "{part}");
        }
        let differing = texts(&page, "section.failure:first-of-type tr.differs td");
        assert!(
            differing.iter().any(|cell| cell.contains("%2Fcb%2F")),
            "{differing:?}"
        );
        assert_eq!(texts(&page, "details.case").len(), sample::cases().len());
    }

    #[test]
    fn the_matrix_counts_every_case_once() {
        let page = read(&sample::run());
        let sum: usize = texts(&page, ".matrix button")
            .iter()
            .map(|number| number.trim().parse::<usize>().unwrap())
            .sum();
        assert_eq!(sum, sample::cases().len());
    }

    #[test]
    fn the_page_loads_nothing_and_runs_only_its_own_script() {
        let bytes = String::from_utf8(render(&sample::run()).unwrap()).unwrap();
        let page = Html::parse_document(&bytes);
        let policy = page
            .select(&Selector::parse("meta[http-equiv]").unwrap())
            .next()
            .and_then(|meta| meta.value().attr("content"))
            .unwrap()
            .to_owned();
        assert!(policy.starts_with("default-src 'none'"));
        for name in ["style", "script"] {
            let content = texts(&page, name);
            assert_eq!(content.len(), 1);
            assert!(
                policy.contains(&hash(&content[0])),
                "the policy pins the {name}"
            );
        }
        for selector in [
            "[src]",
            "link",
            "iframe",
            "object",
            "form",
            "[style]",
            "[onclick]",
            "[onload]",
        ] {
            assert!(texts(&page, selector).is_empty(), "{selector}");
        }
    }

    #[test]
    fn little_decided_is_not_painted_as_success() {
        let mut run = sample::run_of(vec![
            sample::case(
                "a.a",
                Severity::Low,
                vec![sample::variant("", Verdict::Pass, "ok")],
            ),
            sample::case(
                "a.b",
                Severity::Low,
                vec![sample::variant("", Verdict::Skipped, "no")],
            ),
            sample::case(
                "a.c",
                Severity::Low,
                vec![sample::variant("", Verdict::Skipped, "no")],
            ),
        ]);
        run.end.exit_code = 0;
        let page = read(&run);
        assert!(texts(&page, ".outcome.good").is_empty());
        assert!(texts(&page, ".outcome.little")[0].contains("1 of 3 decided"));
    }

    #[test]
    fn texts_made_to_break_out_stay_text() {
        for hostile in sample::HOSTILE {
            holds(hostile);
        }
        let plain = skeleton(&read(&sample::run_of(vec![sample::hostile_case("x")])));
        let tags = skeleton(&read(&sample::run_of(vec![sample::hostile_case(
            "<b><script>alert(1)</script><p>",
        )])));
        assert_eq!(plain, tags);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn hostile_text_comes_back_as_the_same_text(text in any::<String>()) {
            holds(&text);
        }
    }

    #[test]
    fn ten_thousand_exchanges_are_closed_and_bounded() {
        let cases: Vec<CaseReport> = (0..2500)
            .map(|n| {
                sample::case(
                    &format!("s{}.c{n}", n % 20),
                    Severity::Low,
                    vec![sample::variant("", Verdict::Pass, "ok")],
                )
            })
            .collect();
        let run = sample::run_of(cases);
        let bytes = render(&run).unwrap();
        assert!(bytes.len() < 20 * 1024 * 1024, "{}", bytes.len());
        let page = String::from_utf8(bytes).unwrap();
        assert_eq!(page.matches("<details class=\"exchange\">").count(), 7500);
        assert!(!page.contains("<details open"));
        assert!(STYLE.contains("content-visibility: auto"));
    }
}
