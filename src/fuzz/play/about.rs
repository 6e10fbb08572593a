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
        let world = &self.stage.world;
        let endpoint = world
            .endpoints
            .revocation
            .as_deref()
            .ok_or("no revocation endpoint")?;
        let client = self.client(operation.client);
        let mut draft = token::authenticated(world, endpoint, client, Encoding::Form);
        draft.push("token", token.clone());
        self.deviate(&mut draft, operation);
        let request = draft.finish();
        let mut violations = model::about_token(&Facts::of(&request), &token, client);
        if operation.credential == Credential::Foreign && self.stage.actors.len() > 1 {
            violations.hard.push("another client's token");
        }
        let mut done = self.plain(Kind::Revoke, request).await;
        done.violations = violations;
        let grant = self.grants.get_mut(at).ok_or("no grant")?;
        grant.doubtful = true;
        let (access, resource) = (grant.access.clone(), grant.resource);
        if matches!(operation.credential, Credential::Live | Credential::Foreign) {
            done.alive = self.lives(&access, resource).await;
        }
        Ok(done)
    }

    pub(super) fn introspection(&self, token: &str) -> Result<Draft, String> {
        let world = &self.stage.world;
        let endpoint = world
            .endpoints
            .introspection
            .as_deref()
            .ok_or("no introspection endpoint")?;
        let caller = self
            .stage
            .introspector
            .as_ref()
            .ok_or("no introspection client")?;
        let mut draft = token::authenticated(world, endpoint, caller, Encoding::Form);
        draft.push("token", token);
        Ok(draft)
    }

    pub(super) async fn introspect(&mut self, operation: &Operation) -> Result<Done, String> {
        let (_, token) = self.presented(operation, false).await?;
        let mut draft = self.introspection(&token)?;
        self.deviate(&mut draft, operation);
        let request = draft.finish();
        let caller = self
            .stage
            .introspector
            .as_ref()
            .ok_or("no introspection client")?;
        let mut violations = model::about_token(&Facts::of(&request), &token, caller);
        if operation.credential == Credential::Spent {
            violations.soft.push(model::SPENT);
        }
        let mut done = self.plain(Kind::Introspect, request).await;
        done.violations = violations;
        if done.answer == Answer::Success {
            match done.fields.get("active").map(String::as_str) {
                Some("true") => {}
                _ => {
                    done.answer = Answer::Refused {
                        status: 200,
                        error: Some("inactive".into()),
                        how: How::Json,
                    };
                }
            }
        }
        Ok(done)
    }

    pub(super) async fn call(&mut self, operation: &Operation) -> Result<Done, String> {
        let (_, token) = self.presented(operation, false).await?;
        let resource = self
            .resource(operation.resource)
            .ok_or("no resource to call")?;
        let mut draft = resource_request(resource, &token);
        self.deviate(&mut draft, operation);
        call::place_token(&mut draft);
        let request = draft.finish();
        let mut violations = model::call(&Facts::of(&request), &token);
        match operation.credential {
            Credential::Spent | Credential::Kind => violations.hard.push("no access token at all"),
            Credential::Live | Credential::Foreign => {}
        }
        let mut done = self.plain(Kind::Call, request).await;
        done.violations = violations;
        if let (Answer::Refused { how, error, .. }, Some(reply)) =
            (&mut done.answer, done.seen.last().and_then(Seen::answer))
            && let Some(code) = call::challenge_error(reply)
        {
            *how = How::Challenge;
            *error = code;
        }
        Ok(done)
    }

    pub(super) async fn register(&mut self, operation: &Operation) -> Result<Done, String> {
        let world = &self.stage.world;
        let endpoint = world
            .endpoints
            .registration
            .as_deref()
            .ok_or("no registration endpoint")?;
        let like = self.client(operation.client);
        let mut draft = Draft::new("POST", endpoint, Encoding::Json);
        for (name, value) in register::metadata(world, like, "fuzz") {
            draft.params.push((name, Param::Json(value)));
        }
        self.deviate(&mut draft, operation);
        let mut done = self.plain(Kind::Register, draft.finish()).await;
        let field = |name: &str| done.fields.get(name).cloned();
        if done.answer == Answer::Success
            && let Some(id) = field("client_id")
        {
            let (uri, token) = (
                field("registration_client_uri"),
                field("registration_access_token"),
            );
            self.remove(&id, uri, token).await;
        } else if done.answer == Answer::Success {
            done.answer = Answer::Refused {
                status: 200,
                error: None,
                how: How::Plain,
            };
        }
        Ok(done)
    }

    /// A client that was registered goes at once; one that cannot go is left for the clean-up to name.
    pub(super) async fn remove(&mut self, id: &str, uri: Option<String>, token: Option<String>) {
        let world = &self.stage.world;
        if let (Some(uri), Some(token)) = (&uri, &token) {
            let mut request = Request::get(uri.clone());
            request.method = "DELETE".into();
            request.set("Authorization", format!("Bearer {token}"));
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
        let mut draft = Draft::new("GET", url, Encoding::Query);
        self.deviate(&mut draft, operation);
        Ok(self.plain(Kind::Discover, draft.finish()).await)
    }

    /// Client credentials, as an `http` step of a suite file spells them.
    pub(super) async fn direct(&mut self, operation: &Operation) -> Result<Done, String> {
        let world = &self.stage.world;
        let endpoint = world
            .endpoints
            .token
            .as_deref()
            .ok_or("no token endpoint")?;
        let client = self.client(operation.client);
        let mut draft = Draft::new("POST", endpoint, Encoding::Form);
        draft.push("grant_type", "client_credentials");
        draft.push_some("client_id", client.id.clone());
        draft.push_some("client_secret", client.secret.clone());
        draft.auth = Some(client.auth);
        self.deviate(&mut draft, operation);
        let request = draft.finish();
        let violations = model::direct(&Facts::of(&request), client);
        let seen = self.slot.lane.send(request).await;
        let mut done = Done::new(Kind::Direct);
        (done.answer, done.fields) = read_tokens(&seen);
        done.violations = violations;
        done.seen.push(seen);
        Ok(done)
    }

    /// One request whose success is a 2xx.
    pub(super) async fn plain(&mut self, kind: Kind, request: Request) -> Done {
        let seen = self.slot.lane.send(request).await;
        let mut done = Done::new(kind);
        done.answer = match &seen.reply {
            Err(lost) => Answer::NoAnswer(lost.words()),
            Ok(reply) => match unlucky(reply) {
                Some(answer) => answer,
                None if reply.is_success() => {
                    if kind != Kind::Call {
                        done.fields = answer::json_fields(reply);
                    }
                    Answer::Success
                }
                None => answer::refusal(reply),
            },
        };
        done.seen.push(seen);
        done
    }
}
