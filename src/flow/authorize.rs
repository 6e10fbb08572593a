//! `authorize`: the user follows the authorization request through login and consent
//! (RFC 6749 §4.1.1, §4.1.2).

use std::sync::Arc;

use super::draft::{Draft, Encoding, Param};
use super::scene::Act;
use super::{Answer, How, Outcome, Scene, push, signed};
use crate::login::Browser;
use crate::login::{End, Visit, Walk, Will, follow, from_another_site};
use crate::suite::model::{Change, Expect, Step, User, Verb};
use crate::targets::model::{Client, Driver, Login, Resource};
use crate::transport::Request;

/// The correct authorization request of a client for a resource.
pub(super) fn request(
    scene: &Scene<'_>,
    client: &Client,
    resource: Option<&Resource>,
    challenge: &str,
    state: &str,
) -> Result<Draft, Answer> {
    let world = scene.world;
    let endpoint = world
        .endpoints
        .authorization
        .as_deref()
        .ok_or_else(|| Answer::NotApplicable(world.without("authorization endpoint")))?;
    let mut draft = Draft::new("GET", endpoint, Encoding::Query);
    draft.push("response_type", "code");
    draft.push_some("client_id", client.id.as_deref());
    draft.push_some("redirect_uri", client.redirect_uris.first().cloned());
    draft.push("state", state);
    draft.push_some("scope", scope(scene, resource));
    draft.push("code_challenge", challenge);
    draft.push("code_challenge_method", "S256");
    draft.push_some(
        "resource",
        resource.and_then(|resource| resource.id.as_deref()),
    );
    let detail = resource
        .and_then(|resource| resource.rar.as_deref())
        .or(world.target.policy.rar.as_deref())
        .and_then(|name| world.target.rar(name));
    draft.push_some("authorization_details", detail);
    for (name, value) in &world.target.params {
        draft.push(name, value.clone());
    }
    Ok(draft)
}

/// The correct authorization request of a client, with this redirect URI; it is pushed first where the server wants that (RFC 9126 §5).
///
/// # Errors
/// What is missing for one, or what the pushed request was answered with; the scene has that exchange.
pub(crate) async fn correct(
    scene: &mut Scene<'_>,
    client: &Client,
    redirect_uri: &str,
) -> Result<Request, Answer> {
    let target = &scene.world.target;
    let resource = target.resource("a");
    let challenge = jose::s256(&scene.world.verifier());
    let mut draft = request(scene, client, resource, &challenge, &jose::random_token(16))?;
    draft.set("redirect_uri", vec![Param::Text(redirect_uri.to_owned())]);
    if scene.world.pushes() {
        let act = Act {
            step: &Step::new(Verb::Push),
            change: &Change::default(),
            user: User::Approve,
            label: "1 push".to_owned(),
        };
        let pushed = push::send(scene, &act, client, &draft, None).await?;
        if pushed.answer != Answer::Success {
            return Err(pushed.answer);
        }
        by_reference(&mut draft, &pushed);
    }
    Ok(draft.finish())
}

/// What is left of a request that was pushed (RFC 9126 §4).
fn by_reference(draft: &mut Draft, pushed: &Outcome) {
    draft.params.retain(|(name, _)| name == "client_id");
    let uri = pushed.field("request_uri").map(str::to_owned);
    draft.push_some("request_uri", uri);
}

/// The scope asked for: the target's default, and what the resource's probe needs.
pub(super) fn scope(scene: &Scene<'_>, resource: Option<&Resource>) -> Option<String> {
    let default = scene
        .world
        .target
        .policy
        .scope
        .as_deref()
        .unwrap_or_default();
    let needed = resource
        .and_then(|resource| resource.scope.as_deref())
        .unwrap_or_default();
    let mut scopes: Vec<&str> = Vec::new();
    for scope in default.split_whitespace().chain(needed.split_whitespace()) {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    (!scopes.is_empty()).then(|| scopes.join(" "))
}

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    possible(&scene.world.target.login, act.user).map_err(Answer::NotApplicable)?;
    let resource = scene.resource(act.step);
    let verifier = scene.world.verifier();
    let challenge = jose::s256(&verifier);
    let state = jose::random_token(16);
    let mut draft = request(scene, &client, resource, &challenge, &state)?;
    let names = scene.names(&client, (verifier.clone(), challenge.clone()));
    let direct = act.change.with.iter().any(|(name, _)| name == "@direct");
    let mut given = act.step.given.clone();
    if direct {
        given.retain(|(name, _)| name != "request_uri");
    } else if given.iter().any(|(name, _)| name == "request_uri") {
        // By reference: everything but the client was pushed (RFC 9126 §4).
        draft.params.retain(|(name, _)| name == "client_id");
    }
    draft
        .arrange(&given, &names)
        .and_then(|()| draft.apply(act.change, &names))
        .map_err(Answer::NotApplicable)?;
    let signed = signed::wanted(&draft);
    // What was asked for is read off the parameters, wherever they travel.
    let asked = draft.clone();
    if signed {
        signed::pack(scene, act, &client, &mut draft)?;
    }
    let mut pushed = pushed(scene, &draft).cloned();
    let by_hand = draft.get("request").is_some() && !signed;
    if pushed.is_none() && !direct && scene.world.pushes() && !by_hand {
        let first = scene.log.len();
        let mut outcome = push::send(scene, act, &client, &draft, None).await?;
        outcome.log = first..scene.log.len();
        if outcome.answer != Answer::Success {
            outcome.verb = Verb::Authorize;
            return Ok(outcome);
        }
        by_reference(&mut draft, &outcome);
        // For the checks it is a step like any other.
        scene.outcomes.push(outcome.clone());
        pushed = Some(outcome);
    }
    let inside = signed.then_some(&asked);
    let mut outcome = go(scene, act, &client, draft, inside, pushed.as_ref()).await;
    outcome.resource = resource.map(|resource| resource.name.clone());
    let of_push = pushed.as_ref().and_then(|pushed| pushed.field("verifier"));
    let verifier = of_push.map_or(verifier, str::to_owned);
    outcome.fields.insert("verifier".into(), verifier);
    Ok(outcome)
}

/// The push that a request refers to.
fn pushed<'s>(scene: &'s Scene<'_>, draft: &Draft) -> Option<&'s Outcome> {
    let uri = draft.get("request_uri")?;
    scene.outcomes.iter().rev().find(|outcome| {
        outcome.verb == Verb::Push && outcome.field("request_uri") == Some(uri.as_str())
    })
}

/// Whether the login driver can do what this user does.
fn possible(login: &Login, user: User) -> Result<(), String> {
    let repeats = matches!(
        user,
        User::DenyThenApprove
            | User::ApproveTwice
            | User::ApproveAtOnce
            | User::OtherBrowser
            | User::Forged
    );
    match login.driver {
        Driver::Tokens => Err("the target file gives tokens, so no user logs in".into()),
        Driver::Mint => Err("oauthspec is the issuer, so no user logs in".into()),
        Driver::Form | Driver::None => Ok(()),
        other if repeats => Err(format!(
            "the login driver `{}` does not show the approval, so it cannot be repeated or forged",
            other.word()
        )),
        _ => Ok(()),
    }
}

/// Lets the user follow the drafted request and reads where it ends. `inside` are the parameters of
/// its request object, `pushed` is the push it refers to.
async fn go(
    scene: &mut Scene<'_>,
    act: &Act<'_>,
    client: &Client,
    draft: Draft,
    inside: Option<&Draft>,
    pushed: Option<&Outcome>,
) -> Outcome {
    let mut asked = draft.all("redirect_uri");
    let mut sent = inside.map(Draft::sent).unwrap_or_default();
    sent.extend(draft.sent());
    let of = |name: &str| match pushed {
        Some(pushed) => (pushed.sent_param(name).map(str::to_owned))
            .or_else(|| inside.and_then(|inside| inside.get(name))),
        None => inside.unwrap_or(&draft).get(name),
    };
    if let Some(uri) = of("redirect_uri").filter(|uri| !asked.contains(uri)) {
        asked.insert(0, uri);
    }
    let mut kept: Vec<(&str, Option<String>)> = vec![
        (
            "redirect_uri",
            asked.first().filter(|uri| !uri.is_empty()).cloned(),
        ),
        ("challenge", of("code_challenge")),
        ("challenge_method", of("code_challenge_method")),
        ("sent_state", of("state")),
        ("requested_scope", of("scope")),
        ("requested_resource", of("resource")),
    ];
    let waiting = Waiting::new(scene, client, &asked);
    let (end, walk) = behave(scene, act, draft.finish(), &waiting).await;
    let status = walk
        .log
        .last()
        .and_then(|recorded| recorded.reply.as_ref().ok())
        .map_or(0, |reply| reply.status);
    let error_body = walk
        .log
        .last()
        .and_then(|recorded| recorded.reply.as_ref().ok())
        .and_then(|reply| reply.json()?.get("error")?.as_str().map(str::to_owned));
    let mut outcome = Outcome::new(Verb::Authorize, &act.label, Answer::Success);
    for recorded in walk.log {
        scene.keep(recorded, &act.label, "page");
    }
    outcome.client = client.name.clone();
    outcome.sent = sent;
    outcome.pages = walk.pages;
    outcome.seen = walk.seen;
    outcome.consents = walk.consents;
    outcome.answer = match end {
        End::Redirect { location, post } => {
            let answer = read_redirect(&waiting, &location, post.as_ref(), status, &mut outcome);
            outcome.location = Some(location);
            answer
        }
        End::Page { status, .. } => Answer::Refused {
            status,
            error: error_body,
            how: How::Page,
        },
        End::ServerError(status) => Answer::ServerError(status),
        End::Throttled(why) => Answer::Throttled(why),
        End::NoAnswer(why) | End::Stuck(why) => Answer::NoAnswer(why),
    };
    for (name, value) in kept.drain(..) {
        if let Some(value) = value {
            outcome.fields.insert(name.into(), value);
        }
    }
    for name in ["code", "state", "iss", "error"] {
        if let Some(value) = outcome.response_param(name).map(str::to_owned) {
            if name == "code" {
                scene.secrets.learn(&value, "code");
            }
            outcome.fields.insert(name.into(), value);
        }
    }
    outcome
}

/// Where a client waits: the URIs asked for and those registered.
struct Waiting {
    asked: Vec<String>,
    registered: Vec<String>,
    others: Vec<String>,
}

impl Waiting {
    fn new(scene: &Scene<'_>, client: &Client, asked: &[String]) -> Waiting {
        let others = scene
            .world
            .target
            .clients
            .iter()
            .flat_map(|client| client.redirect_uris.clone())
            .collect();
        Waiting {
            asked: asked
                .iter()
                .filter(|uri| !uri.is_empty())
                .cloned()
                .collect(),
            registered: client.redirect_uris.clone(),
            others,
        }
    }

    /// Whether the browser would now leave for a client.
    fn arrived(&self, url: &str) -> bool {
        self.asked
            .iter()
            .chain(&self.registered)
            .chain(&self.others)
            .any(|uri| leads_to(url, uri))
    }

    fn is_registered(&self, location: &str) -> bool {
        self.registered.iter().any(|uri| leads_to(location, uri))
            || self.asked.iter().any(|asked| {
                leads_to(location, asked)
                    && self.registered.iter().any(|uri| {
                        wire::redirect_uri::same_loopback(uri, asked) || same_localhost(uri, asked)
                    })
            })
    }
}

/// Whether both are the same but for the port at the name `localhost`: a server may treat the name as it must treat
/// the addresses (OAuth 2.1 §4.1.1).
fn same_localhost(registered: &str, asked: &str) -> bool {
    let literal = |uri: &str| {
        let rest = uri.strip_prefix("http://localhost")?;
        let own = rest.is_empty() || rest.starts_with([':', '/', '?', '#']);
        own.then(|| format!("http://127.0.0.1{rest}"))
    };
    match (literal(registered), literal(asked)) {
        (Some(registered), Some(asked)) => wire::redirect_uri::same_loopback(&registered, &asked),
        _ => false,
    }
}

/// Whether a location is this redirect URI with response parameters added.
fn leads_to(location: &str, uri: &str) -> bool {
    location
        .strip_prefix(uri)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['?', '#', '&']))
        || replaces(location, uri)
}

/// Whether a location is this redirect URI, whose query already names response parameters, with those
/// parameters replaced in place of named twice.
fn replaces(location: &str, uri: &str) -> bool {
    let Some((base, query)) = uri.split_once('?') else {
        return false;
    };
    let Some(own) = location
        .strip_prefix(base)
        .and_then(|rest| rest.strip_prefix('?'))
    else {
        return false;
    };
    query.split('&').all(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        ["code", "state", "iss", "error"].contains(&name)
            || own.split(['&', '#']).any(|other| other == pair)
    })
}

fn read_redirect(
    waiting: &Waiting,
    location: &[u8],
    post: Option<&wire::form::Pairs>,
    status: u16,
    outcome: &mut Outcome,
) -> Answer {
    let read = wire::location::read(location, None);
    let mut response: Vec<(String, String)> = Vec::new();
    let sources = [
        Some(read.query_pairs()),
        Some(read.fragment_pairs()),
        post.cloned(),
    ];
    for pairs in sources.into_iter().flatten() {
        for pair in pairs.iter() {
            let name = String::from_utf8_lossy(&pair.name).into_owned();
            let value = pair.value.as_deref().map(String::from_utf8_lossy);
            response.push((name, value.unwrap_or_default().into_owned()));
        }
    }
    outcome.response = response;
    let has = |name: &str| {
        outcome
            .response
            .iter()
            .any(|(key, value)| key == name && !value.is_empty())
    };
    let text = String::from_utf8_lossy(location).into_owned();
    let with_code = has("code") || has("access_token");
    if !waiting.is_registered(&text) {
        return Answer::Astray {
            location: text,
            with_code,
        };
    }
    if has("error") {
        let error = outcome.response_param("error").map(str::to_owned);
        return Answer::Refused {
            status,
            error,
            how: How::Redirect,
        };
    }
    if with_code {
        Answer::Success
    } else {
        Answer::Refused {
            status,
            error: None,
            how: How::Redirect,
        }
    }
}

/// A login that nothing depends on: it approves, deviates in nothing and is not looked at.
fn is_ordinary(act: &Act<'_>) -> bool {
    act.user == User::Approve
        && act.change.is_empty()
        && act.step.change.is_empty()
        && act.step.given.is_empty()
        && act.step.expect == Expect::default()
}

/// What the person does.
async fn behave(
    scene: &mut Scene<'_>,
    act: &Act<'_>,
    first: Request,
    waiting: &Waiting,
) -> (End, Walk) {
    let world = scene.world;
    let partly;
    let login = match act.user {
        User::Partly => {
            partly = world.target.login.partly();
            &partly
        }
        _ => &world.target.login,
    };
    let arrived = |url: &str| waiting.arrived(url);
    let person = match act.user {
        User::Second => world.target.user("b"),
        _ => world.target.user("a").or(world.target.users.first()),
    };
    // Logins through a shared session go one after the other: the first one is still logging in. So do those of a
    // returning user, who may come back to it and, logging in again, replace it.
    let returns = act.user == User::Returning;
    let mut sessions = None;
    if login.share_session && (returns || is_ordinary(act)) {
        sessions = Some(world.sessions.lock().await);
    }
    let browser = match (act.user, &scene.browser, &mut sessions) {
        (User::Returning, Some(browser), _) => Arc::clone(browser),
        (_, _, Some(sessions)) if !returns => {
            let name = person.map(|person| person.name.clone()).unwrap_or_default();
            Arc::clone(sessions.entry(name).or_default())
        }
        _ => Arc::new(Browser::new()),
    };
    scene.browser = Some(Arc::clone(&browser));
    let will = match act.user {
        User::Deny | User::DenyThenApprove => Will::Deny,
        User::Absent => Will::Nothing,
        User::ApproveAtOnce | User::OtherBrowser | User::Forged => Will::Hesitate,
        _ => Will::Approve,
    };
    let go = |browser: Arc<Browser>, person, will, first: Request| async move {
        let visit = Visit {
            transport: &world.transport,
            browser: &browser,
            login,
            user: person,
            will,
            arrived: &arrived,
        };
        let result = follow(&visit, first).await;
        browser.make_known();
        result
    };
    let (end, mut walk) = go(Arc::clone(&browser), person, will, first.clone()).await;
    let Some(approval) = walk.approval.clone() else {
        return (end, walk);
    };
    let (next, from) = match act.user {
        User::DenyThenApprove | User::ApproveTwice => (approval, browser),
        User::Forged => {
            let mut forged = walk.forged.clone().unwrap_or(approval);
            from_another_site(&mut forged);
            if let Some(cookies) = browser.cross_site_cookies_for(&forged.url) {
                forged.set("Cookie", cookies);
            }
            // Any other browser: it has only the cookies that cross sites.
            (forged, Arc::new(Browser::new()))
        }
        User::OtherBrowser => {
            let other = Arc::new(Browser::new());
            let second = world.target.user("b");
            let (_, more) = go(Arc::clone(&other), second, Will::Hesitate, first).await;
            walk.log.extend(more.log);
            (approval, other)
        }
        User::ApproveAtOnce => return at_once(scene, &browser, approval, walk, waiting).await,
        _ => return (end, walk),
    };
    // The person may press again, but is not asked again: Nothing stops at the first page.
    let (second_end, second) = go(from, person, Will::Nothing, next).await;
    walk.log.extend(second.log);
    let end = if act.user == User::ApproveTwice {
        end
    } else {
        second_end
    };
    (end, walk)
}

/// Five copies of one approval, released together.
async fn at_once(
    scene: &Scene<'_>,
    browser: &Browser,
    mut approval: Request,
    mut walk: Walk,
    waiting: &Waiting,
) -> (End, Walk) {
    let world = scene.world;
    if let Some(cookies) = browser.cookies_for(&approval.url) {
        approval.set("Cookie", cookies);
    }
    let mut best = End::NoAnswer("no copy of the approval was answered".into());
    for recorded in world.transport.send_together(&approval, 5).await {
        let location = recorded
            .reply
            .as_ref()
            .ok()
            .filter(|reply| reply.is_redirect())
            .and_then(|reply| reply.header_bytes("location").map(<[u8]>::to_vec));
        browser.keep(&recorded);
        let base = recorded.request.url.clone();
        walk.log.push(recorded);
        let Some(location) = location else {
            continue;
        };
        let text = String::from_utf8_lossy(&location).into_owned();
        if waiting.arrived(&text) {
            best = End::Redirect {
                location,
                post: None,
            };
            continue;
        }
        let Some(next) = url::Url::parse(&base)
            .ok()
            .and_then(|base| base.join(&text).ok())
        else {
            continue;
        };
        let arrived = |url: &str| waiting.arrived(url);
        let visit = Visit {
            transport: &world.transport,
            browser,
            login: &world.target.login,
            user: None,
            will: Will::Nothing,
            arrived: &arrived,
        };
        let (end, more) = follow(&visit, Request::get(next.to_string())).await;
        walk.log.extend(more.log);
        if matches!(end, End::Redirect { .. }) || matches!(best, End::NoAnswer(_)) {
            best = end;
        }
    }
    (best, walk)
}

/// An authorization request as parameters, for `push`.
pub(super) fn parameters(draft: &Draft) -> Vec<(String, Param)> {
    draft.params.clone()
}

#[cfg(test)]
mod tests {
    use super::same_localhost;

    #[test]
    fn only_the_port_may_differ_at_localhost() {
        let registered = "http://localhost/callback";
        assert!(same_localhost(
            registered,
            "http://localhost:51004/callback"
        ));
        assert!(same_localhost("http://localhost:1/callback", registered));
        for other in [
            "http://localhost:51004/elsewhere",
            "http://localhost.attacker.example/callback",
            "http://localhost:51004@attacker.example/callback",
            "https://localhost:51004/callback",
            "http://127.0.0.1:51004/callback",
        ] {
            assert!(!same_localhost(registered, other), "{other}");
        }
    }
}
