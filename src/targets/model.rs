//! A target, ready to be tested. Authors see `docs/targets.md`; [`super::load`] reads the file.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use url::Url;

/// What is tested.
#[derive(Debug, Clone)]
pub struct Target {
    /// For people: the file's name, or `reference`.
    pub name: String,
    /// The target file and the line of its issuer, `target.toml:3`; none for what comes without a file.
    pub source: Option<String>,
    /// As written; compared string-identical with the metadata.
    pub issuer: String,
    /// The profiles that judge.
    pub profiles: Vec<String>,
    /// Clients by name, in file order.
    pub clients: Vec<Client>,
    /// Resources (probes) by name, in file order.
    pub resources: Vec<Resource>,
    /// Users by name.
    pub users: Vec<User>,
    /// How a user logs in.
    pub login: Login,
    /// What the server declares about itself.
    pub policy: Policy,
    /// Where discovery is absent.
    pub endpoints: Endpoints,
    /// The client that may introspect.
    pub introspection_client: Option<String>,
    /// Valid authorization details: name, JSON array text.
    pub rar: Vec<(String, String)>,
    /// Parameters every authorization request needs.
    pub params: Vec<(String, String)>,
    /// Cases that this server departs from on purpose, by its own documentation: id (or glob), and why.
    pub departures: Vec<(String, String)>,
    /// Origins that may be contacted besides the issuer's: those of probes, of endpoint overrides, and
    /// what `hosts` names.
    pub hosts: Vec<String>,
    /// How to get there: proxy, certificates, addresses.
    pub network: crate::transport::Network,
    /// How oauthspec makes access tokens itself, where no authorization server takes part.
    pub mint: Option<Mint>,
}

/// What signs as the issuer, made when it is first asked for: whoever only reads a target file does not wait for a
/// fresh RSA key.
pub type IssuerKey =
    Arc<LazyLock<Arc<jose::Signer>, Box<dyn FnOnce() -> Arc<jose::Signer> + Send>>>;

/// The issuer that the resource servers trust, in our hands.
#[derive(Debug, Clone)]
pub struct Mint {
    /// Signs as the issuer.
    pub signer: IssuerKey,
    /// Whether its metadata and key set are served at the issuer's port.
    pub serve: bool,
    /// The `typ` of a valid access token (RFC 9068 §2.1).
    pub typ: String,
    /// How long a token lives.
    pub lifetime: Duration,
    /// Further claims of a valid token, and other values for `sub`, `aud`, `client_id`.
    pub claims: serde_json::Map<String, serde_json::Value>,
}

/// A client of the target.
#[derive(Debug, Clone)]
pub struct Client {
    /// `a`, `confidential`, …
    pub name: String,
    /// Register it at the start of the run.
    pub register: bool,
    /// The client identifier; `None` until registered.
    pub id: Option<String>,
    /// The client secret.
    pub secret: Option<String>,
    /// How it authenticates.
    pub auth: ClientAuth,
    /// What kind it is.
    pub kind: ClientKind,
    /// Its redirect URIs.
    pub redirect_uris: Vec<String>,
}

impl Client {
    /// Who reads public documents: nobody in particular, with nothing to show.
    pub fn nobody() -> Client {
        Client {
            name: String::new(),
            register: false,
            id: None,
            secret: None,
            auth: ClientAuth::None,
            kind: ClientKind::Public,
            redirect_uris: Vec::new(),
        }
    }
}

/// Client authentication methods (RFC 7591 §2, `token_endpoint_auth_method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientAuth {
    /// Public client.
    None,
    /// Authorization header.
    Basic,
    /// Secret in the body.
    Post,
    /// Signed assertion (RFC 7523).
    PrivateKeyJwt,
}

impl ClientAuth {
    /// Every method.
    pub const ALL: [ClientAuth; 4] = [
        ClientAuth::None,
        ClientAuth::Basic,
        ClientAuth::Post,
        ClientAuth::PrivateKeyJwt,
    ];

    /// The method of this name.
    pub fn parse(word: &str) -> Option<ClientAuth> {
        ClientAuth::ALL.into_iter().find(|own| own.word() == word)
    }

    /// The registered name.
    pub fn word(self) -> &'static str {
        match self {
            ClientAuth::None => "none",
            ClientAuth::Basic => "client_secret_basic",
            ClientAuth::Post => "client_secret_post",
            ClientAuth::PrivateKeyJwt => "private_key_jwt",
        }
    }
}

/// Client types (RFC 6749 §2.1, RFC 8252).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientKind {
    /// Cannot keep a secret.
    Public,
    /// Can.
    Confidential,
    /// Public, with a loopback redirect URI.
    Native,
}

/// A protected resource and a harmless request to it.
#[derive(Debug, Clone)]
pub struct Resource {
    /// `a`, `b`, `write`, `pay`, …
    pub name: String,
    /// The resource indicator (RFC 8707 §2), when the server has such.
    pub id: Option<String>,
    /// The probe's method.
    pub method: String,
    /// The probe's absolute URL.
    pub url: Url,
    /// The probe's body and content type.
    pub body: Option<(String, String)>,
    /// The scope the probe needs.
    pub scope: Option<String>,
    /// A scope that covers `scope`, when the server's scopes form a hierarchy.
    pub broader: Option<String>,
    /// The authorization detail the probe needs, by name.
    pub rar: Option<String>,
    /// The MCP revision, when the probe is a message to an MCP server.
    pub mcp: Option<String>,
}

/// A person who can log in.
#[derive(Debug, Clone)]
pub struct User {
    /// `a` or `b`.
    pub name: String,
    /// What the login pages ask for.
    pub fields: Vec<(String, String)>,
}

/// How a user logs in and consents.
#[derive(Debug, Clone)]
pub struct Login {
    /// Which driver.
    pub driver: Driver,
    /// What is done on which page.
    pub steps: Vec<LoginStep>,
    /// A command that logs in (`hook`), or tells a value such as a one-time code (`"$hook"`).
    pub hook: Option<Hook>,
    /// Access tokens given by hand, by the name of their resource.
    pub tokens: Vec<(String, String)>,
    /// How long a person, a command or a browser may take for one login.
    pub timeout: Duration,
    /// Whether logins that nothing depends on share one browser session.
    pub share_session: bool,
    /// Whether the manual driver opens the address in the desktop's browser.
    pub open: bool,
}

impl Default for Login {
    /// Forms, and no steps.
    fn default() -> Login {
        Login {
            driver: Driver::Form,
            steps: Vec::new(),
            hook: None,
            tokens: Vec::new(),
            timeout: Duration::from_secs(60),
            share_session: false,
            open: false,
        }
    }
}

impl Login {
    /// Whether a user can approve a part.
    pub fn can_withhold(&self) -> bool {
        let by_page = matches!(self.driver, Driver::Form | Driver::Browser);
        by_page && self.steps.iter().any(|step| !step.partly.is_empty())
    }

    /// The access token given for a resource.
    pub fn token(&self, resource: &str) -> Option<&str> {
        let given = self.tokens.iter().find(|(name, _)| name == resource);
        given.map(|(_, token)| token.as_str())
    }

    /// This login, as somebody goes through it who approves a part.
    pub fn partly(&self) -> Login {
        let mut login = self.clone();
        for step in &mut login.steps {
            let held = std::mem::take(&mut step.partly);
            step.fill.extend(held);
        }
        login
    }

    /// Whether a user can say no.
    pub fn can_deny(&self) -> bool {
        let by_step = |step: &LoginStep| {
            let call = step.call.as_ref();
            step.deny.is_some() || call.is_some_and(|call| call.deny_body.is_some())
        };
        match self.driver {
            Driver::Hook | Driver::Manual => true,
            Driver::Tokens | Driver::Mint | Driver::None => false,
            Driver::Form | Driver::Json | Driver::Browser => self.steps.iter().any(by_step),
        }
    }
}

/// A command of the user's own.
#[derive(Debug, Clone)]
pub struct Hook {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Where it runs: the target file's folder.
    pub folder: Option<PathBuf>,
}

/// The login drivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// HTML forms, filled and submitted.
    Form,
    /// Requests to the login's own API.
    Json,
    /// A real browser, by WebDriver.
    Browser,
    /// A command that gets the URL and prints the callback.
    Hook,
    /// A person.
    Manual,
    /// Nobody logs in: access tokens are given.
    Tokens,
    /// Nobody logs in: oauthspec signs access tokens itself. Not written as a driver: `[mint]` says it.
    Mint,
    /// The server asks nobody: it approves by itself.
    None,
}

impl Driver {
    /// Every driver that a target file may name.
    pub const ALL: [Driver; 7] = [
        Driver::Form,
        Driver::Json,
        Driver::Browser,
        Driver::Hook,
        Driver::Manual,
        Driver::Tokens,
        Driver::None,
    ];

    /// Whether tokens come from elsewhere, so that no authorization server is asked for any.
    pub fn brings_tokens(self) -> bool {
        matches!(self, Driver::Tokens | Driver::Mint)
    }

    /// The word in a target file.
    pub fn word(self) -> &'static str {
        match self {
            Driver::Form => "form",
            Driver::Json => "json",
            Driver::Browser => "browser",
            Driver::Hook => "hook",
            Driver::Manual => "manual",
            Driver::Tokens => "tokens",
            Driver::Mint => "mint",
            Driver::None => "none",
        }
    }
}

/// One page: which fields to fill and which button to press.
#[derive(Debug, Clone, Default)]
pub struct LoginStep {
    /// Field name (or label) and value; `$user.FIELD` and `$hook` are replaced.
    pub fill: Vec<(String, String)>,
    /// The button: its text, its name, or `name=value`.
    pub press: Option<String>,
    /// The button (or link) a denying user presses.
    pub deny: Option<String>,
    /// What a user who approves only a part fills in besides.
    pub partly: Vec<(String, String)>,
    /// A link's text to follow instead.
    pub link: Option<String>,
    /// A request of the `json` driver.
    pub call: Option<Call>,
}

/// One request of an API-driven login. Strings may hold `$user.FIELD`, `$page.last`, `$page.url`,
/// `$page.query.NAME` (of the page where the authorization request led), `$hook`, and what earlier steps took.
#[derive(Debug, Clone)]
pub struct Call {
    /// `GET`, `POST`, `PUT`; `OPEN` for the browser's address bar.
    pub method: String,
    /// A path or URL.
    pub url: String,
    /// The JSON body of an approving user.
    pub body: Option<serde_json::Value>,
    /// The JSON body of a denying user: the step that asks for consent.
    pub deny_body: Option<serde_json::Value>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Members to keep: name, path in the answer (`data.csrf`, `links.0.href`).
    pub take: Vec<(String, String)>,
}

/// What the server declares about itself.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The scope asked for by default.
    pub scope: Option<String>,
    /// How long a revoked token may live on.
    pub revocation_lag: Duration,
    /// How long a rotated refresh token may still be used.
    pub replay_grace: Duration,
    /// Whether the token endpoint takes JSON.
    pub token_body_json: bool,
    /// Whether a request without `resource` is refused.
    pub resource_required: bool,
    /// Whether PKCE is declared optional.
    pub pkce_optional: bool,
    /// Whether a request without `state` is refused.
    pub state_required: bool,
    /// Whether the owner permits some fifty registrations in a row, to see that they are limited.
    pub burst: bool,
    /// Whether a consent outlives the browser session.
    pub consent_remembered: bool,
    /// The authorization detail sent with every authorization request, by name.
    pub rar: Option<String>,
    /// Other codes that mean the same here.
    pub error_aliases: Vec<(String, Vec<String>)>,
    /// Extra policies by name, for `expect.within = "policy.NAME"`.
    pub times: Vec<(String, Duration)>,
}

/// Endpoint overrides, absolute.
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    /// RFC 6749 §3.1.
    pub authorization: Option<String>,
    /// RFC 6749 §3.2.
    pub token: Option<String>,
    /// RFC 7591.
    pub registration: Option<String>,
    /// RFC 7009.
    pub revocation: Option<String>,
    /// RFC 7662.
    pub introspection: Option<String>,
    /// RFC 7517.
    pub jwks: Option<String>,
    /// RFC 9126.
    pub par: Option<String>,
    /// RFC 8628.
    pub device: Option<String>,
}

impl Endpoints {
    /// Those that there are.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        [
            &self.authorization,
            &self.token,
            &self.registration,
            &self.revocation,
            &self.introspection,
            &self.jwks,
            &self.par,
            &self.device,
        ]
        .into_iter()
        .filter_map(|url| url.as_deref())
    }
}

impl Target {
    /// The client of this name.
    pub fn client(&self, name: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.name == name)
    }

    /// The resource of this name. Where none is called `a`, the first is what cases mean by it.
    pub fn resource(&self, name: &str) -> Option<&Resource> {
        let named = self.resources.iter().find(|resource| resource.name == name);
        named.or_else(|| self.resources.first().filter(|_| name == "a"))
    }

    /// The user of this name.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    /// The authorization detail array of this name, as JSON text.
    pub fn rar(&self, name: &str) -> Option<&str> {
        self.rar
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, text)| text.as_str())
    }
}
