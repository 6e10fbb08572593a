//! One request of a step, from the correct client's draft to its outcome: the part that all verbs share.

use jose::Flaw;

use super::scene::{Act, Scene};
use super::{Answer, Outcome};
use crate::client::draft::Draft;
use crate::client::read::Reading;
use crate::client::{Pkce, dpop};
use crate::event::Addressee;
use crate::suite::model::{Part, Template, Value};
use crate::targets::model::Client;
use crate::transport::Recorded;

/// The pseudo parameter that names the key of a DPoP proof.
pub(super) const PROOF: &str = "@dpop";

/// The key a step names for its proofs, deviation included.
pub(super) fn proof(act: &Act<'_>) -> Option<String> {
    if act.change.without.iter().any(|name| name == PROOF) {
        return None;
    }
    let mut named = act.change.with.iter().chain(&act.step.given);
    let (_, value) = named.find(|(name, _)| name == PROOF)?;
    match value {
        Value::Text(Template(parts)) => match parts.as_slice() {
            [Part::Text(key)] => Some(key.clone()),
            _ => None,
        },
        _ => None,
    }
}

impl Scene<'_> {
    /// Alters the correct request as the step says, sends it, and reads the answer.
    pub(super) async fn ask(
        &mut self,
        act: &Act<'_>,
        client: &Client,
        mut draft: Draft,
        to: Addressee,
        reading: Reading,
    ) -> Result<Outcome, Answer> {
        self.alter(act, client, &mut draft, &Pkce::default())?;
        Ok(self.send(act, client, draft, to, reading).await)
    }

    /// Sends a request that is altered already, as often as the step says, and reads the answer.
    pub(super) async fn send(
        &mut self,
        act: &Act<'_>,
        client: &Client,
        draft: Draft,
        to: Addressee,
        reading: Reading,
    ) -> Outcome {
        let sent = draft.sent();
        let outcome = |recorded: &Recorded| {
            let (answer, said) = reading.read(recorded);
            let mut outcome = Outcome::new(act.step.verb, &act.label, answer);
            outcome.client = client.name.clone();
            outcome.sent = sent.clone();
            outcome.said = said;
            let reply = recorded.reply.as_ref().ok();
            outcome.status = reply.map(|reply| reply.status.to_string());
            outcome
        };
        let copies = act.step.parallel.unwrap_or(1) as usize;
        if copies > 1 {
            let request = draft.finish();
            let transport = &self.world.transport;
            let mut all = Vec::new();
            for recorded in transport.send_together(&request, copies).await {
                all.push(outcome(&recorded));
                self.keep(recorded, &act.label, to);
            }
            let won = all.iter().find(|copy| copy.answer == Answer::Success);
            let nothing = Answer::NoAnswer("nothing was sent".into());
            let first = won.or(all.first()).cloned();
            let mut first =
                first.unwrap_or_else(|| Outcome::new(act.step.verb, &act.label, nothing));
            first.copies = all;
            return first;
        }
        let token = draft.presented.clone();
        let key = draft.option(PROOF).and_then(|name| self.keys().named(name));
        let log = match key {
            None => vec![self.world.transport.send(draft.finish()).await],
            Some(key) => {
                let proof = dpop::Proof {
                    key,
                    token: token.as_deref(),
                    flaw: act.change.forge.as_deref().and_then(Flaw::parse),
                };
                dpop::send(&self.world.transport, &draft.finish(), proof).await
            }
        };
        let read = log.last().map(outcome);
        for recorded in log {
            self.keep(recorded, &act.label, to);
        }
        read.unwrap_or_else(|| {
            let nothing = Answer::NoAnswer("nothing was sent".into());
            Outcome::new(act.step.verb, &act.label, nothing)
        })
    }
}
