//! From TOML to a [`Target`]: what is tested and what the server declares. Clients, users and the
//! login are in `who`.

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use toml::de::DeValue;
use url::Url;

use super::file::{
    ClientFile, EndpointsFile, IntrospectionFile, LoginFile, LoginStepFile, MintFile, NetworkFile,
    PolicyFile, RarFile, ResourceFile, SourceFile, TargetFile,
};
use super::load::{Surroundings, is_loopback, issuer_url, silent};
use super::model::{
    Client, ClientAuth, ClientKind, Driver, Endpoints, Login, Policy, Resource, Target,
};
use crate::diagnostic::nearest;
use crate::profile;
use crate::reader::{self, At, Reader, Shape, Span, Table, is_slug, kind};

/// The longest time a policy may declare.
const LONGEST_POLICY: Duration = Duration::from_secs(600);

/// The keys of every table of a target file.
pub(super) struct Shapes {
    pub target: Shape,
    pub client: Shape,
    pub source: Shape,
    pub resource: Shape,
    pub login: Shape,
    pub step: Shape,
    pub policy: Shape,
    pub endpoints: Shape,
    pub introspection: Shape,
    pub rar: Shape,
    pub network: Shape,
    pub mint: Shape,
}

pub(super) static SHAPES: LazyLock<Shapes> = LazyLock::new(|| Shapes {
    target: Shape::of::<TargetFile>(),
    client: Shape::of::<ClientFile>(),
    source: Shape::of::<SourceFile>(),
    resource: Shape::of::<ResourceFile>(),
    login: Shape::of::<LoginFile>(),
    step: Shape::of::<LoginStepFile>(),
    policy: Shape::of::<PolicyFile>(),
    endpoints: Shape::of::<EndpointsFile>(),
    introspection: Shape::of::<IntrospectionFile>(),
    rar: Shape::of::<RarFile>(),
    network: Shape::of::<NetworkFile>(),
    mint: Shape::of::<MintFile>(),
});

/// Reads the pieces of one file.
pub(super) struct Pieces<'r> {
    pub reader: &'r Reader,
    pub text: &'r str,
    pub around: &'r Surroundings<'r>,
}

impl Pieces<'_> {
    pub(super) fn error(&self, span: &Span, message: impl Into<String>) -> reader::Problem<'_> {
        self.reader.error(span, message)
    }

    pub(super) fn target(&self, root: &Table<'_, '_>) -> Option<Target> {
        let issuer = self.issuer(root);
        let line = root.entry("issuer").map(|entry| &entry.key_span);
        let line = line.map_or(1, |span| self.reader.line(span));
        let rar = self.rar(root);
        let clients = self.clients(root);
        let users = self.users(root);
        let base = issuer.as_ref().map(|(_, url)| url);
        let resources = self.resources(root, base, &rar);
        let mut login = self.login(root, &users, &resources);
        let mint = self.mint(root, base, &mut login);
        let policy = self.policy(root, &rar);
        let endpoints = self.endpoints(root, base);
        let introspection_client = self.introspection(root, &clients);
        let params = self.params(root);
        let departures = self.departures(root);
        let mut hosts = self.hosts(root);
        let probes = resources.iter().map(|resource| resource.url.clone());
        for url in probes.chain(endpoints.all().filter_map(|url| Url::parse(url).ok())) {
            let origin = url.origin().ascii_serialization();
            if base.is_some_and(|base| base.origin() != url.origin()) && !hosts.contains(&origin) {
                hosts.push(origin);
            }
        }
        Some(Target {
            name: self.name(),
            source: Some(format!("{}:{line}", self.reader.file())),
            issuer: issuer?.0,
            profiles: self.profiles(root),
            clients: acting(clients, &login),
            resources,
            users,
            login,
            policy,
            endpoints,
            introspection_client,
            rar,
            params,
            departures,
            hosts,
            network: self.network(root),
            mint,
        })
    }

    /// The file's name without its ending.
    fn name(&self) -> String {
        Path::new(self.reader.file())
            .file_stem()
            .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
    }

    fn issuer(&self, root: &Table<'_, '_>) -> Option<(String, Url)> {
        let issuer = root.text("issuer")?;
        match issuer_url(issuer.value) {
            Ok(url) => {
                if url.scheme() == "http" && !is_loopback(&url) {
                    self.reader
                        .warning(&issuer.span, "the issuer is not https")
                        .help(
                            "everything sent there can be read on the way: use throw-away accounts",
                        )
                        .report();
                }
                Some((issuer.value.to_owned(), url))
            }
            Err(why) => {
                self.error(&issuer.span, format!("the issuer {why}"))
                    .help("write it as the metadata says it: issuer = \"https://as.example\"")
                    .report();
                None
            }
        }
    }

    fn profiles(&self, root: &Table<'_, '_>) -> Vec<String> {
        let mut all = Vec::new();
        for profile in root.texts("profiles").unwrap_or_default() {
            let known = profile::names();
            if !known.contains(&profile.value) {
                let help = match nearest(profile.value, known.iter().copied()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("there are {}", known.join(", ")),
                };
                self.error(&profile.span, format!("`{}` is no profile", profile.value))
                    .help(help)
                    .report();
            }
            all.push(profile.value.to_owned());
        }
        if all.is_empty() {
            all.push(profile::DEFAULT.to_owned());
        }
        all
    }

    fn hosts(&self, root: &Table<'_, '_>) -> Vec<String> {
        let mut all = Vec::new();
        for host in root.texts("hosts").unwrap_or_default() {
            let written = if host.value.contains("://") {
                host.value.to_owned()
            } else {
                format!("https://{}", host.value)
            };
            let origin = issuer_url(&written)
                .ok()
                .filter(|url| url.path() == "/")
                .map(|url| url.origin().ascii_serialization());
            match origin {
                Some(origin) if all.contains(&origin) => {}
                Some(origin) => all.push(origin),
                None => self
                    .error(&host.span, format!("`{}` is no host", host.value))
                    .help("write an origin, without a path: \"https://login.example\"")
                    .report(),
            }
        }
        all
    }

    pub(super) fn slug_name(&self, what: &str, name: &At<&str>) {
        if !is_slug(name.value) {
            self.error(
                &name.span,
                format!("`{}` is no name for a {what}", name.value),
            )
            .help("names are lower-case letters, digits and single hyphens: confidential-b")
            .report();
        }
    }

    fn resources(
        &self,
        root: &Table<'_, '_>,
        issuer: Option<&Url>,
        rar: &[(String, String)],
    ) -> Vec<Resource> {
        let mut all = Vec::new();
        for (name, table) in root.named("resource", "resource", &SHAPES.resource) {
            self.slug_name("resource", &name);
            let id = table.text("id");
            if let Some(id) = &id
                && !Url::parse(id.value).is_ok_and(|url| url.fragment().is_none())
            {
                self.error(&id.span, format!("`{}` is no resource indicator", id.value))
                    .help("it is an absolute URI without a fragment (RFC 8707 §2): \"https://api.example/v1\"")
                    .report();
            }
            let body = match (table.owned("body"), table.owned("content_type")) {
                (Some(body), Some(media)) => Some((body, media)),
                (Some(_), None) if table.entry("content_type").is_none() => {
                    self.error(
                        &name.span,
                        format!(
                            "the probe of resource `{}` has a body without a type",
                            name.value
                        ),
                    )
                    .help("add content_type = \"application/json\"")
                    .report();
                    None
                }
                (None, Some(_)) if table.entry("body").is_none() => {
                    self.error(
                        &name.span,
                        format!(
                            "the probe of resource `{}` has a content_type and no body",
                            name.value
                        ),
                    )
                    .help("add body = \"…\", or remove content_type")
                    .report();
                    None
                }
                _ => None,
            };
            let probe = table
                .text("probe")
                .and_then(|probe| self.probe(&probe, issuer));
            let rar = self.rar_name(&table, rar);
            if let Some((method, url)) = probe {
                all.push(Resource {
                    name: name.value.to_owned(),
                    id: id.map(|id| id.value.to_owned()),
                    method,
                    url,
                    body,
                    scope: table.owned("scope"),
                    broader: table.owned("broader"),
                    mcp: table.owned("mcp"),
                    rar,
                });
            }
        }
        all
    }

    /// `GET /path` or `GET https://…`.
    fn probe(&self, probe: &At<&str>, issuer: Option<&Url>) -> Option<(String, Url)> {
        const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        const FORM: &str = "write a method and a path or URL: probe = \"GET /v1/me\"";
        let mut words = probe.value.split_whitespace();
        let (Some(method), Some(place), None) = (words.next(), words.next(), words.next()) else {
            self.error(&probe.span, format!("`{}` is no request", probe.value))
                .help(FORM)
                .report();
            return None;
        };
        if !METHODS.contains(&method) {
            self.error(&probe.span, format!("`{method}` is no HTTP method here"))
                .suggest(method, METHODS)
                .report();
        }
        let url = self.resolve(place, &probe.span, issuer, FORM)?;
        Some((method.to_owned(), url))
    }

    /// A URL, or a path that the issuer's origin is put in front of.
    fn resolve(&self, place: &str, span: &Span, issuer: Option<&Url>, help: &str) -> Option<Url> {
        let url = if place.starts_with('/') {
            // Without an issuer nothing can be resolved, and that was reported.
            issuer?.join(place).ok()
        } else {
            Url::parse(place).ok()
        };
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
        if url.is_none() {
            self.error(
                span,
                format!("`{place}` is neither a path nor an http(s) URL"),
            )
            .help(help)
            .report();
        }
        url
    }

    fn policy(&self, root: &Table<'_, '_>, rar: &[(String, String)]) -> Policy {
        let Some(table) = root.table("policy", "the policy", &SHAPES.policy) else {
            return silent();
        };
        let time = |key: &str| {
            table
                .duration(key, LONGEST_POLICY)
                .map_or(Duration::ZERO, |time| time.value)
        };
        let flag = |key: &str| table.flag(key).is_some_and(|flag| flag.value);
        Policy {
            scope: table.owned("scope"),
            revocation_lag: time("revocation_lag"),
            replay_grace: time("replay_grace"),
            token_body_json: table
                .word("token_body", &["form", "json"], |word| match word {
                    "form" => Some(false),
                    "json" => Some(true),
                    _ => None,
                })
                .is_some_and(|json| json.value),
            resource_required: flag("resource_required"),
            pkce_optional: table
                .word("pkce", &["required", "optional"], |word| match word {
                    "required" => Some(false),
                    "optional" => Some(true),
                    _ => None,
                })
                .is_some_and(|optional| optional.value),
            state_required: flag("state_required"),
            burst: flag("burst"),
            consent_remembered: flag("consent_remembered"),
            rar: self.rar_name(&table, rar),
            error_aliases: self.aliases(&table),
            times: self.times(&table),
        }
    }

    fn aliases(&self, table: &Table<'_, '_>) -> Vec<(String, Vec<String>)> {
        let rows = table.map("error_aliases").unwrap_or_default();
        let free = Shape {
            keys: rows.iter().map(|row| row.key.to_owned()).collect(),
            required: Vec::new(),
        };
        let Some(aliases) = table.table("error_aliases", "the aliases", &free) else {
            return Vec::new();
        };
        rows.iter()
            .filter_map(|row| {
                let codes = aliases.texts(row.key)?;
                let codes = codes.iter().map(|code| code.value.to_owned()).collect();
                Some((row.key.to_owned(), codes))
            })
            .collect()
    }

    fn times(&self, table: &Table<'_, '_>) -> Vec<(String, Duration)> {
        let mut all = Vec::new();
        for row in table.map("times").unwrap_or_default() {
            match row.value {
                DeValue::String(text) => {
                    let time = self
                        .reader
                        .duration(row.key, text, &row.span, LONGEST_POLICY);
                    all.extend(time.map(|time| (row.key.to_owned(), time)));
                }
                other => self
                    .error(&row.span, format!("`{}` is {}", row.key, kind(other)))
                    .help("write a duration: \"500ms\", \"10s\" or \"1m\"")
                    .report(),
            }
        }
        all
    }

    fn endpoints(&self, root: &Table<'_, '_>, issuer: Option<&Url>) -> Endpoints {
        let Some(table) = root.table("endpoints", "the endpoints", &SHAPES.endpoints) else {
            return Endpoints::default();
        };
        let endpoint = |key: &str| {
            let text = table.text(key)?;
            let help = format!("write {key} = \"/path\" or a whole URL");
            self.resolve(text.value, &text.span, issuer, &help)
                .map(|url| url.to_string())
        };
        Endpoints {
            authorization: endpoint("authorization"),
            token: endpoint("token"),
            registration: endpoint("registration"),
            revocation: endpoint("revocation"),
            introspection: endpoint("introspection"),
            jwks: endpoint("jwks"),
            par: endpoint("par"),
            device: endpoint("device"),
        }
    }

    fn introspection(&self, root: &Table<'_, '_>, clients: &[(Span, Client)]) -> Option<String> {
        let table = root.table("introspection", "the introspection", &SHAPES.introspection)?;
        let name = table.text("client")?;
        if !clients.iter().any(|(_, client)| client.name == name.value) {
            self.error(&name.span, format!("there is no [client.{}]", name.value))
                .suggest(
                    name.value,
                    clients.iter().map(|(_, client)| client.name.as_str()),
                )
                .report();
        }
        Some(name.value.to_owned())
    }

    fn rar(&self, root: &Table<'_, '_>) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for (name, table) in root.named("rar", "authorization detail", &SHAPES.rar) {
            self.slug_name("authorization detail", &name);
            let Some(details) = table.text("details") else {
                continue;
            };
            let valid = serde_json::from_str::<serde_json::Value>(details.value)
                .map_err(|why| format!("is not JSON ({why})"))
                .and_then(|json| is_authorization_details(&json));
            if let Err(why) = valid {
                self.error(&details.span, format!("`details` of `{}` {why}", name.value))
                    .help("write a JSON array of objects that have a `type` (RFC 9396 §2): '[{\"type\":\"read\"}]'")
                    .report();
            }
            all.push((name.value.to_owned(), details.value.to_owned()));
        }
        all
    }

    fn rar_name(&self, table: &Table<'_, '_>, known: &[(String, String)]) -> Option<String> {
        let name = table.text("rar")?;
        if !known.iter().any(|(key, _)| key == name.value) {
            self.error(&name.span, format!("there is no [rar.{}]", name.value))
                .suggest(name.value, known.iter().map(|(key, _)| key.as_str()))
                .help(format!("or add [rar.{}] with details = '[…]'", name.value))
                .report();
        }
        Some(name.value.to_owned())
    }

    fn departures(&self, root: &Table<'_, '_>) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for row in root.map("departures").unwrap_or_default() {
            match row.value {
                DeValue::String(why) if !why.trim().is_empty() => {
                    all.push((row.key.to_owned(), why.to_string()));
                }
                _ => self
                    .error(&row.span, format!("`{}` has no reason", row.key))
                    .help("say why the server departs from it: \"authz.x\" = \"its documentation says …\"")
                    .report(),
            }
        }
        all
    }

    fn params(&self, root: &Table<'_, '_>) -> Vec<(String, String)> {
        const OURS: [&str; 6] = [
            "response_type",
            "client_id",
            "redirect_uri",
            "state",
            "code_challenge",
            "code_challenge_method",
        ];
        let mut all = Vec::new();
        for row in root.map("params").unwrap_or_default() {
            if OURS.contains(&row.key) {
                self.error(&row.key_span, format!("`{}` is filled in for every request", row.key))
                    .help("remove it; `params` is for what this server wants besides the standard's parameters")
                    .report();
            }
            match row.value {
                DeValue::String(text) => all.push((row.key.to_owned(), text.to_string())),
                other => self
                    .error(
                        &row.span,
                        format!("parameter `{}` is {}", row.key, kind(other)),
                    )
                    .help("write it as a string")
                    .report(),
            }
        }
        all
    }
}

/// The clients; where tokens are brought and none is named, the one they were issued to.
fn acting(clients: Vec<(Span, Client)>, login: &Login) -> Vec<Client> {
    let mut clients: Vec<Client> = clients.into_iter().map(|(_, client)| client).collect();
    if clients.is_empty() && login.driver.brings_tokens() {
        clients.push(Client {
            name: "a".to_owned(),
            register: false,
            id: Some(match login.driver {
                Driver::Mint => "oauthspec".to_owned(),
                _ => "given".to_owned(),
            }),
            secret: None,
            auth: ClientAuth::None,
            kind: ClientKind::Public,
            redirect_uris: Vec::new(),
        });
    }
    clients
}

fn is_authorization_details(json: &serde_json::Value) -> Result<(), String> {
    let Some(list) = json.as_array() else {
        return Err("is no array".to_owned());
    };
    let typed =
        |detail: &serde_json::Value| detail.get("type").is_some_and(|kind| kind.is_string());
    if list.is_empty() || !list.iter().all(typed) {
        return Err("holds something without a `type`, or nothing".to_owned());
    }
    Ok(())
}
