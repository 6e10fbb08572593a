//! One named check a concern: what the answer of a step means.
//!
//! What each check means is written in `docs/checks.md`, and only there: [`doc`] reads it from that
//! file. Here every check is a row of a table: its name, and a function that looks at a [`View`] of
//! the scene. Only those with a [`Look`] of their own send or wait.

mod agnicpay;
mod answers;
mod authorization;
mod cors;
mod device;
mod doc;
mod dpop;
mod general;
mod hasp;
mod hightop;
mod issuer;
mod jwks;
mod jwt;
mod matrix;
mod mcp;
mod metadata;
mod pages;
mod pushed;
mod quality;
mod race;
mod reach;
mod registration;
mod resource;
mod rights;
mod rotation;
mod scope;
mod silence;
#[cfg(test)]
mod stage;
mod subject;
mod token;
mod truth;
mod view;

use crate::flow::{Answer, Scene};

pub(crate) use answers::{INSIDES, error_defects, status_defect};
pub use doc::{Doc, doc};
pub(crate) use general::canary_fetched;
use view::View;

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// As it should be.
    Pass,
    /// A formal deviation.
    Warn,
    /// Broken.
    Fail,
    /// It could not be seen.
    Undecided,
    /// The check makes no sense for this answer.
    NotApplicable,
}

/// A check's result with the sentence that quotes what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was found.
    pub found: Found,
    /// Why.
    pub reason: String,
}

impl Finding {
    fn new(found: Found, reason: impl Into<String>) -> Finding {
        Finding {
            found,
            reason: reason.into(),
        }
    }

    fn pass(reason: impl Into<String>) -> Finding {
        Finding::new(Found::Pass, reason)
    }

    fn warn(reason: impl Into<String>) -> Finding {
        Finding::new(Found::Warn, reason)
    }

    fn fail(reason: impl Into<String>) -> Finding {
        Finding::new(Found::Fail, reason)
    }

    fn undecided(reason: impl Into<String>) -> Finding {
        Finding::new(Found::Undecided, reason)
    }

    /// What a check of success says of a step that did not succeed: a refusal has nothing to look
    /// at, anything else could not be seen.
    fn without_success(what: &str, answer: &Answer) -> Finding {
        let reason = format!("{what}: the step {}", answer.words());
        let found = if answer.is_refusal() {
            Found::NotApplicable
        } else {
            Found::Undecided
        };
        Finding::new(found, reason)
    }

    fn not_applicable(reason: impl Into<String>) -> Finding {
        Finding::new(Found::NotApplicable, reason)
    }
}

/// How a check works. A pass is `Ok`, anything else an `Err`, so that `?` ends the look at the
/// first thing found.
#[derive(Clone, Copy)]
enum Look {
    /// It looks at what is there.
    At(fn(&View<'_>) -> Result<Finding, Finding>),
    /// It registers until the server says that it is enough.
    RegistrationsLimited,
    /// It uses what the copies of a parallel step won.
    SingleSuccess,
    /// It looks once it is known whose tokens the opaque ones are: by introspection, or by a resource that tells.
    Subject(fn(&View<'_>) -> Result<Finding, Finding>),
    /// It revokes one of several winners and uses the others.
    RacedTokensDie,
    /// It tries the tokens of all resources at each other.
    AudienceMatrix,
    /// It uses a consumed refresh token until that is refused.
    Rotation,
}

/// A row of the table: name and function.
struct Check(&'static str, Look);

/// The tables of all concerns.
const TABLES: [&[Check]; 28] = [
    matrix::CHECKS,
    rotation::CHECKS,
    race::CHECKS,
    reach::CHECKS,
    metadata::CHECKS,
    issuer::CHECKS,
    jwks::CHECKS,
    resource::CHECKS,
    authorization::CHECKS,
    subject::CHECKS,
    pages::CHECKS,
    pushed::CHECKS,
    cors::CHECKS,
    truth::CHECKS,
    token::CHECKS,
    scope::CHECKS,
    rights::CHECKS,
    jwt::CHECKS,
    registration::CHECKS,
    device::CHECKS,
    dpop::CHECKS,
    mcp::CHECKS,
    general::CHECKS,
    answers::CHECKS,
    silence::CHECKS,
    agnicpay::CHECKS,
    hightop::CHECKS,
    hasp::CHECKS,
];

#[expect(
    clippy::indexing_slicing,
    reason = "a constant: it is the compiler that would stop"
)]
const COUNT: usize = {
    let (mut table, mut count) = (0, 0);
    while table < TABLES.len() {
        count += TABLES[table].len();
        table += 1;
    }
    count
};

#[expect(
    clippy::indexing_slicing,
    reason = "a constant: it is the compiler that would stop"
)]
const ALL_NAMES: [&str; COUNT] = {
    let mut names = [race::CHECKS[0].0; COUNT];
    let (mut table, mut at) = (0, 0);
    while table < TABLES.len() {
        let mut row = 0;
        while row < TABLES[table].len() {
            names[at] = TABLES[table][row].0;
            at += 1;
            row += 1;
        }
        table += 1;
    }
    names
};

/// Every check's name.
pub const NAMES: &[&str] = &ALL_NAMES;

fn look(name: &str) -> Option<Look> {
    TABLES
        .iter()
        .copied()
        .flatten()
        .find(|check| check.0 == name)
        .map(|check| check.1)
}

/// Runs the named check on the scene's step number `at`.
///
/// Reasons quote what servers sent, not yet redacted.
pub async fn run(name: &str, scene: &mut Scene<'_>, at: usize) -> Finding {
    let found = match look(name) {
        None => Err(Finding::undecided(format!("no check is called {name}"))),
        Some(Look::RegistrationsLimited) => hightop::registrations_limited(scene, at).await,
        Some(Look::SingleSuccess) => race::single_success(scene, at).await,
        Some(Look::RacedTokensDie) => race::raced_tokens_die(scene, at).await,
        Some(Look::AudienceMatrix) => matrix::audience_matrix(scene, at).await,
        Some(Look::Rotation) => rotation::rotation(scene, at).await,
        Some(Look::Subject(look)) => {
            subject::learn(scene, at).await;
            match View::of(scene, at) {
                Some(view) => look(&view),
                None => Err(Finding::undecided("there is no such step")),
            }
        }
        Some(Look::At(look)) => match View::of(scene, at) {
            Some(view) => look(&view),
            None => Err(Finding::undecided("there is no such step")),
        },
    };
    match found {
        Ok(finding) | Err(finding) => finding,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_once() {
        let mut names = NAMES.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), NAMES.len());
        assert!(NAMES.iter().all(|name| look(name).is_some()));
    }

    #[test]
    fn hostile_answers_break_no_check() {
        let hostile: [&[u8]; 8] = [
            b"",
            b"\xff\xfe\x00",
            b"[[[[[[[[[[[[",
            br#"{"keys":[7,null,{}],"issuer":[],"error":{},"access_token":[]}"#,
            br#"{"access_token":"..","expires_in":1e999,"authorization_details":[7]}"#,
            br#"{"access_token":"eyJhbGciOiJub25lIn0.e30.","aud":{}}"#,
            b"<form action='http://[::'><meta http-equiv=refresh content='0;url='>",
            br#"{"issuer":"http://","resource":"?#x","jwks_uri":"::","redirect_uris":"x"}"#,
        ];
        for body in hostile {
            let text = String::from_utf8_lossy(body);
            let mut stage = stage::Stage::new();
            stage.discover("as", 200, &text);
            stage.discover("resource.a", 200, &text);
            stage.authorize("state=%zz", "https://app.example/cb?%zz=%&code");
            stage.page("state=%zz", &text);
            stage.grant(&text);
            stage.refresh(&[("refresh_token", "x")], &text);
            stage.register(&[("redirect_uris", "{")], 201, &text);
            stage.introspect("x", &text);
            stage.call("a", 401, &text);
            stage.header("WWW-Authenticate", "Bearer \u{0}=\",=,");
            stage.token_error(302, &text);
            for name in NAMES {
                if let Some(Look::At(look)) = look(name) {
                    for at in 0..stage.outcomes.len() {
                        stage.look_at(at);
                        let _ = look(&stage.view());
                    }
                }
            }
        }
    }
}
