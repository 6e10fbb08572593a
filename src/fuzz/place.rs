//! The places of a request where a deviation can be made.

use super::operation::Kind;

/// What stands at a place, so that operators know where they make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A code, token, verifier or secret.
    Secret,
    /// The Bearer token of a call.
    Bearer,
    /// The redirect URI.
    Redirect,
    /// A resource indicator.
    Resource,
    /// Words separated by spaces.
    Scope,
    /// A word from a closed set.
    Choice,
    /// A client identifier.
    Name,
    /// What the server only echoes.
    Free,
    /// The code challenge.
    Challenge,
    /// JSON text in a parameter.
    Json,
    /// A member of a JSON body.
    Member,
    /// The request as a whole.
    Request,
}

/// A place where a deviation can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// Of which operation.
    pub kind: Kind,
    /// The parameter, or `request`.
    pub name: &'static str,
    /// What stands there.
    pub role: Role,
}

/// The places of an operation. `json`: whether the target has authorization details; `secret`:
/// whether the acting client has one; `resource`: whether there are resource indicators.
pub fn places(kind: Kind, json: bool, secret: bool, resource: bool) -> Vec<Place> {
    let place = |name, role| Place { kind, name, role };
    let mut places = match kind {
        Kind::Authorize => vec![
            place("response_type", Role::Choice),
            place("client_id", Role::Name),
            place("redirect_uri", Role::Redirect),
            place("state", Role::Free),
            place("scope", Role::Scope),
            place("code_challenge", Role::Challenge),
            place("code_challenge_method", Role::Choice),
        ],
        Kind::Exchange => vec![
            place("grant_type", Role::Choice),
            place("code", Role::Secret),
            place("redirect_uri", Role::Redirect),
            place("client_id", Role::Name),
            place("code_verifier", Role::Secret),
        ],
        Kind::Refresh => vec![
            place("grant_type", Role::Choice),
            place("refresh_token", Role::Secret),
            place("client_id", Role::Name),
            place("scope", Role::Scope),
        ],
        Kind::Revoke => vec![
            place("token", Role::Secret),
            place("client_id", Role::Name),
            place("token_type_hint", Role::Choice),
        ],
        Kind::Introspect => vec![
            place("token", Role::Secret),
            place("token_type_hint", Role::Choice),
        ],
        Kind::Call => vec![place("token", Role::Bearer)],
        Kind::Register => kind
            .verb()
            .sends()
            .iter()
            .copied()
            .map(|name| place(name, Role::Member))
            .collect(),
        Kind::Discover => Vec::new(),
        Kind::Direct => vec![
            place("grant_type", Role::Choice),
            place("client_id", Role::Name),
            place("scope", Role::Scope),
        ],
    };
    let posts = matches!(
        kind,
        Kind::Exchange | Kind::Refresh | Kind::Revoke | Kind::Direct
    );
    if secret && posts {
        places.push(place("client_secret", Role::Secret));
    }
    if resource && matches!(kind, Kind::Authorize | Kind::Exchange | Kind::Refresh) {
        places.push(place("resource", Role::Resource));
    }
    if json && matches!(kind, Kind::Authorize | Kind::Exchange | Kind::Refresh) {
        places.push(place("authorization_details", Role::Json));
    }
    places.push(place("request", Role::Request));
    places
}
