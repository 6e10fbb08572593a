//! A finding, written as a suite file: the same case for the fuzzer's `replay` and for `run`, red as
//! long as the server is wrong and green when it is mended.

mod steps;
mod words;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::steps::{Step, Steps};
use super::operation::{Credential, Edit, Kind, Operation, Person, Piece, Program, Text};
use super::oracle::{Candidate, Oracle};
use super::play::{Stage, Trace, merged};
use crate::event::{Role, Severity};
use crate::flow::World;
use crate::target::model::Client;

/// What makes two findings the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bucket {
    /// What fired.
    pub oracle: Oracle,
    /// Where.
    pub endpoint: String,
    /// Which parameters were deviated from.
    pub parameter: String,
    /// By which operators.
    pub operator: String,
}

impl Bucket {
    /// The bucket of a (small) operation.
    pub fn of(oracle: Oracle, operation: &Operation) -> Bucket {
        let join = |part: fn(&super::operation::Deviation) -> &str| {
            let mut parts: Vec<&str> = operation.deviations.iter().map(part).collect();
            parts.dedup();
            parts.join("+")
        };
        let mut operator = join(|deviation| &deviation.operator);
        let mut parameter = join(|deviation| &deviation.parameter);
        if operator.is_empty() {
            operator = match (operation.copies > 1, operation.credential, operation.person) {
                (true, ..) => "race",
                (_, Credential::Spent, _) => "spent",
                (_, Credential::Foreign, _) => "foreign",
                (_, Credential::Kind, _) => "other-kind",
                (.., Person::Deny) => "denied",
                (.., Person::Absent) => "nobody",
                _ => "none",
            }
            .into();
            parameter = "request".into();
        }
        Bucket {
            oracle,
            endpoint: operation.kind.endpoint().into(),
            parameter,
            operator,
        }
    }
}

/// A finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// A slug; the file's name and, after `fuzz.`, the case's id.
    pub id: String,
    /// What it is.
    pub bucket: Bucket,
    /// What it costs.
    pub severity: Severity,
    /// What was seen; no secrets.
    pub note: String,
    /// The smallest program, in words.
    pub summary: String,
    /// How often it showed.
    pub hits: usize,
    /// Of so many tries.
    pub of: usize,
    /// Deviations left.
    pub deviations: usize,
    /// Programs tried to make it small.
    pub tries: usize,
    /// When, since the start, it was written down.
    pub after: Duration,
    /// After how many programs.
    pub programs: u64,
    /// The suite file.
    pub text: String,
    /// Where it was written.
    pub path: Option<PathBuf>,
}

impl Finding {
    /// `stable`, or `flaky (2 of 3)`.
    pub fn stability(&self) -> String {
        if self.hits == self.of {
            "stable".into()
        } else {
            format!("flaky ({} of {})", self.hits, self.of)
        }
    }
}

/// What is written down.
pub struct Shown<'f> {
    /// What it is.
    pub bucket: Bucket,
    /// The smallest program.
    pub program: &'f Program,
    /// What was seen.
    pub candidate: &'f Candidate,
    /// The exchanges.
    pub trace: &'f Trace,
    /// How often it showed.
    pub hits: usize,
    /// Of so many tries.
    pub of: usize,
    /// The run's seed.
    pub seed: u64,
    /// Which finding of the run.
    pub number: usize,
}

/// Writes a finding.
pub fn write(stage: &Stage<'_>, shown: &Shown<'_>) -> Finding {
    let oracle = shown.bucket.oracle;
    let id = slug(&format!(
        "{} {} {} {}",
        oracle.name(),
        shown.bucket.endpoint,
        shown.bucket.parameter,
        shown.bucket.operator
    ));
    let mut out = String::new();
    let stability = if shown.hits == shown.of {
        "stable".to_owned()
    } else {
        format!("flaky ({} of {})", shown.hits, shown.of)
    };
    let note = clean(&shown.candidate.note);
    let _ = writeln!(out, "# {}: {note}", oracle.name());
    let _ = writeln!(
        out,
        "# {stability}; seed {}; {}",
        shown.seed,
        describe(shown.program)
    );
    for line in curl_lines(stage.world, shown) {
        let _ = writeln!(out, "# {line}");
    }
    let _ = writeln!(
        out,
        "suite = \"fuzz\"\ntitle = \"A finding of the fuzzer\"\n\n[[case]]"
    );
    let _ = writeln!(out, "id = {}", quote(&id));
    let title = format!(
        "{} ({} at the {} endpoint)",
        oracle.title().trim_end_matches('.'),
        shown.bucket.operator,
        shown.bucket.endpoint
    );
    let _ = writeln!(out, "title = {}", quote(&title));
    let _ = writeln!(
        out,
        "level = \"must\"\nseverity = {}",
        quote(&format!("{:?}", oracle.severity()).to_lowercase())
    );
    let refs: Vec<String> = oracle.refs().iter().map(|one| quote(one)).collect();
    let _ = writeln!(out, "refs = [{}]", refs.join(", "));
    let _ = writeln!(
        out,
        "why = {}\nfix = {}",
        quote(oracle.why()),
        quote(oracle.fix())
    );
    let _ = writeln!(
        out,
        "without_fault = \"a finding belongs to the server where it was made\""
    );
    let mut steps = Steps::new(stage, oracle);
    for (at, operation) in shown.program.operations.iter().enumerate() {
        steps.operation(operation, at == shown.candidate.at);
    }
    if oracle == Oracle::Dead {
        steps.push(Step::new("grant"));
    }
    let (needs, text) = steps.finish();
    if !needs.is_empty() {
        let needs: Vec<String> = needs.iter().map(|need| quote(need)).collect();
        let _ = writeln!(out, "needs = [{}]", needs.join(", "));
    }
    out.push_str(&text);
    // By construction nothing secret is in a case; should it be all the same, it is masked.
    let text = stage.world.secrets.redact(&out);
    Finding {
        id,
        severity: oracle.severity(),
        bucket: shown.bucket.clone(),
        note,
        summary: describe(shown.program),
        hits: shown.hits,
        of: shown.of,
        deviations: shown.program.deviations(),
        tries: 0,
        after: Duration::ZERO,
        programs: 0,
        text,
        path: None,
    }
}

/// A program in words, without payloads longer than a line.
pub fn describe(program: &Program) -> String {
    let operations: Vec<String> = program
        .operations
        .iter()
        .map(|operation| {
            let mut text = operation.kind.word().to_owned();
            match operation.credential {
                Credential::Live => {}
                Credential::Spent => text.push_str(" with a spent credential"),
                Credential::Foreign => text.push_str(" with another client's credential"),
                Credential::Kind => text.push_str(" with another kind of credential"),
            }
            if operation.copies > 1 {
                let _ = write!(text, " {} times at once", operation.copies);
            }
            for deviation in &operation.deviations {
                let _ = write!(text, " [{} {}]", deviation.parameter, deviation.operator);
            }
            text
        })
        .collect();
    operations.join(", ")
}

/// The last requests as `curl` lines, secrets as shell variables.
fn curl_lines(world: &World, shown: &Shown<'_>) -> Vec<String> {
    let mut secrets = world.secrets.clone();
    for secret in &shown.trace.secrets {
        secrets.learn(secret, "token");
    }
    for seen in shown.trace.done.iter().flat_map(|done| &done.seen) {
        secrets.observe(&seen.recorded());
    }
    let redactor = secrets.redactor();
    shown
        .trace
        .done
        .iter()
        .filter_map(|done| done.decisive())
        .map(|seen| {
            let line = redactor
                .exchange(&seen.recorded(), Role::Deviation, "", "as")
                .curl;
            let line = clean(&line);
            if line.chars().count() > 600 {
                let head: String = line.chars().take(600).collect();
                format!("{head} … ({} characters)", line.chars().count())
            } else {
                line
            }
        })
        .collect()
}

/// One line for a comment: no control characters.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') { '\u{fffd}' } else { c })
        .collect()
}

fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.ends_with('-') && !out.is_empty() {
            out.push('-');
        }
    }
    let out: String = out.chars().take(100).collect();
    out.trim_matches('-').to_owned()
}

/// A TOML basic string.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || !c.is_ascii() => {
                let _ = if (c as u32) < 0x1_0000 {
                    write!(out, "\\u{:04X}", c as u32)
                } else {
                    write!(out, "\\U{:08X}", c as u32)
                };
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn key(name: &str) -> String {
    let bare = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if bare { name.to_owned() } else { quote(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_can_be_quoted_and_read_back() {
        for text in ["a\"b\\c", "\u{0}\r\n\t", "\u{2028}\u{10ffff}é", "$$x"] {
            let parsed: toml::Table = toml::from_str(&format!("x = {}", quote(text))).unwrap();
            assert_eq!(parsed["x"].as_str(), Some(text));
        }
    }

    #[test]
    fn a_bucket_names_oracle_endpoint_parameter_and_operator() {
        let mut operation = Operation::plain(Kind::Refresh);
        operation.copies = 8;
        let bucket = Bucket::of(Oracle::Double, &operation);
        assert_eq!(
            (bucket.endpoint.as_str(), bucket.operator.as_str()),
            ("token", "race")
        );
        assert_eq!(
            slug("grant.double token request race"),
            "grant-double-token-request-race"
        );
    }
}
