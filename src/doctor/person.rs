//! Does the login get through: as user a, with a denial, as user b?

use crate::doctor::{Report, page};
use crate::flow::{Answer, How, Outcome, Scene, World};
use crate::login::{Seen, form};
use crate::suite::model::{Change, Step, User, Verb};
use crate::targets::model::{Driver, LoginStep};
use crate::transport::redact::excerpt;

/// Performs the first grant; says whether there is a token.
pub(super) async fn look(report: &mut Report, world: &World, scene: &mut Scene<'_>) -> bool {
    let change = Change::default();
    let grant = Step::new(Verb::Grant);
    let outcome = scene
        .perform(&grant, &change, User::Approve, 1)
        .await
        .clone();
    if outcome.answer != Answer::Success {
        explain(report, world, scene, &outcome, "login");
        return false;
    }
    report.good(
        "login",
        "user a logs in, approves, and the code is exchanged",
    );
    granted(report, world, &outcome);
    if world.target.login.can_deny() && world.target.login.driver != Driver::Manual {
        let step = Step::new(Verb::Authorize);
        let denied = scene.perform(&step, &change, User::Deny, 2).await.clone();
        deny(report, scene, &denied);
    }
    if let Some(b) = world.target.user("b") {
        if world
            .target
            .user("a")
            .is_some_and(|a| a.fields.first() == b.fields.first())
        {
            report.problem(
                "users-same",
                "the users a and b are one person",
                "give [user.b] another account: cases with two people need two",
            );
            return true;
        }
        let second = scene
            .perform(&grant, &change, User::Second, 3)
            .await
            .clone();
        if second.answer == Answer::Success {
            report.good("user-b", "user b logs in too");
        } else {
            explain(report, world, scene, &second, "user-b");
        }
    }
    true
}

/// Whether what was granted is what was asked for.
fn granted(report: &mut Report, world: &World, outcome: &Outcome) {
    let asked = outcome.asked.scope.as_deref().unwrap_or_default();
    let Some(got) = outcome.field("scope") else {
        return;
    };
    let missing: Vec<&str> = asked
        .split_whitespace()
        .filter(|scope| !got.split_whitespace().any(|have| have == *scope))
        .collect();
    if missing.is_empty() {
        return;
    }
    let needed = world
        .target
        .resource("a")
        .and_then(|resource| resource.scope.as_deref())
        .unwrap_or_default();
    let what = format!(
        "asked for “{asked}”, the server granted “{got}”: {} is missing",
        missing.join(" ")
    );
    let fix =
        "allow the client these scopes at the server, or take them out of scope in the target file";
    if needed
        .split_whitespace()
        .any(|scope| missing.contains(&scope))
    {
        report.problem("scope-missing", what, fix);
    } else {
        report.warning("scope-missing", what, fix);
    }
}

fn deny(report: &mut Report, scene: &Scene<'_>, outcome: &Outcome) {
    let fix = "correct deny in the consent's login step: the button or link that says no";
    match &outcome.answer {
        Answer::Refused {
            error,
            how: How::Redirect,
            ..
        } if error.as_deref() == Some("access_denied") => {
            report.good("deny", "a denial comes back as access_denied");
        }
        Answer::Success => report.problem(
            "login-deny",
            "the user who denies gets a code: `deny` names a button that approves",
            fix,
        ),
        Answer::NoAnswer(why) => report.problem("login-deny", why.clone(), fix),
        other => {
            let page = last_seen(outcome)
                .map(|seen| form::offers(&seen.page))
                .unwrap_or_default();
            let said = scene.secrets.redact(&other.words());
            report.warning("login-deny", format!("a denial {said} ({page})"), fix);
        }
    }
}

fn last_seen(outcome: &Outcome) -> Option<&Seen> {
    outcome.seen.last()
}

/// What went wrong with a grant, and where in the target file to mend it.
fn explain(
    report: &mut Report,
    world: &World,
    scene: &Scene<'_>,
    outcome: &Outcome,
    what: &'static str,
) {
    let user = if what == "user-b" { "b" } else { "a" };
    let before = report.findings.len();
    name_it(report, world, scene, outcome, user);
    // The second user's login is the first one's, so what is wrong is the user.
    if what == "user-b" {
        for finding in report.findings.iter_mut().skip(before) {
            finding.what = format!("user b: {}", finding.what);
            if finding.name == "login-credentials" {
                finding.name = "user-b";
                finding.fix = "correct the fields of [user.b]".to_owned();
            }
        }
    }
}

fn name_it(report: &mut Report, world: &World, scene: &Scene<'_>, outcome: &Outcome, user: &str) {
    let login = &world.target.login;
    let seen = last_seen(outcome);
    let client = world.target.client("a").or(world.target.clients.first());
    match &outcome.answer {
        Answer::NoAnswer(why) => stuck(report, outcome, why, user),
        Answer::Throttled(why) => report.problem("throttled", format!("the server {why}"), "wait, or lower --rate"),
        Answer::ServerError(status) => {
            let at = scene.last_exchange(outcome).map(|last| last.request.url.clone()).unwrap_or_default();
            report.problem("server-error", format!("{at} answered {status} to a correct request: that is the server's failure"), "look at the server's log");
        }
        Answer::Astray { location, .. } => report.problem(
            "redirect-astray",
            format!("the browser was sent to {location}"),
            "write redirect_uris as they are registered; add the host to hosts if it belongs to the server",
        ),
        Answer::Refused { how: How::Page, status, .. } => match seen {
            Some(seen) if login.driver == Driver::None => report.problem(
                "login-missing",
                format!("the server shows the page “{}”, and the target file says that nobody logs in", seen.page.title),
                format!("write [login] with driver = \"form\" and its steps; the page has {}", form::offers(&seen.page)),
            ),
            Some(seen) if seen.page.forms.is_empty() && seen.page.scripts && login.driver == Driver::Form => report.problem(
                "login-needs-browser",
                format!("the page {} is made by scripts", seen.url),
                "write driver = \"browser\" (the same steps), or driver = \"json\" with the requests its script makes",
            ),
            Some(seen) if login.driver == Driver::Json => {
                let body = scene.last_exchange(outcome).map_or_else(String::new, |last| excerpt(last, 200));
                let with_user = seen.step.and_then(|at| login.steps.get(at)).is_some_and(names_user);
                let (name, fix) = if with_user && matches!(status, 400 | 401 | 403 | 422) {
                    ("login-credentials", format!("correct the fields of [user.{user}], or the step's body and header"))
                } else {
                    ("login-step", "correct this [[login.step]]: its path, header and body".to_owned())
                };
                report.problem(name, format!("step {} ({}) was answered {}: {body}", number(seen), seen.did, seen.status), fix);
            }
            Some(seen) => no_step_fits(report, world, outcome, seen, user),
            None => report.problem("login-step", format!("the login ended at a page ({status})"), "compare its fields and buttons with [[login.step]]"),
        },
        Answer::Refused { how: How::Redirect, .. } => {
            if let (Some(client), Some(location)) = (client, &outcome.location) {
                page::refused(report, world, client, &String::from_utf8_lossy(location));
            }
        }
        Answer::Refused { error, status, .. } => exchange(report, outcome, scene, *status, error.as_deref()),
        Answer::NotApplicable(why) => report.problem("login-step", why.clone(), "complete the target file"),
        Answer::Success => {}
    }
}

fn number(seen: &Seen) -> String {
    seen.step
        .map_or_else(|| "?".to_owned(), |step| (step + 1).to_string())
}

fn names_user(step: &LoginStep) -> bool {
    let filled = step
        .fill
        .iter()
        .any(|(_, value)| value.starts_with("$user.") || value == "$hook");
    let body = step.call.as_ref().and_then(|call| call.body.as_ref());
    filled || body.is_some_and(|body| body.to_string().contains("$user."))
}

fn no_step_fits(report: &mut Report, world: &World, outcome: &Outcome, seen: &Seen, user: &str) {
    let target = &world.target;
    let done: Vec<&Seen> = outcome
        .seen
        .iter()
        .filter(|seen| seen.step.is_some())
        .collect();
    let person = target.user(user).or(target.users.first());
    let after = done.last().map_or_else(String::new, |last| {
        format!("after step {} ({}) ", number(last), last.did)
    });
    if seen.status >= 400 {
        report.problem(
            "login-refused",
            format!("{after}the server answered {} with the page “{}”: {}", seen.status, seen.page.title, seen.page.text),
            "compare the page with [[login.step]]; a form that checks Origin or cookies gets both, so it is the values that are refused",
        );
        return;
    }
    let misfits = form::misfits(&seen.page, &target.login, person);
    report.problem(
        "login-step",
        format!("{after}the page “{}” at {} fits no login step ({}): it has {}", seen.page.title, seen.url, misfits.join("; "), form::offers(&seen.page)),
        "correct the [[login.step]] for this page, or add one; fields go by name or label, buttons by text",
    );
}

fn stuck(report: &mut Report, outcome: &Outcome, why: &str, user: &str) {
    let has = |words: &[&str]| words.iter().any(|word| why.contains(word));
    let (name, fix): (&'static str, String) = if has(&["came back"]) && !has(&["nobody came back"])
    {
        (
            "login-credentials",
            format!(
                "the values are refused: correct the fields of [user.{user}] (or what `fill` sends)"
            ),
        )
    } else if has(&["chromedriver"]) {
        ("browser-missing", "install Chromium and chromedriver (Debian: apt-get install chromium chromium-driver), or use driver = \"form\" or \"json\"".to_owned())
    } else if has(&["the hook"]) {
        ("hook", "run the command by hand with OAUTHSPEC_URL set; it must print the callback URL as its last line".to_owned())
    } else if has(&["nobody came back", "nobody pastes", "cannot listen"]) {
        (
            "manual",
            "raise timeout under [login], or use another driver".to_owned(),
        )
    } else if has(&["redirects without reaching"]) {
        (
            "login-circles",
            "the pages go in circles: compare their fields and buttons with [[login.step]]"
                .to_owned(),
        )
    } else if has(&["nothing is called $", "without `"]) {
        (
            "login-step",
            "correct take and the names in this [[login.step]]".to_owned(),
        )
    } else if outcome.seen.is_empty() {
        (
            "authorization-endpoint",
            "check that the server runs, [endpoints] and hosts".to_owned(),
        )
    } else {
        (
            "login-stuck",
            "compare the pages with [[login.step]]".to_owned(),
        )
    };
    report.problem(name, why.to_owned(), fix);
}

/// The login works, the token request does not.
fn exchange(
    report: &mut Report,
    outcome: &Outcome,
    scene: &Scene<'_>,
    status: u16,
    error: Option<&str>,
) {
    let body = scene
        .last_exchange(outcome)
        .map_or_else(String::new, |last| excerpt(last, 200));
    let what = format!(
        "the login works, but the code is refused at the token endpoint ({status}): {body}"
    );
    match error {
        Some("invalid_client") => report.problem("client-secret", what, "correct id, secret and auth of [client.a]"),
        Some("invalid_target") => report.problem("resource-id", what, "correct id under [resource.a]"),
        Some("invalid_scope") => report.problem("scope-unknown", what, "correct scope under [policy]"),
        _ => report.problem(
            "exchange",
            what,
            "a correct exchange is refused: look at token_body under [policy] and at the server's log; if everything is right, it is the server's failure",
        ),
    }
}
