//! One performance of a flow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::names::Names;
use super::{Answer, Outcome, World, register};
use crate::client::{Keys, Pkce};
use crate::event::{Addressee, Exchange, Role};
use crate::login::Browser;
use crate::suite::model::{Change, Step, User, Verb};
use crate::targets::model::{Client, Resource};
use crate::transport::Recorded;
use crate::transport::redact::{Redactor, Secrets};

/// An exchange with what it was for.
#[derive(Debug, Clone)]
pub struct Logged {
    /// What was sent and received.
    pub recorded: Recorded,
    /// Which step: `3 refresh`.
    pub label: String,
    /// Whom it was sent to.
    pub to: Addressee,
}

/// One performance: names, tokens, browsers, exchanges.
pub struct Scene<'w> {
    /// What all scenes share.
    pub world: &'w World,
    /// Tells this scene's traffic at the listener from that of others.
    pub id: String,
    /// Every exchange in order.
    pub log: Vec<Logged>,
    /// Every step so far.
    pub outcomes: Vec<Outcome>,
    /// The browser of the latest authorization.
    pub browser: Option<Arc<Browser>>,
    /// Secrets seen in this scene.
    pub secrets: Secrets,
    names: BTreeMap<String, usize>,
    registered: BTreeMap<String, Client>,
    spent: BTreeSet<String>,
    /// When each device code may be polled again, and its interval.
    pub(super) polls: BTreeMap<String, super::device::Next>,
    keys: Keys,
}

/// A step as it is performed: the change is the deviation or, in a control, empty.
pub struct Act<'s> {
    /// What the file says.
    pub step: &'s Step,
    /// The deviation to apply now.
    pub change: &'s Change,
    /// What the user does now.
    pub user: User,
    /// `3 refresh`.
    pub label: String,
}

impl Act<'_> {
    /// Whether the step itself says what goes into this parameter.
    pub(super) fn names(&self, parameter: &str) -> bool {
        let mut named = self.step.given.iter().chain(&self.change.with);
        named.any(|(name, _)| name == parameter)
    }

    /// A correct step of another verb for the same client and resource.
    pub(super) fn plain(&self, verb: Verb) -> Step {
        Step {
            client: self.step.client.clone(),
            at: self.step.at.clone(),
            source: self.step.source.clone(),
            ..Step::new(verb)
        }
    }
}

impl<'w> Scene<'w> {
    /// An empty scene.
    pub fn new(world: &'w World) -> Scene<'w> {
        Scene {
            world,
            id: jose::random_token(6),
            log: Vec::new(),
            outcomes: Vec::new(),
            browser: None,
            secrets: world.secrets.clone(),
            names: BTreeMap::new(),
            registered: BTreeMap::new(),
            spent: BTreeSet::new(),
            polls: BTreeMap::new(),
            keys: Keys::default(),
        }
    }

    /// Remembers what came of a step under the step's name.
    #[expect(clippy::indexing_slicing, reason = "it has just been put there")]
    pub(super) fn remember(&mut self, step: &Step, outcome: Outcome) -> &Outcome {
        let at = self.outcomes.len();
        if let Some(name) = &step.name {
            self.names.insert(name.clone(), at);
            if step.verb == Verb::Register
                && let Some(client) = register::client(name, &outcome)
            {
                self.registered.insert(name.clone(), client);
            }
        }
        self.outcomes.push(outcome);
        &self.outcomes[at]
    }

    /// Lets the client that a `register` step made act under this name; false when it made none.
    pub(super) fn adopt(&mut self, name: &str, outcome: &Outcome) -> bool {
        let client = register::client(name, outcome);
        let made = client.is_some();
        self.registered
            .extend(client.map(|client| (name.to_owned(), client)));
        made
    }

    /// The client of this name: one registered in this scene, else one of the target.
    pub fn client_named(&self, name: &str) -> Option<&Client> {
        self.registered
            .get(name)
            .or_else(|| self.world.target.client(name))
    }

    /// The outcome of the step of this name.
    pub fn named(&self, name: &str) -> Option<&Outcome> {
        self.names.get(name).and_then(|at| self.outcomes.get(*at))
    }

    /// The acting client of a step.
    pub(super) fn client(&self, step: &Step) -> Result<Client, Answer> {
        let name = step.client.as_deref().unwrap_or("a");
        let client = self
            .registered
            .get(name)
            .or_else(|| self.world.target.client(name))
            .or_else(|| {
                // Without a client `a` the first one acts.
                step.client
                    .is_none()
                    .then(|| self.world.target.clients.first())?
            });
        match client {
            Some(client) if client.id.is_some() => Ok(client.clone()),
            Some(_) => Err(Answer::NotApplicable(format!(
                "client {name} has no identifier"
            ))),
            None => Err(Answer::NotApplicable(format!(
                "the target has no client {name}"
            ))),
        }
    }

    /// The resource a step is about.
    pub(super) fn resource(&self, step: &Step) -> Option<&'w Resource> {
        self.world
            .target
            .resource(step.at.as_deref().unwrap_or("a"))
    }

    /// The keys of this scene for DPoP proofs.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The names a step can use.
    pub(super) fn names<'s>(&'s self, client: &'s Client, pkce: &'s Pkce) -> Names<'s>
    where
        'w: 's,
    {
        Names {
            scene: self,
            client,
            pkce,
        }
    }

    /// The newest authorization of a client whose code nobody has used.
    pub(super) fn unspent_code(&self, client: &str) -> Option<&Outcome> {
        self.outcomes.iter().rev().find(|outcome| {
            outcome.verb == Verb::Authorize
                && outcome.client == client
                && outcome.answer == Answer::Success
                && outcome
                    .code()
                    .is_some_and(|code| !self.spent.contains(code))
        })
    }

    /// Whether a code has been used.
    pub(super) fn is_spent(&self, code: &str) -> bool {
        self.spent.contains(code)
    }

    /// The authorization that gave this code.
    pub(super) fn authorization_of(&self, code: &str) -> Option<&Outcome> {
        self.outcomes
            .iter()
            .rev()
            .find(|outcome| outcome.code() == Some(code) && outcome.asked.verifier.is_some())
    }

    /// Marks a code as used.
    pub(super) fn spend(&mut self, code: &str) {
        self.spent.insert(code.to_owned());
    }

    /// The newest outcome of a client with this field.
    pub(super) fn newest(&self, client: &str, field: &str) -> Option<&Outcome> {
        self.outcomes
            .iter()
            .rev()
            .find(|outcome| outcome.client == client && outcome.field(field).is_some())
    }

    /// Logs an exchange.
    pub(super) fn keep(&mut self, recorded: Recorded, label: &str, to: Addressee) {
        self.secrets.observe(&recorded);
        self.log.push(Logged {
            recorded,
            label: label.to_owned(),
            to,
        });
    }

    /// The exchanges of an outcome.
    pub fn exchanges_of(&self, outcome: &Outcome) -> &[Logged] {
        self.log.get(outcome.log.clone()).unwrap_or_default()
    }

    /// The last exchange of an outcome.
    pub fn last_exchange(&self, outcome: &Outcome) -> Option<&Recorded> {
        self.exchanges_of(outcome)
            .last()
            .map(|logged| &logged.recorded)
    }

    /// All exchanges as reports may show them; those of steps in `deviating` carry that role.
    pub fn evidence(&self, role: Role, deviating: &[usize]) -> Vec<Exchange> {
        if !self.world.keep_evidence {
            return Vec::new();
        }
        let redactor = self.secrets.redactor();
        let plain = self.world.keep_secrets.then(Redactor::none);
        self.log
            .iter()
            .enumerate()
            .map(|(at, logged)| {
                let deviates = deviating.iter().any(|step| {
                    self.outcomes
                        .get(*step)
                        .is_some_and(|outcome| outcome.log.contains(&at))
                });
                let role = if deviates { Role::Deviation } else { role };
                let mut exchange =
                    redactor.exchange(&logged.recorded, role, &logged.label, logged.to);
                if let Some(plain) = &plain {
                    let raw = plain.exchange(&logged.recorded, role, &logged.label, logged.to);
                    exchange.raw = Some(Box::new(raw));
                }
                exchange
            })
            .collect()
    }
}
