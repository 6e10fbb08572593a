//! After a candidate: it is repeated, made smaller and written down.

use super::*;

/// Programs tried while a finding is made smaller.
const SHRINKING: usize = 160;

/// Repetitions of a candidate.
const REPEATS: usize = 3;

/// The same, where each costs seconds.
const REPEATS_SLOW: usize = 2;

/// Smaller programs that show a hang, after which it is small enough: each costs seconds.
const SMALLER_SLOW: usize = 3;

/// Findings followed up for one oracle, endpoint and parameter.
const SAME_PARAMETER: usize = 2;

/// Findings followed up for one oracle and endpoint.
const SAME_ENDPOINT: usize = 8;

/// The smallest program so far that shows a candidate.
pub(super) struct Small {
    program: Program,
    trace: Trace,
    /// Programs tried.
    tries: usize,
}

impl<'s> Session<'s> {
    /// Repeats, shrinks and writes down a candidate.
    pub(super) async fn follow_up(
        &mut self,
        program: &Program,
        candidate: &Candidate,
        trace: &Trace,
    ) -> Result<(), String> {
        let Some(operation) = program.operations.get(candidate.at) else {
            return Ok(());
        };
        if self.known(candidate.oracle, operation) {
            self.report.duplicates += 1;
            return Ok(());
        }
        let kind = operation.kind;
        let slow = matches!(candidate.oracle, Oracle::Hang | Oracle::Dead);
        let repeats = if slow { REPEATS_SLOW } else { REPEATS };
        // What was lost in a batch was played by itself before it was judged.
        let before = usize::from(slow && trace.disturbed());
        let mut hits = before;
        let mut last = trace.clone();
        for _ in before..repeats {
            self.recovered(program, &last).await?;
            let again = self.alone(program).await;
            if self
                .shows(program, &again, candidate.oracle, kind)
                .is_some()
            {
                hits += 1;
                last = again;
            } else if slow {
                hits = 0;
                break;
            }
        }
        if hits == 0 {
            self.report.unconfirmed += 1;
            return Ok(());
        }
        let chances = if hits < repeats { 3 } else { 1 };
        self.recovered(program, &last).await?;
        let mut smallest = Small {
            program: program.clone(),
            trace: last,
            tries: 0,
        };
        self.shrink(&mut smallest, candidate, kind, chances).await?;
        let Small {
            program: smallest,
            trace: shown,
            tries,
        } = smallest;
        let candidate = self
            .shows(&smallest, &shown, candidate.oracle, kind)
            .unwrap_or_else(|| candidate.clone());
        self.recovered(&smallest, &shown).await?;
        self.record(smallest, &candidate, &shown, (hits, repeats), tries);
        self.count();
        Ok(())
    }

    /// Whether enough findings like this one have been followed up.
    pub(super) fn known(&self, oracle: Oracle, operation: &Operation) -> bool {
        let endpoint = operation.kind.endpoint().to_owned();
        let count = |parameter: &str| {
            self.counts
                .get(&(oracle, endpoint.clone(), parameter.to_owned()))
                .copied()
                .unwrap_or(0)
        };
        if count("") >= SAME_ENDPOINT {
            return true;
        }
        operation.deviations.iter().any(|deviation| {
            let bucket = |known: &Bucket| {
                known.oracle == oracle
                    && known.endpoint == endpoint
                    && known.parameter == deviation.parameter
                    && known.operator == deviation.operator
            };
            self.state.buckets.iter().any(bucket) || count(&deviation.parameter) >= SAME_PARAMETER
        })
    }

    pub(super) fn shows(
        &self,
        program: &Program,
        trace: &Trace,
        oracle: Oracle,
        kind: Kind,
    ) -> Option<Candidate> {
        self.judge(program, trace).into_iter().find(|one| {
            one.oracle == oracle
                && program
                    .operations
                    .get(one.at)
                    .is_some_and(|operation| operation.kind == kind)
        })
    }

    /// Makes a program smaller as long as it shows the same.
    pub(super) async fn shrink(
        &mut self,
        smallest: &mut Small,
        first: &Candidate,
        kind: Kind,
        chances: usize,
    ) -> Result<(), String> {
        let oracle = first.oracle;
        let budget = if self.options.quick {
            SHRINKING / 2
        } else {
            SHRINKING
        };
        let steps = if matches!(oracle, Oracle::Hang | Oracle::Dead) {
            SMALLER_SLOW
        } else {
            budget
        };
        let mut smaller = 0;
        // Most often one operation is enough, whatever stands around it.
        let accused = smallest.program.operations.get(first.at).cloned();
        if smallest.program.operations.len() > 1 {
            let program = Program {
                operations: accused.into_iter().collect(),
            };
            smaller += usize::from(
                self.smaller(smallest, program, oracle, kind, chances)
                    .await?,
            );
        }
        let mut tree = ProgramTree::new(smallest.program.clone());
        while smallest.tries < budget && smaller < steps && tree.simplify() {
            let program = tree.current();
            if self
                .smaller(smallest, program, oracle, kind, chances)
                .await?
            {
                smaller += 1;
            } else if !tree.complicate() {
                break;
            }
        }
        Ok(())
    }

    /// Tries a smaller program; keeps it when it shows the same.
    async fn smaller(
        &mut self,
        smallest: &mut Small,
        program: Program,
        oracle: Oracle,
        kind: Kind,
        chances: usize,
    ) -> Result<bool, String> {
        // What shows only sometimes gets more than one chance.
        for _ in 0..chances {
            smallest.tries += 1;
            let trace = self.alone(&program).await;
            if trace.disturbed() {
                self.recovered(&program, &trace).await?;
            }
            if self.shows(&program, &trace, oracle, kind).is_some() {
                smallest.program = program;
                smallest.trace = trace;
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn record(
        &mut self,
        program: Program,
        candidate: &Candidate,
        trace: &Trace,
        shown: (usize, usize),
        tries: usize,
    ) {
        let Some(operation) = program.operations.get(candidate.at) else {
            return;
        };
        let bucket = Bucket::of(candidate.oracle, operation);
        let endpoint = operation.kind.endpoint().to_owned();
        for parameter in operation
            .deviations
            .iter()
            .map(|deviation| deviation.parameter.clone())
            .chain([String::new()])
        {
            *self
                .counts
                .entry((candidate.oracle, endpoint.clone(), parameter))
                .or_default() += 1;
        }
        if self.state.buckets.contains(&bucket) {
            self.report.duplicates += 1;
            return;
        }
        self.state.buckets.push(bucket.clone());
        let mut found = finding::write(
            &self.stage,
            &finding::Shown {
                bucket,
                program: &program,
                candidate,
                trace,
                hits: shown.0,
                of: shown.1,
                seed: self.options.seed,
                number: self.report.findings.len() + 1,
            },
        );
        found.after = self.clock.elapsed();
        found.programs = self.report.programs;
        found.tries = tries;
        if let Some(out) = &self.options.out {
            let folder = out.join("findings");
            let path = folder.join(format!("{}.toml", found.id));
            let written =
                std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, &found.text));
            match written {
                Ok(()) => found.path = Some(path),
                Err(error) => self.say(format!("{} cannot be written: {error}", path.display())),
            }
        }
        (self.hear)(Event::Finding(Box::new(found.clone())));
        self.report.findings.push(found);
    }
}
