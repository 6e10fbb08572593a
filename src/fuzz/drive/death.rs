//! When the correct flow works no more: waiting for it, and who did it.

use super::*;
use crate::fuzz::connection::Lost;
use crate::fuzz::play::Done;

/// How long a server may take to come back.
const RECOVERY: Duration = Duration::from_secs(20);
/// The same while it takes connections and answers nothing: it is busy with what it was sent.
const BUSY: Duration = Duration::from_secs(120);
/// Operations named when it cannot be known which one it was.
const SUSPECTS: usize = 8;

/// An operation after which the correct flow was not seen to work.
#[derive(Debug, Clone)]
pub(super) struct Suspect {
    operation: Operation,
    done: Done,
}

impl<'s> Session<'s> {
    /// Waits until the correct flow works again; tells whether it does.
    pub(super) async fn comes_back(&mut self) -> bool {
        let since = Instant::now();
        let health = self.health.clone();
        loop {
            let probe = self.alone(&health).await;
            if probe.stuck.is_none() && probe.done.iter().all(|done| done.answer == Answer::Success)
            {
                return true;
            }
            let done = probe.done.iter().flat_map(|done| &done.seen);
            let slow = |seen: &Seen| matches!(seen.reply, Err(Lost::Slow));
            let limit = if done.chain(&probe.setup).any(slow) {
                BUSY
            } else {
                RECOVERY
            };
            if since.elapsed() > limit {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// After a program that was played by itself. `Err`: the server stays dead, and the last request.
    pub(super) async fn recovered(
        &mut self,
        program: &Program,
        trace: &Trace,
    ) -> Result<(), String> {
        if self.comes_back().await {
            return Ok(());
        }
        let last = self.last_request(program, trace);
        let at = trace.done.last().map_or(0, |done| done.at);
        self.died(program.clone(), at, trace, &last);
        Err(last)
    }

    /// After a batch: who may have done it. With `--restart` they are tried one by one in the next session. Returns
    /// the last request.
    pub(super) fn accuse(&mut self, programs: &[Program], traces: &[Trace]) -> String {
        let suspects = suspects(programs, traces);
        let last = suspects.last().map(|one| {
            let program = Program {
                operations: vec![one.operation.clone()],
            };
            self.last_request(&program, &alone(one))
        });
        self.state.suspects = suspects;
        if self.options.restart.is_none() || self.state.suspects.len() < 2 {
            self.charge();
        }
        last.unwrap_or_else(|| "a correct request".into())
    }

    /// After a restart: which of the suspects it was. Returns the last request when the server is dead again.
    pub(super) async fn interrogate(&mut self) -> Option<String> {
        for suspect in self.state.suspects.clone() {
            let program = Program {
                operations: vec![suspect.operation],
            };
            let trace = self.alone(&program).await;
            if let Err(last) = self.recovered(&program, &trace).await {
                self.state.suspects.clear();
                return Some(last);
            }
        }
        self.charge();
        None
    }

    /// Writes down all suspects as one finding.
    fn charge(&mut self) {
        let suspects = std::mem::take(&mut self.state.suspects);
        let mut program = Program::default();
        let mut trace = Trace::default();
        for (at, suspect) in suspects.into_iter().enumerate() {
            program.operations.push(suspect.operation);
            trace.done.push(Done { at, ..suspect.done });
        }
        let count = program.operations.len();
        let Some(at) = count.checked_sub(1) else {
            return;
        };
        let mut last = self.last_request(&program, &trace);
        if count > 1 {
            last = format!("one of these {count} requests, the last being {last}");
        }
        self.died(program, at, &trace, &last);
    }

    fn last_request(&self, program: &Program, trace: &Trace) -> String {
        let seen = trace.done.iter().flat_map(|done| &done.seen).last();
        let mut secrets = self.world().secrets.clone();
        seen.map_or_else(
            || finding::describe(program),
            |seen: &Seen| {
                secrets.observe(&seen.recorded());
                let shown =
                    secrets.redact(&format!("{} {}", seen.request.method, seen.request.url));
                shown.chars().take(300).collect()
            },
        )
    }

    /// The server does not come back: what was sent last is the finding.
    fn died(&mut self, program: Program, at: usize, trace: &Trace, last: &str) {
        let candidate = Candidate {
            oracle: Oracle::Dead,
            at,
            note: format!("the server does not come back after {last}"),
        };
        self.record(program, &candidate, trace, (1, 1), 0);
    }
}

fn alone(suspect: &Suspect) -> Trace {
    Trace {
        done: vec![suspect.done.clone()],
        ..Trace::default()
    }
}

/// The deviating operations of a batch that may have ended what worked: they began before the first correct request
/// failed, and no grant was arranged after them. In the order in which they were sent.
fn suspects(programs: &[Program], traces: &[Trace]) -> Vec<Suspect> {
    let over = |seen: &Seen| seen.at + seen.took;
    let failed = traces
        .iter()
        .filter(|trace| trace.stuck.is_some())
        .filter_map(|trace| trace.setup.last())
        .map(over)
        .min();
    // A program whose first operation takes a token had a grant first: it worked when the program had begun.
    let worked = traces
        .iter()
        .filter(|trace| {
            trace.done.first().is_some_and(|done| {
                done.at == 0
                    && matches!(
                        done.kind,
                        Kind::Refresh | Kind::Revoke | Kind::Introspect | Kind::Call
                    )
            })
        })
        .filter_map(|trace| trace.began)
        .max();
    let mut found: Vec<(Instant, Suspect)> = Vec::new();
    for (program, trace) in programs.iter().zip(traces) {
        for done in &trace.done {
            let (Some(operation), Some(seen)) = (program.operations.get(done.at), done.decisive())
            else {
                continue;
            };
            let before = failed.is_none_or(|failed| seen.at < failed);
            let after = worked.is_none_or(|worked| over(seen) >= worked);
            if before && after && !operation.is_plain() {
                let suspect = Suspect {
                    operation: operation.clone(),
                    done: done.clone(),
                };
                found.push((seen.at, suspect));
            }
        }
    }
    found.sort_by_key(|(at, _)| *at);
    let first = found.len().saturating_sub(SUSPECTS);
    found.drain(first..).map(|(_, suspect)| suspect).collect()
}
