//! A badge: one small SVG with the outcome, for a README. It is green only when the server conforms
//! and most of the cases were decided.

use std::io;

use maud::{PreEscaped, html};

use super::{Run, decided_little};

/// The run as a badge.
pub fn render(run: &Run) -> io::Result<Vec<u8>> {
    let summary = &run.end.summary;
    let little = decided_little(summary);
    let (words, colour) = match run.end.exit_code {
        0 if little => (
            format!("{} of {} decided", summary.decided(), summary.total()),
            "#8a6d00",
        ),
        0 => (
            format!("conforms, {} of {}", summary.pass, summary.total()),
            "#1a7f37",
        ),
        1 if summary.fail == 0 => ("does not pass".to_owned(), "#b42318"),
        1 => (
            format!("{} failed of {} decided", summary.fail, summary.decided()),
            "#b42318",
        ),
        4 => ("nothing decided".to_owned(), "#8a6d00"),
        _ => ("no result".to_owned(), "#57606a"),
    };
    let label = "oauthspec";
    let width = |text: &str| text.chars().count() * 7 + 12;
    let (left, right) = (width(label), width(&words));
    let whole = left + right;
    let text = |x: usize, length: usize, words: &str| {
        html! { text x=(x) y="14" textLength=(length) lengthAdjust="spacingAndGlyphs" { (words) } }
    };
    let svg = html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
        svg xmlns="http://www.w3.org/2000/svg" width=(whole) height="20" role="img" aria-label=(format!("{label}: {words}")) {
            title { (label) ": " (words) }
            rect width=(left) height="20" fill="#24292f" {}
            rect x=(left) width=(right) height="20" fill=(colour) {}
            g fill="#fff" font-family="Verdana, DejaVu Sans, sans-serif" font-size="11" {
                (text(6, left - 12, label))
                (text(left + 6, right - 12, &words))
            }
        }
    };
    let mut bytes = svg.into_string().into_bytes();
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Verdict;
    use crate::report::sample;

    fn badge(exit_code: u8, verdicts: &[Verdict]) -> String {
        let cases = verdicts
            .iter()
            .enumerate()
            .map(|(n, verdict)| {
                sample::case(
                    &format!("x.{n}"),
                    crate::event::Severity::Low,
                    vec![sample::variant("", *verdict, "r")],
                )
            })
            .collect();
        let mut run = sample::run_of(cases);
        run.end.exit_code = exit_code;
        String::from_utf8(render(&run).unwrap()).unwrap()
    }

    #[test]
    fn green_needs_conformance_and_most_cases_decided() {
        use Verdict::{Fail, Pass, Skipped};
        assert!(badge(0, &[Pass, Pass, Skipped]).contains("#1a7f37"));
        for other in [
            badge(0, &[Pass, Skipped, Skipped]),
            badge(1, &[Pass, Fail]),
            badge(4, &[Skipped]),
            badge(2, &[Pass]),
        ] {
            assert!(!other.contains("#1a7f37"), "{other}");
        }
    }

    #[test]
    fn it_is_well_formed() {
        let text = badge(1, &[Verdict::Fail]);
        let mut reader = quick_xml::Reader::from_str(&text);
        while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
        assert!(text.contains("1 failed of 1 decided"));
    }
}
