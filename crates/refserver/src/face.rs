//! Faces: what the server looks like. A face is data (paths, scopes, resources, token spellings, lifetimes, how people log in); the handlers take
//! every name from here and know no path of their own.
//!
//! A further face is a file below `face/` with its data, a variant of [`Face`] with its lines in `ALL`, `data` and `faults`, and a table of its
//! faults below `fault/`. Where it is kinder or stricter than the reference server, [`Rules`] says so.

mod agnicpay;
mod alone;
mod hasp;
mod hightop;
mod reference;

use crate::{
    Fault,
    fault::{AgnicFault, AloneFault, HaspFault, HightopFault, SessionFault, TenantFault},
    rar::DetailType,
};

/// Which server the reference server looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Face {
    /// Its own: every feature, two resource servers, JWT access tokens at `a` and opaque ones at `b`.
    #[default]
    Reference,
    /// The same, judged by what the Model Context Protocol asks of an MCP server and its authorization server.
    Mcp,
    /// The same on https, with an issuer that has a path, as a server with several tenants has it; every request has to be pushed.
    Tenant,
    /// The same, with an MCP server of the revision before (2025-11-25), which keeps sessions.
    Mcp2025,
    /// Hightop, as its public documentation describes it: e-mail, one-time code, an agent, eight scopes, two resources with JWTs.
    Hightop,
    /// The same behind pages that work with JavaScript only.
    HightopScript,
    /// AgnicPay, as its public documentation describes it: JSON token requests, opaque tokens, spending limits, a CLI on loopback ports.
    Agnicpay,
    /// Resource servers alone: they trust the tokens of an issuer that the tester is.
    Alone,
    /// HASP, as its public documentation describes it: required authorization details, an agent named in the request, opaque tokens of eight hours.
    Hasp,
}

impl Face {
    /// Every face.
    pub const ALL: &[Face] = &[
        Face::Reference,
        Face::Mcp,
        Face::Tenant,
        Face::Mcp2025,
        Face::Hightop,
        Face::HightopScript,
        Face::Agnicpay,
        Face::Alone,
        Face::Hasp,
    ];

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        self.data().name
    }

    /// The face of that name.
    pub fn parse(name: &str) -> Option<Face> {
        Face::ALL.iter().copied().find(|face| face.name() == name)
    }

    /// The published service it stands for, by the name that suites and profiles use; `None` for the reference server itself.
    pub fn service(self) -> Option<&'static str> {
        self.data().service
    }

    /// The faults that break this face's own promises. [`Fault::ALL`] are those of the reference server.
    pub fn faults(self) -> &'static [Fault] {
        match self {
            Face::Reference => Fault::ALL,
            Face::Hightop => HightopFault::ALL,
            Face::Mcp | Face::HightopScript => &[],
            Face::Mcp2025 => SessionFault::ALL,
            Face::Agnicpay => AgnicFault::ALL,
            Face::Alone => AloneFault::ALL,
            Face::Hasp => HaspFault::ALL,
            Face::Tenant => TenantFault::ALL,
        }
    }

    pub(crate) fn data(self) -> &'static FaceData {
        match self {
            Face::Reference => &reference::FACE,
            Face::Mcp => &reference::MCP,
            Face::Tenant => &reference::TENANT,
            Face::Mcp2025 => &reference::MCP_2025,
            Face::Hightop => &hightop::FACE,
            Face::HightopScript => &hightop::SCRIPT,
            Face::Agnicpay => &agnicpay::FACE,
            Face::Alone => &alone::FACE,
            Face::Hasp => &hasp::FACE,
        }
    }
}

/// The shape of an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// RFC 9068.
    Jwt,
    /// A random string.
    Opaque,
}

/// A page of the login. What is asked for are fields of the user; their values are made at start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoginPage {
    pub title: &'static str,
    pub fields: &'static [LoginField],
    pub button: &'static str,
}

/// A field of a login page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoginField {
    pub name: &'static str,
    pub label: &'static str,
    pub kind: FieldKind,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// What the user goes by.
    Name,
    /// An e-mail address the user goes by.
    Email,
    /// A password.
    Password,
    /// Six digits that came by mail.
    Code,
    /// One of the user's agents, to be chosen from a list.
    Agent,
}

/// An agent of a user: each has one for each line. Its identifier is made at start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AgentData {
    pub name: &'static str,
    /// The user of this name chooses it in the target: `a`, `b`.
    pub chosen_by: &'static str,
    /// What it may not do, whatever scopes a token has.
    pub barred: &'static [&'static str],
}

/// How often something may be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    pub count: usize,
    /// In this many seconds.
    pub seconds: u64,
}

/// Where a face is stricter or kinder than the reference server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// The authorization details (a name in `detail_examples`) that every authorization request must bring some of (RFC 9396 §3).
    pub details_required: Option<&'static str>,
    /// Whether a token answer says which authorization details were granted (RFC 9396 §7).
    pub details_returned: bool,
    /// The parameter that must name one of the user's agents.
    pub agent_parameter: Option<&'static str>,
    /// Whether identifiers are ULIDs: 26 characters of Crockford's base 32.
    pub ulids: bool,
    /// Open registration, limited.
    pub registrations: Option<Allowance>,
    /// Whether there are other grants than codes: refresh tokens, clients that act for themselves.
    pub refresh_tokens: bool,
    /// Whether the login and consent pages need JavaScript.
    pub script: bool,
    /// The token endpoint takes a JSON object, and no form.
    pub token_json: bool,
    /// `state` and, at both endpoints, `redirect_uri` are required; an authorization request that lacks a required parameter is answered with 400.
    pub parameters_required: bool,
    /// A challenge without a method is an S256 one.
    pub pkce_method_optional: bool,
    /// What was approved in a browser session is approved in silence from then on, unless `prompt` says otherwise.
    pub consent_remembered: bool,
    /// A refresh token may come without `client_id`.
    pub refresh_without_client: bool,
    /// The port of a redirect URI at the name `localhost` may vary, as at the loopback addresses.
    pub localhost_any_port: bool,
    /// Whether resources have identifiers (RFC 8707) and metadata (RFC 9728).
    pub resource_indicators: bool,
    /// Whether the approval asks for spending limits and networks.
    pub limits: bool,
    /// Whether there are resource servers only.
    pub alone: bool,
    /// Whether every authorization request must be pushed (RFC 9126 §5).
    pub push_required: bool,
    /// Whether it is served on https.
    pub https: bool,
    /// Whether the MCP server speaks the revision with sessions, 2025-11-25.
    pub mcp_sessions: bool,
}

impl Rules {
    /// Those of the reference server.
    pub(crate) const REFERENCE: Rules = Rules {
        details_required: None,
        details_returned: true,
        agent_parameter: None,
        ulids: false,
        registrations: None,
        refresh_tokens: true,
        script: false,
        token_json: false,
        parameters_required: false,
        pkce_method_optional: false,
        consent_remembered: false,
        refresh_without_client: false,
        localhost_any_port: false,
        resource_indicators: true,
        limits: false,
        alone: false,
        push_required: false,
        https: false,
        mcp_sessions: false,
    };
}

impl FaceData {
    /// Whether requests may be signed (RFC 9101): where they may be pushed.
    pub(crate) fn speaks_jar(&self) -> bool {
        self.paths.push.is_some()
    }

    /// Whether people may approve a part of what is asked: on a face of our own, which has a page for that.
    pub(crate) fn lets_choose(&self) -> bool {
        self.service.is_none() && !self.rules.alone
    }

    /// The revision that its MCP server speaks.
    pub(crate) fn mcp_revision(&self) -> &'static str {
        match self.rules.mcp_sessions {
            true => "2025-11-25",
            false => "2026-07-28",
        }
    }

    /// Whether a client_id may be the URL of a metadata document: on a face of our own, of no published service.
    pub(crate) fn knows_documents(&self) -> bool {
        self.service.is_none()
    }
}

/// Everything that makes a face.
pub(crate) struct FaceData {
    pub name: &'static str,
    /// The published service it stands for.
    pub service: Option<&'static str>,
    /// Whether it publishes metadata (RFC 8414) and, for its resources, RFC 9728.
    pub metadata: bool,
    /// Path part of the issuer identifier, `""` or `/tenant`.
    pub issuer_path: &'static str,
    pub paths: Paths,
    /// Where devices ask and people type their codes; `None`: there is no device grant.
    pub device: Option<DevicePaths>,
    /// Whether tokens can be bound to a key (RFC 9449).
    pub dpop: bool,
    /// Scope and what the consent page says about it.
    pub scopes: &'static [(&'static str, &'static str)],
    /// Granted when a request names none.
    pub default_scope: &'static str,
    pub resources: &'static [ResourceData],
    /// The resource meant when a request names none; `None`: `resource` is required.
    pub default_resource: Option<&'static str>,
    pub details: &'static [DetailType],
    /// A valid example of each detail type: name and JSON text.
    pub detail_examples: &'static [(&'static str, &'static str)],
    pub prefixes: Prefixes,
    pub lifetimes: Lifetimes,
    /// The pages before the approval, in order.
    pub login: &'static [LoginPage],
    pub agents: &'static [AgentData],
    pub rules: Rules,
    /// Cases of the specifications that this service departs from by its own documentation: id (or a glob), and why. They are waivers of the target.
    pub departures: &'static [(&'static str, &'static str)],
    pub clients: &'static [ClientData],
    /// The client that may introspect.
    pub introspection_client: Option<&'static str>,
}

/// Endpoint paths; what a face does not have is `None`. Interaction pages get `/{id}` appended; login and consent may share a path.
pub(crate) struct Paths {
    pub authorize: &'static str,
    /// Where requests are pushed (RFC 9126).
    pub push: Option<&'static str>,
    pub login: &'static str,
    pub consent: &'static str,
    pub token: &'static str,
    pub register: Option<&'static str>,
    pub revoke: Option<&'static str>,
    pub introspect: Option<&'static str>,
    pub jwks: Option<&'static str>,
}

/// The paths of the device grant (RFC 8628).
#[derive(Clone, Copy)]
pub(crate) struct DevicePaths {
    /// The device authorization endpoint.
    pub endpoint: &'static str,
    /// The verification page.
    pub page: &'static str,
}

/// What secrets of each kind start with.
pub(crate) struct Prefixes {
    pub code: &'static str,
    pub access: &'static str,
    pub refresh: &'static str,
    pub client: &'static str,
    pub secret: &'static str,
}

impl Prefixes {
    /// Nothing tells what a value is.
    const NONE: Prefixes = Prefixes {
        code: "",
        access: "",
        refresh: "",
        client: "",
        secret: "",
    };
}

/// In seconds.
pub(crate) struct Lifetimes {
    /// Of a pushed request.
    pub pushed: u64,
    pub code: u64,
    pub access: u64,
    pub refresh: u64,
    pub interaction: u64,
}

impl Lifetimes {
    /// As RFC 9700 would have them: short codes, short access tokens.
    const USUAL: Lifetimes = Lifetimes {
        pushed: 60,
        code: 60,
        access: 300,
        refresh: 86_400,
        interaction: 600,
    };
}

/// A resource server. Its identifier is the server's origin followed by `path`.
pub(crate) struct ResourceData {
    pub name: &'static str,
    pub path: &'static str,
    pub format: Format,
    pub routes: &'static [Route],
}

/// A guarded route.
pub(crate) struct Route {
    /// The name of the probe in [`crate::Facts`].
    pub name: &'static str,
    pub method: &'static str,
    pub path: &'static str,
    pub scope: &'static str,
    /// The authorization detail type it needs, and the action (`""`: the type alone).
    pub detail: Option<(&'static str, &'static str)>,
}

/// A client registered at start. Identifiers and secrets are made at run time.
pub(crate) struct ClientData {
    pub name: &'static str,
    /// A `token_endpoint_auth_method`.
    pub auth: &'static str,
    /// `public`, `confidential` or `native`.
    pub kind: &'static str,
    pub redirect_uris: &'static [&'static str],
    /// May leave out PKCE, as a client from before OAuth 2.1 would.
    pub pkce_optional: bool,
    /// Codes and access tokens live for moments only, so that expiry can be watched.
    pub brief: bool,
    /// Its secret has characters that Basic credentials must encode (RFC 6749 §2.3.1).
    pub special: bool,
    /// Its identifier, where that is documented.
    pub id: Option<&'static str>,
    /// How long its access tokens live, in seconds, if not as long as others.
    pub access: Option<u64>,
}

const fn client(
    name: &'static str,
    auth: &'static str,
    kind: &'static str,
    redirect_uris: &'static [&'static str],
) -> ClientData {
    ClientData {
        name,
        auth,
        kind,
        redirect_uris,
        pkce_optional: false,
        brief: false,
        special: false,
        id: None,
        access: None,
    }
}

// The clients that the roles of `docs/suites.md` ask for; a face whose documentation says otherwise has its own.
const A: ClientData = client("a", "none", "public", &["https://client-a.example/cb"]);
const B: ClientData = client("b", "none", "public", &["https://client-b.example/cb"]);
const CONFIDENTIAL: ClientData = client(
    "confidential",
    "client_secret_basic",
    "confidential",
    &["https://confidential.example/cb"],
);
const CONFIDENTIAL_B: ClientData = client(
    "confidential-b",
    "client_secret_post",
    "confidential",
    &["https://confidential-b.example/cb"],
);
const NATIVE: ClientData = client(
    "native",
    "none",
    "native",
    &["http://127.0.0.1/cb", "http://[::1]/cb"],
);
const MANY: ClientData = client(
    "many",
    "none",
    "public",
    &["https://many.example/one", "https://many.example/two"],
);
const BRIEF: ClientData = ClientData {
    brief: true,
    ..client("brief", "none", "public", &["https://brief.example/cb"])
};

/// A route that needs a scope and no authorization details.
const fn route(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    scope: &'static str,
) -> Route {
    Route {
        name,
        method,
        path,
        scope,
        detail: None,
    }
}

const fn field(name: &'static str, label: &'static str, kind: FieldKind) -> LoginField {
    LoginField { name, label, kind }
}

const EMAIL: LoginField = field("email", "E-mail", FieldKind::Email);
const PASSWORD: LoginField = field("password", "Password", FieldKind::Password);
