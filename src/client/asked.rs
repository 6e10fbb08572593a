//! What we asked and did: facts of our own, each with its type and its place.

/// A PKCE pair (RFC 7636 §4.1, §4.2); empty where an operation has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pkce {
    /// The verifier.
    pub verifier: String,
    /// Its S256 challenge.
    pub challenge: String,
}

impl Pkce {
    /// A fresh verifier of 43 characters, and its challenge.
    pub fn fresh() -> Pkce {
        Pkce::of(jose::random_token(32))
    }

    /// This verifier, and its challenge.
    pub fn of(verifier: String) -> Pkce {
        Pkce {
            challenge: jose::s256(&verifier),
            verifier,
        }
    }
}

/// What we asked and did. What the server said about it is [`super::Said`]; nothing of that gets in here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// The scope asked for.
    pub scope: Option<String>,
    /// The (first) resource asked for (RFC 8707).
    pub resource: Option<String>,
    /// The redirect URI asked for.
    pub redirect_uri: Option<String>,
    /// The `state` sent.
    pub state: Option<String>,
    /// The code challenge sent.
    pub challenge: Option<String>,
    /// The code challenge method sent.
    pub challenge_method: Option<String>,
    /// The verifier that belongs to the challenge of a correct request.
    pub verifier: Option<String>,
    /// The code that was redeemed.
    pub code: Option<String>,
    /// The identifier of the client whose document we published.
    pub client_id: Option<String>,
    /// The device code whose verification page was visited.
    pub visited: Option<String>,
    /// The session of a call: its own, that of its answer, or one that is made up.
    pub session: Option<String>,
    /// The MCP session that was opened for a call.
    pub mcp_session: Option<String>,
}

impl Asked {
    /// What an authorization request asks for, by the first value of each of its parameters.
    pub fn of(parameter: impl Fn(&str) -> Option<String>, verifier: String) -> Asked {
        Asked {
            scope: parameter("scope"),
            resource: parameter("resource"),
            redirect_uri: parameter("redirect_uri").filter(|uri| !uri.is_empty()),
            state: parameter("state"),
            challenge: parameter("code_challenge"),
            challenge_method: parameter("code_challenge_method"),
            verifier: Some(verifier),
            ..Asked::default()
        }
    }

    /// The verifier that a redemption needs: without a challenge a correct client sends none (RFC 7636 §4.5).
    pub fn proof(&self) -> Option<&str> {
        let challenged = self.challenge.as_ref().is_some_and(|sent| !sent.is_empty());
        self.verifier.as_deref().filter(|_| challenged)
    }
}
