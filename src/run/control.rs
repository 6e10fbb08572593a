//! Controls: the same flow without the one deviation, which must succeed.

use crate::suite::model::{Case, Change, Expect, Step, User, Variant};

/// A flow that must succeed in every step.
#[derive(Debug, Clone)]
pub struct Control {
    /// Equal keys are the same flow.
    pub key: String,
    /// The steps, each with the change it keeps and what the user does.
    pub steps: Vec<(Step, Change, User)>,
}

/// The controls that a variant of a case needs.
pub fn controls(case: &Case, variant: &Variant) -> Vec<Control> {
    let mut all: Vec<Control> = Vec::new();
    let mut add = |steps: Vec<(Step, Change, User)>| {
        let key = key(&steps);
        if !all.iter().any(|control| control.key == key) {
            all.push(Control { key, steps });
        }
    };
    let refuses_anywhere = case
        .steps
        .iter()
        .any(|step| expectation(step, variant).refuses());
    for (at, step) in case.steps.iter().enumerate() {
        let expect = expectation(step, variant);
        let deviates = !step.change.is_empty() || step.vary;
        if expect.dead.is_some() {
            continue;
        }
        if expect.refuses() || (deviates && !refuses_anywhere && expect.optional.is_none()) {
            let mut steps = prefix(case, variant, at);
            steps.push((undeviated(step), Change::default(), correct_user(step.user)));
            add(steps);
        }
    }
    if case
        .steps
        .iter()
        .any(|step| expectation(step, variant).dead.is_some())
    {
        let steps = case
            .steps
            .iter()
            .filter(|step| !step.cause)
            .filter(|step| {
                let expect = expectation(step, variant);
                expect.dead.is_some() || !expect.refuses()
            })
            .map(|step| (at_once(step), step.change.clone(), correct_user(step.user)))
            .collect();
        add(steps);
    }
    all
}

/// What a step of this variant must come to.
pub fn expectation<'a>(step: &'a Step, variant: &'a Variant) -> &'a Expect {
    match &variant.expect {
        Some(expect) if step.vary => expect,
        _ => &step.expect,
    }
}

/// The change a step of this variant carries.
pub fn deviation(step: &Step, variant: &Variant) -> Change {
    let mut change = step.change.clone();
    if step.vary {
        let own = &variant.change;
        change
            .with
            .retain(|(name, _)| !own.with.iter().any(|(other, _)| other == name));
        change.with.extend(own.with.iter().cloned());
        change.without.extend(own.without.iter().cloned());
        change.raw.extend(own.raw.iter().cloned());
        if own.forge.is_some() {
            change.forge.clone_from(&own.forge);
        }
    }
    change
}

/// The steps before `at` that are not themselves attacks.
fn prefix(case: &Case, variant: &Variant, at: usize) -> Vec<(Step, Change, User)> {
    case.steps
        .iter()
        .take(at)
        .filter(|step| !step.cause && !expectation(step, variant).refuses())
        .map(|step| (at_once(step), step.change.clone(), correct_user(step.user)))
        .collect()
}

/// Without its pause: where a case waits, waiting is part of what it tests.
fn at_once(step: &Step) -> Step {
    Step {
        wait: None,
        ..step.clone()
    }
}

fn undeviated(step: &Step) -> Step {
    Step {
        change: Change::default(),
        parallel: None,
        wait: None,
        ..step.clone()
    }
}

/// A user who does what is needed for success.
fn correct_user(user: User) -> User {
    match user {
        User::Second | User::Returning => user,
        _ => User::Approve,
    }
}

fn key(steps: &[(Step, Change, User)]) -> String {
    let parts: Vec<String> = steps
        .iter()
        .map(|(step, change, user)| {
            format!(
                "{} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
                step.verb.word(),
                step.name,
                step.client,
                step.at,
                step.given,
                change,
                user,
                step.expect.optional,
            )
        })
        .collect();
    parts.join(" → ")
}
