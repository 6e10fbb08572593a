//! Before the first program: which operations work, how fast, and what the server enforces.

use super::*;
use crate::fuzz::strategy::posted;

/// The most programs at the same time.
const MOST_JOBS: usize = 64;

impl<'s> Session<'s> {
    /// Which operations work, how fast, and what is enforced.
    ///
    /// # Errors
    /// [`Failure`], when nothing correct does.
    pub(super) async fn learn(&mut self, preflight: Result<(), String>) -> Result<(), Failure> {
        let stage = Arc::clone(&self.stage);
        let world = &stage.world;
        if stage.actors.is_empty() {
            if let (None, Err(reason)) = (&world.metadata, &preflight) {
                return Err(Failure::Unreachable(world.secrets.redact(reason)));
            }
            return Err(Failure::Configuration(
                "the target names no client that can act; add [client.a] to the target file".into(),
            ));
        }
        let mut kinds = Vec::new();
        let mut times = Vec::new();
        let mut why_not = Vec::new();
        for kind in Kind::ALL {
            let operation = self.usual(kind);
            let Some(operation) = operation else {
                continue;
            };
            let program = Program {
                operations: vec![operation],
            };
            let mut worked = false;
            for _ in 0..3 {
                let trace = self.alone(&program).await;
                times.extend(
                    trace
                        .done
                        .iter()
                        .flat_map(|done| &done.seen)
                        .map(|seen| seen.took),
                );
                worked = trace
                    .done
                    .first()
                    .is_some_and(|done| done.answer == Answer::Success);
                if worked {
                    break;
                }
                let why = trace
                    .stuck
                    .clone()
                    .or(trace.done.first().map(|done| done.answer.words()));
                why_not.push(format!("{}: {}", kind.word(), why.unwrap_or_default()));
            }
            if worked {
                kinds.push(kind);
            }
        }
        if kinds
            .iter()
            .all(|kind| matches!(kind, Kind::Discover | Kind::Register))
        {
            why_not.dedup();
            let reason = preflight.err().unwrap_or_else(|| why_not.join("; "));
            return Err(Failure::Unreachable(world.secrets.redact(&reason)));
        }
        times.sort();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        self.patience = patience(median);
        let patience = self.patience + Duration::from_millis(200);
        self.road = road(world, self.options, patience);
        self.counted = 0;
        self.spare = Slot::new(Arc::clone(&self.road));
        let lanes = self.options.jobs.clamp(1, MOST_JOBS);
        self.workers = Workers::start(&stage, &self.road, lanes)
            .map_err(|error| Failure::Configuration(format!("no thread to be had: {error}")))?;
        self.warm_up(&kinds).await;
        let details = world.target.rar.first().map(|(_, text)| text.clone());
        let abilities = Abilities {
            actors: self
                .stage
                .actors
                .iter()
                .map(|client| Actor {
                    name: client.name.clone(),
                    secret: client.secret.is_some(),
                    redirect: pieces(
                        client
                            .redirect_uris
                            .first()
                            .map_or("https://client.example/cb", String::as_str),
                    ),
                })
                .collect(),
            resources: self.stage.resources.len(),
            indicators: self
                .stage
                .resources
                .iter()
                .any(|resource| resource.id.is_some()),
            details,
            denies: world
                .target
                .login
                .steps
                .iter()
                .any(|step| step.deny.is_some()),
            posts: self.posts(&kinds).await,
            kinds: kinds.clone(),
        };
        let direct = self
            .stage
            .actors
            .iter()
            .position(|client| client.secret.is_some());
        // After a restart, and in a run that goes on from another one, other programs come.
        let before = self.state.programs + self.report.programs;
        let seed = self.options.seed.wrapping_add(before);
        self.grammar = Grammar::new(abilities, Dictionary::of(world), seed);
        self.health = Program {
            operations: kinds
                .iter()
                .copied()
                .find(|kind| matches!(kind, Kind::Call))
                .or_else(|| {
                    kinds
                        .iter()
                        .copied()
                        .find(|kind| matches!(kind, Kind::Exchange | Kind::Direct))
                })
                .or(kinds.first().copied())
                .map(|kind| Operation {
                    client: if kind == Kind::Direct {
                        direct.unwrap_or(0)
                    } else {
                        0
                    },
                    ..Operation::plain(kind)
                })
                .into_iter()
                .collect(),
        };
        let words: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
        self.say(format!(
            "works: {}; an answer takes {:.1} ms; {} combinations of place and operator",
            words.join(", "),
            median.as_secs_f64() * 1000.0,
            self.grammar.cards()
        ));
        self.enforcement(&kinds).await;
        Ok(())
    }

    /// The correct operation of a kind; `None` where the target has no such endpoint.
    pub(super) fn usual(&self, kind: Kind) -> Option<Operation> {
        let world = &self.stage.world;
        let endpoints = &world.endpoints;
        let there = match kind {
            Kind::Authorize => endpoints.authorization.is_some(),
            Kind::Exchange | Kind::Refresh => {
                endpoints.authorization.is_some() && endpoints.token.is_some()
            }
            Kind::Direct => endpoints.token.is_some() && endpoints.authorization.is_none(),
            Kind::Revoke => endpoints.revocation.is_some(),
            Kind::Introspect => {
                endpoints.introspection.is_some() && self.stage.world.introspector().is_ok()
            }
            Kind::Call => !self.stage.resources.is_empty(),
            Kind::Register => endpoints.registration.is_some(),
            Kind::Discover => world.metadata_url.is_some(),
        };
        let mut operation = Operation::plain(kind);
        if kind == Kind::Direct {
            operation.client = self
                .stage
                .actors
                .iter()
                .position(|client| client.secret.is_some())?;
        }
        there.then_some(operation)
    }

    /// Whether a correct authorization request works when it is posted.
    async fn posts(&mut self, kinds: &[Kind]) -> bool {
        let mut operation = Operation::plain(Kind::Authorize);
        operation.deviations.push(posted());
        let program = Program {
            operations: vec![operation],
        };
        kinds.contains(&Kind::Authorize)
            && (self.alone(&program).await.done.iter()).any(|done| done.answer == Answer::Success)
    }

    /// Plain violations of what a server may lawfully not enforce: what is refused counts from now on.
    pub(super) async fn enforcement(&mut self, kinds: &[Kind]) {
        for (kind, guard, edits) in plain_violations() {
            if !kinds.contains(&kind) {
                continue;
            }
            let mut operation = self.usual(kind).unwrap_or_else(|| Operation::plain(kind));
            operation.deviations.push(Deviation {
                operator: "plainly-wrong".into(),
                parameter: guard.into(),
                equivalent: false,
                edits,
            });
            let trace = self
                .alone(&Program {
                    operations: vec![operation],
                })
                .await;
            if trace
                .done
                .first()
                .is_some_and(|done| done.answer.is_refusal())
            {
                self.policy.enforced.push(Policy::key(kind, guard));
            }
        }
        let presented = |kind, credential| Program {
            operations: vec![Operation {
                credential,
                ..Operation::plain(kind)
            }],
        };
        if kinds.contains(&Kind::Exchange) {
            let trace = self
                .alone(&presented(Kind::Exchange, Credential::Spent))
                .await;
            self.policy.code_replay = trace
                .done
                .first()
                .is_some_and(|done| done.alive == Some(false));
        }
        if kinds.contains(&Kind::Refresh) {
            let trace = self
                .alone(&presented(Kind::Refresh, Credential::Spent))
                .await;
            let done = trace.done.first();
            self.policy.rotation = done.is_some_and(|done| done.answer.is_refusal());
            self.policy.refresh_replay = done.is_some_and(|done| done.alive == Some(false));
            if self.policy.rotation {
                for kind in [Kind::Refresh, Kind::Introspect] {
                    let key = Policy::key(kind, super::super::model::SPENT);
                    self.policy.enforced.push(key);
                }
            }
        }
        if kinds.contains(&Kind::Revoke) {
            let trace = self.alone(&presented(Kind::Revoke, Credential::Live)).await;
            self.policy.revocation = trace
                .done
                .first()
                .is_some_and(|done| done.alive == Some(false));
        }
        let enforced = self.policy.enforced.join(", ");
        self.say(format!("enforced when asked plainly: {enforced}"));
    }

    /// Logs in on every lane, so that no answer depends on which program came first there.
    pub(super) async fn warm_up(&mut self, kinds: &[Kind]) {
        if !kinds.contains(&Kind::Authorize) {
            return;
        }
        let login = Arc::new(Program {
            operations: vec![Operation::plain(Kind::Authorize)],
        });
        for lane in 0..self.workers.lanes {
            self.repeated(&login, lane).await;
        }
    }
}

/// What a server may lawfully not enforce, violated plainly.
fn plain_violations() -> Vec<(Kind, &'static str, Vec<Edit>)> {
    let with = |name: &str, value: &str| vec![Edit::With(name.into(), vec![Text::plain(value)])];
    vec![
        (
            Kind::Authorize,
            "response_type",
            with("response_type", "oauthspec-x"),
        ),
        (
            Kind::Authorize,
            "code_challenge",
            vec![
                Edit::Without("code_challenge".into()),
                Edit::Without("code_challenge_method".into()),
            ],
        ),
        (
            Kind::Authorize,
            "code_challenge_method",
            with("code_challenge_method", "oauthspec-x"),
        ),
        (
            Kind::Authorize,
            "resource",
            with("resource", "https://attacker.example/"),
        ),
        (
            Kind::Authorize,
            "authorization_details",
            with("authorization_details", r#"[{"type":"oauthspec-x"}]"#),
        ),
        (
            Kind::Exchange,
            "redirect_uri",
            with("redirect_uri", "https://attacker.example/cb"),
        ),
        (
            Kind::Exchange,
            "grant_type",
            with("grant_type", "oauthspec-x"),
        ),
        (
            Kind::Exchange,
            "resource",
            with("resource", "https://attacker.example/"),
        ),
        (
            Kind::Refresh,
            "grant_type",
            with("grant_type", "oauthspec-x"),
        ),
        (
            Kind::Refresh,
            "resource",
            with("resource", "https://attacker.example/"),
        ),
        (
            Kind::Direct,
            "grant_type",
            with("grant_type", "oauthspec-x"),
        ),
    ]
}

/// A URI in pieces: itself, scheme, authority, path and what follows.
fn pieces(uri: &str) -> [String; 4] {
    let (scheme, rest) = uri.split_once("://").unwrap_or(("https", uri));
    let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(at).unwrap_or((rest, ""));
    [uri, scheme, authority, path].map(str::to_owned)
}
