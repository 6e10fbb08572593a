//! Which variants run, which are skipped and why.

use std::time::Duration;

use super::{Options, Prepared, waiver};
use crate::flow::World;
use crate::suite::model::{Case, Suite, Variant, Verb};

/// The cases the options select, in order. `profiles`: those of the target, when it is known; suites of other profiles do not apply to it.
pub fn select<'a>(
    suites: &'a [Suite],
    options: &Options,
    profiles: Option<&[String]>,
) -> Vec<&'a Case> {
    let mut cases: Vec<&Case> = suites
        .iter()
        .filter(|suite| profiles.is_none_or(|profiles| suite.applies(profiles)))
        .filter(|suite| options.suites.is_empty() || options.suites.contains(&suite.name))
        .flat_map(|suite| &suite.cases)
        .filter(|case| {
            options.cases.is_empty()
                || options.cases.iter().any(|glob| {
                    // `redirect.near-miss/port-zero` selects the case of that variant.
                    let glob = glob.split('/').next().unwrap_or(glob);
                    waiver::glob(glob, &case.id)
                })
        })
        .collect();
    if let Some((part, of)) = options.partition {
        let mut number = 0;
        cases.retain(|_| {
            number += 1;
            number % of.max(1) == part % of.max(1)
        });
    }
    cases
}

/// What a case may wait without being asked to.
const SHORT: Duration = Duration::from_secs(10);

/// How long a case waits on this target.
pub fn budget(case: &Case, world: &World) -> Duration {
    let waits = case.steps.iter().filter_map(|step| step.wait.as_ref());
    waits.map(|wait| world.wait(wait)).sum()
}

/// Why a variant does not apply to this target, or `None` when it runs.
pub fn skip_reason(case: &Case, variant: &Variant, prepared: &Prepared) -> Option<String> {
    if prepared.world.target.mint.is_some() && !meets_a_resource(case) {
        let why = "oauthspec is the issuer: this case is about an authorization server";
        return Some(why.to_owned());
    }
    let missing: Vec<&String> = case
        .needs
        .iter()
        .chain(&variant.needs)
        .filter(|need| !prepared.has(need))
        .collect();
    let Some(first) = missing.first() else {
        let budget = budget(case, &prepared.world);
        return (budget > SHORT && !prepared.world.slow).then(|| {
            format!(
                "slow: it waits {} s for what the target declares; pass --slow",
                budget.as_secs()
            )
        });
    };
    let why = prepared
        .reasons
        .iter()
        .find(|(capability, _)| capability == *first)
        .map_or_else(|| enabling(first), |(_, reason)| reason.clone());
    Some(format!("needs {first}: {why}"))
}

/// Whether what a case judges happens at a resource server.
fn meets_a_resource(case: &Case) -> bool {
    case.steps.iter().any(|step| {
        let at = step.at.as_deref().unwrap_or_default();
        let there = match step.verb {
            Verb::Call => true,
            Verb::Http | Verb::Discover => at.starts_with("resource"),
            _ => false,
        };
        let judged = step.vary || step.expect.refuses() || !step.expect.check.is_empty();
        there && (judged || !step.change.is_empty())
    })
}

/// What would give the target this capability.
fn enabling(need: &str) -> String {
    if let Some(client) = need.strip_prefix("client.") {
        return format!("add [client.{client}] to the target file");
    }
    if let Some(resource) = need.strip_prefix("resource.") {
        return format!("add [resource.{resource}] to the target file");
    }
    if let Some(user) = need.strip_prefix("user.") {
        return format!("add [user.{user}] to the target file");
    }
    if let Some(detail) = need.strip_prefix("rar.") {
        return format!("add [rar.{detail}] to the target file");
    }
    match need {
        "login" => "no user can be driven through login: see [login] in docs/targets.md",
        "deny" => "no login step says which button denies: add `deny` to one",
        "partly" => "no login step says what withholds a scope: add `partly` to one, if the page lets people choose",
        "metadata" => "the server publishes no authorization server metadata",
        "openid" => "the server publishes no openid-configuration",
        "prm" => "no protected resource metadata at the resource's well-known URL",
        "registration" => "no registration endpoint",
        "management" => "registrations come without a management URL",
        "refresh_token" => "a grant brings no refresh token",
        "revocation" => "no revocation endpoint",
        "introspection" => {
            "no introspection endpoint, or no [introspection] client in the target file"
        }
        "resource" => "[resource.a] has no id, so the server has no resource indicators",
        "rar" => "no [rar.NAME] in the target file",
        "jwt" => "access tokens are opaque",
        "jwks" => "no key set is published",
        "id_token" => "no ID token is issued",
        "par" => "no pushed authorization request endpoint",
        "par_required" => "the metadata does not say require_pushed_authorization_requests",
        "device" => "no device authorization endpoint",
        "mcp" => "no [resource.NAME] of the target file says mcp = \"2026-07-28\"",
        "https" => "the issuer is not on https",
        "mcp-session" => "no MCP server of the target is of revision 2025-11-25 or older: later ones keep no sessions",
        "mcp-headers" => "no MCP server of the target is of revision 2026-07-28 or later, with a probe that calls a tool",
        "broader" => "no [resource.NAME] of the target file says which broader scope covers its own",
        "listener" => "the server is not on this machine, so it cannot reach our listener",
        "burst" => {
            "it makes up to 50 registrations: permit that with burst = true in [policy] of the target file"
        }
        "pages" => "the login shows no page",
        "client_credentials" => {
            "no confidential client of the target file gets a token by client_credentials"
        }
        "issuer_key" => "the issuer's key is not ours: see [mint] in docs/targets.md",
        "subject" => "nothing says whose token it is: no JWT, no ID token and no introspection",
        "first-consent" => {
            "the target file says consent_remembered: what a user once approved stays approved"
        }
        "rs" => "no [resource.NAME] in the target file",
        _ => "the server does not announce it",
    }
    .to_owned()
}
