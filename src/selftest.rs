//! Who tests the tester: every fault of the reference server against every case, the clean server,
//! and three hosts that are not OAuth servers at all.
//!
//! A fault that no case notices is a survivor; a case that no fault turns red needs a written
//! reason; a pass on a host that is no OAuth server is a lie.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use refserver::{Face, Fault};
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::event::{CaseReport, Event, RunEnd, Verdict};
use crate::exit::Exit;
use crate::profile;
use crate::run::{self, Options};
use crate::suite::model::{Case, Suite};
use crate::targets::reference;

/// What was said of each case, by its id.
type Reports = BTreeMap<String, CaseReport>;

/// What the self-test found. Serialised, it is the output of `selftest --json`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Outcome {
    /// How many faults there are.
    pub faults: usize,
    /// How many of them an expected case noticed.
    pub killed: usize,
    /// How many faults were not tried, because no case of the chosen suites looks for them.
    pub elsewhere: usize,
    /// Faults that the chosen suites did not notice and that cases of other suites look for as well.
    pub left: Vec<String>,
    /// The faults that none of the cases they should break noticed.
    pub survivors: Vec<Survivor>,
    /// Faults with which `oauthspec run --fault` would end neither with 1 nor, because the correct flow works no
    /// more, with 3.
    pub exits: Vec<WrongExit>,
    /// How many cases there are.
    pub cases: usize,
    /// Cases that no fault turns red, with the reason their file gives.
    pub without_fault: Vec<Without>,
    /// Cases that no fault turns red and that give no reason.
    pub unproven: Vec<String>,
    /// Cases that are not green on the clean server.
    pub clean_failures: Vec<Clean>,
    /// Cases that a fault turned red although its row in the fault table does not name them: the case
    /// blames the wrong thing, or the table is not complete.
    pub unexpected: Vec<Unexpected>,
    /// Passes on hosts that are not OAuth servers.
    pub hosts: Hosts,
}

impl Outcome {
    /// What the chosen suites did not notice is no defect of theirs as long as a case of `others` looks for it too.
    pub fn leave_to(&mut self, others: &[Suite]) {
        let theirs = |name: &str| {
            let mut cases = others.iter().flat_map(|suite| &suite.cases);
            Fault::parse(name).is_some_and(|fault| cases.any(|case| concerns(fault, case)))
        };
        let (left, own) = std::mem::take(&mut self.survivors)
            .into_iter()
            .partition(|one| theirs(&one.fault));
        self.survivors = own;
        self.left = Vec::into_iter(left)
            .map(|one: Survivor| one.fault)
            .collect();
        self.exits.retain(|one| !self.left.contains(&one.fault));
    }

    /// Whether the harness can be believed.
    pub fn ok(&self) -> bool {
        self.survivors.is_empty()
            && self.exits.is_empty()
            && self.unproven.is_empty()
            && self.clean_failures.is_empty()
            && self.unexpected.is_empty()
            && self.hosts.passes() == 0
    }
}

/// A fault nobody noticed.
#[derive(Debug, Clone, Serialize)]
pub struct Survivor {
    /// The fault.
    pub fault: String,
    /// The cases that should have gone red.
    pub expected: Vec<String>,
    /// What they said instead.
    pub said: Vec<String>,
}

/// A fault for which a run would not end with "does not conform".
#[derive(Debug, Clone, Serialize)]
pub struct WrongExit {
    /// The fault.
    pub fault: String,
    /// The exit code.
    pub code: u8,
    /// What the run says of it.
    pub problems: Vec<String>,
}

/// A case without a fault.
#[derive(Debug, Clone, Serialize)]
pub struct Without {
    /// The case.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// A case that is not green on the clean server.
#[derive(Debug, Clone, Serialize)]
pub struct Clean {
    /// The case.
    pub id: String,
    /// Its verdict there.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
}

/// A case a fault should not concern.
#[derive(Debug, Clone, Serialize)]
pub struct Unexpected {
    /// The fault.
    pub fault: String,
    /// The case.
    pub id: String,
    /// Why it went red.
    pub reason: String,
}

/// Passes on hosts that are not OAuth servers.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Hosts {
    /// Nobody listens.
    pub dead: Host,
    /// 200 with a token to everything.
    pub yes: Host,
    /// 400 with an error to everything.
    pub no: Host,
}

impl Hosts {
    fn passes(&self) -> u32 {
        self.dead.pass + self.yes.pass + self.no.pass
    }
}

/// One such host.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Host {
    /// How many cases passed there: 0, or the harness lies.
    pub pass: u32,
}

/// What the self-test says while it works.
#[derive(Debug, Clone)]
pub enum Progress {
    /// A stage begins: `the clean server`.
    Stage(String),
    /// A fault was tried: its name and the cases that went red.
    Fault(String, Vec<String>),
}

/// Which cases a fault is tried against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// Every case: also shows that no other case goes red. Minutes.
    EveryCase,
    /// The cases that the fault should break: shows that none survives.
    ItsCases,
}

/// Runs all of it: `faults` against `suites`, `wide` faults at a time. Every face of the reference server has a part of its own: the faults that break
/// its promises against the suites that state them (those of the reference server itself against the suites that apply to everybody).
///
/// # Errors
/// When the reference server cannot be started.
pub async fn run(
    suites: &[Suite],
    faults: &[Fault],
    against: Against,
    wide: usize,
    say: &(dyn Fn(Progress) + Sync),
) -> std::io::Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut services: Vec<Option<&str>> = Vec::new();
    for face in Face::ALL {
        if !services.contains(&face.service()) {
            services.push(face.service());
        }
    }
    for service in services {
        // Several faces may stand for the same cases, which are proved when one of them proves them.
        let faces: Vec<Face> = (Face::ALL.iter().copied())
            .filter(|face| face.service() == service && !face.faults().is_empty())
            .collect();
        let stated: Vec<Suite> = (suites.iter())
            .filter(|suite| suite.profile.as_deref() == service)
            .cloned()
            .collect();
        if stated.is_empty() {
            continue;
        }
        let cases: Vec<&Case> = stated.iter().flat_map(|suite| &suite.cases).collect();
        let mut reddened: BTreeSet<String> = BTreeSet::new();
        let mut every = true;
        for face in &faces {
            let own: Vec<Fault> = (faults.iter().copied())
                .filter(|fault| face.faults().contains(fault))
                .collect();
            every &= (face.faults().iter())
                .filter(|fault| cases.iter().any(|case| concerns(**fault, case)))
                .all(|fault| own.contains(fault));
            // Who chose faults of one face has no question about the others.
            if own.is_empty() && !faults.is_empty() {
                continue;
            }
            let part = Part {
                face: *face,
                suites,
                stated: &stated,
                faults: &own,
                against,
            };
            face_part(&part, wide, say, &mut outcome, &mut reddened).await?;
        }
        outcome.cases += cases.len();
        // A selection of faults cannot prove every case.
        for case in cases.into_iter().filter(|_| every && !faces.is_empty()) {
            match (reddened.contains(&case.id), &case.without_fault) {
                (true, _) => {}
                (false, Some(reason)) => outcome.without_fault.push(Without {
                    id: case.id.clone(),
                    reason: reason.clone(),
                }),
                (false, None) => outcome.unproven.push(case.id.clone()),
            }
        }
    }
    Ok(outcome)
}

/// What is tried against one face.
struct Part<'p> {
    face: Face,
    /// Everything that the clean server must pass.
    suites: &'p [Suite],
    /// What its faults must turn red.
    stated: &'p [Suite],
    faults: &'p [Fault],
    against: Against,
}

/// The part of one face.
async fn face_part(
    part: &Part<'_>,
    wide: usize,
    say: &(dyn Fn(Progress) + Sync),
    outcome: &mut Outcome,
    reddened: &mut BTreeSet<String>,
) -> std::io::Result<()> {
    let Part {
        face,
        suites,
        stated,
        faults,
        against,
    } = *part;
    let cases: Vec<&Case> = stated.iter().flat_map(|suite| &suite.cases).collect();
    outcome.faults += faults.len();
    let name = face.name();
    say(Progress::Stage(format!("the clean server ({name})")));
    let (clean, _) = against_reference(face, suites, &[]).await?;
    for report in clean.values() {
        let green = matches!(report.verdict, Verdict::Pass)
            || report.waived.is_some()
            || (report.verdict == Verdict::Skipped && !report.reason.is_empty());
        if !green {
            outcome.clean_failures.push(Clean {
                id: report.id.clone(),
                verdict: report.verdict,
                reason: report.reason.clone(),
            });
        }
    }
    say(Progress::Stage(format!("{} faults ({name})", faults.len())));
    let mut results: Vec<(Fault, Reports)> = Vec::new();
    // Tasks, so that faults share all processors.
    let shared: Arc<[Suite]> = stated.into();
    let mut running = stream::iter(faults.iter().copied())
        .map(|fault| {
            let suites = Arc::clone(&shared);
            tokio::spawn(async move {
                let reports = match against {
                    Against::EveryCase => against_reference(face, &suites, &[fault]).await,
                    Against::ItsCases => {
                        against_reference(face, &its_cases(fault, &suites), &[fault]).await
                    }
                };
                (fault, reports)
            })
        })
        .buffer_unordered(wide.max(1));
    while let Some(finished) = running.next().await {
        let (fault, reports) = finished.map_err(std::io::Error::other)?;
        let (reports, end) = reports?;
        let noticed = [Exit::DoesNotConform.code(), Exit::Unreachable.code()];
        if !noticed.contains(&end.exit_code) {
            outcome.exits.push(WrongExit {
                fault: fault.name().to_owned(),
                code: end.exit_code,
                problems: end.problems,
            });
        }
        let red = reports
            .values()
            .filter(|report| is_red(report, &clean))
            .map(|report| report.id.clone())
            .collect();
        say(Progress::Fault(fault.name().to_owned(), red));
        results.push((fault, reports));
    }
    drop(running);
    results.sort_by_key(|(fault, _)| fault.name());
    for (fault, reports) in &results {
        weigh(*fault, reports, &clean, &cases, outcome, reddened);
    }
    say(Progress::Stage(format!(
        "three hosts that are not OAuth servers ({name})"
    )));
    hosts(face, stated, &mut outcome.hosts).await
}

/// Worse than on the clean server, and decided: a fail, or the warning of a SHOULD.
fn is_red(report: &CaseReport, clean: &Reports) -> bool {
    let before = clean.get(&report.id).map(|report| report.verdict);
    matches!(report.verdict, Verdict::Fail | Verdict::Warn) && before != Some(report.verdict)
}

fn weigh(
    fault: Fault,
    reports: &Reports,
    clean: &Reports,
    cases: &[&Case],
    outcome: &mut Outcome,
    reddened: &mut BTreeSet<String>,
) {
    let expected: Vec<&&Case> = cases.iter().filter(|case| concerns(fault, case)).collect();
    let red: Vec<&CaseReport> = reports
        .values()
        .filter(|report| is_red(report, clean))
        .collect();
    reddened.extend(red.iter().map(|report| report.id.clone()));
    if red
        .iter()
        .any(|report| expected.iter().any(|case| case.id == report.id))
    {
        outcome.killed += 1;
    } else {
        outcome.survivors.push(Survivor {
            fault: fault.name().to_owned(),
            expected: fault.breaks().iter().map(|id| (*id).to_owned()).collect(),
            said: expected
                .iter()
                .filter_map(|case| reports.get(&case.id))
                .map(|report| {
                    format!(
                        "{}: {} — {}",
                        report.id,
                        report.verdict.word(),
                        report.reason
                    )
                })
                .collect(),
        });
    }
    for report in red {
        if !expected.iter().any(|case| case.id == report.id) {
            outcome.unexpected.push(Unexpected {
                fault: fault.name().to_owned(),
                id: report.id.clone(),
                reason: report.reason.clone(),
            });
        }
    }
}

/// Whether a fault is meant to break a case: by its id, or by a catalogue row the case serves.
#[must_use]
pub fn concerns(fault: Fault, case: &Case) -> bool {
    fault
        .breaks()
        .iter()
        .any(|row| case.id == *row || case.rows.iter().any(|own| own == row))
}

/// The suites with nothing but the cases that a fault is meant to break.
fn its_cases(fault: Fault, suites: &[Suite]) -> Vec<Suite> {
    let suites = suites.iter().map(|suite| Suite {
        cases: suite
            .cases
            .iter()
            .filter(|case| concerns(fault, case))
            .cloned()
            .collect(),
        ..suite.clone()
    });
    suites.filter(|suite| !suite.cases.is_empty()).collect()
}

/// The whole catalogue, and what a face promises.
fn profiles(face: Face) -> Vec<String> {
    let promised = face.service().map(str::to_owned);
    promised
        .into_iter()
        .chain([profile::CATALOGUE.to_owned()])
        .collect()
}

/// Every case against the reference server with these faults.
async fn against_reference(
    face: Face,
    suites: &[Suite],
    faults: &[Fault],
) -> std::io::Result<(Reports, RunEnd)> {
    let server = refserver::serve(refserver::Options {
        face,
        faults: faults.to_vec(),
        ..refserver::Options::default()
    })
    .await?;
    let target = reference::target(server.facts());
    let options = Options {
        despite_preflight: true,
        keep_evidence: false,
        // As `run` is with --fault.
        strict: true,
        profiles: profiles(face),
        // One scene at a time: some faults kill grants of other scenes, which would look like a
        // failure of the case that owns them. Faults run beside each other instead.
        jobs: 1,
        ..Options::default()
    };
    let found = collect(target, suites, &options).await;
    server.stop().await;
    Ok(found)
}

async fn collect(
    target: crate::targets::model::Target,
    suites: &[Suite],
    options: &Options,
) -> (Reports, RunEnd) {
    let mut reports = BTreeMap::new();
    let mut hear = |event: Event| {
        if let Event::Case(mut report) = event {
            // The matrix needs verdicts; a hundred runs' evidence would only fill the memory.
            for variant in &mut report.variants {
                variant.evidence.clear();
                variant.control.clear();
            }
            reports.insert(report.id.clone(), *report);
        }
    };
    let end = run::run(target, suites, options, &mut hear, run::never()).await;
    (reports, end)
}

/// What the hosts that are not OAuth servers answer.
const YES: &str = r#"{"access_token":"yes-yes-yes-yes-yes","token_type":"Bearer","expires_in":3600,"refresh_token":"yes-yes-yes-yes","active":true,"client_id":"yes","code":"yes"}"#;
const NO: &str = r#"{"error":"invalid_request"}"#;

async fn hosts(face: Face, suites: &[Suite], found: &mut Hosts) -> std::io::Result<()> {
    // A port that was free a moment ago: nobody listens there.
    let vacant = TcpListener::bind("127.0.0.1:0").await?;
    let dead = format!("http://{}", vacant.local_addr()?);
    drop(vacant);
    let (yes, yes_task) = parrot("200 OK", YES).await?;
    let (no, no_task) = parrot("400 Bad Request", NO).await?;
    for (url, host) in [
        (dead, &mut found.dead),
        (yes, &mut found.yes),
        (no, &mut found.no),
    ] {
        let options = Options {
            despite_preflight: true,
            keep_evidence: false,
            profiles: profiles(face),
            ..Options::default()
        };
        let (reports, _) = collect(pretended(face, &url).await?, suites, &options).await;
        let passes = reports
            .values()
            .flat_map(|report| &report.variants)
            .filter(|variant| variant.verdict == Verdict::Pass)
            .count();
        host.pass += u32::try_from(passes).unwrap_or(u32::MAX);
    }
    yes_task.abort();
    no_task.abort();
    Ok(())
}

/// The reference server's target file with every URL moved to a host that is none.
async fn pretended(face: Face, url: &str) -> std::io::Result<crate::targets::model::Target> {
    let server = refserver::serve(refserver::Options {
        face,
        ..refserver::Options::default()
    })
    .await?;
    let mut target = reference::target(server.facts());
    server.stop().await;
    for resource in &mut target.resources {
        let old = resource.url.origin().ascii_serialization();
        let moved = |text: &str| text.replace(&old, url);
        resource.id = resource.id.as_deref().map(moved);
        if let Ok(parsed) = moved(resource.url.as_str()).parse() {
            resource.url = parsed;
        }
    }
    let endpoint = |path: &str| Some(format!("{url}{path}"));
    target.endpoints = crate::targets::model::Endpoints {
        authorization: endpoint("/authorize"),
        token: endpoint("/token"),
        registration: endpoint("/register"),
        revocation: endpoint("/revoke"),
        introspection: endpoint("/introspect"),
        jwks: endpoint("/jwks"),
        par: endpoint("/par"),
        device: endpoint("/device"),
    };
    target.issuer = url.to_owned();
    Ok(target)
}

/// A host that says the same to everybody.
async fn parrot(
    status: &'static str,
    body: &'static str,
) -> std::io::Result<(String, tokio::task::JoinHandle<()>)> {
    let socket = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", socket.local_addr()?);
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            tokio::spawn(async move {
                let mut bytes = vec![0_u8; 64 << 10];
                if stream.read(&mut bytes).await.is_err() {
                    return;
                }
                let answer = format!(
                    "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.ok();
                stream.shutdown().await.ok();
            });
        }
    });
    Ok((url, task))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;
    use crate::run::plan::select;
    use crate::suite::load::{Known, load_builtin};

    fn every_suite() -> Vec<Suite> {
        let forges = jose::forgeries();
        let known = Known {
            checks: check::NAMES,
            forges: &forges,
        };
        load_builtin(&known).unwrap()
    }

    #[test]
    fn a_survivor_is_left_only_to_suites_that_look_for_it() {
        let survivor = |fault: &str| Survivor {
            fault: fault.to_owned(),
            expected: Vec::new(),
            said: Vec::new(),
        };
        let exit = |fault: &str| WrongExit {
            fault: fault.to_owned(),
            code: 0,
            problems: Vec::new(),
        };
        let mut outcome = Outcome {
            survivors: vec![survivor("rs-audience-a"), survivor("session-immortal")],
            exits: vec![exit("rs-audience-a"), exit("session-immortal")],
            ..Outcome::default()
        };
        let mut others = every_suite();
        others.retain(|suite| suite.name == "token");
        outcome.leave_to(&others);
        assert_eq!(outcome.left, Vec::<String>::new());
        others = every_suite();
        others.retain(|suite| suite.name == "rs");
        outcome.leave_to(&others);
        assert_eq!(outcome.left, ["rs-audience-a"]);
        let kept: Vec<&str> = (outcome.survivors.iter())
            .map(|one| &*one.fault)
            .chain(outcome.exits.iter().map(|one| &*one.fault))
            .collect();
        assert_eq!(kept, ["session-immortal", "session-immortal"]);
        assert!(!outcome.ok());
    }

    #[tokio::test]
    async fn every_fault_is_looked_for_where_explain_sends_people() {
        let suites = every_suite();
        for face in Face::ALL {
            let reference = reference::Reference::start(*face, Vec::new(), 0)
                .await
                .unwrap();
            let (target, profiles) = (&reference.target, reference.target.profiles.clone());
            let judged = profile::judged(&suites, &profiles);
            let selected = select(&judged, &Options::default(), Some(&profiles));
            for fault in Fault::every().filter(|fault| fault.kind() == refserver::Kind::Case) {
                let here = reference::shows(fault) == target.name;
                let seen = selected.iter().any(|case| concerns(fault, case));
                assert!(seen || !here, "{} in {}", fault.name(), target.name);
            }
            reference.stop().await;
        }
    }
}
