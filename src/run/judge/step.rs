//! One step: what must hold of every answer, and a step that must succeed.

use super::{Opinion, describe, opinion};
use crate::check::{self, Found};
use crate::event::{Level, Verdict};
use crate::flow::audience::side_by_side;
use crate::flow::{Answer, Outcome, Scene};
use crate::suite::model::{Change, Expect, Step};

/// Judges one step.
pub(super) struct StepJudge<'j, 'w> {
    pub(super) scene: &'j mut Scene<'w>,
    pub(super) step: &'j Step,
    pub(super) expect: &'j Expect,
    pub(super) change: &'j Change,
    pub(super) number: usize,
    pub(super) level: Level,
    pub(super) at: usize,
    pub(super) attacked: bool,
    pub(super) refuses_anywhere: bool,
}

impl StepJudge<'_, '_> {
    pub(super) async fn step(&mut self, outcome: &Outcome) -> Vec<Opinion> {
        let mut opinions = Vec::new();
        match &outcome.answer {
            Answer::NotApplicable(why) => return vec![opinion(Verdict::Skipped, why.clone())],
            // Silence is what this check is about; to all others it says nothing.
            Answer::NoAnswer(_) if self.expect.check.iter().any(|name| name == "prompt-answer") => {
                let finding = check::run("prompt-answer", self.scene, self.at).await;
                return vec![opinion(self.broken(), finding.reason)];
            }
            Answer::NoAnswer(_) | Answer::Throttled(_) => {
                let words = format!("{} {}", outcome.label, outcome.answer.words());
                return vec![opinion(Verdict::Inconclusive, words)];
            }
            _ => {}
        }
        for name in &self.expect.check {
            let finding = check::run(name, self.scene, self.at).await;
            // An optional step that did not succeed skips the case; that nothing could be checked is no news.
            if finding.found == Found::Undecided
                && self.expect.optional.is_some()
                && outcome.answer != Answer::Success
            {
                continue;
            }
            let verdict = match finding.found {
                Found::Pass => Verdict::Pass,
                Found::Warn => Verdict::Warn,
                Found::Fail => self.broken(),
                Found::Undecided => Verdict::Inconclusive,
                Found::NotApplicable => Verdict::Skipped,
            };
            opinions.push(opinion(verdict, finding.reason));
        }
        // What a check reads out is the answer that counts.
        let reads_out = self
            .expect
            .check
            .iter()
            .any(|name| name == "rotation-read-out");
        let left_to_check =
            reads_out || (self.step.parallel.is_some() && !self.expect.check.is_empty());
        if !left_to_check {
            opinions.push(self.answer(outcome).await);
        }
        opinions
    }

    /// A breach at this level.
    pub(super) fn broken(&self) -> Verdict {
        match self.level {
            Level::Must | Level::Promise => Verdict::Fail,
            Level::Should => Verdict::Warn,
            Level::May => Verdict::Pass,
        }
    }

    async fn answer(&mut self, outcome: &Outcome) -> Opinion {
        if let Some(codes) = &self.expect.dead {
            return self.dead(outcome, codes).await;
        }
        if let Some(codes) = &self.expect.challenge {
            return self.challenge(outcome, codes).await;
        }
        if let Some(codes) = &self.expect.refused {
            return self.refused(outcome, codes).await;
        }
        if self.expect.page {
            return self.page(outcome).await;
        }
        self.success(outcome).await
    }

    pub(super) fn says(&self, outcome: &Outcome) -> String {
        let what = describe(self.step, self.change);
        format!("{what} {}", outcome.answer.words())
    }

    /// A step that must succeed.
    async fn success(&mut self, outcome: &Outcome) -> Opinion {
        if outcome.answer == Answer::Success {
            return opinion(Verdict::Pass, self.says(outcome));
        }
        if let Some(reason) = &self.expect.optional {
            return opinion(
                Verdict::Skipped,
                format!("{reason} ({})", outcome.answer.words()),
            );
        }
        if self.attacked {
            let words = format!(
                "{}: what was not attacked must go on working",
                self.says(outcome)
            );
            return opinion(self.broken(), words);
        }
        let why = side_by_side(self.scene, outcome).await;
        if self.refuses_anywhere {
            let words = format!(
                "the situation could not be arranged: {}{why}",
                self.says(outcome)
            );
            return opinion(Verdict::Inconclusive, words);
        }
        opinion(self.broken(), self.says(outcome) + &why)
    }
}
