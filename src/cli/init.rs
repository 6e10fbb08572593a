//! `oauthspec init`: asks the server and its owner, and writes a target file.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::time::Duration;

use crate::exit::Exit;
use crate::flow::discover;
use crate::report::output::write_atomically;
use crate::run::Options;
use crate::target::from_issuer;
use crate::target::init::{Answers, Found, write};
use crate::transport::{AllowList, Request, Transport};

use super::args::InitArgs;
use super::{Failure, print};

pub(super) async fn init(arguments: &InitArgs) -> Result<Exit, Failure> {
    from_issuer(&arguments.issuer).map_err(|problem| Failure::usage(problem.to_string()))?;
    if let Some(path) = &arguments.out
        && path.exists()
        && !arguments.force
    {
        return Err(Failure::usage(format!(
            "{} exists already; --force replaces it",
            path.display()
        )));
    }
    let found = look(&arguments.issuer).await?;
    match &found.place {
        Some(place) => print::note(&format!("metadata: {place}")),
        None => print::note("the server answers, but publishes no metadata"),
    }
    let mut answers = Answers {
        client_id: arguments.client_id.clone().unwrap_or_default(),
        redirect_uri: arguments.redirect_uri.clone().unwrap_or_default(),
        resource: arguments.resource.clone().unwrap_or_default(),
        probe: arguments.probe.clone().unwrap_or_default(),
        scope: arguments.scope.clone().unwrap_or_default(),
        ..Answers::default()
    };
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        ask(&mut answers, &found)?;
    }
    let text = write(&arguments.issuer, &found, &answers);
    match &arguments.out {
        None => print::text(&text)?,
        Some(path) => {
            write_atomically(path, text.as_bytes()).map_err(|error| {
                Failure::usage(format!("{} cannot be written: {error}", path.display()))
            })?;
            print::note(&format!(
                "wrote {0}; next: oauthspec doctor {0}",
                path.display()
            ));
        }
    }
    Ok(Exit::Conforms)
}

/// Reads the metadata: one or two requests of the kind every client sends.
async fn look(issuer: &str) -> Result<Found, Failure> {
    let limits = Options {
        timeout: Duration::from_secs(10),
        ..Options::default()
    }
    .limits();
    let transport = Transport::new(AllowList::new([issuer], true), limits, None)
        .map_err(|error| Failure::usage(error.to_string()))?;
    let mut silent = Vec::new();
    let places: Vec<String> = discover::places(issuer, "as")
        .into_iter()
        .chain(discover::places(issuer, "openid"))
        .collect();
    for place in &places {
        match transport.send(Request::get(place)).await.reply {
            Err(reason) => silent.push(format!("{place}: {reason}")),
            Ok(reply) => {
                if let Some(metadata) = reply.json().filter(|_| reply.status == 200) {
                    return Ok(Found::read(issuer, place, &metadata));
                }
            }
        }
    }
    if !places.is_empty() && silent.len() == places.len() {
        return Err(Failure::unreachable(format!(
            "{issuer} does not answer: {}. Check the URL and that the server runs",
            silent.join("; ")
        )));
    }
    Ok(Found::default())
}

/// Asks for what no flag said; an empty answer leaves it to be filled in later.
fn ask(answers: &mut Answers, found: &Found) -> io::Result<()> {
    let register = if found.registration {
        " (empty: register one)"
    } else {
        ""
    };
    let questions: [(&mut String, String); 7] = [
        (
            &mut answers.client_id,
            format!("client_id of a public client{register}"),
        ),
        (
            &mut answers.redirect_uri,
            "its redirect URI (empty: https://app-a.example/cb)".to_owned(),
        ),
        (
            &mut answers.probe,
            "a harmless request that needs a token, like GET https://api.example/me".to_owned(),
        ),
        (
            &mut answers.resource,
            "the resource indicator of that API, if there is one".to_owned(),
        ),
        (&mut answers.scope, "the scope it needs".to_owned()),
        (
            &mut answers.login_button,
            "the text of the button that logs in (empty: Log in)".to_owned(),
        ),
        (
            &mut answers.approve_button,
            "the text of the button that approves (empty: Approve)".to_owned(),
        ),
    ];
    let mut input = io::stdin().lock();
    for (answer, question) in questions {
        if !answer.is_empty() {
            continue;
        }
        print::note(&format!("{question}:"));
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(());
        }
        line.trim().clone_into(answer);
    }
    Ok(())
}
