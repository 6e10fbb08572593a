//! What the answers of a variant mean.

mod refusal;
mod step;
mod words;

use super::control::{deviation, expectation};
use super::listening::Listening;
use super::performance::{PATIENCE, THROTTLED_PATIENCE};
use crate::event::{Exchange, Role, Verdict};
use crate::flow::{Answer, Scene, World};
use crate::suite::model::{Case, User, Variant};

use step::StepJudge;
pub use words::describe;

/// What a performance of a variant came to, before its controls are looked at.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub reason: String,
    /// The exchanges.
    pub evidence: Vec<Exchange>,
    /// Whether the server gave no usable answer, so that trying again may help.
    pub unanswered: bool,
    /// Whether it asked for patience.
    pub throttled: bool,
    /// Whether a late fetch of our canary would change it ([`super::listening::settle`]).
    pub listening: Option<Listening>,
}

/// One opinion about one step.
#[derive(Debug, Clone)]
struct Opinion {
    verdict: Verdict,
    reason: String,
}

fn opinion(verdict: Verdict, reason: impl Into<String>) -> Opinion {
    Opinion {
        verdict,
        reason: reason.into(),
    }
}

/// Performs a variant and judges it; races are repeated, throttled flows tried again.
pub async fn variant(world: &World, case: &Case, variant: &Variant) -> Judgement {
    let races = case.steps.iter().any(|step| step.parallel.is_some())
        || case
            .steps
            .iter()
            .any(|step| step.user == User::ApproveAtOnce);
    let rounds = if races { world.race_rounds.max(1) } else { 1 };
    let mut worst: Option<Judgement> = None;
    for round in 1..=rounds {
        let mut judged = once(world, case, variant).await;
        for again in 0..THROTTLED_PATIENCE {
            if again >= PATIENCE && !judged.throttled {
                break;
            }
            if judged.verdict != Verdict::Inconclusive || !judged.unanswered {
                break;
            }
            judged = once(world, case, variant).await;
        }
        if races && judged.verdict == Verdict::Pass {
            judged.reason = format!("not observed in {round} rounds: {}", judged.reason);
        }
        let worse = worst
            .as_ref()
            .is_none_or(|worst| judged.verdict >= worst.verdict);
        if worse {
            worst = Some(judged);
        }
        if worst
            .as_ref()
            .is_some_and(|worst| worst.verdict >= Verdict::Fail)
        {
            break;
        }
    }
    worst.unwrap_or_else(|| Judgement {
        verdict: Verdict::Error,
        reason: "no round was performed".into(),
        evidence: Vec::new(),
        unanswered: false,
        throttled: false,
        listening: None,
    })
}

/// One performance.
async fn once(world: &World, case: &Case, variant: &Variant) -> Judgement {
    let level = variant.level.unwrap_or(case.level);
    let mut scene = Scene::new(world);
    let mut opinions: Vec<Opinion> = Vec::new();
    let mut deviating = Vec::new();
    let mut attacked = false;
    let mut unanswered = false;
    let mut throttled = false;
    let mut listening = None;
    let refuses_anywhere = case
        .steps
        .iter()
        .any(|step| expectation(step, variant).refuses());
    for (number, step) in case.steps.iter().enumerate() {
        let expect = expectation(step, variant);
        let change = deviation(step, variant);
        let outcome = scene
            .perform(step, &change, step.user, number + 1)
            .await
            .clone();
        // A step may arrange others before its own outcome, which is the last.
        let at = scene.outcomes.len().saturating_sub(1);
        if expect.refuses() || step.cause || !change.is_empty() {
            deviating.push(at);
        }
        throttled |= matches!(outcome.answer, Answer::Throttled(_));
        unanswered |= matches!(outcome.answer, Answer::NoAnswer(_) | Answer::Throttled(_));
        let mut judge = StepJudge {
            scene: &mut scene,
            step,
            expect,
            change: &change,
            number: number + 1,
            level,
            at,
            attacked,
            refuses_anywhere,
        };
        let judged = judge.step(&outcome).await;
        if world.listener.is_some() && expect.check.iter().any(|name| name == "canary-unvisited") {
            listening = Some(judge.broken());
        }
        let stop = judged
            .iter()
            .any(|one| one.verdict > Verdict::Warn || one.verdict == Verdict::Skipped);
        opinions.extend(judged);
        attacked |= expect.refuses() || step.cause;
        if stop {
            break;
        }
    }
    let decided = combine(opinions);
    Judgement {
        verdict: decided.verdict,
        reason: scene.secrets.redact(&decided.reason),
        evidence: scene.evidence(Role::Setup, &deviating),
        unanswered,
        throttled,
        listening: listening.map(|broken| Listening {
            scene: scene.id.clone(),
            broken,
            since: tokio::time::Instant::now(),
        }),
    }
}

/// The worst opinion; "does not apply" only when nothing else was found.
fn combine(opinions: Vec<Opinion>) -> Opinion {
    let mut worst: Option<Opinion> = None;
    let mut skipped: Option<Opinion> = None;
    for one in opinions {
        if one.verdict == Verdict::Skipped {
            skipped.get_or_insert(one);
            continue;
        }
        let worse = worst
            .as_ref()
            .is_none_or(|worst| one.verdict > worst.verdict);
        // Among equals the last one says most: it is the end of the flow.
        let later = worst
            .as_ref()
            .is_some_and(|worst| one.verdict == worst.verdict && !one.reason.is_empty());
        if worse || later {
            worst = Some(one);
        }
    }
    match (worst, skipped) {
        (Some(worst), _) if worst.verdict >= Verdict::Warn => worst,
        (_, Some(skipped)) => skipped,
        (Some(worst), None) => worst,
        (None, None) => opinion(Verdict::Pass, "every step succeeded"),
    }
}
