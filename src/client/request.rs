//! The correct request of every operation, before anything deviates. Nothing is sent here.

use serde_json::{Value, json};

use super::auth::authenticated;
use super::draft::{Draft, Encoding, Param};
use super::{Answer, Asked, Missing, Pkce, World};
use crate::suite::model::CREDENTIALS;
use crate::targets::model::{Client, ClientAuth, ClientKind, Resource};
use crate::transport::Request;

/// What registered clients are called.
pub const CLIENT_NAME: &str = "oauthspec test client";

/// The grant type of RFC 8628 §3.4.
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Lets a user authorize a client for a resource (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2, RFC 9396 §2).
///
/// # Errors
/// There is no authorization endpoint.
pub fn authorization(
    world: &World,
    client: &Client,
    resource: Option<&Resource>,
    pkce: &Pkce,
    state: &str,
) -> Result<Draft, Missing> {
    let endpoint = world.endpoint(&world.endpoints.authorization, "authorization endpoint")?;
    let mut draft = Draft::new("GET", endpoint, Encoding::Query);
    draft.push("response_type", "code");
    draft.push_some("client_id", client.id.as_deref());
    draft.push_some("redirect_uri", client.redirect_uris.first().cloned());
    draft.push("state", state);
    draft.push_some("scope", scope(world, resource));
    draft.push("code_challenge", &pkce.challenge);
    draft.push("code_challenge_method", "S256");
    draft.push_some("resource", resource.and_then(|one| one.id.as_deref()));
    let detail = resource
        .and_then(|resource| resource.rar.as_deref())
        .or(world.target.policy.rar.as_deref())
        .and_then(|name| world.target.rar(name));
    draft.push_some("authorization_details", detail);
    for (name, value) in &world.target.params {
        draft.push(name, value.clone());
    }
    Ok(draft)
}

/// The scope asked for: the target's default, and what the resource's probe needs.
pub fn scope(world: &World, resource: Option<&Resource>) -> Option<String> {
    let default = world.target.policy.scope.as_deref().unwrap_or_default();
    let needed = resource
        .and_then(|resource| resource.scope.as_deref())
        .unwrap_or_default();
    let mut scopes: Vec<&str> = Vec::new();
    for scope in default.split_whitespace().chain(needed.split_whitespace()) {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    (!scopes.is_empty()).then(|| scopes.join(" "))
}

/// Pushes the parameters of an authorization request (RFC 9126 §2.1).
///
/// # Errors
/// There is no pushed authorization request endpoint.
pub fn push(world: &World, client: &Client, request: &Draft) -> Result<Draft, Missing> {
    let endpoint = world.endpoint(
        &world.endpoints.par,
        "pushed authorization request endpoint",
    )?;
    let mut draft = authenticated(world, endpoint, client, Encoding::Form);
    // As a parameter of the authorization request it is required here (RFC 9126 §2.1).
    draft.names_client = true;
    draft.remove("client_id");
    draft.params.splice(0..0, request.params.iter().cloned());
    Ok(draft)
}

/// Leaves of an authorization request what is sent when the rest was pushed (RFC 9126 §4).
pub fn refer_to(draft: &mut Draft, request_uri: Option<&str>) {
    draft.params.retain(|(name, _)| name == "client_id");
    draft.push_some("request_uri", request_uri);
}

/// A request to the token endpoint (RFC 6749 §3.2).
///
/// # Errors
/// There is no token endpoint.
pub fn token(world: &World, client: &Client, grant_type: &str) -> Result<Draft, Missing> {
    let endpoint = world.endpoint(&world.endpoints.token, "token endpoint")?;
    let encoding = match world.target.policy.token_body_json {
        true => Encoding::Json,
        false => Encoding::Form,
    };
    let mut draft = authenticated(world, endpoint, client, encoding);
    let grant_type = Param::Text(grant_type.to_owned());
    draft.params.insert(0, ("grant_type".into(), grant_type));
    Ok(draft)
}

/// Redeems a code for what the authorization request asked for (RFC 6749 §4.1.3, RFC 7636 §4.5, RFC 8707 §2.2).
///
/// # Errors
/// There is no token endpoint.
pub fn redemption(
    world: &World,
    client: &Client,
    code: Option<&str>,
    asked: &Asked,
) -> Result<Draft, Missing> {
    let mut draft = token(world, client, "authorization_code")?;
    draft.push_some("code", code);
    draft.push_some("redirect_uri", asked.redirect_uri.as_deref());
    draft.push_some("code_verifier", asked.proof());
    draft.push_some("resource", asked.resource.as_deref());
    draft.credential = Some("code");
    Ok(draft)
}

/// Uses a refresh token (RFC 6749 §6).
///
/// # Errors
/// There is no token endpoint.
pub fn refresh(world: &World, client: &Client, token: Option<&str>) -> Result<Draft, Missing> {
    let mut draft = self::token(world, client, "refresh_token")?;
    draft.push_some("refresh_token", token);
    draft.credential = Some("refresh_token");
    Ok(draft)
}

/// Asks for a token for the client itself (RFC 6749 §4.4.2).
///
/// # Errors
/// There is no token endpoint.
pub fn client_credentials(
    world: &World,
    client: &Client,
    resource: Option<&Resource>,
) -> Result<Draft, Missing> {
    let mut draft = token(world, client, CREDENTIALS)?;
    draft.push_some("scope", scope(world, resource));
    draft.push_some("resource", resource.and_then(|one| one.id.as_deref()));
    Ok(draft)
}

/// A redemption that is right but for its code, which is made up; `None` without a token endpoint.
pub fn made_up_code(world: &World, client: &Client, json: bool) -> Option<Request> {
    let pkce = Pkce::fresh();
    let asked = Asked {
        redirect_uri: client.redirect_uris.first().cloned(),
        challenge: Some(pkce.challenge),
        verifier: Some(pkce.verifier),
        ..Asked::default()
    };
    let code = jose::random_token(32);
    let mut draft = redemption(world, client, Some(&code), &asked).ok()?;
    draft.encoding = if json { Encoding::Json } else { Encoding::Form };
    Some(draft.finish())
}

/// Asks for a device code (RFC 8628 §3.1).
///
/// # Errors
/// There is no device authorization endpoint.
pub fn device(world: &World, client: &Client) -> Result<Draft, Missing> {
    let endpoint = world.endpoint(&world.endpoints.device, "device authorization endpoint")?;
    let mut draft = authenticated(world, endpoint, client, Encoding::Form);
    draft.push_some("scope", world.target.policy.scope.clone());
    Ok(draft)
}

/// Polls for the tokens of a device code (RFC 8628 §3.4).
///
/// # Errors
/// There is no token endpoint.
pub fn poll(world: &World, client: &Client, device_code: Option<&str>) -> Result<Draft, Missing> {
    let mut draft = token(world, client, DEVICE_CODE)?;
    draft.push_some("device_code", device_code);
    Ok(draft)
}

/// Revokes a token (RFC 7009 §2.1).
///
/// # Errors
/// There is no revocation endpoint.
pub fn revocation(world: &World, client: &Client, token: Option<&str>) -> Result<Draft, Missing> {
    let endpoint = world.endpoint(&world.endpoints.revocation, "revocation endpoint")?;
    Ok(about(world, endpoint, client, token))
}

/// Introspects a token (RFC 7662 §2.1), as `caller`: see [`World::introspector`].
///
/// # Errors
/// There is no introspection endpoint.
pub fn introspection(
    world: &World,
    caller: &Client,
    token: Option<&str>,
) -> Result<Draft, Missing> {
    let endpoint = world.endpoint(&world.endpoints.introspection, "introspection endpoint")?;
    Ok(about(world, endpoint, caller, token))
}

fn about(world: &World, endpoint: &str, client: &Client, token: Option<&str>) -> Draft {
    let mut draft = authenticated(world, endpoint, client, Encoding::Form);
    draft.push_some("token", token);
    draft.credential = Some("token");
    draft
}

/// The probe of a resource with an access token (RFC 6750 §2.1). The token is the parameter `token`, so that it can be changed like any
/// other, until [`place_token`] makes it the header.
pub fn call(resource: &Resource, token: Option<&str>) -> Draft {
    let mut draft = Draft::new(&resource.method, resource.url.as_str(), Encoding::Form);
    draft.push_some("token", token);
    draft.credential = Some("token");
    match &resource.body {
        Some((body, content_type)) => {
            draft.body = Some(body.clone());
            draft.content_type = Some(content_type.clone());
        }
        None => draft.content_type = Some(String::new()),
    }
    draft
}

/// Moves the token of a call to where it belongs: the Authorization header, with the scheme DPoP when its possession is proved
/// (RFC 9449 §7.1).
pub fn place_token(draft: &mut Draft) {
    let raw = draft
        .params
        .iter()
        .find(|(name, _)| name == "token")
        .map(|(_, value)| value.clone());
    draft.remove("token");
    if draft.authorization.is_none()
        && let Some(Param::Text(token) | Param::Raw(token)) = raw
    {
        draft.presented = Some(token.clone());
        let scheme = match draft.option("@dpop") {
            Some(_) => "DPoP",
            None => "Bearer",
        };
        draft.authorization = Some(format!("{scheme} {token}"));
    }
}

/// Registers a client like this one (RFC 7591 §3.1). `scene` tells what is fetched from our listener.
///
/// # Errors
/// There is no registration endpoint.
pub fn registration(world: &World, like: &Client, scene: &str) -> Result<Draft, Missing> {
    let endpoint = world.endpoint(&world.endpoints.registration, "registration endpoint")?;
    Ok(described(world, like, scene, endpoint))
}

/// The metadata of a client like this one as a JSON document for this place.
pub fn described(world: &World, like: &Client, scene: &str, place: &str) -> Draft {
    let mut draft = Draft::new("POST", place, Encoding::Json);
    for (name, value) in metadata(world, like, scene) {
        draft.params.push((name, Param::Json(value)));
    }
    draft
}

/// The metadata a correct registration sends (RFC 7591 §2), like that of a client of the target.
pub fn metadata(world: &World, like: &Client, scene: &str) -> Vec<(String, Value)> {
    let mut members = vec![
        ("client_name".to_owned(), json!(CLIENT_NAME)),
        ("redirect_uris".to_owned(), json!(like.redirect_uris)),
        (
            "grant_types".to_owned(),
            json!(["authorization_code", "refresh_token"]),
        ),
        ("response_types".to_owned(), json!(["code"])),
        (
            "token_endpoint_auth_method".to_owned(),
            json!(like.auth.word()),
        ),
    ];
    if like.kind == ClientKind::Native {
        members.push(("application_type".to_owned(), json!("native")));
    }
    if like.auth == ClientAuth::PrivateKeyJwt {
        let jwks = world
            .listener
            .as_ref()
            .and_then(|listener| listener.field("jwks", scene));
        match jwks {
            Some(url) => members.push(("jwks_uri".to_owned(), json!(url))),
            None => members.push(("jwks".to_owned(), world.key.public_jwks())),
        }
    }
    members
}

/// Removes a client that was registered (RFC 7592 §2.3).
pub fn removal(uri: &str, token: Option<&str>) -> Request {
    let mut request = Request::get(uri);
    request.method = "DELETE".into();
    if let Some(token) = token {
        request.set("Authorization", format!("Bearer {token}"));
    }
    request
}

/// A metadata document (RFC 8414 §3).
pub fn document(place: &str) -> Draft {
    Draft::new("GET", place, Encoding::Query)
}

impl From<Missing> for Answer {
    fn from(missing: Missing) -> Answer {
        Answer::NotApplicable(missing.0)
    }
}
