//! The policy read-out: what a server may choose, and chose.

use super::Prepared;
use crate::event::{CaseReport, PolicyLine, Verdict};

/// Topic, case, variant (or `""`), and what to say for a pass and for anything accepted.
const TOPICS: &[(&str, &str, &str)] = &[
    ("code_challenge_method=plain", "pkce.plain-rejected", ""),
    (
        "no code_challenge (public client)",
        "pkce.missing-challenge",
        "",
    ),
    (
        "no code_challenge (confidential client)",
        "pkce.missing-challenge-confidential",
        "",
    ),
    ("code_challenge_method left out", "pkce.method-omitted", ""),
    ("no resource", "resource.missing", ""),
    ("other spellings of the resource", "resource.near-equal", ""),
    (
        "no redirect_uri, several registered",
        "redirect.missing-many",
        "",
    ),
    (
        "loopback redirect on another port",
        "redirect.loopback-any-port",
        "",
    ),
    ("rotation", "refresh.rotation", ""),
    ("refresh token used again", "refresh.old-rejected", ""),
    (
        "redirect_uri left out at the token endpoint",
        "redirect.token-missing",
        "",
    ),
    ("iss in the authorization response", "iss.success", ""),
    ("scope left out", "scope.omitted", ""),
];

/// Whether the read-out looks at this case.
pub fn reads(id: &str) -> bool {
    TOPICS.iter().any(|(_, case, _)| *case == id)
}

/// Reads the policy off the decided cases and the metadata.
pub fn read_out(prepared: &Prepared, cases: &[CaseReport]) -> Vec<PolicyLine> {
    let mut lines = Vec::new();
    let mut say = |topic: &str, observed: String| {
        lines.push(PolicyLine {
            topic: topic.to_owned(),
            observed,
        });
    };
    let member = |name: &str| {
        prepared
            .world
            .metadata
            .as_ref()
            .and_then(|metadata| metadata.get(name))
            .map(ToString::to_string)
    };
    if let Some(methods) = member("code_challenge_methods_supported") {
        say(
            "PKCE methods announced",
            methods.replace(['"', '[', ']'], "").replace(',', " "),
        );
    }
    // Without a grant nothing was seen of them.
    if prepared.has("login") && prepared.world.target.mint.is_none() {
        let jwt = prepared.has("jwt");
        say(
            "access tokens",
            if jwt { "JWT" } else { "opaque" }.to_owned(),
        );
        let issued = prepared.has("refresh_token");
        say(
            "refresh tokens",
            if issued { "issued" } else { "not issued" }.to_owned(),
        );
    }
    for (topic, id, variant) in TOPICS {
        let Some(case) = cases.iter().find(|case| case.id == *id) else {
            continue;
        };
        let observed = case
            .variants
            .iter()
            .find(|own| variant.is_empty() || own.name == *variant)
            .filter(|own| !matches!(own.verdict, Verdict::Skipped | Verdict::Inconclusive))
            .map(|own| own.reason.clone());
        if let Some(observed) = observed {
            say(topic, observed);
        }
    }
    lines
}
