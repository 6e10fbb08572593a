//! Where the browser is sent, and what comes along (RFC 6749 §4.1.2, §4.1.2.1).

use super::{Answer, How, Said};
use crate::targets::model::{Client, Target};

/// Where clients wait: the URIs asked for, those registered for the client, and those of the target's other clients.
#[derive(Clone, Copy)]
pub struct Waiting<'w> {
    /// The target.
    pub target: &'w Target,
    /// The acting client.
    pub client: &'w Client,
    /// Every redirect URI of the request.
    pub asked: &'w [String],
}

/// An authorization response.
#[derive(Debug, Clone)]
pub struct Response {
    /// What it means.
    pub answer: Answer,
    /// Its parameters: query, fragment and form post together.
    pub params: Vec<(String, String)>,
}

impl Response {
    /// The first value of every parameter.
    pub fn said(&self) -> Said {
        let mut said = Said::default();
        for (name, value) in self.params.iter().rev() {
            said.set(name, value.as_str());
        }
        said
    }
}

impl Waiting<'_> {
    /// Whether the browser would now leave for a client.
    pub fn arrived(&self, url: &str) -> bool {
        let asked = self.asked.iter().filter(|uri| !uri.is_empty());
        let others = self.target.clients.iter();
        asked
            .chain(&self.client.redirect_uris)
            .chain(others.flat_map(|client| &client.redirect_uris))
            .any(|uri| leads_to(url, uri))
    }

    fn is_registered(&self, location: &str) -> bool {
        let registered = &self.client.redirect_uris;
        let mut asked = self.asked.iter().filter(|uri| !uri.is_empty());
        registered.iter().any(|uri| leads_to(location, uri))
            || asked.any(|asked| {
                leads_to(location, asked)
                    && registered.iter().any(|uri| {
                        wire::redirect_uri::same_loopback(uri, asked) || same_localhost(uri, asked)
                    })
            })
    }

    /// Reads where the browser was sent: the `Location` value or a form's action, with what a form posts; `status` is that of the answer.
    pub fn read(&self, location: &[u8], post: Option<&wire::form::Pairs>, status: u16) -> Response {
        let read = wire::location::read(location, None);
        let mut params: Vec<(String, String)> = Vec::new();
        let sources = [
            Some(read.query_pairs()),
            Some(read.fragment_pairs()),
            post.cloned(),
        ];
        for pairs in sources.into_iter().flatten() {
            for pair in pairs.iter() {
                let name = String::from_utf8_lossy(&pair.name).into_owned();
                let value = pair.value.as_deref().map(String::from_utf8_lossy);
                params.push((name, value.unwrap_or_default().into_owned()));
            }
        }
        let first = |name: &str| params.iter().find(|(key, _)| key == name);
        let has = |name: &str| {
            let mut all = params.iter();
            all.any(|(key, value)| key == name && !value.is_empty())
        };
        let location = String::from_utf8_lossy(location).into_owned();
        let with_code = has("code") || has("access_token");
        let answer = if !self.is_registered(&location) {
            Answer::Astray {
                location,
                with_code,
            }
        } else if has("error") || !with_code {
            Answer::Refused {
                status,
                error: first("error")
                    .filter(|_| has("error"))
                    .map(|(_, error)| error.clone()),
                how: How::Redirect,
            }
        } else {
            Answer::Success
        };
        Response { answer, params }
    }
}

/// Whether both are the same but for the port at the name `localhost`: a server may treat the name as it must treat
/// the addresses (OAuth 2.1 §4.1.1).
fn same_localhost(registered: &str, asked: &str) -> bool {
    let literal = |uri: &str| {
        let rest = uri.strip_prefix("http://localhost")?;
        let own = rest.is_empty() || rest.starts_with([':', '/', '?', '#']);
        own.then(|| format!("http://127.0.0.1{rest}"))
    };
    match (literal(registered), literal(asked)) {
        (Some(registered), Some(asked)) => wire::redirect_uri::same_loopback(&registered, &asked),
        _ => false,
    }
}

/// Whether a location is this redirect URI with response parameters added.
fn leads_to(location: &str, uri: &str) -> bool {
    location
        .strip_prefix(uri)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['?', '#', '&']))
        || replaces(location, uri)
}

/// Whether a location is this redirect URI, whose query already names response parameters, with those
/// parameters replaced in place of named twice.
fn replaces(location: &str, uri: &str) -> bool {
    let Some((base, query)) = uri.split_once('?') else {
        return false;
    };
    let Some(own) = location
        .strip_prefix(base)
        .and_then(|rest| rest.strip_prefix('?'))
    else {
        return false;
    };
    query.split('&').all(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        ["code", "state", "iss", "error"].contains(&name)
            || own.split(['&', '#']).any(|other| other == pair)
    })
}

#[cfg(test)]
mod tests {
    use super::same_localhost;

    #[test]
    fn only_the_port_may_differ_at_localhost() {
        let registered = "http://localhost/callback";
        assert!(same_localhost(
            registered,
            "http://localhost:51004/callback"
        ));
        assert!(same_localhost("http://localhost:1/callback", registered));
        for other in [
            "http://localhost:51004/elsewhere",
            "http://localhost.attacker.example/callback",
            "http://localhost:51004@attacker.example/callback",
            "https://localhost:51004/callback",
            "http://127.0.0.1:51004/callback",
        ] {
            assert!(!same_localhost(registered, other), "{other}");
        }
    }
}
