//! The text of a new target file.

use std::fmt::Write as _;

use toml::Value;

use crate::client::mcp::has_sessions;

use super::{Draft, NewMcp, NewMint, NewResource, second_variable};

/// A value: what a server says must not name an environment variable of ours.
fn quoted(text: &str) -> String {
    Value::String(text.replace("${", "$${")).to_string()
}

/// A key, in which nothing is replaced.
fn key(text: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    match !text.is_empty() && text.bytes().all(bare) {
        true => text.to_owned(),
        false => Value::String(text.to_owned()).to_string(),
    }
}

fn comment(text: &str) -> String {
    crate::report::text::line(text)
}

impl Draft {
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
        let _ = writeln!(out, "profiles = [{}]", quoted(self.profile()));
        self.write_clients(&mut out);
        self.write_resources(&mut out);
        self.write_people(&mut out);
        self.write_login(&mut out);
        self.write_policy(&mut out);
        self.write_network(&mut out);
        out
    }

    /// What judges: where there is an MCP server, what the Model Context Protocol asks of it and of its authorization server.
    fn profile(&self) -> &'static str {
        let mut servers = (self.resources.iter())
            .filter(|one| one.refused.is_none())
            .filter_map(|one| one.mcp.as_ref());
        match servers.next() {
            Some(mcp) if has_sessions(mcp.revision()) => "mcp-2025-11-25",
            Some(_) => "mcp-2026-07-28",
            None => "oauth21",
        }
    }

    fn write_network(&self, out: &mut String) {
        if !self.ca.is_empty() {
            out.push_str("\n# Certificates that this machine does not trust by itself. They are public.\n[network]\n");
            let _ = writeln!(out, "ca = '''\n{}'''", self.ca);
        }
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
        self.write_resources(&mut out);
        self.write_network(&mut out);
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
        if self.clients.iter().any(|client| client.auth != "none") {
            return;
        }
        let _ = match self.found.by_secret() {
            Some(way) => writeln!(
                out,
                "# [client.confidential]\n# id = \"…\"\n# secret.env = \"OAUTHSPEC_SECRET\"\n# auth = {}\n# type = \"confidential\"\n# redirect_uris = [\"…\"]\n",
                quoted(way)
            ),
            None => writeln!(
                out,
                "# No confidential client: the server announces no client authentication by a secret.\n"
            ),
        };
    }

    fn write_resources(&self, out: &mut String) {
        out.push_str(
            "# A harmless request that needs a token: without one, tokens cannot be tried out.\n",
        );
        if self.resources.is_empty() {
            return out.push_str("# [resource.a]\n# id = \"https://api.example/v1\"     # the resource indicator (RFC 8707), if the server has such\n# probe = \"GET https://api.example/v1/me\"\n# scope = \"read\"\n\n");
        }
        for resource in &self.resources {
            self.write_resource(out, resource);
        }
    }

    fn write_resource(&self, out: &mut String, resource: &NewResource) {
        let mut block = format!("[resource.{}]\n", resource.name());
        if !resource.id.is_empty() {
            let _ = writeln!(block, "id = {}", quoted(&resource.id));
        }
        let _ = writeln!(block, "probe = {}", quoted(&resource.probe));
        if let Some(mcp) = &resource.mcp {
            write_mcp(&mut block, mcp);
        }
        if !resource.scope.is_empty() {
            let _ = writeln!(block, "scope = {}", quoted(&resource.scope));
        }
        if !self.details.is_empty() {
            block.push_str("rar = \"a\"\n");
        }
        match &resource.refused {
            None => out.push_str(&block),
            Some(why) => {
                let _ = writeln!(out, "# This one was tried: {}", comment(why));
                for line in block.lines() {
                    let _ = writeln!(out, "# {line}");
                }
            }
        }
        if let Some(mcp) = &resource.mcp {
            let tools = match mcp.tools.as_slice() {
                [] => String::new(),
                tools => format!(" Its tools: {}.", comment(&tools.join(", "))),
            };
            let _ = writeln!(
                out,
                "# A tool that needs another scope lets more cases run: write it as [resource.mcp-write], with that scope.{tools}"
            );
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

/// What makes a resource an MCP server.
fn write_mcp(out: &mut String, mcp: &NewMcp) {
    let body = quoted(&mcp.message());
    let _ = writeln!(out, "body = {body}\ncontent_type = \"application/json\"");
    let about = match &mcp.revision {
        None => "to do: its revision. Nobody has asked it yet: a login is needed for that",
        Some(revision) if has_sessions(revision) => "it was asked; calls go into a session",
        Some(_) => "it was asked",
    };
    let revision = quoted(mcp.revision());
    let _ = writeln!(out, "mcp = {revision}                # {about}");
    if mcp.tool.is_none() {
        out.push_str("# The probe lists the tools. To call one that only reads is better: \"method\":\"tools/call\", its name in \"params\".\n");
    }
}
