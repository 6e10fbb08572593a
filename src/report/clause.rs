//! Clauses for people: `rfc9700#2.1.1` is shown as `RFC 9700 §2.1.1`, with the address of the text.

/// The clause in words: `RFC 9700 §2.1.1`, `OAuth 2.1 (draft 16) §7.5.2`.
pub fn words(reference: &str) -> String {
    let (document, section) = split(reference);
    let title = if let Some(number) = rfc(document) {
        format!("RFC {number}")
    } else if let Some(revision) = document.strip_prefix("oauth2.1-") {
        format!("OAuth 2.1 (draft {revision})")
    } else if let Some(revision) = document.strip_prefix("mcp-") {
        format!("MCP {revision}")
    } else if let Some(revision) = document.strip_prefix("cimd-") {
        format!("Client ID Metadata Document (draft {revision})")
    } else if document == "oidc-core" {
        "OpenID Connect Core".to_owned()
    } else if document == "oidc-discovery" {
        "OpenID Connect Discovery".to_owned()
    } else if document == "derived" {
        "derived (no clause says it)".to_owned()
    } else {
        document.to_owned()
    };
    match section {
        None | Some("") => title,
        Some(section) if section.starts_with(|c: char| c.is_ascii_digit()) => {
            format!("{title} §{section}")
        }
        Some(section) => format!("{title}, {section}"),
    }
}

/// Where the clause can be read, when it is a public document with a stable address.
pub fn address(reference: &str) -> Option<String> {
    let (document, section) = split(reference);
    let numbered = section.filter(|section| {
        !section.is_empty()
            && section
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '.')
    });
    if let Some(number) = rfc(document) {
        let anchor = numbered
            .map(|s| format!("#section-{s}"))
            .unwrap_or_default();
        return Some(format!(
            "https://www.rfc-editor.org/rfc/rfc{number}{anchor}"
        ));
    }
    if let Some(revision) = document.strip_prefix("oauth2.1-") {
        if !revision.chars().all(|c| c.is_ascii_digit()) {
            return None;
        }
        let anchor = numbered
            .map(|s| format!("#section-{s}"))
            .unwrap_or_default();
        return Some(format!(
            "https://datatracker.ietf.org/doc/html/draft-ietf-oauth-v2-1-{revision}{anchor}"
        ));
    }
    if document == "oidc-core" {
        return Some("https://openid.net/specs/openid-connect-core-1_0.html".to_owned());
    }
    None
}

/// All clauses of a case on one line.
pub fn list(references: &[String]) -> String {
    references
        .iter()
        .map(|reference| words(reference))
        .collect::<Vec<_>>()
        .join(", ")
}

fn split(reference: &str) -> (&str, Option<&str>) {
    match reference.split_once('#') {
        Some((document, section)) => (document, Some(section)),
        None => (reference, None),
    }
}

fn rfc(document: &str) -> Option<&str> {
    let number = document.strip_prefix("rfc")?;
    (!number.is_empty() && number.chars().all(|c| c.is_ascii_digit())).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_read_as_people_cite_them() {
        assert_eq!(words("rfc9700#2.1.1"), "RFC 9700 §2.1.1");
        assert_eq!(words("oauth2.1-16#7.5.2"), "OAuth 2.1 (draft 16) §7.5.2");
        assert_eq!(
            words("mcp-2026-07-28#token-handling"),
            "MCP 2026-07-28, token-handling"
        );
        assert_eq!(words("rfc6749"), "RFC 6749");
    }

    #[test]
    fn only_known_documents_have_an_address() {
        assert_eq!(
            address("rfc9700#2.1.1").as_deref(),
            Some("https://www.rfc-editor.org/rfc/rfc9700#section-2.1.1")
        );
        assert_eq!(address("javascript:alert(1)#1"), None);
        assert_eq!(address("rfc1\"onclick#1"), None);
    }
}
