//! `--resume REPORT`: what an interrupted run has decided, so that this one only does the rest.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::event::{CaseReport, Verdict};
use crate::report::json::{Document, FORMAT_VERSION};
use crate::targets::model::Target;

use super::Failure;

/// The longest report that is read.
const MOST_BYTES: u64 = 256 << 20;

/// The cases of an earlier report that need not run again: those that were decided, and those that
/// did not apply. What was inconclusive or broke on our side gets another chance.
///
/// # Errors
/// No report, not one of this version, or one about another target.
pub(super) fn earlier(path: &Path, target: &Target) -> Result<Vec<CaseReport>, Failure> {
    let problem = |what: String| {
        Failure::usage(format!(
            "{} cannot be resumed: {what}. Run without --resume to begin anew",
            path.display()
        ))
    };
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES).read_to_end(&mut text))
        .map_err(|error| problem(error.to_string()))?;
    let document: Document = serde_json::from_slice(&text)
        .map_err(|error| problem(format!("it is no JSON report of this program ({error})")))?;
    if document.format_version != FORMAT_VERSION {
        return Err(problem(format!(
            "its format_version is {}, not {FORMAT_VERSION}",
            document.format_version
        )));
    }
    let tool = format!("oauthspec {}", env!("CARGO_PKG_VERSION"));
    if document.tool != tool {
        return Err(problem(format!(
            "{} wrote it, and this is {tool}",
            document.tool
        )));
    }
    let label = crate::run::label(target);
    if subject(&document.target) != subject(&label) {
        return Err(problem(format!(
            "it is about {}, not {label}",
            document.target
        )));
    }
    Ok(document
        .cases
        .iter()
        .filter(|case| !matches!(case.verdict, Verdict::Inconclusive | Verdict::Error))
        .map(CaseReport::from)
        .collect())
}

/// What a label is about: the embedded server listens on another port each time.
fn subject(label: &str) -> &str {
    match label.split_once(" (http://127.0.0.1:") {
        Some((name, _)) if name.starts_with("reference") => name,
        _ => label,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use crate::report::{Format, output::write_atomically};

    fn target(name: &str) -> Target {
        let mut target = crate::targets::from_issuer("https://as.example").unwrap();
        target.name = name.to_owned();
        target
    }

    #[test]
    fn what_was_decided_is_taken_over_and_what_was_not_runs_again() {
        let folder = sample::folder("resume");
        let path = folder.join("report.json");
        let mut run = sample::run();
        run.start.tool = format!("oauthspec {}", env!("CARGO_PKG_VERSION"));
        run.start.target = "staging (https://as.example)".into();
        write_atomically(&path, &Format::Json.render(&run).unwrap()).unwrap();
        let taken = earlier(&path, &target("staging")).unwrap();
        let undecided = |verdict| matches!(verdict, Verdict::Inconclusive | Verdict::Error);
        let expected = run
            .cases
            .iter()
            .filter(|case| !undecided(case.verdict))
            .count();
        assert!(expected > 0 && expected < run.cases.len());
        assert_eq!(taken.len(), expected);
        let other = earlier(&path, &target("another")).unwrap_err();
        assert!(
            other.message.contains("it is about staging"),
            "{}",
            other.message
        );
        std::fs::write(&path, "{}").unwrap();
        let wrong = earlier(&path, &target("staging")).unwrap_err();
        assert!(
            wrong.message.contains("no JSON report"),
            "{}",
            wrong.message
        );
        std::fs::remove_dir_all(folder).unwrap();
    }
}
