//! Before a case runs: find the target, register what must be registered, and prove that the
//! correct flow works. A configuration mistake is found here and never looks like a server's failure.

use std::time::Duration;

use serde_json::Value as Json;

use super::Options;
use crate::exit::Exit;
use crate::flow::audience::side_by_side;
use crate::flow::issuer::Issuer;
use crate::flow::listener::Listener;
use crate::flow::{Answer, Scene, World, discover, register};
use crate::suite::model::{CREDENTIALS, Change, Expect, Step, User, Value, Verb};
use crate::target::model::{Client, ClientAuth, ClientKind, Driver, Endpoints, Resource, Target};
use crate::transport::redact::Secrets;
use crate::transport::{AllowList, Reply, Request, Transport};

/// Time limits of one exchange that the preflight may take.
pub(crate) const PREFLIGHT: u32 = 12;

/// A target that can be tested.
pub struct Prepared {
    /// Shared by all scenes.
    pub world: World,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Why a capability is absent, where more can be said than that.
    pub reasons: Vec<(String, String)>,
    /// Whether the correct flow works.
    pub preflight: Result<(), String>,
    /// Things the user should know.
    pub warnings: Vec<String>,
}

impl Prepared {
    /// Whether the target has this capability.
    pub fn has(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|own| own == capability)
    }
}

/// Why nothing can be tested.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration forbids it.
    #[error("{0}")]
    Configuration(String),
    /// The target is not there, or the correct flow does not work.
    #[error("{0}")]
    Unreachable(String),
}

impl Failure {
    /// The exit code it leads to.
    pub fn exit(&self) -> Exit {
        match self {
            Failure::Configuration(_) => Exit::Usage,
            Failure::Unreachable(_) => Exit::Unreachable,
        }
    }
}

/// Finds the target and proves that it works.
///
/// # Errors
/// [`Failure`], when nothing could be decided.
pub async fn prepare(target: Target, options: &Options) -> Result<Prepared, Failure> {
    let mut world = connect(target, options)?;
    let mut warnings = Vec::new();
    let minted = world.target.mint.is_some();
    let reached = if minted {
        open_issuer(&mut world).await?;
        Ok(None)
    } else {
        read_metadata(&mut world, &mut warnings).await
    };
    let metadata_missing = match reached {
        Err(reason) if options.despite_preflight => Some(reason),
        Err(reason) => return Err(Failure::Unreachable(reason)),
        Ok(missing) => missing,
    };
    let given = world.target.login.driver.brings_tokens();
    if given {
        // Nothing may be asked of the authorization server in the name of the given tokens.
        world.endpoints = Endpoints {
            jwks: world.endpoints.jwks.take(),
            introspection: world.endpoints.introspection.take(),
            ..Endpoints::default()
        };
    }
    if world.endpoints.token.is_none() && !given && !options.despite_preflight {
        let why = metadata_missing.unwrap_or_else(|| "the metadata names none".into());
        return Err(Failure::Unreachable(format!(
            "no token endpoint is known ({why}); check the issuer's spelling, or write it under [endpoints] in the target file"
        )));
    }
    if near(&world) {
        world.listener = Listener::start(world.key.public_jwks().to_string())
            .await
            .ok();
    }
    let mut prepared = Prepared {
        capabilities: Vec::new(),
        reasons: Vec::new(),
        preflight: Ok(()),
        warnings,
        world,
    };
    register_clients(&mut prepared).await;
    look(&mut prepared, options.timeout * PREFLIGHT).await;
    match prepared.preflight.clone() {
        Err(reason) if !options.despite_preflight => {
            let leftovers = super::cleanup::clean(&prepared.world, false).await;
            let mut text = reason;
            for leftover in leftovers {
                text.push_str(&format!("\nleft behind: {leftover}"));
            }
            Err(Failure::Unreachable(text))
        }
        _ => Ok(prepared),
    }
}

/// Whether the tested servers are on this machine, so that they can reach a listener of ours.
fn near(world: &World) -> bool {
    let target = &world.target;
    let place = match (&target.mint, target.resources.first()) {
        (Some(_), Some(resource)) => resource.url.as_str(),
        _ => target.issuer.as_str(),
    };
    world.transport.allow().contains_loopback(place)
}

/// Where oauthspec is the issuer: its key is the one to know, and its documents are served when the target file says so.
///
/// # Errors
/// The issuer's port cannot be had.
pub(crate) async fn open_issuer(world: &mut World) -> Result<(), Failure> {
    let Some(mint) = &world.target.mint else {
        return Ok(());
    };
    world.jwks = mint.signer.public_jwks();
    if let (true, Some(jwks)) = (mint.serve, &world.jwks) {
        let issuer = &world.target.issuer;
        let served = Issuer::serve(issuer, jwks).await.map_err(|why| {
            Failure::Configuration(format!(
                "the issuer's documents cannot be served at {issuer}: {why}; end what listens there, or choose another port"
            ))
        })?;
        world.issuer = Some(served);
    }
    Ok(())
}

/// Finds out what a connected target with its clients can do, and whether the correct flow works.
pub(crate) async fn look(prepared: &mut Prepared, bound: Duration) {
    prepared.capabilities = prepared.world.static_capabilities();
    look_at_documents(prepared).await;
    look_at_registration(prepared).await;
    prepared.preflight = preflight(prepared, bound).await;
}

/// Makes a target reachable, and nothing else.
///
/// # Errors
/// What the configuration forbids.
pub(crate) fn connect(target: Target, options: &Options) -> Result<World, Failure> {
    // The issuer that we are is not contacted.
    let mut urls: Vec<String> = Vec::new();
    urls.extend(target.mint.is_none().then(|| target.issuer.clone()));
    let endpoints = &target.endpoints;
    for endpoint in [
        &endpoints.authorization,
        &endpoints.token,
        &endpoints.registration,
        &endpoints.revocation,
        &endpoints.introspection,
        &endpoints.jwks,
        &endpoints.par,
        &endpoints.device,
    ] {
        urls.extend(endpoint.clone());
    }
    urls.extend(
        target
            .resources
            .iter()
            .map(|resource| resource.url.to_string()),
    );
    urls.extend(
        target
            .resources
            .iter()
            .filter_map(|resource| resource.id.clone()),
    );
    urls.extend(target.hosts.iter().cloned());
    let allow = AllowList::new(urls.iter().map(String::as_str), options.i_am_authorized);
    let unauthorized = allow.unauthorized();
    if !unauthorized.is_empty() {
        return Err(Failure::Configuration(format!(
            "the target is not on this machine ({}); pass --i-am-authorized if you may test it",
            unauthorized.join(", ")
        )));
    }
    // A round costs little where nobody else is served.
    let near = urls.iter().all(|url| allow.contains_loopback(url));
    let transport = Transport::through(
        allow,
        options.limits(),
        options.rate,
        target.network.clone(),
    )
    .map_err(|error| Failure::Configuration(error.to_string()))?;
    let mut secrets = Secrets::default();
    for client in &target.clients {
        if let Some(secret) = &client.secret {
            secrets.learn_given(secret, "client_secret");
        }
    }
    for (_, token) in &target.login.tokens {
        secrets.learn(token, "access_token");
    }
    for user in &target.users {
        for (_, value) in user.fields.iter().skip(1) {
            secrets.learn_given(value, "password");
        }
    }
    for (field, value) in target.login.steps.iter().flat_map(|step| &step.fill) {
        // A value in place of a reference to the user's.
        let sounds = ["password", "otp", "code", "pin", "secret"];
        let field = field.to_ascii_lowercase();
        if !value.starts_with('$') && sounds.iter().any(|word| field.contains(word)) {
            secrets.learn_given(value, "password");
        }
    }
    let proxy = target.network.proxy.as_deref();
    if let Some(proxy) = proxy.and_then(|proxy| url::Url::parse(proxy).ok())
        && let Some(password) = proxy.password()
    {
        secrets.learn_given(password, "password");
    }
    Ok(World {
        endpoints: target.endpoints.clone(),
        target,
        transport,
        metadata: None,
        metadata_url: None,
        resource_documents: std::collections::BTreeMap::new(),
        jwks: None,
        key: jose::SigningKey::generate(jose::Alg::ES256),
        canary: format!("oz{}", jose::random_token(6).replace(['-', '_'], "x")),
        listener: None,
        issuer: None,
        secrets,
        keep_evidence: options.keep_evidence,
        keep_secrets: options.keep_secrets,
        slow: options.slow,
        race_rounds: if near && options.rate.is_none() {
            12
        } else {
            5
        },
        registrations: std::sync::Mutex::new(Vec::new()),
        grants: std::sync::Mutex::new(Vec::new()),
        sessions: tokio::sync::Mutex::new(std::collections::BTreeMap::new()),
    })
}

/// Reads metadata from the places where it may be. `Ok(Some(why))` when there is none but the server
/// answered; `Err` when it did not.
pub(crate) async fn read_metadata(
    world: &mut World,
    warnings: &mut Vec<String>,
) -> Result<Option<String>, String> {
    let issuer = world.target.issuer.clone();
    let mut seen = Vec::new();
    let mut answered = false;
    for place in discover::places(&issuer, "as")
        .into_iter()
        .chain(discover::places(&issuer, "openid"))
    {
        let recorded = world.transport.send_patiently(Request::get(&place)).await;
        match &recorded.reply {
            Err(reason) => seen.push(format!("{place}: {reason}")),
            Ok(reply) => {
                answered = true;
                match metadata_document(reply) {
                    Ok(object) => {
                        fill_endpoints(&mut world.endpoints, &object);
                        world.metadata = Some(object);
                        world.metadata_url = Some(place);
                        break;
                    }
                    Err(why) => seen.push(format!(
                        "{place}: {} without a metadata document: {why}",
                        reply.status
                    )),
                }
            }
        }
    }
    if let Some(url) = world.endpoints.jwks.clone() {
        match keys(world, &url).await {
            Ok(jwks) => world.jwks = Some(jwks),
            Err(why) => warnings.push(format!("the keys at {url} cannot be used: {why}")),
        }
    }
    if world.metadata.is_some() {
        return Ok(None);
    }
    let seen = seen.join("; ");
    if answered {
        Ok(Some(seen))
    } else {
        Err(format!(
            "{issuer} does not answer: {seen}. Check the URL, the port, and that the server runs"
        ))
    }
}

/// The metadata in this answer, or why there is none.
fn metadata_document(reply: &Reply) -> Result<serde_json::Map<String, Json>, String> {
    if reply.is_redirect() {
        let to = reply.header("location").unwrap_or_default();
        let to: String = to.chars().take(200).collect();
        return Err(format!("a redirect to {to:?}, which is not followed"));
    }
    if reply.status != 200 {
        return Err("the status is not 200".into());
    }
    let object = reply.read_json()?;
    match object.get("issuer") {
        Some(Json::String(_)) => Ok(object),
        Some(_) => Err("its `issuer` is not a string".into()),
        None => Err("its JSON has no `issuer`".into()),
    }
}

/// The most keys of a key set that are worth trying.
const MOST_KEYS: usize = 1_000;

/// The server's public keys.
async fn keys(world: &World, url: &str) -> Result<Json, String> {
    let recorded = world.transport.send(Request::get(url)).await;
    let reply = recorded.reply?;
    if reply.status != 200 {
        return Err(format!("answered {}", reply.status));
    }
    let object = reply
        .read_json()
        .map_err(|why| format!("answered 200, but {why}"))?;
    match object.get("keys").and_then(Json::as_array).map(Vec::len) {
        Some(count) if count > MOST_KEYS => Err(format!(
            "{count} keys, more than the {MOST_KEYS} that are taken"
        )),
        Some(_) => Ok(Json::Object(object)),
        None => Err("its JSON has no array `keys`".into()),
    }
}

fn fill_endpoints(endpoints: &mut Endpoints, metadata: &serde_json::Map<String, Json>) {
    let member = |name: &str| metadata.get(name).and_then(Json::as_str).map(str::to_owned);
    let fill = |slot: &mut Option<String>, name: &str| {
        if slot.is_none() {
            *slot = member(name);
        }
    };
    fill(&mut endpoints.authorization, "authorization_endpoint");
    fill(&mut endpoints.token, "token_endpoint");
    fill(&mut endpoints.registration, "registration_endpoint");
    fill(&mut endpoints.revocation, "revocation_endpoint");
    fill(&mut endpoints.introspection, "introspection_endpoint");
    fill(&mut endpoints.jwks, "jwks_uri");
    fill(&mut endpoints.par, "pushed_authorization_request_endpoint");
    fill(&mut endpoints.device, "device_authorization_endpoint");
}

/// Registers the clients that the target file asks to register (RFC 7591).
async fn register_clients(prepared: &mut Prepared) {
    let Some(endpoint) = prepared.world.endpoints.registration.clone() else {
        for client in &prepared.world.target.clients {
            if client.register && client.id.is_none() {
                prepared.warnings.push(format!(
                    "client {} cannot be registered: the target has no registration endpoint; give its id in the target file",
                    client.name
                ));
            }
        }
        return;
    };
    for (name, answer) in register_each(&mut prepared.world, &endpoint).await {
        if let Err(reason) = answer {
            prepared
                .warnings
                .push(format!("client {name} could not be registered: {reason}"));
        }
    }
}

/// Registers each client that asks for it; by name, its new identifier or why there is none.
pub(crate) async fn register_each(
    world: &mut World,
    endpoint: &str,
) -> Vec<(String, Result<String, String>)> {
    let mut answers = Vec::new();
    for at in 0..world.target.clients.len() {
        let Some(client) = world.target.clients.get(at).cloned() else {
            continue;
        };
        if !client.register || client.id.is_some() {
            continue;
        }
        let members: serde_json::Map<String, Json> = register::metadata(world, &client, "setup")
            .into_iter()
            .collect();
        let body = Json::Object(members).to_string().into_bytes();
        let recorded = world
            .transport
            .send_patiently(Request::post(endpoint, "application/json", body))
            .await;
        world.secrets.observe(&recorded);
        let answer = match &recorded.reply {
            Err(reason) => Err(reason.clone()),
            Ok(reply) => reply.json().filter(|_| reply.is_success()).ok_or_else(|| {
                let text: String = reply.text().chars().take(200).collect();
                format!("answered {}: {text}", reply.status)
            }),
        };
        let answer = answer.and_then(|object| registered(world, at, &object));
        answers.push((client.name, answer));
    }
    answers
}

/// Takes over what the server registered, which need not be what was asked for (RFC 7591 §3.2.1).
fn registered(
    world: &mut World,
    at: usize,
    object: &serde_json::Map<String, Json>,
) -> Result<String, String> {
    let text = |name: &str| object.get(name).and_then(Json::as_str).map(str::to_owned);
    let id = text("client_id").ok_or("the answer holds no client_id")?;
    world.note_registration(
        &text("registration_client_uri").unwrap_or_default(),
        text("registration_access_token").as_deref(),
        Some(&id),
    );
    let auth = text("token_endpoint_auth_method");
    if let Some(slot) = world.target.clients.get_mut(at) {
        slot.id = Some(id.clone());
        slot.secret = text("client_secret").or(slot.secret.take());
        if let Some(auth) = ClientAuth::ALL
            .into_iter()
            .find(|own| Some(own.word()) == auth.as_deref())
        {
            slot.auth = auth;
        }
    }
    Ok(id)
}

/// One correct registration tells whether registration is open, and whether registrations can be
/// managed (RFC 7592).
async fn look_at_registration(prepared: &mut Prepared) {
    if !prepared.has("registration") {
        return;
    }
    let (managed, refusal) = {
        let mut scene = Scene::new(&prepared.world);
        let step = plain(Verb::Register);
        let outcome = scene
            .perform(&step, &Change::default(), User::Approve, 1)
            .await;
        let managed = outcome.field("registration_client_uri").is_some()
            && outcome.field("registration_access_token").is_some();
        let refusal = (outcome.answer != Answer::Success).then(|| outcome.answer.words());
        (managed, refusal)
    };
    if managed {
        prepared.capabilities.push("management".into());
    }
    if let Some(words) = refusal {
        prepared.capabilities.retain(|own| own != "registration");
        prepared.reasons.push((
            "registration".into(),
            format!("a correct registration {words}"),
        ));
    }
}

/// Documents beside the metadata: the OpenID location, protected resource metadata.
async fn look_at_documents(prepared: &mut Prepared) {
    let world = &prepared.world;
    let mut found = Vec::new();
    let first = discover::places(&world.target.issuer, "openid");
    if world.target.mint.is_none()
        && let Some(place) = first.first()
        && document(world, place).await.is_some()
    {
        found.push("openid".to_owned());
    }
    let mut documents = std::collections::BTreeMap::new();
    for (number, resource) in world
        .target
        .resources
        .iter()
        .take(MOST_RESOURCES)
        .enumerate()
    {
        let id = resource.id.as_deref();
        let place = id.and_then(|id| discover::places(id, "resource").into_iter().next());
        let Some(place) = place else { continue };
        if let Some(object) = document(world, &place).await {
            if number == 0 {
                found.push("prm".to_owned());
            }
            let own = object.get("resource").and_then(Json::as_str);
            let own = own.unwrap_or("(none)").chars().take(200).collect();
            documents.insert(resource.name.clone(), own);
        }
    }
    prepared.capabilities.extend(found);
    prepared.world.resource_documents = documents;
}

/// The resources whose documents are read.
const MOST_RESOURCES: usize = 16;

/// The JSON object at this place.
async fn document(world: &World, place: &str) -> Option<serde_json::Map<String, Json>> {
    let recorded = world.transport.send(Request::get(place)).await;
    let reply = recorded.reply.ok()?;
    reply.json().filter(|_| reply.status == 200)
}

/// A correct step with nothing special.
pub fn plain(verb: Verb) -> Step {
    Step {
        verb,
        name: None,
        client: None,
        user: User::Approve,
        at: None,
        given: Vec::new(),
        change: Change::default(),
        parallel: None,
        wait: None,
        vary: false,
        cause: false,
        expect: Expect::default(),
        source: crate::suite::model::Source::default(),
    }
}

/// The correct flow, once: authorize, exchange, call. Everything else rests on it.
async fn preflight(prepared: &mut Prepared, bound: Duration) -> Result<(), String> {
    let mut found: Vec<String> = Vec::new();
    let mut reasons: Vec<(String, String)> = Vec::new();
    let result = {
        let world = &prepared.world;
        let mut scene = Scene::new(world);
        let walked = walk(world, &mut scene, &mut found, &mut reasons);
        let result = match tokio::time::timeout(bound, walked).await {
            Ok(result) => result,
            Err(_) => Err(slow(&scene, bound)),
        };
        result.map_err(|reason| scene.secrets.redact(&reason))
    };
    prepared.capabilities.extend(found);
    let tells = ["jwt", "id_token", "introspection"];
    if prepared.has("login") && tells.iter().any(|name| prepared.has(name)) {
        prepared.capabilities.push("subject".into());
    }
    // What is missing for a reason is missing, whatever the metadata says.
    prepared
        .capabilities
        .retain(|own| !reasons.iter().any(|(name, _)| name == own));
    prepared.reasons.extend(reasons);
    result
}

/// A preflight that does not come to its end, and what it was waiting for.
fn slow(scene: &Scene<'_>, bound: Duration) -> String {
    let last = scene.log.last().map_or_else(String::new, |logged| {
        let why = logged.recorded.reply.as_ref().err();
        let why = why.map_or_else(String::new, |why| format!(" ({why})"));
        let request = &logged.recorded.request;
        format!(
            "; the last exchange was {} {}{why}",
            request.method, request.url
        )
    });
    format!(
        "preflight: the correct flow did not end within {} s{last}. \
         Raise --timeout if the server is that slow.",
        bound.as_secs()
    )
}

async fn walk(
    world: &World,
    scene: &mut Scene<'_>,
    found: &mut Vec<String>,
    reasons: &mut Vec<(String, String)>,
) -> Result<(), String> {
    if world.target.clients.is_empty() {
        // Only an issuer is known: its documents can be judged all the same.
        let why = "the target is only an issuer; write a target file with [client.a] and [login]";
        reasons.push(("login".into(), why.into()));
        return Ok(());
    }
    if world
        .target
        .clients
        .iter()
        .all(|client| client.id.is_none())
    {
        return Err(
            "the target has no client to act as: add [client.a] with an id, or register = true"
                .into(),
        );
    }
    let change = Change::default();
    let grant = plain(Verb::Grant);
    let outcome = scene
        .perform(&grant, &change, User::Approve, 1)
        .await
        .clone();
    if outcome.answer != Answer::Success {
        return Err(explain_failed_grant(scene, &outcome, world));
    }
    found.push("login".into());
    if outcome.consents > 0 || !outcome.pages.is_empty() {
        found.push("pages".into());
    }
    if outcome.field("refresh_token").is_some() {
        found.push("refresh_token".into());
    }
    let token = outcome.field("access_token").unwrap_or_default().to_owned();
    if wire::jwt::looks_like_jwt(&token) {
        found.push("jwt".into());
        if let Some(why) = introspects_no_jwt(world, scene).await {
            reasons.push(("introspection".into(), why));
        }
    }
    if let Some(resource) = world.target.resources.first() {
        let call = plain(Verb::Call);
        let called = scene
            .perform(&call, &change, User::Approve, 2)
            .await
            .clone();
        if called.answer != Answer::Success {
            let scope = outcome.field("requested_scope").unwrap_or("(none)");
            let said = refused_at_its_own(world, resource, &called.answer, scope);
            return Err(said + &side_by_side(scene, &called).await);
        }
        if world.target.mint.is_some() {
            refuses_without_token(scene, resource).await?;
        }
        found.push("rs".into());
        if resource.id.is_some() {
            if world.target.mint.is_some() || resource_supported(world, scene, &token).await {
                found.push("resource".into());
            } else {
                reasons.push((
                    "resource".into(),
                    "the server takes no notice of the resource parameter".into(),
                ));
            }
        }
    }
    by_client_credentials(world, scene, found).await;
    let openid = world
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.get("scopes_supported"))
        .and_then(Json::as_array)
        .is_some_and(|scopes| scopes.iter().any(|scope| scope == "openid"));
    if openid {
        let mut step = plain(Verb::Grant);
        let base = outcome.field("requested_scope").unwrap_or_default();
        let scope = format!("openid {base}");
        step.given.push(("scope".into(), Value::text(scope.trim())));
        let outcome = scene.perform(&step, &change, User::Approve, 3).await;
        if outcome.field("id_token").is_some() {
            found.push("id_token".into());
        }
    }
    Ok(())
}

/// Where no authorization server shows that somebody understands OAuth, the resource server must: by refusing a call without a token.
async fn refuses_without_token(scene: &mut Scene<'_>, resource: &Resource) -> Result<(), String> {
    let mut step = plain(Verb::Call);
    step.change.without.push("token".into());
    let change = step.change.clone();
    let outcome = scene.perform(&step, &change, User::Approve, 3).await;
    if outcome.answer.is_refusal() {
        return Ok(());
    }
    Err(format!(
        "the resource probe `{} {}` without a token {}, so it cannot tell a good token from a bad one. \
         Name a request under [resource.{}] that needs a token",
        resource.method,
        resource.url,
        outcome.answer.words(),
        resource.name,
    ))
}

/// A fresh token that its own resource server refuses: what may differ, and where to mend it.
fn refused_at_its_own(world: &World, resource: &Resource, answer: &Answer, scope: &str) -> String {
    let probe = format!("`{} {}`", resource.method, resource.url);
    match &world.target.mint {
        Some(mint) => format!(
            "the resource probe {probe} with a token of ours {}; it says iss {}, scope {scope}, typ {}, alg {}, kid {}. \
             Correct what its resource server does not expect: the issuer, `id` and `scope` of [resource.{}], or [mint]; \
             and let the resource server trust this issuer's key",
            answer.words(),
            world.target.issuer,
            mint.typ,
            mint.signer.alg(),
            mint.signer.kid().unwrap_or("(none)"),
            resource.name,
        ),
        None => format!(
            "the resource probe {probe} with a fresh token {}; the token was asked for resource {}, scope {scope}. \
             Correct the probe, its `id` or its `scope` in the target file",
            answer.words(),
            resource.id.as_deref().unwrap_or("(none)"),
        ),
    }
}

/// Whether a confidential client can get a token for itself (RFC 6749 §4.4). Where the metadata says which grant types there are, it is believed.
async fn by_client_credentials(world: &World, scene: &mut Scene<'_>, found: &mut Vec<String>) {
    let target = &world.target;
    let confidential = |client: &&Client| client.kind == ClientKind::Confidential;
    let acting = target
        .client("confidential")
        .or(target.clients.iter().find(confidential));
    let Some(acting) = acting.filter(|client| client.id.is_some()) else {
        return;
    };
    let announced = world
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.get("grant_types_supported"))
        .and_then(Json::as_array);
    if announced.is_some_and(|all| !all.iter().any(|kind| kind == CREDENTIALS)) {
        return;
    }
    let mut step = plain(Verb::Grant);
    step.client = Some(acting.name.clone());
    step.given
        .push(("grant_type".into(), Value::text(CREDENTIALS)));
    let outcome = scene
        .perform(&step, &Change::default(), User::Approve, 4)
        .await;
    if outcome.answer == Answer::Success {
        found.push("client_credentials".into());
    }
}

/// A server may leave JWT access tokens to whoever verifies them, and introspect others only. It says so with
/// the code that RFC 7009 §2.2.1 has for revocation; any other refusal is left to the cases.
async fn introspects_no_jwt(world: &World, scene: &mut Scene<'_>) -> Option<String> {
    world.endpoints.introspection.as_ref()?;
    world.target.introspection_client.as_ref()?;
    let step = plain(Verb::Introspect);
    let outcome = scene
        .perform(&step, &Change::default(), User::Approve, 1)
        .await;
    let Answer::Refused { error, .. } = &outcome.answer else {
        return None;
    };
    (error.as_deref() == Some("unsupported_token_type")).then(|| {
        format!(
            "the server introspects no JWT access token ({})",
            outcome.answer.words()
        )
    })
}

/// RFC 8707 support must show: in the token's audience, or by a refusal of a made-up resource.
async fn resource_supported(world: &World, scene: &mut Scene<'_>, token: &str) -> bool {
    let id = world
        .target
        .resources
        .first()
        .and_then(|resource| resource.id.as_deref());
    if let (Some(id), Ok(claims)) = (id, wire::jwt::claims(token)) {
        let aud = claims.value.get("aud");
        let names = |value: &wire::json::Value| value.as_str() == Some(id);
        if aud.is_some_and(|aud| {
            names(aud) || aud.as_array().is_some_and(|all| all.iter().any(names))
        }) {
            return true;
        }
    }
    let mut step = plain(Verb::Grant);
    let unknown = Value::text("https://unknown.example/oauthspec");
    step.change.with.push(("resource".into(), unknown));
    let change = step.change.clone();
    let outcome = scene.perform(&step, &change, User::Approve, 9).await;
    outcome.answer.is_refusal()
}

/// What went wrong with the very first grant, and what to look at.
fn explain_failed_grant(
    scene: &Scene<'_>,
    outcome: &crate::flow::Outcome,
    world: &World,
) -> String {
    let last = scene.last_exchange(outcome);
    let at = last.map_or_else(String::new, |recorded| {
        format!(" at {} {}", recorded.request.method, recorded.request.url)
    });
    let body = last
        .and_then(|recorded| recorded.reply.as_ref().ok())
        .map(|reply| {
            let page = crate::login::html::read(&reply.text(), "https://x.example/");
            let shown = if page.title.is_empty() {
                reply.text().chars().take(300).collect::<String>()
            } else {
                format!("the page “{}”", page.title)
            };
            if page.forms.is_empty() && page.scripts {
                format!("{shown} (scripts and no form: it may need driver = \"browser\")")
            } else {
                shown
            }
        })
        .unwrap_or_default();
    let advice = match &outcome.answer {
        Answer::NoAnswer(why) if why.contains("redirects without") || why.contains("came back") => {
            "The login goes in circles: look at [[login.step]] in the target file"
        }
        Answer::NoAnswer(_) => "Check that the server runs, its URL and its certificate",
        Answer::Refused {
            how: crate::flow::How::Page,
            ..
        } if world.target.login.driver == Driver::None => {
            "The server showed a page, and the target file has no login: add [login] with its steps"
        }
        Answer::Refused {
            how: crate::flow::How::Page,
            ..
        } => {
            "No login step fits this page: compare its fields and buttons with [[login.step]] in the target file, \
             and the client's id and redirect URI with what is registered"
        }
        Answer::Refused {
            error: Some(error), ..
        } if error == "invalid_client" => {
            "Check the client's id, secret and `auth` method in the target file"
        }
        Answer::Refused { .. } => "Check the client, scope and resource in the target file",
        Answer::Astray { .. } => {
            "The redirect went elsewhere: check redirect_uris in the target file"
        }
        Answer::Throttled(_) => "Wait, or lower --rate",
        _ => "Look at the server's log",
    };
    format!(
        "preflight: the correct flow does not work, so nothing can be judged: it {}{at}: {body}. {advice}.",
        outcome.answer.words()
    )
}
