//! A fuzzing run: prove that the correct flow works, learn what the server enforces, then make
//! programs, play them, judge them, and follow up what looks wrong.
//!
//! Programs are played on several connections by several threads (see [`course`]) and judged in the order in which they
//! were made, so that the same seed comes to the same decisions however fast the server is; what may have
//! been disturbed by a neighbour is played again by itself first. Time only cuts the end.

mod course;
mod death;
mod follow;
mod learn;
mod restart;
mod workers;

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::strategy::ValueTree as _;
use serde::{Deserialize, Serialize};

use self::course::Course;
use self::workers::{Job, Workers};
use super::connection::{Road, Seen};
use super::dictionary::Dictionary;
use super::finding::{self, Bucket, Finding};
use super::operation::{Credential, Deviation, Edit, Kind, Operation, Program, Text};
use super::oracle::{Candidate, Judge, Oracle, Policy};
use super::play::{Player, Slot, Stage, Trace, patience};
use super::shrink::ProgramTree;
use super::strategy::{Abilities, Actor, Grammar};
use crate::flow::{Answer, World};
use crate::run::{Failure, Stop, cleanup, prepare};
use crate::targets::model::Target;
use crate::transport::Limits;

/// What the user asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long; `None`: until stopped.
    pub time: Option<Duration>,
    /// At most so many programs.
    pub programs: Option<u64>,
    /// Of everything random.
    pub seed: u64,
    /// Requests a second.
    pub rate: Option<f64>,
    /// Where findings and the state go; `None`: nowhere.
    pub out: Option<PathBuf>,
    /// Starts a server that has died.
    pub restart: Option<String>,
    /// The user's word that hosts other than loopback may be tested.
    pub i_am_authorized: bool,
    /// Programs at the same time.
    pub jobs: usize,
    /// End with so many findings.
    pub most_findings: Option<usize>,
    /// Skip the follow-up of findings but for the repetition: to measure.
    pub quick: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            time: Some(Duration::from_secs(60)),
            programs: None,
            seed: 0,
            rate: None,
            out: None,
            restart: None,
            i_am_authorized: false,
            jobs: 16,
            most_findings: None,
            quick: false,
        }
    }
}

/// What a run says while it works.
#[derive(Debug, Clone)]
pub enum Event {
    /// What was found out before the first program: for people.
    Note(String),
    /// Now and then.
    Progress {
        /// Programs played.
        programs: u64,
        /// Requests sent.
        requests: u64,
        /// Findings.
        findings: usize,
        /// Since the start.
        elapsed: Duration,
        /// Of the programs so far: see [`Report::digest`].
        digest: u64,
    },
    /// Something was found.
    Finding(Box<Finding>),
}

/// How a run ended.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// In the order in which they were found.
    pub findings: Vec<Finding>,
    /// Candidates that were of a bucket already full.
    pub duplicates: u64,
    /// Candidates that did not show again.
    pub unconfirmed: BTreeMap<Oracle, u64>,
    /// Programs played.
    pub programs: u64,
    /// Requests sent.
    pub requests: u64,
    /// Time spent.
    pub elapsed: Duration,
    /// A digest of the programs played, in their order: the same for the same seed and the same answers.
    pub digest: u64,
    /// Why the server is given up, with the last request.
    pub dead: Option<String>,
    /// Whether a signal ended it.
    pub interrupted: bool,
    /// What could not be removed from the target.
    pub leftovers: Vec<String>,
}

/// What is kept between runs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct State {
    /// Programs played in all runs: where the next one goes on.
    programs: u64,
    buckets: Vec<Bucket>,
    /// After a death, and before the restart: who may have done it.
    #[serde(skip)]
    suspects: Vec<death::Suspect>,
}

/// Runs the fuzzer against a target.
///
/// # Errors
/// [`Failure`], when nothing can be tried.
pub async fn run(
    target: Target,
    options: &Options,
    hear: &mut (dyn FnMut(Event) + Send),
    stop: &Stop,
) -> Result<Report, Failure> {
    let clock = Instant::now();
    let mut report = Report::default();
    let mut state = load_state(options);
    loop {
        let session = session(
            target.clone(),
            options,
            &mut state,
            &mut report,
            hear,
            clock,
            stop,
        );
        let died = match session.await {
            Ok(died) => died,
            Err(failure) if report.programs == 0 => return Err(failure),
            // What was found before a restart is kept.
            Err(failure) => {
                report.dead = Some(format!("--restart: {failure}"));
                break;
            }
        };
        match (died, &options.restart) {
            (Some(last), Some(command)) if !over(options, &report, clock) => {
                hear(Event::Note(format!(
                    "the server is dead after {last}; restarting it"
                )));
                if let Err(why) = restart::restart(command, &target, stop).await {
                    report.dead = Some(format!("{last}; {why}"));
                    break;
                }
            }
            (died, _) => {
                report.dead = died;
                break;
            }
        }
    }
    report.elapsed = clock.elapsed();
    state.programs += report.programs;
    save_state(options, &state).map_err(Failure::Configuration)?;
    Ok(report)
}

/// The fuzzer until something ends it. Returns the last request when the server stays dead.
async fn session(
    target: Target,
    options: &Options,
    state: &mut State,
    report: &mut Report,
    hear: &mut (dyn FnMut(Event) + Send),
    clock: Instant,
    stop: &Stop,
) -> Result<Option<String>, Failure> {
    let prepared = prepare(target, &preparation(options)).await?;
    let stage = Arc::new(Stage::of(prepared.world));
    let ended = async {
        let mut session = Session::new(&stage, options, state, report, hear, clock);
        session.learn(prepared.preflight).await?;
        Ok(session.go(stop).await)
    }
    .await;
    report.leftovers = cleanup::clean(&stage.world, false).await;
    ended
}

/// [`run`] on a thread of its own: whoever waits for an answer is woken where the answer arrives, and not by way of
/// another thread, which is several times as fast. Called from within a runtime.
///
/// # Errors
/// As [`run`]; also when there is no thread to be had.
pub async fn run_apart(
    target: Target,
    options: Options,
    mut hear: impl FnMut(Event) + Send + 'static,
    stop: Stop,
) -> Result<Report, Failure> {
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Configuration(format!("no runtime: {error}")))?;
        runtime.block_on(run(target, &options, &mut hear, &stop))
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(ended) => ended,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(Failure::Configuration(error.to_string())),
        },
    }
}

/// Whether the run has had what it was given.
fn over(options: &Options, report: &Report, clock: Instant) -> bool {
    options.time.is_some_and(|time| clock.elapsed() >= time)
        || options.programs.is_some_and(|most| report.programs >= most)
        || options
            .most_findings
            .is_some_and(|most| report.findings.len() >= most)
}

fn preparation(options: &Options) -> crate::run::Options {
    crate::run::Options {
        rate: options.rate,
        i_am_authorized: options.i_am_authorized,
        // A target that knows less than the whole flow can be fuzzed as far as it goes.
        despite_preflight: true,
        ..crate::run::Options::default()
    }
}

fn load_state(options: &Options) -> State {
    options
        .out
        .as_ref()
        .and_then(|out| std::fs::read(out.join("state.json")).ok())
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

fn save_state(options: &Options, state: &State) -> Result<(), String> {
    let Some(out) = &options.out else {
        return Ok(());
    };
    let bytes = serde_json::to_vec(state).map_err(|error| error.to_string())?;
    std::fs::create_dir_all(out)
        .and_then(|()| std::fs::write(out.join("state.json"), bytes))
        .map_err(|error| format!("{} cannot be written: {error}", out.display()))
}

/// One target, alive.
struct Session<'s> {
    options: &'s Options,
    state: &'s mut State,
    report: &'s mut Report,
    hear: &'s mut (dyn FnMut(Event) + Send),
    clock: Instant,
    stage: Arc<Stage>,
    road: Arc<Road>,
    workers: Workers,
    course: Course,
    /// For what is played by itself: the lanes are as they were afterwards.
    spare: Slot,
    grammar: Grammar,
    policy: Policy,
    patience: Duration,
    /// How often candidates of an oracle, endpoint and effect did not show again.
    in_vain: BTreeMap<(Oracle, String, String), usize>,
    health: Program,
    /// A marker of markup that occurs nowhere else.
    markup: String,
    counted: u64,
}

impl<'s> Session<'s> {
    /// One that knows nothing yet: see [`Session::learn`].
    fn new(
        stage: &Arc<Stage>,
        options: &'s Options,
        state: &'s mut State,
        report: &'s mut Report,
        hear: &'s mut (dyn FnMut(Event) + Send),
        clock: Instant,
    ) -> Session<'s> {
        let road = road(&stage.world, options, Duration::from_secs(10));
        Session {
            options,
            grammar: Grammar::new(Abilities::default(), Dictionary::default(), 0),
            state,
            report,
            hear,
            clock,
            stage: Arc::clone(stage),
            workers: Workers::default(),
            course: Course::default(),
            spare: Slot::new(Arc::clone(&road)),
            road,
            policy: Policy::default(),
            patience: Duration::from_secs(2),
            in_vain: BTreeMap::new(),
            health: Program::default(),
            markup: format!("{}\"'><svg/onload=1>", stage.world.canary),
            counted: 0,
        }
    }

    fn say(&mut self, text: impl Into<String>) {
        (self.hear)(Event::Note(text.into()));
    }

    /// Plays a program by itself with a clean browser and new connections.
    async fn alone(&mut self, program: &Program) -> Trace {
        self.spare.renew();
        Player::new(&self.stage, &mut self.spare)
            .play(program)
            .await
    }

    /// Plays a program again where it was played before, on new connections; nothing may be under way.
    async fn repeated(&mut self, program: &Arc<Program>, number: usize) -> Option<Trace> {
        self.workers.give(Job {
            lane: number % self.workers.lanes.max(1),
            number,
            program: Arc::clone(program),
            anew: true,
        });
        Some(self.workers.finished().await?.trace)
    }

    fn judge(&self, program: &Program, trace: &Trace) -> Vec<Candidate> {
        Judge {
            world: &self.stage.world,
            policy: &self.policy,
            patience: self.patience,
            markup: &self.markup,
        }
        .judge(program, trace)
    }

    /// The run proper. Returns the last request when the server stays dead.
    async fn go(&mut self, stop: &Stop) -> Option<String> {
        if let Some(last) = self.interrogate().await {
            return Some(last);
        }
        loop {
            if *stop.borrow() {
                self.report.interrupted = true;
                return None;
            }
            if over(self.options, self.report, self.clock) {
                return None;
            }
            let (number, program, trace) = self.next_played().await?;
            if let Err(last) = self.settle(number, &program, trace, stop).await {
                return Some(last);
            }
            if self.course.judged.is_multiple_of(4 * self.batch()) {
                self.count();
                (self.hear)(Event::Progress {
                    programs: self.report.programs,
                    requests: self.report.requests,
                    findings: self.report.findings.len(),
                    elapsed: self.clock.elapsed(),
                    digest: self.report.digest,
                });
            }
        }
    }

    /// Judges a program that was played, and follows up what looks wrong. `Err`: the server stays dead, and the last
    /// request.
    async fn settle(
        &mut self,
        number: usize,
        program: &Arc<Program>,
        mut trace: Arc<Trace>,
        stop: &Stop,
    ) -> Result<(), String> {
        self.report.programs += 1;
        self.report.digest = digest(self.report.digest, program);
        if trace.disturbed() {
            // A neighbour may be to blame: what it does by itself counts.
            self.quiet().await;
            if !self.comes_back().await {
                return Err(self.accuse());
            }
            if let Some(again) = self.repeated(program, number).await {
                trace = Arc::new(again);
            }
        }
        self.learn_from(&trace);
        for candidate in self.judge(program, &trace) {
            if self.wanted(program, &candidate) {
                self.quiet().await;
                self.follow_up(program, &candidate, &trace).await?;
            }
            if over(self.options, self.report, self.clock) || *stop.borrow() {
                break;
            }
        }
        self.count();
        Ok(())
    }

    fn count(&mut self) {
        let sent = self.road.sent();
        self.report.requests += sent - self.counted;
        self.counted = sent;
    }

    /// Takes the names of what answers carry into the dictionary.
    fn learn_from(&mut self, trace: &Trace) {
        for name in trace.done.iter().flat_map(|done| done.said.names()) {
            self.grammar.dictionary.learn_name(name);
        }
    }
}

/// The way to the target, on which an answer may take so long.
fn road(world: &World, options: &Options, timeout: Duration) -> Arc<Road> {
    let limits = Limits {
        timeout,
        ..Limits::default()
    };
    Arc::new(Road::new(&world.transport, limits, options.rate))
}

/// The digest of some programs and one more.
fn digest(before: u64, program: &Program) -> u64 {
    let mut hasher = DefaultHasher::new();
    before.hash(&mut hasher);
    program.hash(&mut hasher);
    hasher.finish()
}
