//! What the page shows, and what no server can make it show.

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
