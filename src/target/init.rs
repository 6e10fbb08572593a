//! A first target file for a server: from what its documents say, from what its pages ask, and from what
//! its owner answers; whatever is not known stands there as a comment that says what to do.

use std::fmt::Write as _;

use toml::Value;

use super::load::{Surroundings, load_str};
use super::model::{LoginStep, Target};
use crate::diagnostic::Diagnostics;

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
            scopes: list(metadata, "scopes_supported"),
            details: list(metadata, "authorization_details_types_supported"),
            resources: list(metadata, "protected_resources"),
        }
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
    /// Why it is of no use; then it is a comment.
    pub refused: Option<String>,
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
    /// The resource, when one is known.
    pub resource: Option<NewResource>,
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

/// A value: what a server says must not name an environment variable of ours.
fn quoted(text: &str) -> String {
    Value::String(text.replace("${", "$${")).to_string()
}

/// A key, in which nothing is replaced.
fn key(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

fn comment(text: &str) -> String {
    crate::report::text::line(text)
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

    /// The text of the file.
    pub fn write(&self) -> String {
        let mut out = String::from(
            "# A target of oauthspec. Check it with `oauthspec doctor FILE`, then `oauthspec run FILE`.\n",
        );
        let found = &self.found;
        if let Some(mint) = &self.mint {
            return self.write_mint(out, mint);
        }
        let _ = match &found.place {
            Some(place) => writeln!(out, "# Metadata: {}", comment(place)),
            None => writeln!(out, "# No metadata was found: see [endpoints] below."),
        };
        let _ = writeln!(out, "issuer = {}", quoted(&self.issuer));
        if let Some(other) = &found.other_issuer {
            let _ = writeln!(
                out,
                "# The metadata names another issuer: {}",
                comment(other)
            );
        }
        out.push_str("profiles = [\"oauth21\"]\n");
        self.write_clients(&mut out);
        self.write_resource(&mut out);
        self.write_people(&mut out);
        self.write_login(&mut out);
        self.write_policy(&mut out);
        out
    }

    /// A resource server alone: no client, no login.
    fn write_mint(&self, mut out: String, mint: &NewMint) -> String {
        out.push_str("# oauthspec is the issuer here: it makes the tokens, and the resource server is what is tested.\n");
        let _ = writeln!(out, "issuer = {}", quoted(&self.issuer));
        out.push_str("profiles = [\"oauth21\"]\n\n[mint]\n");
        let _ = match mint {
            NewMint::Served => writeln!(
                out,
                "serve = true                       # metadata and key set, at the issuer's port while a run lasts"
            ),
            NewMint::Key(variable) => writeln!(
                out,
                "key.env = {}   # PKCS#8 PEM of the key that the resource server trusts",
                quoted(variable)
            ),
        };
        out.push('\n');
        self.write_resource(&mut out);
        out
    }

    fn write_clients(&self, out: &mut String) {
        out.push_str("\n# Clients. Their redirect URIs are never contacted: the login stops there. More of them let more cases\n# run; `oauthspec list FILE` says which.\n");
        for client in &self.clients {
            let mark = if client.refused.is_some() { "# " } else { "" };
            if let Some(why) = &client.refused {
                let _ = writeln!(out, "# The server refused this one: {}", comment(why));
            }
            let _ = writeln!(out, "{mark}[client.{}]", client.name);
            if !client.id.is_empty() {
                let _ = writeln!(out, "{mark}id = {}", quoted(&client.id));
            } else if self.found.registration {
                let _ = writeln!(
                    out,
                    "{mark}register = true                  # it is deleted afterwards"
                );
            } else {
                let _ = writeln!(
                    out,
                    "{mark}id = \"CLIENT-ID\"                 # to do: a client that is registered there"
                );
            }
            if let Some(variable) = &client.secret {
                let _ = writeln!(out, "{mark}secret.env = {}", quoted(variable));
            }
            if client.auth != "none" {
                let _ = writeln!(
                    out,
                    "{mark}auth = {}\n{mark}type = \"confidential\"",
                    quoted(&client.auth)
                );
            }
            let _ = writeln!(
                out,
                "{mark}redirect_uris = [{}]\n",
                quoted(&client.redirect_uri)
            );
        }
        if !self.clients.iter().any(|client| client.auth != "none") {
            out.push_str("# [client.confidential]\n# id = \"…\"\n# secret.env = \"OAUTHSPEC_SECRET\"\n# auth = \"client_secret_basic\"\n# type = \"confidential\"\n# redirect_uris = [\"…\"]\n\n");
        }
    }

    fn write_resource(&self, out: &mut String) {
        out.push_str(
            "# A harmless request that needs a token: without one, tokens cannot be tried out.\n",
        );
        let Some(resource) = &self.resource else {
            out.push_str("# [resource.a]\n# id = \"https://api.example/v1\"     # the resource indicator (RFC 8707), if the server has such\n# probe = \"GET https://api.example/v1/me\"\n# scope = \"read\"\n\n");
            return;
        };
        let mark = if resource.refused.is_some() { "# " } else { "" };
        if let Some(why) = &resource.refused {
            let _ = writeln!(out, "# This one was tried: {}", comment(why));
        }
        let _ = writeln!(out, "{mark}[resource.a]");
        if !resource.id.is_empty() {
            let _ = writeln!(out, "{mark}id = {}", quoted(&resource.id));
        }
        let _ = writeln!(out, "{mark}probe = {}", quoted(&resource.probe));
        if !resource.scope.is_empty() {
            let _ = writeln!(out, "{mark}scope = {}", quoted(&resource.scope));
        }
        if !self.details.is_empty() {
            let _ = writeln!(out, "{mark}rar = \"a\"");
        }
        out.push('\n');
    }

    fn write_people(&self, out: &mut String) {
        out.push_str(
            "# Test users, their secrets in the environment. The login steps use these names.\n",
        );
        let guess = [
            ("username".to_owned(), "ALICE_USERNAME".to_owned()),
            ("password".to_owned(), "ALICE_PASSWORD".to_owned()),
        ];
        let nobody_asked = self.walked || !self.steps.is_empty();
        let fields = match self.fields.as_slice() {
            [] if nobody_asked => return out.push_str("# The login asked for nothing.\n"),
            [] => &guess[..],
            fields => fields,
        };
        for name in ["a", "b"] {
            let mark = if name == "a" || self.second { "" } else { "# " };
            let _ = writeln!(out, "{mark}[user.{name}]");
            for (field, variable) in fields {
                let variable = if name == "a" {
                    variable.clone()
                } else {
                    second_variable(variable)
                };
                let _ = writeln!(out, "{mark}{}.env = {}", key(field), quoted(&variable));
            }
        }
        out.push('\n');
    }

    fn write_login(&self, out: &mut String) {
        out.push_str(
            "# On every page the first step whose fields and button are in one form is taken.\n",
        );
        let driver = if self.driver.is_empty() {
            "form"
        } else {
            self.driver
        };
        let _ = writeln!(
            out,
            "# {}\n[login]",
            if self.walked {
                "These steps were walked once, up to the redirect URI: `oauthspec login test FILE` shows it again."
            } else {
                "To do: not all of these steps have been tried; `oauthspec login test FILE` shows how far they lead."
            }
        );
        if self.walked && self.steps.is_empty() {
            out.push_str("driver = \"none\"                   # the server asks nobody\n");
            return;
        }
        let _ = writeln!(out, "driver = {}", quoted(driver));
        for step in &self.steps {
            out.push_str("[[login.step]]\n");
            if !step.fill.is_empty() {
                let fill: Vec<String> = step
                    .fill
                    .iter()
                    .map(|(name, value)| format!("{} = {}", key(name), quoted(value)))
                    .collect();
                let _ = writeln!(out, "fill = {{ {} }}", fill.join(", "));
            }
            for (word, value) in [("press", &step.press), ("deny", &step.deny)] {
                if let Some(value) = value {
                    let _ = writeln!(out, "{word} = {}", quoted(value));
                }
            }
        }
        if !self.walked {
            if self.steps.is_empty() {
                out.push_str("[[login.step]]\nfill = { username = \"$user.username\", password = \"$user.password\" }\npress = \"Log in\"\n");
            }
            out.push_str("[[login.step]]\npress = \"Approve\"                 # to do: the buttons of the consent page\ndeny = \"Deny\"\n");
        }
    }

    fn write_policy(&self, out: &mut String) {
        let found = &self.found;
        if !self.params.is_empty() {
            out.push_str("\n# Every authorization request brings these.\n[params]\n");
            for (name, value) in &self.params {
                let _ = writeln!(out, "{} = {}", key(name), quoted(value));
            }
        }
        out.push_str("\n[policy]\n");
        let _ = if self.scope.is_empty() {
            writeln!(
                out,
                "# scope = \"read\"                  # asked for by default"
            )
        } else {
            writeln!(out, "scope = {}", quoted(&self.scope))
        };
        if !self.details.is_empty() {
            out.push_str("rar = \"a\"\n");
        }
        if !found.scopes.is_empty() {
            let scopes = comment(&found.scopes.join(" "));
            let _ = writeln!(out, "# the metadata offers the scopes: {scopes}");
        }
        out.push_str("revocation_lag = \"0s\"             # how long a revoked token may live on\nreplay_grace = \"0s\"               # how long a rotated refresh token may still be used\n");
        if self.token_json {
            out.push_str("token_body = \"json\"              # tried: it refuses a form\n");
        }
        if !self.endpoints.is_empty() {
            out.push_str(
                "\n[endpoints]                        # paths are resolved against the issuer\n",
            );
            for (name, place) in &self.endpoints {
                let _ = writeln!(out, "{} = {}", key(name), quoted(place));
            }
        } else if found.place.is_none() {
            out.push_str("\n[endpoints]                        # to do: correct the paths; they are resolved against the issuer\nauthorization = \"/oauth/authorize\"\ntoken = \"/oauth/token\"\n");
        }
        if found.introspection {
            out.push_str("\n# The server introspects tokens for this client:\n# [introspection]\n# client = \"confidential\"\n");
        }
        if !self.details.is_empty() {
            let details = quoted(&self.details);
            let _ = writeln!(out, "\n[rar.a]\ndetails = {details}");
        }
        for kind in &found.details {
            let kind = comment(kind);
            let _ = writeln!(
                out,
                "\n# The metadata offers the authorization detail type {kind}:"
            );
            out.push_str("# [rar.NAME]\n# details = '[{\"type\":\"…\"}]'\n");
        }
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
        full.resource = Some(NewResource {
            id: "https://api.example".into(),
            probe: "GET https://api.example/me".into(),
            scope: "read".into(),
            refused: None,
        });
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
        assert_eq!(target.login.steps.len(), 1);
        assert!(target.user("b").is_some());
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
            draft.steps = vec![LoginStep { press: Some(format!("x{hostile}")), deny: Some(format!("y{hostile}")), ..LoginStep::default() }];
            draft.walked = true;
            let target = loads(&draft);
            prop_assert_eq!(target.issuer, "https://as.example");
            prop_assert_eq!(target.clients.len(), 1);
            let press = format!("x{hostile}");
            prop_assert_eq!(target.login.steps[0].press.as_deref(), Some(press.as_str()));
        }
    }
}
