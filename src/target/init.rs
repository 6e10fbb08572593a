//! A first target file for a server, written from what its metadata says and from what its owner
//! answers; whatever is not known stands there as a comment that says what to do.

use std::fmt::Write as _;

use toml::Value;

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
}

impl Found {
    /// Reads a metadata document that was asked for under this issuer.
    pub fn read(
        issuer: &str,
        place: &str,
        metadata: &serde_json::Map<String, serde_json::Value>,
    ) -> Found {
        let text = |name: &str| metadata.get(name).and_then(serde_json::Value::as_str);
        let list = |name: &str| -> Vec<String> {
            let all = metadata.get(name).and_then(serde_json::Value::as_array);
            let words = all
                .into_iter()
                .flatten()
                .filter_map(serde_json::Value::as_str);
            words
                .filter(|word| word.len() <= 200)
                .take(50)
                .map(str::to_owned)
                .collect()
        };
        Found {
            place: Some(place.to_owned()),
            other_issuer: text("issuer")
                .filter(|other| *other != issuer)
                .map(str::to_owned),
            registration: text("registration_endpoint").is_some(),
            introspection: text("introspection_endpoint").is_some(),
            scopes: list("scopes_supported"),
            details: list("authorization_details_types_supported"),
        }
    }
}

/// What the owner answered; what is empty becomes a comment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// `client_id` of a public client; empty: register one where the server lets us.
    pub client_id: String,
    /// Its redirect URI.
    pub redirect_uri: String,
    /// A protected resource's identifier (RFC 8707).
    pub resource: String,
    /// A harmless request to it: `GET https://api.example/me`.
    pub probe: String,
    /// The scope the probe needs.
    pub scope: String,
    /// The text of the button that logs in.
    pub login_button: String,
    /// The text of the button that approves.
    pub approve_button: String,
}

/// The target file.
pub fn write(issuer: &str, found: &Found, answers: &Answers) -> String {
    let quoted = |text: &str| Value::String(text.to_owned()).to_string();
    let or = |text: &str, other: &str| quoted(if text.is_empty() { other } else { text });
    let comment = |text: &str| crate::report::text::line(text);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "# A target of oauthspec. Check it with `oauthspec doctor FILE`, then `oauthspec run FILE`."
    );
    match &found.place {
        Some(place) => {
            let _ = writeln!(out, "# Metadata: {}", comment(place));
        }
        None => {
            let _ = writeln!(
                out,
                "# No metadata was found: write the endpoints under [endpoints] below."
            );
        }
    }
    let _ = writeln!(out, "issuer = {}", quoted(issuer));
    if let Some(other) = &found.other_issuer {
        let _ = writeln!(
            out,
            "# The metadata names another issuer: {}",
            comment(other)
        );
    }
    out.push_str("profiles = [\"oauth21\"]\n\n# A public client. Its redirect URI is never contacted: the login stops there.\n[client.a]\n");
    if answers.client_id.is_empty() {
        if found.registration {
            out.push_str("register = true                  # the server offers registration; the client is deleted afterwards\n");
        } else {
            out.push_str("id = \"CLIENT-ID\"                 # to do: the identifier of a client that is registered there\n");
        }
    } else {
        let _ = writeln!(out, "id = {}", quoted(&answers.client_id));
    }
    let _ = writeln!(
        out,
        "redirect_uris = [{}]",
        or(&answers.redirect_uri, "https://app-a.example/cb")
    );
    out.push_str(
        "\n# More clients let more cases run; `oauthspec list FILE` says which.\n\
         # [client.b]                       # another public client, with a redirect URI on another host\n\
         # [client.confidential]\n# auth = \"client_secret_basic\"\n# id = \"…\"\n# secret.env = \"OAUTHSPEC_SECRET\"\n",
    );
    out.push_str(
        "\n# A harmless request that needs a token: without one, tokens cannot be tried out.\n",
    );
    if answers.probe.is_empty() {
        out.push_str("# [resource.a]\n# id = \"https://api.example/v1\"     # the resource indicator (RFC 8707), if the server has such\n# probe = \"GET https://api.example/v1/me\"\n# scope = \"read\"\n");
    } else {
        out.push_str("[resource.a]\n");
        if !answers.resource.is_empty() {
            let _ = writeln!(out, "id = {}", quoted(&answers.resource));
        }
        let _ = writeln!(out, "probe = {}", quoted(&answers.probe));
        if !answers.scope.is_empty() {
            let _ = writeln!(out, "scope = {}", quoted(&answers.scope));
        }
    }
    out.push_str("\n# Test users. The names of the fields are free; the login steps use them.\n");
    for (name, variable) in [("a", "ALICE"), ("b", "BOB")] {
        let mark = if name == "a" { "" } else { "# " };
        let _ = writeln!(
            out,
            "{mark}[user.{name}]\n{mark}username.env = \"{variable}_USERNAME\"\n{mark}password.env = \"{variable}_PASSWORD\""
        );
    }
    let _ = writeln!(
        out,
        "\n# On every page the first step whose fields and button are in one form is taken.\n\
         [login]\ndriver = \"form\"\n[[login.step]]\nfill = {{ username = \"$user.username\", password = \"$user.password\" }}\n\
         press = {}\n[[login.step]]\npress = {}\ndeny = \"Deny\"",
        or(&answers.login_button, "Log in"),
        or(&answers.approve_button, "Approve"),
    );
    out.push_str("\n[policy]\n");
    if !answers.scope.is_empty() {
        let _ = writeln!(out, "scope = {}", quoted(&answers.scope));
    } else {
        let _ = writeln!(
            out,
            "# scope = \"read\"                  # asked for by default"
        );
    }
    if !found.scopes.is_empty() {
        let _ = writeln!(
            out,
            "# the metadata offers the scopes: {}",
            comment(&found.scopes.join(" "))
        );
    }
    out.push_str("revocation_lag = \"0s\"             # how long a revoked token may live on\nreplay_grace = \"0s\"               # how long a rotated refresh token may still be used\n");
    if found.place.is_none() {
        out.push_str("\n[endpoints]                        # to do: correct the paths; they are resolved against the issuer\nauthorization = \"/oauth/authorize\"\ntoken = \"/oauth/token\"\n");
    }
    if found.introspection {
        out.push_str("\n# The server introspects tokens for this client:\n# [introspection]\n# client = \"confidential\"\n");
    }
    for kind in &found.details {
        let _ = writeln!(
            out,
            "\n# The metadata offers the authorization detail type {}:",
            comment(kind)
        );
        out.push_str("# [rar.NAME]\n# details = '[{\"type\":\"…\"}]'\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::target::load::{Surroundings, load_str};

    fn loads(text: &str) -> crate::target::model::Target {
        let env = |_: &str| Some("value".to_owned());
        load_str(
            "new.toml",
            text,
            &Surroundings {
                env: &env,
                folder: None,
            },
        )
        .unwrap_or_else(|problems| panic!("{problems}\n{text}"))
        .target
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
        let bare = loads(&write("https://as.example", &found(), &Answers::default()));
        assert!(bare.client("a").unwrap().register);
        loads(&write(
            "https://as.example",
            &Found::default(),
            &Answers::default(),
        ));
        let answers = Answers {
            client_id: "my \"client\"".into(),
            redirect_uri: "https://app.example/cb".into(),
            resource: "https://api.example".into(),
            probe: "GET https://api.example/me".into(),
            scope: "read".into(),
            login_button: "Anmelden".into(),
            approve_button: "Zulassen".into(),
        };
        let full = loads(&write("https://as.example", &found(), &answers));
        assert_eq!(
            full.client("a").unwrap().id.as_deref(),
            Some("my \"client\"")
        );
        assert_eq!(
            full.resource("a").unwrap().url.as_str(),
            "https://api.example/me"
        );
        assert_eq!(full.login.steps[1].press.as_deref(), Some("Zulassen"));
    }

    #[test]
    fn another_issuer_in_the_metadata_is_pointed_at() {
        let metadata = serde_json::json!({ "issuer": "https://other.example\nprofiles = []", "scopes_supported": [1, "a"] });
        let found = Found::read(
            "https://as.example",
            "https://as.example/x",
            metadata.as_object().unwrap(),
        );
        assert_eq!(found.scopes, ["a"]);
        let text = write("https://as.example", &found, &Answers::default());
        assert!(
            text.contains("names another issuer: https://other.example\\nprofiles"),
            "{text}"
        );
        loads(&text);
    }

    proptest! {
        #[test]
        fn no_metadata_can_write_into_the_file(hostile in any::<String>()) {
            let metadata = serde_json::json!({
                "issuer": hostile, "scopes_supported": [hostile], "authorization_details_types_supported": [hostile],
            });
            let found = Found::read("https://as.example", &hostile, metadata.as_object().unwrap());
            let target = loads(&write("https://as.example", &found, &Answers::default()));
            prop_assert_eq!(target.issuer, "https://as.example");
            prop_assert_eq!(target.clients.len(), 1);
        }
    }
}
