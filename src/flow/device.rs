//! `device`: the three parts of the device grant (RFC 8628). The device asks (§3.1), a person types the
//! code on the verification page (§3.3), the device polls (§3.4), never faster than it may (§3.5).

use std::time::{Duration, Instant};

use super::change::{apply, arrange};
use super::scene::Act;
use super::token::send_for_tokens;
use super::{Answer, How, Outcome, Scene};
use crate::client::draft::{Draft, Encoding};
use crate::client::{Pkce, read, request};
use crate::event::Addressee;
use crate::login::{Browser, End, Visit, Walk, Will, follow};
use crate::suite::model::{Step, User, Verb};
use crate::targets::model::{Client, Driver, User as Person};

/// The interval of a server that names none (RFC 8628 §3.2), and what `slow_down` adds (§3.5).
const DEFAULT_INTERVAL: u64 = 5;
/// The longest interval a run waits for.
const LONGEST_INTERVAL: u64 = 30;
/// How often one step asks again when a person has approved and the server does not know yet.
const MOST_POLLS: usize = 4;
/// How many user codes a step may guess.
const MOST_GUESSES: usize = 100;
/// What a login step fills in for a user code.
const CODE_VALUE: &str = "$user.user_code";

/// When a device code may be polled again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Next {
    at: Instant,
    interval: u64,
}

/// A device code, so that there is one to type or to poll for; for a poll an approved one.
pub(super) fn need(scene: &Scene<'_>, act: &Act<'_>, client: &Client) -> Option<Step> {
    let nothing = waiting(scene, &client.name).is_none();
    let at = match act.step.at.as_deref() {
        Some("page") if types_codes(scene) => "request",
        Some("poll") if !act.names("device_code") => "page",
        _ => return None,
    };
    nothing.then(|| Step {
        at: Some(at.to_owned()),
        ..act.plain(Verb::Device)
    })
}

pub(super) async fn perform(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    match act.step.at.as_deref() {
        Some("page") => page(scene, act).await,
        Some("poll") => poll(scene, act).await,
        _ => request(scene, act).await,
    }
}

/// The device authorization request.
async fn request(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    let draft = request::device(scene.world, &client)?;
    let to = Addressee::AuthorizationServer;
    let outcome = scene.ask(act, &client, draft, to, read::DEVICE).await?;
    if let Some(code) = outcome.said.get("device_code") {
        scene.secrets.learn(code, "device_code");
    }
    Ok(outcome)
}

/// The client's newest device authorization that has not been redeemed.
fn waiting(scene: &Scene<'_>, client: &str) -> Option<Outcome> {
    let open = |outcome: &&Outcome| {
        outcome.verb == Verb::Device
            && outcome.client == client
            && outcome.field("user_code").is_some()
            && outcome
                .field("device_code")
                .is_some_and(|code| !scene.is_spent(code))
    };
    scene.outcomes.iter().rev().find(open).cloned()
}

/// Whether the login driver can carry a person through a verification page.
fn types_codes(scene: &Scene<'_>) -> bool {
    scene.world.target.login.driver == Driver::Form
}

/// The person at the verification page.
async fn page(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    let login = &scene.world.target.login;
    if !types_codes(scene) {
        return Err(Answer::NotApplicable(format!(
            "the login driver `{}` waits for a redirect to the client, and a verification page sends nobody there",
            login.driver.word()
        )));
    }
    let request = waiting(scene, &client.name)
        .ok_or_else(|| Answer::NotApplicable("no device code waits for its user".into()))?;
    let own = |name: &str| request.said.get(name).map(str::to_owned);
    let types = login.steps.iter().position(|step| {
        let mut values = step.fill.iter().map(|(_, value)| value);
        values.any(|value| value == CODE_VALUE)
    });
    let uri = match types {
        Some(_) => own("verification_uri"),
        None => own("verification_uri_complete"),
    };
    let uri = uri.ok_or_else(|| {
        let why = "no login step types the user code (fill = { user_code = \"$user.user_code\" }), and the \
                   server gives no verification_uri_complete";
        Answer::NotApplicable(why.into())
    })?;
    let mut draft = Draft::new("GET", &uri, Encoding::Query);
    draft.push_some("user_code", own("user_code"));
    let pkce = Pkce::default();
    let names = scene.names(&client, &pkce);
    arrange(&mut draft, &act.step.given, &names)?;
    apply(&mut draft, act.change, &names)?;
    let code = draft.get("user_code").unwrap_or_default();
    if types.is_none() && Some(&code) != own("user_code").as_ref() {
        let why = "no login step types a user code, so no other one can be typed";
        return Err(Answer::NotApplicable(why.into()));
    }
    let guesses = draft.option("@guesses").unwrap_or("0");
    let guesses = guesses.parse().unwrap_or(0).min(MOST_GUESSES);
    if guesses > 0 && !local(&uri) {
        let why =
            "user codes are guessed at servers on this machine only: a lockout would hit others";
        return Err(Answer::NotApplicable(why.into()));
    }
    let mut outcome = Outcome::new(Verb::Device, &act.label, Answer::Success);
    outcome.client = client.name.clone();
    outcome.sent = draft.sent();
    outcome.user = act.user;
    outcome.asked.visited = own("device_code");
    if act.user == User::Absent {
        return Ok(outcome);
    }
    let browser = Browser::new();
    let visit = Page {
        uri: &uri,
        types,
        browser: &browser,
        label: &act.label,
    };
    let mut guessed = 0;
    while guessed < guesses {
        let made_up = another(&code);
        let (answer, walk) = visit.follow(scene, act.user, &made_up).await;
        // A page that asks for a code once more has taken this one for wrong and goes on.
        guessed += walk.answered.max(1);
        if answer != TryAgain::Yes {
            outcome.answer = answer.read(&walk);
            outcome.consents = walk.consents;
            return Ok(outcome);
        }
    }
    let (answer, walk) = visit.follow(scene, act.user, &code).await;
    outcome.answer = answer.read(&walk);
    outcome.consents = walk.consents;
    outcome.pages = walk.pages;
    outcome.seen = walk.seen;
    Ok(outcome)
}

/// How a visit of the verification page ended.
#[derive(Debug, Clone, PartialEq)]
enum TryAgain {
    /// The form for the code came back.
    Yes,
    /// Anything else.
    No(End),
}

impl TryAgain {
    fn read(self, walk: &Walk) -> Answer {
        let page = |status| Answer::Refused {
            status,
            error: None,
            how: How::Page,
        };
        match self {
            TryAgain::Yes => page(walk.seen.last().map_or(0, |seen| seen.status)),
            TryAgain::No(End::Page { status, .. }) if walk.consents == 0 || status >= 400 => {
                page(status)
            }
            TryAgain::No(End::Page { .. } | End::Redirect { .. }) if walk.consents > 0 => {
                Answer::Success
            }
            TryAgain::No(End::Page { status, .. }) => page(status),
            TryAgain::No(End::Redirect { .. }) => page(302),
            TryAgain::No(End::ServerError(status)) => Answer::ServerError(status),
            // Nobody else asks here: patience is asked of the one who guesses.
            TryAgain::No(End::Throttled(_)) if walk.answered > 1 => page(429),
            TryAgain::No(End::Throttled(why)) => Answer::Throttled(why),
            TryAgain::No(End::NoAnswer(why) | End::Stuck(why)) => Answer::NoAnswer(why),
        }
    }
}

/// The verification page and who is there.
struct Page<'p> {
    uri: &'p str,
    /// The login step that types the code.
    types: Option<usize>,
    browser: &'p Browser,
    label: &'p str,
}

impl Page<'_> {
    /// Logs in, types this code, and decides.
    async fn follow(&self, scene: &mut Scene<'_>, user: User, code: &str) -> (TryAgain, Walk) {
        let world = scene.world;
        let target = &world.target;
        let person = match user {
            User::Second => target.user("b"),
            _ => target.user("a").or(target.users.first()),
        };
        let mut fields = person.map_or_else(Vec::new, |person| person.fields.clone());
        fields.push(("user_code".into(), code.to_owned()));
        let person = Person {
            name: person.map(|person| person.name.clone()).unwrap_or_default(),
            fields,
        };
        let nowhere = |_: &str| false;
        let visit = Visit {
            transport: &world.transport,
            browser: self.browser,
            login: &target.login,
            user: Some(&person),
            will: if user == User::Deny {
                Will::Deny
            } else {
                Will::Approve
            },
            arrived: &nowhere,
        };
        let first = crate::transport::Request::get(self.uri.to_owned());
        let (end, mut walk) = follow(&visit, first).await;
        for recorded in std::mem::take(&mut walk.log) {
            scene.keep(recorded, self.label, Addressee::Page);
        }
        let asks_again = matches!(end, End::Stuck(_))
            && walk.consents == 0
            && self.types.is_some()
            && walk.seen.last().is_some_and(|seen| seen.step == self.types);
        let end = if asks_again {
            TryAgain::Yes
        } else {
            TryAgain::No(end)
        };
        (end, walk)
    }
}

fn local(uri: &str) -> bool {
    let host = url::Url::parse(uri).ok();
    host.and_then(|url| match url.host()? {
        url::Host::Ipv4(address) => Some(address.is_loopback()),
        url::Host::Ipv6(address) => Some(address.is_loopback()),
        url::Host::Domain(name) => Some(name == "localhost"),
    })
    .unwrap_or(false)
}

/// Another user code of the same shape: letters for letters, digits for digits.
fn another(code: &str) -> String {
    let random = jose::base64url_decode(&jose::random_token(code.len())).unwrap_or_default();
    let letters = b"BCDFGHJKLMNPQRSTVWXZ";
    code.chars()
        .zip(random)
        .map(|(letter, byte)| match letter {
            '0'..='9' => char::from(b'0' + byte % 10),
            letter if letter.is_ascii_alphabetic() => {
                let at = usize::from(byte) % letters.len();
                char::from(letters.get(at).copied().unwrap_or(b'B'))
            }
            other => other,
        })
        .collect()
}

/// A poll of the token endpoint, not before the interval is over.
async fn poll(scene: &mut Scene<'_>, act: &Act<'_>) -> Result<Outcome, Answer> {
    let client = scene.client(act.step)?;
    let request = waiting(scene, &client.name);
    let own = request.as_ref().and_then(|one| one.said.get("device_code"));
    let mut draft = request::poll(scene.world, &client, own)?;
    scene.alter(act, &client, &mut draft, &Pkce::default())?;
    let code = draft.get("device_code").unwrap_or_default();
    let again = approved(scene, &code) && act.change.is_empty();
    let mut polls = 0;
    loop {
        let wait = pause(scene, &code, draft.option("@interval"))?;
        tokio::time::sleep(wait).await;
        let outcome = send_for_tokens(scene, act, &client, draft.clone()).await;
        polls += 1;
        let pending = note(scene, &code, &client, &outcome);
        if !(pending && again && polls < MOST_POLLS) {
            return Ok(outcome);
        }
    }
}

/// Whether a person has approved this device.
fn approved(scene: &Scene<'_>, code: &str) -> bool {
    scene.outcomes.iter().any(|outcome| {
        outcome.asked.visited.as_deref() == Some(code)
            && outcome.answer == Answer::Success
            && matches!(outcome.user, User::Approve | User::Second)
    })
}

/// How long to wait before this code is polled: what is left of its interval, or what the step says
/// in seconds since the last poll.
fn pause(scene: &Scene<'_>, code: &str, told: Option<&str>) -> Result<Duration, Answer> {
    let Some(next) = scene.polls.get(code) else {
        return Ok(Duration::ZERO);
    };
    if next.interval > LONGEST_INTERVAL {
        return Err(Answer::NotApplicable(format!(
            "the device may poll only every {} s, which is longer than a run waits",
            next.interval
        )));
    }
    let told = told.and_then(|told| told.parse().ok());
    let interval = Duration::from_secs(told.unwrap_or(next.interval).min(LONGEST_INTERVAL));
    Ok((next.at + interval).saturating_duration_since(Instant::now()))
}

/// Remembers a poll; tells whether the request is still pending.
fn note(scene: &mut Scene<'_>, code: &str, client: &Client, outcome: &Outcome) -> bool {
    let first = || {
        let asked = waiting(scene, &client.name)?;
        asked.said.get("interval")?.parse().ok()
    };
    let mut interval = match scene.polls.get(code) {
        Some(next) => next.interval,
        None => first().unwrap_or(DEFAULT_INTERVAL),
    };
    let error = match &outcome.answer {
        Answer::Refused { error, .. } => error.as_deref().unwrap_or_default(),
        _ => "",
    };
    if error == "slow_down" {
        interval = interval.saturating_add(DEFAULT_INTERVAL);
    }
    let at = Instant::now();
    scene.polls.insert(code.to_owned(), Next { at, interval });
    if outcome.answer == Answer::Success {
        scene.spend(code);
    }
    matches!(error, "slow_down" | "authorization_pending")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_has_the_shape_of_a_code() {
        let guess = another("BCDF-1234");
        assert_eq!(guess.len(), 9);
        assert_ne!(guess, "BCDF-1234");
        for (at, letter) in guess.chars().enumerate() {
            let fits = match at {
                0..=3 => letter.is_ascii_uppercase(),
                4 => letter == '-',
                _ => letter.is_ascii_digit(),
            };
            assert!(fits, "{guess}");
        }
    }

    #[test]
    fn guesses_stay_on_this_machine() {
        assert!(local("http://127.0.0.1:8080/device") && local("http://[::1]/device"));
        assert!(!local("https://as.example/device") && !local("device"));
    }
}
