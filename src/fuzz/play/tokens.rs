//! The token endpoint: codes are redeemed, refresh tokens used, and what was got is tried.

use super::*;

impl<'p> Player<'p> {
    pub(super) fn redemption(&self, client: &Client, code: &Code) -> Result<Draft, Missing> {
        let (world, value) = (&self.stage.world, Some(code.value.as_str()));
        request::redemption(world, client, value, &code.asked)
    }

    pub(super) fn renewal(&self, client: &Client, token: &str) -> Result<Draft, Missing> {
        request::refresh(&self.stage.world, client, Some(token))
    }

    /// Redeems a code correctly; the grant's index.
    pub(super) async fn redeem(&mut self, at: usize) -> Result<usize, String> {
        let Some(code) = self.codes.get_mut(at) else {
            return Err("no such code".into());
        };
        code.touched = true;
        let code = code.clone();
        let draft = self.redemption(self.client(code.client), &code)?;
        let seen = self.slot.lane.send(draft.finish()).await;
        let (answer, said) = read(&seen, read::TOKENS);
        match (answer, said.get("access_token")) {
            (Answer::Success, Some(access)) => {
                self.grants.push(Grant {
                    client: code.client,
                    resource: code.resource,
                    access: access.to_owned(),
                    refresh: said.get("refresh_token").map(str::to_owned),
                    old: Vec::new(),
                    doubtful: code.touched && at + 1 != self.codes.len(),
                    code: Some(code),
                });
                Ok(self.grants.len() - 1)
            }
            (answer, _) => {
                self.trace.setup.push(seen);
                Err(format!("the correct redemption {}", answer.words()))
            }
        }
    }

    /// A correct grant; its index.
    pub(super) async fn arrange_grant(
        &mut self,
        client: usize,
        resource: usize,
    ) -> Result<usize, String> {
        let began = Instant::now();
        let code = self.arrange_code(client, resource).await?;
        let grant = self.redeem(code).await?;
        self.trace.worked = Some(began);
        if let Some(grant) = self.grants.get_mut(grant) {
            grant.doubtful = false;
        }
        Ok(grant)
    }

    /// The newest grant that should live, else a new one.
    pub(super) async fn live_grant(
        &mut self,
        client: usize,
        resource: usize,
        renewable: bool,
    ) -> Result<usize, String> {
        let fits = |grant: &Grant| {
            grant.client == client
                && grant.resource == resource
                && !grant.doubtful
                && (!renewable || grant.refresh.is_some())
        };
        match self.grants.iter().rposition(fits) {
            Some(at) => Ok(at),
            None => self.arrange_grant(client, resource).await,
        }
    }

    /// Another client than this one.
    pub(super) fn other(&self, client: usize) -> usize {
        let count = self.stage.actors.len();
        if count < 2 {
            client
        } else {
            (client + 1) % count
        }
    }

    pub(super) async fn exchange(&mut self, operation: &Operation) -> Result<Done, String> {
        let me = operation.client;
        let owner = if operation.credential == Credential::Foreign {
            self.other(me)
        } else {
            me
        };
        let (mut code, spent_grant) = match operation.credential {
            Credential::Spent => {
                let grant = self.live_grant(owner, operation.resource, false).await?;
                let found = self.grants.get(grant).and_then(|grant| grant.code.clone());
                let grant = if found.is_some() {
                    grant
                } else {
                    self.arrange_grant(owner, operation.resource).await?
                };
                let code = self.grants.get(grant).and_then(|grant| grant.code.clone());
                (code.ok_or("no spent code")?, Some(grant))
            }
            _ => {
                let fits = |code: &Code| {
                    code.client == owner && code.resource == operation.resource && !code.touched
                };
                let at = match self.codes.iter().rposition(fits) {
                    Some(at) => at,
                    None => self.arrange_code(owner, operation.resource).await?,
                };
                let code = self.codes.get_mut(at).ok_or("no code")?;
                code.touched = true;
                (code.clone(), None)
            }
        };
        if operation.credential == Credential::Kind {
            let grant = self.live_grant(owner, operation.resource, false).await?;
            code.value = self
                .grants
                .get(grant)
                .map(|grant| grant.access.clone())
                .unwrap_or_default();
        }
        let client = self.client(me);
        let mut draft = self.redemption(client, &code)?;
        self.deviate(&mut draft, operation);
        let request = draft.finish();
        let mut violations = model::redemption(
            &Facts::of(&request),
            &model::Redemption {
                code: &code.value,
                verifier: code.asked.proof(),
                redirect_uri: code.asked.redirect_uri.as_deref(),
                resource: code.asked.resource.as_deref(),
                client,
            },
        );
        match operation.credential {
            Credential::Live => {}
            Credential::Spent => violations.hard.push("spent code"),
            Credential::Foreign if owner != me => violations.hard.push("another client's code"),
            Credential::Foreign => {}
            Credential::Kind => violations.hard.push("no code at all"),
        }
        let mut done = self.token_answer(Kind::Exchange, request, operation).await;
        done.violations = violations;
        let origin = Grant {
            client: me,
            resource: code.resource,
            access: String::new(),
            refresh: None,
            old: Vec::new(),
            code: Some(code.clone()),
            doubtful: !operation.is_equivalent(),
        };
        self.keep(&done, origin);
        self.confirm(&mut done, code.resource).await;
        if done.answer == Answer::Success
            && operation.credential == Credential::Live
            && operation.copies <= 1
            && !operation.is_equivalent()
        {
            // What was redeemed once is redeemed: however the first request looked.
            done.alive = self.again(&code, client).await;
        }
        if let Some(at) = spent_grant {
            let grant = self.grants.get_mut(at).ok_or("no grant")?;
            grant.doubtful = true;
            let (access, resource) = (grant.access.clone(), grant.resource);
            if done.answer.is_refusal() {
                done.alive = self.lives(&access, resource).await;
            }
        }
        Ok(done)
    }

    /// Whether a code that gave a token gives another one.
    pub(super) async fn again(&mut self, code: &Code, client: &Client) -> Option<bool> {
        let draft = self.redemption(client, code).ok()?;
        let seen = self.slot.lane.send(draft.finish()).await;
        let (answer, _) = read(&seen, read::TOKENS);
        match answer {
            Answer::Success => Some(true),
            Answer::Refused { .. } => Some(false),
            _ => None,
        }
    }

    pub(super) async fn refresh(&mut self, operation: &Operation) -> Result<Done, String> {
        let me = operation.client;
        let foreign = operation.credential == Credential::Foreign && self.other(me) != me;
        let (at, token) = self.presented(operation, true).await?;
        let grant = self.grants.get(at).cloned().ok_or("no grant")?;
        if grant.refresh.is_none() {
            return Err("no refresh token".into());
        }
        if operation.credential == Credential::Spent && Some(&token) == grant.refresh.as_ref() {
            return Err("refresh tokens are not rotated".into());
        }
        let client = self.client(me);
        let mut draft = self.renewal(client, &token)?;
        self.deviate(&mut draft, operation);
        let request = draft.finish();
        let resource = self.resource_id(grant.resource);
        let mut violations =
            model::renewal(&Facts::of(&request), &token, resource.as_deref(), client);
        match operation.credential {
            Credential::Live => {}
            Credential::Spent => violations.soft.push(model::SPENT),
            Credential::Foreign if foreign => {
                violations.hard.push("another client's refresh token")
            }
            Credential::Foreign => {}
            Credential::Kind => violations.hard.push("no refresh token at all"),
        }
        let mut done = self.token_answer(Kind::Refresh, request, operation).await;
        done.violations = violations;
        let mut kept = grant.clone();
        kept.doubtful = !operation.is_equivalent();
        if let Some(stored) = self.grants.get_mut(at) {
            stored.doubtful = true;
        }
        self.keep(&done, kept);
        self.confirm(&mut done, grant.resource).await;
        let rotated = done
            .said
            .get("refresh_token")
            .is_some_and(|new| new != token);
        if done.answer == Answer::Success
            && operation.credential == Credential::Live
            && operation.copies <= 1
            && !operation.is_equivalent()
            && rotated
        {
            // A token that was rotated away is of no use any more: however the first request looked.
            let draft = self.renewal(client, &token)?;
            let seen = self.slot.lane.send(draft.finish()).await;
            done.alive = match read(&seen, read::TOKENS).0 {
                Answer::Success => Some(true),
                Answer::Refused { .. } => Some(false),
                _ => None,
            };
        }
        if operation.credential == Credential::Spent && done.answer.is_refusal() {
            done.alive = self.lives(&grant.access, grant.resource).await;
        }
        Ok(done)
    }

    /// Uses a grant's refresh token correctly.
    pub(super) async fn renew(&mut self, at: usize) -> Result<(), String> {
        let grant = self.grants.get(at).cloned().ok_or("no grant")?;
        let old = grant.refresh.clone().ok_or("no refresh token")?;
        let draft = self.renewal(self.client(grant.client), &old)?;
        let seen = self.slot.lane.send(draft.finish()).await;
        let (answer, said) = read(&seen, read::TOKENS);
        if answer != Answer::Success {
            self.trace.setup.push(seen);
            return Err(format!("the correct refresh {}", answer.words()));
        }
        if let Some(stored) = self.grants.get_mut(at) {
            stored.old.push(old);
            if let Some(access) = said.get("access_token") {
                stored.access = access.to_owned();
            }
            if let Some(refresh) = said.get("refresh_token") {
                stored.refresh = Some(refresh.to_owned());
            }
        }
        Ok(())
    }

    /// Sends a token request, once or as a race.
    pub(super) async fn token_answer(
        &mut self,
        kind: Kind,
        request: Request,
        operation: &Operation,
    ) -> Done {
        let mut done = Done::new(kind);
        if operation.copies > 1 {
            let all = self
                .slot
                .lane
                .race(&request, usize::from(operation.copies))
                .await;
            for seen in &all {
                let (answer, said) = read(seen, read::TOKENS);
                if answer == Answer::Success {
                    done.winners
                        .extend(said.get("access_token").map(str::to_owned));
                    done.said = said;
                    done.answer = Answer::Success;
                } else if done.winners.is_empty() {
                    done.answer = answer;
                }
            }
            done.seen = all;
            done.winners.sort();
            done.winners.dedup();
            return done;
        }
        let seen = self.slot.lane.send(request).await;
        (done.answer, done.said) = read(&seen, read::TOKENS);
        done.seen.push(seen);
        done
    }

    /// Remembers what a token request gave.
    pub(super) fn keep(&mut self, done: &Done, mut origin: Grant) {
        if done.answer != Answer::Success {
            return;
        }
        let Some(access) = done.said.get("access_token") else {
            return;
        };
        origin.access = access.to_owned();
        if let Some(refresh) = done.said.get("refresh_token")
            && let Some(old) = origin.refresh.replace(refresh.to_owned())
        {
            origin.old.push(old);
        }
        origin.doubtful |= !done.violations.none();
        self.grants.push(origin);
    }

    /// A forbidden success is confirmed by using what was got; so are the winners of a race.
    pub(super) async fn confirm(&mut self, done: &mut Done, resource: usize) {
        if done.answer != Answer::Success {
            return;
        }
        if done.winners.len() > 1 {
            let mut alive = 0;
            for token in done.winners.clone() {
                if self.lives(&token, resource).await == Some(true) {
                    alive += 1;
                }
            }
            done.works = Some(alive > 1);
        } else if !done.violations.none()
            && let Some(access) = done.said.get("access_token").map(str::to_owned)
        {
            done.works = self.lives(&access, resource).await;
        }
    }

    /// Whether an access token works: at the resource server, else by introspection.
    pub(super) async fn lives(&mut self, token: &str, resource: usize) -> Option<bool> {
        if let Some(resource) = self.resource(resource) {
            let mut draft = request::call(resource, Some(token));
            request::place_token(&mut draft);
            let seen = self.slot.lane.send(draft.finish()).await;
            let reply = seen.answer()?;
            return match reply.status {
                200..=299 => Some(true),
                400..=499 => Some(false),
                _ => None,
            };
        }
        let draft = self.introspection(token).ok()?;
        let seen = self.slot.lane.send(draft.finish()).await;
        let active = seen.answer()?.json()?.get("active")?.as_bool()?;
        Some(active)
    }
}
