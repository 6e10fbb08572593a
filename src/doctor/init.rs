//! A first target file for a server: from what its documents say, from what its pages ask, and from what
//! its owner answers; whatever is not known stands there as a comment that says what to do.

mod write;

use crate::diagnostic::Diagnostics;
use crate::targets::load::{Surroundings, load_str};
use crate::targets::model::{LoginStep, Target};

/// What the metadata document says that a target file needs to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Where it was found; `None` when there is none.
    pub place: Option<String>,
    /// The `issuer` member, when it differs from the one asked for.
    pub other_issuer: Option<String>,
    /// `registration_endpoint` is there.
    pub registration: bool,
    /// `introspection_endpoint` is there.
    pub introspection: bool,
    /// `token_endpoint_auth_methods_supported`.
    pub auth: Vec<String>,
    /// `scopes_supported`.
    pub scopes: Vec<String>,
    /// `authorization_details_types_supported` (RFC 9396 §10).
    pub details: Vec<String>,
    /// `protected_resources` (RFC 9728 §4).
    pub resources: Vec<String>,
}

impl Found {
    /// Reads a metadata document that was asked for under this issuer.
    pub fn read(
        issuer: &str,
        place: &str,
        metadata: &serde_json::Map<String, serde_json::Value>,
    ) -> Found {
        let text = |name: &str| metadata.get(name).and_then(serde_json::Value::as_str);
        Found {
            place: Some(place.to_owned()),
            other_issuer: text("issuer")
                .filter(|other| *other != issuer)
                .map(str::to_owned),
            registration: text("registration_endpoint").is_some(),
            introspection: text("introspection_endpoint").is_some(),
            auth: list(metadata, "token_endpoint_auth_methods_supported"),
            scopes: list(metadata, "scopes_supported"),
            details: list(metadata, "authorization_details_types_supported"),
            resources: list(metadata, "protected_resources"),
        }
    }

    /// How a client with a secret authenticates there; `None` when the server announces no such way. What announces nothing takes
    /// `client_secret_basic` (RFC 8414 §2).
    pub fn by_secret(&self) -> Option<&'static str> {
        let known = ["client_secret_basic", "client_secret_post"];
        let announced = |way: &&str| self.auth.iter().any(|own| own == way);
        match self.auth.is_empty() {
            true => known.first().copied(),
            false => known.into_iter().find(announced),
        }
    }

    /// How a confidential client that is registered now authenticates: the same, or else with a key of the run.
    pub fn by_registration(&self) -> Option<&'static str> {
        let key = "private_key_jwt";
        let keys = self.auth.iter().any(|own| own == key).then_some(key);
        self.by_secret().or(keys)
    }
}

/// The texts of a member that is a list, as many as a person would read.
pub fn list(document: &serde_json::Map<String, serde_json::Value>, name: &str) -> Vec<String> {
    let all = document.get(name).and_then(serde_json::Value::as_array);
    let words = all
        .into_iter()
        .flatten()
        .filter_map(serde_json::Value::as_str);
    words
        .filter(|word| word.len() <= 200)
        .take(50)
        .map(str::to_owned)
        .collect()
}

/// A client of the new file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewClient {
    /// What suites call it.
    pub name: String,
    /// Its identifier; empty: register one.
    pub id: String,
    /// The environment variable that holds its secret.
    pub secret: Option<String>,
    /// `none`, `client_secret_basic`, …
    pub auth: String,
    /// Where it waits.
    pub redirect_uri: String,
    /// Why the server does not have it; then it is a comment.
    pub refused: Option<String>,
}

/// A protected resource of the new file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewResource {
    /// Its identifier (RFC 8707).
    pub id: String,
    /// A harmless request to it: `GET https://api.example/me`.
    pub probe: String,
    /// The scope the probe needs.
    pub scope: String,
    /// It is an MCP server, and the probe a message to it.
    pub mcp: Option<NewMcp>,
    /// Why it is of no use; then it is a comment.
    pub refused: Option<String>,
}

impl NewResource {
    /// What suites call it.
    pub fn name(&self) -> &'static str {
        match self.mcp {
            Some(_) => "mcp",
            None => "a",
        }
    }
}

/// What is known of an MCP server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewMcp {
    /// Its revision, as it was found by asking; `None`: nobody has asked yet.
    pub revision: Option<String>,
    /// The tool that the probe calls; `None`: it lists the tools.
    pub tool: Option<String>,
    /// The tools it has.
    pub tools: Vec<String>,
}

impl NewMcp {
    /// The revision that the file names.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or("2026-07-28")
    }

    /// The message that the probe posts.
    pub fn message(&self) -> String {
        let message = match &self.tool {
            Some(tool) => serde_json::json!({
                "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {}},
            }),
            None => serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
        };
        message.to_string()
    }
}

/// The file to be.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// The issuer identifier.
    pub issuer: String,
    /// What its metadata says.
    pub found: Found,
    /// Clients, the first is `a`.
    pub clients: Vec<NewClient>,
    /// The resources that are known: an API, an MCP server, or both.
    pub resources: Vec<NewResource>,
    /// What a person types: the field's name here, and the environment variable of user a.
    pub fields: Vec<(String, String)>,
    /// Whether the variables of user b are set too.
    pub second: bool,
    /// `form` or `browser`.
    pub driver: &'static str,
    /// The login steps that are known.
    pub steps: Vec<LoginStep>,
    /// Whether they were seen to lead to the redirect URI.
    pub walked: bool,
    /// Asked for by default.
    pub scope: String,
    /// Further parameters of every authorization request.
    pub params: Vec<(String, String)>,
    /// Authorization details of every authorization request (RFC 9396), a JSON array.
    pub details: String,
    /// Whether the token endpoint takes JSON instead of a form.
    pub token_json: bool,
    /// Endpoints that no metadata names: the target file's key, and a path or URL.
    pub endpoints: Vec<(String, String)>,
    /// oauthspec is the issuer that the resource trusts.
    pub mint: Option<NewMint>,
    /// Further root certificates, PEM; empty when the machine's own are enough.
    pub ca: String,
}

/// The issuer that we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewMint {
    /// With a key of the run, its documents served at the issuer's port.
    Served,
    /// With the key that this environment variable holds.
    Key(String),
}

/// The environment variable of user b for one of user a.
pub fn second_variable(variable: &str) -> String {
    match variable.strip_prefix("ALICE_") {
        Some(rest) => format!("BOB_{rest}"),
        None => format!("{variable}_B"),
    }
}

impl Draft {
    /// The target that the file describes, with these environment variables.
    ///
    /// # Errors
    /// What is wrong with the file, for example a URL that is none.
    pub fn target(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Target, Diagnostics> {
        let surroundings = Surroundings { env, folder: None };
        load_str("new.toml", &self.write(), &surroundings).map(|loaded| loaded.target)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn loads(draft: &Draft) -> Target {
        draft
            .target(&|_| Some("value".to_owned()))
            .unwrap_or_else(|problems| panic!("{problems}\n{}", draft.write()))
    }

    fn draft(found: Found) -> Draft {
        let client = |name: &str, auth: &str| NewClient {
            name: name.into(),
            auth: auth.into(),
            redirect_uri: "https://app-a.example/cb".into(),
            ..NewClient::default()
        };
        Draft {
            issuer: "https://as.example".into(),
            found,
            clients: vec![
                client("a", "none"),
                client("confidential", "client_secret_basic"),
            ],
            ..Draft::default()
        }
    }

    fn found() -> Found {
        Found {
            place: Some("https://as.example/.well-known/oauth-authorization-server".into()),
            registration: true,
            introspection: true,
            scopes: vec!["read".into()],
            details: vec!["pay".into()],
            ..Found::default()
        }
    }

    #[test]
    fn what_is_written_is_a_target_file_with_and_without_answers() {
        let bare = loads(&draft(found()));
        assert!(bare.client("a").unwrap().register);
        assert_eq!(bare.login.steps.len(), 2, "a guess, to be corrected");
        let mut unknown = draft(Found::default());
        unknown.clients.truncate(1);
        loads(&unknown);
        let mut full = draft(found());
        full.clients[0].id = "my \"client\"".into();
        full.clients[0].secret = Some("MY_SECRET".into());
        full.clients[0].auth = "client_secret_post".into();
        full.clients[1].refused = Some("no\nregistration".into());
        let api = NewResource {
            id: "https://api.example".into(),
            probe: "GET https://api.example/me".into(),
            scope: "read".into(),
            ..NewResource::default()
        };
        let mcp = NewResource {
            id: "https://api.example/mcp".into(),
            probe: "POST https://api.example/mcp".into(),
            mcp: Some(NewMcp {
                revision: Some("2025-11-25".into()),
                tool: Some("it's ${MINE}".into()),
                tools: vec!["it's ${MINE}".into(), "two\nlines".into()],
            }),
            ..NewResource::default()
        };
        full.resources = vec![api, mcp];
        full.details = "[{\"type\":\"pay\"}]".into();
        full.params = vec![("agent id".into(), "a\"b".into())];
        full.fields = vec![("e-mail address".into(), "ALICE_EMAIL".into())];
        full.second = true;
        full.walked = true;
        full.steps = vec![LoginStep {
            fill: vec![("e-mail address".into(), "$user.e-mail address".into())],
            press: Some("Weiter \"→\"".into()),
            ..LoginStep::default()
        }];
        let target = loads(&full);
        assert_eq!(
            target.client("a").unwrap().id.as_deref(),
            Some("my \"client\"")
        );
        assert!(target.client("confidential").is_none());
        assert_eq!(
            target.resource("a").unwrap().url.as_str(),
            "https://api.example/me"
        );
        let mcp = target.resource("mcp").unwrap();
        assert_eq!(mcp.mcp.as_deref(), Some("2025-11-25"));
        assert!(mcp.body.as_ref().unwrap().0.contains("it's ${MINE}"));
        assert_eq!(target.profiles, ["mcp-2025-11-25"]);
        assert_eq!(target.login.steps.len(), 1);
        assert!(target.user("b").is_some());
    }

    #[test]
    fn a_client_authenticates_in_a_way_that_the_server_announces() {
        let (basic, post) = (Some("client_secret_basic"), Some("client_secret_post"));
        let key = Some("private_key_jwt");
        for (ways, by_secret, by_registration) in [
            (&[][..], basic, basic),
            (&["none", "client_secret_post"], post, post),
            (&["client_secret_post", "client_secret_basic"], basic, basic),
            (&["none", "private_key_jwt"], None, key),
            (&["none"], None, None),
        ] {
            let found = Found {
                auth: ways.iter().map(|way| (*way).to_owned()).collect(),
                ..Found::default()
            };
            assert_eq!(found.by_secret(), by_secret, "{ways:?}");
            assert_eq!(found.by_registration(), by_registration, "{ways:?}");
        }
    }

    #[test]
    fn another_issuer_in_the_metadata_is_pointed_at() {
        let metadata = serde_json::json!({ "registration_endpoint": "", "issuer": "https://other.example\nprofiles = []", "scopes_supported": [1, "a"] });
        let found = Found::read(
            "https://as.example",
            "https://as.example/x",
            metadata.as_object().unwrap(),
        );
        assert_eq!(found.scopes, ["a"]);
        let draft = draft(found);
        let text = draft.write();
        assert!(
            text.contains("names another issuer: https://other.example\\nprofiles"),
            "{text}"
        );
        loads(&draft);
    }

    proptest! {
        #[test]
        fn nothing_a_server_says_can_write_into_the_file(hostile in any::<String>()) {
            let metadata = serde_json::json!({
                "registration_endpoint": hostile, "issuer": hostile, "scopes_supported": [hostile], "authorization_details_types_supported": [hostile],
            });
            let mut draft = draft(Found::read("https://as.example", &hostile, metadata.as_object().unwrap()));
            draft.clients[1].refused = Some(hostile.clone());
            draft.resources = vec![NewResource {
                id: hostile.clone(),
                probe: "POST https://api.example/mcp".into(),
                scope: hostile.clone(),
                mcp: Some(NewMcp { tool: Some(hostile.clone()), tools: vec![hostile.clone()], ..NewMcp::default() }),
                refused: Some(hostile.clone()),
            }];
            draft.steps = vec![LoginStep { press: Some(format!("x{hostile}")), deny: Some(format!("y{hostile}")), ..LoginStep::default() }];
            draft.walked = true;
            let target = loads(&draft);
            prop_assert_eq!(target.issuer, "https://as.example");
            prop_assert_eq!(target.clients.len(), 1);
            prop_assert!(target.resources.is_empty());
            let press = format!("x{hostile}");
            prop_assert_eq!(target.login.steps[0].press.as_deref(), Some(press.as_str()));
        }
    }
}
