//! Are the clients known, do they authenticate in the right way, and are their redirect URIs registered?

use serde_json::Value;

use crate::client::{World, request};
use crate::doctor::{Report, page};
use crate::login::{End, Walk, Will};
use crate::run::prepare;
use crate::targets::model::{Client, ClientAuth};
use crate::transport::Reply;

/// Redirect URIs that are tried in all.
const MOST_URIS: usize = 12;

/// Registers the clients that the target file asks for.
pub(super) async fn register(report: &mut Report, world: &mut World) {
    let wanted: Vec<String> = world
        .target
        .clients
        .iter()
        .filter(|client| client.register)
        .map(|client| client.name.clone())
        .collect();
    if world.target.clients.is_empty() {
        report.problem(
            "no-client",
            "the target has no client to act as",
            "add [client.a] with an id and redirect_uris, or register = true",
        );
        return;
    }
    if wanted.is_empty() {
        return;
    }
    let Some(endpoint) = world.endpoints.registration.clone() else {
        report.problem(
            "registration-missing",
            format!(
                "{} should be registered, and the server has no registration endpoint",
                clients(&wanted)
            ),
            "register by hand and write id in place of register = true",
        );
        return;
    };
    let answers = prepare::register_each(world, &endpoint).await;
    for (name, answer) in answers {
        match answer {
            Ok(id) => report.good("registered", format!("client {name}: {id}")),
            Err(why) if name == "a" => report.problem(
                "registration-refused",
                format!("client a could not be registered at {endpoint}: {why}"),
                "register by hand and write id in place of register = true (a server that wants an initial access token does not register for everybody)",
            ),
            Err(why) => report.warning(
                "registration-refused",
                format!("client {name} could not be registered at {endpoint}: {why}"),
                format!("cases that need it are skipped; register by hand, or remove [client.{name}]"),
            ),
        }
    }
}

fn clients(names: &[String]) -> String {
    if let [one] = names {
        format!("client {one}")
    } else {
        format!("the clients {}", names.join(", "))
    }
}

/// How a client's request with a made-up code was answered.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// The client is accepted, the code is not (`invalid_grant`): as it must be.
    Accepted,
    /// Refused with another error: perhaps the client, perhaps the request.
    Vague(String),
    /// `invalid_client`.
    Unknown,
    /// Something that is no answer of a token endpoint.
    Odd(String),
    /// The server's own failure: its status, and what it said.
    Failed(u16, String),
    /// No answer.
    Silent(String),
}

pub(super) async fn look(report: &mut Report, world: &World) {
    let mut tried = 0;
    for client in &world.target.clients {
        let Some(id) = &client.id else {
            continue;
        };
        let word = ask(world, client, world.target.policy.token_body_json).await;
        // Where a login would begin tells whether the client and its redirect URI are known.
        let mut shown: Vec<(&String, End, Walk)> = Vec::new();
        for uri in &client.redirect_uris {
            tried += 1;
            if tried > MOST_URIS {
                break;
            }
            let (end, walk) = page::open(world, client, uri, Will::Nothing).await;
            shown.push((uri, end, walk));
        }
        let begins = shown.iter().any(|(_, end, _)| page::begins(end));
        match word {
            Word::Vague(what) => {
                let json = world.target.policy.token_body_json;
                if ask(world, client, !json).await == Word::Accepted {
                    odd(report, world, client, &what).await;
                    return;
                }
                report.good(
                    "client",
                    format!("client {} ({id}) is not refused", client.name),
                );
            }
            Word::Accepted => {
                report.good(
                    "client",
                    format!("client {} ({id}) is known and authenticates", client.name),
                );
            }
            Word::Silent(why) => {
                report.problem(
                    "token-endpoint",
                    format!("the token endpoint does not answer: {why}"),
                    "check [endpoints] and hosts",
                );
                return;
            }
            Word::Odd(what) => {
                odd(report, world, client, &what).await;
                return;
            }
            Word::Failed(status, said) => {
                failed(report, world, client, status, &said).await;
                if report.broken() {
                    return;
                }
            }
            Word::Unknown => {
                unknown(report, world, client, begins).await;
                if report.broken() {
                    return;
                }
            }
        }
        for (uri, end, walk) in &shown {
            redirect_uri(report, world, client, uri, end, walk);
            if report.broken() {
                return;
            }
        }
    }
}

/// A token request with a made-up code.
async fn ask(world: &World, client: &Client, json: bool) -> Word {
    let Some(request) = request::made_up_code(world, client, json) else {
        return Word::Odd("no token endpoint is known".to_owned());
    };
    match &world.transport.send_patiently(request).await.reply {
        Err(why) => Word::Silent(why.clone()),
        Ok(reply) => read(reply),
    }
}

fn read(reply: &Reply) -> Word {
    let error = reply.json().and_then(|object| {
        object
            .get("error")
            .and_then(Value::as_str)
            .map(str::to_owned)
    });
    match (error.as_deref(), reply.status) {
        (Some("invalid_client"), _) => Word::Unknown,
        (Some("unauthorized_client"), _) => Word::Odd(
            "the client may not use the authorization code grant (unauthorized_client)".to_owned(),
        ),
        (Some("unsupported_grant_type"), _) => Word::Odd(
            "the server did not understand the request's grant_type (unsupported_grant_type)"
                .to_owned(),
        ),
        (Some("invalid_grant"), 400..=403) => Word::Accepted,
        (Some(error), 400..=403) => Word::Vague(format!("answered {} {error}", reply.status)),
        (_, 401) => Word::Unknown,
        (_, status) => {
            let text: String = reply.text().chars().take(160).collect();
            let said = format!("{}: {text}", reply.media_type());
            match status {
                // A gateway says by these that nobody stands behind it.
                500.. if !(502..=504).contains(&status) => Word::Failed(status, said),
                _ => Word::Odd(format!("answered {status} {said}")),
            }
        }
    }
}

/// Tells that it is the other kind of body that the token endpoint takes.
fn other_body(report: &mut Report, world: &World, what: &str) {
    let (now, other) = if world.target.policy.token_body_json {
        ("JSON", "form")
    } else {
        ("a form", "json")
    };
    report.problem(
        "token-body",
        format!("the token endpoint does not take {now}: it {what}"),
        format!("write token_body = \"{other}\" under [policy]"),
    );
}

/// A made-up code makes the server fail. That is its own mistake, and whether the client is right shows when somebody logs in.
async fn failed(report: &mut Report, world: &World, client: &Client, status: u16, said: &str) {
    // Who cannot read the other kind of body finds no client in it either.
    let json = world.target.policy.token_body_json;
    if ask(world, client, !json).await == Word::Accepted {
        other_body(report, world, &format!("answered {status} {said}"));
        return;
    }
    let endpoint = world.endpoints.token.as_deref().unwrap_or_default();
    report.warning(
        "token-fails",
        format!("the token endpoint {endpoint} answers {status} to a made-up code, where invalid_grant is due: {said}"),
        "nothing to do here: it is the server's failure, which the token suite judges. The client is tried with a real code below",
    );
}

async fn odd(report: &mut Report, world: &World, client: &Client, what: &str) {
    let json = world.target.policy.token_body_json;
    if matches!(
        ask(world, client, !json).await,
        Word::Accepted | Word::Unknown
    ) {
        other_body(report, world, what);
        return;
    }
    if what.contains("unauthorized_client") {
        report.problem(
            "client-grant",
            format!("client {}: {what}", client.name),
            "allow it the authorization code grant at the server",
        );
        return;
    }
    report.problem(
        "token-endpoint",
        format!(
            "{} does not answer as a token endpoint: it {what}",
            world.endpoints.token.as_deref().unwrap_or_default()
        ),
        "check token under [endpoints]",
    );
}

/// `invalid_client`: the client, its secret, or the way it is sent.
async fn unknown(report: &mut Report, world: &World, client: &Client, begins: bool) {
    let name = &client.name;
    let id = client.id.as_deref().unwrap_or_default();
    let others: &[ClientAuth] = match client.auth {
        ClientAuth::Basic => &[ClientAuth::Post],
        ClientAuth::Post => &[ClientAuth::Basic],
        ClientAuth::None | ClientAuth::PrivateKeyJwt => &[],
    };
    for auth in others {
        let other = Client {
            auth: *auth,
            ..client.clone()
        };
        if ask(world, &other, world.target.policy.token_body_json).await == Word::Accepted {
            report.problem(
                "client-auth-method",
                format!(
                    "client {name} ({id}) is refused with {} and accepted with {}",
                    client.auth.word(),
                    auth.word()
                ),
                format!("write auth = \"{}\" under [client.{name}]", auth.word()),
            );
            return;
        }
    }
    if client.auth != ClientAuth::None {
        let public = Client {
            auth: ClientAuth::None,
            secret: None,
            ..client.clone()
        };
        if ask(world, &public, world.target.policy.token_body_json).await == Word::Accepted {
            report.problem(
                "client-auth-method",
                format!("client {name} ({id}) is refused with {} and accepted without: it is a public client", client.auth.word()),
                format!("write auth = \"none\" under [client.{name}] and remove the secret"),
            );
            return;
        }
    }
    match (begins, client.auth) {
        (true, ClientAuth::None) => report.problem(
            "client-secret-missing",
            format!("client {name} ({id}) is known, but refused without a secret: it is a confidential client"),
            format!("write secret.env and auth = \"client_secret_basic\" under [client.{name}]"),
        ),
        (true, ClientAuth::PrivateKeyJwt) => report.problem(
            "client-key",
            format!("client {name} ({id}) is known, but its signed assertion is refused"),
            "the key is made for each run, so only a registered client (register = true) can use private_key_jwt",
        ),
        (true, _) => report.problem(
            "client-secret",
            format!("client {name} ({id}) is known, but its secret is refused"),
            format!("correct secret under [client.{name}]"),
        ),
        (false, _) if client.redirect_uris.is_empty() => report.problem(
            "client-secret",
            format!("client {name} ({id}) is refused: its id or its secret is wrong"),
            format!("correct id and secret under [client.{name}]"),
        ),
        (false, _) => report.problem(
            "client-unknown",
            format!("the server does not know client {name} ({id})"),
            format!("correct id under [client.{name}], or register the client there"),
        ),
    }
}

fn redirect_uri(
    report: &mut Report,
    world: &World,
    client: &Client,
    uri: &str,
    end: &End,
    walk: &Walk,
) {
    if page::begins(end) {
        report.good("redirect-uri", format!("client {}: {uri}", client.name));
        return;
    }
    match end {
        End::Redirect { location, .. } => {
            page::refused(report, world, client, &String::from_utf8_lossy(location));
        }
        End::Page { status, about } => {
            let body = page::last_text(walk);
            if page::answered(report, world, client, &body) {
                return;
            }
            report.problem(
                "redirect-uri",
                format!("client {} is known, but the server refuses its redirect URI {uri} ({status}: {about})", client.name),
                format!("register {uri} at the server, or write redirect_uris under [client.{}] as they are registered, character for character", client.name),
            );
        }
        End::ServerError(status) => report.problem(
            "server-error",
            format!("the authorization endpoint answered {status} to a correct request: that is the server's failure"),
            "look at the server's log",
        ),
        End::Throttled(why) => report.problem("throttled", format!("the authorization endpoint {why}"), "wait, or lower --rate"),
        End::NoAnswer(why) | End::Stuck(why) => report.problem(
            "authorization-endpoint",
            format!("the authorization endpoint does not answer: {why}"),
            "check [endpoints] and hosts",
        ),
    }
}
