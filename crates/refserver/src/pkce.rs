//! Proof Key for Code Exchange (RFC 7636), the OAuth 2.1 way: S256, for everybody.

use jose::s256;

use crate::{
    AgnicFault, App, Fault,
    http::Params,
    state::{Client, Code},
};

/// A code challenge as it was stored with the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub value: String,
    /// `false` only by fault: the challenge is the verifier itself.
    pub s256: bool,
}

/// Unreserved characters, as both challenge and verifier are made of (RFC 7636 §4.1, §4.2).
fn well_formed(app: &App, value: &str) -> bool {
    app.broken(Fault::PkceLengthUnchecked)
        || ((43..=128).contains(&value.len())
            && value
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)))
}

/// Reads the challenge of an authorization request. `Err` is the description of an `invalid_request`.
pub(crate) fn from_request(
    app: &App,
    client: &Client,
    params: &Params,
) -> Result<Option<Challenge>, &'static str> {
    let method = params.get("code_challenge_method");
    let Some(value) = params.get("code_challenge") else {
        let optional = client.pkce_optional
            || (app.broken(Fault::PkceOptional) && client.is_public())
            || (app.broken(AgnicFault::CliPkceOptional) && client.name == "native")
            || (app.broken(Fault::PkceConfidentialOptional) && !client.is_public());
        return match method {
            Some(_) => Err("code_challenge_method without code_challenge"),
            None if optional => Ok(None),
            None => Err("code_challenge is required"),
        };
    };
    if !well_formed(app, value) {
        return Err("code_challenge must be 43 to 128 unreserved characters");
    }
    let s256 = match method {
        Some("S256") => true,
        Some("plain") if app.broken(Fault::PkcePlain) => false,
        None if app.broken(Fault::PkceOmittedMeansPlain) => false,
        None if app.face.rules.pkce_method_optional && !app.broken(AgnicFault::MethodRequired) => {
            true
        }
        Some(other) if app.broken(Fault::PkceMethodCase) && other.eq_ignore_ascii_case("S256") => {
            true
        }
        Some(other) if app.broken(Fault::PkceUnknownMethod) && other != "plain" => true,
        None => return Err("code_challenge_method is required and must be S256"),
        Some(_) => return Err("code_challenge_method must be S256"),
    };
    Ok(Some(Challenge {
        value: value.to_owned(),
        s256,
    }))
}

/// Checks the verifier of a token request against the code. `Err` is error code and description.
pub(crate) fn check<'c>(
    app: &App,
    code: &Code,
    params: &Params,
    pending: impl Iterator<Item = &'c Code>,
) -> Result<(), (&'static str, &'static str)> {
    let verifier = params.get("code_verifier");
    let Some(challenge) = &code.challenge else {
        return match verifier {
            Some(_) if !app.broken(Fault::PkceVerifierWithoutChallenge) => Err((
                "invalid_request",
                "code_verifier without a code_challenge in the authorization request",
            )),
            _ => Ok(()),
        };
    };
    let Some(verifier) = verifier else {
        let empty_passes = app.broken(Fault::PkceVerifierEmpty) && params.sent("code_verifier");
        let absent_passes =
            app.broken(Fault::PkceVerifierOptional) && !params.sent("code_verifier");
        return if empty_passes || absent_passes {
            Ok(())
        } else {
            Err(("invalid_grant", "code_verifier is required"))
        };
    };
    if kind_comparison(app, challenge, verifier, params) || app.broken(Fault::PkceVerifierUnchecked)
    {
        return Ok(());
    }
    if app.broken(Fault::PkceVerifierOfOther) && well_formed(app, verifier) {
        let other = pending
            .filter(|other| other.client == code.client)
            .any(|other| other.challenge.as_ref().is_some_and(|c| fits(c, verifier)));
        if other {
            return Ok(());
        }
    }
    if !well_formed(app, verifier) {
        return Err((
            "invalid_grant",
            "code_verifier must be 43 to 128 unreserved characters",
        ));
    }
    if fits(challenge, verifier) {
        Ok(())
    } else {
        Err((
            "invalid_grant",
            "code_verifier does not fit the code_challenge",
        ))
    }
}

fn fits(challenge: &Challenge, verifier: &str) -> bool {
    let value = if challenge.s256 {
        s256(verifier)
    } else {
        verifier.to_owned()
    };
    value == challenge.value
}

/// The comparisons that let more than the one verifier through. A hash cannot be compared kindly, so these look for a verifier nearby that fits.
fn kind_comparison(app: &App, challenge: &Challenge, verifier: &str, params: &Params) -> bool {
    let sound = |verifier: &str| well_formed(app, verifier) && fits(challenge, verifier);
    (app.broken(Fault::PkceChallengeAsVerifier) && verifier == challenge.value)
        || (app.broken(Fault::PkceMethodAtToken)
            && params.get("code_challenge_method") == Some("plain")
            && verifier == challenge.value)
        || (app.broken(Fault::PkceVerifierTrimmed) && sound(verifier.trim()))
        || (app.broken(Fault::PkceVerifierPadded) && sound(verifier.trim_end_matches('=')))
        || (app.broken(Fault::PkceVerifierNear)
            && well_formed(app, verifier)
            && near(challenge, verifier))
        || (app.broken(Fault::PkceVerifierCase)
            && well_formed(app, verifier)
            && near_case(challenge, verifier))
}

/// Whether the verifier fits with one character replaced.
fn near(challenge: &Challenge, verifier: &str) -> bool {
    let unreserved = || ('-'..='~').filter(|c| c.is_ascii_alphanumeric() || "-._~".contains(*c));
    verifier.len() <= 128
        && verifier.char_indices().any(|(at, old)| {
            unreserved().any(|new| {
                fits(
                    challenge,
                    &format!(
                        "{}{new}{}",
                        verifier.get(..at).unwrap_or_default(),
                        verifier.get(at + old.len_utf8()..).unwrap_or_default()
                    ),
                )
            })
        })
}

/// Whether the verifier fits in upper case, lower case, swapped case, or with one letter's case changed.
fn near_case(challenge: &Challenge, verifier: &str) -> bool {
    let swap = |c: char| {
        if c.is_ascii_lowercase() {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        }
    };
    let swapped: String = verifier.chars().map(swap).collect();
    fits(challenge, &verifier.to_ascii_lowercase())
        || fits(challenge, &verifier.to_ascii_uppercase())
        || fits(challenge, &swapped)
        || (0..verifier.chars().count()).any(|at| {
            fits(
                challenge,
                &verifier
                    .chars()
                    .enumerate()
                    .map(|(i, c)| if i == at { swap(c) } else { c })
                    .collect::<String>(),
            )
        })
}
