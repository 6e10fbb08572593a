//! What is wrong with a configuration, found before a case runs: each mistake by name, with what to do.
//!
//! The checks go from the outside in: can the server be reached, is the issuer spelt right, are the
//! clients known, does the login get through, does the probe answer. What cannot be looked at because
//! something before it is broken is not guessed at. A mistake in the target file must never look like a
//! failure of the server, so whatever is the server's own doing is said to be that.

mod client;
mod device;
pub mod explore;
pub mod init;
mod mcp;
mod page;
mod person;
mod reach;
mod resource;
mod server;
pub mod survey;

use crate::flow::{Scene, World};
use crate::run::cleanup;
use crate::run::prepare::{self, Prepared};
use crate::run::{Failure, Options};
use crate::targets::model::Target;

/// How one look came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Good,
    /// Works, and may surprise.
    Warning,
    /// Nothing can be judged until this is mended.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The kind of mistake, stable: `issuer-spelling`; what was looked at when all is well.
    pub name: &'static str,
    /// How it came out.
    pub state: State,
    /// What was seen.
    pub what: String,
    /// What to do; empty when all is well.
    pub fix: String,
}

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Report {
    /// In the order of looking.
    pub findings: Vec<Finding>,
    /// What the target can do, when the correct flow works.
    pub capabilities: Vec<String>,
    /// Why something is absent: capability, reason.
    pub reasons: Vec<(String, String)>,
    /// What stayed behind at the server.
    pub leftovers: Vec<String>,
}

impl Report {
    fn good(&mut self, name: &'static str, what: impl Into<String>) {
        self.add(name, State::Good, what.into(), String::new());
    }

    fn warning(&mut self, name: &'static str, what: impl Into<String>, fix: impl Into<String>) {
        self.add(name, State::Warning, what.into(), fix.into());
    }

    fn problem(&mut self, name: &'static str, what: impl Into<String>, fix: impl Into<String>) {
        self.add(name, State::Problem, what.into(), fix.into());
    }

    fn add(&mut self, name: &'static str, state: State, what: String, fix: String) {
        self.findings.push(Finding {
            name,
            state,
            what,
            fix,
        });
    }

    /// The first problem.
    pub fn first_problem(&self) -> Option<&Finding> {
        self.findings
            .iter()
            .find(|finding| finding.state == State::Problem)
    }

    fn broken(&self) -> bool {
        self.first_problem().is_some()
    }

    /// Hides every secret of the target in what is said.
    fn redact(&mut self, secrets: &crate::transport::redact::Secrets) {
        for finding in &mut self.findings {
            finding.what = secrets.redact(&finding.what);
            finding.fix = secrets.redact(&finding.fix);
        }
    }
}

/// Looks at everything a run rests on. Registers the clients that the target file asks for, logs in a few
/// times, and removes again what it made.
pub async fn examine(target: Target, options: &Options) -> Report {
    let mut report = Report::default();
    let name = target.issuer.clone();
    if let Some(base) = server::document_for_an_issuer(&name) {
        report.problem(
            "issuer-is-a-document",
            format!("{name} is the address of a metadata document, not an issuer"),
            format!("write issuer = \"{base}\""),
        );
        return report;
    }
    let mut world = match prepare::connect(target, options) {
        Ok(world) => world,
        Err(Failure::Configuration(why)) if why.contains("--i-am-authorized") => {
            report.problem(
                "not-authorized",
                why,
                "pass --i-am-authorized if its owner lets you test it",
            );
            return report;
        }
        Err(failure) => {
            report.problem(
                "network-files",
                failure.to_string(),
                "look at `ca`, `certificate` and `key` under [network]: PEM files that belong together",
            );
            return report;
        }
    };
    outside_in(&mut report, &mut world, options).await;
    if !report.broken() {
        let mut prepared = as_prepared(world);
        prepare::look(&mut prepared, options.timeout * prepare::PREFLIGHT).await;
        report.capabilities = prepared.capabilities.clone();
        report.reasons = prepared.reasons.clone();
        if let Err(why) = &prepared.preflight {
            report.problem(
                "correct-flow",
                why.clone(),
                "the message says where to look",
            );
        }
        world = prepared.world;
    }
    report.leftovers = cleanup::clean(&world, false).await;
    report.redact(&world.secrets);
    report
}

fn as_prepared(world: World) -> Prepared {
    Prepared {
        capabilities: Vec::new(),
        reasons: Vec::new(),
        preflight: Ok(()),
        warnings: Vec::new(),
        world,
    }
}

async fn outside_in(report: &mut Report, world: &mut World, options: &Options) {
    if world.target.mint.is_some() {
        match prepare::open_issuer(world).await {
            Ok(()) => report.good("issuer", "oauthspec itself, by [mint]"),
            Err(why) => report.problem("issuer-port", why.to_string(), "the port must be free"),
        }
    } else {
        reach::look(report, world, options).await;
    }
    if report.broken() {
        return;
    }
    if world.target.mint.is_none() {
        server::look(report, world).await;
    }
    if report.broken() {
        return;
    }
    if world.target.login.driver.brings_tokens() {
        let mut scene = Scene::new(world);
        resource::look(report, world, &mut scene).await;
        return;
    }
    client::register(report, world).await;
    if report.broken() {
        return;
    }
    client::look(report, world).await;
    if report.broken() {
        return;
    }
    let mut scene = Scene::new(world);
    if person::look(report, world, &mut scene).await && !report.broken() {
        resource::look(report, world, &mut scene).await;
        resource::introspection(report, world, &mut scene).await;
    }
    let mut secrets = world.secrets.clone();
    secrets.extend(&scene.secrets);
    report.redact(&secrets);
}
