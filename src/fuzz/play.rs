//! Playing a program: the correct request of every operation, its deviations, the answer.
//!
//! What an operation needs and nobody has made (a code to redeem, a grant to refresh) is arranged
//! first, as the engine of a suite run does, so that the smallest program for a finding is one
//! operation long.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::connection::{Lane, Lost, Road, Seen};
use super::model::{self, Facts, Violations};
use super::operation::{Credential, Edit, Kind, Operation, Person, Piece, Program, Text};
use crate::flow::draft::{Draft, Encoding, Param};
use crate::flow::{Answer, How, World, answer, call, register, token};
use crate::login::{Browser, End, Visit, Walk, Will, walk};
use crate::target::model::{Client, Driver, Resource};
use crate::transport::{Reply, Request};

/// Pages and redirects after which a login is going in circles.
const MOST_HOPS: usize = 20;

/// What all programs of a run share.
pub struct Stage<'w> {
    /// The target.
    pub world: &'w World,
    /// The clients that act; the first is the usual one.
    pub actors: Vec<Client>,
    /// Resources without special needs.
    pub resources: Vec<&'w Resource>,
    /// Where clients wait.
    pub waiting: Vec<String>,
    /// The introspection client.
    pub introspector: Option<Client>,
}

/// One sender with its connections and a browser in which the user has logged in.
pub struct Slot {
    /// Sends.
    pub lane: Lane,
    browser: Browser,
}

impl Slot {
    /// A sender without connections and a clean browser.
    pub fn new(road: Arc<Road>) -> Slot {
        Slot {
            lane: Lane::new(road),
            browser: Browser::new(),
        }
    }

    /// Forgets connections and cookies.
    pub fn renew(&mut self) {
        self.lane.hang_up();
        self.browser = Browser::new();
    }
}

/// A code as it was issued.
#[derive(Debug, Clone)]
struct Code {
    client: usize,
    resource: usize,
    value: String,
    verifier: String,
    redirect_uri: String,
    /// Presented before, in whatever way.
    touched: bool,
}

/// Tokens as they were issued.
#[derive(Debug, Clone)]
struct Grant {
    client: usize,
    resource: usize,
    access: String,
    refresh: Option<String>,
    /// Refresh tokens that have been rotated away.
    old: Vec<String>,
    /// The code it came from, with its verifier and redirect URI.
    code: Option<Code>,
    /// Something odd was done with it: what lives and what does not is not known any more.
    doubtful: bool,
}

/// What became of one operation.
#[derive(Debug, Clone)]
pub struct Done {
    /// Which one of the program.
    pub at: usize,
    /// What it was.
    pub kind: Kind,
    /// How it ended.
    pub answer: Answer,
    /// The exchanges from the deviating request on.
    pub seen: Vec<Seen>,
    /// What the request violates.
    pub violations: Violations,
    /// Members of a JSON answer, parameters of a redirect.
    pub fields: BTreeMap<String, String>,
    /// All successful copies of a race: their access tokens or codes.
    pub winners: Vec<String>,
    /// Whether what was got works, where that was tried.
    pub works: Option<bool>,
    /// Whether what had to die (or to live) was alive afterwards, where that was looked at.
    pub alive: Option<bool>,
}

/// What became of a program.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// The operations that were performed.
    pub done: Vec<Done>,
    /// Why it ended early: something correct did not work.
    pub stuck: Option<String>,
    /// Exchanges of arrangements that went wrong.
    pub setup: Vec<Seen>,
    /// Codes, verifiers and tokens that were in use, to be masked wherever they stand.
    pub secrets: Vec<String>,
}

impl Trace {
    /// Whether some answer was lost or came late, so that neighbours may be to blame.
    pub fn disturbed(&self) -> bool {
        let lost = |seen: &Seen| matches!(&seen.reply, Err(lost) if !matches!(lost, Lost::Malformed(_) | Lost::NotSent(_)));
        self.done.iter().flat_map(|done| &done.seen).any(lost)
            || self.setup.iter().any(lost)
            || self.stuck.is_some()
    }
}

/// The edits of an operation as one change: the last one for a name counts, as in a suite file.
pub fn merged(operation: &Operation) -> Vec<&Edit> {
    let mut out: Vec<&Edit> = Vec::new();
    for edit in operation
        .deviations
        .iter()
        .flat_map(|deviation| &deviation.edits)
    {
        out.retain(|earlier| {
            std::mem::discriminant(*earlier) != std::mem::discriminant(edit)
                || earlier.name() != edit.name()
        });
        out.push(edit);
    }
    let order = |edit: &Edit| match edit {
        Edit::With(..) => 0,
        Edit::Without(_) => 1,
        Edit::Raw(..) => 2,
    };
    out.sort_by_key(|edit| order(edit));
    out
}

/// Plays one program.
pub struct Player<'p, 'w> {
    stage: &'p Stage<'w>,
    slot: &'p mut Slot,
    codes: Vec<Code>,
    grants: Vec<Grant>,
    trace: Trace,
}

impl<'p, 'w> Player<'p, 'w> {
    /// With nothing done yet.
    pub fn new(stage: &'p Stage<'w>, slot: &'p mut Slot) -> Player<'p, 'w> {
        Player {
            stage,
            slot,
            codes: Vec::new(),
            grants: Vec::new(),
            trace: Trace::default(),
        }
    }

    /// Plays it to its end.
    pub async fn play(mut self, program: &Program) -> Trace {
        for (at, operation) in program.operations.iter().enumerate() {
            let done = match operation.kind {
                Kind::Authorize => self.authorize_as(operation).await,
                Kind::Exchange => self.exchange(operation).await,
                Kind::Refresh => self.refresh(operation).await,
                Kind::Revoke => self.revoke(operation).await,
                Kind::Introspect => self.introspect(operation).await,
                Kind::Call => self.call(operation).await,
                Kind::Register => self.register(operation).await,
                Kind::Discover => self.discover(operation).await,
                Kind::Direct => self.direct(operation).await,
            };
            match done {
                Ok(mut done) => {
                    done.at = at;
                    let over = matches!(done.answer, Answer::NoAnswer(_) | Answer::Throttled(_));
                    self.trace.done.push(done);
                    if over {
                        break;
                    }
                }
                Err(why) => {
                    self.trace.stuck = Some(why);
                    break;
                }
            }
        }
        for code in self.codes {
            self.trace.secrets.extend([code.value, code.verifier]);
        }
        for grant in self.grants {
            self.trace.secrets.push(grant.access);
            self.trace.secrets.extend(grant.refresh);
            self.trace.secrets.extend(grant.old);
        }
        self.trace
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a stage has a client, and the number is brought within"
    )]
    fn client(&self, at: usize) -> &'p Client {
        let actors = &self.stage.actors;
        &actors[at.min(actors.len().saturating_sub(1))]
    }

    fn resource(&self, at: usize) -> Option<&'w Resource> {
        let resources = &self.stage.resources;
        resources.get(at).or(resources.first()).copied()
    }

    fn resource_id(&self, at: usize) -> Option<String> {
        self.resource(at).and_then(|resource| resource.id.clone())
    }

    /// Applies an operation's deviations; `own` gives what correct requests carry where the draft has nothing.
    fn deviate(&self, draft: &mut Draft, operation: &Operation) {
        let before = draft.clone();
        for edit in merged(operation) {
            match edit {
                Edit::With(name, values) => {
                    let params = values
                        .iter()
                        .map(|value| Param::Text(self.text(value, name, &before, operation, false)))
                        .collect();
                    draft.alter(name, params).ok();
                }
                Edit::Without(name) => draft.leave_out(name),
                Edit::Raw(name, value) => {
                    let text = self.text(
                        value,
                        name,
                        &before,
                        operation,
                        draft.encoding != Encoding::Json,
                    );
                    draft.alter(name, vec![Param::Raw(text)]).ok();
                }
            }
        }
    }

    fn text(
        &self,
        text: &Text,
        name: &str,
        draft: &Draft,
        operation: &Operation,
        encoded: bool,
    ) -> String {
        let mut out = String::new();
        for piece in &text.0 {
            let (value, outside) = match piece {
                Piece::Text(text) => (text.clone(), false),
                Piece::Repeat(text, times) => (text.repeat((*times).min(200_000)), false),
                Piece::Own => (self.own(name, draft, operation), true),
                Piece::Named(name, field) => (self.named(name, field, operation), true),
            };
            if outside && encoded {
                out.push_str(&wire::form::encode_component(value.as_bytes()));
            } else {
                out.push_str(&value);
            }
        }
        out
    }

    /// What the correct request carries in a parameter.
    fn own(&self, name: &str, draft: &Draft, operation: &Operation) -> String {
        let name = name
            .strip_prefix("@query.")
            .or_else(|| name.strip_prefix("@header."))
            .unwrap_or(name);
        if name == "@authorization" || name == "Authorization" {
            return draft.get("token").unwrap_or_default();
        }
        // Under another case or with brackets it is still the same parameter's value.
        let plain = name
            .split('[')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        if let Some(value) = draft.get(name).or_else(|| draft.get(&plain)) {
            return value;
        }
        match plain.as_str() {
            "scope" => self.scope(operation.resource).unwrap_or_default(),
            "resource" => self.resource_id(operation.resource).unwrap_or_default(),
            "authorization_details" => self.details().unwrap_or_default(),
            "token_type_hint" => "refresh_token".into(),
            _ => String::new(),
        }
    }

    fn named(&self, name: &str, field: &str, operation: &Operation) -> String {
        let world = self.stage.world;
        let client = match name {
            "client" => Some(self.client(operation.client)),
            other => other
                .strip_prefix("client-")
                .and_then(|name| world.target.client(name)),
        };
        match (name, field) {
            ("canary", "html") => format!("{0}\"'><svg/onload=1>{0}", world.canary),
            ("canary", _) => world.canary.clone(),
            ("random", _) => "oauthspec-random-value-of-43-characters-0123".into(),
            ("rar", _) => self.details().unwrap_or_default(),
            ("resource", _) => self.resource_id(operation.resource).unwrap_or_default(),
            ("target", "issuer") => world.target.issuer.clone(),
            (_, "redirect_uri") => client
                .and_then(|client| client.redirect_uris.first().cloned())
                .unwrap_or_default(),
            (_, "id") => client
                .and_then(|client| client.id.clone())
                .unwrap_or_default(),
            _ => String::new(),
        }
    }

    fn details(&self) -> Option<String> {
        self.stage
            .world
            .target
            .rar
            .first()
            .map(|(_, text)| text.clone())
    }

    fn scope(&self, resource: usize) -> Option<String> {
        let mut words: Vec<&str> = Vec::new();
        let policy = self
            .stage
            .world
            .target
            .policy
            .scope
            .as_deref()
            .unwrap_or_default();
        let needed = self
            .resource(resource)
            .and_then(|resource| resource.scope.as_deref())
            .unwrap_or_default();
        for word in policy.split_whitespace().chain(needed.split_whitespace()) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        (!words.is_empty()).then(|| words.join(" "))
    }

    // --- authorization -------------------------------------------------------------------------

    fn authorization(
        &self,
        client: &Client,
        resource: usize,
        challenge: &str,
    ) -> Result<Draft, String> {
        let world = self.stage.world;
        let endpoint = world
            .endpoints
            .authorization
            .as_deref()
            .ok_or("no authorization endpoint")?;
        let mut draft = Draft::new("GET", endpoint, Encoding::Query);
        draft.push("response_type", "code");
        draft.push_some("client_id", client.id.as_deref());
        draft.push_some("redirect_uri", client.redirect_uris.first().cloned());
        draft.push("state", "oauthspec-state");
        draft.push_some("scope", self.scope(resource));
        draft.push("code_challenge", challenge);
        draft.push("code_challenge_method", "S256");
        draft.push_some("resource", self.resource_id(resource));
        let detail = self
            .resource(resource)
            .and_then(|resource| resource.rar.as_deref())
            .or(world.target.policy.rar.as_deref())
            .and_then(|name| world.target.rar(name));
        draft.push_some("authorization_details", detail);
        for (name, value) in &world.target.params {
            draft.push(name, value.clone());
        }
        Ok(draft)
    }

    async fn authorize_as(&mut self, operation: &Operation) -> Result<Done, String> {
        let verifier = jose::random_token(32);
        let client = self.client(operation.client);
        let mut draft = self.authorization(client, operation.resource, &jose::s256(&verifier))?;
        self.deviate(&mut draft, operation);
        let asked = draft.all("redirect_uri");
        let request = draft.finish();
        let facts = Facts::of(&request);
        let world = self.stage.world;
        let mut violations = model::authorization(
            &facts,
            &model::Authorization {
                client,
                resources: world
                    .target
                    .resources
                    .iter()
                    .filter_map(|resource| resource.id.as_deref())
                    .collect(),
                types: detail_types(world),
                proof: !world.target.policy.pkce_optional,
            },
        );
        if operation.person != Person::Approve {
            violations.hard.push("user");
        }
        let mut done = self.walk(request, client, &asked, operation.person).await;
        done.violations = violations;
        if done.answer == Answer::Success
            && let Some(value) = done.fields.get("code").cloned()
        {
            self.codes.push(Code {
                client: operation.client,
                resource: operation.resource,
                value,
                verifier,
                redirect_uri: asked.first().cloned().unwrap_or_default(),
                touched: !operation.is_equivalent(),
            });
            let suspicious = !done.violations.none();
            if suspicious {
                // Confirmed by use: a code that cannot be redeemed is no forbidden grant.
                let at = self.codes.len() - 1;
                done.works = Some(self.redeem(at).await.is_ok());
            }
        }
        Ok(done)
    }

    /// The user follows an authorization request to its end.
    async fn walk(
        &mut self,
        first: Request,
        client: &Client,
        asked: &[String],
        person: Person,
    ) -> Done {
        let stage = self.stage;
        let world = stage.world;
        let arrived = |url: &str| {
            asked
                .iter()
                .filter(|uri| !uri.is_empty())
                .chain(&stage.waiting)
                .any(|uri| leads_to(url, uri))
        };
        let fresh = Browser::new();
        let absent = person == Person::Absent;
        let browser = if absent { &fresh } else { &self.slot.browser };
        let visit = Visit {
            transport: &world.transport,
            browser,
            login: &world.target.login,
            user: world.target.user("a").or(world.target.users.first()),
            will: match person {
                Person::Approve => Will::Approve,
                Person::Deny => Will::Deny,
                Person::Absent => Will::Nothing,
            },
            arrived: &arrived,
        };
        let steps = !absent && world.target.login.driver != Driver::None;
        let mut seen_pages = Walk::default();
        let mut done = Done::new(Kind::Authorize);
        let mut request = first;
        for _ in 0..MOST_HOPS {
            let url = Url::parse(&request.url).ok();
            if let Some(cookies) = browser.cookies_for(&request.url)
                && request.header("cookie").is_none()
            {
                request.set("Cookie", cookies);
            }
            let seen = self.slot.lane.send(request.clone()).await;
            let reply = seen.reply.clone();
            done.seen.push(seen);
            let reply = match reply {
                Ok(reply) => reply,
                Err(lost) => {
                    done.answer = Answer::NoAnswer(lost.words());
                    return done;
                }
            };
            if let Some(url) = &url {
                browser.keep_from(url, &reply);
            }
            if let Some(answer) = unlucky(&reply) {
                done.answer = answer;
                return done;
            }
            if let Some(location) = reply
                .header_bytes("location")
                .filter(|_| reply.is_redirect())
            {
                match walk::next_hop(&visit, &request, location, reply.status) {
                    Some(next) => {
                        request = next;
                        continue;
                    }
                    None => {
                        done.end(location, None, client, asked, reply.status);
                        return done;
                    }
                }
            }
            if request.method == "HEAD" || request.method == "OPTIONS" {
                done.answer = answer::refusal(&reply);
                return done;
            }
            match walk::on_page(&visit, &request, &reply, steps, &mut seen_pages).await {
                Ok(next) => request = next,
                Err(End::Redirect { location, post }) => {
                    done.end(&location, post.as_ref(), client, asked, reply.status);
                    return done;
                }
                Err(_) => {
                    done.answer = answer::refusal(&reply);
                    return done;
                }
            }
        }
        done.answer = Answer::NoAnswer("pages and redirects without end".into());
        done
    }

    /// A correct authorization; its code's index.
    async fn arrange_code(&mut self, client: usize, resource: usize) -> Result<usize, String> {
        let operation = Operation {
            client,
            resource,
            ..Operation::plain(Kind::Authorize)
        };
        for attempt in 0..2 {
            let done = self.authorize_as(&operation).await?;
            if done.answer == Answer::Success {
                return Ok(self.codes.len() - 1);
            }
            // The session may have ended, or an earlier deviation may have spoilt it.
            self.slot.browser = Browser::new();
            if attempt == 1 {
                let why = format!("the correct authorization {}", done.answer.words());
                self.trace.setup.extend(done.seen);
                return Err(why);
            }
        }
        Err("no code".into())
    }

    // --- tokens --------------------------------------------------------------------------------

    fn token_request(&self, client: &Client, grant_type: &str) -> Result<Draft, String> {
        let world = self.stage.world;
        let endpoint = world
            .endpoints
            .token
            .as_deref()
            .ok_or("no token endpoint")?;
        let encoding = if world.target.policy.token_body_json {
            Encoding::Json
        } else {
            Encoding::Form
        };
        let mut draft = token::authenticated(world, endpoint, client, encoding);
        draft
            .params
            .insert(0, ("grant_type".into(), Param::Text(grant_type.into())));
        Ok(draft)
    }

    fn redemption(&self, client: &Client, code: &Code) -> Result<Draft, String> {
        let mut draft = self.token_request(client, "authorization_code")?;
        draft.push("code", code.value.clone());
        if !code.redirect_uri.is_empty() {
            draft.push("redirect_uri", code.redirect_uri.clone());
        }
        draft.push("code_verifier", code.verifier.clone());
        draft.push_some("resource", self.resource_id(code.resource));
        Ok(draft)
    }

    /// Redeems a code correctly; the grant's index.
    async fn redeem(&mut self, at: usize) -> Result<usize, String> {
        let Some(code) = self.codes.get_mut(at) else {
            return Err("no such code".into());
        };
        code.touched = true;
        let code = code.clone();
        let draft = self.redemption(self.client(code.client), &code)?;
        let seen = self.slot.lane.send(draft.finish()).await;
        let (answer, fields) = read_tokens(&seen);
        match (answer, fields.get("access_token")) {
            (Answer::Success, Some(access)) => {
                self.grants.push(Grant {
                    client: code.client,
                    resource: code.resource,
                    access: access.clone(),
                    refresh: fields.get("refresh_token").cloned(),
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
    async fn arrange_grant(&mut self, client: usize, resource: usize) -> Result<usize, String> {
        let code = self.arrange_code(client, resource).await?;
        let grant = self.redeem(code).await?;
        if let Some(grant) = self.grants.get_mut(grant) {
            grant.doubtful = false;
        }
        Ok(grant)
    }

    /// The newest grant that should live, else a new one.
    async fn live_grant(
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
    fn other(&self, client: usize) -> usize {
        let count = self.stage.actors.len();
        if count < 2 {
            client
        } else {
            (client + 1) % count
        }
    }

    async fn exchange(&mut self, operation: &Operation) -> Result<Done, String> {
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
        let resource = self.resource_id(code.resource);
        let mut violations = model::redemption(
            &Facts::of(&request),
            &model::Redemption {
                code: &code.value,
                verifier: Some(&code.verifier),
                redirect_uri: Some(code.redirect_uri.as_str()).filter(|uri| !uri.is_empty()),
                resource: resource.as_deref(),
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
    async fn again(&mut self, code: &Code, client: &Client) -> Option<bool> {
        let draft = self.redemption(client, code).ok()?;
        let seen = self.slot.lane.send(draft.finish()).await;
        let (answer, _) = read_tokens(&seen);
        match answer {
            Answer::Success => Some(true),
            Answer::Refused { .. } => Some(false),
            _ => None,
        }
    }

    async fn refresh(&mut self, operation: &Operation) -> Result<Done, String> {
        let me = operation.client;
        let owner = if operation.credential == Credential::Foreign {
            self.other(me)
        } else {
            me
        };
        let at = self.live_grant(owner, operation.resource, true).await?;
        if operation.credential == Credential::Spent {
            // Used once, correctly, so that the one before is spent.
            self.renew(at).await?;
        }
        let grant = self.grants.get(at).cloned().ok_or("no grant")?;
        let token = match operation.credential {
            Credential::Spent => grant.old.last().cloned().unwrap_or_default(),
            Credential::Kind => grant.access.clone(),
            _ => grant.refresh.clone().ok_or("no refresh token")?,
        };
        if operation.credential == Credential::Spent && Some(&token) == grant.refresh.as_ref() {
            return Err("refresh tokens are not rotated".into());
        }
        let client = self.client(me);
        let mut draft = self.token_request(client, "refresh_token")?;
        draft.push("refresh_token", token.clone());
        self.deviate(&mut draft, operation);
        let request = draft.finish();
        let resource = self.resource_id(grant.resource);
        let mut violations =
            model::renewal(&Facts::of(&request), &token, resource.as_deref(), client);
        match operation.credential {
            Credential::Live => {}
            Credential::Spent => violations.hard.push("spent refresh token"),
            Credential::Foreign if owner != me => {
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
            .fields
            .get("refresh_token")
            .is_some_and(|new| *new != token);
        if done.answer == Answer::Success
            && operation.credential == Credential::Live
            && operation.copies <= 1
            && !operation.is_equivalent()
            && rotated
        {
            // A token that was rotated away is of no use any more: however the first request looked.
            let mut draft = self.token_request(client, "refresh_token")?;
            draft.push("refresh_token", token);
            let seen = self.slot.lane.send(draft.finish()).await;
            done.alive = match read_tokens(&seen).0 {
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
    async fn renew(&mut self, at: usize) -> Result<(), String> {
        let grant = self.grants.get(at).cloned().ok_or("no grant")?;
        let old = grant.refresh.clone().ok_or("no refresh token")?;
        let mut draft = self.token_request(self.client(grant.client), "refresh_token")?;
        draft.push("refresh_token", old.clone());
        let seen = self.slot.lane.send(draft.finish()).await;
        let (answer, fields) = read_tokens(&seen);
        if answer != Answer::Success {
            self.trace.setup.push(seen);
            return Err(format!("the correct refresh {}", answer.words()));
        }
        if let Some(stored) = self.grants.get_mut(at) {
            stored.old.push(old);
            if let Some(access) = fields.get("access_token") {
                stored.access = access.clone();
            }
            if let Some(refresh) = fields.get("refresh_token") {
                stored.refresh = Some(refresh.clone());
            }
        }
        Ok(())
    }

    /// Sends a token request, once or as a race.
    async fn token_answer(&mut self, kind: Kind, request: Request, operation: &Operation) -> Done {
        let mut done = Done::new(kind);
        if operation.copies > 1 {
            let all = self
                .slot
                .lane
                .race(&request, usize::from(operation.copies))
                .await;
            for seen in &all {
                let (answer, fields) = read_tokens(seen);
                if answer == Answer::Success {
                    done.winners.extend(fields.get("access_token").cloned());
                    done.fields = fields;
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
        (done.answer, done.fields) = read_tokens(&seen);
        done.seen.push(seen);
        done
    }

    /// Remembers what a token request gave.
    fn keep(&mut self, done: &Done, mut origin: Grant) {
        if done.answer != Answer::Success {
            return;
        }
        let Some(access) = done.fields.get("access_token") else {
            return;
        };
        origin.access = access.clone();
        if let Some(refresh) = done.fields.get("refresh_token")
            && let Some(old) = origin.refresh.replace(refresh.clone())
        {
            origin.old.push(old);
        }
        origin.doubtful |= !done.violations.none();
        self.grants.push(origin);
    }

    /// A forbidden success is confirmed by using what was got; so are the winners of a race.
    async fn confirm(&mut self, done: &mut Done, resource: usize) {
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
            && let Some(access) = done.fields.get("access_token").cloned()
        {
            done.works = self.lives(&access, resource).await;
        }
    }

    /// Whether an access token works: at the resource server, else by introspection.
    async fn lives(&mut self, token: &str, resource: usize) -> Option<bool> {
        if let Some(resource) = self.resource(resource) {
            let mut draft = resource_request(resource, token);
            call::place_token(&mut draft);
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

    // --- what is about tokens ------------------------------------------------------------------

    /// The grant and the token an operation presents.
    async fn presented(
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
        let at = self.live_grant(owner, operation.resource, false).await?;
        if operation.credential == Credential::Spent {
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

    async fn revoke(&mut self, operation: &Operation) -> Result<Done, String> {
        let (at, token) = self.presented(operation, true).await?;
        let world = self.stage.world;
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

    fn introspection(&self, token: &str) -> Result<Draft, String> {
        let world = self.stage.world;
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

    async fn introspect(&mut self, operation: &Operation) -> Result<Done, String> {
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
            violations.hard.push("spent refresh token");
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

    async fn call(&mut self, operation: &Operation) -> Result<Done, String> {
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

    async fn register(&mut self, operation: &Operation) -> Result<Done, String> {
        let world = self.stage.world;
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
    async fn remove(&mut self, id: &str, uri: Option<String>, token: Option<String>) {
        let world = self.stage.world;
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

    async fn discover(&mut self, operation: &Operation) -> Result<Done, String> {
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
    async fn direct(&mut self, operation: &Operation) -> Result<Done, String> {
        let world = self.stage.world;
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
    async fn plain(&mut self, kind: Kind, request: Request) -> Done {
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

impl Done {
    fn new(kind: Kind) -> Done {
        Done {
            at: 0,
            kind,
            answer: Answer::NotApplicable("not sent".into()),
            seen: Vec::new(),
            violations: Violations::default(),
            fields: BTreeMap::new(),
            winners: Vec::new(),
            works: None,
            alive: None,
        }
    }

    /// The deviating exchange: of a walk the first, else the last.
    pub fn decisive(&self) -> Option<&Seen> {
        self.seen.first()
    }

    /// Reads where the browser was sent.
    fn end(
        &mut self,
        location: &[u8],
        post: Option<&wire::form::Pairs>,
        client: &Client,
        asked: &[String],
        status: u16,
    ) {
        let text = String::from_utf8_lossy(location).into_owned();
        let read = wire::location::read(location, None);
        for pairs in [
            Some(read.query_pairs()),
            Some(read.fragment_pairs()),
            post.cloned(),
        ]
        .into_iter()
        .flatten()
        {
            for pair in pairs.iter() {
                let name = String::from_utf8_lossy(&pair.name).into_owned();
                let value = pair
                    .value
                    .as_deref()
                    .map(String::from_utf8_lossy)
                    .unwrap_or_default()
                    .into_owned();
                self.fields.entry(name).or_insert(value);
            }
        }
        let has = |name: &str| self.fields.get(name).is_some_and(|value| !value.is_empty());
        let with_code = has("code") || has("access_token");
        let registered = client.redirect_uris.iter().any(|uri| leads_to(&text, uri))
            || asked.iter().any(|asked| {
                leads_to(&text, asked)
                    && client
                        .redirect_uris
                        .iter()
                        .any(|uri| wire::redirect_uri::same_loopback(uri, asked))
            });
        self.answer = if !registered {
            Answer::Astray {
                location: text,
                with_code,
            }
        } else if has("error") || !with_code {
            Answer::Refused {
                status,
                error: self.fields.get("error").cloned(),
                how: How::Redirect,
            }
        } else {
            Answer::Success
        };
    }
}

/// 429, 503 with Retry-After and 5xx read the same at every endpoint.
fn unlucky(reply: &Reply) -> Option<Answer> {
    match reply.status {
        429 => Some(Answer::Throttled("answered 429".into())),
        503 if reply.header("retry-after").is_some() => {
            Some(Answer::Throttled("answered 503 with Retry-After".into()))
        }
        502 | 504 => Some(Answer::Throttled(format!("answered {}", reply.status))),
        status if status >= 500 => Some(Answer::ServerError(status)),
        _ => None,
    }
}

/// A token endpoint's answer (RFC 6749 §5).
fn read_tokens(seen: &Seen) -> (Answer, BTreeMap<String, String>) {
    match &seen.reply {
        Err(lost) => (Answer::NoAnswer(lost.words()), BTreeMap::new()),
        Ok(reply) => {
            if let Some(answer) = unlucky(reply) {
                return (answer, BTreeMap::new());
            }
            if reply.is_success() {
                let fields = answer::json_fields(reply);
                if fields
                    .get("access_token")
                    .is_some_and(|token| !token.is_empty())
                {
                    return (Answer::Success, fields);
                }
            }
            (answer::refusal(reply), BTreeMap::new())
        }
    }
}

/// The probe of a resource with a token.
fn resource_request(resource: &Resource, token: &str) -> Draft {
    let mut draft = Draft::new(&resource.method, resource.url.as_str(), Encoding::Form);
    draft.push("token", token);
    match &resource.body {
        Some((body, content_type)) => {
            draft.body = Some(body.clone());
            draft.content_type = Some(content_type.clone());
        }
        None => draft.content_type = Some(String::new()),
    }
    draft
}

/// Whether a location is this redirect URI with response parameters added.
fn leads_to(location: &str, uri: &str) -> bool {
    location
        .strip_prefix(uri)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['?', '#', '&']))
}

/// The authorization detail types the target names.
fn detail_types(world: &World) -> Vec<String> {
    let of_examples = world.target.rar.iter().flat_map(|(_, text)| {
        let value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let items = value.as_array().cloned().unwrap_or_default();
        items
            .into_iter()
            .filter_map(|item| item.get("type")?.as_str().map(str::to_owned))
    });
    let of_metadata = world
        .metadata
        .as_ref()
        .and_then(|metadata| {
            metadata
                .get("authorization_details_types_supported")?
                .as_array()
                .cloned()
        })
        .unwrap_or_default();
    let of_metadata = of_metadata
        .into_iter()
        .filter_map(|kind| kind.as_str().map(str::to_owned));
    of_examples.chain(of_metadata).collect()
}

/// How long an exchange may take before it counts as a hang: the server's own pace times twenty, at
/// least two seconds.
pub fn patience(median: Duration) -> Duration {
    (median * 20).max(Duration::from_secs(2))
}
