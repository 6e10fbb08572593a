//! Is the issuer spelt as the server spells it, and are its endpoints where we may go?

use serde_json::{Map, Value};
use url::Url;

use crate::client::{World, discover};
use crate::doctor::Report;
use crate::run::prepare;
use crate::transport::Request;

/// The issuer behind a well-known address, when the "issuer" is one.
pub(super) fn document_for_an_issuer(issuer: &str) -> Option<String> {
    let (front, back) = issuer.split_once("/.well-known/")?;
    let path = back.split_once('/').map(|(_, path)| path);
    Some(match path {
        Some(path) if !path.is_empty() => format!("{front}/{path}"),
        _ => front.to_owned(),
    })
}

pub(super) async fn look(report: &mut Report, world: &mut World) {
    let written = world.target.endpoints.clone();
    let missing = prepare::read_metadata(world, &mut Vec::new()).await;
    match world.metadata.clone() {
        Some(metadata) => issuer(report, world, &metadata),
        None => {
            let seen = match missing {
                Ok(seen) => seen.unwrap_or_default(),
                Err(seen) => seen,
            };
            let needed = written.authorization.is_some() && written.token.is_some();
            if needed {
                report.good("metadata", "none; the endpoints are in the target file");
            } else {
                nothing_found(report, world, &seen).await;
            }
        }
    }
    if !report.broken() {
        endpoints(report, world);
    }
    if !report.broken() && !world.target.login.driver.brings_tokens() {
        promises(report, world);
    }
}

fn issuer(report: &mut Report, world: &World, metadata: &Map<String, Value>) {
    let ours = &world.target.issuer;
    let theirs = metadata
        .get("issuer")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if theirs == ours {
        let place = world.metadata_url.as_deref().unwrap_or_default();
        report.good("metadata", place);
        return;
    }
    let fix = format!(
        "write issuer = \"{theirs}\" if that is the server you mean; if not, the server's own configuration names a wrong issuer"
    );
    let loose = |text: &str| {
        let text = text.trim_end_matches('/').to_ascii_lowercase();
        let text = text.replacen("https://", "", 1).replacen("http://", "", 1);
        text.trim_end_matches(":443")
            .trim_end_matches(":80")
            .to_owned()
    };
    let host = |text: &str| {
        Url::parse(text)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned))
    };
    let local = |text: &str| {
        host(text).is_some_and(|host| matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]"))
    };
    if loose(theirs) == loose(ours) || (local(theirs) && local(ours)) {
        report.problem(
            "issuer-spelling",
            format!("the target file says \"{ours}\", the metadata \"{theirs}\": they must be the same, character for character"),
            fix,
        );
    } else {
        report.problem(
            "issuer-other",
            format!(
                "the metadata at {} belongs to another issuer, \"{theirs}\"",
                world.metadata_url.as_deref().unwrap_or(ours)
            ),
            fix,
        );
    }
}

/// No metadata where the issuer says: perhaps somewhere near.
async fn nothing_found(report: &mut Report, world: &World, seen: &str) {
    for near in nearby(&world.target.issuer) {
        for place in discover::places(&near, "as")
            .into_iter()
            .chain(discover::places(&near, "openid"))
        {
            let recorded = world.transport.send(Request::get(&place)).await;
            let found = recorded
                .reply
                .ok()
                .filter(|reply| reply.status == 200)
                .and_then(|reply| reply.json()?.get("issuer")?.as_str().map(str::to_owned));
            if let Some(theirs) = found {
                report.problem(
                    "issuer-path",
                    format!(
                        "no metadata for \"{}\", but {place} belongs to issuer \"{theirs}\"",
                        world.target.issuer
                    ),
                    format!("write issuer = \"{theirs}\""),
                );
                return;
            }
        }
    }
    let recorded = world
        .transport
        .send(Request::get(&world.target.issuer))
        .await;
    let challenge = recorded
        .reply
        .ok()
        .filter(|reply| reply.status == 401)
        .and_then(|reply| {
            let all: Vec<&[u8]> = reply.all("www-authenticate").collect();
            let parsed = wire::challenge::parse(all);
            parsed
                .scheme("bearer")?
                .param("resource_metadata")
                .map(str::to_owned)
        });
    if let Some(place) = challenge {
        report.problem(
            "issuer-is-a-resource",
            format!(
                "{} is a protected resource, not an authorization server",
                world.target.issuer
            ),
            format!(
                "oauthspec init {} finds its authorization server (from {place})",
                world.target.issuer
            ),
        );
        return;
    }
    report.problem(
        "no-metadata",
        format!("no metadata was found ({seen}), and the target file does not name the endpoints"),
        "check the issuer's host and path; for a server without discovery write authorization and token under [endpoints]",
    );
}

/// Issuers that might be meant: without the last path segments, and with none.
fn nearby(issuer: &str) -> Vec<String> {
    let Ok(url) = Url::parse(issuer) else {
        return Vec::new();
    };
    let origin = url.origin().ascii_serialization();
    let segments: Vec<&str> = url
        .path()
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    (0..segments.len())
        .rev()
        .take(4)
        .map(|keep| {
            let path = segments.get(..keep).unwrap_or_default().join("/");
            if path.is_empty() {
                origin.clone()
            } else {
                format!("{origin}/{path}")
            }
        })
        .collect()
}

fn endpoints(report: &mut Report, world: &World) {
    let endpoints = &world.endpoints;
    let needed = [
        ("authorization", &endpoints.authorization),
        ("token", &endpoints.token),
    ];
    let other = [
        ("registration", &endpoints.registration),
        ("revocation", &endpoints.revocation),
        ("introspection", &endpoints.introspection),
        ("jwks", &endpoints.jwks),
        ("par", &endpoints.par),
        ("device", &endpoints.device),
    ];
    let given = world.target.login.driver.brings_tokens();
    for (name, endpoint) in needed.into_iter().filter(|_| !given) {
        let Some(endpoint) = endpoint else {
            report.problem(
                "endpoint-missing",
                format!("the metadata names no {name} endpoint"),
                format!("write {name} under [endpoints]"),
            );
            continue;
        };
        match world.transport.allow().check(endpoint) {
            Ok(()) => report.good("endpoint", format!("{name}: {endpoint}")),
            Err(why) => report.problem(
                "endpoint-foreign",
                format!("the {name} endpoint: {why}"),
                foreign(endpoint),
            ),
        }
    }
    for (name, endpoint) in other {
        let Some(endpoint) = endpoint else {
            continue;
        };
        match world.transport.allow().check(endpoint) {
            Ok(()) => report.good("endpoint", format!("{name}: {endpoint}")),
            Err(why) => report.warning(
                "endpoint-foreign",
                format!("the {name} endpoint: {why}"),
                foreign(endpoint),
            ),
        }
    }
}

fn foreign(endpoint: &str) -> String {
    let origin = Url::parse(endpoint).map_or_else(
        |_| endpoint.to_owned(),
        |url| url.origin().ascii_serialization(),
    );
    format!(
        "if that host belongs to the server, write hosts = [\"{origin}\"]; if not, do not: it would see your secrets"
    )
}

/// What the metadata says against what the target file asks for.
fn promises(report: &mut Report, world: &World) {
    let Some(metadata) = &world.metadata else {
        return;
    };
    let list = |name: &str| -> Option<Vec<&str>> {
        let all = metadata.get(name)?.as_array()?;
        Some(all.iter().filter_map(Value::as_str).collect())
    };
    if let Some(methods) = list("code_challenge_methods_supported")
        && !methods.contains(&"S256")
    {
        report.warning(
            "pkce",
            format!("the server announces PKCE methods {methods:?} without S256"),
            "nothing to do here: the pkce suite judges it",
        );
    }
    if let Some(known) = list("scopes_supported") {
        let target = &world.target;
        let asked = target
            .policy
            .scope
            .iter()
            .chain(
                target
                    .resources
                    .iter()
                    .filter_map(|resource| resource.scope.as_ref()),
            )
            .flat_map(|scope| scope.split_whitespace());
        let mut unknown: Vec<&str> = asked.filter(|scope| !known.contains(scope)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        if !unknown.is_empty() {
            report.warning(
                "scope-unannounced",
                format!(
                    "the metadata does not list the scopes {}",
                    unknown.join(" ")
                ),
                format!("announced are: {}", known.join(" ")),
            );
        }
    }
    if let Some(methods) = list("token_endpoint_auth_methods_supported") {
        for client in &world.target.clients {
            if !methods.contains(&client.auth.word()) {
                report.warning(
                    "auth-unannounced",
                    format!(
                        "client {} uses {}, and the server announces {}",
                        client.name,
                        client.auth.word(),
                        methods.join(", ")
                    ),
                    format!("set auth under [client.{}]", client.name),
                );
            }
        }
    }
}
