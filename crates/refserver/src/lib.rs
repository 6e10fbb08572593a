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
use jose::random_token;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle, time::timeout};

mod answer;
mod authorize;
mod bearer;
mod client_auth;
mod client_metadata;
mod deep;
mod device;
mod face;
mod fault;
mod fetch;
mod http;
mod interaction;
mod introspect;
mod issue;
mod metadata;
mod pages;
mod pkce;
mod rar;
mod redirect;
mod refresh;
mod register;
mod resource;
mod revoke;
mod rights;
mod state;
mod token;

pub use face::Face;
pub use fault::{Fault, Kind};
pub(crate) use state::App;

use crate::{
    face::{FaceData, LoginStyle},
    state::{Client, User},
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
    /// The name of the client that may introspect.
    pub introspection_client: String,
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
    /// The resource identifier (RFC 8707).
    pub id: String,
    /// Method and path of a request that needs a token.
    pub probe: String,
    /// The scope it needs.
    pub scope: String,
    /// The name in [`Facts::rar`] of the authorization details it needs.
    pub rar: Option<String>,
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
    let origin = format!("http://{}", listener.local_addr()?);
    start(listener, origin, options)
}

/// Starts a server that stands behind another one and names itself by that one's origin
/// (`https://127.0.0.1:8443`). [`Server::address`] is where it really listens.
///
/// # Errors
/// When the port cannot be had.
pub async fn serve_behind(options: Options, origin: &str) -> io::Result<Server> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    start(listener, origin.to_owned(), options)
}

fn start(listener: TcpListener, origin: String, options: Options) -> io::Result<Server> {
    let address = listener.local_addr()?;
    let face = options.face.data();
    let (facts, clients) = set_up(face, &origin);
    let users = facts.users.iter().map(User::new).collect();
    let app = Arc::new(App::new(
        face,
        origin,
        facts.issuer.clone(),
        options.faults,
        users,
    ));
    app.db().clients = clients
        .into_iter()
        .map(|client| (client.id.clone(), client))
        .collect();
    let (stop, stopped) = oneshot::channel::<()>();
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let served = Arc::clone(&app);
    let task = tokio::spawn(async move {
        let until = async move { drop(stopped.await) };
        let _ended = axum::serve(listener, router(served))
            .with_graceful_shutdown(until)
            .await;
    });
    Ok(Server {
        address,
        facts,
        app,
        stop: Some(stop),
        task,
    })
}

/// Identifiers, secrets and passwords of this run.
fn set_up(face: &'static FaceData, origin: &str) -> (Facts, Vec<Client>) {
    let mut clients = Vec::new();
    let mut client_facts = Vec::new();
    for data in face.clients {
        let redirect_uris: Vec<String> = data
            .redirect_uris
            .iter()
            .map(|uri| (*uri).to_owned())
            .collect();
        let client = Client {
            id: issue::identifier(face.prefixes.client),
            name: data.name.to_owned(),
            title: format!("Example client {}", data.name),
            secret: (data.auth != "none").then(|| issue::secret(face.prefixes.secret)),
            auth: data.auth.to_owned(),
            redirect_uris: redirect_uris.clone(),
            grant_types: [
                Some("authorization_code"),
                Some("refresh_token"),
                (data.auth != "none").then_some("client_credentials"),
                face.device.map(|_| device::GRANT_TYPE),
            ]
            .into_iter()
            .flatten()
            .map(str::to_owned)
            .collect(),
            pkce_optional: data.pkce_optional,
            brief: data.brief,
            introspects: data.name == face.introspection_client,
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
    let fields = |name: &str| match face.login {
        LoginStyle::Password => {
            vec![
                ("username".to_owned(), format!("{name}-{}", random_token(6))),
                ("password".to_owned(), random_token(18)),
            ]
        }
    };
    let users = ["a", "b"]
        .map(|name| UserFact {
            name: name.to_owned(),
            fields: fields(name),
        })
        .to_vec();
    let routes = face
        .resources
        .iter()
        .flat_map(|resource| resource.routes.iter().map(move |route| (resource, route)));
    let resources = routes.map(|(resource, route)| ResourceFact {
        name: route.name.to_owned(),
        id: format!("{origin}{}", resource.path),
        probe: format!("{} {}", route.method, route.path),
        scope: route.scope.to_owned(),
        rar: route.detail.map(|(kind, _)| kind.to_owned()),
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
        introspection_client: face.introspection_client.to_owned(),
    };
    (facts, clients)
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
        )
        .route(
            &format!("{}/{{id}}", paths.consent),
            get(interaction::consent_page).post(interaction::consent),
        );
    let mut apis = Router::new()
        .route(
            &format!(
                "/.well-known/oauth-authorization-server{}",
                face.issuer_path
            ),
            get(metadata::authorization_server),
        )
        .route(&metadata::openid_path(&app), get(metadata::openid))
        .route(paths.jwks, get(metadata::jwks))
        .route(paths.token, post(token::post).get(token::get))
        .route(paths.revoke, post(revoke::post).get(revoke::get))
        .route(
            paths.introspect,
            post(introspect::post).get(introspect::get),
        )
        .route(paths.register, post(register::create))
        .route(
            &format!("{}/{{id}}", paths.register),
            get(register::show)
                .put(register::replace)
                .delete(register::delete),
        );
    if let Some(device) = face.device {
        pages = pages.route(device.page, get(device::page).post(device::entered));
        apis = apis.route(device.endpoint, post(device::post).get(device::get));
    }
    for resource in face.resources {
        let owner = Arc::clone(&app);
        apis = apis.route(
            &metadata::resource_path(resource),
            get(move || async move { metadata::protected_resource(&owner, resource) }),
        );
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
    let mut router = pages
        .merge(apis.layer(middleware::from_fn(cors)))
        .layer(DefaultBodyLimit::max(64 * 1024));
    if app.broken_deep() {
        router = router.layer(middleware::from_fn_with_state(
            Arc::clone(&app),
            deep::layer,
        ));
    }
    router.with_state(app)
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
            "Authorization, Content-Type",
        );
        response
    } else {
        next.run(request).await
    };
    http::set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    http::set(
        &mut response,
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        "WWW-Authenticate",
    );
    response
}
