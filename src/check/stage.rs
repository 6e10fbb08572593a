//! Hand-made scenes for the tests of checks.

use std::time::Duration;

use serde_json::{Map, Value};

use super::view::View;
use super::{Found, Look, look};
use crate::client::{Asked, Said};
use crate::event::Addressee;
use crate::flow::scene::Logged;
use crate::flow::{Answer, How, Outcome};
use crate::suite::model::{User, Verb};
use crate::targets::model::{Client, ClientAuth, ClientKind, Endpoints, Login, Resource, Target};
use crate::transport::{Recorded, Reply, Request};

/// A target at `https://as.example/t` with client `a`, resources `a` and `b`, and what happened.
pub struct Stage {
    pub target: Target,
    pub metadata: Option<Map<String, Value>>,
    pub metadata_url: Option<String>,
    pub jwks: Option<Value>,
    pub outcomes: Vec<Outcome>,
    pub log: Vec<Logged>,
    pub hits: Option<Vec<String>>,
    pub thumbprints: Vec<String>,
    at: Option<usize>,
}

/// What the named check finds in the step looked at: the last one, unless told otherwise.
pub fn of(name: &str, stage: &Stage) -> Found {
    let Some(Look::At(look) | Look::Subject(look)) = look(name) else {
        panic!("{name} is no check that only looks");
    };
    match look(&stage.view()) {
        Ok(finding) | Err(finding) => finding.found,
    }
}

/// What the named check finds in a metadata document: `at` is `as`, `openid` or `resource.NAME`.
pub fn of_document(name: &str, at: &str, document: &str) -> Found {
    let mut stage = Stage::new();
    stage.discover(at, 200, document);
    of(name, &stage)
}

/// A successful token answer, and nothing else.
pub fn granted(body: &str) -> Stage {
    let mut stage = Stage::new();
    stage.grant(body);
    stage
}

/// An unsigned JWT with these claims, as a JSON string.
pub fn quoted_jwt(claims: &str) -> String {
    let header = jose::base64url(r#"{"alg":"ES256","typ":"at+jwt"}"#);
    format!("\"{header}.{}.c2ln\"", jose::base64url(claims))
}

const ENDPOINT: &str = "https://as.example/t/authorize";

impl Stage {
    /// Nothing has happened.
    pub fn new() -> Stage {
        Stage {
            target: target(),
            metadata: None,
            metadata_url: None,
            jwks: None,
            outcomes: Vec::new(),
            log: Vec::new(),
            hits: None,
            thumbprints: Vec::new(),
            at: None,
        }
    }

    /// One step that nobody answered.
    pub fn silent() -> Stage {
        let mut stage = Stage::new();
        let answer = Answer::NoAnswer("connection refused".into());
        stage.step(Verb::Authorize, answer, None);
        stage
    }

    /// What a check would look at.
    pub fn view(&self) -> View<'_> {
        let at = self.at.unwrap_or(self.outcomes.len() - 1);
        let outcome = &self.outcomes[at];
        View {
            target: &self.target,
            metadata: self.metadata.as_ref(),
            metadata_url: self.metadata_url.as_deref(),
            jwks: self.jwks.as_ref(),
            authorization_endpoint: ENDPOINT,
            token_endpoint: "https://as.example/t/token",
            canary: "CANARY",
            outcomes: &self.outcomes,
            log: &self.log,
            hits: self.hits.clone(),
            thumbprints: self.thumbprints.clone(),
            client: self.target.client(&outcome.client),
            outcome,
            at,
        }
    }

    /// Looks at an earlier step.
    pub fn look_at(&mut self, at: usize) {
        self.at = Some(at);
    }

    fn step(&mut self, verb: Verb, answer: Answer, exchange: Option<(Request, Reply)>) {
        let start = self.log.len();
        let label = format!("{} {}", self.outcomes.len() + 1, verb.word());
        self.log.extend(exchange.map(|(request, reply)| Logged {
            recorded: Recorded {
                request,
                reply: Ok(reply),
                started: Duration::ZERO,
                took: Duration::from_millis(20),
                raw: false,
            },
            label: label.clone(),
            to: Addressee::AuthorizationServer,
        }));
        let mut outcome = Outcome::new(verb, &label, answer);
        outcome.client = "a".into();
        outcome.log = start..self.log.len();
        self.outcomes.push(outcome);
        self.at = None;
    }

    fn last(&mut self) -> &mut Outcome {
        self.outcomes.last_mut().expect("a step happened")
    }

    fn last_exchange(&mut self) -> &mut Recorded {
        &mut self.log.last_mut().expect("an exchange happened").recorded
    }

    fn json_step(&mut self, verb: Verb, url: &str, status: u16, body: &str, success: bool) {
        let request = Request::post(url, "application/x-www-form-urlencoded", Vec::new());
        let answer = if success {
            Answer::Success
        } else {
            refused(status, body)
        };
        self.step(
            verb,
            answer,
            Some((request, reply(status, "application/json", body))),
        );
        let members = serde_json::from_str::<Map<String, Value>>(body);
        if let Some(members) = members.ok().filter(|_| success) {
            self.last().said = Said::from(members);
        }
    }

    /// A metadata document: `as`, `openid`, or `resource.NAME`.
    pub fn discover(&mut self, at: &str, status: u16, body: &str) {
        let url = match at.strip_prefix("resource.") {
            Some(name) => {
                format!("https://rs.example/.well-known/oauth-protected-resource/{name}")
            }
            None if at == "openid" => {
                "https://as.example/t/.well-known/openid-configuration".into()
            }
            None => "https://as.example/.well-known/oauth-authorization-server/t".into(),
        };
        self.json_step(Verb::Discover, &url, status, body, status == 200);
        self.last().resource = at.strip_prefix("resource.").map(str::to_owned);
    }

    /// An authorization with this query, answered by a redirect.
    pub fn authorize(&mut self, query: &str, location: &str) {
        let mut answer = reply(302, "", "");
        answer
            .headers
            .push(("location".into(), location.as_bytes().to_vec()));
        let request = Request::get(format!("{ENDPOINT}?{query}"));
        self.step(Verb::Authorize, Answer::Success, Some((request, answer)));
        let read = wire::location::read(location.as_bytes(), None);
        let mut response = super::view::texts(&read.query_pairs());
        response.extend(super::view::texts(&read.fragment_pairs()));
        let outcome = self.last();
        outcome.response = response;
        outcome.location = Some(location.as_bytes().to_vec());
    }

    /// An authorization with this query, answered by a page.
    pub fn page(&mut self, query: &str, body: &str) {
        let request = Request::get(format!("{ENDPOINT}?{query}"));
        let answer = Answer::Refused {
            status: 200,
            error: None,
            how: How::Page,
        };
        self.step(
            Verb::Authorize,
            answer,
            Some((request, reply(200, "text/html", body))),
        );
        self.last().pages = vec![body.to_owned()];
    }

    /// A further redirect within the last step.
    pub fn another_answer(&mut self, status: u16, location: &str) {
        let mut answer = reply(status, "", "");
        answer
            .headers
            .push(("location".into(), location.as_bytes().to_vec()));
        let mut logged = self.log.last().cloned().expect("an exchange happened");
        logged.recorded.reply = Ok(answer);
        self.log.push(logged);
        let end = self.log.len();
        self.last().log.end = end;
    }

    /// The answer to a push.
    pub fn push(&mut self, status: u16, body: &str) {
        let success = (200..300).contains(&status);
        let url = "https://as.example/t/par";
        self.json_step(Verb::Push, url, status, body, success);
    }

    /// A successful token answer.
    pub fn grant(&mut self, body: &str) {
        self.json_step(Verb::Grant, "https://as.example/t/token", 200, body, true);
    }

    /// A successful refresh with these parameters.
    pub fn refresh(&mut self, sent: &[(&str, &str)], body: &str) {
        self.json_step(Verb::Refresh, "https://as.example/t/token", 200, body, true);
        for (name, value) in sent {
            self.sent(name, value);
        }
    }

    /// A device response.
    pub fn device(&mut self, body: &str) {
        let url = "https://as.example/t/device_authorization";
        self.json_step(Verb::Device, url, 200, body, true);
    }

    /// A token answer that is none.
    pub fn token_error(&mut self, status: u16, body: &str) {
        self.json_step(
            Verb::Grant,
            "https://as.example/t/token",
            status,
            body,
            false,
        );
    }

    /// A registration of these members.
    pub fn register(&mut self, sent: &[(&str, &str)], status: u16, body: &str) {
        let success = (200..300).contains(&status);
        self.json_step(
            Verb::Register,
            "https://as.example/t/register",
            status,
            body,
            success,
        );
        for (name, value) in sent {
            self.sent(name, value);
        }
    }

    /// An introspection of this token.
    pub fn introspect(&mut self, token: &str, body: &str) {
        self.json_step(
            Verb::Introspect,
            "https://as.example/t/introspect",
            200,
            body,
            true,
        );
        self.sent("token", token);
    }

    /// A call to a resource.
    pub fn call(&mut self, resource: &str, status: u16, body: &str) {
        let request = Request::get(format!("https://rs.example/{resource}/probe"));
        let answer = if status < 300 {
            Answer::Success
        } else {
            refused(status, "")
        };
        self.step(
            Verb::Call,
            answer,
            Some((request, reply(status, "text/plain", body))),
        );
        self.last().resource = Some(resource.to_owned());
    }

    /// The metadata of the run.
    pub fn metadata(&mut self, document: &str) {
        self.metadata = serde_json::from_str(document).ok();
    }

    /// Adds what the server said in the last step.
    pub fn field(&mut self, name: &str, value: &str) {
        self.last().said.set(name, value);
    }

    /// What we asked in the last step.
    pub fn asked(&mut self) -> &mut Asked {
        &mut self.last().asked
    }

    /// Adds a parameter that the last step sent.
    pub fn sent(&mut self, name: &str, value: &str) {
        self.last().sent.push((name.into(), value.into()));
    }

    /// Marks a parameter as what the last step changed.
    pub fn changed(&mut self, name: &str) {
        self.last().changed.push(name.into());
    }

    /// The status of the last answer.
    pub fn status(&mut self, status: &str) {
        self.last().status = Some(status.into());
    }

    /// How the last step ended.
    pub fn answer(&mut self, answer: Answer) {
        self.last().answer = answer;
    }

    /// Who pressed the buttons in the last step.
    pub fn user(&mut self, user: User) {
        self.last().user = user;
    }

    /// Sets a header of the last answer.
    pub fn header(&mut self, name: &str, value: &str) {
        let name = name.to_ascii_lowercase();
        if let Ok(reply) = &mut self.last_exchange().reply {
            reply.headers.retain(|(existing, _)| *existing != name);
            reply.headers.push((name, value.as_bytes().to_vec()));
        }
    }

    /// Adds a header to the last request.
    pub fn request_header(&mut self, name: &str, value: &str) {
        let headers = &mut self.last_exchange().request.headers;
        headers.push((name.into(), value.into()));
    }

    /// Sets the method of the last request.
    pub fn method(&mut self, method: &str) {
        self.last_exchange().request.method = method.into();
    }

    /// Sets the body of the last request.
    pub fn body(&mut self, body: &str) {
        self.last_exchange().request.body = body.as_bytes().to_vec();
    }

    /// Sets how long the last exchange took.
    pub fn took(&mut self, took: Duration) {
        self.last_exchange().took = took;
    }
}

fn refused(status: u16, body: &str) -> Answer {
    let error = serde_json::from_str::<Value>(body)
        .ok()
        .and_then(|value| value.get("error")?.as_str().map(str::to_owned));
    Answer::Refused {
        status,
        error,
        how: How::Json,
    }
}

fn reply(status: u16, content_type: &str, body: &str) -> Reply {
    let headers = if content_type.is_empty() {
        Vec::new()
    } else {
        vec![("content-type".to_owned(), content_type.as_bytes().to_vec())]
    };
    Reply {
        status,
        headers,
        body: body.as_bytes().to_vec(),
        truncated: false,
    }
}

fn resource(name: &str) -> Resource {
    Resource {
        name: name.into(),
        id: Some(format!("https://rs.example/{name}")),
        method: "GET".into(),
        url: url::Url::parse(&format!("https://rs.example/{name}/probe")).expect("a URL"),
        body: None,
        scope: Some("read".into()),
        broader: None,
        rar: None,
        mcp: None,
    }
}

fn target() -> Target {
    Target {
        name: "stage".into(),
        source: None,
        issuer: "https://as.example/t".into(),
        profiles: Vec::new(),
        clients: vec![Client {
            name: "a".into(),
            register: false,
            id: Some("app-a".into()),
            secret: None,
            auth: ClientAuth::None,
            kind: ClientKind::Public,
            redirect_uris: vec!["https://app.example/cb".into()],
        }],
        resources: vec![resource("a"), resource("b")],
        users: Vec::new(),
        login: Login::default(),
        policy: crate::targets::load::silent(),
        endpoints: Endpoints::default(),
        introspection_client: None,
        departures: Vec::new(),
        rar: Vec::new(),
        params: Vec::new(),
        hosts: Vec::new(),
        network: crate::transport::Network::default(),
        mint: None,
    }
}
