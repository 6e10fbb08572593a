//! An authorization server as one finds them in the field: correct OAuth behind login pages of every kind.
//! It checks Origin, Referer and CSRF tokens, names fields by labels only, spreads the login over several
//! pages and puts wrong buttons first.

mod app;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

/// How a user logs in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Several pages of forms and links.
    Pages,
    /// A page that is nothing without its script.
    Script,
}

/// What is odd about it.
#[derive(Clone)]
pub struct Oddities {
    pub style: Style,
    /// Every so manieth request is answered 429.
    pub throttle: Option<u32>,
    /// How far its clock is off.
    pub clock_offset: i64,
    /// In place of its own token endpoint in the metadata.
    pub token_endpoint: Option<String>,
    /// In place of its issuer in the metadata.
    pub issuer: Option<String>,
    /// How clients authenticate, as the metadata says.
    pub auth: &'static [&'static str],
    /// A code that nobody knows makes it fail.
    pub fails_at_codes: bool,
}

impl Default for Oddities {
    fn default() -> Oddities {
        Oddities {
            style: Style::Pages,
            throttle: None,
            clock_offset: 0,
            token_endpoint: None,
            issuer: None,
            auth: &["none"],
            fails_at_codes: false,
        }
    }
}

/// The password of everybody, made at start.
pub struct Odd {
    pub base: String,
    pub password: String,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    base: String,
    password: String,
    oddities: Oddities,
    requests: AtomicU32,
    tokens_asked: AtomicU32,
    db: Mutex<Db>,
}

#[derive(Default)]
struct Db {
    interactions: BTreeMap<String, Interaction>,
    codes: BTreeMap<String, Interaction>,
    tokens: BTreeMap<String, String>,
    revoked: u32,
}

#[derive(Clone, Default)]
struct Interaction {
    query: BTreeMap<String, String>,
    csrf: String,
    email: bool,
    user: bool,
}

impl Drop for Odd {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Odd {
    pub async fn start(oddities: Oddities) -> Odd {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            base: base.clone(),
            password: jose::random_token(12),
            oddities,
            requests: AtomicU32::new(0),
            tokens_asked: AtomicU32::new(0),
            db: Mutex::default(),
        });
        let app = router(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        Odd {
            base,
            password: shared.password.clone(),
            shared,
            task,
        }
    }

    /// How many token requests came.
    pub fn tokens_asked(&self) -> u32 {
        self.shared.tokens_asked.load(Ordering::Relaxed)
    }

    /// A live access token, given out of band.
    pub fn token(&self) -> String {
        let token = jose::random_token(20);
        let mut db = self.shared.db.lock().unwrap();
        db.tokens.insert(token.clone(), "user".to_owned());
        token
    }

    /// How many requests were answered 429.
    pub fn throttled(&self) -> u32 {
        let every = self.shared.oddities.throttle.unwrap_or(u32::MAX);
        self.shared.requests.load(Ordering::Relaxed) / every
    }

    /// How many tokens were revoked.
    pub fn revoked(&self) -> u32 {
        self.shared.db.lock().unwrap().revoked
    }

    /// A target file for it, with this login.
    pub fn target(&self, login: &str) -> String {
        format!(
            r#"issuer = "{base}"
[client.a]
id = "client-a"
redirect_uris = ["https://client.example/cb"]
[resource.a]
probe = "GET /api"
[user.a]
email = "a@example.com"
password.env = "ODD_PASSWORD"
[user.b]
email = "b@example.com"
password.env = "ODD_PASSWORD"
{login}
"#,
            base = self.base
        )
    }

    /// Loads that target file.
    pub fn load(&self, login: &str) -> oauthspec::targets::model::Target {
        self.load_text(&self.target(login))
    }

    /// Loads a target file with the password in the environment.
    pub fn load_text(&self, text: &str) -> oauthspec::targets::model::Target {
        let password = self.password.clone();
        let env = move |name: &str| (name == "ODD_PASSWORD").then(|| password.clone());
        let around = oauthspec::targets::load::Surroundings {
            env: &env,
            folder: None,
        };
        match oauthspec::targets::load::load_str("odd.toml", text, &around) {
            Ok(loaded) => loaded.target,
            Err(problems) => panic!("{problems}"),
        }
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(metadata))
        .route("/authorize", get(authorize))
        .route("/start/{id}", get(start))
        .route("/email/{id}", get(email_page).post(email))
        .route("/password/{id}", get(password_page).post(password))
        .route("/consent/{id}", get(consent_page).post(consent))
        .route("/refuse/{id}", post(refuse))
        .route("/app/{id}", get(app::app_page))
        .route("/broken", get(app::broken_page))
        .route("/api/session", get(app::session))
        .route("/api/login/{id}", post(app::api_login))
        .route("/api/consent/{id}", post(app::api_consent))
        .route("/resume/{id}", get(resume))
        .route("/code/{id}", get(one_time_code))
        .route("/token", post(token))
        .route("/revoke", post(revoke))
        .route("/api", get(resource))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), manners))
        .with_state(shared)
}

type Server = State<Arc<Shared>>;

/// Throttling and the clock.
async fn manners(State(shared): Server, request: Request<Body>, next: Next) -> Response {
    let number = shared.requests.fetch_add(1, Ordering::Relaxed);
    let mut response = match shared.oddities.throttle {
        Some(every) if number % every == every - 1 => {
            let mut response = (StatusCode::TOO_MANY_REQUESTS, "slow down").into_response();
            if number % 2 == 0 {
                let headers = response.headers_mut();
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("0"));
            }
            response
        }
        _ => next.run(request).await,
    };
    if shared.oddities.clock_offset != 0 {
        let now =
            jiff::Timestamp::now() + jiff::SignedDuration::from_secs(shared.oddities.clock_offset);
        let text = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let headers = response.headers_mut();
        headers.insert(header::DATE, HeaderValue::from_str(&text).unwrap());
    }
    response
}

fn json_answer(status: u16, value: Value) -> Response {
    let mut response = (StatusCode::from_u16(status).unwrap(), value.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn html(status: u16, title: &str, body: &str) -> Response {
    let page = format!("<!doctype html><title>{title}</title><h1>{title}</h1>{body}");
    let mut response = (StatusCode::from_u16(status).unwrap(), page).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    response
}

fn see_other(to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    response
        .headers_mut()
        .insert(header::LOCATION, HeaderValue::from_str(to).unwrap());
    response
}

async fn metadata(State(shared): Server) -> Response {
    let base = &shared.base;
    let odd = &shared.oddities;
    json_answer(
        200,
        json!({
            "issuer": odd.issuer.as_ref().unwrap_or(base),
            "authorization_endpoint": format!("{base}/authorize"),
            "token_endpoint": odd.token_endpoint.clone().unwrap_or(format!("{base}/token")),
            "revocation_endpoint": format!("{base}/revoke"),
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": odd.auth,
        }),
    )
}

async fn authorize(
    State(shared): Server,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let is = |name: &str, value: &str| query.get(name).is_some_and(|own| own == value);
    let redirect = query.get("redirect_uri").cloned().unwrap_or_default();
    let registered =
        redirect == "https://client.example/cb" || redirect.starts_with("http://127.0.0.1:");
    if !is("client_id", "client-a") {
        return html(400, "Unknown client", "There is no such client.");
    }
    if !registered {
        return html(400, "Bad request", "The redirect URI is not registered.");
    }
    if !is("response_type", "code") || !is("code_challenge_method", "S256") {
        let state = query.get("state").cloned().unwrap_or_default();
        return see_other(&format!("{redirect}?error=invalid_request&state={state}"));
    }
    let id = jose::random_token(9);
    let interaction = Interaction {
        query,
        csrf: jose::random_token(9),
        ..Interaction::default()
    };
    shared
        .db
        .lock()
        .unwrap()
        .interactions
        .insert(id.clone(), interaction);
    match shared.oddities.style {
        Style::Pages => see_other(&format!("/start/{id}")),
        Style::Script => see_other(&format!("/app/{id}?from=authorize")),
    }
}

async fn start(Path(id): Path<String>) -> Response {
    html(
        200,
        "Welcome",
        &format!(
            "<form action=/search><input name=q><button>Search</button></form><a href=/about>About</a> \
             <a href=/email/{id}>Continue with <b>e-mail</b></a>"
        ),
    )
}

fn csrf(shared: &Shared, id: &str) -> String {
    let db = shared.db.lock().unwrap();
    db.interactions
        .get(id)
        .map(|own| own.csrf.clone())
        .unwrap_or_default()
}

async fn email_page(State(shared): Server, Path(id): Path<String>) -> Response {
    let csrf = csrf(&shared, &id);
    html(
        200,
        "Your e-mail",
        &format!(
            "<form method=post><input type=hidden name=csrf value={csrf}><label>E-mail address: * <input name=f1 required></label>\
             <button name=forgot value=1>Forgot it?</button><button name=go value=1>Next</button></form>"
        ),
    )
}

/// The form, when it was sent from its own page by somebody who saw it.
fn genuine(
    shared: &Shared,
    id: &str,
    page: &str,
    headers: &HeaderMap,
    pairs: &BTreeMap<String, String>,
) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
            .unwrap_or_default()
    };
    text(header::ORIGIN) == shared.base
        && text(header::REFERER) == format!("{}/{page}/{id}", shared.base)
        && pairs.get("csrf") == Some(&csrf(shared, id))
}

fn pairs(body: &Bytes) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(body).into_owned().collect()
}

async fn email(
    State(shared): Server,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let pairs = pairs(&body);
    if !genuine(&shared, &id, "email", &headers, &pairs) || pairs.contains_key("forgot") {
        return html(403, "Refused", "This form was not sent from its page.");
    }
    let known = pairs
        .get("f1")
        .is_some_and(|email| email.ends_with("@example.com"));
    if let Some(own) = shared
        .db
        .lock()
        .unwrap()
        .interactions
        .get_mut(&id)
        .filter(|_| known)
    {
        own.email = true;
        return see_other(&format!("/password/{id}"));
    }
    see_other(&format!("/email/{id}"))
}

async fn password_page(State(shared): Server, Path(id): Path<String>) -> Response {
    let csrf = csrf(&shared, &id);
    html(
        200,
        "Your password",
        &format!(
            "<form method=post enctype='multipart/form-data'><input type=hidden name=csrf value={csrf}>\
             <input type=password name=f2 aria-label=Password><input type=submit value='Sign in'></form>"
        ),
    )
}

async fn password(
    State(shared): Server,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = String::from_utf8_lossy(&body).into_owned();
    let mut pairs = BTreeMap::new();
    for part in text
        .split("Content-Disposition: form-data; name=\"")
        .skip(1)
    {
        if let Some((name, rest)) = part.split_once("\"\r\n\r\n") {
            let value = rest.split("\r\n--").next().unwrap_or_default();
            pairs.insert(name.to_owned(), value.to_owned());
        }
    }
    if !genuine(&shared, &id, "password", &headers, &pairs) {
        return html(403, "Refused", "This form was not sent from its page.");
    }
    let right = pairs.get("f2") == Some(&shared.password);
    if let Some(own) = shared
        .db
        .lock()
        .unwrap()
        .interactions
        .get_mut(&id)
        .filter(|own| right && own.email)
    {
        own.user = true;
        return see_other(&format!("/consent/{id}"));
    }
    html(
        200,
        "Your password",
        &format!(
            "<p>Wrong password.</p><form method=post enctype='multipart/form-data'><input type=hidden name=csrf value={}>\
             <input type=password name=f2 aria-label=Password><input type=submit value='Sign in'></form>",
            csrf(&shared, &id)
        ),
    )
}

async fn consent_page(State(shared): Server, Path(id): Path<String>) -> Response {
    let csrf = csrf(&shared, &id);
    html(
        200,
        "Consent",
        &format!(
            "<form method=post action=/refuse/{id}><input type=hidden name=csrf value={csrf}><button>Refuse</button></form>\
             <form method=post><input type=hidden name=csrf value={csrf}><button name=d value=y>Allow</button></form>"
        ),
    )
}

async fn consent(
    State(shared): Server,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !genuine(&shared, &id, "consent", &headers, &pairs(&body)) {
        return html(403, "Refused", "This form was not sent from its page.");
    }
    decide(&shared, &id, true)
}

async fn refuse(
    State(shared): Server,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !genuine(&shared, &id, "consent", &headers, &pairs(&body)) {
        return html(403, "Refused", "This form was not sent from its page.");
    }
    decide(&shared, &id, false)
}

/// Ends the interaction: a redirect to the client.
fn decide(shared: &Shared, id: &str, approve: bool) -> Response {
    let mut db = shared.db.lock().unwrap();
    let Some(own) = db.interactions.remove(id).filter(|own| own.user) else {
        return html(400, "Gone", "This has ended.");
    };
    let at = |name: &str| own.query.get(name).cloned().unwrap_or_default();
    let (redirect, state) = (at("redirect_uri"), at("state"));
    let iss: String = url::form_urlencoded::byte_serialize(shared.base.as_bytes()).collect();
    if !approve {
        return see_other(&format!(
            "{redirect}?error=access_denied&state={state}&iss={iss}"
        ));
    }
    let code = jose::random_token(16);
    db.codes.insert(code.clone(), own);
    see_other(&format!("{redirect}?code={code}&state={state}&iss={iss}"))
}

async fn resume(
    State(shared): Server,
    Path(id): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    decide(&shared, &id, query.get("d").is_some_and(|d| d == "y"))
}

/// What a mailbox would show: for tests of hooks.
async fn one_time_code(State(shared): Server, Path(_): Path<String>) -> Response {
    shared.password.clone().into_response()
}

async fn token(State(shared): Server, body: Bytes) -> Response {
    shared.tokens_asked.fetch_add(1, Ordering::Relaxed);
    let pairs = pairs(&body);
    let at = |name: &str| pairs.get(name).map(String::as_str).unwrap_or_default();
    let refused = |error: &str| json_answer(400, json!({ "error": error }));
    if at("client_id") != "client-a" {
        return json_answer(401, json!({ "error": "invalid_client" }));
    }
    if at("grant_type") != "authorization_code" {
        return refused("unsupported_grant_type");
    }
    let mut db = shared.db.lock().unwrap();
    let Some(code) = db.codes.remove(at("code")) else {
        return match shared.oddities.fails_at_codes {
            true => json_answer(500, json!({ "error": "server_error" })),
            false => refused("invalid_grant"),
        };
    };
    let asked = |name: &str| code.query.get(name).map(String::as_str).unwrap_or_default();
    if jose::s256(at("code_verifier")) != asked("code_challenge")
        || at("redirect_uri") != asked("redirect_uri")
    {
        return refused("invalid_grant");
    }
    let token = jose::random_token(20);
    db.tokens.insert(token.clone(), "user".to_owned());
    json_answer(
        200,
        json!({ "access_token": token, "token_type": "Bearer", "expires_in": 300 }),
    )
}

async fn revoke(State(shared): Server, body: Bytes) -> Response {
    let mut db = shared.db.lock().unwrap();
    if db
        .tokens
        .remove(
            pairs(&body)
                .get("token")
                .map(String::as_str)
                .unwrap_or_default(),
        )
        .is_some()
    {
        db.revoked += 1;
    }
    StatusCode::OK.into_response()
}

async fn resource(State(shared): Server, headers: HeaderMap) -> Response {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let known = token.is_some_and(|token| shared.db.lock().unwrap().tokens.contains_key(token));
    if known {
        return json_answer(200, json!({ "items": [] }));
    }
    let mut response = json_answer(401, json!({ "error": "unauthorized" }));
    let challenge = if token.is_some() {
        "Bearer error=\"invalid_token\""
    } else {
        "Bearer"
    };
    response.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(challenge),
    );
    response
}
