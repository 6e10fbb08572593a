//! Resource servers: their metadata (RFC 9728), challenges and bodies (RFC 6750 §3).

use wire::json::{Document, Value};
use wire::metadata::{PROTECTED_RESOURCE, well_known};

use super::authorization::in_error_charset;
use super::metadata::{absolute, document, empty_arrays};
use super::view::{View, is_secure, object, origin, quote, strings, words};
use super::{Check, Finding, Look};
use crate::suite::model::Verb;

pub(super) const CHECKS: &[Check] = &[
    Check("prm-resource", Look::At(prm_resource)),
    Check("prm-members", Look::At(prm_members)),
    Check("prm-no-empty", Look::At(prm_no_empty)),
    Check(
        "prm-authorization-servers",
        Look::At(prm_authorization_servers),
    ),
    Check("prm-listed", Look::At(prm_listed)),
    Check("prm-bearer-methods", Look::At(prm_bearer_methods)),
    Check("prm-distinct", Look::At(prm_distinct)),
    Check(
        "challenge-resource-metadata",
        Look::At(challenge_resource_metadata),
    ),
    Check("challenge-syntax", Look::At(challenge_syntax)),
    Check("challenge-scope", Look::At(challenge_scope)),
    Check("no-protected-data", Look::At(no_protected_data)),
    Check(
        "body-differs-from-success",
        Look::At(body_differs_from_success),
    ),
];

fn resource_member(document: &Document) -> Result<&str, Finding> {
    document
        .value
        .get("resource")
        .and_then(Value::as_str)
        .ok_or_else(|| Finding::fail("there is no string `resource`"))
}

fn prm_resource(view: &View<'_>) -> Result<Finding, Finding> {
    let document = document(view)?;
    let got = resource_member(&document)?;
    let asked = view
        .resource()
        .and_then(|resource| resource.id.as_deref())
        .ok_or_else(|| Finding::undecided("the resource asked for has no identifier"))?;
    if got.contains('#') {
        return Err(Finding::fail(format!(
            "`resource` {} has a fragment",
            quote(got)
        )));
    }
    if !is_secure(got) {
        return Err(Finding::fail(format!(
            "`resource` {} is not https",
            quote(got)
        )));
    }
    if got == asked {
        return Ok(Finding::pass(format!("`resource` is {}", quote(got))));
    }
    let says = format!(
        "`resource` is {}, asked for was {}",
        quote(got),
        quote(asked)
    );
    let covers = asked
        .strip_prefix(got.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    if covers && origin(got) == origin(asked) {
        Err(Finding::warn(says))
    } else {
        Err(Finding::fail(says))
    }
}

fn prm_members(view: &View<'_>) -> Result<Finding, Finding> {
    let document = document(view)?;
    resource_member(&document)?;
    for name in [
        "authorization_servers",
        "scopes_supported",
        "bearer_methods_supported",
    ] {
        let Some(value) = document.value.get(name) else {
            continue;
        };
        let Some(items) = strings(value) else {
            return Err(Finding::fail(format!("`{name}` is no array of strings")));
        };
        for item in items {
            match name {
                "authorization_servers" => absolute(name, item)?,
                "bearer_methods_supported" if !["header", "body", "query"].contains(&item) => {
                    return Err(Finding::fail(format!("`{name}` has {}", quote(item))));
                }
                _ => {}
            }
        }
    }
    match document.value.get("jwks_uri") {
        None => {}
        Some(Value::String(url)) => absolute("jwks_uri", url)?,
        Some(other) => {
            return Err(Finding::fail(format!(
                "`jwks_uri` is a JSON {}",
                other.kind()
            )));
        }
    }
    Ok(Finding::pass("the members have the right types"))
}

fn prm_no_empty(view: &View<'_>) -> Result<Finding, Finding> {
    empty_arrays(&document(view)?, &["bearer_methods_supported"])?;
    Ok(Finding::pass("no member is []"))
}

fn prm_authorization_servers(view: &View<'_>) -> Result<Finding, Finding> {
    let document = document(view)?;
    let Some(value) = document.value.get("authorization_servers") else {
        return Err(Finding::warn("`authorization_servers` is absent"));
    };
    let servers = strings(value).unwrap_or_default();
    if servers.contains(&view.target.issuer.as_str()) {
        Ok(Finding::pass("`authorization_servers` has the issuer"))
    } else {
        Err(Finding::fail(format!(
            "`authorization_servers` is {servers:?}, without {}",
            quote(&view.target.issuer)
        )))
    }
}

fn prm_listed(view: &View<'_>) -> Result<Finding, Finding> {
    let document = document(view)?;
    let resource = resource_member(&document)?;
    let listed = view
        .metadata
        .and_then(|metadata| metadata.get("protected_resources"))
        .ok_or_else(|| Finding::not_applicable("the metadata has no `protected_resources`"))?;
    let found = listed
        .as_array()
        .is_some_and(|items| items.iter().any(|item| item.as_str() == Some(resource)));
    if found {
        Ok(Finding::pass("`protected_resources` lists the resource"))
    } else {
        Err(Finding::warn(format!(
            "`protected_resources` does not list {}",
            quote(resource)
        )))
    }
}

fn prm_bearer_methods(view: &View<'_>) -> Result<Finding, Finding> {
    let document = document(view)?;
    let Some(value) = document.value.get("bearer_methods_supported") else {
        return Ok(Finding::pass("`bearer_methods_supported` is absent"));
    };
    let methods = strings(value).unwrap_or_default();
    if methods.contains(&"header") && !methods.contains(&"query") {
        Ok(Finding::pass(format!(
            "`bearer_methods_supported` is {methods:?}"
        )))
    } else {
        Err(Finding::fail(format!(
            "`bearer_methods_supported` is {methods:?}: header is needed, query forbidden"
        )))
    }
}

fn prm_distinct(view: &View<'_>) -> Result<Finding, Finding> {
    let document = document(view)?;
    let here = resource_member(&document)?;
    let other = view
        .earlier()
        .iter()
        .rev()
        .filter(|outcome| outcome.verb == Verb::Discover && outcome.resource.is_some())
        .find_map(|outcome| {
            let recorded = view.exchanges_of(outcome).next_back()?;
            let document = object(recorded.reply.as_ref().ok()?).ok()?;
            document.value.get("resource")?.as_str().map(str::to_owned)
        })
        .ok_or_else(|| Finding::undecided("there is no earlier document to compare with"))?;
    if other == here {
        Err(Finding::fail(format!(
            "both documents name the resource {}",
            quote(here)
        )))
    } else {
        Ok(Finding::pass(format!(
            "{} here, {} there",
            quote(here),
            quote(&other)
        )))
    }
}

/// The challenges of the last answer.
fn challenges(view: &View<'_>) -> Result<wire::challenge::Parsed, Finding> {
    Ok(wire::challenge::parse(view.last()?.all("www-authenticate")))
}

fn bearer(view: &View<'_>) -> Result<wire::challenge::Challenge, Finding> {
    let parsed = challenges(view)?;
    parsed
        .scheme("bearer")
        .cloned()
        .ok_or_else(|| Finding::fail("the answer has no Bearer challenge"))
}

fn challenge_resource_metadata(view: &View<'_>) -> Result<Finding, Finding> {
    let challenge = bearer(view).map_err(|finding| Finding::not_applicable(finding.reason))?;
    let Some(got) = challenge.param("resource_metadata") else {
        return Err(Finding::not_applicable(
            "the challenge has no `resource_metadata`",
        ));
    };
    let discovered = view
        .earlier()
        .iter()
        .rev()
        .filter(|outcome| outcome.verb == Verb::Discover && outcome.resource.is_some())
        .find_map(|outcome| view.exchanges_of(outcome).next_back())
        .map(|recorded| recorded.request.url.clone());
    let expected = discovered
        .or_else(|| well_known(view.resource()?.id.as_deref()?, PROTECTED_RESOURCE))
        .ok_or_else(|| Finding::undecided("where the resource's metadata is, is not known"))?;
    if got == expected {
        return Ok(Finding::pass(format!(
            "`resource_metadata` is {}",
            quote(got)
        )));
    }
    let says = format!(
        "`resource_metadata` is {}, and the document was read from {}",
        quote(got),
        quote(&expected)
    );
    let same_origin = origin(got).is_some() && origin(got) == origin(&expected);
    Err(if same_origin {
        Finding::warn(says)
    } else {
        Finding::fail(says)
    })
}

fn challenge_syntax(view: &View<'_>) -> Result<Finding, Finding> {
    let reply = view.last()?;
    let parsed = challenges(view)?;
    if let Some(problem) = parsed.problems.first() {
        return Err(Finding::fail(format!("WWW-Authenticate: {problem}")));
    }
    for challenge in &parsed.challenges {
        for name in ["error", "error_description"] {
            if let Some(text) = challenge.param(name).filter(|text| !in_error_charset(text)) {
                return Err(Finding::fail(format!(
                    "`{name}` has other characters than RFC 6750 allows: {}",
                    quote(text)
                )));
            }
        }
        let in_scope_charset =
            |text: &str| text.is_empty() || in_error_charset(text) && !text.contains("  ");
        if let Some(scope) = challenge
            .param("scope")
            .filter(|text| !in_scope_charset(text))
        {
            return Err(Finding::fail(format!(
                "`scope` is no list of scope tokens: {}",
                quote(scope)
            )));
        }
    }
    match parsed.scheme("bearer").or(parsed.scheme("dpop")) {
        None if reply.status == 401 => Err(Finding::fail(
            "401 without a WWW-Authenticate challenge of scheme Bearer",
        )),
        None => Err(Finding::not_applicable(format!(
            "the answer ({}) has no Bearer challenge",
            reply.status
        ))),
        Some(challenge) if challenge.params.is_empty() => {
            Err(Finding::warn("the challenge is a bare Bearer"))
        }
        Some(challenge) => Ok(Finding::pass(format!(
            "the challenge is {}",
            quote(&challenge.to_string())
        ))),
    }
}

fn challenge_scope(view: &View<'_>) -> Result<Finding, Finding> {
    let challenge = bearer(view)?;
    let Some(scope) = challenge.param("scope") else {
        return Err(Finding::warn(
            "the challenge does not say which scope is needed",
        ));
    };
    let needed = view
        .resource()
        .and_then(|resource| resource.scope.as_deref())
        .unwrap_or_default();
    let offered = words(scope);
    match words(needed).iter().find(|word| !offered.contains(*word)) {
        Some(missing) => Err(Finding::fail(format!(
            "`scope` is {}, without {}, which the request needs",
            quote(scope),
            quote(missing)
        ))),
        None => Ok(Finding::pass(format!("`scope` is {}", quote(scope)))),
    }
}

fn no_protected_data(view: &View<'_>) -> Result<Finding, Finding> {
    let reply = view.last()?;
    if reply.is_success() && !reply.body.is_empty() {
        Err(Finding::fail(format!(
            "{} with {} bytes of content",
            reply.status,
            reply.body.len()
        )))
    } else {
        Ok(Finding::pass(format!("{}, no content", reply.status)))
    }
}

fn body_differs_from_success(view: &View<'_>) -> Result<Finding, Finding> {
    let reply = view.last()?;
    let shared = view
        .earlier()
        .iter()
        .filter(|outcome| outcome.verb == Verb::Call && outcome.resource == view.outcome.resource)
        .filter_map(|outcome| view.exchanges_of(outcome).next_back()?.reply.as_ref().ok())
        .filter(|earlier| earlier.is_success())
        .map(|earlier| earlier.text())
        .next_back()
        .ok_or_else(|| Finding::undecided("no earlier success of this probe to compare with"))?;
    if shared.len() < 16 {
        return Err(Finding::not_applicable(
            "the successful answer is too short to be recognised",
        ));
    }
    let body = reply.text();
    let leaked = body
        .lines()
        .map(str::trim)
        .filter(|line| line.chars().count() >= 16)
        .find(|line| shared.contains(*line));
    match leaked {
        Some(line) => Err(Finding::fail(format!(
            "the refusal ({}) shows what the successful answer shows: {}",
            reply.status,
            quote(line)
        ))),
        None => Ok(Finding::pass("the refusal shows nothing of the resource")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, of, of_document};
    use crate::check::Found::{self, Fail, NotApplicable, Pass, Undecided, Warn};

    fn says(check: &str, document: &str) -> Found {
        of_document(check, "resource.a", document)
    }

    #[test]
    fn the_document_names_the_resource_asked_for() {
        let check = "prm-resource";
        assert_eq!(says(check, r#"{"resource":"https://rs.example/a"}"#), Pass);
        assert_eq!(says(check, r#"{"resource":"https://rs.example"}"#), Warn);
        assert_eq!(says(check, r#"{"resource":"https://rs.example/b"}"#), Fail);
        assert_eq!(
            says(check, r#"{"resource":"https://evil.example/a"}"#),
            Fail
        );
        assert_eq!(says(check, r#"{"resource":"http://rs.example/a"}"#), Fail);
        assert_eq!(says(check, "{}"), Fail);
    }

    #[test]
    fn its_members_have_their_types() {
        let check = "prm-members";
        let with = |rest: &str| format!(r#"{{"resource":"https://rs.example/a"{rest}}}"#);
        assert_eq!(says(check, &with("")), Pass);
        assert_eq!(
            says(check, &with(r#","bearer_methods_supported":["header"]"#)),
            Pass
        );
        for wrong in [
            r#","bearer_methods_supported":["cookie"]"#,
            r#","authorization_servers":["/as"]"#,
            r#","scopes_supported":"a b""#,
            r#","jwks_uri":7"#,
        ] {
            assert_eq!(says(check, &with(wrong)), Fail, "{wrong}");
        }
        assert_eq!(
            says("prm-no-empty", r#"{"bearer_methods_supported":[]}"#),
            Pass
        );
        assert_eq!(says("prm-no-empty", r#"{"scopes_supported":[]}"#), Fail);
    }

    #[test]
    fn it_leads_to_the_issuer() {
        let check = "prm-authorization-servers";
        assert_eq!(
            says(
                check,
                r#"{"authorization_servers":["https://as.example/t"]}"#
            ),
            Pass
        );
        assert_eq!(
            says(check, r#"{"authorization_servers":["https://as.example"]}"#),
            Fail
        );
        assert_eq!(says(check, "{}"), Warn);
        let document = r#"{"resource":"https://rs.example/a"}"#;
        assert_eq!(says("prm-listed", document), NotApplicable);
        let listed = |list: &str| {
            let mut stage = Stage::new();
            stage.discover("resource.a", 200, document);
            stage.metadata(list);
            of("prm-listed", &stage)
        };
        assert_eq!(
            listed(r#"{"protected_resources":["https://rs.example/a"]}"#),
            Pass
        );
        assert_eq!(listed(r#"{"protected_resources":[]}"#), Warn);
    }

    #[test]
    fn tokens_travel_in_the_header() {
        let check = "prm-bearer-methods";
        assert_eq!(says(check, "{}"), Pass);
        assert_eq!(
            says(check, r#"{"bearer_methods_supported":["header"]}"#),
            Pass
        );
        assert_eq!(
            says(check, r#"{"bearer_methods_supported":["header","query"]}"#),
            Fail
        );
        assert_eq!(
            says(check, r#"{"bearer_methods_supported":["body"]}"#),
            Fail
        );
    }

    #[test]
    fn two_resources_have_two_names() {
        let pair = |second: &str| {
            let mut stage = Stage::new();
            stage.discover("resource.a", 200, r#"{"resource":"https://rs.example/a"}"#);
            stage.discover("resource.b", 200, second);
            of("prm-distinct", &stage)
        };
        assert_eq!(pair(r#"{"resource":"https://rs.example/b"}"#), Pass);
        assert_eq!(pair(r#"{"resource":"https://rs.example/a"}"#), Fail);
        assert_eq!(
            says("prm-distinct", r#"{"resource":"https://rs.example/a"}"#),
            Undecided
        );
    }

    fn challenged(value: &str) -> Stage {
        let mut stage = Stage::new();
        stage.call("a", 401, "");
        stage.header("WWW-Authenticate", value);
        stage
    }

    #[test]
    fn a_challenge_leads_to_the_metadata() {
        let check = "challenge-resource-metadata";
        let with = |url: &str| {
            of(
                check,
                &challenged(&format!("Bearer resource_metadata=\"{url}\"")),
            )
        };
        let right = "https://rs.example/.well-known/oauth-protected-resource/a";
        assert_eq!(with(right), Pass);
        assert_eq!(with("https://rs.example/other"), Warn);
        assert_eq!(with("https://evil.example/x"), Fail);
        assert_eq!(with("/relative"), Fail);
        assert_eq!(with(""), Fail);
        assert_eq!(of(check, &challenged("Bearer realm=\"x\"")), NotApplicable);
    }

    #[test]
    fn a_challenge_parses_and_names_its_scope() {
        let check = "challenge-syntax";
        assert_eq!(
            of(
                check,
                &challenged("Bearer realm=\"x\", error=\"invalid_token\"")
            ),
            Pass
        );
        assert_eq!(of(check, &challenged("Bearer")), Warn);
        assert_eq!(
            of(check, &challenged("Bearer error=\"a\", error=\"b\"")),
            Fail
        );
        assert_eq!(of(check, &challenged("Bearer error=\"caf\u{e9}\"")), Fail);
        let mut stage = Stage::new();
        stage.call("a", 401, "");
        assert_eq!(of(check, &stage), Fail);
        let check = "challenge-scope";
        assert_eq!(of(check, &challenged("Bearer scope=\"x read\"")), Pass);
        assert_eq!(of(check, &challenged("Bearer scope=\"x\"")), Fail);
        assert_eq!(of(check, &challenged("Bearer realm=\"x\"")), Warn);
    }

    #[test]
    fn a_refusal_shows_nothing() {
        let mut stage = Stage::new();
        stage.call("a", 200, "the account of alice: 100 coins");
        assert_eq!(of("no-protected-data", &stage), Fail);
        stage.call("a", 401, "unauthorized, come back with a token");
        assert_eq!(of("no-protected-data", &stage), Pass);
        assert_eq!(of("body-differs-from-success", &stage), Pass);
        stage.call("a", 403, "no.\nthe account of alice: 100 coins");
        assert_eq!(of("body-differs-from-success", &stage), Fail);
        let mut short = Stage::new();
        short.call("a", 200, "ok");
        short.call("a", 401, "ok");
        assert_eq!(of("body-differs-from-success", &short), NotApplicable);
        let mut alone = Stage::new();
        alone.call("a", 401, "no");
        assert_eq!(of("body-differs-from-success", &alone), Undecided);
    }
}
