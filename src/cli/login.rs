//! `oauthspec login test`: one login, page by page, so that a login step can be got right.

use std::fmt::Write as _;

use crate::exit::Exit;
use crate::flow::{Answer, How, Outcome, Scene, World};
use crate::login::form;
use crate::report::text;
use crate::run::cleanup;
use crate::run::prepare;
use crate::run::{Failure as Unprepared, Options};
use crate::suite::model::{Change, Step, User, Verb};
use crate::targets::model::LoginStep;

use super::args::{LoginArgs, LoginCommand};
use super::{Failure, print, target};

pub(super) async fn login(arguments: &LoginArgs) -> Result<Exit, Failure> {
    let LoginCommand::Test(arguments) = &arguments.command;
    let ready = target::ready(&arguments.target, &[]).await?;
    let options = Options {
        timeout: arguments.timeout,
        i_am_authorized: arguments.i_am_authorized,
        ..Options::default()
    };
    let user = match (arguments.deny, arguments.user.as_str()) {
        (true, "a") => User::Deny,
        (false, "a") => User::Approve,
        (false, "b") => User::Second,
        (true, _) => return Err(Failure::usage("--deny goes with user a")),
        (false, other) => {
            return Err(Failure::usage(format!(
                "there is no user `{other}` in a run: a or b"
            )));
        }
    };
    let tried = attempt(ready.target.clone(), &options, user).await;
    ready.stop().await;
    let (words, reached) = tried.map_err(|failure| match failure {
        Unprepared::Configuration(why) => Failure::usage(why),
        Unprepared::Unreachable(why) => Failure::unreachable(why),
    })?;
    print::text(&words)?;
    Ok(if reached {
        Exit::Conforms
    } else {
        Exit::Unreachable
    })
}

/// Walks once; what is to be said, and whether the login did what was wanted.
async fn attempt(
    target: crate::targets::model::Target,
    options: &Options,
    user: User,
) -> Result<(String, bool), Unprepared> {
    let mut world = prepare::connect(target, options)?;
    let mut warnings = Vec::new();
    prepare::read_metadata(&mut world, &mut warnings)
        .await
        .map_err(Unprepared::Unreachable)?;
    if let Some(endpoint) = world.endpoints.registration.clone() {
        for (name, answer) in prepare::register_each(&mut world, &endpoint).await {
            if let Err(why) = answer {
                warnings.push(format!("client {name} could not be registered: {why}"));
            }
        }
    }
    let mut scene = Scene::new(&world);
    let step = Step::new(Verb::Authorize);
    let outcome = scene
        .perform(&step, &Change::default(), user, 1)
        .await
        .clone();
    let mut out = String::new();
    for warning in warnings {
        let _ = writeln!(out, "warning: {warning}");
    }
    tell(&mut out, &world, &scene, &outcome);
    let denied = matches!(&outcome.answer, Answer::Refused { error, how: How::Redirect, .. } if error.as_deref() == Some("access_denied"));
    let reached = if user == User::Deny {
        denied
    } else {
        outcome.answer == Answer::Success
    };
    let _ = writeln!(
        out,
        "\n{}: {}",
        if reached {
            "the login works"
        } else {
            "the login does not get through"
        },
        end(&outcome)
    );
    if !reached {
        let _ = writeln!(
            out,
            "correct [[login.step]] where the pages above differ from it; `oauthspec doctor` names the mistake"
        );
    }
    let mut secrets = world.secrets.clone();
    secrets.extend(&scene.secrets);
    for leftover in cleanup::clean(&world, false).await {
        let _ = writeln!(out, "left behind: {leftover}");
    }
    let shown: Vec<String> = secrets.redact(&out).lines().map(text::line).collect();
    let shown: Vec<String> = shown
        .into_iter()
        .map(|line| text::cut(&line, 300))
        .collect();
    Ok((shown.join("\n") + "\n", reached))
}

fn end(outcome: &Outcome) -> String {
    match &outcome.answer {
        Answer::Success => "the browser arrives at the redirect URI with a code".to_owned(),
        Answer::NoAnswer(why) => why.clone(),
        other => other.words(),
    }
}

/// Exchange by exchange, each page with what was on it and what was done there.
fn tell(out: &mut String, world: &World, scene: &Scene<'_>, outcome: &Outcome) {
    let mut pages = outcome.seen.iter().peekable();
    let mut number = 0;
    for logged in scene.exchanges_of(outcome) {
        let recorded = &logged.recorded;
        let request = &recorded.request;
        let answer = match &recorded.reply {
            Ok(reply) => match reply.header("location") {
                Some(location) => format!("{} to {location}", reply.status),
                None => reply.status.to_string(),
            },
            Err(why) => format!("no answer: {why}"),
        };
        let _ = writeln!(out, "{} {} → {answer}", request.method, request.url);
        let is_page = recorded
            .reply
            .as_ref()
            .is_ok_and(|reply| !reply.is_redirect());
        if let Some(seen) = pages.next_if(|seen| is_page && seen.url == request.url) {
            number += 1;
            page(out, world, number, seen);
        }
    }
    for seen in pages {
        number += 1;
        let _ = writeln!(out, "at {}", seen.url);
        page(out, world, number, seen);
    }
}

fn page(out: &mut String, world: &World, number: usize, seen: &crate::login::Seen) {
    let _ = writeln!(
        out,
        "\n  page {number}: “{}” ({})",
        seen.page.title, seen.status
    );
    let _ = writeln!(out, "    has     {}", form::offers(&seen.page));
    match seen.step {
        Some(at) => {
            let step = world.target.login.steps.get(at);
            let filled = step.map(filled).unwrap_or_default();
            let _ = writeln!(out, "    step {}  {}{filled}", at + 1, seen.did);
        }
        None if !seen.did.is_empty() => {
            let _ = writeln!(out, "    no step {}", seen.did);
        }
        None => {
            let _ = writeln!(out, "    no step of the target file fits");
        }
    }
    out.push('\n');
}

/// Which value went into which field, by its name in the target file and never by itself.
fn filled(step: &LoginStep) -> String {
    if step.fill.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = step
        .fill
        .iter()
        .map(|(field, value)| match value.strip_prefix('$') {
            Some(_) => format!("{field} = {value}"),
            None => format!("{field} = a fixed value"),
        })
        .collect();
    format!(" ({})", parts.join(", "))
}
