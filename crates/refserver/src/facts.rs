//! What a running server says about itself to whoever tests it.

use std::sync::Arc;

use jose::Signer;

/// What a harness has to know, as a person who set the server up would.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The issuer identifier.
    pub issuer: String,
    /// The clients registered at start.
    pub clients: Vec<ClientFact>,
    /// The people who can log in.
    pub users: Vec<UserFact>,
    /// The protected routes, one entry each; several may belong to one resource identifier.
    pub resources: Vec<ResourceFact>,
    /// Valid authorization details: name and JSON array.
    pub rar: Vec<(String, String)>,
    /// Further parameters that every authorization request must have, for user `a`.
    pub params: Vec<(String, String)>,
    /// The name in it of those that every authorization request must bring.
    pub rar_required: Option<String>,
    /// The name of the client that may introspect.
    pub introspection_client: Option<String>,
    /// The published service that is stood for.
    pub service: Option<String>,
    /// The scope that people ask for by default.
    pub scope: String,
    /// Whether every authorization request must name a resource.
    pub resource_required: bool,
    /// Whether the token endpoint takes JSON.
    pub token_json: bool,
    /// Whether every authorization request must have `state`.
    pub state_required: bool,
    /// Whether PKCE is demanded of every client but those named `legacy`.
    pub pkce_required: bool,
    /// Whether it is RFC 8414 metadata that says where the endpoints are; if not, `endpoints` does.
    pub metadata: bool,
    /// The endpoints: `authorization`, `token`, … and path.
    pub endpoints: Vec<(&'static str, String)>,
    /// The pages before the approval: which user fields each asks for, and its button. The approval has `Approve` and `Deny`.
    pub pages: Vec<PageFact>,
    /// Whether the pages work with JavaScript only.
    pub script: bool,
    /// Fields of the approval page, and the user's fields that go there.
    pub approval: Vec<(String, String)>,
    /// Of the face `alone`: what the trusted issuer signs with.
    pub issuer_key: Option<Arc<Signer>>,
    /// Whether the issuer has to publish that key, because its metadata is asked for it.
    pub trusts: bool,
    /// Fields of the approval page by which a user withholds the scope of the route `write`, with their values.
    pub withheld: Vec<(String, String)>,
    /// The certificate to trust, PEM, where it is served on https.
    pub certificate: Option<String>,
    /// Cases that the service departs from by its documentation: id (or glob) and reason.
    pub departures: Vec<(String, String)>,
}

/// A page of the login.
#[derive(Clone, Debug)]
pub struct PageFact {
    /// Names of the fields, which are those of [`UserFact::fields`].
    pub fields: Vec<String>,
    /// The button's text.
    pub button: String,
}

/// A registered client.
#[derive(Clone, Debug)]
pub struct ClientFact {
    /// What suites call it.
    pub name: String,
    /// `client_id`.
    pub id: String,
    /// `client_secret`, if it has one.
    pub secret: Option<String>,
    /// `token_endpoint_auth_method`.
    pub auth: &'static str,
    /// `public`, `confidential` or `native`.
    pub kind: &'static str,
    /// As registered.
    pub redirect_uris: Vec<String>,
}

/// A person.
#[derive(Clone, Debug)]
pub struct UserFact {
    /// `a` or `b`.
    pub name: String,
    /// What the login form asks for: field name and value, made at start.
    pub fields: Vec<(String, String)>,
}

/// A protected route.
#[derive(Clone, Debug)]
pub struct ResourceFact {
    /// What suites call it.
    pub name: String,
    /// The resource identifier (RFC 8707), where there are such.
    pub id: Option<String>,
    /// Method and path of a request that needs a token.
    pub probe: String,
    /// The scope it needs.
    pub scope: String,
    /// The name in [`Facts::rar`] of the authorization details it needs.
    pub rar: Option<String>,
    /// A scope that covers it, where there is one.
    pub broader: Option<String>,
    /// The MCP revision, when it is an MCP server.
    pub mcp: Option<&'static str>,
}
