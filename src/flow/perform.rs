//! Performing a step: what it needs first, the step itself, and what came of it.

use futures_util::future::BoxFuture;

use super::scene::Act;
use super::{Answer, Outcome, Scene};
use super::{authorize, call, device, discover, http, introspect, push, register, revoke, token};
use crate::suite::model::{Change, Step, User, Verb};

impl Scene<'_> {
    /// Performs a step with this change and remembers what came of it.
    pub async fn perform(
        &mut self,
        step: &Step,
        change: &Change,
        user: User,
        number: usize,
    ) -> &Outcome {
        let act = Act {
            step,
            change,
            user,
            label: format!("{number} {}", step.verb.word()),
        };
        if let Some(wait) = &step.wait {
            tokio::time::sleep(self.world.wait(wait)).await;
        }
        let first = self.log.len();
        let result = carry_out(self, &act).await;
        let mut outcome =
            result.unwrap_or_else(|answer| Outcome::new(step.verb, &act.label, answer));
        // Where plain http is to get nowhere, silence is a refusal; that https works here is for the control to show.
        if let Answer::NoAnswer(why) = &outcome.answer
            && change.names().iter().any(|name| name == "@scheme")
        {
            let last = self.log.last().map(|logged| &logged.recorded.request.url);
            let allowed = self.world.transport.allow();
            outcome.answer = match allowed.check(last.map_or("", String::as_str)) {
                Ok(()) => Answer::closed(),
                Err(_) => Answer::NotApplicable(why.clone()),
            };
        }
        outcome.log = first..self.log.len();
        outcome.user = user;
        outcome.changed = change.names();
        self.remember(step, outcome)
    }

    /// Performs a step that another one needs, or that confirms one. Its outcome is remembered like any other.
    ///
    /// # Errors
    /// Why it could not be carried out at all.
    pub(crate) async fn arrange(&mut self, step: Step, label: &str) -> Result<Outcome, Answer> {
        let act = Act {
            step: &step,
            change: &step.change,
            user: User::Approve,
            label: label.to_owned(),
        };
        let first = self.log.len();
        let mut outcome = carry_out(self, &act).await?;
        outcome.log = first..self.log.len();
        self.outcomes.push(outcome.clone());
        Ok(outcome)
    }
}

/// Fetches what a step needs, which may need something else, and carries it out.
fn carry_out<'s>(
    scene: &'s mut Scene<'_>,
    act: &'s Act<'_>,
) -> BoxFuture<'s, Result<Outcome, Answer>> {
    Box::pin(async move {
        fetch(scene, act).await?;
        match act.step.verb {
            Verb::Discover => discover::perform(scene, act).await,
            Verb::Register => register::perform(scene, act).await,
            Verb::Push => push::perform(scene, act).await,
            Verb::Authorize => authorize::perform(scene, act).await,
            Verb::Exchange => token::exchange(scene, act).await,
            Verb::Grant => token::grant(scene, act).await,
            Verb::Refresh => token::refresh(scene, act).await,
            Verb::Revoke => revoke::perform(scene, act).await,
            Verb::Introspect => introspect::perform(scene, act).await,
            Verb::Call => call::perform(scene, act).await,
            Verb::Device => device::perform(scene, act).await,
            Verb::Http => http::perform(scene, act).await,
        }
    })
}

/// Performs what a step needs first.
async fn fetch(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<(), Answer> {
    if let Some(need) = need(scene, act) {
        let what = match (need.verb, need.at.as_deref()) {
            (Verb::Authorize, _) => "the authorization".to_owned(),
            (Verb::Device, Some(at)) => format!("the device step at {at}"),
            (verb, _) => format!("the {}", verb.word()),
        };
        match scene.arrange(need, &act.label).await?.answer {
            Answer::Success => {}
            // Nothing follows from it about the step itself.
            answer @ (Answer::Throttled(_) | Answer::NoAnswer(_)) => return Err(answer),
            other => {
                let why = format!("{what} before it {}", other.words());
                return Err(Answer::NotApplicable(why));
            }
        }
    }
    Ok(())
}

/// The correct step without which this one has nothing to go on; `None` when it has all it needs.
fn need(scene: &Scene<'_>, act: &Act<'_>) -> Option<Step> {
    let client = scene.client(act.step).ok()?;
    match act.step.verb {
        Verb::Exchange | Verb::Refresh => token::need(scene, act, &client),
        Verb::Revoke => revoke::need(scene, act, &client),
        Verb::Introspect => introspect::need(scene, act, &client),
        Verb::Call => call::need(scene, act, &client),
        Verb::Device => device::need(scene, act, &client),
        Verb::Discover
        | Verb::Register
        | Verb::Push
        | Verb::Authorize
        | Verb::Grant
        | Verb::Http => None,
    }
}
