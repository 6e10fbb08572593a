//! What a run says and a report hears: the ground floor, which imports nothing above `wire`.
//!
//! The runner sends [`Event`]s; every report is a pure consumer of them. All text in here that came
//! from a server is hostile and already redacted (see [`crate::transport`]); escaping it is the
//! business of each report.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was decided about a case, a variant or a step. Ordered from best to worst.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A capability is absent; the reason says what would enable it.
    Skipped,
    /// The requirement holds, and a control in the same run proves that the answer means something.
    Pass,
    /// A SHOULD is broken, or the refusal came with an unexpected error code.
    Warn,
    /// It could not be known: a control failed, the server throttled us, another fault masks this one.
    Inconclusive,
    /// A MUST, or a promise of the profile, is broken.
    Fail,
    /// Our own defect, or a wrong configuration.
    Error,
}

impl Verdict {
    /// Every verdict, best first.
    pub const ALL: [Verdict; 6] = [
        Verdict::Pass,
        Verdict::Warn,
        Verdict::Skipped,
        Verdict::Inconclusive,
        Verdict::Fail,
        Verdict::Error,
    ];

    /// The word used in every output.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Warn => "warn",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Skipped => "skipped",
            Verdict::Error => "error",
        }
    }
}

/// How binding a requirement is (RFC 2119), or that a service promised it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Optional behaviour: read out, never a failure.
    May,
    /// A breach is a warning.
    Should,
    /// A breach is a failure.
    Must,
    /// Promised by a service's own documentation: a breach fails the service suite.
    Promise,
}

/// What a breach costs the user, independent of the keyword in the specification.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// A formal deviation without effect.
    Cosmetic,
    /// An annoyance for some clients.
    Low,
    /// Interoperability or defence in depth suffers.
    Medium,
    /// An attack becomes possible under further conditions.
    High,
    /// Accounts, codes or tokens are lost to an attacker.
    Critical,
}

/// Why an exchange took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Needed to get there; nothing is judged by it.
    Setup,
    /// The correct flow, whose success gives a refusal its meaning.
    Control,
    /// The request that carries the one deviation.
    Deviation,
}

/// Whom a request was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressee {
    /// The authorization server, by a client.
    AuthorizationServer,
    /// A resource server, by a client.
    ResourceServer,
    /// The authorization server, by the user's browser.
    Page,
}

impl Addressee {
    /// Who sends it, for a sequence diagram.
    pub fn sender(self) -> &'static str {
        match self {
            Addressee::AuthorizationServer | Addressee::ResourceServer => "client",
            Addressee::Page => "user",
        }
    }

    /// Who gets it, for a sequence diagram.
    pub fn word(self) -> &'static str {
        match self {
            Addressee::AuthorizationServer | Addressee::Page => "as",
            Addressee::ResourceServer => "rs",
        }
    }
}

/// One message as it was sent or received, redacted. Bodies are bounded and shown as text, invalid
/// UTF-8 as U+FFFD.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// Header names and values in wire order; names as sent.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
    /// The body's length in bytes as received, before any shortening.
    pub body_bytes: u64,
}

/// One request and its response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exchange {
    /// Why it took place.
    pub role: Role,
    /// Which step of the case it belongs to, in words: `3 refresh`.
    pub step: String,
    /// Who speaks to whom, for the sequence diagram: `user`, `client`.
    pub from: String,
    /// `as` or `rs`.
    pub to: String,
    /// `GET`, `POST`, …
    pub method: String,
    /// The absolute URL asked for (redacted).
    pub url: String,
    /// What was sent.
    pub request: Message,
    /// The status code, when an answer came.
    pub status: Option<u16>,
    /// What came back.
    pub response: Option<Message>,
    /// Why no answer came, in words.
    pub error: Option<String>,
    /// Milliseconds since the run began.
    pub started_ms: u64,
    /// Microseconds from the first byte out to the last byte in.
    pub duration_us: u64,
    /// `http` or `raw`.
    pub transport: String,
    /// A `curl` line that repeats the request (secrets replaced by shell variables).
    pub curl: String,
    /// The same as it was, secrets and all; only with `--keep-secrets`, for files nobody else may read.
    #[serde(skip)]
    pub raw: Option<Box<Exchange>>,
}

/// A variant's own verdict. A case without variants has one, named `""`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VariantReport {
    /// The variant's name, `""` for a case without variants.
    pub name: String,
    /// What was decided.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub reason: String,
    /// The one deviation, in words: `authorize with redirect_uri = "…"`.
    pub deviation: String,
    /// The deviating flow, in order.
    pub evidence: Vec<Exchange>,
    /// The control that stands beside it (the last successful one, or the failed one that made the
    /// variant inconclusive).
    pub control: Vec<Exchange>,
}

/// A case's verdict with everything a reader needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaseReport {
    /// The full id, `pkce.plain-rejected`.
    pub id: String,
    /// The suite's name.
    pub suite: String,
    /// The requirement in one line.
    pub title: String,
    /// The worst verdict of its variants, after waivers.
    pub verdict: Verdict,
    /// How binding.
    pub level: Level,
    /// What a breach costs.
    pub severity: Severity,
    /// Clauses, `rfc9700#2.1.1`.
    pub refs: Vec<String>,
    /// The worst variant's reason.
    pub reason: String,
    /// Why it matters.
    pub why: String,
    /// What a correct server does, and how to mend one.
    pub fix: String,
    /// The service promise that is tested, when it is one: page and section, in our words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promise: Option<String>,
    /// The waiver's reason, when one applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived: Option<String>,
    /// Every variant, in file order.
    pub variants: Vec<VariantReport>,
    /// Where the case is written: `suites/pkce.toml:12`.
    pub source: String,
    /// Milliseconds spent on it.
    pub duration_ms: u64,
}

/// What came of a deviation: the reason without a beginning that only repeats the deviation.
pub fn result<'r>(reason: &'r str, deviation: &str) -> &'r str {
    let rest = reason
        .strip_prefix(deviation)
        .and_then(|rest| rest.strip_prefix(' '));
    match rest {
        Some(rest) if !deviation.is_empty() && !rest.trim().is_empty() => rest,
        _ => reason,
    }
}

/// How many cases came to each verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Cases that pass.
    pub pass: u32,
    /// Cases that fail.
    pub fail: u32,
    /// Cases with a warning.
    pub warn: u32,
    /// Cases that could not be decided.
    pub inconclusive: u32,
    /// Cases that did not apply.
    pub skipped: u32,
    /// Cases that broke on our side.
    pub error: u32,
}

impl Summary {
    /// Counts one case.
    pub fn count(&mut self, verdict: Verdict) {
        let field = match verdict {
            Verdict::Pass => &mut self.pass,
            Verdict::Fail => &mut self.fail,
            Verdict::Warn => &mut self.warn,
            Verdict::Inconclusive => &mut self.inconclusive,
            Verdict::Skipped => &mut self.skipped,
            Verdict::Error => &mut self.error,
        };
        *field += 1;
    }

    /// Cases about which something was learnt.
    pub fn decided(&self) -> u32 {
        self.pass + self.fail + self.warn
    }

    /// All cases.
    pub fn total(&self) -> u32 {
        self.decided() + self.inconclusive + self.skipped + self.error
    }
}

/// One line of the policy read-out: `PKCE methods` → `S256`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyLine {
    /// What was looked at.
    pub topic: String,
    /// What the server does.
    pub observed: String,
}

/// The beginning of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunStart {
    /// `oauthspec 0.1.0`.
    pub tool: String,
    /// The target's name or issuer.
    pub target: String,
    /// The target file and the line of its issuer, `target.toml:3`, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_file: Option<String>,
    /// The profiles that judge.
    pub profiles: Vec<String>,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// The seed of everything random.
    pub seed: u64,
    /// How many cases were selected.
    pub cases: u32,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunEnd {
    /// Wall time in milliseconds.
    pub duration_ms: u64,
    /// Requests sent.
    pub requests: u64,
    /// The counts.
    pub summary: Summary,
    /// The policy seen.
    pub policy: Vec<PolicyLine>,
    /// What could not be removed from the target: clients, grants.
    pub leftovers: Vec<String>,
    /// Why the run ended early, if it did.
    pub interrupted: Option<String>,
    /// Failures of the run itself: stale waivers, a report that could not be written.
    pub problems: Vec<String>,
    /// The exit code's meaning in words.
    pub outcome: String,
    /// The exit code.
    pub exit_code: u8,
}

/// What the runner says while it works.
#[derive(Debug, Clone)]
pub enum Event {
    /// First.
    Start(RunStart),
    /// What is being waited for, for a progress line. Not part of any file.
    Progress {
        /// Cases finished.
        done: u32,
        /// Cases selected.
        total: u32,
        /// In words: `redirect.near-miss`, `controls of suite redirect`, `429: waiting 3 s`.
        doing: String,
        /// Since the start.
        elapsed: Duration,
    },
    /// A case is decided.
    Case(Box<CaseReport>),
    /// Last.
    End(Box<RunEnd>),
}
