//! What a token is for: its audience (RFC 8707, RFC 9068 §3) and authorization details (RFC 9396 §7).

use serde_json::{Map, Value as Json};

use super::metadata::document;
use super::scope::first_grant;
use super::token::{success, token_object};
use super::view::{View, quote, strings};
use super::{Check, Finding, Look};
use crate::flow::Outcome;

pub(super) const CHECKS: &[Check] = &[
    Check("audience-is-resource", Look::At(audience_is_resource)),
    Check("audience-known", Look::At(audience_known)),
    Check("details-returned", Look::At(details_returned)),
    Check("details-within-grant", Look::At(details_within_grant)),
    Check("details-in-token", Look::At(details_in_token)),
    Check("details-types-known", Look::At(details_types_known)),
];

/// The entries of a token's `aud`.
fn audience(view: &View<'_>, outcome: &Outcome) -> Option<Vec<String>> {
    match view.claim(outcome, "aud")? {
        Json::String(text) => Some(vec![text]),
        Json::Array(items) => Some(
            items
                .iter()
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect(),
        ),
        _ => None,
    }
}

fn audience_of_step(view: &View<'_>) -> Result<Vec<String>, Finding> {
    let outcome = success(view)?;
    audience(view, outcome).ok_or_else(|| {
        Finding::undecided(if view.readable(outcome) {
            "the token names no audience"
        } else {
            "the token is opaque, and no introspection tells its audience"
        })
    })
}

fn audience_is_resource(view: &View<'_>) -> Result<Finding, Finding> {
    let asked = view.resources_asked_for();
    if asked.is_empty() {
        return Err(Finding::not_applicable("no resource was asked for"));
    }
    let outcome = success(view)?;
    if view.readable(outcome) && view.claim(outcome, "aud").is_none() {
        return Err(Finding::fail(format!(
            "the token has no `aud`, though {} was asked for",
            quote(&asked.join(" "))
        )));
    }
    let audience = audience_of_step(view)?;
    let shown = quote(&audience.join(" "));
    let others = view
        .target
        .resources
        .iter()
        .filter_map(|resource| resource.id.as_deref())
        .filter(|id| !asked.iter().any(|asked| asked == id));
    for other in others {
        if audience.iter().any(|entry| entry == other) {
            return Err(Finding::fail(format!(
                "`aud` is {shown}: it names {}, which was not asked for",
                quote(other)
            )));
        }
    }
    match asked.iter().find(|asked| !audience.contains(asked)) {
        None => Ok(Finding::pass(format!("`aud` is {shown}"))),
        Some(missing) => {
            let abstract_but_distinct = view.earlier().iter().any(|earlier| {
                let asked_before = earlier.asked.resource.as_deref();
                asked_before.is_some_and(|resource| !asked.iter().any(|asked| asked == resource))
                    && self::audience(view, earlier).is_some_and(|other| other != audience)
            });
            let says = format!("`aud` is {shown}, without {}", quote(missing));
            Err(if abstract_but_distinct {
                Finding::warn(format!("{says}, though another resource has another one"))
            } else {
                Finding::fail(says)
            })
        }
    }
}

fn audience_known(view: &View<'_>) -> Result<Finding, Finding> {
    let audience = audience_of_step(view)?;
    let known = |entry: &str| {
        entry == view.target.issuer
            || view
                .target
                .resources
                .iter()
                .any(|resource| resource.id.as_deref() == Some(entry))
    };
    let Some(stranger) = audience.iter().find(|entry| !known(entry)) else {
        return Ok(Finding::pass(format!(
            "`aud` is {}",
            quote(&audience.join(" "))
        )));
    };
    let says = format!(
        "`aud` names {}, which the target does not know",
        quote(stranger)
    );
    if view.resources_asked_for().contains(stranger) {
        Err(Finding::fail(format!("{says}, as it was asked for")))
    } else {
        Err(Finding::warn(says))
    }
}

/// An array of objects, or what is wrong.
fn objects(value: &Json) -> Result<Vec<Map<String, Json>>, Finding> {
    let items = value
        .as_array()
        .ok_or_else(|| Finding::fail("`authorization_details` is no array"))?;
    items
        .iter()
        .map(|item| {
            item.as_object()
                .cloned()
                .ok_or_else(|| Finding::fail("an item of `authorization_details` is no object"))
        })
        .collect()
}

fn kinds(details: &[Map<String, Json>]) -> Vec<&str> {
    details
        .iter()
        .filter_map(|detail| detail.get("type")?.as_str())
        .collect()
}

fn requested_details(view: &View<'_>) -> Option<Vec<Map<String, Json>>> {
    let text = view
        .outcome
        .sent_param("authorization_details")
        .map(str::to_owned)
        .or_else(|| view.asked_for("authorization_details"))?;
    parse_details(&text)
}

fn parse_details(text: &str) -> Option<Vec<Map<String, Json>>> {
    objects(&serde_json::from_str(text).ok()?).ok()
}

fn details_returned(view: &View<'_>) -> Result<Finding, Finding> {
    let answer = token_object(view, success(view)?)?;
    let returned = answer
        .get("authorization_details")
        .ok_or_else(|| Finding::fail("the token answer has no `authorization_details`"))?;
    let returned = objects(returned)?;
    let requested = requested_details(view)
        .ok_or_else(|| Finding::undecided("the request's authorization_details cannot be read"))?;
    let requested = kinds(&requested);
    let got = kinds(&returned);
    if got.len() < returned.len() {
        return Err(Finding::fail(
            "an authorization detail has no string `type`",
        ));
    }
    if let Some(other) = got.iter().find(|kind| !requested.contains(kind)) {
        return Err(Finding::fail(format!(
            "type {} was granted, and {requested:?} asked for",
            quote(other)
        )));
    }
    if got.is_empty() {
        return Err(Finding::fail("`authorization_details` is empty"));
    }
    Ok(Finding::pass(format!("the types {got:?} were granted")))
}

/// The details a step granted: of the token answer, else of the token.
fn granted_details(
    view: &View<'_>,
    outcome: &Outcome,
) -> Result<Option<Vec<Map<String, Json>>>, Finding> {
    let value = view
        .token_object(outcome)
        .and_then(|answer| answer.get("authorization_details").cloned())
        .or_else(|| view.claim(outcome, "authorization_details"));
    value.as_ref().map(objects).transpose()
}

/// Whether a detail asks for no more than another of its type.
fn is_within(detail: &Map<String, Json>, whole: &Map<String, Json>) -> bool {
    detail.get("type") == whole.get("type")
        && detail.iter().all(|(name, value)| match whole.get(name) {
            None => false,
            Some(Json::Array(all)) => value
                .as_array()
                .is_some_and(|some| some.iter().all(|item| all.contains(item))),
            Some(other) => value == other,
        })
}

fn details_within_grant(view: &View<'_>) -> Result<Finding, Finding> {
    let outcome = success(view)?;
    let Some(details) = granted_details(view, outcome)? else {
        return Ok(Finding::pass(
            "neither the answer nor the token shows authorization details",
        ));
    };
    let whole = match first_grant(view) {
        Some(first) => granted_details(view, first)?.or_else(|| {
            requested_details(&View {
                outcome: first,
                hits: None,
                thumbprints: Vec::new(),
                ..*view
            })
        }),
        // A first exchange is bound by what the user approved.
        None => view
            .asked_for("authorization_details")
            .as_deref()
            .and_then(parse_details),
    };
    let whole = whole.ok_or_else(|| {
        Finding::undecided("the authorization details of the grant cannot be read")
    })?;
    match details
        .iter()
        .find(|detail| !whole.iter().any(|other| is_within(detail, other)))
    {
        Some(more) => Err(Finding::fail(format!(
            "{} goes beyond what was granted",
            quote(&Json::Object(more.clone()).to_string())
        ))),
        None => Ok(Finding::pass(format!(
            "{} details within those of the grant",
            details.len()
        ))),
    }
}

fn details_in_token(view: &View<'_>) -> Result<Finding, Finding> {
    let outcome = success(view)?;
    if !view.readable(outcome) {
        return Err(Finding::undecided(
            "the token is opaque, and no introspection tells what it is for",
        ));
    }
    match view.claim(outcome, "authorization_details") {
        Some(Json::Array(items)) => Ok(Finding::pass(format!(
            "the token has {} authorization details",
            items.len()
        ))),
        Some(_) => Err(Finding::fail(
            "the token's `authorization_details` is no array",
        )),
        None => Err(Finding::fail("the token has no `authorization_details`")),
    }
}

fn details_types_known(view: &View<'_>) -> Result<Finding, Finding> {
    let name = "authorization_details_types_supported";
    let document = document(view)?;
    let Some(listed) = document.value.get(name) else {
        return Err(Finding::warn(format!("`{name}` is absent")));
    };
    let listed =
        strings(listed).ok_or_else(|| Finding::warn(format!("`{name}` is no array of strings")))?;
    let known: Vec<String> = view
        .target
        .rar
        .iter()
        .filter_map(|(_, text)| wire::rar::read(text.as_bytes()).ok())
        .flatten()
        .map(|detail| detail.kind)
        .collect();
    match listed
        .iter()
        .find(|kind| !known.iter().any(|known| known == *kind))
    {
        Some(kind) => Err(Finding::warn(format!(
            "`{name}` lists {}, of which the target has no example",
            quote(kind)
        ))),
        None => Ok(Finding::pass(format!("`{name}` is {listed:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, of, quoted_jwt};
    use crate::check::Found::{Fail, NotApplicable, Pass, Undecided, Warn};

    const DETAIL: &str = r#"[{"type":"payment","actions":["read","write"],"amount":5}]"#;

    fn for_resource(resource: &str, claims: &str) -> Stage {
        let mut stage = Stage::new();
        stage.grant(&format!(r#"{{"access_token":{}}}"#, quoted_jwt(claims)));
        stage.asked().resource = Some(resource.into());
        stage
    }

    #[test]
    fn a_token_is_for_the_resource_asked_for() {
        let check = "audience-is-resource";
        let a = "https://rs.example/a";
        let found = |claims: &str| of(check, &for_resource(a, claims));
        assert_eq!(found(r#"{"aud":"https://rs.example/a"}"#), Pass);
        assert_eq!(
            found(r#"{"aud":["https://rs.example/a","https://rs.example/b"]}"#),
            Fail
        );
        assert_eq!(found(r#"{"aud":"api"}"#), Fail);
        assert_eq!(found("{}"), Fail);
        assert_eq!(found(r#"{"aud":7}"#), Undecided);
        let mut stage = for_resource("https://rs.example/b", r#"{"aud":"api-b"}"#);
        let token = quoted_jwt(r#"{"aud":"api-a"}"#);
        stage.grant(&format!(r#"{{"access_token":{token}}}"#));
        stage.asked().resource = Some(a.into());
        assert_eq!(of(check, &stage), Warn);
        let mut stage = Stage::new();
        stage.grant(r#"{"access_token":"opaque"}"#);
        assert_eq!(of(check, &stage), NotApplicable);
    }

    #[test]
    fn an_introspected_token_tells_its_audience() {
        let mut stage = Stage::new();
        stage.grant(r#"{"access_token":"opaque"}"#);
        stage.asked().resource = Some("https://rs.example/a".into());
        assert_eq!(of("audience-is-resource", &stage), Undecided);
        stage.introspect("opaque", r#"{"active":true,"aud":"https://rs.example/a"}"#);
        stage.look_at(0);
        assert_eq!(of("audience-is-resource", &stage), Pass);
    }

    #[test]
    fn nobody_gets_a_token_for_a_stranger() {
        let check = "audience-known";
        let evil = "https://evil.example";
        let found = |claims: &str| of(check, &for_resource(evil, claims));
        assert_eq!(found(r#"{"aud":"https://rs.example/a"}"#), Pass);
        assert_eq!(found(r#"{"aud":"https://as.example/t"}"#), Pass);
        assert_eq!(found(r#"{"aud":"https://evil.example"}"#), Fail);
        assert_eq!(found(r#"{"aud":"something"}"#), Warn);
        assert_eq!(found("{}"), Undecided);
    }

    #[test]
    fn granted_details_are_told() {
        let check = "details-returned";
        let with = |answer: &str| {
            let mut stage = Stage::new();
            stage.grant(answer);
            stage.sent("authorization_details", DETAIL);
            of(check, &stage)
        };
        let right = format!(r#"{{"access_token":"t","authorization_details":{DETAIL}}}"#);
        assert_eq!(with(&right), Pass);
        assert_eq!(with(&right.replace("payment", "other")), Fail);
        assert_eq!(with(r#"{"access_token":"t"}"#), Fail);
        assert_eq!(
            with(r#"{"access_token":"t","authorization_details":"x"}"#),
            Fail
        );
        assert_eq!(
            with(r#"{"access_token":"t","authorization_details":[]}"#),
            Fail
        );
    }

    #[test]
    fn details_do_not_grow() {
        let check = "details-within-grant";
        let with = |details: &str| {
            let answer = |details: &str| {
                format!(r#"{{"access_token":"t","authorization_details":{details}}}"#)
            };
            let mut stage = Stage::new();
            stage.grant(&answer(DETAIL));
            stage.refresh(&[], &answer(details));
            of(check, &stage)
        };
        assert_eq!(with(DETAIL), Pass);
        assert_eq!(with(r#"[{"type":"payment","actions":["read"]}]"#), Pass);
        assert_eq!(with(r#"[{"type":"payment","actions":["delete"]}]"#), Fail);
        assert_eq!(with(r#"[{"type":"payment","amount":500}]"#), Fail);
        assert_eq!(with(r#"[{"type":"other"}]"#), Fail);
        let exchanged = |details: &str| {
            let mut stage = Stage::new();
            stage.authorize("state=s", "https://app.example/cb?code=c");
            stage.field("code", "c");
            stage.sent("authorization_details", DETAIL);
            stage.grant(&format!(
                r#"{{"access_token":"t","authorization_details":{details}}}"#
            ));
            stage.asked().code = Some("c".into());
            of(check, &stage)
        };
        assert_eq!(exchanged(DETAIL), Pass);
        assert_eq!(exchanged(r#"[{"type":"other"}]"#), Fail);
    }

    #[test]
    fn details_stand_in_the_token() {
        let check = "details-in-token";
        let with = |claims: &str| of(check, &for_resource("https://rs.example/a", claims));
        assert_eq!(
            with(&format!(r#"{{"authorization_details":{DETAIL}}}"#)),
            Pass
        );
        assert_eq!(with("{}"), Fail);
        assert_eq!(with(r#"{"authorization_details":"x"}"#), Fail);
        let mut stage = Stage::new();
        stage.grant(r#"{"access_token":"opaque"}"#);
        assert_eq!(of(check, &stage), Undecided);
    }

    #[test]
    fn listed_types_have_an_example() {
        let check = "details-types-known";
        let with = |document: &str| {
            let mut stage = Stage::new();
            stage.target.rar = vec![("pay".into(), DETAIL.into())];
            stage.discover("as", 200, document);
            of(check, &stage)
        };
        let list = |types: &str| format!(r#"{{"authorization_details_types_supported":{types}}}"#);
        assert_eq!(with(&list(r#"["payment"]"#)), Pass);
        assert_eq!(with(&list(r#"["payment","other"]"#)), Warn);
        assert_eq!(with(&list("7")), Warn);
        assert_eq!(with("{}"), Warn);
    }
}
