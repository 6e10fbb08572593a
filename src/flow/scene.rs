//! One performance of a flow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::names::Names;
use super::{Answer, Outcome, World};
use super::{authorize, call, device, discover, http, introspect, push, register, revoke, token};
use crate::event::{Exchange, Role};
use crate::login::Browser;
use crate::suite::model::{Change, Step, User, Verb};
use crate::targets::model::{Client, Resource};
use crate::transport::redact::{Redactor, Secrets};
use crate::transport::{Recorded, Request};

/// An exchange with what it was for.
#[derive(Debug, Clone)]
pub struct Logged {
    /// What was sent and received.
    pub recorded: Recorded,
    /// Which step: `3 refresh`.
    pub label: String,
    /// `as`, `rs`, or `page` (the user's browser at the authorization server).
    pub to: &'static str,
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
    keys: std::sync::OnceLock<[jose::SigningKey; 2]>,
}

/// The URL of the latest request.
fn plain(log: &[Logged]) -> String {
    log.last()
        .map(|logged| logged.recorded.request.url.clone())
        .unwrap_or_default()
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
            keys: std::sync::OnceLock::new(),
        }
    }

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
        let result = match step.verb {
            Verb::Discover => discover::perform(self, &act).await,
            Verb::Register => register::perform(self, &act).await,
            Verb::Push => push::perform(self, &act).await,
            Verb::Authorize => authorize::perform(self, &act).await,
            Verb::Exchange => token::exchange(self, &act).await,
            Verb::Grant => token::grant(self, &act).await,
            Verb::Refresh => token::refresh(self, &act).await,
            Verb::Revoke => revoke::perform(self, &act).await,
            Verb::Introspect => introspect::perform(self, &act).await,
            Verb::Call => call::perform(self, &act).await,
            Verb::Device => device::perform(self, &act).await,
            Verb::Http => http::perform(self, &act).await,
        };
        let mut outcome =
            result.unwrap_or_else(|answer| Outcome::new(step.verb, &act.label, answer));
        // Where plain http is to get nowhere, silence is a refusal; that https works here is for the control to show.
        if let Answer::NoAnswer(why) = &outcome.answer
            && change.names().iter().any(|name| name == "@scheme")
        {
            outcome.answer = match self.world.transport.allow().check(&plain(&self.log)) {
                Ok(()) => Answer::closed(),
                Err(_) => Answer::NotApplicable(why.clone()),
            };
        }
        outcome.log = first..self.log.len();
        outcome.user = user;
        outcome.changed = change.names();
        self.remember(step, outcome)
    }

    #[expect(clippy::indexing_slicing, reason = "it has just been put there")]
    fn remember(&mut self, step: &Step, outcome: Outcome) -> &Outcome {
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

    /// Performs a step that a later one needs (or that confirms one): its outcome is remembered like
    /// any other.
    pub(crate) async fn arrange(&mut self, step: Step, label: &str) -> Result<Outcome, Answer> {
        let act = Act {
            step: &step,
            change: &step.change,
            user: User::Approve,
            label: label.to_owned(),
        };
        let first = self.log.len();
        let outcome = match step.verb {
            Verb::Authorize => Box::pin(authorize::perform(self, &act)).await,
            Verb::Grant => Box::pin(token::grant(self, &act)).await,
            Verb::Introspect => Box::pin(introspect::perform(self, &act)).await,
            Verb::Call => Box::pin(call::perform(self, &act)).await,
            Verb::Revoke => Box::pin(revoke::perform(self, &act)).await,
            Verb::Refresh => Box::pin(token::refresh(self, &act)).await,
            Verb::Exchange => Box::pin(token::exchange(self, &act)).await,
            Verb::Device => Box::pin(device::perform(self, &act)).await,
            _ => Err(Answer::NotApplicable("nothing arranges this".into())),
        };
        let mut outcome = outcome?;
        outcome.log = first..self.log.len();
        self.outcomes.push(outcome.clone());
        Ok(outcome)
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

    /// The key `a` or `b` of this scene, for DPoP proofs; made when first used.
    pub(super) fn key(&self, name: &str) -> Option<&jose::SigningKey> {
        let fresh = || jose::SigningKey::generate(jose::Alg::ES256);
        let [a, b] = self.keys.get_or_init(|| [fresh(), fresh()]);
        match name {
            "a" => Some(a),
            "b" => Some(b),
            _ => None,
        }
    }

    /// The RFC 7638 thumbprint of that key.
    pub fn thumbprint(&self, name: &str) -> Option<String> {
        jose::Jwk::from_json(&self.key(name)?.public_jwk())?.thumbprint()
    }

    /// The thumbprints of the keys of this scene, when it has used any.
    pub fn thumbprints(&self) -> Vec<String> {
        let keys = self.keys.get().map_or(&[][..], |keys| &keys[..]);
        let jwk = |key: &jose::SigningKey| jose::Jwk::from_json(&key.public_jwk())?.thumbprint();
        keys.iter().filter_map(jwk).collect()
    }

    /// The names a step can use.
    pub(super) fn names<'s>(&'s self, client: &'s Client, pkce: (String, String)) -> Names<'s>
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
                    .field("code")
                    .is_some_and(|code| !self.spent.contains(code))
        })
    }

    /// Whether a code has been used.
    pub(super) fn is_spent(&self, code: &str) -> bool {
        self.spent.contains(code)
    }

    /// The authorization that gave this code.
    pub(super) fn authorization_of(&self, code: &str) -> Option<&Outcome> {
        self.outcomes.iter().rev().find(|outcome| {
            outcome.field("code") == Some(code) && outcome.field("verifier").is_some()
        })
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

    /// Sends a request to the authorization or resource server and logs it.
    pub(super) async fn send(
        &mut self,
        request: Request,
        label: &str,
        to: &'static str,
    ) -> Recorded {
        let recorded = self.world.transport.send(request).await;
        self.keep(recorded.clone(), label, to);
        recorded
    }

    /// Logs an exchange.
    pub(super) fn keep(&mut self, recorded: Recorded, label: &str, to: &'static str) {
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
