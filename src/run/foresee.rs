//! What a target file lets one foresee: which cases would run, before anything is sent to anybody.

use super::{Failure, Options, Prepared, plan, prepare};
use crate::profile;
use crate::suite::model::{Case, Suite};
use crate::targets::model::{ClientAuth, Driver, Target};

/// What will become of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prospect {
    /// It runs, when the login works.
    Runs,
    /// It runs if the server offers these capabilities; only the server can tell.
    IfServer(Vec<String>),
    /// The target file rules it out.
    Skipped(String),
}

/// Capabilities that the server's documents and answers show.
const OF_THE_SERVER: &[&str] = &[
    "metadata",
    "openid",
    "prm",
    "registration",
    "management",
    "refresh_token",
    "revocation",
    "introspection",
    "resource",
    "jwt",
    "jwks",
    "id_token",
    "par",
    "jar",
    "device",
    "dpop",
    "cimd",
    "subject",
    "client_credentials",
];

/// What would become of each selected case, by id.
///
/// # Errors
/// The network configuration is wrong.
pub fn foresee(
    target: Target,
    suites: &[Suite],
    options: &Options,
) -> Result<Vec<(String, Prospect)>, Failure> {
    let profiles = options.profiles(&target).to_vec();
    let by_registration: Vec<String> = (target.clients.iter())
        .filter(|client| client.register)
        .map(|client| format!("client.{}", client.name))
        .collect();
    // Nothing is sent, so nobody has to permit it.
    let unsent = Options {
        i_am_authorized: true,
        ..options.clone()
    };
    let world = prepare::connect(target, &unsent)?;
    let open = open(&world.target);
    let mut capabilities = world.static_capabilities();
    capabilities.extend(by_login(&world.target));
    capabilities.extend(open.iter().map(|&name| name.to_owned()));
    capabilities.extend(by_registration.iter().cloned());
    let prepared = Prepared {
        world,
        capabilities,
        reasons: Vec::new(),
        preflight: Ok(()),
        warnings: Vec::new(),
    };
    let prospect = |case: &Case| {
        let mut least: Option<Vec<String>> = None;
        let mut reason = None;
        for variant in &case.variants {
            if let Some(why) = plan::skip_reason(case, variant, &prepared) {
                reason.get_or_insert(why);
                continue;
            }
            let mut needs: Vec<String> = Vec::new();
            for need in case.needs.iter().chain(&variant.needs) {
                if by_registration.contains(need) {
                    needs.push("registration".to_owned());
                } else if open.contains(&need.as_str()) {
                    needs.push(need.clone());
                }
            }
            needs.sort();
            needs.dedup();
            if least.as_ref().is_none_or(|least| needs.len() < least.len()) {
                least = Some(needs);
            }
        }
        match (least, reason) {
            (Some(needs), _) if needs.is_empty() => Prospect::Runs,
            (Some(needs), _) => Prospect::IfServer(needs),
            (None, reason) => Prospect::Skipped(reason.unwrap_or_default()),
        }
    };
    let suites = profile::judged(suites, &profiles);
    Ok(plan::select(&suites, options, Some(&profiles))
        .into_iter()
        .map(|case| (case.id.clone(), prospect(case)))
        .collect())
}

/// What a login that works brings with it.
fn by_login(target: &Target) -> Vec<String> {
    let mut found = Vec::new();
    let brings = target.login.driver.brings_tokens();
    if !target.clients.is_empty() && (target.login.driver != Driver::None || brings) {
        found.push("login".to_owned());
        let walks = matches!(
            target.login.driver,
            Driver::Form | Driver::Browser | Driver::Json
        );
        found.extend(walks.then(|| "pages".to_owned()));
    }
    found.extend((!target.resources.is_empty()).then(|| "rs".to_owned()));
    found
}

/// What this target leaves to the server.
fn open(target: &Target) -> Vec<&'static str> {
    let given = target.login.driver.brings_tokens();
    let confidential = |auth: ClientAuth| auth != ClientAuth::None;
    OF_THE_SERVER
        .iter()
        .copied()
        .filter(|name| match *name {
            "introspection" => target.introspection_client.is_some(),
            "resource" => target.resources.first().is_some_and(|one| one.id.is_some()),
            "client_credentials" => (target.clients.iter()).any(|client| confidential(client.auth)),
            // Tokens that are given are shown to resource servers only.
            "metadata" | "openid" | "prm" | "jwt" | "jwks" | "subject" => true,
            _ => !given,
        })
        .collect()
}
