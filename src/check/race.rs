//! Of many copies of one request at most one may win (`single-success`); where several have won, one revocation ends them all
//! (`raced-tokens-die`).

use std::time::{Duration, Instant};

use super::{Check, Finding, Look};
use crate::flow::confirm::{refresh_lives, revoked, token_lives};
use crate::flow::{Answer, Confirmation, Outcome, Scene};
use crate::suite::model::Verb;

pub(super) const CHECKS: &[Check] = &[
    Check("single-success", Look::SingleSuccess),
    Check("raced-tokens-die", Look::RacedTokensDie),
];

/// What the copies of a parallel step came to.
#[derive(Debug, Default)]
struct Tally {
    /// The successes with different access tokens.
    winners: Vec<Outcome>,
    /// How many copies succeeded.
    successes: usize,
    /// Copies without an answer that counts, and why.
    unknown: Vec<String>,
}

fn tally(copies: &[Outcome]) -> Tally {
    let mut tally = Tally::default();
    for copy in copies {
        match &copy.answer {
            Answer::Success => {
                tally.successes += 1;
                let known = tally
                    .winners
                    .iter()
                    .any(|winner| winner.field("access_token") == copy.field("access_token"));
                if !known {
                    tally.winners.push(copy.clone());
                }
            }
            answer if answer.is_unknown() => tally.unknown.push(answer.words()),
            _ => {}
        }
    }
    tally
}

/// Judges what can be said without using the winners; `None` when they must be used.
fn judge(copies: usize, tally: &Tally) -> Option<Finding> {
    if tally.winners.len() > 1 {
        return None;
    }
    Some(if let Some(why) = tally.unknown.first() {
        Finding::undecided(format!("{} of {copies} copies {why}", tally.unknown.len()))
    } else if tally.successes == 0 {
        Finding::warn(format!("none of {copies} copies succeeded"))
    } else if tally.successes == 1 {
        Finding::pass(format!("one of {copies} copies succeeded"))
    } else {
        Finding::pass(format!(
            "{} of {copies} copies succeeded, with the same access token",
            tally.successes
        ))
    })
}

/// Judges the winners once each of them was used.
fn judge_used(winners: usize, used: &[Confirmation]) -> Finding {
    let works = used
        .iter()
        .filter(|one| matches!(one, Confirmation::Works(_)))
        .count();
    let unknown = used.iter().find_map(|one| match one {
        Confirmation::Unknown(why) => Some(why),
        _ => None,
    });
    match (works, unknown) {
        (2.., _) => Finding::fail(format!(
            "{winners} copies won different tokens, and {works} of these live"
        )),
        (_, Some(why)) => Finding::undecided(format!(
            "{winners} copies won different tokens, and not every one could be used: {why}"
        )),
        _ => Finding::warn(format!(
            "{winners} copies won different tokens, of which {works} lives"
        )),
    }
}

/// The parallel step at this place.
fn raced(scene: &Scene<'_>, at: usize) -> Result<Outcome, Finding> {
    let outcome = scene
        .outcomes
        .get(at)
        .cloned()
        .ok_or_else(|| Finding::undecided("there is no such step"))?;
    if outcome.copies.len() >= 2 {
        return Ok(outcome);
    }
    Err(if outcome.answer.is_unknown() {
        Finding::undecided(format!("the step {}", outcome.answer.words()))
    } else {
        Finding::not_applicable("the step was not sent in parallel")
    })
}

/// What a winner's token is for stands with the step, not with its copies.
fn complete(winner: &Outcome, step: &Outcome) -> Outcome {
    let mut winner = winner.clone();
    winner.label.clone_from(&step.label);
    winner.resource.clone_from(&step.resource);
    winner.sent.clone_from(&step.sent);
    winner.asked.clone_from(&step.asked);
    winner
}

/// Counts the successes of a parallel step, and uses each different result once.
pub(super) async fn single_success(scene: &mut Scene<'_>, at: usize) -> Result<Finding, Finding> {
    let outcome = raced(scene, at)?;
    let tally = tally(&outcome.copies);
    if let Some(finding) = judge(outcome.copies.len(), &tally) {
        return Ok(finding);
    }
    let mut used = Vec::new();
    for winner in &tally.winners {
        let winner = complete(winner, &outcome);
        let with_refresh = outcome.verb == Verb::Refresh && winner.field("refresh_token").is_some();
        used.push(if with_refresh {
            refresh_lives(scene, &winner).await
        } else {
            token_lives(scene, &winner).await
        });
    }
    Ok(judge_used(tally.winners.len(), &used))
}

/// Revokes what one of several winners got, and uses what the others got: the access tokens, which using leaves as they are.
pub(super) async fn raced_tokens_die(scene: &mut Scene<'_>, at: usize) -> Result<Finding, Finding> {
    let outcome = raced(scene, at)?;
    let tally = tally(&outcome.copies);
    let winners: Vec<Outcome> = (tally.winners.iter())
        .map(|winner| complete(winner, &outcome))
        .collect();
    let mut alive = Vec::new();
    for winner in winners {
        if matches!(token_lives(scene, &winner).await, Confirmation::Works(_)) {
            alive.push(winner);
        }
    }
    if let Some(why) = tally.unknown.first().filter(|_| alive.len() < 2) {
        return Err(Finding::undecided(format!("copies {why}")));
    }
    // A strict server ends the grant when its code comes again, so that none is left.
    let (Some(first), 2..) = (alive.first(), alive.len()) else {
        return Err(Finding::not_applicable(format!(
            "the race of {} copies left {} that lives: there is no second one to end with it",
            outcome.copies.len(),
            if alive.is_empty() {
                "no token"
            } else {
                "one token"
            },
        )));
    };
    let answer = revoked(scene, first).await;
    if answer != Answer::Success {
        return Err(Finding::undecided(format!(
            "the revocation of the first token {}",
            answer.words()
        )));
    }
    let deadline = Instant::now() + scene.world.target.policy.revocation_lag;
    let mut left: Vec<&Outcome> = alive.iter().collect();
    loop {
        let mut living = Vec::new();
        for winner in left {
            if matches!(token_lives(scene, winner).await, Confirmation::Works(_)) {
                living.push(winner);
            }
        }
        left = living;
        if left.is_empty() || Instant::now() >= deadline {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let counts = format!("{} tokens came out of the race", alive.len());
    if left.is_empty() {
        Ok(Finding::pass(format!("{counts}; one revocation ended all")))
    } else {
        Err(Finding::fail(format!(
            "{counts}; {} of them live on after one was revoked",
            left.len()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::{judge, judge_used, tally};
    use crate::check::Found::{Fail, Pass, Undecided, Warn};
    use crate::flow::{Answer, Confirmation, How, Outcome};
    use crate::suite::model::Verb;

    fn won(token: &str) -> Outcome {
        let mut copy = Outcome::new(Verb::Exchange, "1 exchange", Answer::Success);
        copy.said.set("access_token", token);
        copy
    }

    fn copy(answer: Answer) -> Outcome {
        Outcome::new(Verb::Exchange, "1 exchange", answer)
    }

    fn lost() -> Outcome {
        copy(Answer::Refused {
            status: 400,
            error: Some("invalid_grant".into()),
            how: How::Json,
        })
    }

    fn found(copies: &[Outcome]) -> Option<crate::check::Found> {
        judge(copies.len(), &tally(copies)).map(|finding| finding.found)
    }

    #[test]
    fn one_winner_is_enough() {
        assert_eq!(found(&[won("a"), lost(), lost()]), Some(Pass));
        assert_eq!(found(&[won("a"), won("a")]), Some(Pass));
        assert_eq!(found(&[lost(), lost()]), Some(Warn));
        let throttled = copy(Answer::Throttled("answered 429".into()));
        assert_eq!(found(&[won("a"), throttled]), Some(Undecided));
    }

    #[test]
    fn two_winners_are_used_before_they_are_a_failure() {
        assert_eq!(found(&[won("a"), won("b")]), None);
        let works = || Confirmation::Works(String::new());
        let dead = || Confirmation::OfNoUse(String::new());
        let unknown = || Confirmation::Unknown(String::new());
        assert_eq!(judge_used(2, &[works(), works()]).found, Fail);
        assert_eq!(judge_used(2, &[works(), dead()]).found, Warn);
        assert_eq!(judge_used(2, &[dead(), dead()]).found, Warn);
        assert_eq!(judge_used(2, &[works(), unknown()]).found, Undecided);
        assert_eq!(judge_used(3, &[works(), unknown(), works()]).found, Fail);
    }
}
