//! What the broken server misreads: a request is changed into what it takes it for.

use axum::http::{HeaderValue, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use wire::form::encode_component;

use super::Place;
use super::asked::{Asked, pairs};
use crate::{App, Fault};

/// Requests that the broken server takes for others.
pub(super) fn mistakes(app: &App, asked: &mut Asked) {
    match asked.place {
        Place::Token => mistakes_at_token(app, asked),
        Place::Authorize => {
            if app.broken(Fault::DeepEscapedType) {
                asked_details(asked);
            }
            let pairs = asked.pairs();
            if app.broken(Fault::DeepLastStateLost)
                && pairs.last().is_some_and(|(name, _)| name == "state")
            {
                asked.set_pairs(pairs.get(..pairs.len() - 1).unwrap_or_default());
            }
            if app.broken(Fault::DeepStateSeparator)
                && asked
                    .value("state")
                    .is_some_and(|state| state.contains('\u{2028}'))
            {
                asked.rewrite("state", |state| state.replace('\u{2028}', ""));
            }
        }
        Place::Introspect
            if app.broken(Fault::DeepIntrospectTail)
                && asked
                    .value("token")
                    .is_some_and(|token| token.contains(char::is_whitespace)) =>
        {
            asked.rewrite("token", |token| {
                token
                    .split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            });
        }
        Place::Resource if app.broken(Fault::DeepBearerComma) => {
            let value = asked.header(header::AUTHORIZATION);
            if let Some((first, _)) = value.split_once(',')
                && let Ok(first) = HeaderValue::from_str(first)
            {
                asked.headers.insert(header::AUTHORIZATION, first);
            }
        }
        _ => {}
    }
}

/// Reads authorization details the way a careless parser does: the last of two members wins.
fn asked_details(asked: &mut Asked) {
    let Some(text) = asked
        .value("authorization_details")
        .filter(|text| text.contains("\\u00"))
    else {
        return;
    };
    let Ok(value) = serde_json::from_str::<Value>(&text) else {
        return;
    };
    asked.rewrite("authorization_details", |_| value.to_string());
}

fn mistakes_at_token(app: &App, asked: &mut Asked) {
    let verifiers = asked.values("code_verifier");
    if app.broken(Fault::DeepSecondVerifier)
        && let [_, second] = verifiers.as_slice()
    {
        let mut pairs: Vec<_> = asked
            .pairs()
            .into_iter()
            .filter(|(name, _)| name != "code_verifier")
            .collect();
        pairs.push(("code_verifier".into(), second.clone()));
        asked.set_pairs(&pairs);
    }
    if app.broken(Fault::DeepQueryVerifier)
        && verifiers.is_empty()
        && let Some(pair) = pairs(asked.query.as_bytes())
            .into_iter()
            .find(|(name, _)| name == "code_verifier")
    {
        let mut pairs = asked.pairs();
        pairs.push(pair);
        asked.set_pairs(&pairs);
    }
    if app.broken(Fault::DeepCodeNul) && asked.value("code").is_some_and(|code| code.contains('\0'))
    {
        asked.rewrite("code", |code| {
            code.split('\0').next().unwrap_or_default().to_owned()
        });
    }
    if app.broken(Fault::DeepVerifierList)
        && verifiers.iter().any(|verifier| verifier.contains(','))
    {
        asked.rewrite("code_verifier", |verifier| {
            verifier.split(',').next().unwrap_or_default().to_owned()
        });
    }
    if app.broken(Fault::DeepRefreshTrimmed)
        && asked
            .value("refresh_token")
            .is_some_and(|token| token.ends_with(char::is_whitespace))
    {
        asked.rewrite("refresh_token", |token| token.trim_end().to_owned());
    }
    if app.broken(Fault::DeepSecretInvisible) {
        ignore_invisible(asked);
    }
}

/// Takes characters nobody sees out of the client secret, in the body and in the header.
fn ignore_invisible(asked: &mut Asked) {
    let seen = |text: &str| -> String {
        text.chars()
            .filter(|c| {
                !matches!(
                    c,
                    '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{202e}'
                )
            })
            .collect()
    };
    if asked
        .value("client_secret")
        .is_some_and(|secret| seen(&secret) != secret)
    {
        asked.rewrite("client_secret", seen);
    }
    let Some(text) = asked
        .basic()
        .and_then(|text| STANDARD.decode(text).ok())
        .and_then(|text| String::from_utf8(text).ok())
    else {
        return;
    };
    let decoded =
        String::from_utf8_lossy(&wire::form::decode_component(text.as_bytes())).into_owned();
    if seen(&decoded) == decoded {
        return;
    }
    if let Some((id, secret)) = seen(&decoded).split_once(':') {
        let credentials = format!(
            "{}:{}",
            encode_component(id.as_bytes()),
            encode_component(secret.as_bytes())
        );
        if let Ok(value) = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(credentials)))
        {
            asked.headers.insert(header::AUTHORIZATION, value);
        }
    }
}
