//! What a server says about itself before anybody logs in: its metadata (RFC 8414, OpenID Connect
//! Discovery), the metadata of a protected resource (RFC 9728), the challenge of a 401 (RFC 6750 §3).

use std::time::Duration;

use serde_json::{Map, Value};

use crate::client::{discover, mcp};
use crate::doctor::init::{Found, NewMcp, NewResource, list};
use crate::doctor::reach;
use crate::run::Options;
use crate::transport::{AllowList, Network, Reply, Request, Transport};

/// What was found behind a URL.
#[derive(Debug, Default)]
pub struct Survey {
    /// The issuer: the URL itself, or what the resource behind it names.
    pub issuer: String,
    /// What its metadata says.
    pub found: Found,
    /// The protected resources that are known.
    pub resources: Vec<NewResource>,
    /// What was seen on the way, in words.
    pub notes: Vec<String>,
}

/// What the owner says besides the URL.
#[derive(Debug, Default)]
pub struct Told<'a> {
    /// A request to a resource, as a target file writes it.
    pub probe: Option<&'a str>,
    /// The URL of an MCP server.
    pub mcp: Option<&'a str>,
    /// How to get there.
    pub network: Network,
}

/// What a URL is taken for before it is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// An API: a request is a request.
    Api,
    /// Perhaps an MCP server: how it answers tells.
    Either,
    /// An MCP server, as its owner says.
    Mcp,
}

/// A resource as it answered.
#[derive(Debug, Default)]
struct Met {
    /// Its metadata.
    document: Option<Map<String, Value>>,
    /// The scope that its challenge names.
    scope: Option<String>,
    /// Whether it is spoken to as an MCP server.
    mcp: bool,
}

/// Reads the documents behind a URL, which is an issuer or a protected resource.
///
/// # Errors
/// In words, why nothing is known: nobody answers there.
pub async fn survey(url: &str, told: &Told<'_>) -> Result<Survey, String> {
    let url = url.trim_end_matches('/').to_owned();
    let probed = told.probe.and_then(|probe| probe.split_once(' '));
    let urls = [Some(url.as_str()), probed.map(|(_, at)| at), told.mcp];
    let transport = transport(urls.into_iter().flatten(), &told.network)?;
    let mut survey = Survey {
        issuer: url.clone(),
        ..Survey::default()
    };
    let (found, silent) = metadata(&transport, &url).await;
    match found {
        Some(found) => survey.found = found,
        None if silent.is_some() => return Err(silent.unwrap_or_default()),
        None => behind_a_resource(&mut survey, &transport, &url, told).await?,
    }
    if let Some(place) = &survey.found.place {
        survey.notes.push(format!("metadata: {place}"));
    } else {
        let note = "the server answers, but publishes no metadata";
        survey.notes.push(note.to_owned());
    }
    if let Some((method, at)) = probed {
        let taken = match method {
            "POST" => Taken::Either,
            _ => Taken::Api,
        };
        let met = meet(&mut survey, &transport, at, taken).await;
        note_resource(&mut survey, met, at, told.probe);
    }
    if let Some(at) = told.mcp {
        let met = meet(&mut survey, &transport, at, Taken::Mcp).await;
        note_resource(&mut survey, met, at, None);
    }
    let listed = survey.found.resources.clone();
    if let Some(id) = listed.first()
        && survey.resources.is_empty()
    {
        let met = Met {
            document: resource_document(&transport, id).await,
            ..Met::default()
        };
        note_resource(&mut survey, met, id, None);
    }
    let known = survey.resources.iter().any(|one| one.mcp.is_some());
    if let Some(id) = listed.iter().find(|id| !known && path_says(id)) {
        let note = format!("{id} looks like an MCP server: --mcp {id} has it tested");
        survey.notes.push(note);
    }
    Ok(survey)
}

/// Reads what a resource says about itself whose issuer we are; `probe` is a request to it.
///
/// # Errors
/// In words, why nothing can be asked.
pub async fn of_resource(issuer: &str, probe: &str, network: &Network) -> Result<Survey, String> {
    let at = probe.split_once(' ').map_or(probe, |(_, at)| at);
    let mut survey = Survey {
        issuer: issuer.trim_end_matches('/').to_owned(),
        ..Survey::default()
    };
    let transport = transport(std::iter::once(at), network)?;
    let met = meet(&mut survey, &transport, at, Taken::Api).await;
    note_resource(&mut survey, met, at, Some(probe));
    Ok(survey)
}

fn transport<'a>(
    urls: impl Iterator<Item = &'a str>,
    network: &Network,
) -> Result<Transport, String> {
    let limits = Options {
        timeout: Duration::from_secs(10),
        ..Options::default()
    }
    .limits();
    // Reading public documents is what any visitor does.
    Transport::through(AllowList::new(urls, true), limits, None, network.clone())
        .map_err(|error| error.to_string())
}

/// The metadata of an issuer; else, when nobody answered at all, what was tried.
async fn metadata(transport: &Transport, issuer: &str) -> (Option<Found>, Option<String>) {
    let mut silent = Vec::new();
    let places: Vec<String> = discover::places(issuer, "as")
        .into_iter()
        .chain(discover::places(issuer, "openid"))
        .collect();
    for place in &places {
        match transport.send_patiently(Request::get(place)).await.reply {
            Err(reason) => silent.push(format!("{place}: {reason}")),
            Ok(reply) => {
                if let Some(metadata) = reply.json().filter(|_| reply.status == 200) {
                    return (Some(Found::read(issuer, place, &metadata)), None);
                }
            }
        }
    }
    let nobody = !places.is_empty() && silent.len() == places.len();
    let silent = silent.join("; ");
    let advice = match reach::untrusted(&silent) {
        true => "Nobody this machine trusts has signed its certificate: give the CA's, --ca FILE",
        false => "Check the URL and that the server runs",
    };
    let words = format!("{issuer} does not answer: {silent}. {advice}");
    (None, nobody.then_some(words))
}

/// The URL is perhaps that of an API or of an MCP server: its challenge or its metadata names the authorization server.
async fn behind_a_resource(
    survey: &mut Survey,
    asked: &Transport,
    url: &str,
    told: &Told<'_>,
) -> Result<(), String> {
    let mut met = meet(survey, asked, url, Taken::Either).await;
    if met.document.is_none() {
        met.document = resource_document(asked, url).await;
    }
    let Some(document) = &met.document else {
        return Ok(());
    };
    let Some(issuer) = list(document, "authorization_servers").into_iter().next() else {
        return Ok(());
    };
    survey
        .notes
        .push(format!("{url} is a protected resource of {issuer}"));
    // What the owner says about the same URL is noted later.
    if told.mcp.is_none_or(|mcp| mcp.trim_end_matches('/') != url) {
        note_resource(survey, met, url, None);
    }
    let transport = transport([issuer.as_str()].into_iter(), &told.network)?;
    let (found, silent) = metadata(&transport, &issuer).await;
    survey.issuer = issuer;
    survey.found = found.unwrap_or_default();
    silent.map_or(Ok(()), Err)
}

/// Where MCP servers usually are.
fn path_says(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.trim_end_matches('/').ends_with("/mcp")
}

/// What a request without a token is answered with, and the metadata that the challenge names.
async fn meet(survey: &mut Survey, transport: &Transport, url: &str, taken: Taken) -> Met {
    let Ok(plain) = transport.send_patiently(Request::get(url)).await.reply else {
        return Met::default();
    };
    let mut met = Met::default();
    let mut reply = plain;
    let posts_only = reply.status == 405
        && reply
            .header("allow")
            .is_some_and(|allow| allow.split(',').any(|one| one.trim() == "POST"));
    let may_be = taken == Taken::Either && (posts_only || path_says(url));
    if taken == Taken::Mcp || may_be {
        let hello = transport.send_patiently(mcp::hello(url)).await.reply;
        match hello {
            // Who takes no message is no MCP server, whatever its path says.
            Ok(hello) if taken == Taken::Mcp || matches!(hello.status, 200..300 | 401) => {
                met.mcp = true;
                reply = hello;
            }
            _ => {}
        }
    }
    if may_be && met.mcp {
        let by = match posts_only {
            true => "it takes POST only",
            false => "its path says so",
        };
        let note = format!("{url} is spoken to as an MCP server: {by}");
        survey.notes.push(note);
    }
    if reply.status != 401 {
        survey.notes.push(format!(
            "{url} answers {} without a token; a protected resource answers 401",
            reply.status
        ));
        // An MCP server has metadata all the same.
        if met.mcp {
            met.document = resource_document(transport, url).await;
        }
        return met;
    }
    challenged(survey, transport, url, &reply, &mut met).await;
    met
}

/// Reads the challenge of a 401.
async fn challenged(
    survey: &mut Survey,
    transport: &Transport,
    url: &str,
    reply: &Reply,
    met: &mut Met,
) {
    let parsed = wire::challenge::parse(reply.all("www-authenticate"));
    let named = |name: &str| {
        ["Bearer", "DPoP"]
            .iter()
            .find_map(|scheme| parsed.scheme(scheme)?.param(name))
            .map(str::to_owned)
    };
    let place = named("resource_metadata");
    met.scope = named("scope").filter(|scope| scope.len() <= 200);
    met.document = match &place {
        Some(place) => document(transport, place).await,
        None => resource_document(transport, url).await,
    };
    let told = match (&met.document, &place) {
        (Some(_), Some(place)) => format!("its metadata: {place}"),
        (Some(_), None) => "its metadata is at the usual place".to_owned(),
        (None, _) => "and it names no metadata (RFC 9728)".to_owned(),
    };
    survey.notes.push(format!("{url} answers 401, {told}"));
}

async fn resource_document(transport: &Transport, id: &str) -> Option<Map<String, Value>> {
    let place = discover::places(id, "resource").into_iter().next()?;
    document(transport, &place).await
}

async fn document(transport: &Transport, place: &str) -> Option<Map<String, Value>> {
    let reply = transport
        .send_patiently(Request::get(place))
        .await
        .reply
        .ok()?;
    let object = reply.json().filter(|_| reply.status == 200)?;
    object
        .get("resource")
        .is_some_and(Value::is_string)
        .then_some(object)
}

/// Takes over what is known of a resource that answers at this URL; `probe` is the request that its owner wants.
fn note_resource(survey: &mut Survey, met: Met, url: &str, probe: Option<&str>) {
    let member = met.document.as_ref();
    let id = member.and_then(|document| document.get("resource")?.as_str());
    let scopes = member.map(|document| list(document, "scopes_supported"));
    let first = scopes.and_then(|scopes| scopes.into_iter().next());
    let method = if met.mcp { "POST" } else { "GET" };
    let resource = NewResource {
        id: id.unwrap_or_default().to_owned(),
        probe: probe.map_or_else(|| format!("{method} {url}"), str::to_owned),
        // What this request needs, or else what the resource knows (RFC 6750 §3, RFC 9728 §2).
        scope: met.scope.or(first).unwrap_or_default(),
        mcp: met.mcp.then(NewMcp::default),
        refused: None,
    };
    // One of each kind: what is said last counts.
    survey
        .resources
        .retain(|one| one.mcp.is_some() != resource.mcp.is_some());
    survey.resources.push(resource);
}
