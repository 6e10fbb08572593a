//! `oauthspec serve`: the reference server by itself, for people who test clients.

use std::fmt::Write as _;

use toml::Value;

use crate::exit::Exit;
use crate::report::output::write_atomically;
use crate::targets::model::{ClientKind, Driver, Target};
use crate::targets::reference::Reference;

use super::args::ServeArgs;
use super::{Failure, print, signals, target};

pub(super) async fn serve(arguments: &ServeArgs) -> Result<Exit, Failure> {
    let face = target::face(&arguments.face)?;
    let faults = arguments
        .faults
        .iter()
        .map(|fault| target::fault(fault))
        .collect::<Result<Vec<_>, _>>()?;
    target::of_this_face(face, &faults)?;
    let alone = face == refserver::Face::Alone;
    if alone != arguments.trust.is_some() {
        return Err(Failure::usage(match alone {
            true => {
                "the face `alone` trusts an issuer: name it, --trust http://127.0.0.1:9601".into()
            }
            false => "only the face `alone` trusts an issuer: leave --trust out".to_owned(),
        }));
    }
    if arguments.ca_out.is_some() && face != refserver::Face::Tenant {
        return Err(Failure::usage(
            "only the face `tenant` has a certificate to trust: leave --ca-out out",
        ));
    }
    let trust = arguments.trust.clone();
    let reference = Reference::trusting(face, faults, arguments.port, trust)
        .await
        .map_err(|error| {
            Failure::usage(format!(
                "port {} cannot be listened on: {error}",
                arguments.port
            ))
        })?;
    if let Some(path) = &arguments.ca_out {
        write_atomically(path, &reference.target.network.ca).map_err(|error| {
            Failure::usage(format!("{} cannot be written: {error}", path.display()))
        })?;
    }
    print::text(&describe(&reference.target, &arguments.faults))?;
    let place = match reference.target.resources.first() {
        Some(resource) if alone => resource.url.origin().ascii_serialization(),
        _ => reference.target.issuer.clone(),
    };
    print::note(&format!("listening on {place} until Ctrl-C"));
    let _ = signals::next().await;
    reference.stop().await;
    Ok(Exit::Conforms)
}

/// The running server as a target file: what a client has to know, and what `oauthspec run` takes.
pub fn describe(target: &Target, faults: &[String]) -> String {
    let text = |value: &str| Value::String(value.to_owned()).to_string();
    let mut out = String::from(
        "# The reference server, as a target file. Secrets were made at start and die with it.\n",
    );
    for fault in faults {
        let _ = writeln!(out, "# fault: {fault}");
    }
    let _ = writeln!(out, "issuer = {}", text(&target.issuer));
    let words = |all: &[String]| Value::Array(all.iter().cloned().map(Value::String).collect());
    let _ = writeln!(out, "profiles = {}", words(&target.profiles));
    // Where oauthspec is the issuer, nobody else takes part.
    let takes_part = target.mint.is_none();
    for client in target.clients.iter().filter(|_| takes_part) {
        let _ = writeln!(out, "\n[client.{}]", client.name);
        if let Some(id) = &client.id {
            let _ = writeln!(out, "id = {}", text(id));
        }
        if let Some(secret) = &client.secret {
            let _ = writeln!(out, "secret = {}", text(secret));
        }
        let kind = match client.kind {
            ClientKind::Public => "public",
            ClientKind::Confidential => "confidential",
            ClientKind::Native => "native",
        };
        let uris = Value::Array(
            client
                .redirect_uris
                .iter()
                .map(|uri| Value::String(uri.clone()))
                .collect(),
        );
        let _ = writeln!(
            out,
            "auth = {}\ntype = {}\nredirect_uris = {uris}",
            text(client.auth.word()),
            text(kind)
        );
    }
    for resource in &target.resources {
        let _ = writeln!(out, "\n[resource.{}]", resource.name);
        if let Some(id) = &resource.id {
            let _ = writeln!(out, "id = {}", text(id));
        }
        let _ = writeln!(
            out,
            "probe = {}",
            text(&format!("{} {}", resource.method, resource.url))
        );
        if let Some((body, kind)) = &resource.body {
            let _ = writeln!(out, "body = {}\ncontent_type = {}", text(body), text(kind));
        }
        for (key, value) in [
            ("scope", &resource.scope),
            ("broader", &resource.broader),
            ("rar", &resource.rar),
            ("mcp", &resource.mcp),
        ] {
            if let Some(value) = value {
                let _ = writeln!(out, "{key} = {}", text(value));
            }
        }
    }
    for user in target.users.iter().filter(|_| takes_part) {
        let _ = writeln!(out, "\n[user.{}]", user.name);
        for (name, value) in &user.fields {
            let _ = writeln!(out, "{name} = {}", text(value));
        }
    }
    match target.login.driver {
        Driver::Mint => out.push_str("\n[mint]\nserve = true\n"),
        Driver::Browser => out.push_str("\n[login]\ndriver = \"browser\"\n"),
        _ => out.push_str("\n[login]\ndriver = \"form\"\n"),
    }
    for step in &target.login.steps {
        let _ = writeln!(out, "[[login.step]]");
        if !step.fill.is_empty() {
            let fields: Vec<String> = step
                .fill
                .iter()
                .map(|(name, value)| format!("{name} = {}", text(value)))
                .collect();
            let _ = writeln!(out, "fill = {{ {} }}", fields.join(", "));
        }
        if !step.partly.is_empty() {
            let fields: Vec<String> = step
                .partly
                .iter()
                .map(|(name, value)| format!("{name} = {}", text(value)))
                .collect();
            let _ = writeln!(out, "partly = {{ {} }}", fields.join(", "));
        }
        for (key, value) in [("press", &step.press), ("deny", &step.deny)] {
            if let Some(value) = value {
                let _ = writeln!(out, "{key} = {}", text(value));
            }
        }
    }
    policy(&mut out, target);
    let endpoints = &target.endpoints;
    let known = [
        ("authorization", &endpoints.authorization),
        ("token", &endpoints.token),
        ("registration", &endpoints.registration),
        ("revocation", &endpoints.revocation),
        ("introspection", &endpoints.introspection),
        ("jwks", &endpoints.jwks),
    ];
    table(
        &mut out,
        "endpoints",
        known
            .iter()
            .filter_map(|(name, url)| Some((*name, url.as_deref()?))),
    );
    let ca = std::str::from_utf8(&target.network.ca).unwrap_or_default();
    let ca = (!ca.is_empty()).then_some(("ca", ca));
    table(&mut out, "network", ca.into_iter());
    table(&mut out, "params", pairs(&target.params));
    table(&mut out, "departures", pairs(&target.departures));
    if let Some(client) = &target.introspection_client {
        let _ = writeln!(out, "\n[introspection]\nclient = {}", text(client));
    }
    for (name, details) in &target.rar {
        let _ = writeln!(out, "\n[rar.{name}]\ndetails = {}", text(details));
    }
    out
}

fn pairs(all: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    all.iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

/// A table of texts, when there are any.
fn table<'t>(out: &mut String, name: &str, rows: impl Iterator<Item = (&'t str, &'t str)>) {
    let text = |value: &str| Value::String(value.to_owned()).to_string();
    for (at, (key, value)) in rows.enumerate() {
        if at == 0 {
            let _ = writeln!(out, "\n[{name}]");
        }
        let _ = writeln!(out, "{} = {}", text(key), text(value));
    }
}

fn policy(out: &mut String, target: &Target) {
    let text = |value: &str| Value::String(value.to_owned()).to_string();
    let policy = &target.policy;
    let _ = writeln!(out, "\n[policy]");
    for (key, value) in [("scope", &policy.scope), ("rar", &policy.rar)] {
        if let Some(value) = value {
            let _ = writeln!(out, "{key} = {}", text(value));
        }
    }
    for (line, said) in [
        ("resource_required = true", policy.resource_required),
        ("state_required = true", policy.state_required),
        ("burst = true", policy.burst),
        ("pkce = \"optional\"", policy.pkce_optional),
        ("token_body = \"json\"", policy.token_body_json),
    ] {
        if said {
            let _ = writeln!(out, "{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use refserver::Face;

    use super::*;
    use crate::targets::load::{Surroundings, load_str};

    #[tokio::test]
    async fn what_is_printed_is_a_target_file_that_describes_the_server() {
        for face in Face::ALL {
            let trust = (*face == Face::Alone).then(|| "http://127.0.0.1:9601".to_owned());
            let reference = Reference::trusting(*face, Vec::new(), 0, trust)
                .await
                .unwrap();
            let printed = describe(&reference.target, &["x".to_owned()]);
            let loaded = load_str(
                "printed.toml",
                &printed,
                &Surroundings {
                    env: &|_| None,
                    folder: None,
                },
            )
            .unwrap_or_else(|problems| panic!("{problems}\n{printed}"));
            let (printed, known) = (&loaded.target, &reference.target);
            assert_eq!(printed.issuer, known.issuer);
            assert_eq!(printed.clients.len(), known.clients.len());
            for (printed, known) in printed.clients.iter().zip(&known.clients) {
                assert_eq!(
                    (&printed.name, &printed.id, &printed.secret),
                    (&known.name, &known.id, &known.secret)
                );
                assert_eq!(printed.redirect_uris, known.redirect_uris);
            }
            assert_eq!(printed.rar, known.rar);
            assert_eq!(
                format!("{:?}", printed.resources),
                format!("{:?}", known.resources)
            );
            assert_eq!(
                format!("{:?}", printed.policy),
                format!("{:?}", known.policy)
            );
            assert_eq!(printed.profiles, known.profiles);
            assert_eq!(printed.params, known.params);
            assert_eq!(printed.departures, known.departures);
            assert_eq!(printed.network.ca, known.network.ca);
            assert_eq!(
                format!("{:?}", printed.endpoints),
                format!("{:?}", known.endpoints)
            );
            assert_eq!(printed.login.steps.len(), known.login.steps.len());
            reference.stop().await;
        }
    }
}
