//! How a server is reached: what its certificate says, and what stands at the places of other issuers.

use wire::json::Value;

use super::view::{View, object, quote};
use super::{Check, Finding, Look};

pub(super) const CHECKS: &[Check] = &[
    Check("issuer-has-path", Look::At(has_path)),
    Check("metadata-other-path", Look::At(other_path)),
    Check("certificate-valid", Look::At(certificate_valid)),
];

/// Whether the issuer is one of several that its host may have.
fn has_path(view: &View<'_>) -> Result<Finding, Finding> {
    let issuer = quote(&view.target.issuer);
    let path = wire::uri::Parts::split(&view.target.issuer).path;
    match path {
        "" | "/" => Err(Finding::not_applicable(format!(
            "the issuer {issuer} has no path"
        ))),
        _ => Ok(Finding::pass(format!("the issuer {issuer} has a path"))),
    }
}

fn other_path(view: &View<'_>) -> Result<Finding, Finding> {
    let issuer = &view.target.issuer;
    let reply = view.last()?;
    let named = object(reply).ok().and_then(|document| {
        let issuer = document.value.get("issuer").and_then(Value::as_str);
        issuer.map(str::to_owned)
    });
    match named {
        Some(named) if reply.status == 200 && named == *issuer => Err(Finding::fail(format!(
            "the document of another issuer names {} as its own",
            quote(issuer)
        ))),
        _ => Ok(Finding::pass(format!(
            "answered {}, without a document of this issuer",
            reply.status
        ))),
    }
}

/// How soon a certificate has to be renewed.
const SOON: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);

fn certificate_valid(view: &View<'_>) -> Result<Finding, Finding> {
    if let Some(why) = view.outcome.field("certificate_problem") {
        return Err(Finding::fail(format!(
            "the certificate does not verify: {why}"
        )));
    }
    let ends = view
        .outcome
        .field("certificate_ends")
        .ok_or_else(|| Finding::undecided("no handshake looked at the certificate"))?;
    let Ok(moment) = ends.parse::<jiff::Timestamp>() else {
        return Ok(Finding::pass("the certificate verifies"));
    };
    if moment.duration_since(jiff::Timestamp::now()) < SOON {
        return Err(Finding::warn(format!(
            "the certificate verifies until {ends}, which is less than a week"
        )));
    }
    Ok(Finding::pass(format!(
        "the certificate verifies until {ends}"
    )))
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, of};
    use crate::check::Found::{Fail, Pass, Undecided, Warn};

    #[test]
    fn another_path_has_another_issuer_or_nothing() {
        let at = |status: u16, body: &str| {
            let mut stage = Stage::new();
            stage.discover("as", status, body);
            of("metadata-other-path", &stage)
        };
        let own = r#"{"issuer":"https://as.example/t"}"#;
        assert_eq!(at(200, own), Fail);
        assert_eq!(at(404, own), Pass);
        assert_eq!(at(404, ""), Pass);
        assert_eq!(at(200, r#"{"issuer":"https://as.example/other"}"#), Pass);
        assert_eq!(of("metadata-other-path", &Stage::silent()), Undecided);
        let mut stage = Stage::new();
        stage.discover("as", 200, own);
        assert_eq!(of("issuer-has-path", &stage), Pass);
    }

    #[test]
    fn a_certificate_verifies_for_a_week_and_more() {
        let with = |name: &str, value: &str| {
            let mut stage = Stage::new();
            stage.discover("as", 200, "{}");
            stage.field(name, value);
            of("certificate-valid", &stage)
        };
        assert_eq!(with("certificate_problem", "Expired"), Fail);
        assert_eq!(with("certificate_ends", "2999-01-01T00:00:00Z"), Pass);
        assert_eq!(with("certificate_ends", "2020-01-01T00:00:00Z"), Warn);
        // It verified; when it ends could not be read.
        assert_eq!(with("certificate_ends", ""), Pass);
        assert_eq!(with("status", "200"), Undecided);
    }
}
