//! One named check a concern: what the answer of a step means.
//!
//! What each check means is written in `docs/checks.md`, and only there: [`doc`] reads it from that
//! file. Here every check is a row of a table: its name, and a function that looks at a [`View`] of
//! the scene. Only `single-success` and `canary-unvisited` send or wait.

mod doc;

use crate::flow::Scene;

pub use doc::{Doc, doc};

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// As it should be.
    Pass,
    /// A formal deviation.
    Warn,
    /// Broken.
    Fail,
    /// It could not be seen.
    Undecided,
    /// The check makes no sense for this answer.
    NotApplicable,
}

/// A check's result with the sentence that quotes what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was found.
    pub found: Found,
    /// Why.
    pub reason: String,
}

/// Every check's name.
pub const NAMES: &[&str] = &[
    "metadata-response",
    "metadata-issuer",
    "metadata-path-inserted",
    "metadata-direct",
    "metadata-members",
    "metadata-no-empty",
    "metadata-urls",
    "metadata-https",
    "metadata-pkce",
    "metadata-no-plain",
    "metadata-no-legacy",
    "metadata-auth-algs",
    "metadata-agrees",
    "jwks-public-only",
    "prm-resource",
    "prm-members",
    "prm-no-empty",
    "prm-authorization-servers",
    "prm-listed",
    "prm-bearer-methods",
    "prm-distinct",
    "challenge-resource-metadata",
    "code-response",
    "state-echoed",
    "iss-equals-issuer",
    "iss-flag-truthful",
    "error-charset",
    "no-token-in-redirect",
    "no-code",
    "single-code",
    "redirect-is-registered",
    "redirect-query-kept",
    "response-mode-lawful",
    "consent-was-shown",
    "consent-names-client",
    "subject-unchanged",
    "no-reflection",
    "no-header-injection",
    "challenge-not-in-code",
    "code-quality",
    "no-307",
    "framing-blocked",
    "no-cors",
    "referrer-policy",
    "session-cookies",
    "token-response-shape",
    "token-error-shape",
    "error-not-200",
    "no-store",
    "not-invalid-grant",
    "basic-challenge",
    "no-refresh-token",
    "scope-reported",
    "scope-within-grant",
    "scope-as-requested",
    "made-up-scope-not-granted",
    "tokens-differ",
    "refresh-token-rotated",
    "single-success",
    "token-lifetime",
    "token-quality",
    "audience-is-resource",
    "audience-known",
    "details-returned",
    "details-within-grant",
    "details-in-token",
    "details-types-known",
    "jwt-header",
    "jwt-claims",
    "jwt-consistent",
    "jwt-verifies",
    "jwt-secret-not-guessable",
    "challenge-syntax",
    "challenge-scope",
    "no-protected-data",
    "body-differs-from-success",
    "prompt-answer",
    "introspection-active",
    "introspection-inactive",
    "registration-response",
    "registration-replaced",
    "registration-corrected",
    "registration-id-fresh",
    "registration-without-legacy",
    "registration-scope-within",
    "secret-quality",
    "listener-visited",
    "canary-unvisited",
    "no-attacker-host",
    "no-detail-leak",
    "decided-later",
];

/// Runs the named check on the scene's step number `at`.
pub async fn run(name: &str, scene: &mut Scene<'_>, at: usize) -> Finding {
    let _ = (scene, at);
    let reason = if NAMES.contains(&name) {
        format!("{name} is not implemented yet")
    } else {
        format!("no check is called {name}")
    };
    Finding {
        found: Found::Undecided,
        reason,
    }
}
