//! What the person at the browser does with an authorization request.

use std::sync::Arc;

use super::Scene;
use super::scene::Act;
use crate::client::redirect::Waiting;
use crate::login::Browser;
use crate::login::{End, Visit, Walk, Will, follow, from_another_site};
use crate::suite::model::{Expect, User};
use crate::targets::model::{Driver, Login};
use crate::transport::Request;

/// Whether the login driver can do what this user does.
pub(super) fn possible(login: &Login, user: User) -> Result<(), String> {
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

/// A login that nothing depends on: it approves, deviates in nothing and is not looked at.
fn is_ordinary(act: &Act<'_>) -> bool {
    act.user == User::Approve
        && act.change.is_empty()
        && act.step.change.is_empty()
        && act.step.given.is_empty()
        && act.step.expect == Expect::default()
}

/// What the person does.
pub(super) async fn behave(
    scene: &mut Scene<'_>,
    act: &Act<'_>,
    first: Request,
    waiting: Waiting<'_>,
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
    waiting: Waiting<'_>,
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
