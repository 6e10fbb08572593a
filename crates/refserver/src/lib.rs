//! The reference server: a complete, strict OAuth 2.1 authorization server with two resource servers, in memory, on loopback.
//!
//! It is the control of the harness. Without faults it does everything right, so a case that turns red against it is a wrong case. With a
//! [`Fault`] it does exactly one thing wrong, so a suite that stays green has not looked. [`Face`] decides what it looks like.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let server = oauthspec_refserver::serve(oauthspec_refserver::Options::default()).await?;
//! let issuer = &server.facts().issuer;
//! # let _ = issuer;
//! server.stop().await;
//! # Ok(()) }
//! ```

#![expect(
    clippy::result_large_err,
    reason = "an early answer is an HTTP response, and nothing here is hot"
)]

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request},
    http::{Method, StatusCode, header},
    middleware::{self, Next},
    response::Response,
    routing::{any, get, post},
    serve::ListenerExt,
};
use jose::{Alg, Jwks, Signer, SigningKey, random_token};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle, time::timeout};

mod alone;
mod answer;
mod approval;
mod authorize;
mod bearer;
mod cimd;
mod client_auth;
mod client_metadata;
mod code;
mod deep;
mod device;
mod direct;
mod dpop;
mod endpoint;
mod face;
mod facts;
mod fault;
mod fetch;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod http;
mod interaction;
mod introspect;
mod issue;
mod jar;
mod mcp;
mod mcp_session;
mod metadata;
mod pages;
mod par;
mod pkce;
mod rar;
mod redirect;
mod refresh;
mod register;
mod resource;
mod revoke;
mod rights;
mod state;
mod tls;
mod token;

pub use face::Face;
pub use facts::{ClientFact, Facts, PageFact, ResourceFact, UserFact};
pub use fault::{
    AgnicFault, AloneFault, Fault, HaspFault, HightopFault, Kind, SessionFault, TenantFault,
};
pub(crate) use state::App;

use crate::{
    endpoint::{for_clients, read_form},
    face::{FaceData, FieldKind, LoginField},
    state::{Agent, Client, User},
};

/// What to serve.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What it looks like.
    pub face: Face,
    /// What it does wrong.
    pub faults: Vec<Fault>,
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The issuer that the face `alone` trusts: its metadata says where its keys are. Without one, the key in [`Facts`] is known to it.
    pub trust: Option<String>,
}

/// A running server. Dropping it ends it without waiting; [`Server::stop`] waits.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    facts: Facts,
    app: Arc<App>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    /// What there is to know about it.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Every secret it has made and still remembers, spent and revoked ones too: codes, opaque tokens, client secrets, registration
    /// access tokens, sessions, form tokens, passwords. JWTs are not kept, so they are not here.
    pub fn secrets(&self) -> Vec<String> {
        self.app.secrets()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Loses what a restart of the process would: everything but the clients it was set up with.
    pub fn restart(&self) {
        let mut db = self.app.db();
        let mut clients = std::mem::take(&mut db.clients);
        clients.retain(|_, client| !client.name.is_empty());
        *db = state::Db {
            clients,
            ..state::Db::default()
        };
    }

    /// Stops listening and lets answers under way finish, for at most a second.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            let _gone = stop.send(());
        }
        if timeout(Duration::from_millis(800), &mut self.task)
            .await
            .is_err()
        {
            self.task.abort();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.stop.is_some() {
            self.task.abort();
        }
    }
}

/// Starts a server on 127.0.0.1. Returns once the socket listens.
///
/// # Errors
/// When the port cannot be had.
pub async fn serve(options: Options) -> io::Result<Server> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    let secured = options.face.data().rules.https;
    let scheme = if secured { "https" } else { "http" };
    let origin = format!("{scheme}://{}", listener.local_addr()?);
    start(listener, origin, options, secured)
}

/// Starts a server that stands behind another one and names itself by that one's origin
/// (`https://127.0.0.1:8443`). [`Server::address`] is where it really listens.
///
/// # Errors
/// When the port cannot be had.
pub async fn serve_behind(options: Options, origin: &str) -> io::Result<Server> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    start(listener, origin.to_owned(), options, false)
}

fn start(
    listener: TcpListener,
    origin: String,
    options: Options,
    secured: bool,
) -> io::Result<Server> {
    let address = listener.local_addr()?;
    let face = options.face.data();
    let counted = options.faults.contains(&HaspFault::ClientIds.into());
    let (mut facts, clients, agents) = set_up(face, &origin, counted);
    if face.rules.alone {
        facts.issuer = options.trust.clone().unwrap_or_else(|| TRUSTED.to_owned());
        facts.issuer_key = Some(Arc::new(Signer::Key(SigningKey::generate(Alg::ES256))));
        facts.trusts = options.trust.is_some();
    }
    let secured = match secured {
        true => {
            let certificate = tls::Certificate::new(&options.faults)?;
            facts.certificate = Some(certificate.pem());
            Some(certificate)
        }
        false => None,
    };
    let faults = options.faults.clone();
    let users = facts.users.iter().map(User::new).collect();
    let mut app = App::new(
        face,
        origin,
        facts.issuer.clone(),
        options.faults,
        users,
        agents,
    );
    if let Some(key) = facts.issuer_key.as_ref().filter(|_| !facts.trusts) {
        let jwks = key.public_jwks().unwrap_or_default();
        app.jwks = Jwks::from_json(&jwks).unwrap_or_default();
    }
    app.trust = options.trust;
    let app = Arc::new(app);
    app.db().clients = clients
        .into_iter()
        .map(|client| (client.id.clone(), client))
        .collect();
    let (stop, stopped) = oneshot::channel::<()>();
    let until = async move { drop(stopped.await) };
    let router = router(Arc::clone(&app));
    let task = match secured {
        Some(certificate) => {
            let listener = tls::Secured::new(listener, certificate, &faults)?;
            let served = axum::serve(listener, router).with_graceful_shutdown(until);
            tokio::spawn(async move { drop(served.await) })
        }
        None => {
            let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
            let served = axum::serve(listener, router).with_graceful_shutdown(until);
            tokio::spawn(async move { drop(served.await) })
        }
    };
    Ok(Server {
        address,
        facts,
        app,
        stop: Some(stop),
        task,
    })
}

/// The issuer that the face `alone` trusts when nobody says another. Nothing is ever asked there.
const TRUSTED: &str = "https://issuer.example";

/// Identifiers, secrets and passwords of this run. `counted`: a fault numbers the clients.
fn set_up(
    face: &'static FaceData,
    origin: &str,
    counted: bool,
) -> (Facts, Vec<Client>, Vec<Agent>) {
    let mut clients = Vec::new();
    let mut client_facts = Vec::new();
    for data in face.clients {
        let redirect_uris: Vec<String> = data
            .redirect_uris
            .iter()
            .map(|uri| (*uri).to_owned())
            .collect();
        let client = Client {
            id: match data.id {
                Some(id) => id.to_owned(),
                None if counted => format!("{}{}", face.prefixes.client, clients.len() + 1),
                None if face.rules.ulids => format!("{}{}", face.prefixes.client, issue::ulid()),
                None => issue::identifier(face.prefixes.client),
            },
            name: data.name.to_owned(),
            title: format!("Example client {}", data.name),
            secret: (data.auth != "none").then(|| {
                let tail = if data.special { "%2B+:& é" } else { "" };
                format!("{}{tail}", issue::secret(face.prefixes.secret))
            }),
            auth: data.auth.to_owned(),
            redirect_uris: redirect_uris.clone(),
            grant_types: [
                Some("authorization_code"),
                (face.rules.refresh_tokens).then_some("refresh_token"),
                (face.rules.refresh_tokens && data.auth != "none").then_some("client_credentials"),
                face.device.map(|_| device::GRANT_TYPE),
            ]
            .into_iter()
            .flatten()
            .map(str::to_owned)
            .collect(),
            pkce_optional: data.pkce_optional,
            brief: data.brief,
            access: data.access,
            introspects: Some(data.name) == face.introspection_client,
            ..Client::default()
        };
        client_facts.push(ClientFact {
            name: client.name.clone(),
            id: client.id.clone(),
            secret: client.secret.clone(),
            auth: data.auth,
            kind: data.kind,
            redirect_uris,
        });
        clients.push(client);
    }
    const USERS: [&str; 2] = ["a", "b"];
    let mut agents = Vec::new();
    for user in 0..USERS.len() {
        agents.extend(face.agents.iter().map(|data| Agent {
            id: match face.rules.ulids {
                true => issue::ulid(),
                false => issue::identifier("agent-"),
            },
            name: data.name,
            user,
            barred: data.barred,
        }));
    }
    let chosen = |user: usize, name: &str| {
        let data = face.agents.iter().find(|data| data.chosen_by == name);
        let agent = (agents.iter())
            .find(|agent| agent.user == user && data.is_some_and(|data| data.name == agent.name));
        agent.map_or_else(String::new, |agent| agent.id.clone())
    };
    let asked: Vec<&LoginField> = face.login.iter().flat_map(|page| page.fields).collect();
    let users = (USERS.iter().enumerate())
        .map(|(user, name)| UserFact {
            name: (*name).to_owned(),
            fields: asked
                .iter()
                .map(|field| {
                    let value = match field.kind {
                        FieldKind::Name => format!("{name}-{}", random_token(6)),
                        FieldKind::Email => {
                            format!("{name}-{}@people.example", random_token(6).to_lowercase())
                        }
                        FieldKind::Password => random_token(18),
                        FieldKind::Code => issue::six_digits(),
                        FieldKind::Agent => chosen(user, name),
                    };
                    (field.name.to_owned(), value)
                })
                // What user a allows per transaction; user b allows nothing.
                .chain((face.rules.limits).then(|| {
                    let limit = if user == 0 { "1" } else { "0" };
                    ("limit".to_owned(), limit.to_owned())
                }))
                // Not typed in anywhere, but to be known: an agent that is not the other user's.
                .chain((face.rules.agent_parameter).and_then(|_| {
                    let own = agents.iter().find(|agent| agent.user == user)?;
                    Some(("agent".to_owned(), own.id.clone()))
                }))
                .collect(),
        })
        .collect();
    let routes = face
        .resources
        .iter()
        .flat_map(|resource| resource.routes.iter().map(move |route| (resource, route)));
    let resources = routes.map(|(resource, route)| ResourceFact {
        mcp: (resource.name == mcp::NAME).then_some(face.mcp_revision()),
        broader: (resource.name == mcp::NAME)
            .then(|| mcp::broader(route.scope))
            .flatten()
            .map(str::to_owned),
        name: route.name.to_owned(),
        id: (face.rules.resource_indicators).then(|| format!("{origin}{}", resource.path)),
        probe: format!("{} {}", route.method, route.path),
        scope: route.scope.to_owned(),
        rar: route.detail.and_then(|(kind, _)| {
            let quoted = format!("\"{kind}\"");
            let mut examples = face.detail_examples.iter();
            let (name, _) = examples.find(|(_, text)| text.contains(&quoted))?;
            Some((*name).to_owned())
        }),
    });
    let params = face.rules.agent_parameter.and_then(|name| {
        let agent = agents.iter().find(|agent| agent.user == 0)?;
        Some((name.to_owned(), agent.id.clone()))
    });
    let facts = Facts {
        issuer: format!("{origin}{}", face.issuer_path),
        clients: client_facts,
        users,
        resources: resources.collect(),
        rar: face
            .detail_examples
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
        params: params.into_iter().collect(),
        rar_required: face.rules.details_required.map(str::to_owned),
        introspection_client: face.introspection_client.map(str::to_owned),
        service: face.service.map(str::to_owned),
        scope: default_scopes(face),
        resource_required: face.default_resource.is_none() && !face.resources.is_empty(),
        token_json: face.rules.token_json,
        state_required: face.rules.parameters_required,
        pkce_required: !(face.clients.iter())
            .any(|client| client.pkce_optional && client.name != "legacy"),
        metadata: face.metadata,
        endpoints: [
            ("authorization", Some(face.paths.authorize)),
            ("token", Some(face.paths.token)),
            ("registration", face.paths.register),
            ("revocation", face.paths.revoke),
            ("introspection", face.paths.introspect),
            ("jwks", face.paths.jwks),
        ]
        .into_iter()
        .filter_map(|(name, path)| Some((name, path?.to_owned())))
        .collect(),
        pages: (face.login.iter())
            .map(|page| PageFact {
                fields: page.fields.iter().map(|one| one.name.to_owned()).collect(),
                button: page.button.to_owned(),
            })
            // Where a device's code is typed in.
            .chain(face.device.map(|_| PageFact {
                fields: vec!["user_code".to_owned()],
                button: "Continue".to_owned(),
            }))
            .collect(),
        script: face.rules.script,
        approval: (face.rules.limits)
            .then(|| ("limit_transaction".to_owned(), "limit".to_owned()))
            .into_iter()
            .collect(),
        issuer_key: None,
        trusts: false,
        withheld: (face.lets_choose())
            .then(|| (format!("{}write", pages::WITHHOLD), "yes".to_owned()))
            .into_iter()
            .collect(),
        certificate: None,
        departures: (face.departures.iter())
            .map(|(case, why)| ((*case).to_owned(), (*why).to_owned()))
            .collect(),
    };
    (facts, clients, agents)
}

/// What the first two routes need: enough to see one of them refused to a narrower token.
fn default_scopes(face: &FaceData) -> String {
    let mut scopes: Vec<&str> = Vec::new();
    for route in face.resources.iter().flat_map(|resource| resource.routes) {
        if !route.scope.is_empty() && !scopes.contains(&route.scope) && scopes.len() < 2 {
            scopes.push(route.scope);
        }
    }
    scopes.join(" ")
}

/// Every path there is, taken from the face.
fn router(app: Arc<App>) -> Router {
    let face = app.face;
    let paths = &face.paths;
    // Pages for browsers: no cross-origin reading.
    let mut pages = Router::new()
        .route(paths.authorize, get(authorize::get).post(authorize::post))
        .route(
            &format!("{}/{{id}}", paths.login),
            get(interaction::login_page).post(interaction::login),
        );
    if paths.consent != paths.login {
        pages = pages.route(
            &format!("{}/{{id}}", paths.consent),
            get(interaction::consent_page).post(interaction::consent),
        );
    }
    if app.broken(HightopFault::InteractionElsewhere) {
        pages = pages.route(
            "/login/{id}",
            get(interaction::login_page).post(interaction::login),
        );
    }
    let token = for_clients(token::read, Fault::TokenByGet, token::handle);
    let mut apis = Router::new().route(paths.token, token);
    if face.metadata {
        apis = apis.route(&metadata::path(&app), get(metadata::authorization_server));
        // A face without keys issues no ID tokens and has no such document.
        if paths.jwks.is_some() {
            apis = apis.route(&metadata::openid_path(&app), get(metadata::openid));
        }
    }
    if let Some(path) = paths.push {
        apis = apis.route(path, for_clients(read_form, Fault::ParByGet, par::push));
    }
    if let Some(path) = paths.jwks {
        apis = apis.route(path, get(metadata::jwks));
    }
    if let Some(path) = paths.revoke {
        let revoke = for_clients(read_form, Fault::RevokeGet, revoke::handle);
        apis = apis.route(path, revoke);
    }
    if let Some(path) = paths.introspect {
        let introspect = for_clients(read_form, Fault::IntrospectGet, introspect::handle);
        apis = apis.route(path, introspect);
    }
    if let Some(path) = paths.register {
        apis = apis.route(path, post(register::create)).route(
            &format!("{path}/{{id}}"),
            get(register::show)
                .put(register::replace)
                .delete(register::delete),
        );
    }
    if let Some(device) = face.device {
        pages = pages.route(device.page, get(device::page).post(device::entered));
        let ask = for_clients(device::read, Fault::DeviceByGet, device::authorize);
        apis = apis.route(device.endpoint, ask);
    }
    if face.rules.alone {
        pages = Router::new();
        apis = Router::new();
    }
    for resource in face.resources {
        let owner = Arc::clone(&app);
        if face.metadata && face.rules.resource_indicators {
            apis = apis.route(
                &metadata::resource_path(resource),
                get(move || async move { metadata::protected_resource(&owner, resource) }),
            );
        }
        let mut guarded: Vec<&'static str> =
            resource.routes.iter().map(|route| route.path).collect();
        guarded.dedup();
        for path in guarded {
            let (owner, slash_owner) = (Arc::clone(&app), Arc::clone(&app));
            apis = apis
                .route(
                    path,
                    any(move |request: Request| resource::serve(owner, resource, path, request)),
                )
                .route(
                    &format!("{path}/"),
                    any(move |request: Request| {
                        resource::serve(slash_owner, resource, path, request)
                    }),
                );
        }
    }
    apis = apis.layer(middleware::from_fn(cors));
    if app.broken(Fault::CorsUnexposed) {
        apis = apis.layer(middleware::map_response(unexposed));
    }
    let mut router = pages
        .merge(apis)
        .layer(DefaultBodyLimit::max(2 * 1024 * 1024));
    if app.broken(Fault::BigBody500) {
        router = router.layer(middleware::from_fn(crash_on_big));
    }
    if app.broken_deep() {
        router = router.layer(middleware::from_fn_with_state(
            Arc::clone(&app),
            deep::layer,
        ));
    }
    router.with_state(app)
}

/// By fault: what the challenge says stays hidden from pages.
async fn unexposed(mut response: Response) -> Response {
    response
        .headers_mut()
        .remove(header::ACCESS_CONTROL_EXPOSE_HEADERS);
    response
}

/// By fault: a body that does not fit into the buffer.
async fn crash_on_big(request: Request<Body>, next: Next) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > 64 * 1024) {
        return http::empty(StatusCode::INTERNAL_SERVER_ERROR);
    }
    next.run(request).await
}

/// Browser clients may read these answers from anywhere: no cookie means anything there.
async fn cors(request: Request<Body>, next: Next) -> Response {
    let preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        http::set(
            &mut response,
            header::ACCESS_CONTROL_ALLOW_METHODS,
            "GET, POST, PUT, DELETE",
        );
        http::set(
            &mut response,
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Authorization, Content-Type, DPoP",
        );
        response
    } else {
        next.run(request).await
    };
    http::set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    http::set(
        &mut response,
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        "WWW-Authenticate, DPoP-Nonce",
    );
    response
}
