//! Everything the server remembers, behind one lock. Handlers take the lock, decide and change in one go, so that "once" means once.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jose::{Jwks, SigningKey, random_token};
use serde_json::{Map, Value};

use crate::{
    Fault, UserFact,
    approval::{Approval, Limits},
    device::Device,
    face::{FaceData, FieldKind},
    pkce::Challenge,
};

/// Above this many entries of one kind what has expired goes, and where that is little, the half that would end first;
/// of clients those that registered themselves and were never granted anything.
const CAPACITY: usize = 50_000;

/// Makes room among entries, where there are more than [`CAPACITY`].
fn shed<K: Eq + std::hash::Hash, V>(entries: &mut HashMap<K, V>, ends: impl Fn(&V) -> u64) {
    if entries.len() <= CAPACITY {
        return;
    }
    let now = now();
    entries.retain(|_, entry| ends(entry) > now);
    if entries.len() > CAPACITY / 2 {
        let mut times: Vec<u64> = entries.values().map(&ends).collect();
        let middle = times.len() / 2;
        let (_, last, _) = times.select_nth_unstable(middle);
        let last = *last;
        entries.retain(|_, entry| ends(entry) > last);
    }
}

/// The running server.
pub(crate) struct App {
    pub face: &'static FaceData,
    /// `http://127.0.0.1:PORT`, the prefix of every URL.
    pub origin: String,
    pub issuer: String,
    pub key: SigningKey,
    pub jwks: Jwks,
    /// The issuer whose keys are fetched (face `alone`).
    pub trust: Option<String>,
    pub users: Vec<User>,
    pub agents: Vec<Agent>,
    /// What DPoP nonces are made from.
    pub nonce_secret: String,
    /// Whether nothing is fetched, whoever asks: then the server opens no socket at all.
    pub offline: bool,
    faults: Vec<Fault>,
    db: Mutex<Db>,
}

/// Without what it remembers.
impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// Somebody's agent.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub id: String,
    pub name: &'static str,
    /// Whose it is: an index in [`App::users`].
    pub user: usize,
    /// What it may not do, whatever scopes a token has.
    pub barred: &'static [&'static str],
}

/// A person who can log in.
pub(crate) struct User {
    /// The subject identifier.
    pub sub: String,
    /// What the login page asks for, by field name.
    pub fields: Vec<(String, String)>,
}

impl User {
    pub fn new(fact: &UserFact) -> User {
        User {
            sub: format!("user-{}", random_token(12)),
            fields: fact.fields.clone(),
        }
    }

    /// What it has in a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut all = self.fields.iter();
        all.find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first field: what people call themselves.
    pub fn login_name(&self) -> &str {
        self.fields.first().map_or("", |(_, value)| value)
    }
}

#[derive(Default)]
pub(crate) struct Db {
    pub clients: HashMap<String, Client>,
    pub sessions: HashMap<String, Session>,
    pub interactions: HashMap<String, Interaction>,
    pub grants: HashMap<u64, Grant>,
    /// Client Identifier URLs whose document was bad; by fault only.
    pub bad_documents: std::collections::HashSet<String>,
    /// Pushed requests by their reference.
    pub pushed: HashMap<String, crate::par::Pushed>,
    pub codes: HashMap<String, Code>,
    /// By device code.
    pub devices: HashMap<String, Device>,
    /// Of the MCP server, by identifier.
    pub mcp_sessions: HashMap<String, crate::mcp_session::Session>,
    /// By token text if opaque, by `jti` if a JWT.
    pub access: HashMap<String, Access>,
    pub refresh: HashMap<String, Refresh>,
    /// `jti` of client assertions seen.
    pub assertions: HashMap<String, u64>,
    /// `jti` of DPoP proofs seen, with their key.
    pub proofs: HashMap<String, u64>,
    /// Counts up; for grants, and for the faults that make guessable values.
    pub serial: u64,
    /// When clients were registered, in milliseconds since the epoch, where that is limited.
    pub registrations: Vec<u64>,
    /// Set by a deep fault: the token endpoint refuses everything.
    pub poisoned: bool,
}

/// A registered client.
#[derive(Clone, Default)]
pub(crate) struct Client {
    pub id: String,
    /// The name in [`crate::Facts`]; empty for dynamically registered ones.
    pub name: String,
    /// What the consent page calls it. Hostile.
    pub title: String,
    pub secret: Option<String>,
    /// `token_endpoint_auth_method`.
    pub auth: String,
    pub redirect_uris: Vec<String>,
    pub grant_types: Vec<String>,
    /// What it may ask for; `None`: every scope.
    pub scope: Option<Vec<String>>,
    pub pkce_optional: bool,
    /// `require_pushed_authorization_requests` (RFC 9126 §6).
    pub push_required: bool,
    /// By fault only: its redirect URIs are not compared.
    pub any_redirect_uri: bool,
    pub brief: bool,
    /// How long its access tokens live, in seconds, if not as long as others.
    pub access: Option<u64>,
    pub introspects: bool,
    pub jwks: Option<Value>,
    pub jwks_uri: Option<String>,
    /// RFC 7592.
    pub registration_token: Option<String>,
    /// What was registered, as the registration answer shows it.
    pub metadata: Map<String, Value>,
}

impl Client {
    pub fn is_public(&self) -> bool {
        self.auth == "none"
    }

    pub fn may(&self, grant_type: &str) -> bool {
        self.grant_types.iter().any(|own| own == grant_type)
    }
}

/// A browser.
#[derive(Clone, Default)]
pub(crate) struct Session {
    pub user: Option<usize>,
    /// What this person has approved in this session.
    pub approved: Vec<Approval>,
    /// The hidden token of the page for user codes.
    pub csrf: String,
    /// User codes typed here that no device waits with.
    pub wrong_codes: u32,
    pub expires: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Login,
    Consent,
    Approved,
    Denied,
}

/// One authorization request on its way through login and consent.
#[derive(Clone)]
pub(crate) struct Interaction {
    pub request: crate::authorize::Request,
    pub session: String,
    pub csrf: String,
    /// Who is logged in.
    pub user: Option<usize>,
    /// Who is on the way to be: known by name, not yet by password or code.
    pub claimed: Option<usize>,
    /// The page of the login that is next.
    pub page: usize,
    pub phase: Phase,
    pub expires: u64,
}

/// What a user (or, without one, a client for itself) has been granted.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub client: String,
    pub user: Option<usize>,
    pub sub: String,
    /// The agent that the user has chosen, where there are agents.
    pub agent: Option<String>,
    /// What may be spent, where the approval says so.
    pub limits: Option<Limits>,
    pub scopes: Vec<String>,
    pub resources: Vec<String>,
    pub details: Vec<Value>,
    pub nonce: Option<String>,
    pub alive: bool,
    pub expires: u64,
}

/// An authorization code.
#[derive(Clone)]
pub(crate) struct Code {
    pub grant: u64,
    pub client: String,
    pub redirect_uri: String,
    pub challenge: Option<Challenge>,
    /// The thumbprint of the key that must redeem it (RFC 9449 §10).
    pub jkt: Option<String>,
    /// Milliseconds since the epoch.
    pub expires_ms: u64,
    pub used: bool,
}

/// An access token.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub grant: u64,
    pub client: String,
    pub sub: String,
    pub scopes: Vec<String>,
    pub audience: Vec<String>,
    pub details: Vec<Value>,
    pub issued: u64,
    pub expires: u64,
    pub revoked: bool,
    pub jwt: bool,
    /// The thumbprint of the key it is bound to (RFC 9449 §6).
    pub jkt: Option<String>,
    /// Came out of a refresh, not straight from a code.
    pub refreshed: bool,
}

/// A refresh token.
#[derive(Clone, Debug)]
pub(crate) struct Refresh {
    pub grant: u64,
    pub client: String,
    /// What this token may be used for; the grant's unless a fault shrinks it.
    pub scopes: Vec<String>,
    /// The thumbprint of the key it is bound to: that of a public client (RFC 9449 §5).
    pub jkt: Option<String>,
    pub consumed: bool,
    pub revoked: bool,
    pub refreshed: bool,
    pub expires: u64,
}

/// The time since the epoch.
fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Seconds since the epoch.
pub(crate) fn now() -> u64 {
    since_epoch().as_secs()
}

/// Milliseconds since the epoch.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX)
}

impl App {
    pub fn new(
        face: &'static FaceData,
        origin: String,
        issuer: String,
        faults: Vec<Fault>,
        users: Vec<User>,
        agents: Vec<Agent>,
    ) -> App {
        let key = SigningKey::generate(jose::Alg::ES256);
        let jwks = Jwks::from_json(&key.public_jwks()).unwrap_or_default();
        App {
            face,
            origin,
            issuer,
            key,
            jwks,
            trust: None,
            users,
            nonce_secret: random_token(24),
            agents,
            offline: false,
            faults: (faults.iter())
                .flat_map(|fault| [Some(*fault), fault.like()])
                .flatten()
                .collect(),
            db: Mutex::default(),
        }
    }

    /// Whether this fault is switched on.
    pub fn broken(&self, fault: impl Into<Fault>) -> bool {
        self.faults.contains(&fault.into())
    }

    /// The agent of this identifier.
    pub fn agent(&self, id: &str) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.id == id)
    }

    /// Whether a fault for the fuzzer is switched on.
    pub fn broken_deep(&self) -> bool {
        self.faults
            .iter()
            .any(|fault| fault.kind() == crate::fault::Kind::Deep)
    }

    /// The lock over everything remembered. A panic elsewhere must not take the server down with it.
    /// See [`crate::Server::secrets`].
    pub fn secrets(&self) -> Vec<String> {
        let db = self.db();
        let pages = self.face.login.iter().flat_map(|page| page.fields);
        let secret: Vec<&str> = pages
            .filter(|field| matches!(field.kind, FieldKind::Password | FieldKind::Code))
            .map(|field| field.name)
            .collect();
        let passwords = (self.users.iter())
            .flat_map(|user| &user.fields)
            .filter(|(name, _)| secret.contains(&name.as_str()));
        let clients = db.clients.values();
        let opaque = db.access.iter().filter(|(_, access)| !access.jwt);
        (passwords.map(|(_, value)| value))
            .chain(
                clients.flat_map(|client| client.secret.iter().chain(&client.registration_token)),
            )
            .chain(db.codes.keys())
            .chain(db.devices.keys())
            .chain(opaque.map(|(token, _)| token))
            .chain(db.refresh.keys())
            .chain(db.sessions.keys())
            .chain(db.mcp_sessions.keys())
            .chain(
                db.interactions
                    .values()
                    .map(|interaction| &interaction.csrf),
            )
            .cloned()
            .collect()
    }

    pub fn db(&self) -> MutexGuard<'_, Db> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The absolute URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// The resource identifiers, in the order of the face.
    pub fn resource_ids(&self) -> Vec<String> {
        self.face
            .resources
            .iter()
            .map(|resource| self.url(resource.path))
            .collect()
    }

    /// Whether JWTs are the form for this audience: they are unless all its members, as far as they are known, read opaque tokens.
    pub fn wants_jwt(&self, audience: &[String]) -> bool {
        audience.iter().any(|id| {
            let resources = &mut self.face.resources.iter();
            let known = resources.find(|own| id.trim_end_matches('/') == self.url(own.path));
            known.is_none_or(|known| known.format == crate::face::Format::Jwt)
        })
    }

    /// The user a subject identifier or login name stands for.
    pub fn user_named(&self, name: &str) -> Option<usize> {
        self.users
            .iter()
            .position(|user| user.sub == name || user.login_name() == name)
    }
}

impl Db {
    pub fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// Makes room, so that nobody can fill the server up for others. Cheap as long as there is little.
    pub fn prune(&mut self) {
        // Used codes and consumed refresh tokens stay until then: their replay must be noticed.
        shed(&mut self.codes, |code| code.expires_ms / 1000 + 600);
        shed(&mut self.devices, |device| device.expires_ms / 1000);
        shed(&mut self.sessions, |session| session.expires);
        shed(&mut self.mcp_sessions, |session| session.expires);
        shed(&mut self.interactions, |interaction| interaction.expires);
        shed(&mut self.pushed, |pushed| pushed.expires_ms / 1000);
        shed(&mut self.access, |access| access.expires);
        shed(&mut self.refresh, |refresh| refresh.expires);
        shed(&mut self.grants, |grant| grant.expires);
        shed(&mut self.proofs, |expires| *expires);
        shed(&mut self.assertions, |expires| *expires);
        if self.clients.len() > CAPACITY {
            let granted = self.grants.values().map(|grant| &grant.client);
            let granted: std::collections::HashSet<&String> = granted.collect();
            self.clients
                .retain(|id, client| !client.name.is_empty() || granted.contains(id));
        }
    }

    /// Ends a grant and, with it, every token that came out of it.
    pub fn end_grant(&mut self, id: u64) {
        if let Some(grant) = self.grants.get_mut(&id) {
            grant.alive = false;
        }
    }

    pub fn grant_alive(&self, id: u64) -> bool {
        self.grants.get(&id).is_some_and(|grant| grant.alive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_fills_the_server_up_does_not_shut_others_out() {
        let mut db = Db::default();
        for number in 0..=CAPACITY as u64 {
            db.proofs.insert(number.to_string(), now() + 60 + number);
        }
        let newest = CAPACITY.to_string();
        db.proofs.insert("over".into(), now() - 1);
        db.prune();
        assert!(db.proofs.len() <= CAPACITY / 2 + 1);
        assert!(db.proofs.contains_key(&newest) && !db.proofs.contains_key("0"));
        for number in 0..=CAPACITY {
            db.clients.insert(number.to_string(), Client::default());
        }
        let own = Client {
            name: "a".into(),
            ..Client::default()
        };
        db.clients.insert("own".into(), own);
        db.prune();
        assert_eq!(db.clients.len(), 1);
    }
}
