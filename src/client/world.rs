//! What all flows of a run share: the target as found, and what is ours.

use std::time::Duration;

use serde_json::{Map, Value};

use super::issuer::Issuer;
use super::listener::Listener;
use crate::login::Browser;
use crate::suite::model::Within;
use crate::targets::model::{Client, Endpoints, Target};
use crate::transport::Transport;
use crate::transport::redact::Secrets;

/// How long codes and tokens of the client `brief` live, when the target does not say it.
const BRIEF: Duration = Duration::from_secs(3);

/// The target as found, and our own keys.
pub struct World {
    /// What is tested; dynamically registered clients already have their identifiers.
    pub target: Target,
    /// How requests leave.
    pub transport: Transport,
    /// The authorization server metadata, when there is any.
    pub metadata: Option<Map<String, Value>>,
    /// Where it was found.
    pub metadata_url: Option<String>,
    /// Endpoints: the target file's, else the metadata's.
    pub endpoints: Endpoints,
    /// What each resource's metadata (RFC 9728) calls it, by name; where there is a document.
    pub resource_documents: std::collections::BTreeMap<String, String>,
    /// The server's public keys.
    pub jwks: Option<Value>,
    /// The harness's own key: signs client assertions, and whatever an attacker would sign.
    pub key: jose::SigningKey,
    /// A marker that occurs nowhere else.
    pub canary: String,
    /// Our own listener on loopback, when the target is there too.
    pub listener: Option<Listener>,
    /// The documents of the issuer that we play.
    pub issuer: Option<Issuer>,
    /// Secrets of the target file.
    pub secrets: Secrets,
    /// Whether exchanges are kept for the reports.
    pub keep_evidence: bool,
    /// Whether they are kept with their secrets too.
    pub keep_secrets: bool,
    /// Whether cases may take their time (`--slow`).
    pub slow: bool,
    /// How many races are run.
    pub race_rounds: u32,
    /// What was registered and has to be removed: management URL, token, client identifier.
    pub registrations: std::sync::Mutex<Vec<Registration>>,
    /// What was granted and has to be revoked: the client's name, and its newest token.
    pub grants: std::sync::Mutex<Vec<(String, String)>>,
    /// Browser sessions that logins share where nothing depends on a fresh one, by user.
    pub sessions: tokio::sync::Mutex<std::collections::BTreeMap<String, std::sync::Arc<Browser>>>,
}

/// What the target lacks for an operation, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing(pub String);

impl Missing {
    /// That this is missing.
    pub fn new(what: &str) -> Missing {
        Missing(what.to_owned())
    }
}

impl From<Missing> for String {
    fn from(missing: Missing) -> String {
        missing.0
    }
}

/// A client this run registered.
#[derive(Debug, Clone)]
pub struct Registration {
    /// RFC 7592 management URL, empty when the server gave none.
    pub uri: String,
    /// The registration access token.
    pub token: Option<String>,
    /// The client identifier.
    pub client_id: String,
}

impl World {
    /// Remembers a grant for the clean-up at the end; a refresh token replaces the one it came from.
    pub fn note_grant(&self, client: &str, token: &str, replaces: Option<&str>) {
        if let Ok(mut list) = self.grants.lock() {
            list.retain(|(_, old)| Some(old.as_str()) != replaces && old != token);
            list.push((client.to_owned(), token.to_owned()));
        }
    }

    /// Remembers a registration for the clean-up at the end.
    pub fn note_registration(&self, uri: &str, token: Option<&str>, id: Option<&str>) {
        if let Ok(mut list) = self.registrations.lock() {
            list.push(Registration {
                uri: uri.to_owned(),
                token: token.map(str::to_owned),
                client_id: id.unwrap_or_default().to_owned(),
            });
        }
    }

    /// The capabilities that can be read off the target and its metadata without logging in.
    pub fn static_capabilities(&self) -> Vec<String> {
        let target = &self.target;
        let mut found = Vec::new();
        let mut has = |name: &str, yes: bool| {
            if yes {
                found.push(name.to_owned());
            }
        };
        let metadata = |member: &str| {
            self.metadata
                .as_ref()
                .and_then(|metadata| metadata.get(member))
        };
        has("metadata", self.metadata.is_some());
        has("registration", self.endpoints.registration.is_some());
        has("revocation", self.endpoints.revocation.is_some());
        has(
            "introspection",
            self.endpoints.introspection.is_some() && target.introspection_client.is_some(),
        );
        has("par", self.endpoints.par.is_some());
        has("par_required", self.pushes());
        has("device", self.endpoints.device.is_some());
        // Our own key set says nothing about the server.
        has("jwks", self.jwks.is_some() && target.mint.is_none());
        has("issuer_key", target.mint.is_some());
        has("listener", self.listener.is_some());
        has("deny", target.login.can_deny());
        has("partly", target.login.can_withhold());
        has("first-consent", !target.policy.consent_remembered);
        has("burst", target.policy.burst);
        has(
            "dpop",
            metadata("dpop_signing_alg_values_supported").is_some(),
        );
        has(
            "cimd",
            metadata("client_id_metadata_document_supported") == Some(&Value::Bool(true)),
        );
        has(
            "jar",
            metadata("request_parameter_supported") == Some(&Value::Bool(true)),
        );
        let revisions = || target.resources.iter().filter_map(|one| one.mcp.as_deref());
        has("mcp", revisions().next().is_some());
        has("mcp-session", revisions().any(super::mcp::has_sessions));
        has(
            "mcp-headers",
            (target.resources.iter()).any(super::mcp::names_tool_in_header),
        );
        has(
            "broader",
            target.resources.iter().any(|one| one.broader.is_some()),
        );
        has(
            "https",
            target.mint.is_none() && target.issuer.starts_with("https://"),
        );
        has("rar", !target.rar.is_empty());
        for (name, _) in &target.rar {
            has(&format!("rar.{name}"), true);
        }
        for client in &target.clients {
            has(&format!("client.{}", client.name), client.id.is_some());
        }
        for user in &target.users {
            has(&format!("user.{}", user.name), true);
        }
        for resource in &target.resources {
            has(&format!("resource.{}", resource.name), true);
        }
        found
    }

    /// An endpoint of the authorization server.
    ///
    /// # Errors
    /// There is none, and why.
    pub fn endpoint<'e>(&self, url: &'e Option<String>, what: &str) -> Result<&'e str, Missing> {
        url.as_deref().ok_or_else(|| match self.target.mint {
            Some(_) => Missing::new("oauthspec is the issuer: no authorization server is tested"),
            None => Missing(format!("no {what} is known")),
        })
    }

    /// The client that may introspect (RFC 7662 §2.1).
    ///
    /// # Errors
    /// The target names none.
    pub fn introspector(&self) -> Result<&Client, Missing> {
        let name = self.target.introspection_client.as_deref();
        name.and_then(|name| self.target.client(name))
            .filter(|client| client.id.is_some())
            .ok_or_else(|| Missing::new("the target names no introspection client"))
    }

    /// Whether the server takes authorization requests only when they were pushed (RFC 9126 §5).
    pub fn pushes(&self) -> bool {
        let required = self
            .metadata
            .as_ref()
            .and_then(|metadata| metadata.get("require_pushed_authorization_requests"));
        required == Some(&Value::Bool(true)) && self.endpoints.par.is_some()
    }

    /// How long a time of a suite file is here; what the target does not declare is no time at all.
    pub fn time(&self, within: &Within) -> Duration {
        let policy = &self.target.policy;
        let name = match within {
            Within::Time(time) => return *time,
            Within::Policy(name) => name.as_str(),
        };
        match name {
            "revocation_lag" => policy.revocation_lag,
            "replay_grace" => policy.replay_grace,
            _ => self.declared(name).unwrap_or_default(),
        }
    }

    fn declared(&self, name: &str) -> Option<Duration> {
        let times = &self.target.policy.times;
        let named = times.iter().find(|(own, _)| own == name);
        named.map(|(_, time)| *time)
    }

    /// How long a step waits: for what the target declares a second more, so that it is over. The lifetimes of the client `brief` that it does
    /// not declare are three seconds.
    pub fn wait(&self, wait: &Within) -> Duration {
        let Within::Policy(name) = wait else {
            return self.time(wait);
        };
        let time = match name.as_str() {
            "code_lifetime" | "access_lifetime" => self.declared(name).unwrap_or(BRIEF),
            _ => self.time(wait),
        };
        match time {
            Duration::ZERO => Duration::ZERO,
            time => time + Duration::from_secs(1),
        }
    }
}
