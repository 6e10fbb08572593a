//! The scope that was granted, beside what was asked for (RFC 6749 §3.3, §5.1, §6).

use super::token::success;
use super::view::{View, quote, scope_text, words};
use super::{Check, Finding, Look};
use crate::flow::{Answer, Outcome};
use crate::suite::model::Verb;

pub(super) const CHECKS: &[Check] = &[
    Check("scope-reported", Look::At(scope_reported)),
    Check("scope-within-grant", Look::At(scope_within_grant)),
    Check("scope-partly-granted", Look::At(scope_partly_granted)),
    Check("scope-as-requested", Look::At(scope_as_requested)),
    Check("made-up-scope-not-granted", Look::At(made_up_scope)),
];

fn requested(outcome: &Outcome) -> Option<&str> {
    outcome
        .sent_param("scope")
        .or(outcome.asked.scope.as_deref())
        .filter(|scope| !scope.trim().is_empty())
}

/// The scope in the token itself, or in what introspection says of it.
fn inner_scope(view: &View<'_>, outcome: &Outcome) -> Option<String> {
    ["scope", "scp"]
        .into_iter()
        .find_map(|name| scope_text(&view.claim(outcome, name)?))
}

/// The scope granted by a step: the answer's, else the token's, else what was asked for.
fn granted(view: &View<'_>, outcome: &Outcome) -> Option<String> {
    outcome
        .field("scope")
        .map(str::to_owned)
        .or_else(|| inner_scope(view, outcome))
        .or_else(|| requested(outcome).map(str::to_owned))
}

/// The first successful grant or exchange before this step.
pub(super) fn first_grant<'v>(view: &View<'v>) -> Option<&'v Outcome> {
    view.earlier().iter().find(|earlier| {
        matches!(earlier.verb, Verb::Grant | Verb::Exchange) && earlier.answer == Answer::Success
    })
}

fn scope_reported(view: &View<'_>) -> Result<Finding, Finding> {
    let outcome = success(view)?;
    if let Some(scope) = outcome.field("scope") {
        return Ok(Finding::pass(format!("`scope` is {}", quote(scope))));
    }
    let inner = inner_scope(view, outcome);
    match (requested(outcome), inner) {
        (None, Some(inner)) if !words(&inner).is_empty() => Err(Finding::fail(format!(
            "the request had no scope, the token has {}, and the answer does not say so",
            quote(&inner)
        ))),
        // RFC 9396 §2: authorization details stand beside scope, and may stand alone.
        (None, _)
            if outcome.sent_param("authorization_details").is_some()
                || view.asked_for("authorization_details").is_some() =>
        {
            Ok(Finding::pass(
                "no scope was asked for and none is named; the rights are in authorization_details",
            ))
        }
        (None, _) => Err(Finding::warn(
            "the request had no scope, and neither the answer nor the token says which was granted",
        )),
        (Some(requested), Some(inner)) if words(requested) != words(&inner) => {
            Err(Finding::fail(format!(
                "scope {} was asked for, the token has {}, and the answer does not say so",
                quote(requested),
                quote(&inner)
            )))
        }
        (Some(requested), _) => Ok(Finding::pass(format!(
            "`scope` is absent, which says that {} was granted",
            quote(requested)
        ))),
    }
}

fn scope_partly_granted(view: &View<'_>) -> Result<Finding, Finding> {
    let outcome = success(view)?;
    let asked = requested(outcome).ok_or_else(|| {
        Finding::undecided("the request named no scope, of which a part could be withheld")
    })?;
    let Some(said) = outcome.field("scope") else {
        return Err(Finding::fail(format!(
            "`scope` is absent, which says that all of {} was granted",
            quote(asked)
        )));
    };
    let (asked, granted) = (words(asked), words(said));
    if let Some(inner) = inner_scope(view, outcome)
        && words(&inner) != granted
    {
        return Err(Finding::fail(format!(
            "`scope` is {}, and the token has {}",
            quote(said),
            quote(&inner)
        )));
    }
    if granted.is_subset(&asked) && granted != asked {
        return Ok(Finding::pass(format!("`scope` is {}", quote(said))));
    }
    Err(Finding::fail(format!(
        "`scope` is {}, although the user approved a part of that",
        quote(said)
    )))
}

fn scope_within_grant(view: &View<'_>) -> Result<Finding, Finding> {
    let outcome = success(view)?;
    let now = granted(view, outcome)
        .ok_or_else(|| Finding::undecided("the granted scope cannot be read"))?;
    let then = match first_grant(view) {
        Some(first) => granted(view, first),
        // A first exchange is bound by what the user approved.
        None => view.asked_for("scope"),
    };
    let then =
        then.ok_or_else(|| Finding::undecided("the scope that was granted first cannot be read"))?;
    let more: Vec<&str> = words(&now).difference(&words(&then)).copied().collect();
    if more.is_empty() {
        Ok(Finding::pass(format!(
            "{} is within {}",
            quote(&now),
            quote(&then)
        )))
    } else {
        Err(Finding::fail(format!(
            "{} is granted beyond the first grant's {}",
            quote(&more.join(" ")),
            quote(&then)
        )))
    }
}

fn scope_as_requested(view: &View<'_>) -> Result<Finding, Finding> {
    let outcome = success(view)?;
    let asked =
        requested(outcome).ok_or_else(|| Finding::not_applicable("the request had no scope"))?;
    let got = granted(view, outcome).unwrap_or_default();
    if words(asked) == words(&got) {
        Ok(Finding::pass(format!("{} was granted", quote(&got))))
    } else {
        Err(Finding::fail(format!(
            "{} was asked for and {} granted",
            quote(asked),
            quote(&got)
        )))
    }
}

fn made_up_scope(view: &View<'_>) -> Result<Finding, Finding> {
    let outcome = success(view)?;
    let Some(scope) = outcome.field("scope") else {
        return Err(Finding::fail(
            "`scope` is absent, which says that the made-up scope was granted, too",
        ));
    };
    match words(scope)
        .into_iter()
        .find(|word| word.contains("oauthspec"))
    {
        Some(word) => Err(Finding::fail(format!(
            "the made-up scope {} was granted",
            quote(word)
        ))),
        None => match words(scope)
            .difference(&words(requested(outcome).unwrap_or(scope)))
            .next()
        {
            Some(word) => Err(Finding::warn(format!(
                "{} was granted, which was not asked for",
                quote(word)
            ))),
            None => Ok(Finding::pass(format!("{} was granted", quote(scope)))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::{granted, of, quoted_jwt};
    use crate::check::Found::{Fail, NotApplicable, Pass, Undecided, Warn};

    #[test]
    fn a_scope_other_than_asked_for_is_reported() {
        let check = "scope-reported";
        let with = |body: &str, asked: Option<&str>| {
            let mut stage = granted(body);
            if let Some(asked) = asked {
                stage.asked().scope = Some(asked.into());
            }
            of(check, &stage)
        };
        assert_eq!(with(r#"{"access_token":"t","scope":"a"}"#, None), Pass);
        assert_eq!(with(r#"{"access_token":"t"}"#, None), Warn);
        assert_eq!(with(r#"{"access_token":"t"}"#, Some("a b")), Pass);
        let jwt = format!(r#"{{"access_token":{}}}"#, quoted_jwt(r#"{"scope":"a"}"#));
        assert_eq!(with(&jwt, None), Fail);
        assert_eq!(with(&jwt, Some("a")), Pass);
        assert_eq!(with(&jwt, Some("a b")), Fail);
    }

    #[test]
    fn a_part_that_was_withheld_is_not_granted() {
        let check = "scope-partly-granted";
        let with = |body: &str, asked: Option<&str>| {
            let mut stage = granted(body);
            if let Some(asked) = asked {
                stage.asked().scope = Some(asked.into());
            }
            of(check, &stage)
        };
        let part = r#"{"access_token":"t","scope":"a"}"#;
        assert_eq!(with(part, Some("a b")), Pass);
        assert_eq!(with(part, Some("a")), Fail);
        assert_eq!(with(part, None), Undecided);
        assert_eq!(with(r#"{"access_token":"t"}"#, Some("a b")), Fail);
        let wider = format!(
            r#"{{"access_token":{},"scope":"a"}}"#,
            quoted_jwt(r#"{"scope":"a b"}"#)
        );
        assert_eq!(with(&wider, Some("a b")), Fail);
    }

    #[test]
    fn a_refresh_does_not_widen_its_scope() {
        let then = |second: &str, sent: &[(&str, &str)]| {
            let mut stage = granted(r#"{"access_token":"t","scope":"a b"}"#);
            stage.refresh(sent, second);
            stage
        };
        let narrow = then(r#"{"access_token":"u","scope":"a"}"#, &[("scope", "a")]);
        assert_eq!(of("scope-within-grant", &narrow), Pass);
        assert_eq!(of("scope-as-requested", &narrow), Pass);
        let wide = then(r#"{"access_token":"u","scope":"a c"}"#, &[("scope", "a")]);
        assert_eq!(of("scope-within-grant", &wide), Fail);
        assert_eq!(of("scope-as-requested", &wide), Fail);
        let silent = then(r#"{"access_token":"u"}"#, &[]);
        assert_eq!(of("scope-as-requested", &silent), NotApplicable);
        assert_eq!(
            of(
                "scope-within-grant",
                &granted(r#"{"access_token":"t","scope":"a"}"#)
            ),
            Undecided
        );
    }

    #[test]
    fn a_made_up_scope_is_not_granted() {
        let check = "made-up-scope-not-granted";
        assert_eq!(
            of(check, &granted(r#"{"access_token":"t","scope":"a"}"#)),
            Pass
        );
        assert_eq!(
            of(
                check,
                &granted(r#"{"access_token":"t","scope":"a oauthspec:x"}"#)
            ),
            Fail
        );
        assert_eq!(of(check, &granted(r#"{"access_token":"t"}"#)), Fail);
        let mut near = granted(r#"{"access_token":"t","scope":"a"}"#);
        near.asked().scope = Some("a-oauthspec".into());
        assert_eq!(of(check, &near), Warn);
    }
}
