//! The JSON report: the published format, versioned, with its schema in `schemas/report.json`.

use std::io;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{
    CaseReport, Exchange, Level, PolicyLine, Severity, Summary, VariantReport, Verdict,
};

use super::{Run, worst};

/// The version of the format. It grows when a member changes its meaning or goes away; new members
/// may come without it.
pub const FORMAT_VERSION: u32 = 1;

/// A run as written by `--report json=PATH` and read by `compare`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// The version of this format: 1.
    pub format_version: u32,
    /// Name and version of the tool: `oauthspec 0.1.0`.
    pub tool: String,
    /// The target's name or issuer.
    pub target: String,
    /// The target file and the line of its issuer, `target.toml:3`, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_file: Option<String>,
    /// The profiles that judged.
    pub profiles: Vec<String>,
    /// When the run began: RFC 3339, UTC.
    pub started_at: String,
    /// Wall time in milliseconds.
    pub duration_ms: u64,
    /// Requests sent.
    pub requests: u64,
    /// The seed of everything random.
    pub seed: u64,
    /// How many cases came to each verdict.
    pub summary: Summary,
    /// Cases that pass, fail or warn: those about which something was learnt.
    pub decided: u32,
    /// The exit code.
    pub exit_code: u8,
    /// The exit code's meaning in words.
    pub outcome: String,
    /// Why the run ended early, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<String>,
    /// Failures of the run itself, such as waivers that no longer apply.
    pub problems: Vec<String>,
    /// What the server was seen to do where it has a choice.
    pub policy: Vec<PolicyLine>,
    /// What could not be removed from the target.
    pub leftovers: Vec<String>,
    /// The cases, ordered by id.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Case {
    /// The stable id: `pkce.plain-rejected`.
    pub id: String,
    /// The suite's name.
    pub suite: String,
    /// The requirement in one line.
    pub title: String,
    /// The worst verdict of its variants, after waivers.
    pub verdict: Verdict,
    /// How binding the requirement is.
    pub level: Level,
    /// What a breach costs the user.
    pub severity: Severity,
    /// The clauses: `rfc9700#2.1.1`.
    pub refs: Vec<String>,
    /// The worst variant's reason, in one sentence.
    pub reason: String,
    /// Why it matters.
    pub why: String,
    /// What a correct server does.
    pub fix: String,
    /// The service promise under test, when it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promise: Option<String>,
    /// The waiver's reason, when one applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived: Option<String>,
    /// Where the case is written: file and line.
    pub source: String,
    /// Milliseconds spent on it.
    pub duration_ms: u64,
    /// Every variant; a case without variants has one, named "".
    pub variants: Vec<Variant>,
    /// The exchanges of the worst variant: first its control, then the flow with the deviation.
    pub evidence: Vec<Evidence>,
}

/// One variant of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Variant {
    /// Its name, "" for a case without variants.
    pub name: String,
    /// What was decided.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub reason: String,
    /// The one deviation, in words.
    pub deviation: String,
}

/// Which of the two flows an exchange belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// The correct flow that stands beside the deviation.
    Control,
    /// The flow with the one deviation.
    Deviation,
}

/// One exchange of a case, redacted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Which of the two flows it belongs to.
    pub flow: Flow,
    /// The exchange.
    #[serde(flatten)]
    pub exchange: Exchange,
}

impl From<&Run> for Document {
    fn from(run: &Run) -> Document {
        Document {
            format_version: FORMAT_VERSION,
            tool: run.start.tool.clone(),
            target: run.start.target.clone(),
            target_file: run.start.target_file.clone(),
            profiles: run.start.profiles.clone(),
            started_at: run.start.started_at.clone(),
            duration_ms: run.end.duration_ms,
            requests: run.end.requests,
            seed: run.start.seed,
            summary: run.end.summary,
            decided: run.end.summary.decided(),
            exit_code: run.end.exit_code,
            outcome: run.end.outcome.clone(),
            interrupted: run.end.interrupted.clone(),
            problems: run.end.problems.clone(),
            policy: run.end.policy.clone(),
            leftovers: run.end.leftovers.clone(),
            cases: run.cases.iter().map(Case::from).collect(),
        }
    }
}

impl From<&CaseReport> for Case {
    fn from(case: &CaseReport) -> Case {
        let evidence = worst(case).map_or_else(Vec::new, |variant| {
            let of = |flow: Flow| {
                move |exchange: &Exchange| Evidence {
                    flow,
                    exchange: exchange.clone(),
                }
            };
            variant
                .control
                .iter()
                .map(of(Flow::Control))
                .chain(variant.evidence.iter().map(of(Flow::Deviation)))
                .collect()
        });
        Case {
            id: case.id.clone(),
            suite: case.suite.clone(),
            title: case.title.clone(),
            verdict: case.verdict,
            level: case.level,
            severity: case.severity,
            refs: case.refs.clone(),
            reason: case.reason.clone(),
            why: case.why.clone(),
            fix: case.fix.clone(),
            promise: case.promise.clone(),
            waived: case.waived.clone(),
            source: case.source.clone(),
            duration_ms: case.duration_ms,
            variants: case
                .variants
                .iter()
                .map(|variant| Variant {
                    name: variant.name.clone(),
                    verdict: variant.verdict,
                    reason: variant.reason.clone(),
                    deviation: variant.deviation.clone(),
                })
                .collect(),
            evidence,
        }
    }
}

/// A case as a report tells it again, for a run that goes on. The evidence of the variants that were
/// not the worst is not in the file.
impl From<&Case> for CaseReport {
    fn from(case: &Case) -> CaseReport {
        let of = |flow: Flow| -> Vec<Exchange> {
            case.evidence
                .iter()
                .filter(|evidence| evidence.flow == flow)
                .map(|evidence| evidence.exchange.clone())
                .collect()
        };
        let mut variants: Vec<VariantReport> = case
            .variants
            .iter()
            .map(|variant| VariantReport {
                name: variant.name.clone(),
                verdict: variant.verdict,
                reason: variant.reason.clone(),
                deviation: variant.deviation.clone(),
                evidence: Vec::new(),
                control: Vec::new(),
            })
            .collect();
        let worst = variants.iter().map(|variant| variant.verdict).max();
        if let Some(variant) = variants
            .iter_mut()
            .find(|variant| Some(variant.verdict) == worst)
        {
            variant.control = of(Flow::Control);
            variant.evidence = of(Flow::Deviation);
        }
        CaseReport {
            id: case.id.clone(),
            suite: case.suite.clone(),
            title: case.title.clone(),
            verdict: case.verdict,
            level: case.level,
            severity: case.severity,
            refs: case.refs.clone(),
            reason: case.reason.clone(),
            why: case.why.clone(),
            fix: case.fix.clone(),
            promise: case.promise.clone(),
            // Waivers are applied anew: the file may have changed.
            waived: None,
            variants,
            source: case.source.clone(),
            duration_ms: case.duration_ms,
        }
    }
}

/// The run as JSON text.
pub fn render(run: &Run) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(&Document::from(run))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The JSON Schema of the format.
pub fn schema() -> String {
    let schema = schemars::schema_for!(Document);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::sample;

    #[test]
    fn the_committed_schema_is_the_one_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/report.json");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, schema()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(
            committed,
            schema(),
            "schemas/report.json is stale: run `UPDATE=1 cargo test -p oauthspec report::json` and commit it"
        );
    }

    #[test]
    fn the_evidence_is_the_worst_variants_control_and_deviation() {
        let document = Document::from(&sample::run());
        let case = document
            .cases
            .iter()
            .find(|case| case.id == "redirect.near-miss")
            .unwrap();
        assert_eq!(case.verdict, Verdict::Fail);
        assert_eq!(case.variants.len(), 3);
        let flows: Vec<Flow> = case.evidence.iter().map(|evidence| evidence.flow).collect();
        assert_eq!(flows, [Flow::Control, Flow::Control, Flow::Deviation]);
    }

    #[test]
    fn every_promised_member_is_there() {
        let value: serde_json::Value =
            serde_json::from_slice(&render(&sample::run()).unwrap()).unwrap();
        for member in [
            "format_version",
            "tool",
            "target",
            "profiles",
            "started_at",
            "duration_ms",
            "requests",
            "seed",
            "summary",
            "policy",
            "cases",
        ] {
            assert!(value.get(member).is_some(), "{member}");
        }
        for member in ["pass", "fail", "warn", "inconclusive", "skipped", "error"] {
            assert!(value["summary"][member].is_u64(), "{member}");
        }
        for member in [
            "id", "verdict", "level", "severity", "refs", "reason", "variants", "evidence",
        ] {
            assert!(value["cases"][0].get(member).is_some(), "{member}");
        }
    }

    #[test]
    fn a_case_read_back_is_told_in_the_same_words() {
        for mut case in sample::cases() {
            case.waived = None;
            let written = Case::from(&case);
            let again = Case::from(&CaseReport::from(&written));
            assert_eq!(again, written);
        }
    }

    proptest! {
        #[test]
        fn hostile_text_comes_back_as_the_same_text(text in any::<String>()) {
            crate::fuzzing::report::json(&text);
        }
    }
}
