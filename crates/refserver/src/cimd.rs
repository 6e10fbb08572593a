//! Client ID Metadata Documents (draft-ietf-oauth-client-id-metadata-document-02): a client_id that is a URL, and the document behind it.
//!
//! A document is fetched anew for every authorization request, so nothing is cached but the client of the last good document. Where a server on
//! the internet asks for https, this one takes plain http on 127.0.0.1: the exemption for development of §8.6 (see [`crate::fetch`]).

use serde_json::{Map, Value};
use url::Url;

use crate::{App, Fault, client_metadata, fetch, state::Client};

/// Whether this client_id is a Client Identifier URL.
pub(crate) fn is_url(id: &str) -> bool {
    id.contains("://")
}

/// Fetches the document of a client and remembers the client.
///
/// # Errors
/// Why there is no such client.
pub(crate) async fn discover(app: &App, id: &str) -> Result<(), &'static str> {
    let url = identifier(app, id)?;
    let cached = app.broken(Fault::CimdErrorsCached) && app.db().bad_documents.contains(id);
    if cached {
        return Err("its document could not be read before");
    }
    let found = read(app, id, &url).await;
    let mut db = app.db();
    match found {
        Ok(client) => {
            db.prune();
            db.clients.insert(id.to_owned(), client);
            Ok(())
        }
        Err(why) => {
            db.clients.remove(id);
            if app.broken(Fault::CimdErrorsCached) {
                db.bad_documents.insert(id.to_owned());
            }
            Err(why)
        }
    }
}

/// §3: what a Client Identifier URL may look like.
fn identifier(app: &App, id: &str) -> Result<Url, &'static str> {
    let url = Url::parse(id).map_err(|_| "it is not a URL")?;
    if app.broken(Fault::CimdUrlUnchecked) {
        return Ok(url);
    }
    let rest = id.split_once("://").map_or("", |(_, rest)| rest);
    let Some((authority, path)) = rest.split_once('/') else {
        return Err("it has no path");
    };
    if authority.contains('@') {
        return Err("it has user information");
    }
    if id.contains('#') {
        return Err("it has a fragment");
    }
    let path = path.split('?').next().unwrap_or_default();
    let dots = |segment: &str| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    };
    if path.split('/').any(dots) {
        return Err("its path has dot segments");
    }
    Ok(url)
}

/// §4, §5: the document, checked like a registration.
async fn read(app: &App, id: &str, url: &Url) -> Result<Client, &'static str> {
    let body = fetch::document(app, url.as_str()).await?;
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(&body) else {
        return Err("its document is not a JSON object");
    };
    let claimed = members.get("client_id").and_then(Value::as_str);
    if claimed != Some(id) && !app.broken(Fault::CimdIdUnchecked) {
        return Err("its document names another client_id");
    }
    if app.broken(Fault::CimdLogoFetched) {
        for name in ["logo_uri", "jwks_uri"] {
            if let Some(uri) = members.get(name).and_then(Value::as_str) {
                let _answer = fetch::carelessly(uri).await;
            }
        }
    }
    let mut client = client_metadata::checked(app, &described(app, &members)?, true)
        .map_err(|_| "its document is not valid client metadata")?;
    client.id = id.to_owned();
    client.any_redirect_uri = app.broken(Fault::CimdRedirectUnchecked);
    Ok(client)
}

/// §4.1: no shared secrets. A client without credentials is the default, since it cannot have a secret.
fn described(app: &App, members: &Map<String, Value>) -> Result<Map<String, Value>, &'static str> {
    let mut members = members.clone();
    let method = members
        .get("token_endpoint_auth_method")
        .and_then(Value::as_str)
        .unwrap_or("none")
        .to_owned();
    let secret = method.starts_with("client_secret_")
        || members.contains_key("client_secret")
        || members.contains_key("client_secret_expires_at");
    if secret && !app.broken(Fault::CimdSecretAccepted) {
        return Err("its document has to do with a shared secret");
    }
    let method = if secret { "none".to_owned() } else { method };
    members.insert("token_endpoint_auth_method".into(), method.into());
    members.remove("client_secret");
    Ok(members)
}
