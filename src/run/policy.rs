//! The policy read-out: what a server may choose, and chose.

use super::Prepared;
use crate::event::{CaseReport, PolicyLine, VariantReport, Verdict};

/// A choice that one case shows.
struct Topic {
    topic: &'static str,
    case: &'static str,
    /// What to say where the server did as asked; `""`: what the case's check says of it.
    accepted: &'static str,
}

const TOPICS: &[Topic] = &[
    topic(
        "code_challenge_method=plain",
        "pkce.plain-rejected",
        "accepted",
    ),
    topic(
        "no code_challenge (public client)",
        "pkce.missing-challenge",
        "accepted",
    ),
    topic(
        "no code_challenge (confidential client)",
        "pkce.missing-challenge-confidential",
        "accepted",
    ),
    topic(
        "code_challenge_method left out",
        "pkce.method-omitted",
        "accepted, as plain",
    ),
    topic("no resource", "resource.missing", "accepted"),
    topic(
        "other spellings of the resource",
        "resource.near-equal",
        "accepted",
    ),
    topic(
        "no redirect_uri, several registered",
        "redirect.missing-many",
        "accepted",
    ),
    topic(
        "loopback redirect on another port",
        "redirect.loopback-any-port",
        "accepted",
    ),
    topic("rotation", "refresh.rotation", ""),
    topic(
        "refresh token used again",
        "refresh.old-rejected",
        "accepted",
    ),
    topic(
        "no redirect_uri at the token endpoint",
        "redirect.token-missing",
        "accepted",
    ),
    topic("iss in the authorization response", "iss.success", "sent"),
    topic("scope left out", "scope.omitted", ""),
];

const fn topic(topic: &'static str, case: &'static str, accepted: &'static str) -> Topic {
    Topic {
        topic,
        case,
        accepted,
    }
}

/// Whether the read-out looks at this case.
pub fn reads(id: &str) -> bool {
    TOPICS.iter().any(|topic| topic.case == id)
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
    // A resource server alone registers nobody and issues nothing.
    if prepared.world.target.mint.is_none() {
        say("dynamic registration", registration(prepared));
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
    for topic in TOPICS {
        let Some(case) = cases.iter().find(|case| case.id == topic.case) else {
            continue;
        };
        let decided = case
            .variants
            .iter()
            .find(|own| !matches!(own.verdict, Verdict::Skipped | Verdict::Inconclusive));
        if let Some(variant) = decided {
            say(topic.topic, observed(topic, variant));
        }
    }
    lines
}

/// Whether a client may register itself (RFC 7591 §3).
fn registration(prepared: &Prepared) -> String {
    let refused = prepared
        .reasons
        .iter()
        .find(|(name, _)| name == "registration");
    if prepared.has("management") {
        "open, and a client may change and delete itself".into()
    } else if prepared.has("registration") {
        "open".into()
    } else if prepared.world.endpoints.registration.is_none() {
        "not offered".into()
    } else {
        refused.map_or_else(|| "not tried".into(), |(_, reason)| reason.clone())
    }
}

/// The variant's reason without the deviation, which the topic names already.
fn observed(topic: &Topic, variant: &VariantReport) -> String {
    let reason = variant.reason.as_str();
    let rest = reason
        .strip_prefix(variant.deviation.as_str())
        .map_or(reason, str::trim_start);
    match rest.strip_prefix("succeeded") {
        Some(_) if !topic.accepted.is_empty() => topic.accepted.to_owned(),
        Some(tail) => {
            let tail = tail.strip_prefix(", lawfully").unwrap_or(tail);
            format!("accepted{tail}")
        }
        None => rest.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(case: &str, deviation: &str, reason: &str) -> String {
        let topic = TOPICS.iter().find(|topic| topic.case == case).unwrap();
        let variant = VariantReport {
            name: String::new(),
            verdict: Verdict::Pass,
            reason: reason.into(),
            deviation: deviation.into(),
            evidence: Vec::new(),
            control: Vec::new(),
        };
        observed(topic, &variant)
    }

    #[test]
    fn a_line_says_what_the_server_did_and_not_again_what_was_asked() {
        let deviation = "authorize without code_challenge";
        for (case, reason, expected) in [
            (
                "pkce.missing-challenge",
                "authorize without code_challenge refused by redirect (302 invalid_request)",
                "refused by redirect (302 invalid_request)",
            ),
            (
                "pkce.missing-challenge",
                "authorize without code_challenge succeeded, and must not",
                "accepted",
            ),
            (
                "scope.omitted",
                "authorize without code_challenge succeeded, lawfully: `scope` is read",
                "accepted: `scope` is read",
            ),
            (
                "refresh.rotation",
                "strict: refused at once",
                "strict: refused at once",
            ),
        ] {
            assert_eq!(said(case, deviation, reason), expected);
        }
    }
}
