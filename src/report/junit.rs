//! JUnit XML: a suite for every suite file, a test for every case.
//!
//! JUnit knows four outcomes. A warning is a success that says so in its output; what could not be
//! decided is skipped with the verdict as the first word of its message.

use std::io;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::event::{CaseReport, Verdict};
use crate::suite::refs;

use super::{Run, decided_words, exchange, full_name, level_word, severity_word, text, worst};

/// The run as JUnit XML.
pub fn render(run: &Run) -> io::Result<Vec<u8>> {
    let mut report = Report::new("oauthspec");
    report.set_time(Duration::from_millis(run.end.duration_ms));
    for (name, cases) in run.suites() {
        let mut suite = TestSuite::new(text::line(name));
        suite.add_property(property("target", text::line(&run.start.target)));
        suite.add_property(property(
            "profiles",
            text::line(&run.start.profiles.join(" ")),
        ));
        suite.add_property(property("started_at", text::line(&run.start.started_at)));
        suite.add_property(property("seed", run.start.seed.to_string()));
        suite.add_property(property("outcome", text::line(&run.end.outcome)));
        suite.add_property(property("decided", decided_words(&run.end.summary)));
        suite.set_time(Duration::from_millis(
            cases.iter().map(|case| case.duration_ms).sum(),
        ));
        suite.add_test_cases(cases.into_iter().map(test_case));
        report.add_test_suite(suite);
    }
    let mut bytes = Vec::new();
    report.serialize(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

fn test_case(case: &CaseReport) -> TestCase {
    if let Some(waived) = case
        .waived
        .as_ref()
        .filter(|_| case.verdict == Verdict::Fail)
    {
        // A known failure must not turn the pipeline red, and must not look like a success.
        let mut status = TestCaseStatus::skipped();
        status.set_message(text::line(&format!(
            "waived: {waived} (fails: {})",
            case.reason
        )));
        let mut test = TestCase::new(text::line(&case.id), status);
        test.set_classname(text::line(&case.suite));
        return test;
    }
    let message = match case.verdict {
        Verdict::Inconclusive => format!("inconclusive: {}", case.reason),
        _ => case.reason.clone(),
    };
    let mut status = match case.verdict {
        Verdict::Pass | Verdict::Warn => TestCaseStatus::success(),
        Verdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Error => TestCaseStatus::non_success(NonSuccessKind::Error),
        Verdict::Skipped | Verdict::Inconclusive => TestCaseStatus::skipped(),
    };
    if !matches!(case.verdict, Verdict::Pass | Verdict::Warn) {
        status.set_message(text::line(&message));
    }
    if matches!(case.verdict, Verdict::Fail | Verdict::Error) {
        status.set_type(format!(
            "{}-{}",
            level_word(case.level),
            severity_word(case.severity)
        ));
        status.set_description(description(case));
    }
    let mut test = TestCase::new(text::line(&case.id), status);
    test.set_classname(text::line(&case.suite));
    test.set_time(Duration::from_millis(case.duration_ms));
    test.add_property(property("title", text::line(&case.title)));
    test.add_property(property("refs", text::line(&refs::display_all(&case.refs))));
    if let Some(waived) = &case.waived {
        test.add_property(property("waived", text::line(waived)));
    }
    if case.verdict == Verdict::Warn {
        test.set_system_out(text::line(&format!("warn: {}", case.reason)));
    }
    test
}

fn property(name: &str, value: String) -> Property {
    Property::new(name, value)
}

/// What a reader of the CI system's page needs to mend the server.
fn description(case: &CaseReport) -> String {
    let mut lines = vec![text::line(&case.title), text::line(&case.reason)];
    if let Some(variant) = worst(case) {
        lines.push(format!(
            "variant    {}",
            text::line(&full_name(case, variant))
        ));
        lines.push(format!("deviation  {}", text::line(&variant.deviation)));
    }
    lines.push(format!(
        "clause     {}",
        text::line(&refs::display_all(&case.refs))
    ));
    lines.push(format!("why        {}", text::line(&case.why)));
    lines.push(format!("fix        {}", text::line(&case.fix)));
    if let Some(variant) = worst(case) {
        let story = exchange::story(variant);
        for (title, exchanges) in [
            ("control", &story.control),
            ("with the deviation", &story.failing),
        ] {
            for shown in exchanges {
                lines.push(String::new());
                lines.push(format!("{title}:"));
                lines.extend(
                    exchange::lines(shown, exchange::Detail::SHORT)
                        .into_iter()
                        .map(|line| format!("  {line}")),
                );
            }
        }
        if let Some(last) = story.failing.last() {
            lines.push(String::new());
            lines.push(text::line(&last.curl));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fuzzing::report::junit::{attribute, holds, read};
    use crate::report::sample;

    #[test]
    fn every_verdict_has_its_junit_outcome() {
        let elements = read(&render(&sample::run()).unwrap());
        let count = |name: &str| elements.iter().filter(|element| element.0 == name).count();
        assert_eq!(count("testcase"), 7);
        assert_eq!(count("failure"), 2);
        assert_eq!(count("error"), 1);
        assert_eq!(count("skipped"), 2);
        assert_eq!(count("testsuite"), 6);
        let root = elements
            .iter()
            .find(|element| element.0 == "testsuites")
            .unwrap();
        assert_eq!(
            (attribute(root, "failures"), attribute(root, "errors")),
            ("2", "1")
        );
        assert!(
            elements
                .iter()
                .any(|e| e.0 == "skipped" && attribute(e, "message").starts_with("inconclusive: "))
        );
    }

    #[test]
    fn a_waived_failure_is_skipped_with_its_reason() {
        let mut cases = sample::cases();
        cases[1].waived = Some("known since spring".into());
        let elements = read(&render(&sample::run_of(cases)).unwrap());
        assert_eq!(
            elements
                .iter()
                .filter(|element| element.0 == "failure")
                .count(),
            1
        );
        assert!(elements.iter().any(|e| e.0 == "skipped"
            && attribute(e, "message").starts_with("waived: known since spring (fails: ")));
    }

    #[test]
    fn texts_made_to_break_out_stay_text() {
        for text in sample::HOSTILE {
            holds(text);
        }
    }

    proptest! {
        #[test]
        fn hostile_text_comes_back_as_the_same_text(text in any::<String>()) {
            holds(&text);
        }
    }
}
