//! Programs on their way. Every lane plays its own share, one after the other, and waits for no other lane; what was
//! played is judged in the order in which the programs were made.
//!
//! So that the same seed comes to the same programs, they are made in batches, each at the same place: when all programs
//! but those of the last batch are judged.

use std::collections::VecDeque;

use super::*;

/// Programs of a batch for each lane.
const DEPTH: usize = 8;

/// Programs that a lane has at a time: the one it plays and the one it need not wait for.
const AHEAD: usize = 2;

/// A program and what became of it.
pub(super) struct Played {
    pub(super) program: Arc<Program>,
    /// `None` until it was played.
    pub(super) trace: Option<Arc<Trace>>,
}

/// The programs of a session by their numbers: those judged last, those played, those to play.
#[derive(Default)]
pub(super) struct Course {
    window: VecDeque<Played>,
    /// The number of the first one in the window.
    first: usize,
    /// How many are judged.
    pub(super) judged: usize,
    /// The number each lane plays next: its own, or that plus a multiple of the number of lanes.
    next: Vec<usize>,
    /// How many each lane has.
    given: Vec<usize>,
}

impl Course {
    /// How many were made.
    fn made(&self) -> usize {
        self.first + self.window.len()
    }

    fn at(&self, number: usize) -> Option<&Played> {
        self.window.get(number.checked_sub(self.first)?)
    }

    /// The program that is judged next, when it was played.
    fn ready(&self) -> Option<(Arc<Program>, Arc<Trace>)> {
        let played = self.at(self.judged)?;
        Some((Arc::clone(&played.program), played.trace.clone()?))
    }

    /// Those in the window that were played, in order.
    pub(super) fn played(&self) -> impl Iterator<Item = (&Program, &Trace)> {
        let played = self.window.iter();
        played.filter_map(|one| Some((one.program.as_ref(), one.trace.as_deref()?)))
    }
}

impl<'s> Session<'s> {
    /// The next program that was played, in order, with its number; `None` when all are judged.
    pub(super) async fn next_played(&mut self) -> Option<(usize, Arc<Program>, Arc<Trace>)> {
        loop {
            self.make();
            self.begin();
            if let Some((program, trace)) = self.course.ready() {
                let number = self.course.judged;
                self.course.judged += 1;
                return Some((number, program, trace));
            }
            if !self.arrive().await {
                return None;
            }
        }
    }

    /// Waits until nothing is under way: what is played then is played alone.
    pub(super) async fn quiet(&mut self) {
        while self.arrive().await {}
    }

    /// How many programs are made at a time.
    pub(super) fn batch(&self) -> usize {
        self.workers.lanes.max(1) * DEPTH
    }

    /// Makes the next batch, when it is time for it.
    fn make(&mut self) {
        let batch = self.batch();
        while self.course.made() <= self.course.judged + batch {
            let waiting = self.course.made() - self.course.judged;
            let left = self.options.programs.map_or(u64::MAX, |most| {
                most.saturating_sub(self.report.programs)
                    .saturating_sub(waiting as u64)
            });
            let size = batch.min(usize::try_from(left).unwrap_or(usize::MAX));
            if size == 0 {
                return;
            }
            for _ in 0..size {
                let program = Arc::new(self.grammar.fresh());
                let trace = None;
                self.course.window.push_back(Played { program, trace });
            }
            // A batch of those judged is kept: who ended a server may be among them.
            while self.course.first + batch < self.course.judged {
                self.course.window.pop_front();
                self.course.first += 1;
            }
        }
    }

    /// Gives every lane what it plays next.
    fn begin(&mut self) {
        let lanes = self.workers.lanes;
        self.course.next.resize(lanes, 0);
        self.course.given.resize(lanes, 0);
        let state = self.course.next.iter_mut().zip(&mut self.course.given);
        for (lane, (next, given)) in state.enumerate() {
            while *given < AHEAD {
                let number = *next * lanes + lane;
                let at = number.checked_sub(self.course.first);
                let Some(played) = at.and_then(|at| self.course.window.get(at)) else {
                    break;
                };
                *next += 1;
                *given += 1;
                self.workers.give(Job {
                    lane,
                    number,
                    program: Arc::clone(&played.program),
                    anew: false,
                });
            }
        }
    }

    /// Waits for a lane; tells whether there was one to wait for.
    async fn arrive(&mut self) -> bool {
        let Some(finished) = self.workers.finished().await else {
            return false;
        };
        if let Some(given) = self.course.given.get_mut(finished.lane) {
            *given -= 1;
        }
        let at = finished.number.checked_sub(self.course.first);
        if let Some(played) = at.and_then(|at| self.course.window.get_mut(at)) {
            played.trace = Some(Arc::new(finished.trace));
        }
        true
    }
}
