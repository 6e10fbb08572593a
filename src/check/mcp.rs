//! What an MCP server advertises (Model Context Protocol, revision 2026-07-28: authorization).

use wire::json::Value;

use super::metadata::document;
use super::view::{View, quote, strings};
use super::{Check, Finding, Look};

pub(super) const CHECKS: &[Check] = &[
    Check("prm-no-offline-access", Look::At(no_offline_access)),
    Check("prm-scopes-minimal", Look::At(scopes_minimal)),
];

/// `scopes_supported` of the document, empty when it is absent.
fn scopes(view: &View<'_>) -> Result<Vec<String>, Finding> {
    let document = document(view)?;
    if document.value.get("resource").is_none() {
        return Err(Finding::fail("there is no `resource`"));
    }
    let listed = document.value.get("scopes_supported");
    let listed: &Value = match listed {
        Some(listed) => listed,
        None => return Ok(Vec::new()),
    };
    let texts = strings(listed)
        .ok_or_else(|| Finding::fail("`scopes_supported` is no array of strings"))?;
    Ok(texts.into_iter().map(str::to_owned).collect())
}

fn no_offline_access(view: &View<'_>) -> Result<Finding, Finding> {
    if scopes(view)?.iter().any(|scope| scope == "offline_access") {
        return Err(Finding::fail("`scopes_supported` has offline_access"));
    }
    Ok(Finding::pass("`scopes_supported` lacks offline_access"))
}

fn scopes_minimal(view: &View<'_>) -> Result<Finding, Finding> {
    let omnibus = |scope: &String| {
        scope.contains('*') || ["all", "full-access", "full_access"].contains(&scope.as_str())
    };
    match scopes(view)?.iter().find(|scope| omnibus(scope)) {
        Some(scope) => Err(Finding::fail(format!(
            "`scopes_supported` has {}, which stands for everything",
            quote(scope)
        ))),
        None => Ok(Finding::pass("no scope stands for everything")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Found::{Fail, Pass};
    use super::super::stage::{Stage, of};

    #[test]
    fn advertised_scopes_are_few_and_small() {
        let says = |check: &str, scopes: &str| {
            let mut stage = Stage::new();
            let body =
                format!(r#"{{"resource":"https://rs.example/a","scopes_supported":{scopes}}}"#);
            stage.discover("resource.a", 200, &body);
            of(check, &stage)
        };
        let offline = "prm-no-offline-access";
        assert_eq!(says(offline, r#"["read"]"#), Pass);
        assert_eq!(says(offline, r#"["read","offline_access"]"#), Fail);
        assert_eq!(says(offline, r#""read""#), Fail);
        let minimal = "prm-scopes-minimal";
        assert_eq!(says(minimal, r#"["read"]"#), Pass);
        for wrong in [r#"["*"]"#, r#"["files:*"]"#, r#"["all"]"#] {
            assert_eq!(says(minimal, wrong), Fail, "{wrong}");
        }
    }
}
