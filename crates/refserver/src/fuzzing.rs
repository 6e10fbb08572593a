//! The body of the fuzz target `endpoints`: requests go in, answers come out, in this process and without a socket.
//!
//! An input is a text of up to eight requests, parted by lines of `===`. Each is a line with the method and the path, then headers, an empty line
//! and the body. Names in braces stand for what an input cannot know: `{id.a}`, `{secret.rs}`, `{basic.rs}` (clients), `{user.password}` (the
//! first user's), `{resource}`, and what the last answer that had one brought: `{page}`, `{csrf}`, `{code}`, `{access}`, `{refresh}`,
//! `{device}`, `{user_code}`, `{request_uri}`, `{registered}`. Cookies are kept, as a browser does.

// Asserting is what these functions are for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderName, HeaderValue, Method, Request, StatusCode, header},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tower_service::Service as _;
use url::{Url, form_urlencoded};

use crate::{App, Facts, Fault, Options, User, router, set_up};

/// Nobody listens there: every URL of the server begins with it.
const ORIGIN: &str = "http://127.0.0.1:1";
/// Requests of one input; the rest is not sent.
const MOST_REQUESTS: usize = 8;
/// No answer of the reference server is longer.
const LONGEST_ANSWER: usize = 256 * 1024;

/// The targets of this crate: see `wire::fuzzing::Target`.
pub const TARGETS: [wire::fuzzing::Target; 1] = [("endpoints", endpoints)];

/// What is sent to the endpoints, whatever it is, gets an answer below 500; no token comes without a code, a refresh token, a device's code or a
/// client's secret that was not used up before; no code comes before a user's password was sent; no redirect leads to a URI that nobody has
/// registered; no resource is given without an access token.
pub fn endpoints(data: &[u8]) {
    // Built with `--cfg planted` the server has one of its faults: see `fuzz/README.md`.
    let faults = if cfg!(planted) {
        vec![Fault::RedirectPrefix]
    } else {
        Vec::new()
    };
    let mut visit = Visit::new(Options {
        faults,
        ..Options::default()
    });
    let text = String::from_utf8_lossy(data);
    for request in text.split("\n===\n").take(MOST_REQUESTS) {
        visit.send(request);
    }
}

thread_local! {
    /// Without a driver for sockets: nothing here may open one.
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
}

/// A fresh server, and what an observer knows after some requests.
struct Visit {
    router: Router,
    facts: Facts,
    /// What names in braces stand for.
    names: BTreeMap<String, String>,
    cookies: BTreeMap<String, String>,
    redirect_uris: Vec<String>,
    /// What a token may be had for, each once.
    credentials: BTreeSet<String>,
    access: BTreeSet<String>,
    secrets: Vec<String>,
    /// Whether the user's password was sent.
    person: bool,
}

/// A request as it was sent.
struct Sent {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Sent {
    /// Whether this text stands somewhere in it, encoded or not.
    fn brings(&self, text: &str) -> bool {
        let decoded = |form: &str| {
            form_urlencoded::parse(form.as_bytes())
                .any(|(name, value)| name.contains(text) || value.contains(text))
        };
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        let basic = self.headers.iter().any(|(_, value)| {
            let code = value.split_once(' ').map_or("", |(_, code)| code.trim());
            let bytes = STANDARD.decode(code).unwrap_or_default();
            value.contains(text) || decoded(&String::from_utf8_lossy(&bytes).replace(':', "&"))
        });
        basic || decoded(query) || decoded(&self.body)
    }
}

impl Visit {
    fn new(options: Options) -> Visit {
        let face = options.face.data();
        let (facts, clients, agents) = set_up(face, ORIGIN, false);
        let users = facts.users.iter().map(User::new).collect();
        let mut app = App::new(
            face,
            ORIGIN.to_owned(),
            facts.issuer.clone(),
            options.faults,
            users,
            agents,
        );
        app.offline = true;
        app.db().clients = clients
            .into_iter()
            .map(|client| (client.id.clone(), client))
            .collect();
        let mut names = BTreeMap::new();
        let mut secrets = Vec::new();
        for client in &facts.clients {
            names.insert(format!("id.{}", client.name), client.id.clone());
            if let Some(secret) = &client.secret {
                let basic = STANDARD.encode(format!("{}:{secret}", client.id));
                names.insert(format!("basic.{}", client.name), basic);
                names.insert(format!("secret.{}", client.name), secret.clone());
                secrets.push(secret.clone());
            }
        }
        for (name, value) in facts.users.iter().take(1).flat_map(|user| &user.fields) {
            names.insert(format!("user.{name}"), value.clone());
        }
        if let Some(id) = facts.resources.iter().find_map(|one| one.id.clone()) {
            names.insert("resource".to_owned(), id);
        }
        Visit {
            router: router(Arc::new(app)),
            redirect_uris: (facts.clients.iter())
                .flat_map(|client| client.redirect_uris.clone())
                .collect(),
            facts,
            names,
            cookies: BTreeMap::new(),
            credentials: BTreeSet::new(),
            access: BTreeSet::new(),
            secrets,
            person: false,
        }
    }

    /// The text with names in braces replaced.
    fn filled(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            match after
                .split_once('}')
                .map(|(name, tail)| (self.names.get(name), tail))
            {
                Some((Some(value), tail)) => {
                    out.push_str(value);
                    rest = tail;
                }
                _ => {
                    out.push('{');
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        out
    }

    fn read(&self, text: &str) -> Option<Sent> {
        let text = self.filled(text);
        let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
        let mut lines = head.split('\n');
        let (method, path) = lines.next()?.split_once(' ')?;
        let mut headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let has = |wanted: &str| headers.iter().any(|(name, _)| name == wanted);
        let mut more = Vec::new();
        if !has("content-type") && !body.is_empty() {
            more.push((
                "content-type",
                "application/x-www-form-urlencoded".to_owned(),
            ));
        }
        if !has("cookie") && !self.cookies.is_empty() {
            let cookies: Vec<String> = (self.cookies.iter())
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            more.push(("cookie", cookies.join("; ")));
        }
        headers.extend(
            more.into_iter()
                .map(|(name, value)| (name.to_owned(), value)),
        );
        Some(Sent {
            method: method.parse().ok()?,
            path: path.to_owned(),
            headers,
            body: body.strip_suffix('\n').unwrap_or(body).to_owned(),
        })
    }

    /// Sends one request, where it is one, and looks at the answer.
    fn send(&mut self, text: &str) {
        let Some(sent) = self.read(text) else {
            return;
        };
        let mut request = Request::builder()
            .method(sent.method.clone())
            .uri(&sent.path)
            .header(header::HOST, "127.0.0.1:1");
        for (name, value) in &sent.headers {
            let (Ok(name), Ok(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_bytes(value.as_bytes()),
            ) else {
                return;
            };
            request = request.header(name, value);
        }
        // What the HTTP layer would refuse never comes here.
        let Ok(request) = request.body(Body::from(sent.body.clone())) else {
            return;
        };
        let user = self.names.get("user.password");
        self.person |= user.is_some_and(|password| sent.brings(password));
        let (parts, body) = RUNTIME.with(|runtime| {
            runtime.block_on(async {
                let Ok(response) = self.router.call(request).await;
                let (parts, body) = response.into_parts();
                let body = to_bytes(body, LONGEST_ANSWER).await;
                (parts, body.expect("a short answer"))
            })
        });
        assert!(
            parts.status.as_u16() < 500,
            "{} {} is answered {}",
            sent.method,
            sent.path,
            parts.status
        );
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let cookie = wire::cookie::parse_set_cookie(cookie.as_bytes()).expect("a cookie");
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            self.cookies.insert(text(&cookie.name), text(&cookie.value));
        }
        if let Some(location) = parts.headers.get(header::LOCATION) {
            self.redirected(location.to_str().expect("a URI is ASCII"));
        }
        let kind = parts.headers.get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let document = if kind.starts_with("application/json") && !body.is_empty() {
            serde_json::from_slice(&body).expect("what is called JSON is JSON")
        } else {
            Value::Null
        };
        self.learn(&String::from_utf8_lossy(&body), &document);
        self.judge(&sent, parts.status, &document);
    }

    /// A redirect stays here or goes to a URI that is registered.
    fn redirected(&mut self, location: &str) {
        if let Some(page) = location
            .strip_prefix(ORIGIN)
            .filter(|page| page.starts_with('/'))
        {
            self.names.insert("page".to_owned(), page.to_owned());
            return;
        }
        let known = self.redirect_uris.iter().any(|uri| leads_to(location, uri));
        assert!(known, "a redirect to the unregistered {location}");
        let url = Url::parse(location).expect("registered ones are URIs");
        let codes: Vec<String> = url
            .query_pairs()
            .filter(|(name, _)| name == "code")
            .map(|(_, value)| value.into_owned())
            .collect();
        for code in codes {
            // A registered URI may have a `code` of its own in its query.
            let own = |uri: &String| {
                let url = Url::parse(uri).ok();
                url.is_some_and(|url| url.query_pairs().any(|(_, value)| value == code))
            };
            if self.redirect_uris.iter().any(own) {
                continue;
            }
            assert!(self.person, "a code, but nobody has logged in");
            self.credentials.insert(code.clone());
            self.names.insert("code".to_owned(), code);
        }
    }

    /// Keeps what later requests may refer to.
    fn learn(&mut self, body: &str, document: &Value) {
        let csrf = body.split_once("name=\"csrf\" value=\"");
        if let Some(csrf) = csrf.and_then(|(_, rest)| rest.split('"').next()) {
            self.names.insert("csrf".to_owned(), csrf.to_owned());
        }
        for (member, name) in [
            ("device_code", "device"),
            ("user_code", "user_code"),
            ("request_uri", "request_uri"),
            ("client_id", "registered"),
        ] {
            if let Some(value) = document.get(member).and_then(Value::as_str) {
                self.names.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// What a success must have been asked for with.
    fn judge(&mut self, sent: &Sent, status: StatusCode, document: &Value) {
        let (path, _) = sent.path.split_once('?').unwrap_or((&sent.path, ""));
        let text = |member: &str| document.get(member).and_then(Value::as_str);
        let at = |name: &str| {
            let own = self.facts.endpoints.iter().find(|(own, _)| *own == name);
            own.is_some_and(|(_, own)| path.starts_with(own.as_str()))
        };
        if at("registration") && status.is_success() {
            let uris = document.get("redirect_uris").and_then(Value::as_array);
            let uris = uris.into_iter().flatten().filter_map(Value::as_str);
            self.redirect_uris.extend(uris.map(str::to_owned));
            self.secrets
                .extend(text("client_secret").map(str::to_owned));
        } else if let Some(token) = text("access_token").filter(|_| at("token")) {
            let used = self
                .credentials
                .iter()
                .find(|one| sent.brings(one))
                .cloned();
            let own = sent.brings("client_credentials")
                && self.secrets.iter().any(|secret| sent.brings(secret));
            assert!(used.is_some() || own, "a token without a code");
            if let Some(used) = used {
                self.credentials.remove(&used);
            }
            self.access.insert(token.to_owned());
            self.names.insert("access".to_owned(), token.to_owned());
            if let Some(token) = text("refresh_token") {
                self.credentials.insert(token.to_owned());
                self.names.insert("refresh".to_owned(), token.to_owned());
            }
        } else if let Some(device) = text("device_code") {
            self.credentials.insert(device.to_owned());
        }
        let guarded = (self.facts.resources.iter())
            .filter_map(|resource| resource.probe.split_once(' '))
            .any(|(_, own)| own == path);
        if guarded && status == StatusCode::OK {
            let shown =
                |token: &String| sent.headers.iter().any(|(_, value)| value.contains(token));
            assert!(self.access.iter().any(shown), "a resource without a token");
        }
    }
}

/// Whether a redirect to `location` is one to `registered` with more in its query. A loopback address may have any port.
fn leads_to(location: &str, registered: &str) -> bool {
    let more = |rest: &str| rest.is_empty() || rest.starts_with(['?', '&']);
    if location.strip_prefix(registered).is_some_and(more) {
        return true;
    }
    let (Ok(mut there), Ok(own)) = (Url::parse(location), Url::parse(registered)) else {
        return false;
    };
    let loopback = matches!(own.host_str(), Some("127.0.0.1" | "[::1]")) && own.scheme() == "http";
    loopback
        && there.set_port(own.port()).is_ok()
        && there.as_str().strip_prefix(own.as_str()).is_some_and(more)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visited(requests: &[&str]) -> Visit {
        let mut visit = Visit::new(Options::default());
        for request in requests {
            visit.send(request);
        }
        visit
    }

    const AUTHORIZE: &str = "GET /authorize?response_type=code&client_id={id.a}&redirect_uri=https%3A%2F%2Fclient-a.example%2Fcb&scope=read&state=s&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&resource={resource}";
    const LOGIN: &str =
        "POST {page}\n\ncsrf={csrf}&username={user.username}&password={user.password}";
    const REDEEM: &str = "POST /token\n\ngrant_type=authorization_code&code={code}&client_id={id.a}&redirect_uri=https%3A%2F%2Fclient-a.example%2Fcb&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    /// Were the flow not to work in here, nothing would be looked at.
    #[test]
    fn the_whole_flow_works_without_a_socket() {
        let page = "GET {page}";
        let consent = "POST {page}\n\ncsrf={csrf}&decision=approve";
        let call = "GET /a/items\nauthorization: Bearer {access}";
        let visit = visited(&[AUTHORIZE, page, LOGIN, page, consent, REDEEM, call]);
        assert!(visit.names.contains_key("access") && visit.names.contains_key("refresh"));
    }

    #[test]
    #[should_panic(expected = "a token without a code")]
    fn a_token_for_nothing_is_noticed() {
        let mut visit = visited(&[]);
        let sent = visit.read(REDEEM).unwrap();
        let document = serde_json::json!({"access_token": "x"});
        visit.judge(&sent, StatusCode::OK, &document);
    }

    #[test]
    #[should_panic(expected = "a code, but nobody has logged in")]
    fn a_code_for_nobody_is_noticed() {
        visited(&[]).redirected("https://client-a.example/cb?code=x");
    }

    #[test]
    #[should_panic(expected = "a redirect to the unregistered")]
    fn a_redirect_elsewhere_is_noticed() {
        visited(&[]).redirected("https://client-a.example/cbx?error=x");
    }

    #[test]
    fn every_seed_passes_and_the_target_is_complete() {
        let fuzz = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz"));
        let replayed = wire::fuzzing::replay(&fuzz.join("corpus"), &TARGETS);
        assert!(
            replayed.as_ref().is_ok_and(|count| *count > 10),
            "{replayed:?}"
        );
        let missing = wire::fuzzing::incomplete(fuzz, "refserver::fuzzing", &["endpoints"]);
        assert!(missing.is_empty(), "{missing:#?}");
    }

    #[test]
    fn a_loopback_address_may_have_any_port() {
        assert!(leads_to(
            "http://127.0.0.1:9/cb?code=x",
            "http://127.0.0.1/cb"
        ));
        assert!(!leads_to(
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.1/cb"
        ));
        assert!(!leads_to("https://a.example:9/cb", "https://a.example/cb"));
    }
}
