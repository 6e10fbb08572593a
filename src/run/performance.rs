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
    /// The run was stopped before it ended.
    Stopped,
}

impl ControlFailure {
    /// Why, in words.
    pub fn words(&self) -> &str {
        match self {
            ControlFailure::NotApplicable(why) | ControlFailure::Failed(why) => why,
            ControlFailure::Stopped => "the run was stopped",
        }
    }
}

/// How often a throttled flow is tried again, after the server's own waiting time.
pub const PATIENCE: usize = 3;

/// Performs a control; a failed one gets a second chance, because a hiccup is no verdict.
pub async fn control(world: &World, control: &Control) -> ControlRun {
    let mut last = attempt(world, control).await;
    for _ in 0..PATIENCE {
        match &last.result {
            Err(ControlFailure::Failed(_)) => last = attempt(world, control).await,
            _ => break,
        }
    }
    last
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
            _ => ControlFailure::Failed(scene.secrets.redact(&words)),
        });
        break;
    }
    ControlRun {
        result,
        evidence: scene.evidence(Role::Control, &[]),
    }
}
