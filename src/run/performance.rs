//! One performance of a flow, with its evidence.

use crate::event::{Exchange, Role};
use crate::flow::audience::side_by_side;
use crate::flow::{Answer, Scene, World};
use crate::run::control::Control;

/// How a control went.
#[derive(Debug, Clone)]
pub struct ControlRun {
    /// Whether every step succeeded; else why not.
    pub result: Result<(), ControlFailure>,
    /// Its exchanges.
    pub evidence: Vec<Exchange>,
}

/// Why a control did not succeed.
#[derive(Debug, Clone)]
pub enum ControlFailure {
    /// A step that is optional did not succeed: the case does not apply.
    NotApplicable(String),
    /// It failed.
    Failed(String),
    /// The server asked for patience.
    Throttled(String),
    /// The run was stopped before it ended.
    Stopped,
}

impl ControlFailure {
    /// Why, in words.
    pub fn words(&self) -> &str {
        match self {
            ControlFailure::NotApplicable(why)
            | ControlFailure::Failed(why)
            | ControlFailure::Throttled(why) => why,
            ControlFailure::Stopped => "the run was stopped",
        }
    }
}

/// How often a flow that failed is tried again: a hiccup is no verdict.
pub const PATIENCE: usize = 3;
/// How often one is tried again in which the server asked for patience, after its own waiting time. A login
/// takes several requests that are sent once only, and each of them may be the one too many. All waiting of
/// a run together is bounded by the transport.
pub const THROTTLED_PATIENCE: usize = 12;

/// Performs a control; a failed one gets further chances.
pub async fn control(world: &World, control: &Control) -> ControlRun {
    let mut failed = 0;
    let mut throttled = 0;
    loop {
        let run = attempt(world, control).await;
        let left = match &run.result {
            Err(ControlFailure::Throttled(_)) => {
                throttled += 1;
                throttled <= THROTTLED_PATIENCE
            }
            Err(ControlFailure::Failed(_)) => {
                failed += 1;
                failed <= PATIENCE
            }
            _ => false,
        };
        if !left {
            return run;
        }
    }
}

async fn attempt(world: &World, control: &Control) -> ControlRun {
    let mut scene = Scene::new(world);
    let mut result = Ok(());
    for (number, (step, change, user)) in control.steps.iter().enumerate() {
        let outcome = scene.perform(step, change, *user, number + 1).await;
        if outcome.answer == Answer::Success {
            continue;
        }
        let outcome = outcome.clone();
        let mut words = format!("{} {}", outcome.label, outcome.answer.words());
        words.push_str(&side_by_side(&mut scene, &outcome).await);
        result = Err(match (&step.expect.optional, &outcome.answer) {
            (Some(reason), answer) if !answer.is_unknown() => {
                ControlFailure::NotApplicable(format!("{reason} ({words})"))
            }
            (_, Answer::NotApplicable(why)) => ControlFailure::NotApplicable(why.clone()),
            (_, Answer::Throttled(_)) => ControlFailure::Throttled(scene.secrets.redact(&words)),
            _ => ControlFailure::Failed(scene.secrets.redact(&words)),
        });
        break;
    }
    ControlRun {
        result,
        evidence: scene.evidence(Role::Control, &[]),
    }
}
