//! The correct flow, once: what it proves, and what to look at when it does not work.

use std::time::Duration;

use serde_json::Value as Json;

use super::Prepared;
use crate::flow::audience::side_by_side;
use crate::flow::{Answer, Scene, World};
use crate::suite::model::{CREDENTIALS, Change, Step, User, Value, Verb};
use crate::targets::model::{Client, ClientKind, Driver, Resource};
use crate::transport::redact::excerpt;

/// The correct flow, once: authorize, exchange, call; of a server without an authorization endpoint, a client's own token. Everything
/// else rests on it.
pub(super) async fn preflight(prepared: &mut Prepared, bound: Duration) -> Result<(), String> {
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
    if world.endpoints.authorization.is_none() && !world.target.login.driver.brings_tokens() {
        by_client_credentials(world, scene, found).await;
        if found.iter().any(|own| own == CREDENTIALS) {
            // A server for machines only: the correct flow is that of a client for itself (RFC 6749 §4.4).
            let why = "the server has no authorization endpoint; where it has one, write it under [endpoints]";
            reasons.push(("login".into(), why.into()));
            return Ok(());
        }
    }
    let change = Change::default();
    let grant = Step::new(Verb::Grant);
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
        let call = Step::new(Verb::Call);
        let called = scene
            .perform(&call, &change, User::Approve, 2)
            .await
            .clone();
        if called.answer != Answer::Success {
            let scope = outcome.asked.scope.as_deref().unwrap_or("(none)");
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
    if let Some(why) = no_devices(world, scene).await {
        reasons.push(("device".into(), why));
    }
    let openid = world
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.get("scopes_supported"))
        .and_then(Json::as_array)
        .is_some_and(|scopes| scopes.iter().any(|scope| scope == "openid"));
    if openid {
        let mut step = Step::new(Verb::Grant);
        let base = outcome.asked.scope.as_deref().unwrap_or_default();
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
    let mut step = Step::new(Verb::Call);
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
    let mut step = Step::new(Verb::Grant);
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

/// A server may let some clients use the device grant and not others (RFC 6749 §5.2 `unauthorized_client`); any other refusal is left to the
/// cases.
async fn no_devices(world: &World, scene: &mut Scene<'_>) -> Option<String> {
    world.endpoints.device.as_ref()?;
    let step = Step::new(Verb::Device);
    let outcome = scene
        .perform(&step, &Change::default(), User::Approve, 5)
        .await;
    let Answer::Refused { error, .. } = &outcome.answer else {
        return None;
    };
    (error.as_deref() == Some("unauthorized_client")).then(|| {
        format!(
            "client {} may not use the device grant ({}): allow it that at the server",
            outcome.client,
            outcome.answer.words()
        )
    })
}

/// A server may leave JWT access tokens to whoever verifies them, and introspect others only. It says so with
/// the code that RFC 7009 §2.2.1 has for revocation; any other refusal is left to the cases.
async fn introspects_no_jwt(world: &World, scene: &mut Scene<'_>) -> Option<String> {
    world.endpoints.introspection.as_ref()?;
    world.target.introspection_client.as_ref()?;
    let step = Step::new(Verb::Introspect);
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
    let mut step = Step::new(Verb::Grant);
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
        .and_then(|recorded| Some((recorded, recorded.reply.as_ref().ok()?)))
        .map(|(recorded, reply)| {
            let page = crate::login::html::read(&reply.text(), "https://x.example/");
            let shown = if page.title.is_empty() {
                excerpt(recorded, 300)
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
