//! Who takes part: clients and users with their secrets.

use std::path::Path;

use toml::de::DeValue;
use url::Url;

use super::load::{is_loopback, unset};
use super::model::{Client, ClientAuth, ClientKind, User};
use super::read::{Pieces, SHAPES};
use crate::reader::{At, Entry, Shape, Span, Table, entries, kind};

/// Secrets in files are short.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

impl Pieces<'_> {
    pub(super) fn clients(&self, root: &Table<'_, '_>) -> Vec<(Span, Client)> {
        let mut all: Vec<(Span, Client)> = Vec::new();
        for (name, table) in root.named("client", "client", &SHAPES.client) {
            self.slug_name("client", &name);
            let client = self.client(&name, &table);
            if let Some(id) = &client.id
                && let Some((_, other)) =
                    all.iter().find(|(_, other)| other.id.as_ref() == Some(id))
            {
                self.error(
                    &table.entry("id").map_or(name.span.clone(), |id| id.span.clone()),
                    format!("the clients `{}` and `{}` have one id", other.name, client.name),
                )
                .note("a case with two clients must see two: a code of one must be foreign to the other")
                .help("register a second client, or remove one of the tables")
                .report();
            }
            all.push((name.span, client));
        }
        all
    }

    fn client(&self, name: &At<&str>, table: &Table<'_, '_>) -> Client {
        let register = table.flag("register").is_some_and(|flag| flag.value);
        let id = table.owned("id");
        match (register, table.entry("id")) {
            (true, Some(id)) => self
                .error(&id.key_span, "a client that is registered now has no id yet")
                .help("keep `register = true` or `id`, not both")
                .report(),
            (false, None) => self
                .error(&name.span, format!("client `{}` has neither `id` nor `register`", name.value))
                .help("register it by hand and write id = \"…\", or let it be registered: register = true")
                .report(),
            _ => {}
        }
        let said = table.word("type", &["public", "confidential", "native"], |word| {
            Some(match word {
                "public" => ClientKind::Public,
                "confidential" => ClientKind::Confidential,
                "native" => ClientKind::Native,
                _ => return None,
            })
        });
        let auth = table.word("auth", &ClientAuth::ALL.map(ClientAuth::word), |word| {
            ClientAuth::ALL.into_iter().find(|auth| auth.word() == word)
        });
        let (kind, way) = match (&said, &auth) {
            (Some(kind), Some(auth)) => (kind.value, auth.value),
            (Some(kind), None) if kind.value == ClientKind::Confidential => {
                (kind.value, ClientAuth::Basic)
            }
            (Some(kind), None) => (kind.value, ClientAuth::None),
            (None, Some(auth)) if auth.value != ClientAuth::None => {
                (ClientKind::Confidential, auth.value)
            }
            (None, _) => (ClientKind::Public, ClientAuth::None),
        };
        if (kind == ClientKind::Confidential) != (way != ClientAuth::None) {
            let span = auth
                .as_ref()
                .map(|auth| &auth.span)
                .or(said.as_ref().map(|said| &said.span))
                .unwrap_or(&name.span);
            self.error(
                span,
                format!("`type` and `auth` of client `{}` contradict", name.value),
            )
            .help(
                "public and native clients have auth = \"none\"; a confidential one has \
                     client_secret_basic, client_secret_post or private_key_jwt",
            )
            .report();
        }
        let secret = self.secret(
            table,
            "secret",
            &format!("the secret of client `{}`", name.value),
        );
        self.secret_fits(name, table, register, way);
        Client {
            name: name.value.to_owned(),
            register,
            id,
            secret,
            auth: way,
            kind,
            redirect_uris: self.redirect_uris(name, table, register, kind),
        }
    }

    fn secret_fits(
        &self,
        name: &At<&str>,
        table: &Table<'_, '_>,
        register: bool,
        auth: ClientAuth,
    ) {
        let entry = table.entry("secret");
        let by_secret = matches!(auth, ClientAuth::Basic | ClientAuth::Post);
        match entry {
            None if by_secret && !register => self
                .error(&name.span, format!("client `{}` has no secret", name.value))
                .help("write secret.env = \"NAME\" and set that variable, or auth = \"none\" for a public client")
                .report(),
            Some(entry) if register => self
                .error(&entry.key_span, "a client that is registered now gets its secret from the server")
                .help("remove the secret")
                .report(),
            Some(entry) if auth == ClientAuth::None => self
                .error(&entry.key_span, "a client with a secret that it never sends")
                .help("remove the secret, or write auth = \"client_secret_basic\"")
                .report(),
            _ => {}
        }
    }

    fn redirect_uris(
        &self,
        name: &At<&str>,
        table: &Table<'_, '_>,
        register: bool,
        kind: ClientKind,
    ) -> Vec<String> {
        // A client that only introspects has none and says so: `redirect_uris = []`.
        if let Some(entry) = table.entry("redirect_uris")
            && let DeValue::Array(list) = entry.value
            && list.is_empty()
            && !register
            && name.value != "a"
        {
            return Vec::new();
        }
        let Some(uris) = table.texts("redirect_uris") else {
            if table.entry("redirect_uris").is_none() {
                self.error(&name.span, format!("client `{}` has no redirect_uris", name.value))
                    .help(
                        "write redirect_uris = [\"https://app.example/cb\"] as registered (nobody listens there); \
                         [] for a client that only introspects",
                    )
                    .report();
            }
            return Vec::new();
        };
        let mut all = Vec::new();
        let mut loopback = false;
        for uri in &uris {
            match Url::parse(uri.value) {
                Ok(url) if url.fragment().is_none() => {
                    loopback |= url.scheme() == "http" && is_loopback(&url);
                }
                Ok(_) => self
                    .error(
                        &uri.span,
                        "a redirect URI has no fragment (RFC 6749 §3.1.2)",
                    )
                    .help("remove everything from the `#` on")
                    .report(),
                Err(why) => self
                    .error(
                        &uri.span,
                        format!("`{}` is no absolute URI ({why})", uri.value),
                    )
                    .help("write it as it is registered: \"https://app.example/cb\"")
                    .report(),
            }
            all.push(uri.value.to_owned());
        }
        if kind == ClientKind::Native && !loopback && !uris.is_empty() {
            let span = uris.first().map_or(&name.span, |uri| &uri.span);
            self.reader
                .warning(span, format!("native client `{}` has no loopback redirect URI", name.value))
                .help("the loopback cases need one such as http://127.0.0.1/cb (RFC 8252 §7.3); they are skipped without")
                .report();
        }
        all
    }

    /// A value that may be elsewhere: text, `.env` or `.file`. Text is warned about.
    pub(super) fn secret(&self, table: &Table<'_, '_>, key: &str, what: &str) -> Option<String> {
        let entry = table.entry(key)?;
        if let DeValue::String(text) = entry.value {
            if text.is_empty() {
                self.error(&entry.span, format!("{what} is empty")).report();
                return None;
            }
            if !self.is_from_environment(&entry.span) {
                self.reader
                    .warning(&entry.span, format!("{what} is written into the file"))
                    .label("whoever reads the file has it")
                    .help(format!(
                        "write {key}.env = \"NAME\" or {key}.file = \"path\""
                    ))
                    .report();
            }
            return Some(text.to_string());
        }
        self.elsewhere(entry, what)
    }

    /// `{ env = "NAME" }` or `{ file = "path" }`.
    pub(super) fn elsewhere(&self, entry: &Entry<'_>, what: &str) -> Option<String> {
        let DeValue::Table(table) = entry.value else {
            self.error(&entry.span, format!("{what} is {}", kind(entry.value)))
                .help(format!(
                    "write {0} = \"…\", {0}.env = \"NAME\" or {0}.file = \"path\"",
                    entry.key
                ))
                .report();
            return None;
        };
        let table = Table::new(
            self.reader,
            table,
            entry.key_span.clone(),
            what,
            &SHAPES.source,
        );
        match (table.entry("env").is_some(), table.entry("file").is_some()) {
            (true, false) => {
                let name = table.text("env")?;
                let value = (self.around.env)(name.value).filter(|value| !value.is_empty());
                if value.is_none() {
                    unset(self.reader, name.value, &name.span);
                }
                value
            }
            (false, true) => self.secret_file(&table.text("file")?),
            (both, _) => {
                self.error(
                    &entry.key_span,
                    if both {
                        format!("{what} is in two places")
                    } else {
                        format!("{what} is nowhere")
                    },
                )
                .help(format!(
                    "write either {0}.env = \"NAME\" or {0}.file = \"path\"",
                    entry.key
                ))
                .report();
                None
            }
        }
    }

    fn secret_file(&self, path: &At<&str>) -> Option<String> {
        self.file_below(path, "a secret is one line of UTF-8 text")
            .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// The text of a file below the target file's folder.
    pub(super) fn file_below(&self, path: &At<&str>, what: &str) -> Option<String> {
        let refuse = |message: String, help: &str| {
            self.error(&path.span, message).help(help).report();
            None
        };
        let Some(folder) = self.around.folder else {
            return refuse(
                "there is no folder to read a file from".to_owned(),
                "use .env instead",
            );
        };
        // Both resolved, so that neither `..` nor a symbolic link leads out.
        let found = folder
            .canonicalize()
            .and_then(|folder| Ok((folder.join(path.value).canonicalize()?, folder)));
        let (file, folder) = match found {
            Ok(found) => found,
            Err(why) => {
                return refuse(
                    format!("cannot read `{}`: {why}", path.value),
                    "the path is relative to the target file's folder",
                );
            }
        };
        if !file.starts_with(&folder) {
            return refuse(
                format!("`{}` is outside the target file's folder", path.value),
                "put it beside the target file (and keep secrets out of version control), or use .env",
            );
        }
        match read_secret(&file) {
            Ok(secret) if secret.trim().is_empty() => refuse(
                format!("`{}` is empty", path.value),
                "write the value into it",
            ),
            Ok(secret) => Some(secret),
            Err(why) => refuse(format!("cannot read `{}`: {why}", path.value), what),
        }
    }

    /// Whether the value came out of the environment.
    fn is_from_environment(&self, span: &Span) -> bool {
        self.text
            .get(span.clone())
            .is_some_and(|literal| literal.contains("${"))
    }

    pub(super) fn users(&self, root: &Table<'_, '_>) -> Vec<User> {
        let mut all = Vec::new();
        for entry in root.map("user").unwrap_or_default() {
            let name = At {
                value: entry.key,
                span: entry.key_span.clone(),
            };
            self.slug_name("user", &name);
            let DeValue::Table(fields) = entry.value else {
                self.error(
                    &entry.key_span,
                    format!("user `{}` is {}", entry.key, kind(entry.value)),
                )
                .help("write [user.a] and the fields the login pages ask for below")
                .report();
                continue;
            };
            let rows = entries(fields);
            if rows.is_empty() {
                self.error(
                    &entry.key_span,
                    format!("user `{}` has no fields", entry.key),
                )
                .help("write what the login pages ask for: username = \"alice\"")
                .report();
            }
            let free = Shape {
                keys: rows.iter().map(|row| row.key.to_owned()).collect(),
                required: Vec::new(),
            };
            let table = Table::new(self.reader, fields, entry.key_span.clone(), "a user", &free);
            let fields = rows
                .iter()
                .map(|row| {
                    let what = format!("`{}` of user `{}`", row.key, entry.key);
                    let value = match row.value {
                        DeValue::String(text) if row.key != "password" => Some(text.to_string()),
                        DeValue::String(_) => self.secret(&table, row.key, &what),
                        _ => self.elsewhere(row, &what),
                    };
                    // Where it is missing that was said: the field is there, and steps may name it.
                    (row.key.to_owned(), value.unwrap_or_default())
                })
                .collect();
            all.push(User {
                name: entry.key.to_owned(),
                fields,
            });
        }
        all
    }
}

/// A small file.
fn read_secret(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(MAX_SECRET_BYTES)
        .read_to_string(&mut text)?;
    Ok(text)
}
