//! A finding, written as a suite file: the same case for the fuzzer's `replay` and for `run`, red as
//! long as the server is wrong and green when it is mended.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

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

/// One step as it is written.
struct Step {
    verb: &'static str,
    name: Option<String>,
    lines: Vec<String>,
}

impl Step {
    fn new(verb: &'static str) -> Step {
        Step {
            verb,
            name: None,
            lines: Vec::new(),
        }
    }

    fn line(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    fn given(&mut self, name: &str, value: &str) {
        self.line(format!("given.{} = {}", key(name), quote(value)));
    }

    fn with(&mut self, name: &str, value: &str) {
        self.line(format!("with.{} = {}", key(name), quote(value)));
    }
}

/// The steps of a case.
struct Steps<'s, 'w> {
    stage: &'s Stage<'w>,
    oracle: Oracle,
    steps: Vec<Step>,
    needs: Vec<String>,
    named: usize,
}

/// Codes a server may answer with when it refuses a request that cannot be read.
const REFUSALS: &str = r#"["invalid_request", "invalid_grant", "invalid_client", "invalid_scope", "invalid_target", "invalid_authorization_details", "unsupported_grant_type", "unsupported_response_type", "unauthorized_client", "access_denied", "invalid_token", "unsupported_token_type", "login_required", "consent_required", "interaction_required", "request_not_supported", "request_uri_not_supported", "invalid_request_object", "invalid_request_uri", "invalid_redirect_uri", "invalid_client_metadata", "unapproved_software_statement", "invalid_software_statement", "page"]"#;
const CHALLENGES: &str = r#"["invalid_token", "invalid_request", "insufficient_scope", ""]"#;

impl<'s, 'w> Steps<'s, 'w> {
    fn new(stage: &'s Stage<'w>, oracle: Oracle) -> Steps<'s, 'w> {
        Steps {
            stage,
            oracle,
            steps: Vec::new(),
            needs: Vec::new(),
            named: 0,
        }
    }

    fn need(&mut self, need: impl Into<String>) {
        let need = need.into();
        if !self.needs.contains(&need) {
            self.needs.push(need);
        }
    }

    fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    fn client(&mut self, step: &mut Step, index: usize) {
        let Some(client) = self.stage.actors.get(index) else {
            return;
        };
        if client.name != "a" {
            step.line(format!("client = {}", quote(&client.name)));
            self.need(format!("client.{}", client.name));
        }
    }

    fn place(&mut self, step: &mut Step, resource: usize) {
        let Some(resource) = self
            .stage
            .resources
            .get(resource)
            .or(self.stage.resources.first())
        else {
            return;
        };
        if resource.name != "a" {
            step.line(format!("at = {}", quote(&resource.name)));
            self.need(format!("resource.{}", resource.name));
        }
    }

    /// An earlier step that makes what is presented; its name.
    fn arrange(&mut self, verb: &'static str, client: usize, resource: usize) -> String {
        self.named += 1;
        let name = format!("s{}", self.named);
        let mut step = Step::new(verb);
        step.name = Some(name.clone());
        self.client(&mut step, client);
        self.place(&mut step, resource);
        self.push(step);
        name
    }

    fn other(&self, client: usize) -> usize {
        let count = self.stage.actors.len();
        if count < 2 {
            client
        } else {
            (client + 1) % count
        }
    }

    fn operation(&mut self, operation: &Operation, accused: bool) {
        match operation.kind {
            Kind::Authorize => self.authorize(operation, accused),
            Kind::Exchange => self.exchange(operation, accused),
            Kind::Refresh => self.refresh(operation, accused),
            Kind::Revoke => self.revoke(operation, accused),
            Kind::Introspect => self.introspect(operation, accused),
            Kind::Call => self.call(operation, accused),
            Kind::Register => {
                self.need("registration");
                let mut step = Step::new("register");
                self.client(&mut step, operation.client);
                self.finish_step(step, operation, accused, None);
            }
            Kind::Discover => {
                self.need("metadata");
                self.finish_step(Step::new("discover"), operation, accused, None);
            }
            Kind::Direct => {
                let mut step = Step::new("http");
                step.line("at = \"token\"");
                let client = self.stage.actors.get(operation.client);
                let auth = client.map_or("client_secret_basic", |client| client.auth.word());
                self.client(&mut step, operation.client);
                step.given("grant_type", "client_credentials");
                step.given("client_id", "$client.id");
                step.given("client_secret", "$client.secret");
                step.given("@auth", auth);
                self.finish_step(step, operation, accused, None);
            }
        }
    }

    fn authorize(&mut self, operation: &Operation, accused: bool) {
        let mut step = Step::new("authorize");
        self.client(&mut step, operation.client);
        self.place(&mut step, operation.resource);
        match operation.person {
            Person::Approve => {}
            Person::Deny => {
                step.line("user = \"deny\"");
                self.need("deny");
            }
            Person::Absent => step.line("user = \"absent\""),
        }
        self.finish_step(step, operation, accused, None);
    }

    fn exchange(&mut self, operation: &Operation, accused: bool) {
        let (client, resource) = (operation.client, operation.resource);
        let mut step = Step::new("exchange");
        let mut source = None;
        match operation.credential {
            Credential::Live => {
                let again = self.oracle == Oracle::Double && operation.copies <= 1;
                if needs_own(operation, &["code"]) || again {
                    let name = self.arrange("authorize", client, resource);
                    step.given("code", &format!("${name}.code"));
                    source = Some(format!("${name}.code"));
                }
            }
            Credential::Spent => {
                let name = self.arrange("grant", client, resource);
                step.with("code", &format!("${name}.code"));
                source = Some(format!("${name}.code"));
            }
            Credential::Foreign => {
                let other = self.other(client);
                let name = self.arrange("authorize", other, resource);
                step.with("code", &format!("${name}.code"));
                source = Some(format!("${name}.code"));
            }
            Credential::Kind => {
                let name = self.arrange("grant", client, resource);
                step.with("code", &format!("${name}.access_token"));
                source = Some(format!("${name}.access_token"));
            }
        }
        self.client(&mut step, client);
        let live = (operation.credential == Credential::Live)
            .then(|| source.clone())
            .flatten();
        self.finish_step(step, operation, accused, source);
        if accused
            && self.oracle == Oracle::Double
            && operation.copies <= 1
            && let Some(code) = live
        {
            let mut again = Step::new("exchange");
            self.client(&mut again, client);
            again.with("code", &code);
            again.line("expect.refused = [\"invalid_grant\", \"invalid_request\"]");
            self.push(again);
        }
    }

    fn refresh(&mut self, operation: &Operation, accused: bool) {
        self.need("refresh_token");
        let (client, resource) = (operation.client, operation.resource);
        let owner = if operation.credential == Credential::Foreign {
            self.other(client)
        } else {
            client
        };
        let name = self.arrange("grant", owner, resource);
        let mut step = Step::new("refresh");
        let source = format!("${name}.refresh_token");
        match operation.credential {
            Credential::Live => step.given("refresh_token", &source),
            Credential::Spent => {
                let mut first = Step::new("refresh");
                self.client(&mut first, client);
                first.given("refresh_token", &source);
                self.push(first);
                step.with("refresh_token", &source);
            }
            Credential::Foreign => step.with("refresh_token", &source),
            Credential::Kind => step.with("refresh_token", &format!("${name}.access_token")),
        }
        self.client(&mut step, client);
        self.finish_step(step, operation, accused, Some(source.clone()));
        if accused && self.oracle == Oracle::Double && operation.copies <= 1 {
            let mut again = Step::new("refresh");
            self.client(&mut again, client);
            again.with("refresh_token", &source);
            again.line("expect.refused = [\"invalid_grant\", \"invalid_request\"]");
            self.push(again);
        }
    }

    fn revoke(&mut self, operation: &Operation, accused: bool) {
        self.need("revocation");
        self.need("refresh_token");
        let (client, resource) = (operation.client, operation.resource);
        let foreign = operation.credential == Credential::Foreign;
        let owner = if foreign { self.other(client) } else { client };
        let name = self.arrange("grant", owner, resource);
        let source = match operation.credential {
            Credential::Kind => format!("${name}.access_token"),
            _ => format!("${name}.refresh_token"),
        };
        let mut step = Step::new("revoke");
        self.client(&mut step, client);
        if foreign {
            step.with("token", &source);
        } else {
            step.given("token", &source);
        }
        self.finish_step(step, operation, accused, Some(source));
        if !accused
            || !matches!(
                self.oracle,
                Oracle::NotRevoked | Oracle::ForeignRevoked | Oracle::Forbidden
            )
        {
            return;
        }
        let mut call = Step::new("call");
        self.client(&mut call, owner);
        self.place(&mut call, resource);
        if self.oracle == Oracle::NotRevoked {
            call.given("token", &format!("${name}.access_token"));
            call.line("expect.dead = [\"invalid_token\"]");
            call.line("expect.within = \"policy.revocation_lag\"");
        } else {
            call.given("token", &format!("${name}.access_token"));
        }
        self.push(call);
    }

    fn introspect(&mut self, operation: &Operation, accused: bool) {
        self.need("introspection");
        let name = self.arrange("grant", operation.client, operation.resource);
        let source = match operation.credential {
            Credential::Kind | Credential::Spent => {
                self.need("refresh_token");
                format!("${name}.refresh_token")
            }
            _ => format!("${name}.access_token"),
        };
        let mut step = Step::new("introspect");
        step.given("token", &source);
        self.finish_step(step, operation, accused, Some(source));
    }

    fn call(&mut self, operation: &Operation, accused: bool) {
        let mut step = Step::new("call");
        self.client(&mut step, operation.client);
        self.place(&mut step, operation.resource);
        let mut source = None;
        if operation.credential != Credential::Live
            || needs_own(
                operation,
                &["token", "@authorization", "@header.Authorization"],
            )
        {
            let name = self.arrange("grant", operation.client, operation.resource);
            match operation.credential {
                Credential::Spent | Credential::Kind => {
                    self.need("refresh_token");
                    step.with("token", &format!("${name}.refresh_token"));
                    source = Some(format!("${name}.refresh_token"));
                }
                _ => {
                    step.given("token", &format!("${name}.access_token"));
                    source = Some(format!("${name}.access_token"));
                }
            }
        }
        self.finish_step(step, operation, accused, source);
    }

    /// The edits and the expectation.
    fn finish_step(
        &mut self,
        mut step: Step,
        operation: &Operation,
        accused: bool,
        source: Option<String>,
    ) {
        let mut without = Vec::new();
        for edit in merged(operation) {
            let name = edit.name();
            match edit {
                Edit::With(_, values) => {
                    let texts: Vec<String> = values
                        .iter()
                        .map(|value| {
                            self.template(value, name, operation, source.as_deref(), false)
                        })
                        .collect();
                    let text = match texts.as_slice() {
                        [one] => quote(one),
                        several => format!(
                            "[{}]",
                            several
                                .iter()
                                .map(|one| quote(one))
                                .collect::<Vec<_>>()
                                .join(", ")
                        ),
                    };
                    step.lines
                        .retain(|line| !line.starts_with(&format!("with.{} ", key(name))));
                    step.line(format!("with.{} = {text}", key(name)));
                }
                Edit::Without(_) if sent(operation, name) => without.push(quote(name)),
                Edit::Without(_) => {}
                Edit::Raw(_, value) => {
                    let encoded = operation.kind != Kind::Register;
                    let text = self.template(value, name, operation, source.as_deref(), encoded);
                    step.line(format!("raw.{} = {}", key(name), quote(&text)));
                }
            }
            match name {
                "resource" => self.need("resource"),
                "authorization_details"
                    if !self.needs.iter().any(|need| need.starts_with("rar.")) =>
                {
                    self.need("rar");
                }
                _ => {}
            }
        }
        if !without.is_empty() {
            step.line(format!("without = [{}]", without.join(", ")));
        }
        if operation.copies > 1 {
            step.line(format!("parallel = {}", operation.copies));
        }
        for line in self.expectation(operation, accused) {
            step.line(line);
        }
        self.push(step);
    }

    fn expectation(&self, operation: &Operation, accused: bool) -> Vec<String> {
        let call = operation.kind == Kind::Call;
        let refusal = || {
            if call {
                format!("expect.challenge = {CHALLENGES}")
            } else {
                format!("expect.refused = {REFUSALS}")
            }
        };
        let deviates = !operation.is_plain();
        let either = |check: &str| {
            let mut lines = vec![format!("expect.check = [{}]", quote(check))];
            if deviates {
                lines.push(refusal());
                lines.push("expect.or = \"decided-later\"".into());
            }
            lines
        };
        if !accused {
            return if deviates {
                vec![refusal(), "expect.or = \"decided-later\"".into()]
            } else {
                Vec::new()
            };
        }
        match self.oracle {
            Oracle::Crash | Oracle::Closed | Oracle::Hang => either("prompt-answer"),
            Oracle::Forbidden if operation.kind == Kind::Revoke => either("prompt-answer"),
            Oracle::Forbidden | Oracle::Ambiguous => vec![refusal()],
            Oracle::Double if operation.copies > 1 => {
                vec!["expect.check = [\"single-success\"]".into()]
            }
            Oracle::NotRevoked if operation.kind == Kind::Revoke => vec!["cause = true".into()],
            Oracle::NotRevoked => vec!["cause = true".into(), refusal()],
            Oracle::Double | Oracle::Dead | Oracle::ForeignRevoked | Oracle::Redirect => {
                if deviates {
                    vec![refusal(), "expect.or = \"decided-later\"".into()]
                } else {
                    Vec::new()
                }
            }
            Oracle::Markup => either("no-reflection"),
            Oracle::Injection => either("no-header-injection"),
            Oracle::ErrorShape => vec![
                format!("{}\nexpect.check = [\"error-in-form\"]", refusal()),
                "expect.or = \"decided-later\"".into(),
            ],
            Oracle::ErrorStatus if call => {
                vec![refusal(), "expect.check = [\"challenge-syntax\"]".into()]
            }
            Oracle::ErrorStatus => either("error-not-200"),
            Oracle::Cache => either("tokens-not-stored"),
            Oracle::Type => either("tokens-typed"),
            Oracle::State => either("state-echoed"),
            Oracle::Leak => either("no-insides"),
            Oracle::Refused => Vec::new(),
            Oracle::Poisoned => either("no-attacker-host"),
        }
    }

    /// A value as a suite template.
    fn template(
        &mut self,
        text: &Text,
        name: &str,
        operation: &Operation,
        source: Option<&str>,
        encoded: bool,
    ) -> String {
        let mut out = String::new();
        for piece in &text.0 {
            match piece {
                Piece::Text(text) => out.push_str(&text.replace('$', "$$")),
                Piece::Repeat(text, times) => {
                    out.push_str(&text.repeat((*times).min(200_000)).replace('$', "$$"))
                }
                Piece::Named(name, field) => {
                    let _ = write!(out, "${name}.{field}");
                    if let Some(client) =
                        name.strip_prefix("client-").filter(|client| *client != "a")
                    {
                        self.need(format!("client.{client}"));
                    }
                }
                Piece::Own => out.push_str(&self.own(name, operation, source, encoded)),
            }
        }
        out
    }

    /// What the correct request carries, as a template.
    fn own(
        &mut self,
        name: &str,
        operation: &Operation,
        source: Option<&str>,
        encoded: bool,
    ) -> String {
        let name = name.strip_prefix("@query.").unwrap_or(name);
        let plain = name
            .split('[')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let stage = self.stage;
        let client: Option<&Client> = stage.actors.get(operation.client);
        let literal = |text: &str| {
            let text = if encoded {
                wire::form::encode_component(text.as_bytes())
            } else {
                text.to_owned()
            };
            text.replace('$', "$$")
        };
        let credential = matches!(
            plain.as_str(),
            "code" | "refresh_token" | "token" | "@authorization" | "@header.authorization"
        );
        if credential && let Some(source) = source {
            return source.to_owned();
        }
        match plain.as_str() {
            "client_id" => "$client.id".into(),
            "client_secret" => "$client.secret".into(),
            "redirect_uri" if encoded => literal(
                client
                    .and_then(|client| client.redirect_uris.first())
                    .map_or("", String::as_str),
            ),
            "redirect_uri" => "$client.redirect_uri".into(),
            "code_verifier" => "$pkce.verifier".into(),
            "code_challenge" => "$pkce.challenge".into(),
            "code_challenge_method" => "S256".into(),
            "response_type" => "code".into(),
            "state" => "oauthspec-state".into(),
            "grant_type" => match operation.kind {
                Kind::Refresh => "refresh_token".into(),
                Kind::Direct => "client_credentials".into(),
                _ => "authorization_code".into(),
            },
            "resource" => {
                let resource = stage
                    .resources
                    .get(operation.resource)
                    .or(stage.resources.first());
                let Some(resource) = resource else {
                    return String::new();
                };
                if resource.name != "a" {
                    self.need(format!("resource.{}", resource.name));
                }
                format!("$resource.{}", resource.name.replace('-', "_"))
            }
            "scope" => {
                let policy = stage
                    .world
                    .target
                    .policy
                    .scope
                    .as_deref()
                    .unwrap_or_default();
                literal(policy)
            }
            "authorization_details" => match stage.world.target.rar.first() {
                Some((name, _)) => {
                    self.needs.retain(|need| need != "rar");
                    self.need(format!("rar.{name}"));
                    format!("$rar.{}", name.replace('-', "_"))
                }
                None => String::new(),
            },
            "token_type_hint" => "refresh_token".into(),
            // Registered metadata stands for itself.
            other if operation.kind == Kind::Register => {
                let value = client
                    .map(|client| crate::flow::register::metadata(stage.world, client, "fuzz"));
                let value = value
                    .and_then(|members| members.into_iter().find(|(member, _)| member == other));
                value
                    .map(|(_, value)| value.to_string().replace('$', "$$"))
                    .unwrap_or_default()
            }
            _ => String::new(),
        }
    }

    fn finish(self) -> (Vec<String>, String) {
        let mut out = String::new();
        let later: Vec<String> = self
            .steps
            .iter()
            .flat_map(|step| step.lines.clone())
            .collect();
        for step in &self.steps {
            let _ = writeln!(out, "\n[[case.step]]\ndo = {}", quote(step.verb));
            let used = |name: &String| later.iter().any(|line| line.contains(&format!("${name}.")));
            if let Some(name) = step.name.as_ref().filter(|name| used(name)) {
                let _ = writeln!(out, "as = {}", quote(name));
            }
            for line in &step.lines {
                let _ = writeln!(out, "{line}");
            }
        }
        let mut needs = self.needs;
        // What the steps do not show to be needed would be refused as idle.
        let mentions = |word: &str| out.contains(word);
        needs.retain(|need| match need.as_str() {
            "refresh_token" => mentions("refresh_token") || mentions("\"refresh\""),
            _ => true,
        });
        (needs, out)
    }
}

/// Whether some value takes up what the correct request carries in one of these.
fn needs_own(operation: &Operation, names: &[&str]) -> bool {
    operation
        .deviations
        .iter()
        .flat_map(|deviation| &deviation.edits)
        .any(|edit| {
            let name = edit.name().strip_prefix("@query.").unwrap_or(edit.name());
            let plain = name.split('[').next().unwrap_or_default();
            names.iter().any(|own| own.eq_ignore_ascii_case(plain))
                && edit
                    .values()
                    .iter()
                    .any(|value| value.0.contains(&Piece::Own))
        })
}

/// Whether a correct step of this kind sends the parameter by itself, so that it can be left out.
fn sent(operation: &Operation, name: &str) -> bool {
    let names: &[&str] = match operation.kind {
        Kind::Authorize => &[
            "response_type",
            "client_id",
            "redirect_uri",
            "state",
            "scope",
            "code_challenge",
            "code_challenge_method",
            "resource",
            "authorization_details",
        ],
        Kind::Exchange => &[
            "grant_type",
            "code",
            "redirect_uri",
            "client_id",
            "code_verifier",
            "resource",
            "client_secret",
        ],
        Kind::Refresh => &["grant_type", "refresh_token", "client_id", "client_secret"],
        Kind::Revoke => &["token", "client_id", "client_secret"],
        Kind::Introspect | Kind::Call => &["token"],
        Kind::Register => &[
            "redirect_uris",
            "client_name",
            "grant_types",
            "response_types",
            "token_endpoint_auth_method",
            "scope",
        ],
        Kind::Discover => &[],
        Kind::Direct => &["grant_type", "client_id", "client_secret"],
    };
    name.starts_with('@') || names.contains(&name)
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
