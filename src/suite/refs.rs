//! The documents a case may cite, and how a clause is shown: `rfc6749#4.1.2.1` is RFC 6749 §4.1.2.1.

use std::fmt;

use crate::diagnostic::nearest;

/// A document a case may cite.
#[derive(Debug, PartialEq, Eq)]
pub struct Document {
    /// `rfc6749`, as a suite file spells it.
    pub key: &'static str,
    /// `RFC 6749`, as a report shows it.
    pub name: &'static str,
    /// The document's title.
    pub title: &'static str,
    /// Whether sections have numbers (`4.1.2.1`, appendix `A.2`) or names (`token-handling`).
    pub numbered: bool,
    /// Where it is published; sections are `#section-N` there for numbered documents of the IETF, and the slug of
    /// their heading for those of MCP.
    pub url: &'static str,
}

const fn rfc(
    key: &'static str,
    name: &'static str,
    title: &'static str,
    url: &'static str,
) -> Document {
    Document {
        key,
        name,
        title,
        numbered: true,
        url,
    }
}

macro_rules! rfcs {
    ($($number:literal: $title:literal,)*) => {
        &[$(rfc(
            concat!("rfc", $number),
            concat!("RFC ", $number),
            $title,
            concat!("https://www.rfc-editor.org/rfc/rfc", $number),
        ),)*]
    };
}

/// Requests for Comments.
const RFCS: &[Document] = rfcs! {
    "3986": "Uniform Resource Identifier (URI): Generic Syntax",
    "6265": "HTTP State Management Mechanism",
    "6749": "The OAuth 2.0 Authorization Framework",
    "6750": "OAuth 2.0 Bearer Token Usage",
    "6819": "OAuth 2.0 Threat Model and Security Considerations",
    "7009": "OAuth 2.0 Token Revocation",
    "7515": "JSON Web Signature (JWS)",
    "7516": "JSON Web Encryption (JWE)",
    "7517": "JSON Web Key (JWK)",
    "7518": "JSON Web Algorithms (JWA)",
    "7519": "JSON Web Token (JWT)",
    "7523": "JWT Profile for OAuth 2.0 Client Authentication and Authorization Grants",
    "7591": "OAuth 2.0 Dynamic Client Registration Protocol",
    "7592": "OAuth 2.0 Dynamic Client Registration Management Protocol",
    "7617": "The Basic HTTP Authentication Scheme",
    "7636": "Proof Key for Code Exchange by OAuth Public Clients",
    "7638": "JSON Web Key (JWK) Thumbprint",
    "7662": "OAuth 2.0 Token Introspection",
    "7800": "Proof-of-Possession Key Semantics for JSON Web Tokens",
    "8252": "OAuth 2.0 for Native Apps",
    "8259": "The JavaScript Object Notation (JSON) Data Interchange Format",
    "8414": "OAuth 2.0 Authorization Server Metadata",
    "8615": "Well-Known Uniform Resource Identifiers (URIs)",
    "8628": "OAuth 2.0 Device Authorization Grant",
    "8693": "OAuth 2.0 Token Exchange",
    "8705": "OAuth 2.0 Mutual-TLS Client Authentication and Certificate-Bound Access Tokens",
    "8707": "Resource Indicators for OAuth 2.0",
    "8725": "JSON Web Token Best Current Practices",
    "8996": "Deprecating TLS 1.0 and TLS 1.1",
    "9068": "JSON Web Token (JWT) Profile for OAuth 2.0 Access Tokens",
    "9101": "The OAuth 2.0 Authorization Framework: JWT-Secured Authorization Request (JAR)",
    "9110": "HTTP Semantics",
    "9112": "HTTP/1.1",
    "9126": "OAuth 2.0 Pushed Authorization Requests",
    "9207": "OAuth 2.0 Authorization Server Issuer Identification",
    "9325": "Recommendations for Secure Use of TLS and DTLS",
    "9396": "OAuth 2.0 Rich Authorization Requests",
    "9449": "OAuth 2.0 Demonstrating Proof of Possession (DPoP)",
    "9470": "OAuth 2.0 Step Up Authentication Challenge Protocol",
    "9525": "Service Identity in TLS",
    "9700": "Best Current Practice for OAuth 2.0 Security",
    "9701": "JSON Web Token (JWT) Response for OAuth Token Introspection",
    "9728": "OAuth 2.0 Protected Resource Metadata",
};

const fn page(
    key: &'static str,
    name: &'static str,
    title: &'static str,
    url: &'static str,
) -> Document {
    Document {
        key,
        name,
        title,
        numbered: false,
        url,
    }
}

/// Drafts, OpenID, Fetch, MCP and the services' own documentation.
const OTHERS: &[Document] = &[
    rfc(
        "oauth2.1-16",
        "OAuth 2.1 (draft 16)",
        "The OAuth 2.1 Authorization Framework, draft-ietf-oauth-v2-1-16",
        "https://datatracker.ietf.org/doc/html/draft-ietf-oauth-v2-1-16",
    ),
    rfc(
        "oauth2.1-13",
        "OAuth 2.1 (draft 13)",
        "The OAuth 2.1 Authorization Framework, draft-ietf-oauth-v2-1-13",
        "https://datatracker.ietf.org/doc/html/draft-ietf-oauth-v2-1-13",
    ),
    rfc(
        "cimd-02",
        "CIMD (draft 02)",
        "OAuth Client ID Metadata Document, draft-ietf-oauth-client-id-metadata-document-02",
        "https://datatracker.ietf.org/doc/html/draft-ietf-oauth-client-id-metadata-document-02",
    ),
    rfc(
        "oidc-core",
        "OpenID Connect Core",
        "OpenID Connect Core 1.0",
        "https://openid.net/specs/openid-connect-core-1_0.html",
    ),
    rfc(
        "oidc-discovery",
        "OpenID Connect Discovery",
        "OpenID Connect Discovery 1.0",
        "https://openid.net/specs/openid-connect-discovery-1_0.html",
    ),
    rfc(
        "oidc-registration",
        "OpenID Connect Registration",
        "OpenID Connect Dynamic Client Registration 1.0",
        "https://openid.net/specs/openid-connect-registration-1_0.html",
    ),
    rfc(
        "oauth-multiple-response-types",
        "OAuth Multiple Response Types",
        "OAuth 2.0 Multiple Response Type Encoding Practices",
        "https://openid.net/specs/oauth-v2-multiple-response-types-1_0.html",
    ),
    rfc(
        "oauth-form-post",
        "OAuth Form Post",
        "OAuth 2.0 Form Post Response Mode",
        "https://openid.net/specs/oauth-v2-form-post-response-mode-1_0.html",
    ),
    rfc(
        "fapi2-security",
        "FAPI 2.0 Security Profile",
        "FAPI 2.0 Security Profile",
        "https://openid.net/specs/fapi-security-profile-2_0-final.html",
    ),
    rfc(
        "fapi1-advanced",
        "FAPI 1.0 Advanced",
        "Financial-grade API Security Profile 1.0, Part 2: Advanced",
        "https://openid.net/specs/openid-financial-api-part-2-1_0.html",
    ),
    page(
        "mcp-2026-07-28",
        "MCP 2026-07-28",
        "Model Context Protocol, revision 2026-07-28: authorization",
        "https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization",
    ),
    page(
        "mcp-2026-07-28-security",
        "MCP 2026-07-28 security",
        "Model Context Protocol, revision 2026-07-28: authorization security considerations",
        "https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization/security-considerations",
    ),
    page(
        "mcp-2026-07-28-http",
        "MCP 2026-07-28 HTTP",
        "Model Context Protocol, revision 2026-07-28: Streamable HTTP",
        "https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http",
    ),
    page(
        "mcp-2025-11-25",
        "MCP 2025-11-25",
        "Model Context Protocol, revision 2025-11-25: authorization",
        "https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization",
    ),
    page(
        "mcp-2025-11-25-transports",
        "MCP 2025-11-25 transports",
        "Model Context Protocol, revision 2025-11-25: transports",
        "https://modelcontextprotocol.io/specification/2025-11-25/basic/transports",
    ),
    page(
        "mcp-2025-11-25-security",
        "MCP 2025-11-25 security",
        "Model Context Protocol, revision 2025-11-25: security best practices",
        "https://modelcontextprotocol.io/specification/2025-11-25/basic/security_best_practices",
    ),
    page(
        "fetch",
        "Fetch",
        "Fetch Standard",
        "https://fetch.spec.whatwg.org/",
    ),
    page(
        "hightop",
        "Hightop OAuth",
        "Hightop: OAuth documentation",
        "",
    ),
    page(
        "agnicpay",
        "AgnicPay OAuth",
        "AgnicPay: OAuth documentation",
        "",
    ),
    page("hasp", "HASP OAuth", "HASP: OAuth documentation", ""),
];

/// The one reference without a section: good practice that no document demands.
pub const DERIVED: &str = "derived";

/// Every document.
pub fn documents() -> impl Iterator<Item = &'static Document> {
    RFCS.iter().chain(OTHERS)
}

/// A clause of a document, or good practice that no document states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clause {
    /// A section of a document.
    Section(&'static Document, String),
    /// `derived`.
    Derived,
}

/// Why a reference is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl Clause {
    /// Reads `document#section` or `derived`.
    pub fn parse(text: &str) -> Result<Clause, RefError> {
        if text == DERIVED {
            return Ok(Clause::Derived);
        }
        let (key, section) = text.split_once('#').unwrap_or((text, ""));
        let Some(document) = documents().find(|document| document.key == key) else {
            let help = match nearest(key, documents().map(|document| document.key)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "write `rfc6749#4.1.2.1`, `oauth2.1-16#7.5.2`, `oidc-core#3.1.2.1`, \
                         `mcp-2026-07-28#token-handling` or `derived`; documents are listed in \
                         src/suite/refs.rs"
                    .to_owned(),
            };
            return Err(RefError {
                message: format!("unknown document `{key}`"),
                help,
            });
        };
        let fits = if document.numbered {
            is_number(section)
        } else {
            crate::reader::is_slug(section)
        };
        if fits {
            return Ok(Clause::Section(document, section.to_owned()));
        }
        Err(RefError {
            message: format!("`{text}` names no section of {}", document.name),
            help: if document.numbered {
                format!("write the section's number: `{key}#4.1.2`, or `{key}#A.2` for an appendix")
            } else {
                format!("write the section's heading as a slug: `{key}#token-handling`")
            },
        })
    }

    /// Where the clause can be read, when it is published on the web.
    pub fn url(&self) -> Option<String> {
        let Clause::Section(document, section) = self else {
            return None;
        };
        if document.url.is_empty() {
            return None;
        }
        let anchor = if document.url.contains("modelcontextprotocol.io") {
            format!("#{section}")
        } else if !document.url.contains("rfc-editor.org") && !document.url.contains("ietf.org") {
            String::new()
        } else if section.starts_with(|c: char| c.is_ascii_digit()) {
            format!("#section-{section}")
        } else {
            format!("#appendix-{section}")
        };
        Some(format!("{}{anchor}", document.url))
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Clause::Derived => f.write_str("derived"),
            Clause::Section(document, section) if document.numbered => {
                write!(f, "{} §{section}", document.name)
            }
            Clause::Section(document, section) => write!(f, "{}: {section}", document.name),
        }
    }
}

/// How a reference is shown in a report; as written when it is none.
pub fn display(reference: &str) -> String {
    match Clause::parse(reference) {
        Ok(clause) => clause.to_string(),
        Err(_) => reference.to_owned(),
    }
}

/// Clauses on one line.
pub fn display_all(references: &[String]) -> String {
    let all: Vec<String> = references.iter().map(|one| display(one)).collect();
    all.join(", ")
}

/// Where a clause can be read; `None` for anything but a known public document.
pub fn address(reference: &str) -> Option<String> {
    Clause::parse(reference).ok()?.url()
}

/// `4.1.2.1`, `A`, `A.2`.
fn is_number(section: &str) -> bool {
    section.split('.').enumerate().all(|(place, part)| {
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let appendix =
            place == 0 && part.len() == 1 && part.bytes().all(|byte| byte.is_ascii_uppercase());
        digits || appendix
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_is_shown_as_people_write_it() {
        assert_eq!(display("rfc6749#4.1.2.1"), "RFC 6749 §4.1.2.1");
        assert_eq!(display("oauth2.1-16#7.5.2"), "OAuth 2.1 (draft 16) §7.5.2");
        assert_eq!(
            display("mcp-2026-07-28#token-handling"),
            "MCP 2026-07-28: token-handling"
        );
        assert_eq!(display("derived"), "derived");
    }

    #[test]
    fn a_clause_of_the_ietf_has_an_address() {
        let url = |text: &str| Clause::parse(text).unwrap().url();
        assert_eq!(
            url("rfc9700#2.1.1").as_deref(),
            Some("https://www.rfc-editor.org/rfc/rfc9700#section-2.1.1")
        );
        assert_eq!(
            url("rfc6749#A.4").as_deref(),
            Some("https://www.rfc-editor.org/rfc/rfc6749#appendix-A.4")
        );
        assert_eq!(url("derived"), None);
    }

    #[test]
    fn a_heading_of_mcp_has_an_address() {
        let page = "https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization";
        assert_eq!(
            Clause::parse("mcp-2026-07-28#token-handling")
                .unwrap()
                .url(),
            Some(format!("{page}#token-handling"))
        );
    }

    #[test]
    fn a_reference_needs_a_known_document_and_a_section() {
        for wrong in [
            "rfc6749",
            "rfc6749#",
            "rfc6749#4..1",
            "rfc1#1",
            "oauth2.1#1",
            "derived#1",
        ] {
            assert!(Clause::parse(wrong).is_err(), "{wrong}");
        }
        assert!(
            Clause::parse("oauth2.1-17#1")
                .unwrap_err()
                .help
                .contains("oauth2.1-16")
        );
    }

    #[test]
    fn no_document_is_listed_twice() {
        let mut keys: Vec<&str> = documents().map(|document| document.key).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all);
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
