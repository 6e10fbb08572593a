//! Whose the metadata says it is, and where it stands (RFC 8414 §3).

use wire::json::Value;
use wire::metadata::{AUTHORIZATION_SERVER, well_known};

use super::metadata::document;
use super::view::{View, is_secure, object, quote};
use super::{Check, Finding, Look};
use crate::transport::Reply;

pub(super) const CHECKS: &[Check] = &[
    Check("metadata-issuer", Look::At(issuer)),
    Check("metadata-path-inserted", Look::At(path_inserted)),
    Check("metadata-direct", Look::At(direct)),
];

fn issuer(view: &View<'_>) -> Result<Finding, Finding> {
    let document = document(view)?;
    let Some(issuer) = document.value.get("issuer").and_then(Value::as_str) else {
        return Err(Finding::fail("there is no string `issuer`"));
    };
    let expected = &view.target.issuer;
    if issuer != expected {
        return Err(Finding::fail(format!(
            "`issuer` is {}, and the target's issuer is {}",
            quote(issuer),
            quote(expected)
        )));
    }
    if issuer.contains(['?', '#']) {
        return Err(Finding::fail(format!(
            "`issuer` {} has a query or a fragment",
            quote(issuer)
        )));
    }
    if !is_secure(issuer) {
        return Err(Finding::fail(format!(
            "`issuer` {} is not https",
            quote(issuer)
        )));
    }
    Ok(Finding::pass(format!("`issuer` is {}", quote(issuer))))
}

fn path_inserted(view: &View<'_>) -> Result<Finding, Finding> {
    let issuer = &view.target.issuer;
    let path = wire::uri::Parts::split(issuer).path;
    if path.is_empty() || path == "/" {
        return Err(Finding::not_applicable(format!(
            "the issuer {} has no path",
            quote(issuer)
        )));
    }
    let Some(inserted) = well_known(issuer, AUTHORIZATION_SERVER) else {
        return Err(Finding::undecided("the issuer is not a URL"));
    };
    let names_issuer = |reply: &Reply| {
        object(reply).is_ok_and(|document| {
            document.value.get("issuer").and_then(Value::as_str) == Some(issuer)
        })
    };
    let here = view.answers().any(|(recorded, reply)| {
        recorded.request.url == inserted && reply.status == 200 && names_issuer(reply)
    });
    if here {
        return Ok(Finding::pass(format!("{inserted} answered")));
    }
    match view.metadata_url {
        Some(url) if url == inserted => Ok(Finding::pass(format!("{inserted} answered"))),
        Some(url) => Err(Finding::fail(format!(
            "{inserted} gave no document with this issuer; {url} did"
        ))),
        None => Err(Finding::undecided("no document with this issuer was found")),
    }
}

fn direct(view: &View<'_>) -> Result<Finding, Finding> {
    let first = view.answers().next();
    let (recorded, reply) = first.ok_or_else(|| Finding::undecided("there was no answer"))?;
    if (300..400).contains(&reply.status) {
        return Err(Finding::warn(format!(
            "{} answered {} with Location {}",
            recorded.request.url,
            reply.status,
            quote(&reply.header("location").unwrap_or_default())
        )));
    }
    Ok(Finding::pass(format!("answered {}", reply.status)))
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, of, of_document};
    use crate::check::Found::{self, Fail, NotApplicable, Pass, Warn};

    fn says(check: &str, document: &str) -> Found {
        of_document(check, "as", document)
    }

    #[test]
    fn the_issuer_is_the_one_asked_for() {
        assert_eq!(
            says("metadata-issuer", r#"{"issuer":"https://as.example/t"}"#),
            Pass
        );
        assert_eq!(
            says("metadata-issuer", r#"{"issuer":"https://as.example/t/"}"#),
            Fail
        );
        assert_eq!(says("metadata-issuer", r#"{"issuer":7}"#), Fail);
    }

    #[test]
    fn the_document_is_where_the_path_is_inserted() {
        let right = r#"{"issuer":"https://as.example/t"}"#;
        assert_eq!(says("metadata-path-inserted", right), Pass);
        let mut stage = Stage::new();
        stage.discover("as", 404, "{}");
        stage.metadata_url =
            Some("https://as.example/t/.well-known/oauth-authorization-server".into());
        assert_eq!(of("metadata-path-inserted", &stage), Fail);
        stage.target.issuer = "https://as.example".into();
        assert_eq!(of("metadata-path-inserted", &stage), NotApplicable);
    }

    #[test]
    fn a_redirected_document_is_warned_of() {
        let mut stage = Stage::new();
        stage.discover("as", 301, "");
        assert_eq!(of("metadata-direct", &stage), Warn);
        assert_eq!(says("metadata-direct", "{}"), Pass);
    }
}
