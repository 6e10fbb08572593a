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

/// Findings for one oracle and endpoint.
const SAME_ENDPOINT: usize = 8;

/// Candidates of one oracle, endpoint and effect that are repeated in vain before no more are.
const IN_VAIN: usize = 8;

/// The smallest program so far that shows a candidate.
pub(super) struct Small {
    program: Program,
    trace: Trace,
    /// Programs tried.
    tries: usize,
}

impl<'s> Session<'s> {
    /// Whether a candidate is to be followed up; what is not is counted.
    pub(super) fn wanted(&mut self, program: &Program, candidate: &Candidate) -> bool {
        let Some(operation) = program.operations.get(candidate.at) else {
            return false;
        };
        if self.known(candidate, operation) {
            self.report.duplicates += 1;
            return false;
        }
        let bucket = Bucket::of(self.stage.endpoint(operation.kind), candidate, operation);
        let vain = (bucket.oracle, bucket.endpoint, bucket.effect);
        let tried = self.in_vain.get(&vain).copied().unwrap_or_default();
        if tried >= IN_VAIN {
            *self.report.unconfirmed.entry(candidate.oracle).or_default() += 1;
        }
        tried < IN_VAIN
    }

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
        let kind = operation.kind;
        let bucket = Bucket::of(self.stage.endpoint(kind), candidate, operation);
        let slow = matches!(candidate.oracle, Oracle::Hang | Oracle::Dead);
        let repeats = if slow { REPEATS_SLOW } else { REPEATS };
        // What was lost among others was played by itself before it was judged.
        let before = usize::from(slow && trace.disturbed());
        let mut hits = before;
        let mut last = trace.clone();
        for _ in before..repeats {
            self.recovered(program, &last).await?;
            let again = self.alone(program).await;
            if self.shows(program, &again, candidate, kind).is_some() {
                hits += 1;
                last = again;
            } else if slow {
                hits = 0;
                break;
            }
        }
        if hits == 0 {
            *self.report.unconfirmed.entry(candidate.oracle).or_default() += 1;
            let vain = (bucket.oracle, bucket.endpoint, bucket.effect);
            *self.in_vain.entry(vain).or_default() += 1;
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
            .shows(&smallest, &shown, candidate, kind)
            .unwrap_or_else(|| candidate.clone());
        self.recovered(&smallest, &shown).await?;
        self.record(smallest, &candidate, &shown, (hits, repeats), tries);
        self.count();
        Ok(())
    }

    /// Whether this was found before, or so much like it that no more of it is wanted.
    pub(super) fn known(&mut self, candidate: &Candidate, operation: &Operation) -> bool {
        let endpoint = self.stage.endpoint(operation.kind);
        let mut like = 0;
        for bucket in &self.state.buckets {
            if bucket.holds(endpoint, candidate, operation) {
                let mut findings = self.report.findings.iter_mut();
                if let Some(found) = findings.find(|found| found.bucket == *bucket) {
                    found.again += 1;
                }
                return true;
            }
            like += usize::from(bucket.oracle == candidate.oracle && bucket.endpoint == endpoint);
        }
        like >= SAME_ENDPOINT
    }

    pub(super) fn shows(
        &self,
        program: &Program,
        trace: &Trace,
        like: &Candidate,
        kind: Kind,
    ) -> Option<Candidate> {
        self.judge(program, trace).into_iter().find(|one| {
            one.oracle == like.oracle
                && finding::effect(one) == finding::effect(like)
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
                self.smaller(smallest, program, first, kind, chances)
                    .await?,
            );
        }
        let mut tree = ProgramTree::new(smallest.program.clone());
        while smallest.tries < budget && smaller < steps && tree.simplify() {
            let program = tree.current();
            if self
                .smaller(smallest, program, first, kind, chances)
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
        like: &Candidate,
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
            if self.shows(&program, &trace, like, kind).is_some() {
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
        let bucket = Bucket::of(self.stage.endpoint(operation.kind), candidate, operation);
        let buckets = &self.state.buckets;
        let like = |known: &&Bucket| known.slug() == bucket.slug();
        let twins = buckets.iter().filter(like).count();
        let endpoint = bucket.endpoint.as_str();
        if buckets
            .iter()
            .any(|known| known.holds(endpoint, candidate, operation))
        {
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
                twins,
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
