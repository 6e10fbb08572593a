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
use super::words as payloads;
use crate::event::{Addressee, Role, Severity};
use crate::flow::World;
use crate::suite::words::FINDINGS;
use crate::targets::model::Client;

/// What makes two findings the same: see [`Bucket::holds`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bucket {
    /// What fired.
    pub oracle: Oracle,
    /// Where.
    pub endpoint: String,
    /// What was seen, as far as it tells causes apart.
    pub effect: String,
    /// Which parameters were deviated from.
    pub parameter: String,
    /// By which operators.
    pub operator: String,
}

impl Bucket {
    /// The bucket of a candidate in a (small) operation.
    pub fn of(endpoint: &str, candidate: &Candidate, operation: &Operation) -> Bucket {
        let mut operators: Vec<&str> = operation
            .deviations
            .iter()
            .map(|deviation| deviation.operator.as_str())
            .collect();
        operators.dedup();
        let mut operator = operators.join("+");
        let mut parameter = places(operation).join("+");
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
            oracle: candidate.oracle,
            endpoint: endpoint.into(),
            effect: effect(candidate),
            parameter,
            operator,
        }
    }

    /// Whether another candidate most likely has the cause of this finding. One bug shows in many places: where the
    /// answer says what is wrong, the same answer is the same bug; where it does not (a 500), it is the same parameter.
    pub fn holds(&self, endpoint: &str, candidate: &Candidate, operation: &Operation) -> bool {
        self.oracle == candidate.oracle
            && self.endpoint == endpoint
            && self.effect == effect(candidate)
            && (telling(self.oracle) || {
                let theirs = places(operation);
                self.parameter
                    .split('+')
                    .all(|one| theirs.iter().any(|other| other == one))
            })
    }

    /// In the characters of a file name.
    pub fn slug(&self) -> String {
        slug(&format!(
            "{} {} {} {}",
            self.oracle.name(),
            self.endpoint,
            self.parameter,
            self.operator
        ))
    }
}

/// Whether what an oracle sees tells one cause from another, wherever the request deviates.
fn telling(oracle: Oracle) -> bool {
    matches!(
        oracle,
        Oracle::Forbidden
            | Oracle::Ambiguous
            | Oracle::ErrorShape
            | Oracle::ErrorStatus
            | Oracle::Cache
            | Oracle::Type
    )
}

/// What was seen, without what differs from one request to the next.
pub(super) fn effect(candidate: &Candidate) -> String {
    match candidate.oracle {
        // Slow is slow, and a server that takes repeated parameters takes all of them.
        Oracle::Hang | Oracle::Ambiguous | Oracle::Dead => String::new(),
        Oracle::Double if candidate.note.contains("copies") => "race".to_owned(),
        _ => {
            let note = candidate.note.split(',').next().unwrap_or_default();
            note.to_owned()
        }
    }
}

/// The parameters, headers and other places that an operation deviates from.
fn places(operation: &Operation) -> Vec<String> {
    let mut names = Vec::new();
    for deviation in &operation.deviations {
        let whole = deviation.parameter == "request";
        // A name that is made up for the occasion is no place.
        let known = |name: &str| {
            name != "@header.X-Oauthspec" && (name.starts_with('@') || payloads::is_known(name))
        };
        let before = names.len();
        for edit in deviation.edits.iter().filter(|_| whole) {
            let name = match edit.name() {
                "@content-type" => "@header.Content-Type",
                "@authorization" => "@header.Authorization",
                name => name,
            };
            if known(name) {
                names.push(
                    name.trim_start_matches('@')
                        .trim_start_matches("query.")
                        .to_owned(),
                );
            }
        }
        if names.len() == before {
            names.push(deviation.parameter.clone());
        }
    }
    names.sort();
    names.dedup();
    names
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
    /// Further programs of the run that most likely met the same bug.
    pub again: u64,
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
    /// Findings before it that have the same name.
    pub twins: usize,
}

/// Writes a finding.
pub fn write(stage: &Stage, shown: &Shown<'_>) -> Finding {
    let oracle = shown.bucket.oracle;
    let mut id = shown.bucket.slug();
    if shown.twins > 0 {
        id = format!("{id}-{}", shown.twins + 1);
    }
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
    for line in curl_lines(&stage.world, shown) {
        let _ = writeln!(out, "# {line}");
    }
    let _ = writeln!(
        out,
        "suite = \"{FINDINGS}\"\ntitle = \"A finding of the fuzzer\"\n\n[[case]]"
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
        again: 0,
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
    // Names come from the server's answers too.
    clean(&operations.join(", "))
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
                .exchange(
                    &seen.recorded(),
                    Role::Deviation,
                    "",
                    Addressee::AuthorizationServer,
                )
                .curl;
            let line = clean(&line);
            if line.is_empty() {
                // Too much for a command line.
                let request = &seen.request;
                let sent = request.url.len() + request.body.len();
                return format!("a {} of {sent} bytes: see the steps", request.method);
            }
            if line.chars().count() > 600 {
                let head: String = line.chars().take(600).collect();
                format!("{head} … ({} characters)", line.chars().count())
            } else {
                line
            }
        })
        .collect()
}

/// One line for a comment or a terminal: no control characters.
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
    use crate::fuzz::dictionary::Dictionary;
    use crate::fuzz::strategy::{Abilities, Actor, Grammar};
    use crate::fuzzing::finding::STAGE;

    #[test]
    fn any_text_can_be_quoted_and_read_back() {
        for text in ["a\"b\\c", "\u{0}\r\n\t", "\u{2028}\u{10ffff}é", "$$x"] {
            let parsed: toml::Table = toml::from_str(&format!("x = {}", quote(text))).unwrap();
            assert_eq!(parsed["x"].as_str(), Some(text));
        }
    }

    fn candidate(oracle: Oracle, note: &str) -> Candidate {
        Candidate {
            oracle,
            at: 0,
            note: note.into(),
        }
    }

    /// A token request with another value for this parameter.
    fn deviating(parameter: &str, name: &str) -> Operation {
        let mut operation = Operation::plain(Kind::Refresh);
        operation
            .deviations
            .push(crate::fuzz::operation::Deviation {
                operator: "some".into(),
                parameter: parameter.into(),
                equivalent: false,
                edits: vec![Edit::With(name.into(), vec![Text::plain("x")])],
            });
        operation
    }

    #[test]
    fn one_cause_is_one_finding_where_the_answer_tells_it_and_one_a_parameter_where_not() {
        let of = |candidate: &Candidate, operation: &Operation| {
            Bucket::of("token", candidate, operation)
        };
        let (scope, code) = (deviating("scope", "scope"), deviating("code", "code"));
        let shape = candidate(Oracle::ErrorShape, "400 without a JSON object");
        let other = candidate(Oracle::ErrorShape, "400 without the member error");
        assert!(of(&shape, &scope).holds("token", &shape, &code));
        assert!(!of(&shape, &scope).holds("token", &other, &scope));
        assert!(!of(&shape, &scope).holds("revocation", &shape, &scope));
        let crash = candidate(Oracle::Crash, "answered 500");
        assert!(of(&crash, &scope).holds("token", &crash, &scope));
        assert!(!of(&crash, &scope).holds("token", &crash, &code));
        // A header is the same place whichever operator sets it.
        let header = deviating("request", "@header.Content-Type");
        let typed = deviating("request", "@content-type");
        assert!(of(&crash, &header).holds("token", &crash, &typed));
        assert_eq!(of(&crash, &typed).parameter, "header.Content-Type");
    }

    #[test]
    fn whatever_is_played_can_be_written_as_a_suite_file_that_loads() {
        let actor = |name: &str, secret| Actor {
            name: name.into(),
            secret,
            redirect: ["http://127.0.0.1:1/a", "http", "127.0.0.1:1", "/a"].map(str::to_owned),
        };
        let abilities = Abilities {
            kinds: Kind::ALL.to_vec(),
            actors: vec![actor("a", false), actor("b", true)],
            resources: 2,
            indicators: true,
            details: Some(r#"[{"type":"pay"}]"#.into()),
            denies: true,
            posts: true,
        };
        let mut grammar = Grammar::new(abilities, Dictionary::default(), 1);
        const OF_ANY_ANSWER: &[Oracle] = &[
            Oracle::Crash,
            Oracle::Closed,
            Oracle::Hang,
            Oracle::Markup,
            Oracle::Injection,
            Oracle::ErrorShape,
            Oracle::ErrorStatus,
            Oracle::Cache,
            Oracle::Type,
            Oracle::Leak,
            Oracle::Poisoned,
            Oracle::Refused,
        ];
        let forges = jose::forgeries();
        let known = crate::suite::load::Known {
            checks: crate::check::NAMES,
            forges: &forges,
        };
        // Every card of the deck, and then some with two deviations.
        for turn in 0..2 * grammar.cards() {
            let program = grammar.fresh();
            let at = program.operations.len() - 1;
            let oracle = OF_ANY_ANSWER[turn % OF_ANY_ANSWER.len()];
            let candidate = Candidate {
                oracle,
                at,
                note: "seen".into(),
            };
            let last = &program.operations[at];
            let shown = Shown {
                bucket: Bucket::of(last.kind.endpoint(), &candidate, last),
                program: &program,
                candidate: &candidate,
                trace: &Trace::default(),
                hits: 3,
                of: 3,
                seed: 1,
                twins: 0,
            };
            let text = write(&STAGE, &shown).text;
            if let Err(problems) = crate::suite::load::load_str("finding.toml", &text, &known) {
                let text: String = text.chars().take(4_000).collect();
                panic!(
                    "{problems}
{text}"
                );
            }
        }
    }

    #[test]
    fn a_bucket_names_oracle_endpoint_parameter_and_operator() {
        let mut operation = Operation::plain(Kind::Refresh);
        operation.copies = 8;
        let double = candidate(Oracle::Double, "3 of 8 copies gave tokens that work");
        let bucket = Bucket::of("token", &double, &operation);
        assert_eq!(
            (bucket.operator.as_str(), bucket.effect.as_str()),
            ("race", "race")
        );
        assert_eq!(bucket.slug(), "grant-double-token-request-race");
    }
}
