//! When the correct flow works no more: waiting for it, and who did it.

use super::*;
use crate::fuzz::connection::Lost;
use crate::fuzz::play::Done;

/// How long a server may take to come back.
const RECOVERY: Duration = Duration::from_secs(20);
/// The same for one that has not come back from it before.
const RELAPSE: Duration = Duration::from_secs(5);
/// The same while it takes connections and answers nothing: it is busy with what it was sent.
const BUSY: Duration = Duration::from_secs(120);
/// Operations that are tried one by one after a restart.
const SUSPECTS: usize = 32;
/// Operations named when it cannot be known which one it was: the last ones.
const ACCUSED: usize = 8;

/// An operation after which the correct flow was not seen to work.
#[derive(Debug, Clone)]
pub(super) struct Suspect {
    operation: Operation,
    done: Done,
}

impl<'s> Session<'s> {
    /// Waits until the correct flow works again; tells whether it does.
    pub(super) async fn comes_back(&mut self) -> bool {
        self.works_within(RECOVERY).await
    }

    /// Waits so long until the correct flow works, and longer while the server is busy.
    async fn works_within(&mut self, time: Duration) -> bool {
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
                time
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
        Err(self.dead_after(program, trace))
    }

    /// Writes down that the server is dead after a program; returns the last request.
    fn dead_after(&mut self, program: &Program, trace: &Trace) -> String {
        let last = self.last_request(program, trace);
        let at = trace.done.last().map_or(0, |done| done.at);
        self.died(program.clone(), at, trace, &last);
        last
    }

    /// After what many programs did at the same time: who may have done it. With `--restart` they are tried one by one
    /// in the next session. Returns the last request.
    pub(super) fn accuse(&mut self) -> String {
        let suspects = suspects(self.course.played());
        let last = suspects.last().map(|one| {
            let program = Program {
                operations: vec![one.operation.clone()],
            };
            self.last_request(&program, &alone(one))
        });
        self.state.suspects = suspects;
        if self.options.restart.is_none() || over(self.options, self.report, self.clock) {
            self.charge();
        }
        last.unwrap_or_else(|| "a correct request".into())
    }

    /// After a restart: which of the suspects it was, and which of its deviations. Returns the last request when the
    /// server is dead again.
    pub(super) async fn interrogate(&mut self) -> Option<String> {
        for suspect in self.state.suspects.clone() {
            for operation in smaller(&suspect.operation) {
                let program = Program {
                    operations: vec![operation],
                };
                let trace = self.alone(&program).await;
                if self.works_within(RELAPSE).await {
                    continue;
                }
                self.state.suspects.clear();
                return Some(self.dead_after(&program, &trace));
            }
        }
        self.charge();
        None
    }

    /// Writes down all suspects as one finding.
    fn charge(&mut self) {
        let mut suspects = std::mem::take(&mut self.state.suspects);
        suspects.drain(..suspects.len().saturating_sub(ACCUSED));
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
        let mut secrets = self.stage.world.secrets.clone();
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

/// An operation with one of its deviations at a time, then as it was.
fn smaller(operation: &Operation) -> Vec<Operation> {
    let mut all = Vec::new();
    if operation.deviations.len() > 1 {
        let each = operation.deviations.iter();
        all.extend(each.map(|deviation| Operation {
            deviations: vec![deviation.clone()],
            ..operation.clone()
        }));
    }
    all.push(operation.clone());
    all
}

/// The deviating operations that may have ended what worked: they reached the server, they began before the first correct request failed, and no
/// token was got correctly after them. In the order in which they were sent.
fn suspects<'p>(played: impl Iterator<Item = (&'p Program, &'p Trace)>) -> Vec<Suspect> {
    let played: Vec<_> = played.collect();
    let over = |seen: &Seen| seen.at + seen.took;
    let failed = played
        .iter()
        .filter(|(_, trace)| trace.stuck.is_some())
        .filter_map(|(_, trace)| trace.setup.last())
        .map(over)
        .min();
    let worked = played.iter().filter_map(|(_, trace)| trace.worked).max();
    let mut found: Vec<(Instant, Suspect)> = Vec::new();
    for (program, trace) in played {
        for done in &trace.done {
            let (Some(operation), Some(seen)) = (program.operations.get(done.at), done.decisive())
            else {
                continue;
            };
            if matches!(seen.reply, Err(Lost::Refused(_) | Lost::NotSent(_))) {
                continue;
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_deviation_is_tried_by_itself_before_all_of_them() {
        let deviation = |name: &str| Deviation {
            operator: name.into(),
            parameter: "request".into(),
            equivalent: false,
            edits: vec![Edit::Without(name.into())],
        };
        let mut operation = Operation::plain(Kind::Revoke);
        operation.deviations = vec![deviation("one"), deviation("two")];
        let tried: Vec<String> = smaller(&operation)
            .iter()
            .map(|one| {
                let names = one.deviations.iter();
                let names: Vec<&str> = names.map(|one| one.operator.as_str()).collect();
                names.join("+")
            })
            .collect();
        assert_eq!(tried, ["one", "two", "one+two"]);
        assert_eq!(smaller(&Operation::plain(Kind::Call)).len(), 1);
    }
}
