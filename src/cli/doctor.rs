//! `oauthspec doctor`: is the target file right and does the correct flow work, before anything is judged?

use std::fmt::Write as _;

use crate::exit::Exit;
use crate::report::text;
use crate::run::{Options, Prepared, cleanup, prepare};

use super::args::DoctorArgs;
use super::{Failure, print, target};

pub(super) async fn doctor(arguments: &DoctorArgs) -> Result<Exit, Failure> {
    let ready = target::ready(&arguments.target, &[]).await?;
    let options = Options {
        timeout: arguments.timeout,
        i_am_authorized: arguments.i_am_authorized,
        // What is there is told even when the correct flow does not work.
        despite_preflight: true,
        ..Options::default()
    };
    let prepared = prepare(ready.target.clone(), &options).await;
    let told = match prepared {
        Err(failure) => Err(Failure {
            exit: failure.exit(),
            message: failure.to_string(),
        }),
        Ok(prepared) => {
            let leftovers = cleanup::clean(&prepared.world, false).await;
            Ok((describe(&prepared, &leftovers), prepared.preflight.clone()))
        }
    };
    ready.stop().await;
    let (words, preflight) = told?;
    print::text(&words)?;
    match preflight {
        Ok(()) => Ok(Exit::Conforms),
        Err(reason) => Err(Failure::unreachable(reason)),
    }
}

fn describe(prepared: &Prepared, leftovers: &[String]) -> String {
    let world = &prepared.world;
    let mut out = String::new();
    let mut row = |good: bool, what: &str, detail: &str| {
        let mark = if good { "ok     " } else { "missing" };
        let _ = writeln!(out, "{mark} {what:<24} {}", text::line(detail));
    };
    row(true, "issuer", &world.target.issuer);
    row(
        world.metadata.is_some(),
        "metadata",
        world
            .metadata_url
            .as_deref()
            .unwrap_or("none found; every endpoint must be written under [endpoints]"),
    );
    let endpoints = &world.endpoints;
    for (name, endpoint) in [
        ("authorization endpoint", &endpoints.authorization),
        ("token endpoint", &endpoints.token),
        ("registration endpoint", &endpoints.registration),
        ("revocation endpoint", &endpoints.revocation),
        ("introspection endpoint", &endpoints.introspection),
        ("jwks_uri", &endpoints.jwks),
    ] {
        row(
            endpoint.is_some(),
            name,
            endpoint.as_deref().unwrap_or("not known"),
        );
    }
    for client in &world.target.clients {
        row(
            client.id.is_some(),
            &format!("client {}", client.name),
            client
                .id
                .as_deref()
                .unwrap_or("has no id and was not registered"),
        );
    }
    for user in &world.target.users {
        row(
            true,
            &format!("user {}", user.name),
            "credentials are there",
        );
    }
    row(
        prepared.preflight.is_ok(),
        "correct flow",
        match &prepared.preflight {
            Ok(()) => "login, code, token and probe work",
            Err(reason) => reason,
        },
    );
    let mut capabilities = prepared.capabilities.clone();
    capabilities.sort();
    capabilities.dedup();
    let _ = writeln!(
        out,
        "\ncapabilities: {}",
        text::line(&capabilities.join(", "))
    );
    for (capability, reason) in &prepared.reasons {
        let _ = writeln!(out, "no {}: {}", text::line(capability), text::line(reason));
    }
    for warning in &prepared.warnings {
        let _ = writeln!(out, "warning: {}", text::line(warning));
    }
    for leftover in leftovers {
        let _ = writeln!(out, "left behind: {}", text::line(leftover));
    }
    out
}
