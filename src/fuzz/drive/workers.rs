//! The threads that play programs. Each has its share of the lanes and a runtime of its own, so that whoever waits for
//! an answer is woken on the thread where the answer arrives.

use std::collections::VecDeque;
use std::thread;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::*;

/// A program for a lane.
pub(super) struct Job {
    pub(super) lane: usize,
    pub(super) number: usize,
    pub(super) program: Arc<Program>,
    /// On new connections.
    pub(super) anew: bool,
}

/// A program that was played.
pub(super) struct Finished {
    pub(super) lane: usize,
    pub(super) number: usize,
    pub(super) trace: Trace,
}

/// What a worker says: a program, or its own place when it is gone.
type Word = Result<Finished, usize>;

/// All workers. Dropped, they stop where they are, and are gone before anything else happens.
pub(super) struct Workers {
    hands: Vec<Hand>,
    words: UnboundedReceiver<Word>,
    /// How many lanes they have together.
    pub(super) lanes: usize,
    /// How many programs they have.
    busy: usize,
}

/// One thread, seen from outside.
struct Hand {
    jobs: UnboundedSender<Job>,
    thread: thread::JoinHandle<()>,
}

/// Tells that a worker is gone, however it went.
struct Parting {
    worker: usize,
    out: UnboundedSender<Word>,
}

impl Drop for Parting {
    fn drop(&mut self) {
        self.out.send(Err(self.worker)).ok();
    }
}

impl Default for Workers {
    /// None.
    fn default() -> Workers {
        Workers {
            hands: Vec::new(),
            words: unbounded_channel().1,
            lanes: 0,
            busy: 0,
        }
    }
}

impl Workers {
    /// One more than there are processors, so that none rests while a thread waits for an answer; no more than lanes.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(super) fn start(
        stage: &Arc<Stage>,
        road: &Arc<Road>,
        lanes: usize,
    ) -> std::io::Result<Workers> {
        let (out, words) = unbounded_channel();
        let count = thread::available_parallelism()
            .map_or(2, |processors| processors.get() + 1)
            .min(lanes);
        let mut hands = Vec::new();
        for worker in 0..count {
            let (jobs, orders) = unbounded_channel();
            let slots = (worker..lanes).step_by(count);
            let slots: Vec<Slot> = slots.map(|_| Slot::new(Arc::clone(road))).collect();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let stage = Arc::clone(stage);
            let parting = Parting {
                worker,
                out: out.clone(),
            };
            let thread = thread::Builder::new()
                .name(format!("lanes-{worker}"))
                .spawn(move || runtime.block_on(work(&stage, slots, count, orders, &parting)))?;
            hands.push(Hand { jobs, thread });
        }
        Ok(Workers {
            hands,
            words,
            lanes,
            busy: 0,
        })
    }

    /// Gives a lane a program, to be played when it has played those that it has.
    pub(super) fn give(&mut self, job: Job) {
        let count = self.hands.len().max(1);
        if let Some(hand) = self.hands.get(job.lane % count) {
            // One that is gone has said so, and is met in `finished`.
            hand.jobs.send(job).ok();
            self.busy += 1;
        }
    }

    /// The next program that was played; `None` when nothing is under way. A panic of a worker goes on here.
    pub(super) async fn finished(&mut self) -> Option<Finished> {
        if self.busy == 0 {
            return None;
        }
        match self.words.recv().await? {
            Ok(finished) => {
                self.busy -= 1;
                Some(finished)
            }
            Err(worker) => {
                if let Err(panic) = self.hands.swap_remove(worker).thread.join() {
                    std::panic::resume_unwind(panic);
                }
                None
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for Hand { jobs, thread } in self.hands.drain(..) {
            drop(jobs);
            thread.join().ok();
        }
    }
}

/// A lane, seen from its worker.
struct Lane {
    /// Not there while it plays.
    slot: Option<Slot>,
    waiting: VecDeque<Job>,
}

impl Lane {
    /// What is to be played next, when it can be.
    fn next(&mut self) -> Option<(Job, Slot)> {
        let slot = self.slot.take()?;
        match self.waiting.pop_front() {
            Some(job) => Some((job, slot)),
            None => {
                self.slot = Some(slot);
                None
            }
        }
    }
}

/// The life of a worker with the lanes whose number is its own or that plus a multiple of `count`.
async fn work(
    stage: &Stage,
    slots: Vec<Slot>,
    count: usize,
    mut jobs: UnboundedReceiver<Job>,
    parting: &Parting,
) {
    let mut lanes: Vec<Lane> = slots
        .into_iter()
        .map(|slot| Lane {
            slot: Some(slot),
            waiting: VecDeque::new(),
        })
        .collect();
    let mut playing = FuturesUnordered::new();
    loop {
        let number = tokio::select! {
            Some((finished, slot)) = playing.next() => {
                let finished: Finished = finished;
                let number = finished.lane / count;
                if let Some(lane) = lanes.get_mut(number) {
                    lane.slot = Some(slot);
                }
                parting.out.send(Ok(finished)).ok();
                number
            }
            job = jobs.recv() => {
                let Some(job) = job else {
                    return;
                };
                let number = job.lane / count;
                if let Some(lane) = lanes.get_mut(number) {
                    lane.waiting.push_back(job);
                }
                number
            }
        };
        if let Some((job, slot)) = lanes.get_mut(number).and_then(Lane::next) {
            playing.push(play(stage, job, slot));
        }
    }
}

async fn play(stage: &Stage, job: Job, mut slot: Slot) -> (Finished, Slot) {
    if job.anew {
        slot.lane.hang_up();
    }
    let trace = Player::new(stage, &mut slot).play(&job.program).await;
    let finished = Finished {
        lane: job.lane,
        number: job.number,
        trace,
    };
    (finished, slot)
}
