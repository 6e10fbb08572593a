//! What a page in a browser may read (Fetch, CORS protocol).

use super::view::{View, quote};
use super::{Check, Finding, Look};
use crate::suite::model::Verb;

pub(super) const CHECKS: &[Check] = &[Check("cors-readable", Look::At(readable))];

/// Whether a page of another origin can read the answer, and the challenge in it.
fn readable(view: &View<'_>) -> Result<Finding, Finding> {
    let reply = view.last()?;
    let words = |name: &str| reply.header(name).unwrap_or_default().trim().to_lowercase();
    let allowed = words("access-control-allow-origin");
    if allowed.is_empty() {
        // Metadata that no page can read is a server that is not for pages.
        return Err(if view.outcome.verb == Verb::Discover {
            Finding::not_applicable("the metadata is not readable for pages of other origins")
        } else {
            Finding::fail("there is no Access-Control-Allow-Origin")
        });
    }
    let credentials = words("access-control-allow-credentials") == "true";
    if allowed == "*" && credentials {
        return Err(Finding::fail(
            "Access-Control-Allow-Credentials is true beside Access-Control-Allow-Origin *",
        ));
    }
    let preflight = view
        .exchanges()
        .next_back()
        .is_some_and(|recorded| recorded.request.method == "OPTIONS");
    if preflight && !reply.is_success() {
        return Err(Finding::fail(format!(
            "the preflight is answered with {}",
            reply.status
        )));
    }
    let exposed = words("access-control-expose-headers");
    let exposes = exposed
        .split(',')
        .any(|name| matches!(name.trim(), "www-authenticate" | "*"));
    if reply.header("www-authenticate").is_some() && !exposes {
        return Err(Finding::fail(format!(
            "WWW-Authenticate is not among the exposed headers {}",
            quote(&exposed)
        )));
    }
    Ok(Finding::pass(format!("readable for {}", quote(&allowed))))
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, of};
    use crate::check::Found::{self, Fail, NotApplicable, Pass};

    fn found(mut stage: Stage, headers: &[(&str, &str)]) -> Found {
        for (name, value) in headers {
            stage.header(name, value);
        }
        of("cors-readable", &stage)
    }

    fn metadata() -> Stage {
        let mut stage = Stage::new();
        stage.discover("as", 200, "{}");
        stage
    }

    fn called() -> Stage {
        let mut stage = Stage::new();
        stage.call("a", 401, "{}");
        stage.header("WWW-Authenticate", "Bearer error=\"invalid_token\"");
        stage
    }

    const ANY: (&str, &str) = ("Access-Control-Allow-Origin", "*");

    #[test]
    fn pages_read_all_or_nothing() {
        assert_eq!(found(metadata(), &[]), NotApplicable);
        assert_eq!(found(metadata(), &[ANY]), Pass);
        let credentials = ("Access-Control-Allow-Credentials", "true");
        assert_eq!(found(metadata(), &[ANY, credentials]), Fail);
        assert_eq!(found(called(), &[]), Fail);
        assert_eq!(found(called(), &[ANY]), Fail);
        let exposed = (
            "Access-Control-Expose-Headers",
            "DPoP-Nonce, WWW-Authenticate",
        );
        assert_eq!(found(called(), &[ANY, exposed]), Pass);
    }
}
