//! From suites and a target to verdicts: prepare → plan → schedule → events → verdicts.
//!
//! [`prepare`] finds the target and proves that the correct flow works there; [`plan`] says which
//! variants run and which controls they need; [`schedule`] brackets deviations with controls;
//! [`judge`] decides. Reports hear [`Event`]s and nothing else.

pub mod cleanup;
pub mod control;
pub mod judge;
pub mod performance;
pub mod plan;
pub mod policy;
pub mod prepare;
pub mod schedule;
pub mod waiver;

use std::time::Duration;

use crate::event::{CaseReport, Event, RunEnd, RunStart, Severity, Summary, Verdict};
use crate::exit::Exit;
use crate::suite::model::Suite;
use crate::target::model::Target;
use crate::transport::Limits;

pub use prepare::{Failure, Prepared, prepare};

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
    /// Failures below this severity do not fail the run.
    pub fail_on: Severity,
    /// Warnings fail the run too.
    pub strict: bool,
    /// Known failures.
    pub waivers: Option<waiver::Waivers>,
    /// The user's word that hosts other than loopback may be tested.
    pub i_am_authorized: bool,
    /// Keep exchanges for the reports; `selftest` needs only verdicts.
    pub keep_evidence: bool,
    /// Decide every case even when the preflight fails (for `selftest`, against hosts that are not
    /// OAuth servers).
    pub despite_preflight: bool,
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
            fail_on: Severity::Cosmetic,
            strict: false,
            waivers: None,
            i_am_authorized: false,
            keep_evidence: true,
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
    let profiles = if options.profiles.is_empty() {
        target.profiles.clone()
    } else {
        options.profiles.clone()
    };
    let selected = plan::select(suites, options);
    events(Event::Start(RunStart {
        tool: concat!("oauthspec ", env!("CARGO_PKG_VERSION")).into(),
        target: if target.name == target.issuer || target.name.is_empty() {
            target.issuer.clone()
        } else {
            format!("{} ({})", target.name, target.issuer)
        },
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
    match prepare(target, options).await {
        Err(failure) => {
            end.exit_code = failure.exit().code();
            end.problems.push(failure.to_string());
        }
        Ok(prepared) => {
            for warning in &prepared.warnings {
                end.problems.push(warning.clone());
            }
            let today = jiff::Zoned::now().date();
            let mut hear = |mut report: CaseReport| {
                tally.decided.push((report.id.clone(), report.verdict));
                let red = matches!(report.verdict, Verdict::Fail | Verdict::Warn);
                if let Some(waiver) = options
                    .waivers
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
            let interrupted = schedule::run(&prepared, &selected, options, &mut hear, &stop).await;
            end.policy = policy::read_out(&prepared, &tally.reports);
            if let Some(waivers) = &options.waivers {
                let every = suites.iter().flat_map(|suite| &suite.cases);
                end.problems.extend(tally.stale(
                    waivers,
                    every.map(|case| case.id.as_str()),
                    today,
                ));
            }
            end.leftovers = cleanup::clean(&prepared.world).await;
            end.requests = prepared.world.transport.sent();
            end.exit_code = match (interrupted, &prepared.preflight) {
                (true, _) => {
                    end.interrupted = Some(Exit::Interrupted.words().to_owned());
                    Exit::Interrupted
                }
                (false, Err(_)) => Exit::Unreachable,
                (false, Ok(())) => tally.exit(&end.summary, options),
            }
            .code();
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
        // The policy read-out needs verdicts and reasons, not a second copy of the evidence.
        self.reports.push(CaseReport {
            variants: report
                .variants
                .iter()
                .map(|variant| crate::event::VariantReport {
                    evidence: Vec::new(),
                    control: Vec::new(),
                    ..variant.clone()
                })
                .collect(),
            ..report.clone()
        });
    }

    /// Waivers that no longer excuse anything: each is a failure, so that the file stays true.
    fn stale<'a>(
        &mut self,
        waivers: &waiver::Waivers,
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
        for waiver in waivers.unknown(every) {
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
