//! From suites and a target to verdicts: prepare → plan → schedule → events → verdicts.
//!
//! [`prepare`] finds the target and proves that the correct flow works there; [`plan`] says which
//! variants run and which controls they need; [`schedule`] brackets deviations with controls;
//! [`judge`] decides. Reports hear [`Event`]s and nothing else.

pub mod cleanup;
pub mod control;
pub mod foresee;
pub mod judge;
pub mod listening;
pub mod performance;
pub mod plan;
pub mod policy;
pub mod prepare;
pub mod schedule;
pub mod waiver;

use std::time::Duration;

use crate::event::{CaseReport, Event, Exchange, RunEnd, RunStart, Severity, Summary, Verdict};
use crate::exit::Exit;
use crate::profile;
use crate::suite::model::{Case, Suite};
use crate::targets::model::Target;
use crate::transport::Limits;

pub use prepare::{Failure, Prepared, prepare};

/// What a run may take when nothing else is said.
pub const DEADLINE: Duration = Duration::from_secs(30 * 60);
/// What is on its way at the deadline may take this much longer.
const AFTER_DEADLINE: Duration = Duration::from_secs(10);

/// What the user asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Suites by name; empty means all.
    pub suites: Vec<String>,
    /// Case ids as globs; empty means all.
    pub cases: Vec<String>,
    /// Profiles that judge.
    pub profiles: Vec<String>,
    /// Scenes at the same time.
    pub jobs: usize,
    /// Requests a second.
    pub rate: Option<f64>,
    /// This part of so many.
    pub partition: Option<(u32, u32)>,
    /// Named in the report; a run draws nothing from it, codes and keys come from the system.
    pub seed: u64,
    /// For each exchange.
    pub timeout: Duration,
    /// For the whole run; what is not decided by then stays undecided.
    pub deadline: Duration,
    /// Cases an earlier run of the same has decided (`--resume`): they are told again, not run again.
    pub earlier: Vec<CaseReport>,
    /// Failures below this severity do not fail the run.
    pub fail_on: Severity,
    /// Cases may wait as long as what the target declares takes.
    pub slow: bool,
    /// Warnings fail the run too.
    pub strict: bool,
    /// Known failures.
    pub waivers: Option<waiver::Waivers>,
    /// The user's word that hosts other than loopback may be tested.
    pub i_am_authorized: bool,
    /// Keep exchanges for the reports; `selftest` needs only verdicts.
    pub keep_evidence: bool,
    /// Keep them with their secrets as well, for files that only the user may read.
    pub keep_secrets: bool,
    /// Decide every case even when the preflight fails (for `selftest`, against hosts that are not
    /// OAuth servers).
    pub despite_preflight: bool,
}

impl Options {
    /// The profiles that judge: those asked for, or else the target's own.
    #[must_use]
    pub fn profiles<'o>(&'o self, target: &'o Target) -> &'o [String] {
        if self.profiles.is_empty() {
            &target.profiles
        } else {
            &self.profiles
        }
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            suites: Vec::new(),
            cases: Vec::new(),
            profiles: Vec::new(),
            jobs: 8,
            rate: None,
            partition: None,
            seed: 0,
            timeout: Duration::from_secs(10),
            deadline: DEADLINE,
            earlier: Vec::new(),
            fail_on: Severity::Cosmetic,
            slow: false,
            strict: false,
            waivers: None,
            i_am_authorized: false,
            keep_evidence: true,
            keep_secrets: false,
            despite_preflight: false,
        }
    }
}

impl Options {
    /// The bounds of one exchange.
    pub fn limits(&self) -> Limits {
        Limits {
            timeout: self.timeout,
            ..Limits::default()
        }
    }
}

/// Turns true when the run should end early.
pub type Stop = tokio::sync::watch::Receiver<bool>;

/// A stop signal that never comes.
pub fn never() -> Stop {
    let (sender, receiver) = tokio::sync::watch::channel(false);
    // The receiver keeps its last value after the sender is gone.
    drop(sender);
    receiver
}

/// How reports name a target.
pub fn label(target: &Target) -> String {
    if target.name == target.issuer || target.name.is_empty() {
        target.issuer.clone()
    } else {
        format!("{} ({})", target.name, target.issuer)
    }
}

/// Runs the selected cases against the target and tells `events` all about it. The last event is
/// [`Event::End`], whose contents are also returned.
pub async fn run(
    target: Target,
    suites: &[Suite],
    options: &Options,
    events: &mut (dyn FnMut(Event) + Send),
    stop: Stop,
) -> RunEnd {
    let clock = std::time::Instant::now();
    let profiles = options.profiles(&target).to_vec();
    let suites = &*profile::judged(suites, &profiles);
    let selected = plan::select(suites, options, Some(&profiles));
    let waivers = with_departures(&target, options.waivers.as_ref());
    events(Event::Start(RunStart {
        tool: concat!("oauthspec ", env!("CARGO_PKG_VERSION")).into(),
        target: label(&target),
        target_file: target.source.clone(),
        profiles,
        started_at: jiff::Timestamp::now().to_string(),
        seed: options.seed,
        cases: u32::try_from(selected.len()).unwrap_or(u32::MAX),
    }));
    let mut end = RunEnd {
        duration_ms: 0,
        requests: 0,
        summary: Summary::default(),
        policy: Vec::new(),
        leftovers: Vec::new(),
        interrupted: None,
        problems: Vec::new(),
        outcome: String::new(),
        exit_code: Exit::NothingDecided.code(),
    };
    let mut tally = Tally::default();
    let deadline = tokio::time::Instant::now() + options.deadline;
    let prepared = tokio::select! {
        prepared = prepare(target, options) => prepared,
        () = tokio::time::sleep_until(deadline) => Err(Failure::Unreachable(late(options))),
    };
    match prepared {
        Err(failure) => {
            end.exit_code = failure.exit().code();
            end.problems.push(failure.to_string());
        }
        Ok(prepared) => {
            for warning in &prepared.warnings {
                end.problems.push(warning.clone());
            }
            let today = jiff::Zoned::now().date();
            let mut evidence = Evidence::default();
            let mut hear = |mut report: CaseReport| {
                evidence.bound(&mut report);
                tally.decided.push((report.id.clone(), report.verdict));
                let red = matches!(report.verdict, Verdict::Fail | Verdict::Warn);
                if let Some(waiver) = waivers
                    .as_ref()
                    .filter(|_| red)
                    .and_then(|waivers| waivers.matching(&report.id, today))
                {
                    report.waived = Some(waiver.reason.clone());
                }
                tally.count(&report, options);
                end.summary.count(report.verdict);
                events(Event::Case(Box::new(report)));
            };
            let every = selected.len();
            let (selected, earlier) = still_to_run(selected, &options.earlier);
            for report in earlier {
                hear(report);
            }
            let (early, stopped) = tokio::sync::watch::channel(false);
            let late = {
                let mut cases = std::pin::pin!(schedule::run(
                    &prepared, &selected, options, &mut hear, &stopped
                ));
                tokio::select! {
                    _ = &mut cases => false,
                    late = ended_early(&stop, deadline) => {
                        early.send_replace(true);
                        // Flows under way are cut off within seconds; this is for a defect of ours.
                        let _ = tokio::time::timeout(AFTER_DEADLINE, cases).await;
                        late
                    }
                }
            };
            let interrupted = *stop.borrow();
            end.policy = policy::read_out(&prepared, &tally.reports);
            if let Some(waivers) = &waivers {
                let every = suites.iter().flat_map(|suite| &suite.cases);
                end.problems.extend(tally.stale(
                    waivers,
                    options.waivers.as_ref(),
                    every.map(|case| case.id.as_str()),
                    today,
                ));
            }
            end.leftovers = cleanup::clean(&prepared.world, interrupted).await;
            end.requests = prepared.world.transport.sent();
            end.exit_code = match (interrupted, &prepared.preflight) {
                (true, _) => {
                    end.interrupted = Some(Exit::Interrupted.words().to_owned());
                    Exit::Interrupted
                }
                (false, Err(_)) => Exit::Unreachable,
                (false, Ok(())) => match tally.exit(&end.summary, options) {
                    // What was not run cannot conform.
                    Exit::Conforms | Exit::NothingDecided if late => Exit::Unreachable,
                    exit => exit,
                },
            }
            .code();
            if late {
                let words = late_words(options, end.summary.total(), every);
                end.problems.push(words.clone());
                end.interrupted = Some(words);
            }
            if let Err(reason) = &prepared.preflight {
                end.problems.push(reason.clone());
            }
        }
    }
    end.duration_ms = u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX);
    end.outcome = Exit::from_code(end.exit_code)
        .map_or("", Exit::words)
        .to_owned();
    events(Event::End(Box::new(end.clone())));
    end
}

/// The user's waivers, and what the target itself departs from on purpose.
fn with_departures(target: &Target, own: Option<&waiver::Waivers>) -> Option<waiver::Waivers> {
    let mut all = own.cloned().unwrap_or_default();
    all.0.extend(
        (target.departures.iter()).map(|(case, why)| waiver::Waiver {
            case: case.clone(),
            reason: why.clone(),
            expires: None,
            place: format!("[departures] of {}", target.name),
        }),
    );
    (!all.0.is_empty()).then_some(all)
}

/// Pends until the run must end early; says whether it is the deadline's doing.
async fn ended_early(stop: &Stop, deadline: tokio::time::Instant) -> bool {
    let mut stop = stop.clone();
    let stopped = async {
        if stop.wait_for(|stopped| *stopped).await.is_err() {
            // Nobody can stop this run any more.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = stopped => false,
        () = tokio::time::sleep_until(deadline) => true,
    }
}

fn late(options: &Options) -> String {
    format!(
        "the run did not come to its first case within {} s (--deadline)",
        options.deadline.as_secs()
    )
}

fn late_words(options: &Options, decided: u32, selected: usize) -> String {
    format!(
        "the run's time of {} s (--deadline) was over after {decided} of {selected} cases: the rest is not known",
        options.deadline.as_secs()
    )
}

/// What is left to do after an earlier run, and what it has decided.
fn still_to_run<'s>(
    selected: Vec<&'s Case>,
    earlier: &[CaseReport],
) -> (Vec<&'s Case>, Vec<CaseReport>) {
    let decided = |id: &str| earlier.iter().find(|report| report.id == id);
    let taken = selected
        .iter()
        .filter_map(|case| decided(&case.id).cloned())
        .collect();
    let left = selected
        .into_iter()
        .filter(|case| decided(&case.id).is_none())
        .collect();
    (left, taken)
}

/// Keeps a run's evidence within bounds. What is in order may take this many bytes, and is left out
/// afterwards;
const MOST_IN_ORDER: usize = 16 << 20;
/// what is not in order has room of its own, so that a failure that comes late is shown as well as the
/// first; beyond it, bodies and headers are left out.
const MOST_OF_OTHERS: usize = 32 << 20;

#[derive(Default)]
struct Evidence {
    in_order: usize,
    others: usize,
}

impl Evidence {
    fn bound(&mut self, report: &mut CaseReport) {
        for variant in &mut report.variants {
            let in_order = matches!(variant.verdict, Verdict::Pass | Verdict::Skipped);
            for exchanges in [&mut variant.evidence, &mut variant.control] {
                if in_order {
                    if self.in_order > MOST_IN_ORDER {
                        exchanges.clear();
                    }
                    self.in_order += exchanges.iter().map(bytes).sum::<usize>();
                    continue;
                }
                for exchange in exchanges {
                    if self.others > MOST_OF_OTHERS {
                        shorten(exchange);
                    }
                    self.others += bytes(exchange);
                }
            }
        }
    }
}

/// What an exchange takes in a report, roughly.
fn bytes(exchange: &Exchange) -> usize {
    let messages = std::iter::once(&exchange.request).chain(&exchange.response);
    let told = messages.map(|message| {
        let headers = message.headers.iter();
        let headers = headers.map(|(name, value)| name.len() + value.len() + 64);
        message.body.len() + headers.sum::<usize>()
    });
    told.sum::<usize>() + exchange.url.len() + exchange.curl.len() + 512
}

fn shorten(exchange: &mut Exchange) {
    for message in std::iter::once(&mut exchange.request).chain(&mut exchange.response) {
        message.headers.clear();
        message.body = format!(
            "({} bytes, left out: the run has too much evidence)",
            message.body_bytes
        );
    }
}

/// What counts for the exit code.
#[derive(Default)]
struct Tally {
    reports: Vec<CaseReport>,
    failing: u32,
    stale: u32,
    decided: Vec<(String, Verdict)>,
}

impl Tally {
    fn count(&mut self, report: &CaseReport, options: &Options) {
        let fails = match report.verdict {
            Verdict::Fail => report.severity >= options.fail_on,
            Verdict::Warn => options.strict && report.waived.is_none(),
            Verdict::Error => true,
            _ => false,
        };
        self.failing += u32::from(fails && report.waived.is_none());
        if policy::reads(&report.id) {
            self.reports.push(report.clone());
        }
    }

    /// Waivers that no longer excuse anything: each is a failure, so that the file stays true.
    fn stale<'a>(
        &mut self,
        waivers: &waiver::Waivers,
        own: Option<&waiver::Waivers>,
        every: impl Iterator<Item = &'a str> + Clone,
        today: jiff::civil::Date,
    ) -> Vec<String> {
        let decided: Vec<(&str, Verdict)> = self
            .decided
            .iter()
            .map(|(id, verdict)| (id.as_str(), *verdict))
            .collect();
        let mut words: Vec<String> = Vec::new();
        for waiver in waivers.stale(&decided) {
            words.push(format!(
                "{}: the waiver for `{}` is stale, nothing it covers fails any more: remove it",
                waiver.place, waiver.case
            ));
        }
        // Departures belong to the target, whichever suites are run; the user's waivers to this run.
        for waiver in own.into_iter().flat_map(|own| own.unknown(every.clone())) {
            words.push(format!(
                "{}: the waiver for `{}` covers no case: correct or remove it",
                waiver.place, waiver.case
            ));
        }
        for waiver in waivers.0.iter().filter(|waiver| waiver.has_expired(today)) {
            words.push(format!(
                "{}: the waiver for `{}` has expired: mend the server, or give it a new date",
                waiver.place, waiver.case
            ));
        }
        self.stale = u32::try_from(words.len()).unwrap_or(u32::MAX);
        words
    }

    fn exit(&self, summary: &Summary, options: &Options) -> Exit {
        if summary.error > 0 {
            Exit::Usage
        } else if self.failing + self.stale > 0 {
            Exit::DoesNotConform
        } else if summary.decided() == 0
            || (options.strict && summary.inconclusive > 0 && summary.decided() == 0)
        {
            Exit::NothingDecided
        } else {
            Exit::Conforms
        }
    }
}
