//! Playing a program: the correct request of every operation, its deviations, the answer.
//!
//! What an operation needs and nobody has made (a code to redeem, a grant to refresh) is arranged
//! first, as the engine of a suite run does, so that the smallest program for a finding is one
//! operation long.

mod about;
mod authorize;
mod tokens;
mod values;

use std::sync::Arc;
use std::time::{Duration, Instant};

use url::Url;

use super::connection::{Lane, Lost, Road, Seen};
use super::model::{self, Facts, Violations};
use super::operation::{Credential, Edit, Kind, Operation, Person, Piece, Program, Text};
use crate::client::answer::refusal;
use crate::client::draft::{Draft, Encoding, Param};
use crate::client::read::{self, Reading};
use crate::client::redirect::Waiting;
use crate::client::{Answer, Asked, Missing, Pkce, Said, World, request};
use crate::login::{Browser, End, Visit, Walk, Will, walk};
use crate::targets::model::{Client, Driver, Resource, Target};
use crate::transport::{Reply, Request};

/// Pages and redirects after which a login is going in circles.
const MOST_HOPS: usize = 20;

/// What all programs of a run share.
pub struct Stage {
    /// The target.
    pub world: World,
    /// The clients that act; the first is the usual one.
    pub actors: Vec<Client>,
    /// Resources without special needs.
    pub resources: Vec<Resource>,
}

impl Stage {
    /// All that the target knows.
    pub fn of(world: World) -> Stage {
        let target = &world.target;
        Stage {
            actors: actors(target),
            resources: target
                .resources
                .iter()
                // What needs more than a token (an authorization detail, an MCP session) says nothing about the token.
                .filter(|resource| resource.rar.is_none() && resource.mcp.is_none())
                .cloned()
                .collect(),
            world,
        }
    }

    /// The endpoint an operation goes to, for buckets and messages: one that is two at once is the token endpoint.
    pub fn endpoint(&self, kind: Kind) -> &'static str {
        let endpoints = &self.world.endpoints;
        let shared = kind == Kind::Revoke && endpoints.revocation == endpoints.token;
        let kind = if shared { Kind::Exchange } else { kind };
        kind.endpoint()
    }
}

/// The clients that act, the usual one first. Those whose codes live for moments are left out.
fn actors(target: &Target) -> Vec<Client> {
    let usable = |client: &&Client| {
        client.id.is_some()
            && !matches!(
                client.name.as_str(),
                "brief" | "legacy" | "keyed" | "native"
            )
            && Some(client.name.as_str()) != target.introspection_client.as_deref()
    };
    let mut found: Vec<Client> = target.clients.iter().filter(usable).cloned().collect();
    let rank = |client: &Client| match client.name.as_str() {
        "a" => 0,
        "b" => 1,
        "confidential" => 2,
        "confidential-b" => 3,
        _ => 4,
    };
    found.sort_by_key(rank);
    found.truncate(4);
    found
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
    /// What was asked for.
    asked: Asked,
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
    pub said: Said,
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
    /// When the last correct authorization was begun that led to a token.
    pub worked: Option<Instant>,
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

/// The edits of an operation as one change, as a suite file can say it: the last one of its kind counts for a name, left out more than
/// set, and sent raw more than both. A parameter that is left out and sent raw goes last.
pub fn merged(operation: &Operation) -> Vec<&Edit> {
    let deviations = operation.deviations.iter();
    let mut edits: Vec<&Edit> = deviations.flat_map(|deviation| &deviation.edits).collect();
    edits.sort_by_key(|edit| match edit {
        Edit::With(..) => 0,
        Edit::Without(_) => 1,
        Edit::Raw(..) => 2,
    });
    let mut kept: Vec<&Edit> = Vec::with_capacity(edits.len());
    for edit in edits {
        let name = edit.name();
        kept.retain(|earlier| {
            let moves = matches!((earlier, edit), (Edit::Without(_), Edit::Raw(..)));
            earlier.name() != name || (moves && !name.starts_with('@'))
        });
        kept.push(edit);
    }
    kept
}

/// Plays one program.
pub struct Player<'p> {
    stage: &'p Stage,
    slot: &'p mut Slot,
    codes: Vec<Code>,
    grants: Vec<Grant>,
    trace: Trace,
}

impl<'p> Player<'p> {
    /// With nothing done yet.
    pub fn new(stage: &'p Stage, slot: &'p mut Slot) -> Player<'p> {
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
            self.trace.secrets.push(code.value);
            self.trace.secrets.extend(code.asked.verifier);
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

    fn resource(&self, at: usize) -> Option<&'p Resource> {
        let resources = &self.stage.resources;
        resources.get(at).or(resources.first())
    }

    fn resource_id(&self, at: usize) -> Option<String> {
        self.resource(at).and_then(|resource| resource.id.clone())
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
            said: Said::default(),
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
        waiting: Waiting<'_>,
        location: &[u8],
        post: Option<&wire::form::Pairs>,
        status: u16,
    ) {
        let response = waiting.read(location, post, status);
        self.said = response.said();
        self.answer = response.answer;
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

/// What an exchange came to.
fn read(seen: &Seen, reading: Reading) -> (Answer, Said) {
    match &seen.reply {
        Err(lost) => (Answer::NoAnswer(lost.words()), Said::default()),
        Ok(reply) => match unlucky(reply) {
            Some(answer) => (answer, Said::default()),
            None => reading.of(reply),
        },
    }
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
