//! Authorization server metadata and keys (RFC 8414, RFC 7517).

use std::collections::BTreeSet;

use wire::json::{Document, Value};

use super::view::{View, is_loopback, object, quote, strings};
use super::{Check, Finding, Look};
use crate::flow::Answer;
use crate::suite::model::Verb;
use crate::transport::Reply;

pub(super) const CHECKS: &[Check] = &[
    Check("metadata-response", Look::At(response)),
    Check("metadata-members", Look::At(members)),
    Check("metadata-no-empty", Look::At(no_empty)),
    Check("metadata-urls", Look::At(urls)),
    Check("metadata-https", Look::At(https)),
    Check("metadata-pkce", Look::At(pkce)),
    Check("metadata-no-plain", Look::At(no_plain)),
    Check("metadata-no-legacy", Look::At(no_legacy)),
    Check("metadata-auth-algs", Look::At(auth_algs)),
    Check("metadata-agrees", Look::At(agrees)),
];

/// The document of the step.
pub(super) fn document(view: &View<'_>) -> Result<Document, Finding> {
    object(view.last()?).map_err(Finding::fail)
}

fn members_of(document: &Document) -> &[(String, Value)] {
    document.value.as_object().unwrap_or_default()
}

fn response(view: &View<'_>) -> Result<Finding, Finding> {
    let reply = view.last()?;
    let document = json_200(reply)?;
    Ok(Finding::pass(format!(
        "200, application/json, an object of {} members",
        members_of(&document).len()
    )))
}

/// A reply that is a JSON object by status, media type and body.
pub(super) fn json_200(reply: &Reply) -> Result<Document, Finding> {
    if reply.status != 200 {
        return Err(Finding::fail(format!("the status is {}", reply.status)));
    }
    json_body(reply)
}

/// A reply that is a JSON object by media type and body.
pub(super) fn json_body(reply: &Reply) -> Result<Document, Finding> {
    if reply.media_type() != "application/json" {
        return Err(Finding::fail(format!(
            "the Content-Type is {}, not application/json",
            quote(&reply.header("content-type").unwrap_or_default())
        )));
    }
    let document = object(reply).map_err(Finding::fail)?;
    match document.duplicates.first() {
        Some(name) => Err(Finding::fail(format!(
            "the member {} stands twice in the object",
            quote(name)
        ))),
        None => Ok(document),
    }
}

/// `*_supported` members that are booleans, of OAuth and of OpenID.
fn is_flag(name: &str) -> bool {
    name.starts_with("require_")
        || matches!(
            name,
            "request_parameter_supported"
                | "request_uri_parameter_supported"
                | "claims_parameter_supported"
                | "authorization_response_iss_parameter_supported"
                | "tls_client_certificate_bound_access_tokens"
                | "client_id_metadata_document_supported"
                | "backchannel_logout_supported"
                | "backchannel_logout_session_supported"
                | "backchannel_user_code_parameter_supported"
                | "frontchannel_logout_supported"
                | "frontchannel_logout_session_supported"
                | "native_sso_supported"
        )
}

fn members(view: &View<'_>) -> Result<Finding, Finding> {
    let document = document(view)?;
    let value = &document.value;
    for name in ["issuer", "response_types_supported", "token_endpoint"] {
        if value.get(name).is_none() {
            return Err(Finding::fail(format!("`{name}` is missing")));
        }
    }
    if value.get("authorization_endpoint").is_none() {
        let grants = value.get("grant_types_supported").and_then(strings);
        let unused = grants.is_some_and(|grants| {
            !grants
                .iter()
                .any(|grant| matches!(*grant, "authorization_code" | "implicit"))
        });
        if !unused {
            return Err(Finding::fail("`authorization_endpoint` is missing"));
        }
    }
    for (name, value) in members_of(&document) {
        let wanted = if is_flag(name) {
            value.as_bool().is_none().then_some("a boolean")
        } else if name.ends_with("_supported") {
            strings(value).is_none().then_some("an array of strings")
        } else if name == "issuer" || name.ends_with("_endpoint") || name.ends_with("_uri") {
            value.as_str().is_none().then_some("a string")
        } else {
            None
        };
        if let Some(wanted) = wanted {
            return Err(Finding::fail(format!(
                "`{name}` is a JSON {}, and must be {wanted}",
                value.kind()
            )));
        }
    }
    Ok(Finding::pass("the members have the right types"))
}

fn no_empty(view: &View<'_>) -> Result<Finding, Finding> {
    let document = document(view)?;
    empty_arrays(&document, &[])?;
    for (name, value) in members_of(&document) {
        match value {
            Value::Null => return Err(Finding::warn(format!("`{name}` is null"))),
            Value::String(text) if text.is_empty() => {
                return Err(Finding::warn(format!("`{name}` is the empty string")));
            }
            _ => {}
        }
    }
    Ok(Finding::pass("no member is empty"))
}

/// Fails for a member that is `[]`, unless it is one of `but`.
pub(super) fn empty_arrays(document: &Document, but: &[&str]) -> Result<(), Finding> {
    for (name, value) in members_of(document) {
        if value.as_array().is_some_and(<[Value]>::is_empty) && !but.contains(&name.as_str()) {
            return Err(Finding::fail(format!(
                "`{name}` is []; a member without values is left out"
            )));
        }
    }
    Ok(())
}

fn urls(view: &View<'_>) -> Result<Finding, Finding> {
    let document = document(view)?;
    let mut seen = 0;
    for (name, value) in members_of(&document) {
        if name != "issuer" && name != "jwks_uri" && !name.ends_with("_endpoint") {
            continue;
        }
        let Some(text) = value.as_str() else {
            return Err(Finding::fail(format!(
                "`{name}` is {}, not a URL",
                value.kind()
            )));
        };
        absolute(name, text)?;
        seen += 1;
    }
    Ok(Finding::pass(format!(
        "{seen} URLs are absolute, without fragment and user information"
    )))
}

/// An absolute URL without fragment and user information.
pub(super) fn absolute(name: &str, text: &str) -> Result<(), Finding> {
    let problem = match url::Url::parse(text) {
        Err(error) => format!("is no absolute URL ({error})"),
        Ok(_) if text.contains('#') => "has a fragment".into(),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            "has user information".into()
        }
        Ok(url) if !url.has_host() => "has no host".into(),
        Ok(_) => return Ok(()),
    };
    Err(Finding::fail(format!("`{name}` {} {problem}", quote(text))))
}

fn https(view: &View<'_>) -> Result<Finding, Finding> {
    let document = document(view)?;
    let urls: Vec<(&str, &str)> = members_of(&document)
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
        .filter(|(name, text)| {
            *name == "issuer"
                || name.ends_with("_endpoint")
                || name.ends_with("_uri")
                || text.starts_with("http://")
        })
        .filter(|(_, text)| !is_loopback(text))
        .collect();
    if urls.is_empty() {
        return Err(Finding::not_applicable(
            "every URL of the document is on a loopback address",
        ));
    }
    for (name, text) in &urls {
        if !text.to_ascii_lowercase().starts_with("https://") {
            return Err(Finding::fail(format!(
                "`{name}` is {}, not https",
                quote(text)
            )));
        }
    }
    Ok(Finding::pass(format!("{} URLs are https", urls.len())))
}

fn challenge_methods(document: &Document) -> Option<Vec<&str>> {
    strings(document.value.get("code_challenge_methods_supported")?)
}

fn pkce(view: &View<'_>) -> Result<Finding, Finding> {
    let document = document(view)?;
    match challenge_methods(&document) {
        Some(methods) if methods.contains(&"S256") => {
            Ok(Finding::pass("`code_challenge_methods_supported` has S256"))
        }
        Some(methods) => Err(Finding::fail(format!(
            "`code_challenge_methods_supported` is {methods:?}, without S256"
        ))),
        None => Err(Finding::fail(
            "`code_challenge_methods_supported` is missing: clients must take it that PKCE is unknown",
        )),
    }
}

fn no_plain(view: &View<'_>) -> Result<Finding, Finding> {
    let document = document(view)?;
    match challenge_methods(&document) {
        Some(methods) if methods.contains(&"plain") => Err(Finding::fail(format!(
            "`code_challenge_methods_supported` is {methods:?}"
        ))),
        _ => Ok(Finding::pass(
            "`code_challenge_methods_supported` does not name plain",
        )),
    }
}

fn no_legacy(view: &View<'_>) -> Result<Finding, Finding> {
    let document = document(view)?;
    let list = |name| document.value.get(name).and_then(strings);
    for kind in list("response_types_supported").unwrap_or_default() {
        if kind.split(' ').any(|word| word == "token") {
            return Err(Finding::fail(format!(
                "`response_types_supported` offers {}",
                quote(kind)
            )));
        }
    }
    let Some(grants) = list("grant_types_supported") else {
        return Err(Finding::warn(
            "`grant_types_supported` is absent, and its default names implicit",
        ));
    };
    match grants
        .iter()
        .find(|grant| matches!(**grant, "implicit" | "password"))
    {
        Some(grant) => Err(Finding::fail(format!(
            "`grant_types_supported` offers {grant}"
        ))),
        None => Ok(Finding::pass("neither implicit nor password is offered")),
    }
}

fn auth_algs(view: &View<'_>) -> Result<Finding, Finding> {
    let document = document(view)?;
    let mut seen = 0;
    for (name, value) in members_of(&document) {
        let Some(endpoint) = name.strip_suffix("_auth_methods_supported") else {
            continue;
        };
        let methods = strings(value).unwrap_or_default();
        let Some(method) = methods
            .iter()
            .find(|method| matches!(**method, "private_key_jwt" | "client_secret_jwt"))
        else {
            continue;
        };
        seen += 1;
        let algs_name = format!("{endpoint}_auth_signing_alg_values_supported");
        match document.value.get(&algs_name).and_then(strings) {
            None => {
                return Err(Finding::fail(format!(
                    "`{name}` has {method}, and `{algs_name}` is missing"
                )));
            }
            Some(algs) if algs.contains(&"none") => {
                return Err(Finding::fail(format!("`{algs_name}` names none")));
            }
            Some(_) => {}
        }
    }
    if seen == 0 {
        return Err(Finding::not_applicable(
            "no JWT client authentication method is listed",
        ));
    }
    Ok(Finding::pass("the signing algorithms are named"))
}

fn agrees(view: &View<'_>) -> Result<Finding, Finding> {
    let document = document(view)?;
    let other = view
        .earlier()
        .iter()
        .rev()
        .filter(|outcome| outcome.verb == Verb::Discover && outcome.answer == Answer::Success)
        .find_map(|outcome| {
            let recorded = view.exchanges_of(outcome).next_back()?;
            object(recorded.reply.as_ref().ok()?).ok()
        });
    let Some(other) = other else {
        return Err(Finding::not_applicable(
            "there is no earlier document to compare with",
        ));
    };
    let value = |document: &Document, name: &str| -> Option<String> {
        document.value.get(name)?.as_str().map(str::to_owned)
    };
    let names: BTreeSet<&str> = members_of(&document)
        .iter()
        .chain(members_of(&other))
        .map(|(name, _)| name.as_str())
        .collect();
    for name in names {
        let (here, there) = (document.value.get(name), other.value.get(name));
        if let (Some(here), Some(there)) = (here.and_then(strings), there.and_then(strings)) {
            let here: BTreeSet<&str> = here.into_iter().collect();
            let there: BTreeSet<&str> = there.into_iter().collect();
            if here != there {
                return Err(Finding::fail(format!(
                    "`{name}` is {here:?} here and {there:?} in the other document"
                )));
            }
        }
        let compared = name == "issuer" || name == "jwks_uri" || name.ends_with("_endpoint");
        if compared && value(&document, name) != value(&other, name) {
            // An endpoint that only one protocol knows (userinfo) may be told by one of them.
            if here.is_some() != there.is_some() && name != "issuer" && name != "jwks_uri" {
                continue;
            }
            return Err(Finding::fail(format!(
                "`{name}` is {} here and {} in the other document",
                quote(&value(&document, name).unwrap_or_default()),
                quote(&value(&other, name).unwrap_or_default())
            )));
        }
    }
    Ok(Finding::pass("both documents say the same"))
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, of, of_document};
    use crate::check::Found::{self, Fail, NotApplicable, Pass, Undecided, Warn};

    fn says(check: &str, document: &str) -> Found {
        of_document(check, "as", document)
    }

    #[test]
    fn a_document_is_json_with_each_name_once() {
        assert_eq!(says("metadata-response", r#"{"issuer":"x"}"#), Pass);
        assert_eq!(says("metadata-response", r#"{"a":1,"a":2}"#), Fail);
        assert_eq!(says("metadata-response", "[]"), Fail);
        assert_eq!(says("metadata-response", "\u{0}"), Fail);
        let mut stage = Stage::new();
        stage.discover("as", 404, "{}");
        assert_eq!(of("metadata-response", &stage), Fail);
        assert_eq!(of("metadata-response", &Stage::silent()), Undecided);
    }

    #[test]
    fn members_are_there_and_have_their_types() {
        let right = r#"{"issuer":"https://as.example/t","response_types_supported":["code"],
            "authorization_endpoint":"https://as.example/a","token_endpoint":"https://as.example/t",
            "request_parameter_supported":false}"#;
        assert_eq!(says("metadata-members", right), Pass);
        assert_eq!(
            says("metadata-members", &right.replace("[\"code\"]", "\"code\"")),
            Fail
        );
        assert_eq!(
            says("metadata-members", &right.replace("false", "[\"x\"]")),
            Fail
        );
        assert_eq!(
            says("metadata-members", &right.replace("token_endpoint", "t")),
            Fail
        );
        assert_eq!(
            says(
                "metadata-members",
                &right.replace("authorization_endpoint", "x")
            ),
            Fail
        );
        let machine = right.replace(
            "\"authorization_endpoint\":\"https://as.example/a\"",
            "\"grant_types_supported\":[\"client_credentials\"]",
        );
        assert_eq!(says("metadata-members", &machine), Pass);
    }

    #[test]
    fn empty_members_are_left_out() {
        assert_eq!(says("metadata-no-empty", r#"{"a":["x"]}"#), Pass);
        assert_eq!(says("metadata-no-empty", r#"{"a":[]}"#), Fail);
        assert_eq!(says("metadata-no-empty", r#"{"a":null}"#), Warn);
        assert_eq!(says("metadata-no-empty", r#"{"a":""}"#), Warn);
    }

    #[test]
    fn urls_are_absolute_and_https() {
        let with =
            |url: &str| format!(r#"{{"issuer":"https://as.example","token_endpoint":{url}}}"#);
        let right = with(r#""https://as.example/token""#);
        assert_eq!(says("metadata-urls", &right), Pass);
        assert_eq!(says("metadata-https", &right), Pass);
        for wrong in [
            r#""/token""#,
            "null",
            r#""https://as.example/t#f""#,
            r#""https://u@as.example/t""#,
        ] {
            assert_eq!(says("metadata-urls", &with(wrong)), Fail, "{wrong}");
        }
        assert_eq!(
            says("metadata-https", &with(r#""http://as.example/t""#)),
            Fail
        );
        assert_eq!(
            says(
                "metadata-https",
                r#"{"issuer":"http://127.0.0.1:1","token_endpoint":"http://localhost:1/t"}"#
            ),
            NotApplicable
        );
    }

    #[test]
    fn pkce_is_announced_without_plain() {
        let with = |list: &str| format!(r#"{{"code_challenge_methods_supported":{list}}}"#);
        assert_eq!(says("metadata-pkce", &with(r#"["S256"]"#)), Pass);
        assert_eq!(says("metadata-pkce", &with(r#"["plain"]"#)), Fail);
        assert_eq!(says("metadata-pkce", "{}"), Fail);
        assert_eq!(says("metadata-no-plain", "{}"), Pass);
        assert_eq!(
            says("metadata-no-plain", &with(r#"["S256","plain"]"#)),
            Fail
        );
    }

    #[test]
    fn legacy_grants_are_not_offered() {
        let with = |types: &str, grants: &str| {
            format!(r#"{{"response_types_supported":{types},"grant_types_supported":{grants}}}"#)
        };
        let check = "metadata-no-legacy";
        assert_eq!(
            says(check, &with(r#"["code"]"#, r#"["authorization_code"]"#)),
            Pass
        );
        assert_eq!(
            says(
                check,
                &with(r#"["code token"]"#, r#"["authorization_code"]"#)
            ),
            Fail
        );
        assert_eq!(says(check, &with(r#"["code"]"#, r#"["password"]"#)), Fail);
        assert_eq!(
            says(check, r#"{"response_types_supported":["code"]}"#),
            Warn
        );
    }

    #[test]
    fn jwt_authentication_names_its_algorithms() {
        let with = |algs: &str| {
            format!(r#"{{"token_endpoint_auth_methods_supported":["private_key_jwt"]{algs}}}"#)
        };
        let check = "metadata-auth-algs";
        let name = r#","token_endpoint_auth_signing_alg_values_supported":"#;
        assert_eq!(says(check, &with(&format!(r#"{name}["ES256"]"#))), Pass);
        assert_eq!(says(check, &with(&format!(r#"{name}["none"]"#))), Fail);
        assert_eq!(says(check, &with("")), Fail);
        assert_eq!(says(check, "{}"), NotApplicable);
    }

    #[test]
    fn two_documents_agree() {
        let first = r#"{"issuer":"i","token_endpoint":"t","x_supported":["a","b"]}"#;
        let pair = |second: &str| {
            let mut stage = Stage::new();
            stage.discover("as", 200, first);
            stage.discover("openid", 200, second);
            of("metadata-agrees", &stage)
        };
        assert_eq!(
            pair(
                r#"{"issuer":"i","token_endpoint":"t","x_supported":["b","a"],"userinfo_endpoint":"u"}"#
            ),
            Pass
        );
        assert_eq!(pair(r#"{"issuer":"i","token_endpoint":"other"}"#), Fail);
        assert_eq!(
            pair(r#"{"issuer":"i","token_endpoint":"t","x_supported":["a"]}"#),
            Fail
        );
        assert_eq!(says("metadata-agrees", first), NotApplicable);
    }
}
