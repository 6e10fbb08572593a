//! What a suite file says once it is read: cases, steps, expectations.
//!
//! The language is described for authors in `docs/suites.md`. It is data: a closed set of verbs,
//! deviations and expectations, and references of the form `$name.field`.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;

use crate::event::{Level, Severity};

/// Where something stands in a file, for messages and reports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// The file's path as given.
    pub file: String,
    /// 1-based.
    pub line: u32,
    /// Byte range in the file.
    pub span: std::ops::Range<usize>,
}

/// One suite file.
#[derive(Debug, Clone)]
pub struct Suite {
    /// `pkce`; the first half of its cases' ids.
    pub name: String,
    /// For people.
    pub title: String,
    /// The profile a target must name for this suite to apply: a published service. `None`: it applies to every server.
    pub profile: Option<String>,
    /// Its cases in file order.
    pub cases: Vec<Case>,
}

impl Suite {
    /// Whether it applies to a target with these profiles.
    pub fn applies(&self, profiles: &[String]) -> bool {
        self.profile
            .as_ref()
            .is_none_or(|profile| profiles.contains(profile))
    }
}

/// One requirement and how it is put to the test.
#[derive(Debug, Clone)]
pub struct Case {
    /// `pkce.plain-rejected`, stable for ever.
    pub id: String,
    /// The suite's name.
    pub suite: String,
    /// The requirement in one line.
    pub title: String,
    /// How binding, before a profile raises or lowers it.
    pub level: Level,
    /// What a breach costs.
    pub severity: Severity,
    /// Clauses, `rfc9700#2.1.1`.
    pub refs: Vec<String>,
    /// Why it matters.
    pub why: String,
    /// What a correct server does, and how to mend one.
    pub fix: String,
    /// Catalogue rows this case serves besides its own id.
    pub rows: Vec<String>,
    /// Capabilities it needs (`refresh_token`, `client.b`, `resource.write`, …).
    pub needs: Vec<String>,
    /// The service promise under test: page and section, in our words.
    pub promise: Option<String>,
    /// Why no fault of the reference server can turn it red, when that is so.
    pub without_fault: Option<String>,
    /// Variants in file order; exactly one unnamed variant when the file has no `each`.
    pub variants: Vec<Variant>,
    /// The steps in order.
    pub steps: Vec<Step>,
    /// Where it is written.
    pub source: Source,
}

/// One row of a case's table: merged into the steps marked `vary`.
#[derive(Debug, Clone, Default)]
pub struct Variant {
    /// `trailing-slash`, or `""`.
    pub name: String,
    /// This variant's own level, when it differs from the case's.
    pub level: Option<Level>,
    /// Capabilities only this variant needs.
    pub needs: Vec<String>,
    /// The deviation it adds.
    pub change: Change,
    /// Replaces the expectation of the `vary` step, when present.
    pub expect: Option<Expect>,
}

/// What is different from the correct request. Empty for a correct one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// Parameters set to another value; a list repeats the parameter.
    pub with: Vec<(String, Value)>,
    /// Parameters left out.
    pub without: Vec<String>,
    /// Parameters whose value goes out as exactly these bytes, unencoded.
    pub raw: Vec<(String, Template)>,
    /// The credential of the step, broken in this named way (see `jose::forge`).
    pub forge: Option<String>,
}

impl Change {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        *self == Change::default()
    }

    /// The parameters that are set or left out.
    pub fn names(&self) -> Vec<String> {
        self.with
            .iter()
            .map(|(name, _)| name)
            .chain(&self.without)
            .chain(self.raw.iter().map(|(name, _)| name))
            .cloned()
            .collect()
    }
}

/// The closed set of verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Verb {
    /// Fetch a metadata document.
    Discover,
    /// Register a client (RFC 7591).
    Register,
    /// Push an authorization request (RFC 9126).
    Push,
    /// Send the user to the authorization endpoint and through login and consent.
    Authorize,
    /// Redeem a code at the token endpoint.
    Exchange,
    /// authorize, then exchange.
    Grant,
    /// Use a refresh token.
    Refresh,
    /// Revoke a token (RFC 7009).
    Revoke,
    /// Introspect a token (RFC 7662).
    Introspect,
    /// Call a resource server with an access token.
    Call,
    /// A device authorization (RFC 8628): its request, the verification page, or a poll.
    Device,
    /// Any request at all.
    Http,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Verb; 12] = [
        Verb::Discover,
        Verb::Register,
        Verb::Push,
        Verb::Authorize,
        Verb::Exchange,
        Verb::Grant,
        Verb::Refresh,
        Verb::Revoke,
        Verb::Introspect,
        Verb::Call,
        Verb::Device,
        Verb::Http,
    ];

    /// The word in a suite file.
    pub fn word(self) -> &'static str {
        match self {
            Verb::Discover => "discover",
            Verb::Register => "register",
            Verb::Push => "push",
            Verb::Authorize => "authorize",
            Verb::Exchange => "exchange",
            Verb::Grant => "grant",
            Verb::Refresh => "refresh",
            Verb::Revoke => "revoke",
            Verb::Introspect => "introspect",
            Verb::Call => "call",
            Verb::Device => "device",
            Verb::Http => "http",
        }
    }

    /// The parameters, or members, that a correct request carries by itself, so that they can be left out.
    pub fn sends(self) -> &'static [&'static str] {
        match self {
            Verb::Push => &[
                "response_type",
                "client_id",
                "client_secret",
                "redirect_uri",
                "state",
                "scope",
                "code_challenge",
                "code_challenge_method",
                "resource",
                "authorization_details",
            ],
            Verb::Authorize | Verb::Grant => &[
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
            Verb::Exchange => &[
                "grant_type",
                "code",
                "redirect_uri",
                "client_id",
                "code_verifier",
                "resource",
                "client_secret",
            ],
            Verb::Refresh => &["grant_type", "refresh_token", "client_id", "client_secret"],
            Verb::Register => &[
                "redirect_uris",
                "client_name",
                "grant_types",
                "response_types",
                "token_endpoint_auth_method",
                "scope",
            ],
            Verb::Revoke => &["token", "client_id", "client_secret"],
            Verb::Introspect | Verb::Call => &["token"],
            Verb::Device => &[
                "client_id",
                "scope",
                "client_secret",
                "user_code",
                "grant_type",
                "device_code",
            ],
            Verb::Discover | Verb::Http => &[],
        }
    }

    /// Fields that a later step may name as `$step.field`.
    pub fn outputs(self) -> &'static [&'static str] {
        const TOKENS: &[&str] = &[
            "code",
            "state",
            "iss",
            "redirect_uri",
            "verifier",
            "challenge",
            "access_token",
            "refresh_token",
            "id_token",
            "scope",
            "token_type",
            "expires_in",
        ];
        match self {
            Verb::Discover => &[
                "issuer",
                "jwks_uri",
                "token_endpoint",
                "authorization_endpoint",
            ],
            Verb::Register => &[
                "client_id",
                "client_secret",
                "registration_access_token",
                "registration_client_uri",
            ],
            Verb::Push => &["request_uri", "expires_in"],
            Verb::Authorize => &[
                "code",
                "state",
                "iss",
                "error",
                "redirect_uri",
                "verifier",
                "challenge",
            ],
            Verb::Exchange | Verb::Grant | Verb::Refresh => TOKENS,
            Verb::Call => &["status", "session", "mcp_session"],
            Verb::Revoke | Verb::Http => &["status"],
            Verb::Introspect => &["active", "scope", "client_id", "sub"],
            Verb::Device => &[
                "device_code",
                "user_code",
                "user_code_lower",
                "user_code_bare",
                "verification_uri",
                "access_token",
                "refresh_token",
            ],
        }
    }
}

/// What the person at the browser does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum User {
    /// Logs in (a fresh session) and approves.
    #[default]
    Approve,
    /// Logs in and presses deny.
    Deny,
    /// Nobody: no cookie, no login, no click. What the first answers give is what counts.
    Absent,
    /// The second user logs in and approves.
    Second,
    /// The same browser session as the latest authorization of this flow; approves when asked.
    Returning,
    /// Denies, then submits the approval that was on the page all the same.
    DenyThenApprove,
    /// Submits the approval twice, one after the other.
    ApproveTwice,
    /// Submits the approval five times at once.
    ApproveAtOnce,
    /// Submits the first user's approval from another browser, in which the second user is logged in.
    OtherBrowser,
    /// Submits the approval without the hidden fields of the page (a forged cross-site post).
    Forged,
    /// Logs in and approves a part: what the target file says to withhold is withheld.
    Partly,
}

impl User {
    /// Every behaviour.
    pub const ALL: [User; 11] = [
        User::Approve,
        User::Deny,
        User::Absent,
        User::Second,
        User::Returning,
        User::DenyThenApprove,
        User::ApproveTwice,
        User::ApproveAtOnce,
        User::OtherBrowser,
        User::Forged,
        User::Partly,
    ];

    /// The word in a suite file.
    pub fn word(self) -> &'static str {
        match self {
            User::Approve => "approve",
            User::Deny => "deny",
            User::Absent => "absent",
            User::Second => "second",
            User::Returning => "returning",
            User::DenyThenApprove => "deny-then-approve",
            User::ApproveTwice => "approve-twice",
            User::ApproveAtOnce => "approve-at-once",
            User::OtherBrowser => "other-browser",
            User::Forged => "forged",
            User::Partly => "partly",
        }
    }
}

/// One action of a case.
#[derive(Debug, Clone)]
pub struct Step {
    /// What is done.
    pub verb: Verb,
    /// The name later steps use.
    pub name: Option<String>,
    /// Which client acts: a name from the target file, or the name of an earlier `register` step.
    pub client: Option<String>,
    /// What the user does.
    pub user: User,
    /// Which resource (call), document (discover), endpoint (http) or part (device) is meant.
    pub at: Option<String>,
    /// What is arranged and stays in the control: parameters that make the situation, not the fault.
    pub given: Vec<(String, Value)>,
    /// The deviation.
    pub change: Change,
    /// Send this many copies at once.
    pub parallel: Option<u32>,
    /// Pause before the step: a time, or one that the target declares.
    pub wait: Option<Within>,
    /// The variant's change is merged in here.
    pub vary: bool,
    /// This step is what kills the things later steps find dead; left out of their control.
    pub cause: bool,
    /// What must happen.
    pub expect: Expect,
    /// Where it is written.
    pub source: Source,
}

impl Step {
    /// A correct step of this verb with nothing special: client `a`, a user who approves, no deviation, must succeed.
    pub fn new(verb: Verb) -> Step {
        Step {
            verb,
            name: None,
            client: None,
            user: User::Approve,
            at: None,
            given: Vec::new(),
            change: Change::default(),
            parallel: None,
            wait: None,
            vary: false,
            cause: false,
            expect: Expect::default(),
            source: Source::default(),
        }
    }

    /// Whether it is a grant by client credentials (RFC 6749 §4.4): nobody is asked for it.
    pub fn asks_for_itself(&self) -> bool {
        self.verb == Verb::Grant
            && self
                .given
                .iter()
                .any(|(name, value)| name == "grant_type" && *value == Value::text(CREDENTIALS))
    }
}

/// The grant type of RFC 6749 §4.4.
pub const CREDENTIALS: &str = "client_credentials";

/// What must happen. Nothing stated: the step must succeed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expect {
    /// Must be refused; the first code is preferred, another listed one is fine, any other warns.
    pub refused: Option<Vec<String>>,
    /// Must be answered with a page (or an error on the server's own origin): no redirect to the
    /// redirect URI asked for or to any foreign one, and no code.
    pub page: bool,
    /// The resource server must refuse with this challenge error (`""`: a challenge without error).
    pub challenge: Option<Vec<String>>,
    /// Something that lived before must be refused now; its control leaves out the `cause` step.
    pub dead: Option<Vec<String>>,
    /// Poll for this long: a duration, or `policy.NAME` of the target.
    pub within: Option<Within>,
    /// Named checks that must hold on the answer, whether or not it is a refusal.
    pub check: Vec<String>,
    /// When the step is not refused, this named check decides whether the success is lawful.
    pub or: Option<String>,
    /// When the step does not succeed the case does not apply; the text is the reason.
    pub optional: Option<String>,
}

impl Expect {
    /// Whether the step is meant to be refused.
    pub fn refuses(&self) -> bool {
        self.refused.is_some() || self.page || self.challenge.is_some() || self.dead.is_some()
    }
}

/// How long to wait for an effect.
#[derive(Debug, Clone, PartialEq)]
pub enum Within {
    /// A fixed time.
    Time(Duration),
    /// The target's declared policy of this name.
    Policy(String),
}

/// A parameter's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// One string, possibly with references.
    Text(Template),
    /// The parameter repeated, or a JSON array in a registration body.
    List(Vec<Value>),
    /// For JSON bodies.
    Number(f64),
    /// For JSON bodies.
    Bool(bool),
    /// For JSON bodies (an authorization detail, client metadata); serialised where a string is needed.
    Table(BTreeMap<String, Value>),
}

impl Value {
    /// A text without references.
    pub fn text(text: &str) -> Value {
        Value::Text(Template(vec![Part::Text(text.to_owned())]))
    }
}

/// Text with references.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Template(pub Vec<Part>);

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// As written (`$$` is a dollar).
    Text(String),
    /// `$name.field`.
    Reference {
        /// A step's name or a built-in (`client`, `other`, `pkce`, `redirect`, `target`, `resource`, `random`, `user`, `rar`).
        name: String,
        /// `[a-z0-9_]+`.
        field: String,
    },
}
