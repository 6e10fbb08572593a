//! What a server says about itself before anybody logs in: its metadata (RFC 8414, OpenID Connect
//! Discovery), the metadata of a protected resource (RFC 9728), the challenge of a 401 (RFC 6750 §3).

use std::time::Duration;

use serde_json::{Map, Value};

use crate::flow::discover;
use crate::run::Options;
use crate::target::init::{Found, NewResource, list};
use crate::transport::{AllowList, Request, Transport};

/// What was found behind a URL.
#[derive(Debug, Default)]
pub struct Survey {
    /// The issuer: the URL itself, or what the resource behind it names.
    pub issuer: String,
    /// What its metadata says.
    pub found: Found,
    /// A protected resource, when one is known.
    pub resource: Option<NewResource>,
    /// The scopes that its metadata names.
    pub scopes: Vec<String>,
    /// What was seen on the way, in words.
    pub notes: Vec<String>,
}

/// Reads the documents behind a URL, which is an issuer or a protected resource; `probe` is a request to a
/// resource, as a target file writes it.
///
/// # Errors
/// In words, why nothing is known: nobody answers there.
pub async fn survey(url: &str, probe: Option<&str>) -> Result<Survey, String> {
    let url = url.trim_end_matches('/').to_owned();
    let probed = probe
        .and_then(|probe| probe.split_once(' '))
        .map(|(_, at)| at);
    let transport = transport([Some(url.as_str()), probed].into_iter().flatten())?;
    let mut survey = Survey {
        issuer: url.clone(),
        ..Survey::default()
    };
    let (found, silent) = metadata(&transport, &url).await;
    match found {
        Some(found) => survey.found = found,
        None if silent.is_some() => return Err(silent.unwrap_or_default()),
        None => behind_a_resource(&mut survey, &transport, &url).await?,
    }
    if let Some(place) = &survey.found.place {
        survey.notes.push(format!("metadata: {place}"));
    } else {
        let note = "the server answers, but publishes no metadata";
        survey.notes.push(note.to_owned());
    }
    if let Some(at) = probed {
        let document = challenged(&mut survey, &transport, at).await;
        note_resource(&mut survey, document, at);
        if let (Some(resource), Some(probe)) = (&mut survey.resource, probe) {
            probe.clone_into(&mut resource.probe);
        }
    }
    if survey.resource.is_none()
        && let Some(id) = survey.found.resources.first().cloned()
    {
        let document = resource_document(&transport, &id).await;
        note_resource(&mut survey, document, &id);
    }
    Ok(survey)
}

/// Reads what a resource says about itself whose issuer we are; `probe` is a request to it.
///
/// # Errors
/// In words, why nothing can be asked.
pub async fn of_resource(issuer: &str, probe: &str) -> Result<Survey, String> {
    let at = probe.split_once(' ').map_or(probe, |(_, at)| at);
    let mut survey = Survey {
        issuer: issuer.trim_end_matches('/').to_owned(),
        ..Survey::default()
    };
    let transport = transport(std::iter::once(at))?;
    let document = challenged(&mut survey, &transport, at).await;
    note_resource(&mut survey, document, at);
    if let Some(resource) = &mut survey.resource {
        probe.clone_into(&mut resource.probe);
    }
    Ok(survey)
}

fn transport<'a>(urls: impl Iterator<Item = &'a str>) -> Result<Transport, String> {
    let limits = Options {
        timeout: Duration::from_secs(10),
        ..Options::default()
    }
    .limits();
    // Reading public documents is what any visitor does.
    Transport::new(AllowList::new(urls, true), limits, None).map_err(|error| error.to_string())
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
    let words = format!(
        "{issuer} does not answer: {}. Check the URL and that the server runs",
        silent.join("; ")
    );
    (None, nobody.then_some(words))
}

/// The URL is perhaps that of an API: its challenge or its metadata names the authorization server.
async fn behind_a_resource(
    survey: &mut Survey,
    asked: &Transport,
    url: &str,
) -> Result<(), String> {
    let mut document = challenged(survey, asked, url).await;
    if document.is_none() {
        document = resource_document(asked, url).await;
    }
    let Some(document) = document else {
        return Ok(());
    };
    let Some(issuer) = list(&document, "authorization_servers").into_iter().next() else {
        return Ok(());
    };
    survey
        .notes
        .push(format!("{url} is a protected resource of {issuer}"));
    note_resource(survey, Some(document), url);
    let (found, silent) = metadata(&transport([issuer.as_str()].into_iter())?, &issuer).await;
    survey.issuer = issuer;
    survey.found = found.unwrap_or_default();
    silent.map_or(Ok(()), Err)
}

/// What a request without a token is answered with, and the metadata that the challenge names.
async fn challenged(
    survey: &mut Survey,
    transport: &Transport,
    url: &str,
) -> Option<Map<String, Value>> {
    let reply = transport
        .send_patiently(Request::get(url))
        .await
        .reply
        .ok()?;
    if reply.status != 401 {
        survey.notes.push(format!(
            "{url} answers {} without a token; a protected resource answers 401",
            reply.status
        ));
        return None;
    }
    let headers: Vec<&[u8]> = reply.all("www-authenticate").collect();
    let parsed = wire::challenge::parse(headers);
    let place = ["Bearer", "DPoP"]
        .iter()
        .find_map(|scheme| parsed.scheme(scheme)?.param("resource_metadata"))
        .map(str::to_owned);
    let document = match &place {
        Some(place) => document(transport, place).await,
        None => resource_document(transport, url).await,
    };
    let told = match (&document, &place) {
        (Some(_), Some(place)) => format!("its metadata: {place}"),
        (Some(_), None) => "its metadata is at the usual place".to_owned(),
        (None, _) => "and it names no metadata (RFC 9728)".to_owned(),
    };
    survey.notes.push(format!("{url} answers 401, {told}"));
    document
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

/// Takes over what is known of a resource that answers at this URL.
fn note_resource(survey: &mut Survey, document: Option<Map<String, Value>>, url: &str) {
    let id = document
        .as_ref()
        .and_then(|document| document.get("resource")?.as_str())
        .unwrap_or_default();
    let scopes = document
        .as_ref()
        .map(|document| list(document, "scopes_supported"))
        .unwrap_or_default();
    survey.resource = Some(NewResource {
        id: id.to_owned(),
        probe: format!("GET {url}"),
        scope: scopes.first().cloned().unwrap_or_default(),
        refused: None,
    });
    survey.scopes = scopes;
}
