//! What Hightop promises and no specification asks for.

use serde_json::Value as Json;
use url::Url;

use super::view::{View, outline, quote};
use super::{Check, Finding, Look};
use crate::flow::{Answer, Scene};
use crate::suite::model::{Change, Step, User, Verb};

pub(super) const CHECKS: &[Check] = &[
    Check("hightop-endpoints", Look::At(hightop_endpoints)),
    Check("hightop-resource-metadata", Look::At(resource_metadata)),
    Check("hightop-connect", Look::At(connect)),
    Check("refused-before-login", Look::At(refused_before_login)),
    Check("access-token-is-jwt", Look::At(access_token_is_jwt)),
    Check("refresh-token-issued", Look::At(refresh_token_issued)),
    Check("registrations-limited", Look::RegistrationsLimited),
];

/// The endpoints of Hightop's documentation, by their name in the metadata.
const HIGHTOP: &[(&str, &str)] = &[
    ("registration_endpoint", "/oauth/reg"),
    ("authorization_endpoint", "/oauth/auth"),
    ("token_endpoint", "/oauth/token"),
    ("revocation_endpoint", "/oauth/token/revocation"),
    ("jwks_uri", "/oauth/jwks"),
];

fn hightop_endpoints(view: &View<'_>) -> Result<Finding, Finding> {
    let metadata: serde_json::Map<String, Json> = view
        .last()?
        .json()
        .ok_or_else(|| Finding::fail("the metadata is no JSON object"))?;
    for (name, path) in HIGHTOP {
        let Some(url) = metadata.get(*name).and_then(Json::as_str) else {
            return Err(Finding::fail(format!("the metadata has no {name}")));
        };
        let own = Url::parse(url).ok();
        if own.as_ref().map(Url::path) != Some(*path) {
            return Err(Finding::fail(format!(
                "{name} is {}, documented is {path}",
                quote(url)
            )));
        }
    }
    Ok(Finding::pass("every endpoint has its documented path"))
}

/// The document at `/.well-known/oauth-protected-resource/PATH` is that of the resource at PATH.
fn resource_metadata(view: &View<'_>) -> Result<Finding, Finding> {
    let (recorded, reply) = view
        .answers()
        .next_back()
        .ok_or_else(|| Finding::undecided("there was no answer to look at"))?;
    let url = Url::parse(&recorded.request.url)
        .map_err(|_| Finding::undecided("the URL asked for cannot be read"))?;
    if reply.status != 200 {
        return Err(Finding::fail(format!(
            "{} answers {}",
            quote(url.path()),
            reply.status
        )));
    }
    let body = reply
        .json()
        .ok_or_else(|| Finding::fail("the answer is no JSON object"))?;
    let path = url
        .path()
        .strip_prefix("/.well-known/oauth-protected-resource")
        .unwrap_or_default();
    let expected = format!("{}{path}", url.origin().ascii_serialization());
    let resource = body.get("resource").and_then(Json::as_str);
    if resource != Some(expected.as_str()) {
        return Err(Finding::fail(format!(
            "resource is {}, not {}",
            quote(resource.unwrap_or("missing")),
            quote(&expected)
        )));
    }
    let servers = body.get("authorization_servers").and_then(Json::as_array);
    let ours = servers
        .into_iter()
        .flatten()
        .any(|server| server.as_str() == Some(&view.target.issuer));
    if !ours {
        return Err(Finding::fail(
            "authorization_servers does not name the issuer",
        ));
    }
    Ok(Finding::pass(format!(
        "it is the document of {}",
        quote(&expected)
    )))
}

/// Where the first answer of the authorization endpoint leads.
fn first_location(view: &View<'_>) -> Result<(u16, Option<Url>), Finding> {
    let (recorded, reply) = view
        .answers()
        .next()
        .ok_or_else(|| Finding::undecided("there was no answer to look at"))?;
    let location = reply
        .header_bytes("location")
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .filter(|_| reply.is_redirect());
    let base = Url::parse(&recorded.request.url).ok();
    let target = location.and_then(|location| base?.join(&location).ok());
    Ok((reply.status, target))
}

fn at_home(view: &View<'_>, url: &Url) -> bool {
    Url::parse(view.authorization_endpoint).is_ok_and(|home| home.origin() == url.origin())
}

fn connect(view: &View<'_>) -> Result<Finding, Finding> {
    let (status, target) = first_location(view)?;
    let Some(target) = target else {
        return Err(Finding::fail(format!(
            "the authorization endpoint answers {status}, not with a redirect to /connect/…"
        )));
    };
    let id = target.path().strip_prefix("/connect/").unwrap_or_default();
    if !at_home(view, &target) || id.is_empty() {
        let shown = format!("{}{}", target.origin().ascii_serialization(), target.path());
        return Err(Finding::fail(format!(
            "the browser is sent to {}, not to /connect/… of this server",
            quote(&shown)
        )));
    }
    Ok(Finding::pass("the browser is sent to /connect/…"))
}

fn refused_before_login(view: &View<'_>) -> Result<Finding, Finding> {
    let (status, target) = first_location(view)?;
    match target {
        Some(target) if at_home(view, &target) && target.path().starts_with("/connect/") => Err(
            Finding::warn("the user was asked to log in before the request was found to be wrong"),
        ),
        Some(_) => Ok(Finding::pass("answered with a redirect at once")),
        None if status < 400 && !view.pages().is_empty() && view.pages().len() > 1 => Err(
            Finding::warn("pages were shown before the request was found to be wrong"),
        ),
        None => Ok(Finding::pass(format!("answered with {status} at once"))),
    }
}

fn member(view: &View<'_>, name: &str) -> Result<Option<String>, Finding> {
    let answer = view.token_answer()?.json();
    let answer = answer.ok_or_else(|| Finding::fail("the token answer is no JSON object"))?;
    Ok(answer.get(name).and_then(Json::as_str).map(str::to_owned))
}

fn access_token_is_jwt(view: &View<'_>) -> Result<Finding, Finding> {
    let token = member(view, "access_token")?
        .ok_or_else(|| Finding::fail("the answer has no access_token"))?;
    match jose::Token::parse(&token) {
        Ok(_) => Ok(Finding::pass("the access token is a JWT")),
        Err(_) => Err(Finding::fail(format!(
            "the access token is no JWT: {}",
            outline(&token)
        ))),
    }
}

fn refresh_token_issued(view: &View<'_>) -> Result<Finding, Finding> {
    match member(view, "refresh_token")? {
        Some(token) if !token.is_empty() => Ok(Finding::pass("a refresh token came with it")),
        _ => Err(Finding::fail("the answer has no refresh_token")),
    }
}

/// Registrations that a case may make to see the limit.
const MOST_REGISTRATIONS: usize = 50;

/// Repeats a registration until the server says that it is enough. Every client is noted, so that the run removes it.
pub(super) async fn registrations_limited(
    scene: &mut Scene<'_>,
    at: usize,
) -> Result<Finding, Finding> {
    let missing = || Finding::undecided("there is no such step");
    let outcome = scene.outcomes.get(at).ok_or_else(missing)?;
    if outcome.answer != Answer::Success {
        return Err(Finding::without_success("registrations", &outcome.answer));
    }
    let step = Step {
        client: Some(outcome.client.clone()).filter(|name| !name.is_empty()),
        ..Step::new(Verb::Register)
    };
    for count in 2..=MOST_REGISTRATIONS {
        let next = scene
            .perform(&step, &Change::default(), User::Approve, at + 1)
            .await
            .clone();
        match next.answer {
            Answer::Success => {}
            Answer::Throttled(_) => {
                let reply = scene
                    .last_exchange(&next)
                    .and_then(|recorded| recorded.reply.as_ref().ok());
                let status = reply.map_or(0, |reply| reply.status);
                let told = reply.is_some_and(|reply| reply.header_bytes("retry-after").is_some());
                return match (status, told) {
                    (429, true) => Ok(Finding::pass(format!(
                        "registration {count} was answered with 429 and Retry-After"
                    ))),
                    (429, false) => Err(Finding::warn(format!(
                        "registration {count} was answered with 429, without Retry-After"
                    ))),
                    _ => Err(Finding::undecided(format!(
                        "registration {count} was answered with {status}"
                    ))),
                };
            }
            answer => {
                return Err(Finding::undecided(format!(
                    "registration {count} {}",
                    answer.words()
                )));
            }
        }
    }
    Err(Finding::undecided(format!(
        "{MOST_REGISTRATIONS} registrations in a row met no limit; what the limit is, the documentation does not say"
    )))
}

#[cfg(test)]
mod tests {
    use super::super::Found;
    use super::super::stage::Stage;
    use super::*;

    #[test]
    fn an_endpoint_elsewhere_than_documented_is_named() {
        let mut stage = Stage::new();
        let body = |revoke: &str| {
            format!(
                r#"{{"registration_endpoint":"https://as.example/oauth/reg","authorization_endpoint":"https://as.example/oauth/auth",
                "token_endpoint":"https://as.example/oauth/token","revocation_endpoint":"https://as.example{revoke}","jwks_uri":"https://as.example/oauth/jwks"}}"#
            )
        };
        stage.discover("as", 200, &body("/oauth/token/revocation"));
        assert_eq!(hightop_endpoints(&stage.view()).unwrap().found, Found::Pass);
        stage.discover("as", 200, &body("/oauth/revoke"));
        let found = hightop_endpoints(&stage.view()).unwrap_err();
        assert_eq!(found.found, Found::Fail);
        assert!(found.reason.contains("revocation_endpoint"), "{found:?}");
        stage.discover("as", 200, "{}");
        assert_eq!(
            hightop_endpoints(&stage.view()).unwrap_err().found,
            Found::Fail
        );
    }

    #[test]
    fn an_opaque_access_token_and_a_missing_refresh_token_are_seen() {
        let mut stage = Stage::new();
        stage.grant(r#"{"access_token":"opaque","token_type":"Bearer"}"#);
        assert_eq!(
            access_token_is_jwt(&stage.view()).unwrap_err().found,
            Found::Fail
        );
        assert_eq!(
            refresh_token_issued(&stage.view()).unwrap_err().found,
            Found::Fail
        );
        stage.grant(
            r#"{"access_token":"eyJhbGciOiJFUzI1NiJ9.e30.AAAA","token_type":"Bearer","refresh_token":"r"}"#,
        );
        assert_eq!(
            access_token_is_jwt(&stage.view()).unwrap().found,
            Found::Pass
        );
        assert_eq!(
            refresh_token_issued(&stage.view()).unwrap().found,
            Found::Pass
        );
    }
}
