//! Brackets deviations with controls: before, deviations, after.
//!
//! Cases go in batches. The controls a batch needs run first, then its variants, then the same
//! controls again; an "after" serves as the next batch's "before". All of it under one bound of
//! concurrency, so that the order of answers cannot change a verdict.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};

use super::control::{Control, controls, deviation};
use super::judge::{self, Judgement};
use super::performance::{self, ControlFailure, ControlRun};
use super::{Options, Prepared, Stop, listening, plan};
use crate::event::{CaseReport, VariantReport, Verdict};
use crate::flow::World;
use crate::suite::model::{Case, Variant};

/// What a flow that is on its way when the run is stopped may still take.
const GRACE: Duration = Duration::from_secs(2);

/// Variants in a batch: the fewer, the closer the controls stand to them.
const BATCH: usize = 64;

/// One variant that will run.
struct Job<'c> {
    case: usize,
    variant: &'c Variant,
    controls: Vec<Control>,
}

/// Runs the cases in order and hands each report on. Says whether it was told to stop.
pub async fn run(
    prepared: &Prepared,
    cases: &[&Case],
    options: &Options,
    hear: &mut (dyn FnMut(CaseReport) + Send),
    stop: &Stop,
) -> bool {
    let mut known: BTreeMap<String, ControlRun> = BTreeMap::new();
    // Cases that wait go last and wait together.
    let mut ordered: Vec<&Case> = cases.to_vec();
    ordered.sort_by_key(|case| waits(case, prepared));
    let mut rest = ordered.as_slice();
    while !rest.is_empty() {
        if *stop.borrow() {
            return true;
        }
        let mut take = 0;
        let mut variants = 0;
        for case in rest {
            let fits = variants + case.variants.len() <= BATCH;
            let alike = rest
                .first()
                .is_some_and(|first| waits(first, prepared) == waits(case, prepared));
            if take > 0 && !(fits && alike) {
                break;
            }
            take += 1;
            variants += case.variants.len();
        }
        let (batch, later) = rest.split_at(take);
        for report in run_batch(prepared, batch, options, &mut known, stop).await {
            hear(report);
        }
        rest = later;
    }
    *stop.borrow()
}

/// Whether most of a case's time is waiting: for something to expire, or for a fetch that must not come.
fn waits(case: &Case, prepared: &Prepared) -> bool {
    case.needs.iter().any(|need| need == "listener")
        || !plan::budget(case, &prepared.world).is_zero()
}

async fn run_batch(
    prepared: &Prepared,
    cases: &[&Case],
    options: &Options,
    known: &mut BTreeMap<String, ControlRun>,
    stop: &Stop,
) -> Vec<CaseReport> {
    let world = &prepared.world;
    // Whoever waits leaves room for others, but one at a time stays one at a time.
    let width = match options.jobs.max(1) {
        jobs if jobs > 1 && cases.iter().all(|case| waits(case, prepared)) => jobs * 4,
        jobs => jobs,
    };
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        for variant in &case.variants {
            if plan::skip_reason(case, variant, prepared).is_none() {
                jobs.push(Job {
                    case: at,
                    variant,
                    controls: controls(case, variant),
                });
            }
        }
    }
    let mut needed: BTreeMap<&str, &Control> = BTreeMap::new();
    for control in jobs.iter().flat_map(|job| &job.controls) {
        needed.insert(&control.key, control);
    }
    // Before: only what the previous batch has not just proved.
    let missing: Vec<&Control> = needed
        .values()
        .filter(|control| {
            known
                .get(&control.key)
                .is_none_or(|run| run.result.is_err())
        })
        .copied()
        .collect();
    let before = run_controls(world, missing, width, stop).await;
    known.extend(before);
    let ready = |job: &Job<'_>| {
        job.controls.iter().all(|control| {
            known
                .get(&control.key)
                .is_some_and(|run| run.result.is_ok())
        })
    };
    let runnable: Vec<usize> = (0..jobs.len())
        .filter(|at| jobs.get(*at).is_some_and(&ready))
        .collect();
    let mut performances = Vec::new();
    for at in runnable {
        if let Some(job) = jobs.get(at)
            && let Some(case) = cases.get(job.case)
        {
            performances.push(perform(world, case, job.variant, at, stop));
        }
    }
    let mut judgements: BTreeMap<usize, (Judgement, u64)> = at_most(width, performances)
        .await
        .into_iter()
        .flatten()
        .collect();
    let judged = judgements.values_mut().map(|(judged, _)| judged);
    listening::settle(world, judged.collect()).await;
    let after: BTreeMap<String, ControlRun> =
        run_controls(world, needed.values().copied().collect(), width, stop)
            .await
            .into_iter()
            .collect();

    let mut reports = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        let mut variants = Vec::new();
        let mut took = 0;
        let mut unfinished = false;
        for variant in &case.variants {
            let job = jobs
                .iter()
                .position(|job| job.case == at && job.variant.name == variant.name);
            let report = match job {
                None => skipped(case, variant, prepared),
                Some(job_at) => {
                    let controls = jobs
                        .get(job_at)
                        .map(|job| job.controls.as_slice())
                        .unwrap_or_default();
                    let judged = judgements.remove(&job_at);
                    took += judged.as_ref().map_or(0, |(_, took)| *took);
                    unfinished |= *stop.borrow()
                        && (judged.is_none() || was_stopped(controls, known, &after));
                    decide(
                        case,
                        variant,
                        controls,
                        judged.map(|(judged, _)| judged),
                        known,
                        &after,
                    )
                }
            };
            variants.push(earned(report, prepared));
        }
        if !unfinished {
            reports.push(report(case, variants, took));
        }
    }
    known.extend(after);
    reports
}

/// Awaits futures, so many at the same time.
async fn at_most<F: Future>(width: usize, futures: Vec<F>) -> Vec<F::Output> {
    stream::iter(futures)
        .buffer_unordered(width)
        .collect()
        .await
}

async fn run_controls(
    world: &World,
    controls: Vec<&Control>,
    width: usize,
    stop: &Stop,
) -> Vec<(String, ControlRun)> {
    let mut runs = Vec::new();
    for control in controls {
        runs.push(async move {
            let run = bracket(world, control, stop).await;
            (control.key.clone(), run)
        });
    }
    at_most(width, runs).await
}

/// Performs one variant, unless the run was told to stop. Gives its number and the milliseconds.
async fn perform(
    world: &World,
    case: &Case,
    variant: &Variant,
    at: usize,
    stop: &Stop,
) -> Option<(usize, (Judgement, u64))> {
    if *stop.borrow() {
        return None;
    }
    let clock = Instant::now();
    let judged = tokio::select! {
        judged = judge::variant(world, case, variant) => judged,
        () = cut_off(stop) => return None,
    };
    let took = u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX);
    Some((at, (judged, took)))
}

/// A control, unless the run is stopped while it goes on.
async fn bracket(world: &World, control: &Control, stop: &Stop) -> ControlRun {
    tokio::select! {
        run = performance::control(world, control) => run,
        () = cut_off(stop) => ControlRun {
            result: Err(ControlFailure::Stopped),
            evidence: Vec::new(),
        },
    }
}

/// Pends until the run was stopped and what was on its way has had its grace.
async fn cut_off(stop: &Stop) {
    let mut stop = stop.clone();
    if stop.wait_for(|stopped| *stopped).await.is_err() {
        // Nobody can stop this run any more.
        return std::future::pending().await;
    }
    tokio::time::sleep(GRACE).await;
}

fn words(case: &Case, variant: &Variant) -> String {
    let step = case
        .steps
        .iter()
        .find(|step| step.vary)
        .or_else(|| {
            case.steps
                .iter()
                .find(|step| step.expect.refuses() || step.cause)
        })
        .or(case.steps.last());
    step.map_or_else(String::new, |step| {
        judge::describe(step, &deviation(step, variant))
    })
}

fn skipped(case: &Case, variant: &Variant, prepared: &Prepared) -> VariantReport {
    VariantReport {
        name: variant.name.clone(),
        verdict: Verdict::Skipped,
        reason: plan::skip_reason(case, variant, prepared).unwrap_or_default(),
        deviation: words(case, variant),
        evidence: Vec::new(),
        control: Vec::new(),
    }
}

/// Whether a control was cut off, so that nothing is known about what it brackets.
fn was_stopped(
    controls: &[Control],
    before: &BTreeMap<String, ControlRun>,
    after: &BTreeMap<String, ControlRun>,
) -> bool {
    controls.iter().any(|control| {
        [before, after].into_iter().any(|runs| {
            runs.get(&control.key)
                .is_some_and(|run| matches!(run.result, Err(ControlFailure::Stopped)))
        })
    })
}

/// Where the correct flow does not work at all, nothing passes: whatever looks like a success there
/// was not earned. An ordinary run ends before it comes to this.
fn earned(mut report: VariantReport, prepared: &Prepared) -> VariantReport {
    if report.verdict == Verdict::Pass && prepared.preflight.is_err() {
        report.verdict = Verdict::Inconclusive;
        report.reason = format!(
            "the correct flow does not work on this target, so a success means nothing: {}",
            report.reason
        );
    }
    report
}

/// A judgement counts only between its controls.
fn decide(
    case: &Case,
    variant: &Variant,
    controls: &[Control],
    judged: Option<Judgement>,
    before: &BTreeMap<String, ControlRun>,
    after: &BTreeMap<String, ControlRun>,
) -> VariantReport {
    let failed = |runs: &BTreeMap<String, ControlRun>| {
        controls.iter().find_map(|control| {
            let run = runs.get(&control.key)?;
            run.result
                .as_ref()
                .err()
                .map(|failure| (failure.clone(), run.evidence.clone()))
        })
    };
    let shown = controls
        .last()
        .and_then(|control| after.get(&control.key).or(before.get(&control.key)))
        .map(|run| run.evidence.clone())
        .unwrap_or_default();
    let deviation = words(case, variant);
    let name = variant.name.clone();
    let Some(judged) = judged else {
        let (verdict, reason, control) = match failed(before) {
            Some((ControlFailure::NotApplicable(why), evidence)) => {
                (Verdict::Skipped, why, evidence)
            }
            Some((
                failure @ (ControlFailure::Failed(_)
                | ControlFailure::Throttled(_)
                | ControlFailure::Stopped),
                evidence,
            )) => (
                Verdict::Inconclusive,
                format!(
                    "the control failed before it, so a refusal would mean nothing: {}",
                    failure.words()
                ),
                evidence,
            ),
            None => (
                Verdict::Error,
                "it was not performed".to_owned(),
                Vec::new(),
            ),
        };
        return VariantReport {
            name,
            verdict,
            reason,
            deviation,
            evidence: Vec::new(),
            control,
        };
    };
    if let Some((failure, control)) = failed(after)
        && judged.verdict < Verdict::Inconclusive
        && judged.verdict != Verdict::Skipped
    {
        let why = failure.words();
        return VariantReport {
            name,
            verdict: Verdict::Inconclusive,
            reason: format!("the control failed after it, so the refusal may mean nothing: {why}"),
            deviation,
            evidence: judged.evidence,
            control,
        };
    }
    VariantReport {
        name,
        verdict: judged.verdict,
        reason: judged.reason,
        deviation,
        evidence: judged.evidence,
        control: shown,
    }
}

fn report(case: &Case, variants: Vec<VariantReport>, duration_ms: u64) -> CaseReport {
    let verdict = variants
        .iter()
        .map(|variant| variant.verdict)
        .max()
        .unwrap_or(Verdict::Skipped);
    let worst = variants.iter().find(|variant| variant.verdict == verdict);
    let reason = worst.map_or_else(String::new, |worst| {
        // What holds for every variant is the case's own reason.
        let common = variants.iter().all(|own| own.reason == worst.reason);
        if worst.name.is_empty() || (common && verdict == Verdict::Skipped) {
            worst.reason.clone()
        } else {
            format!("{}: {}", worst.name, worst.reason)
        }
    });
    CaseReport {
        id: case.id.clone(),
        suite: case.suite.clone(),
        title: case.title.clone(),
        verdict,
        level: case.level,
        severity: case.severity,
        refs: case.refs.clone(),
        reason,
        why: case.why.clone(),
        fix: case.fix.clone(),
        promise: case.promise.clone(),
        waived: None,
        variants,
        source: format!("{}:{}", case.source.file, case.source.line),
        duration_ms,
    }
}
