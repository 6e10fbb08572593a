//! `audience-matrix`: the token of every resource, tried at every other one.

use super::{Check, Finding, Look};
use crate::flow::audience::side_by_side;
use crate::flow::confirm::step;
use crate::flow::{Answer, How, Outcome, Scene};
use crate::suite::model::Verb;
use crate::targets::model::Resource;

pub(super) const CHECKS: &[Check] = &[Check("audience-matrix", Look::AudienceMatrix)];

/// More would be thirty calls and more.
const MOST: usize = 6;

/// One of several resources, with a token of its own.
struct Own {
    resource: Resource,
    token: String,
}

/// Gets a token for each resource, all with the scopes of all probes so that no 403 stands in for a 401; sees that each opens its own
/// resource, before and after; and tries each at all the others (RFC 9068 §4, RFC 9700 §2.3).
pub(super) async fn audience_matrix(scene: &mut Scene<'_>, at: usize) -> Result<Finding, Finding> {
    let client = scene
        .outcomes
        .get(at)
        .map_or_else(String::new, |outcome| outcome.client.clone());
    let mut resources: Vec<Resource> = Vec::new();
    for resource in &scene.world.target.resources {
        let known = resources.iter().any(|other| other.id == resource.id);
        if resource.id.is_some() && resource.rar.is_none() && !known && resources.len() < MOST {
            resources.push(resource.clone());
        }
    }
    if resources.len() < 2 {
        return Err(Finding::not_applicable(
            "the target names fewer than two resources with an identifier",
        ));
    }
    let mut scopes: Vec<String> = Vec::new();
    for resource in &resources {
        for scope in resource
            .scope
            .as_deref()
            .unwrap_or_default()
            .split_whitespace()
        {
            if !scopes.iter().any(|own| own == scope) {
                scopes.push(scope.to_owned());
            }
        }
    }
    let scope = scopes.join(" ");
    let mut all = Vec::new();
    for resource in resources {
        let token = token_for(scene, &client, &resource, &scope).await?;
        all.push(Own { resource, token });
    }
    for own in &all {
        opens_its_own(scene, &client, own).await?;
    }
    let mut opened = Vec::new();
    let mut unclear = Vec::new();
    let mut tried = 0;
    for own in &all {
        for other in all
            .iter()
            .filter(|other| other.resource.name != own.resource.name)
        {
            tried += 1;
            let pair = format!("{} at {}", own.resource.name, other.resource.name);
            match call(scene, &client, &other.resource, &own.token)
                .await?
                .answer
            {
                Answer::Success => opened.push(pair),
                Answer::Refused {
                    status: 401,
                    how: How::Challenge,
                    ..
                } => {}
                answer => unclear.push(format!("{pair} {}", answer.words())),
            }
        }
    }
    for own in &all {
        opens_its_own(scene, &client, own).await?;
    }
    let names: Vec<&str> = all.iter().map(|own| own.resource.name.as_str()).collect();
    let names = names.join(", ");
    if !opened.is_empty() {
        return Err(Finding::fail(format!(
            "of {tried} foreign tokens at {names}, {} opened the resource: the token of {}",
            opened.len(),
            opened.join("; of ")
        )));
    }
    if !unclear.is_empty() {
        return Err(Finding::warn(format!(
            "no foreign token opened {names}, but not each was refused with 401 and a challenge: {}",
            unclear.join("; ")
        )));
    }
    Ok(Finding::pass(format!(
        "all {tried} foreign tokens at {names} were refused, each resource's own were taken"
    )))
}

async fn token_for(
    scene: &mut Scene<'_>,
    client: &str,
    resource: &Resource,
    scope: &str,
) -> Result<String, Finding> {
    let given: &[(&str, &str)] = if scope.is_empty() {
        &[]
    } else {
        &[("scope", scope)]
    };
    let grant = step(Verb::Grant, client, Some(&resource.name), given);
    let label = format!("a token for {}", resource.name);
    let answer = match scene.arrange(grant, &label).await {
        Ok(done) => match (done.answer.clone(), done.field("access_token")) {
            (Answer::Success, Some(token)) => return Ok(token.to_owned()),
            (answer, _) => answer,
        },
        Err(answer) => answer,
    };
    let words = format!(
        "a token for {} with scope {scope:?}: {}",
        resource.name,
        answer.words()
    );
    Err(match answer {
        Answer::NotApplicable(_) => Finding::not_applicable(words),
        _ => Finding::undecided(words),
    })
}

async fn call(
    scene: &mut Scene<'_>,
    client: &str,
    resource: &Resource,
    token: &str,
) -> Result<Outcome, Finding> {
    let label = format!("{} called", resource.name);
    let call = step(
        Verb::Call,
        client,
        Some(&resource.name),
        &[("token", token)],
    );
    match scene.arrange(call, &label).await {
        Ok(outcome) if !outcome.answer.is_unknown() => Ok(outcome),
        Ok(outcome) => Err(Finding::undecided(format!(
            "{label} {}",
            outcome.answer.words()
        ))),
        Err(answer) => Err(Finding::undecided(format!("{label} {}", answer.words()))),
    }
}

/// The control: without it a refusal elsewhere says nothing.
async fn opens_its_own(scene: &mut Scene<'_>, client: &str, own: &Own) -> Result<(), Finding> {
    let outcome = call(scene, client, &own.resource, &own.token).await?;
    if outcome.answer == Answer::Success {
        return Ok(());
    }
    let beside = side_by_side(scene, &outcome).await;
    Err(Finding::undecided(format!(
        "the token of {} at its own resource {}{beside}",
        own.resource.name,
        outcome.answer.words()
    )))
}
