//! The shape of a target file, for the JSON Schema (`schemas/target.json`) and for the loader, which
//! takes the known and the required keys from here.

use std::collections::BTreeMap;

use schemars::JsonSchema;

/// What oauthspec tests, how a user logs in there, and what the server declares about itself.
/// `${NAME}` in any string value is replaced by that environment variable.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct TargetFile {
    /// The issuer, string-identical to the metadata's.
    pub issuer: String,
    /// The profiles that judge; `oauth21` when left out.
    #[schemars(length(min = 1))]
    pub profiles: Option<Vec<String>>,
    /// Further origins that belong to the target: `https://login.example`. Those of probes and
    /// endpoints are added by themselves.
    #[schemars(length(min = 1))]
    pub hosts: Option<Vec<String>>,
    /// Clients by name: `a`, `b` (public), `confidential`, `confidential-b`, `native`, `many`, `legacy`, `rs`.
    pub client: Option<BTreeMap<String, ClientFile>>,
    /// Resources by name: `a`, `b`, `write`, `pay`.
    pub resource: Option<BTreeMap<String, ResourceFile>>,
    /// Users by name, `a` and `b`; the fields are those the login steps name, the login name first.
    pub user: Option<BTreeMap<String, BTreeMap<String, SecretFile>>>,
    /// How a user logs in and consents.
    pub login: Option<LoginFile>,
    /// What the server declares about itself.
    pub policy: Option<PolicyFile>,
    /// Endpoints that discovery does not tell; paths are resolved against the issuer.
    pub endpoints: Option<EndpointsFile>,
    /// Who may introspect.
    pub introspection: Option<IntrospectionFile>,
    /// Valid authorization details by name.
    pub rar: Option<BTreeMap<String, RarFile>>,
    /// Further parameters every authorization request needs.
    pub params: Option<BTreeMap<String, String>>,
    /// Cases that this server departs from on purpose: the id (`*` stands for any text), and why. They count as waived.
    pub departures: Option<BTreeMap<String, String>>,
    /// How to get there, when it is not the plain way.
    pub network: Option<NetworkFile>,
    /// oauthspec is the issuer: it makes the access tokens, and only resource servers are tested.
    pub mint: Option<MintFile>,
}

/// The issuer that the resource servers trust, in our hands.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct MintFile {
    /// The issuer's private key as PKCS#8 PEM; with `alg = "HS256"` the shared secret.
    pub key: Option<SecretFile>,
    /// Publish metadata and key set at the port of the issuer, which is on loopback; without `key`, with a key of this run.
    pub serve: Option<bool>,
    /// The algorithm; follows the key when left out, `ES256` without one.
    pub alg: Option<AlgFile>,
    /// The key's identifier; its thumbprint (RFC 7638) when left out, none for a secret.
    pub kid: Option<String>,
    /// The type of a valid access token; `at+jwt` when left out.
    pub typ: Option<String>,
    /// How long a token lives: `5m` when left out.
    pub lifetime: Option<String>,
    /// Further claims of a valid token, and other values for `sub`, `aud` and `client_id`.
    pub claims: Option<BTreeMap<String, serde_json::Value>>,
}

/// Signature algorithms (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(JsonSchema)]
pub enum AlgFile {
    /// HMAC with SHA-256.
    HS256,
    /// ECDSA on P-256.
    ES256,
    /// ECDSA on P-384.
    ES384,
    /// ECDSA on P-521.
    ES512,
    /// RSA PKCS#1 v1.5 with SHA-256.
    RS256,
    /// RSA PKCS#1 v1.5 with SHA-384.
    RS384,
    /// RSA PKCS#1 v1.5 with SHA-512.
    RS512,
    /// RSA-PSS with SHA-256.
    PS256,
    /// RSA-PSS with SHA-384.
    PS384,
    /// RSA-PSS with SHA-512.
    PS512,
    /// Ed25519.
    EdDSA,
}

/// How to get to the target.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct NetworkFile {
    /// An http proxy: `http://proxy.example:3128`. Left out: `HTTPS_PROXY` and `NO_PROXY` count.
    pub proxy: Option<SecretFile>,
    /// A PEM file with further root certificates, below the target file's folder; or the certificates themselves.
    pub ca: Option<String>,
    /// A PEM file with our own certificate chain.
    pub certificate: Option<String>,
    /// The PEM file of its key.
    pub key: Option<String>,
    /// Addresses of hosts: `{ "as.example" = "203.0.113.7" }`, with a port if it differs.
    #[schemars(length(min = 1))]
    pub resolve: Option<BTreeMap<String, String>>,
    /// `auto`, or `1.1`: never HTTP/2.
    pub http: Option<HttpFile>,
}

/// Versions of HTTP.
#[derive(JsonSchema)]
pub enum HttpFile {
    /// What the server prefers.
    #[schemars(rename = "auto")]
    Auto,
    /// HTTP/1.1 only.
    #[schemars(rename = "1.1")]
    One,
}

/// A client: registered by hand (`id`), or by oauthspec itself (`register = true`).
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ClientFile {
    /// Register it at the start of the run (RFC 7591) and delete it afterwards.
    pub register: Option<bool>,
    /// Its identifier.
    pub id: Option<String>,
    /// Its secret.
    pub secret: Option<SecretFile>,
    /// How it authenticates; `none` when left out, `client_secret_basic` when it is confidential.
    pub auth: Option<AuthFile>,
    /// What kind it is; follows `auth` when left out.
    #[schemars(rename = "type")]
    pub kind: Option<ClientTypeFile>,
    /// Its redirect URIs. They are never contacted.
    pub redirect_uris: Option<Vec<String>>,
}

/// A value, or where to find it.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum SecretFile {
    /// The value itself; for a secret this is accepted with a warning.
    Value(String),
    /// Elsewhere.
    Source(SourceFile),
}

/// Where a secret is found: one of both.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SourceFile {
    /// In this environment variable.
    pub env: Option<String>,
    /// In this file, below the target file's folder.
    pub file: Option<String>,
}

/// Client authentication at the token endpoint.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum AuthFile {
    /// A public client.
    None,
    /// In the Authorization header.
    ClientSecretBasic,
    /// In the body.
    ClientSecretPost,
    /// A signed assertion.
    PrivateKeyJwt,
}

/// What kind a client is.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum ClientTypeFile {
    /// Cannot keep a secret.
    Public,
    /// Can keep a secret.
    Confidential,
    /// Public, with a loopback redirect URI.
    Native,
}

/// A protected resource and a harmless request to it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ResourceFile {
    /// The resource indicator (RFC 8707), when the server has such.
    pub id: Option<String>,
    /// The request: `GET /v1/me`. A path is resolved against the issuer.
    pub probe: String,
    /// The scope it needs.
    pub scope: Option<String>,
    /// A scope that covers it, where the server's scopes form a hierarchy.
    pub broader: Option<String>,
    /// Its body.
    pub body: Option<String>,
    /// The body's media type.
    pub content_type: Option<String>,
    /// The authorization detail it needs, by name.
    pub rar: Option<String>,
    /// The revision of the Model Context Protocol (`2026-07-28`), when it is an MCP server and the body a JSON-RPC message.
    pub mcp: Option<String>,
}

/// How a user logs in and consents.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct LoginFile {
    /// Which driver.
    pub driver: DriverFile,
    /// Tried in order on every page: the first whose fields and button are in one form. For `json`: the
    /// requests, in order.
    #[schemars(length(min = 1))]
    pub step: Option<Vec<LoginStepFile>>,
    /// A command and its arguments. `hook`: it gets the URL and prints the callback URL. Elsewhere: it
    /// prints the value of `"$hook"`, such as a one-time code.
    #[schemars(length(min = 1))]
    pub hook: Option<Vec<String>>,
    /// Access tokens by the name of their resource, for the driver `tokens`.
    pub token: Option<BTreeMap<String, SecretFile>>,
    /// How long one login may take: `60s` when left out, `300s` for `manual`.
    pub timeout: Option<String>,
    /// `fresh`: a clean browser for every login. `shared`: one for all logins that nothing depends on.
    pub sessions: Option<SessionsFile>,
    /// Let `manual` open the address in the desktop's browser.
    pub open: Option<bool>,
}

/// Browser sessions.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum SessionsFile {
    /// A clean one each time.
    Fresh,
    /// One, where nothing depends on a clean one.
    Shared,
}

/// The login drivers.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum DriverFile {
    /// HTML forms.
    Form,
    /// Requests to the login's own API.
    Json,
    /// A real Chromium, for pages that need JavaScript.
    Browser,
    /// A command.
    Hook,
    /// A person.
    Manual,
    /// Access tokens are given; nobody logs in.
    Tokens,
    /// The server approves by itself.
    None,
}

/// One page.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct LoginStepFile {
    /// Field and value; `$user.FIELD` is the user's.
    pub fill: Option<BTreeMap<String, String>>,
    /// The button to press: its text, its name, or `name=value`.
    pub press: Option<String>,
    /// The button a denying user presses instead.
    pub deny: Option<String>,
    /// What a user who approves only a part fills in besides: what withholds the scope of the resource `write`.
    pub partly: Option<BTreeMap<String, String>>,
    /// The link to follow instead of pressing a button.
    pub link: Option<String>,
    /// `json`: GET this path or URL. `$user.FIELD`, `$page.last`, `$page.query.NAME`, `$hook` and taken names
    /// are replaced here and below.
    pub get: Option<String>,
    /// `json`: POST there.
    pub post: Option<String>,
    /// `json`: PUT there.
    pub put: Option<String>,
    /// `json`: let the browser go there.
    pub open: Option<String>,
    /// `json`: the body.
    pub body: Option<BTreeMap<String, serde_json::Value>>,
    /// `json`: the body of a denying user; marks the step as the consent.
    pub deny_body: Option<BTreeMap<String, serde_json::Value>>,
    /// `json`: further headers.
    pub header: Option<BTreeMap<String, String>>,
    /// `json`: keep members of the answer: `{ csrf = "data.csrf" }`, `@cookie.NAME`, `@header.NAME`.
    pub take: Option<BTreeMap<String, String>>,
}

/// What the server declares about itself.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PolicyFile {
    /// Asked for by default.
    pub scope: Option<String>,
    /// How long a revoked token may live on: `0s`.
    pub revocation_lag: Option<String>,
    /// How long a rotated refresh token may still be used: `0s`.
    pub replay_grace: Option<String>,
    /// `form` or `json`.
    pub token_body: Option<BodyFile>,
    /// Whether a request without `resource` is refused.
    pub resource_required: Option<bool>,
    /// Whether PKCE is demanded from every client.
    pub pkce: Option<PkceFile>,
    /// Whether a request without `state` is refused.
    pub state_required: Option<bool>,
    /// Whether some fifty registrations in a row are permitted, to see that they are limited.
    pub burst: Option<bool>,
    /// Whether a consent outlives the browser session: a user who has approved a client is not asked again.
    pub consent_remembered: Option<bool>,
    /// The authorization detail sent with every authorization request, by name.
    pub rar: Option<String>,
    /// Error codes that this server uses in place of another: `{ invalid_target = ["invalid_request"] }`.
    pub error_aliases: Option<BTreeMap<String, Vec<String>>>,
    /// Further times by name, for `expect.within = "policy.NAME"` in suites of your own.
    pub times: Option<BTreeMap<String, String>>,
}

/// How the token endpoint takes its parameters.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum BodyFile {
    /// As the RFCs say.
    Form,
    /// As JSON.
    Json,
}

/// Whether PKCE is demanded.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum PkceFile {
    /// From every client.
    Required,
    /// Not from every client.
    Optional,
}

/// Endpoints that discovery does not tell.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct EndpointsFile {
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

/// Who may introspect.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct IntrospectionFile {
    /// The name of a client of this file.
    pub client: String,
}

/// A valid authorization detail (RFC 9396).
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RarFile {
    /// The JSON array as text.
    pub details: String,
}
