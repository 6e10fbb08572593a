//! The shape of a suite file, for the JSON Schema (`schemas/suite.json`) and for the loader, which
//! takes the known and the required keys from here. Nothing is deserialised into these structs: the
//! loader in `read` walks the TOML itself, to keep the place of every value.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::model::{User, Verb};
use crate::event::{Level, Severity};

/// A suite of cases for oauthspec. A case is the correct flow, minus one thing.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SuiteFile {
    /// The first half of every id in this file, a slug: `pkce`.
    #[schemars(regex(pattern = r"^[a-z0-9]+(-[a-z0-9]+)*$"))]
    pub suite: String,
    /// What the suite is about, for people.
    pub title: String,
    /// The suite applies only to targets whose `profiles` name this one: the suite of a published service.
    #[schemars(regex(pattern = r"^[a-z0-9]+(-[a-z0-9]+)*$"))]
    pub profile: Option<String>,
    /// The cases.
    #[schemars(length(min = 1))]
    pub case: Vec<CaseFile>,
    /// Tables of variants that several cases share: `[table.NAME]`, used with `each = "NAME"`.
    pub table: Option<BTreeMap<String, BTreeMap<String, VariantFile>>>,
}

/// One requirement and how it is put to the test.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CaseFile {
    /// The second half of the id, a slug that never changes: `plain-rejected`.
    #[schemars(regex(pattern = r"^[a-z0-9]+(-[a-z0-9]+)*$"))]
    pub id: String,
    /// The requirement in one line.
    pub title: String,
    /// How binding it is, before a profile raises or lowers it.
    pub level: Level,
    /// What a breach costs the user.
    pub severity: Severity,
    /// Clauses, `document#section`: `rfc6749#4.1.2.1`, or `derived`.
    #[schemars(length(min = 1))]
    pub refs: Vec<String>,
    /// What an attacker or a client suffers when it is broken.
    pub why: String,
    /// What a correct server does.
    pub fix: String,
    /// Capabilities the target must have: `refresh_token`, `client.b`, `resource.write`, …
    #[schemars(length(min = 1))]
    pub needs: Option<Vec<String>>,
    /// Further rows of the catalogue this case serves.
    #[schemars(length(min = 1))]
    pub rows: Option<Vec<String>>,
    /// The service's promise in our words, with page and section.
    pub promise: Option<String>,
    /// Why no fault of the reference server can turn the case red.
    pub without_fault: Option<String>,
    /// Variants: a table of them, or the name of a `[table.NAME]` of this file.
    pub each: Option<EachFile>,
    /// What is done, in order.
    #[schemars(length(min = 1))]
    pub step: Vec<StepFile>,
}

/// The variants of a case.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum EachFile {
    /// The name of a `[table.NAME]`.
    Name(String),
    /// The variants by name.
    Here(BTreeMap<String, VariantFile>),
}

/// One variant, merged into the steps marked `vary`. Any other key is a parameter, as under `with`.
#[derive(JsonSchema)]
pub struct VariantFile {
    /// Parameters set to another value.
    pub with: Option<BTreeMap<String, ParameterFile>>,
    /// Parameters left out.
    #[schemars(length(min = 1))]
    pub without: Option<Vec<String>>,
    /// Parameters whose value goes out as exactly these bytes.
    pub raw: Option<BTreeMap<String, String>>,
    /// The credential of the step broken in this named way.
    pub forge: Option<String>,
    /// This variant's own level.
    pub level: Option<Level>,
    /// Capabilities only this variant needs.
    #[schemars(length(min = 1))]
    pub needs: Option<Vec<String>>,
    /// Replaces the expectation of the step.
    pub expect: Option<ExpectFile>,
}

/// One action. Without `expect` it must succeed.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct StepFile {
    /// The verb.
    #[schemars(rename = "do")]
    pub verb: Verb,
    /// A name for later references; it must be used.
    #[schemars(rename = "as", regex(pattern = r"^[a-z][a-z0-9-]*$"))]
    pub name: Option<String>,
    /// Who acts: a client of the target file (default `a`) or an earlier `register` step.
    pub client: Option<String>,
    /// What the person does.
    pub user: Option<User>,
    /// Which resource (call, grant, authorize), document (discover) or endpoint (http).
    pub at: Option<String>,
    /// Parameters that make the situation; they stay in the control.
    pub given: Option<BTreeMap<String, ParameterFile>>,
    /// The deviation: parameters set to another value. A list repeats the parameter.
    pub with: Option<BTreeMap<String, ParameterFile>>,
    /// The deviation: parameters left out.
    #[schemars(length(min = 1))]
    pub without: Option<Vec<String>>,
    /// The deviation: parameters whose value goes out as exactly these bytes.
    pub raw: Option<BTreeMap<String, String>>,
    /// The deviation: the credential of the step broken in this named way.
    pub forge: Option<String>,
    /// Send the request this many times at once.
    #[schemars(range(min = 2, max = 64))]
    pub parallel: Option<u32>,
    /// Pause before the step: `2s`, at most a minute.
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m)$"))]
    pub wait: Option<String>,
    /// This step takes the variant's change.
    pub vary: Option<bool>,
    /// This step kills what later steps find `dead`.
    pub cause: Option<bool>,
    /// What must happen.
    pub expect: Option<ExpectFile>,
}

/// What must happen.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ExpectFile {
    /// Refused by the protocol: the first code is preferred, the others are fine.
    #[schemars(length(min = 1))]
    pub refused: Option<Vec<String>>,
    /// A page: no redirect to the URI asked for nor to anything foreign, and no code.
    pub page: Option<bool>,
    /// The resource server refuses with one of these Bearer errors; an empty string stands for none.
    #[schemars(length(min = 1))]
    pub challenge: Option<Vec<String>>,
    /// What lived before is refused now.
    #[schemars(length(min = 1))]
    pub dead: Option<Vec<String>>,
    /// Poll for this long: a duration or `policy.NAME`.
    pub within: Option<String>,
    /// Named checks on the answer.
    #[schemars(length(min = 1))]
    pub check: Option<Vec<String>>,
    /// Not refused? This check decides whether the success is lawful.
    #[schemars(rename = "or")]
    pub or_check: Option<String>,
    /// Does not succeed? Then the case is skipped for this reason.
    pub optional: Option<String>,
}

/// A parameter's value; strings may hold references `$name.field`.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum ParameterFile {
    /// Text.
    Text(String),
    /// For JSON bodies.
    Number(f64),
    /// For JSON bodies.
    Bool(bool),
    /// The parameter repeated; in a registration body a JSON array.
    List(Vec<ParameterFile>),
    /// For JSON bodies.
    Table(BTreeMap<String, ParameterFile>),
}
