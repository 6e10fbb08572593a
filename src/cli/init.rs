//! `oauthspec init`: asks the server and its owner, and writes a target file.

use std::io::{self, BufRead as _, IsTerminal as _};

use crate::doctor::explore::explore;
use crate::doctor::init::{Draft, NewClient, NewMint, NewResource};
use crate::doctor::survey::{Survey, Told, of_resource, survey};
use crate::exit::Exit;
use crate::report::output::write_atomically;
use crate::report::text;
use crate::run::Options;
use crate::targets::from_issuer;
use crate::transport::AllowList;

use super::args::InitArgs;
use super::{Failure, print, target};

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
    let env = |name: &str| std::env::var(name).ok();
    if let Some(variable) = &arguments.secret_env
        && env(variable).is_none()
    {
        return Err(Failure::usage(format!(
            "the environment variable {variable} (--secret-env) is not set"
        )));
    }
    let probe = arguments.probe.as_deref();
    let ca = match &arguments.ca {
        Some(path) => target::certificates(path)?,
        None => String::new(),
    };
    let told = Told {
        probe,
        mcp: arguments.mcp.as_deref(),
        network: target::network(&ca),
    };
    let survey = match &arguments.mint {
        Some(_) => of_resource(&arguments.issuer, probe.unwrap_or_default(), &told.network).await,
        None => survey(&arguments.issuer, &told).await,
    }
    .map_err(Failure::unreachable)?;
    for note in &survey.notes {
        say(note);
    }
    let mut draft = draft(arguments, survey, ca);
    if arguments.mint.is_none() && io::stdin().is_terminal() && io::stderr().is_terminal() {
        ask(&mut draft)?;
    }
    let options = Options {
        i_am_authorized: arguments.i_am_authorized,
        rate: arguments.rate,
        ..Options::default()
    };
    let ours = AllowList::new([draft.issuer.as_str()], options.i_am_authorized);
    if draft.mint.is_some() {
        say("no login was tried: oauthspec makes the tokens itself");
    } else if arguments.no_login {
        say("no login was tried (--no-login)");
    } else if ours.unauthorized().is_empty() {
        for note in explore(&mut draft, &options, &env).await {
            say(&note);
        }
    } else {
        say(
            "no login was tried: the server is not on this machine; with --i-am-authorized its clients, login pages and probe are tried too",
        );
    }
    let text = draft.write();
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

/// A line about what was seen; a server's words are shown with their invisible characters.
fn say(note: &str) {
    print::note(&text::line(note));
}

/// What the flags and the documents say together.
fn draft(arguments: &InitArgs, survey: Survey, ca: String) -> Draft {
    let given = |value: &Option<String>| value.clone().unwrap_or_default();
    let auth = match (&arguments.auth, &arguments.secret_env) {
        (Some(auth), _) => auth.clone(),
        // What announces no way to send a secret is asked by the usual one; doctor says what comes of it.
        (None, Some(_)) => (survey.found.by_secret().unwrap_or("client_secret_basic")).to_owned(),
        (None, None) => "none".to_owned(),
    };
    let redirect_uri = arguments.redirect_uri.clone();
    let mut clients = vec![NewClient {
        name: "a".to_owned(),
        id: given(&arguments.client_id),
        secret: arguments.secret_env.clone(),
        auth,
        redirect_uri: redirect_uri.unwrap_or_else(|| "https://app-a.example/cb".to_owned()),
        refused: None,
    }];
    if survey.found.registration {
        let ways = [
            ("b", Some("none"), "https://app-b.example/cb"),
            (
                "confidential",
                survey.found.by_registration(),
                "https://app-c.example/cb",
            ),
        ];
        for (name, auth, uri) in ways {
            let Some(auth) = auth else { continue };
            clients.push(NewClient {
                name: name.to_owned(),
                auth: auth.to_owned(),
                redirect_uri: uri.to_owned(),
                ..NewClient::default()
            });
        }
    }
    let mut resources = survey.resources;
    if let Some(resource) = resources.first_mut() {
        if let Some(id) = &arguments.resource {
            id.clone_into(&mut resource.id);
        }
        if let Some(scope) = &arguments.scope {
            scope.clone_into(&mut resource.scope);
        }
    }
    let scope = match (&arguments.scope, resources.first()) {
        (Some(scope), _) => scope.clone(),
        (None, Some(resource)) => resource.scope.clone(),
        (None, None) => String::new(),
    };
    Draft {
        issuer: survey.issuer,
        found: survey.found,
        clients,
        resources,
        fields: arguments.user.clone(),
        driver: if arguments.browser { "browser" } else { "form" },
        scope,
        params: arguments.params.clone(),
        details: given(&arguments.rar),
        endpoints: arguments.endpoints.clone(),
        mint: arguments.mint.as_deref().map(|variable| match variable {
            "" => NewMint::Served,
            variable => NewMint::Key(variable.to_owned()),
        }),
        ca,
        ..Draft::default()
    }
}

/// Asks for what no flag and no document said; an empty answer leaves it open.
fn ask(draft: &mut Draft) -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut answer = |question: &str| -> io::Result<String> {
        print::note(&format!("{question}:"));
        let mut line = String::new();
        input.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    };
    let registers = draft.found.registration;
    if let Some(client) = draft.clients.first_mut()
        && client.id.is_empty()
    {
        client.id = answer(if registers {
            "client_id of a public client (empty: register one)"
        } else {
            "client_id of a public client"
        })?;
        if !client.id.is_empty() {
            let uri = answer("its redirect URI (empty: https://app-a.example/cb)")?;
            if !uri.is_empty() {
                client.redirect_uri = uri;
            }
        }
    }
    if draft.resources.is_empty() {
        let probe =
            answer("a harmless request that needs a token, like GET https://api.example/me")?;
        if !probe.is_empty() {
            draft.resources.push(NewResource {
                probe,
                id: answer("the resource indicator of that API, if there is one")?,
                scope: answer("the scope it needs")?,
                ..NewResource::default()
            });
        }
    }
    Ok(())
}
