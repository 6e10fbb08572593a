//! `rotation-read-out`: strict, with a grace, or none.

use std::time::{Duration, Instant};

use super::{Check, Finding, Look};
use crate::flow::confirm::step;
use crate::flow::{Answer, Scene};
use crate::suite::model::Verb;

pub(super) const CHECKS: &[Check] = &[Check("rotation-read-out", Look::Rotation)];

/// How long a grace is measured; with `--slow` the second.
const LIMIT: Duration = Duration::from_secs(3);
const SLOW_LIMIT: Duration = Duration::from_secs(120);

/// Says what becomes of the refresh token that the step has used: nothing (`none`), refused at once (`strict`), or taken for some time
/// (`grace`), which is measured by using it again every second.
pub(super) async fn rotation(scene: &mut Scene<'_>, at: usize) -> Result<Finding, Finding> {
    let used = scene.outcomes.get(at).cloned();
    let used = used.filter(|outcome| outcome.answer == Answer::Success);
    let Some(used) = used else {
        return Err(Finding::undecided("no refresh token was used"));
    };
    let old = used
        .sent_param("refresh_token")
        .unwrap_or_default()
        .to_owned();
    if used.field("refresh_token") == Some(old.as_str()) {
        return Ok(Finding::pass("none: the refresh token stays the same"));
    }
    let declared = scene.world.target.policy.replay_grace;
    let limit = if scene.world.slow {
        SLOW_LIMIT
    } else {
        LIMIT
            .max(declared + Duration::from_secs(2))
            .min(Duration::from_secs(10))
    };
    let since = Instant::now();
    let mut taken: Option<Duration> = None;
    loop {
        let again = step(
            Verb::Refresh,
            &used.client,
            None,
            &[("refresh_token", old.as_str())],
        );
        let answer = match scene.arrange(again, "the consumed token again").await {
            Ok(done) => done.answer,
            Err(answer) => answer,
        };
        match answer {
            Answer::Success => taken = Some(since.elapsed()),
            Answer::Refused { .. } => break,
            other => {
                return Err(Finding::undecided(format!(
                    "the consumed token, used again, {}",
                    other.words()
                )));
            }
        }
        if since.elapsed() >= limit {
            return Ok(Finding::pass(format!(
                "grace (longer than the {} s looked at): the consumed token is still taken",
                limit.as_secs()
            )));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(Finding::pass(match taken {
        None => "strict: the consumed token is refused at once".to_owned(),
        Some(last) => format!(
            "grace ({} s): until then the consumed token was taken",
            last.as_secs() + 1
        ),
    }))
}
