//! Operations about tokens and clients: revocation, introspection, calls, registration, metadata.

use super::*;

impl<'p> Player<'p> {
    /// The grant and the token an operation presents.
    pub(super) async fn presented(
        &mut self,
        operation: &Operation,
        refresh: bool,
    ) -> Result<(usize, String), String> {
        let me = operation.client;
        let owner = if operation.credential == Credential::Foreign {
            self.other(me)
        } else {
            me
        };
        let renewable = operation.kind == Kind::Refresh;
        let at = self
            .live_grant(owner, operation.resource, renewable)
            .await?;
        if operation.credential == Credential::Spent {
            // Used once, correctly, so that the one before is spent.
            self.renew(at).await?;
        }
        let grant = self.grants.get(at).ok_or("no grant")?;
        let token = match operation.credential {
            Credential::Spent => grant.old.last().cloned().unwrap_or_default(),
            Credential::Kind if refresh => grant.access.clone(),
            Credential::Kind => grant.refresh.clone().unwrap_or_default(),
            _ if refresh => grant
                .refresh
                .clone()
                .unwrap_or_else(|| grant.access.clone()),
            _ => grant.access.clone(),
        };
        Ok((at, token))
    }

    pub(super) async fn revoke(&mut self, operation: &Operation) -> Result<Done, String> {
        let (at, token) = self.presented(operation, true).await?;
        let client = self.client(operation.client);
        let mut draft = request::revocation(&self.stage.world, client, Some(&token))?;
        self.deviate(&mut draft, operation);
        let request = draft.finish();
        let mut violations = model::about_token(&Facts::of(&request), &token, client);
        if operation.credential == Credential::Foreign && self.stage.actors.len() > 1 {
            violations.hard.push("another client's token");
        }
        let mut done = self.plain(Kind::Revoke, request, read::REVOKED).await;
        done.violations = violations;
        let grant = self.grants.get_mut(at).ok_or("no grant")?;
        grant.doubtful = true;
        let (access, resource) = (grant.access.clone(), grant.resource);
        if matches!(operation.credential, Credential::Live | Credential::Foreign) {
            done.alive = self.lives(&access, resource).await;
        }
        Ok(done)
    }

    pub(super) fn introspection(&self, token: &str) -> Result<Draft, Missing> {
        let world = &self.stage.world;
        request::introspection(world, world.introspector()?, Some(token))
    }

    pub(super) async fn introspect(&mut self, operation: &Operation) -> Result<Done, String> {
        let (_, token) = self.presented(operation, false).await?;
        let mut draft = self.introspection(&token)?;
        self.deviate(&mut draft, operation);
        let request = draft.finish();
        let caller = self.stage.world.introspector()?;
        let mut violations = model::about_token(&Facts::of(&request), &token, caller);
        if operation.credential == Credential::Spent {
            violations.soft.push(model::SPENT);
        }
        let mut done = self
            .plain(Kind::Introspect, request, read::INTROSPECTED)
            .await;
        done.violations = violations;
        Ok(done)
    }

    pub(super) async fn call(&mut self, operation: &Operation) -> Result<Done, String> {
        let (_, token) = self.presented(operation, false).await?;
        let resource = self
            .resource(operation.resource)
            .ok_or("no resource to call")?;
        let mut draft = request::call(resource, Some(&token));
        self.deviate(&mut draft, operation);
        request::place_token(&mut draft);
        let request = draft.finish();
        let mut violations = model::call(&Facts::of(&request), &token);
        match operation.credential {
            Credential::Spent | Credential::Kind => violations.hard.push("no access token at all"),
            Credential::Live | Credential::Foreign => {}
        }
        let mut done = self.plain(Kind::Call, request, read::CALLED).await;
        done.violations = violations;
        Ok(done)
    }

    pub(super) async fn register(&mut self, operation: &Operation) -> Result<Done, String> {
        let like = self.client(operation.client);
        let mut draft = request::registration(&self.stage.world, like, "fuzz")?;
        self.deviate(&mut draft, operation);
        let done = self
            .plain(Kind::Register, draft.finish(), read::REGISTERED)
            .await;
        let field = |name: &str| done.said.get(name).map(str::to_owned);
        if done.answer == Answer::Success
            && let Some(id) = field("client_id")
        {
            let (uri, token) = (
                field("registration_client_uri"),
                field("registration_access_token"),
            );
            self.remove(&id, uri, token).await;
        }
        Ok(done)
    }

    /// A client that was registered goes at once; one that cannot go is left for the clean-up to name.
    pub(super) async fn remove(&mut self, id: &str, uri: Option<String>, token: Option<String>) {
        let world = &self.stage.world;
        if let (Some(uri), Some(token)) = (&uri, &token) {
            let request = request::removal(uri, Some(token));
            let seen = self.slot.lane.send(request).await;
            if seen.answer().is_some_and(Reply::is_success) {
                return;
            }
        }
        let few = world.registrations.lock().is_ok_and(|list| list.len() < 50);
        if few {
            world.note_registration(
                uri.as_deref().unwrap_or_default(),
                token.as_deref(),
                Some(id),
            );
        }
    }

    pub(super) async fn discover(&mut self, operation: &Operation) -> Result<Done, String> {
        let url = self
            .stage
            .world
            .metadata_url
            .as_deref()
            .ok_or("no metadata")?;
        let mut draft = request::document(url);
        self.deviate(&mut draft, operation);
        let request = draft.finish();
        Ok(self.plain(Kind::Discover, request, read::METADATA).await)
    }

    /// Client credentials, as an `http` step of a suite file spells them.
    pub(super) async fn direct(&mut self, operation: &Operation) -> Result<Done, String> {
        let client = self.client(operation.client);
        // For no resource: a case can say that only where the server knows resources.
        let mut draft = request::client_credentials(&self.stage.world, client, None)?;
        self.deviate(&mut draft, operation);
        let request = draft.finish();
        let violations = model::direct(&Facts::of(&request), client);
        let mut done = self.plain(Kind::Direct, request, read::TOKENS).await;
        done.violations = violations;
        Ok(done)
    }

    /// One request, and its answer.
    pub(super) async fn plain(&mut self, kind: Kind, request: Request, reading: Reading) -> Done {
        let seen = self.slot.lane.send(request).await;
        let mut done = Done::new(kind);
        (done.answer, done.said) = read(&seen, reading);
        done.seen.push(seen);
        done
    }
}
