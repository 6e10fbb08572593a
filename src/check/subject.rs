//! Whose token it is.

use super::view::{View, quote};
use super::{Check, Finding, Look};
use crate::flow::{Answer, Outcome, Scene, confirm};
use crate::suite::model::{User, Verb};

pub(super) const CHECKS: &[Check] = &[
    Check("subject-unchanged", Look::Subject(subject_unchanged)),
    Check("subject-of-no-user", Look::Subject(subject_of_no_user)),
];

/// Tokens looked at in one case; no case has more grants.
const MOST: usize = 8;

/// Asks whose the opaque tokens of the case are: at introspection, else at the resource, whose answer may tell `sub`.
pub(super) async fn learn(scene: &mut Scene<'_>, at: usize) {
    let opaque = |outcome: &Outcome| {
        let told = |name: &str| {
            let token = outcome.field(name).map(jose::Token::parse);
            token.is_some_and(|token| token.is_ok_and(|token| token.claim_str("sub").is_some()))
        };
        outcome.answer == Answer::Success && !told("access_token") && !told("id_token")
    };
    let tokens: Vec<Outcome> = (scene.outcomes.iter().enumerate())
        .filter(|(number, outcome)| {
            // Later ones are those that confirmed this step.
            opaque(outcome) && (*number <= at || outcome.code().is_some())
        })
        .filter(|(_, outcome)| outcome.field("access_token").is_some())
        .map(|(_, outcome)| outcome.clone())
        .take(MOST)
        .collect();
    let introspects = scene.world.endpoints.introspection.is_some()
        && scene.world.target.introspection_client.is_some();
    for granted in tokens {
        if introspects {
            confirm::introspected(scene, &granted).await;
        }
        let told = View::of(scene, at).is_some_and(|view| subject(&view, &granted).is_some());
        if !told && !scene.world.target.resources.is_empty() {
            confirm::token_lives(scene, &granted).await;
        }
    }
}

/// The subject of a step's token: of the JWT access token, the ID token, introspection, or the resource's answer to it.
fn subject(view: &View<'_>, outcome: &Outcome) -> Option<String> {
    let text = |value: serde_json::Value| value.as_str().map(str::to_owned);
    let of_jwt = |name: &str| {
        let jwt = jose::Token::parse(outcome.field(name)?).ok()?;
        jwt.claim_str("sub").map(str::to_owned)
    };
    let at_resource = || {
        let token = outcome.field("access_token")?;
        let called = view.outcomes.iter().find(|called| {
            called.verb == Verb::Call
                && called.answer == Answer::Success
                && called.sent_param("token") == Some(token)
        })?;
        let reply = view.exchanges_of(called).next_back()?.reply.as_ref().ok()?;
        text(reply.json()?.get("sub")?.clone())
    };
    of_jwt("access_token")
        .or_else(|| of_jwt("id_token"))
        .or_else(|| view.claim(outcome, "sub").and_then(text))
        .or_else(at_resource)
}

/// Why a subject is not known.
const UNTOLD: &str =
    "neither the token, nor an ID token, nor introspection, nor the resource's answer tells it";

fn subject_unchanged(view: &View<'_>) -> Result<Finding, Finding> {
    let has_token = |outcome: &&Outcome| {
        outcome.answer == Answer::Success && outcome.field("access_token").is_some()
    };
    // The token of an authorization is the one that its code was redeemed for.
    let code = view.outcome.code();
    let mine = std::iter::once(view.outcome)
        .chain(
            view.outcomes
                .iter()
                .filter(|outcome| code.is_some() && outcome.code() == code),
        )
        .find(has_token)
        .and_then(|outcome| subject(view, outcome))
        .ok_or_else(|| Finding::undecided(format!("whose token it is cannot be read: {UNTOLD}")))?;
    let mut grants = view.earlier().iter().filter(has_token);
    let first = grants
        .clone()
        .find(|outcome| outcome.user != User::Second)
        .ok_or_else(|| Finding::undecided("no earlier grant to compare with"))?;
    let expected = subject(view, first)
        .ok_or_else(|| Finding::undecided("the subject of the first grant cannot be read"))?;
    if mine != expected {
        return Err(Finding::fail(format!(
            "the token's subject is {}, and that of the first grant {}",
            quote(&mine),
            quote(&expected)
        )));
    }
    let second = grants
        .find(|outcome| outcome.user == User::Second)
        .map(|outcome| {
            subject(view, outcome)
                .ok_or_else(|| Finding::undecided("the second user's subject cannot be read"))
        })
        .transpose()?;
    if second.as_ref() == Some(&mine) {
        return Err(Finding::fail(format!(
            "both users' tokens have the subject {}",
            quote(&mine)
        )));
    }
    Ok(Finding::pass(format!("the subject is {}", quote(&mine))))
}

/// A client that asks for itself is no user (RFC 9068 §5).
fn subject_of_no_user(view: &View<'_>) -> Result<Finding, Finding> {
    let mine = super::token::success(view).and_then(|outcome| {
        subject(view, outcome).ok_or_else(|| {
            Finding::undecided(format!("whose token it is cannot be read: {UNTOLD}"))
        })
    })?;
    let users = view
        .earlier()
        .iter()
        .filter(|outcome| outcome.code().is_some() && outcome.answer == Answer::Success)
        .filter_map(|outcome| subject(view, outcome));
    let mut known = 0;
    for user in users {
        known += 1;
        if user == mine {
            return Err(Finding::fail(format!(
                "the client's own token has the subject {}, which is a user's",
                quote(&mine)
            )));
        }
    }
    if known == 0 {
        return Err(Finding::undecided(format!(
            "no user's subject is known to compare with: {UNTOLD}"
        )));
    }
    Ok(Finding::pass(format!(
        "the client's own token has the subject {}, which is no user's",
        quote(&mine)
    )))
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, of, quoted_jwt};
    use crate::check::Found::{Fail, Pass, Undecided};
    use crate::suite::model::User;

    #[test]
    fn the_subject_stays_and_is_not_the_other_users() {
        let check = "subject-unchanged";
        let grant = |stage: &mut Stage, sub: &str, user: User| {
            let token = quoted_jwt(&format!(r#"{{"sub":"{sub}"}}"#));
            stage.grant(&format!(r#"{{"access_token":{token}}}"#));
            stage.user(user);
        };
        let three = |second: &str, last: &str| {
            let mut stage = Stage::new();
            grant(&mut stage, "alice", User::Approve);
            grant(&mut stage, second, User::Second);
            grant(&mut stage, last, User::Approve);
            of(check, &stage)
        };
        assert_eq!(three("bob", "alice"), Pass);
        assert_eq!(three("bob", "bob"), Fail);
        assert_eq!(three("alice", "alice"), Fail);
        let mut stage = Stage::new();
        stage.grant(r#"{"access_token":"opaque"}"#);
        assert_eq!(of(check, &stage), Undecided);
    }

    #[test]
    fn a_client_is_no_user() {
        let check = "subject-of-no-user";
        let stage = |own: &str| {
            let mut stage = Stage::new();
            let token = quoted_jwt(r#"{"sub":"alice"}"#);
            stage.grant(&format!(r#"{{"access_token":{token}}}"#));
            stage.asked().code = Some("c".into());
            let token = quoted_jwt(&format!(r#"{{"sub":"{own}"}}"#));
            stage.grant(&format!(r#"{{"access_token":{token}}}"#));
            of(check, &stage)
        };
        assert_eq!(stage("client-1"), Pass);
        assert_eq!(stage("alice"), Fail);
    }
}
