//! What `$name.field` stands for.
//!
//! Step names give the fields of earlier steps; the built-in names give facts of the target and
//! computed near misses. The list for authors is in `docs/suites.md`.

use url::Url;

use super::{Scene, World};
use crate::client::Pkce;
use crate::suite::model::{Part, Template};
use crate::targets::model::Client;

/// Built-in names that do not depend on the target file; `client-NAME` and `user-NAME` do.
pub const BUILT_IN: &[&str] = &[
    "client", "pkce", "redirect", "loopback", "target", "resource", "scope", "broader", "probe",
    "rar", "random", "canary", "listener", "issued", "dpop",
];

/// Everything a template can name while a step is built.
pub struct Names<'s> {
    /// The scene, for the fields of earlier steps.
    pub scene: &'s Scene<'s>,
    /// The acting client.
    pub client: &'s Client,
    /// The PKCE pair of the authorization in question.
    pub pkce: &'s Pkce,
}

impl Names<'_> {
    /// The text a template stands for.
    ///
    /// # Errors
    /// Which reference has no value, and why.
    pub fn resolve(&self, template: &Template) -> Result<String, String> {
        let mut text = String::new();
        for part in &template.0 {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Reference { name, field } => text.push_str(&self.lookup(name, field)?),
            }
        }
        Ok(text)
    }

    fn lookup(&self, name: &str, field: &str) -> Result<String, String> {
        if let Some(outcome) = self.scene.named(name) {
            return outcome
                .field(field)
                .map(str::to_owned)
                .ok_or_else(|| format!("step `{name}` gave no {field}"));
        }
        let world = self.scene.world;
        let value = match name {
            "client" => client_field(self.client, field),
            "pkce" => match field {
                "verifier" => Some(self.pkce.verifier.clone()),
                "challenge" => Some(self.pkce.challenge.clone()),
                _ => None,
            },
            "redirect" => redirect_uri(self.client).and_then(|uri| near_miss(&uri, field)),
            // Whoever has registered the name may use it: no miss.
            "loopback" if field == "localhost" && registered_localhost(self.client) => None,
            "loopback" => loopback_uri(self.client).and_then(|uri| loopback_miss(&uri, field)),
            "target" => target_field(world, field),
            "resource" => world
                .target
                .resource(&field.replace('_', "-"))
                .and_then(|resource| resource.id.clone()),
            "scope" => scope_field(world, field),
            "broader" => world
                .target
                .resource(&field.replace('_', "-"))
                .and_then(|resource| resource.broader.clone()),
            "probe" => world
                .target
                .resource(&field.replace('_', "-"))
                .map(|resource| resource.url.to_string()),
            "rar" => world
                .target
                .rar(&field.replace('_', "-"))
                .map(str::to_owned),
            "random" => match field {
                "token" | "verifier" => Some(jose::random_token(32)),
                "challenge" => Some(jose::s256(&jose::random_token(32))),
                _ => None,
            },
            "canary" => match field {
                "text" => Some(world.canary.clone()),
                "html" => Some(format!("{0}\"'><svg/onload=1>{0}", world.canary)),
                _ => None,
            },
            "listener" => world
                .listener
                .as_ref()
                .and_then(|listener| listener.field(field, &self.scene.id)),
            "issued" => issued(world, field),
            "dpop" => self.scene.keys().thumbprint(field),
            _ => {
                if let Some(client) = name.strip_prefix("client-") {
                    world
                        .target
                        .client(client)
                        .and_then(|client| client_field(client, field))
                } else if let Some(user) = name.strip_prefix("user-") {
                    world.target.user(user).and_then(|user| match field {
                        "login" => user.fields.first().map(|(_, value)| value.clone()),
                        "agent" => {
                            let mut fields = user.fields.iter();
                            fields
                                .find(|(name, _)| name == "agent")
                                .map(|(_, value)| value.clone())
                        }
                        _ => user
                            .fields
                            .iter()
                            .find(|(key, _)| key == field)
                            .map(|(_, value)| value.clone()),
                    })
                } else {
                    None
                }
            }
        };
        value.ok_or_else(|| format!("${name}.{field} has no value for this target"))
    }
}

fn client_field(client: &Client, field: &str) -> Option<String> {
    match field {
        "id" => client.id.clone(),
        "secret" => client.secret.clone(),
        "redirect_uri" => client.redirect_uris.first().cloned(),
        "redirect_uri_2" => client.redirect_uris.get(1).cloned(),
        _ => None,
    }
}

fn redirect_uri(client: &Client) -> Option<String> {
    client.redirect_uris.first().cloned()
}

fn loopback_uri(client: &Client) -> Option<String> {
    client
        .redirect_uris
        .iter()
        .find(|uri| uri.contains("127.0.0.1"))
        .cloned()
}

fn registered_localhost(client: &Client) -> bool {
    let mut uris = client.redirect_uris.iter();
    uris.any(|uri| uri.starts_with("http://localhost"))
}

fn target_field(world: &World, field: &str) -> Option<String> {
    let url = Url::parse(&world.target.issuer).ok();
    match field {
        "issuer" => Some(world.target.issuer.clone()),
        "host" => url?.host_str().map(str::to_owned),
        "origin" => Some(url?.origin().ascii_serialization()),
        _ => None,
    }
}

fn scope_field(world: &World, field: &str) -> Option<String> {
    if field == "all" {
        let mut all: Vec<&str> = world
            .target
            .resources
            .iter()
            .filter_map(|resource| resource.scope.as_deref())
            .flat_map(str::split_whitespace)
            .collect();
        all.dedup();
        let mut seen = Vec::new();
        all.retain(|scope| {
            let new = !seen.contains(scope);
            seen.push(scope);
            new
        });
        return (!all.is_empty()).then(|| all.join(" "));
    }
    world
        .target
        .resource(&field.replace('_', "-"))
        .and_then(|resource| resource.scope.clone())
}

/// A well-formed access token of an issuer nobody knows.
fn issued(world: &World, field: &str) -> Option<String> {
    if field != "foreign_token" {
        return None;
    }
    let mut header = serde_json::Map::new();
    header.insert("typ".into(), "at+jwt".into());
    let now = jiff::Timestamp::now().as_second();
    let claims = serde_json::json!({
        "iss": "https://issuer.example",
        "sub": "alice",
        "aud": world.target.resources.first().and_then(|resource| resource.id.clone()),
        "client_id": "client",
        "iat": now,
        "exp": now + 300,
        "jti": jose::random_token(16),
        "scope": scope_field(world, "all"),
    });
    match claims {
        serde_json::Value::Object(claims) => Some(world.key.sign(&header, &claims)),
        _ => None,
    }
}

/// Pieces of a URI, as text.
struct Pieces<'a> {
    scheme: &'a str,
    authority: &'a str,
    host: &'a str,
    port: Option<&'a str>,
    /// Path, query and fragment.
    rest: &'a str,
    path: &'a str,
}

fn pieces(uri: &str) -> Option<Pieces<'_>> {
    let (scheme, after) = uri.split_once("://")?;
    let at = after.find(['/', '?', '#']).unwrap_or(after.len());
    let (authority, rest) = after.split_at(at);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    Some(Pieces {
        scheme,
        authority,
        host,
        port,
        rest,
        path,
    })
}

/// A near miss of a redirect URI: exactly one thing differs.
fn near_miss(uri: &str, field: &str) -> Option<String> {
    let parts = pieces(uri)?;
    let Pieces {
        scheme,
        authority,
        host,
        port,
        rest,
        path,
    } = parts;
    let default_port = if scheme == "https" { "443" } else { "80" };
    Some(match field {
        "scheme" => scheme.to_owned(),
        "authority" => authority.to_owned(),
        "host" => host.to_owned(),
        "port" => port.unwrap_or(default_port).to_owned(),
        "path" => path.to_owned(),
        "origin" => format!("{scheme}://{authority}"),
        "other_port" => {
            let other = if port == Some("8443") { "9443" } else { "8443" };
            format!("{scheme}://{host}:{other}{rest}")
        }
        "explicit_port" if port.is_none() => format!("{scheme}://{host}:{default_port}{rest}"),
        "explicit_port" => format!("{scheme}://{host}:0{}{rest}", port?),
        "host_upper" => {
            let upper = host.to_ascii_uppercase();
            let differs = upper != host;
            differs.then(|| format!("{scheme}://{}{rest}", authority.replace(host, &upper)))?
        }
        "path_upper" => {
            let upper = path.to_ascii_uppercase();
            let changed = rest.replacen(path, &upper, 1);
            (upper != path).then(|| format!("{scheme}://{authority}{changed}"))?
        }
        "path_encoded" => {
            let at = path.rfind(|letter: char| letter.is_ascii_alphanumeric())?;
            let byte = *path.as_bytes().get(at)?;
            let encoded = format!(
                "{}%{byte:02x}{}",
                path.get(..at)?,
                path.get(at + 1..).unwrap_or_default()
            );
            format!("{scheme}://{authority}{}", rest.replacen(path, &encoded, 1))
        }
        "path_parent" => {
            let changed = format!("/x/..{path}");
            format!("{scheme}://{authority}{}", rest.replacen(path, &changed, 1))
        }
        "scheme_swapped" => {
            let other = if scheme == "https" { "http" } else { "https" };
            format!("{other}://{authority}{rest}")
        }
        "without_query" => uri.split(['?', '#']).next()?.to_owned(),
        _ => return None,
    })
}

/// A near miss of a loopback redirect URI, where only the port may vary (RFC 8252 §7.3).
fn loopback_miss(uri: &str, field: &str) -> Option<String> {
    let parts = pieces(uri)?;
    let port = parts.port.unwrap_or("51004");
    let rest = parts.rest;
    let at = |host: &str| format!("http://{host}:{port}{rest}");
    Some(match field {
        "other_port" => format!("http://127.0.0.1:51923{rest}"),
        "other_path" => format!("http://127.0.0.1:{port}/elsewhere"),
        "localhost" => at("localhost"),
        "https" => format!("https://127.0.0.1:{port}{rest}"),
        "short" => at("127.1"),
        "hex" => at("0x7f.1"),
        "mapped" => at("[::ffff:127.0.0.1]"),
        "suffix" => at("127.0.0.1.attacker.example"),
        "query" => format!("http://127.0.0.1:{port}{rest}?x=1"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_differs_in_one_thing() {
        let uri = "https://app.example/cb";
        let got = |field| near_miss(uri, field);
        assert_eq!(
            got("explicit_port").as_deref(),
            Some("https://app.example:443/cb")
        );
        assert_eq!(got("host_upper").as_deref(), Some("https://APP.EXAMPLE/cb"));
        assert_eq!(got("path_upper").as_deref(), Some("https://app.example/CB"));
        assert_eq!(
            got("path_encoded").as_deref(),
            Some("https://app.example/c%62")
        );
        assert_eq!(
            got("path_parent").as_deref(),
            Some("https://app.example/x/../cb")
        );
        assert_eq!(
            got("scheme_swapped").as_deref(),
            Some("http://app.example/cb")
        );
        assert_eq!(
            got("other_port").as_deref(),
            Some("https://app.example:8443/cb")
        );
        assert_eq!(near_miss("http://127.0.0.1:9/cb", "host_upper"), None);
    }
}
