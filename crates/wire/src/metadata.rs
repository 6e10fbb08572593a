//! Metadata documents of authorization servers (RFC 8414 §2 and the members later RFCs add to it)
//! and of protected resources (RFC 9728 §2), and where they are found.
//!
//! Each reader gives the members that have the right type and a list of what is wrong. Members
//! that are not listed here are ignored, as both RFCs ask.

use crate::json::{Document, Value};
pub use crate::jwks::{Jwk, Jwks, jwks};
use crate::redirect_uri::is_loopback_literal;
use crate::uri::{self, Parts};
use std::fmt;

/// Something a document says against its RFC.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The member, for example `token_endpoint` or `keys/0/n`; empty for the whole document.
    pub member: String,
    /// What is wrong with it, to be read after its name.
    pub what: String,
    /// The RFC and section that says so.
    pub clause: &'static str,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let member = if self.member.is_empty() {
            "the document"
        } else {
            &self.member
        };
        write!(f, "{member} {} ({})", self.what, self.clause)
    }
}

/// The Rust type of a member of each kind.
macro_rules! member_type {
    (url) => { String };
    (text) => { String };
    (list) => { Vec<String> };
    (urls) => { Vec<String> };
    (flag) => { bool };
}

/// Declares a document: a struct with one field a member, and the function that fills it.
macro_rules! document {
    ($(#[$about:meta])* $name:ident { $($field:ident: $kind:tt, $clause:literal;)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct $name {
            $(
                #[doc = concat!("`", stringify!($field), "` (", $clause, ").")]
                pub $field: Option<member_type!($kind)>,
            )*
            /// What is wrong with the document.
            pub problems: Vec<Problem>,
        }

        impl $name {
            fn fill(members: &mut Members<'_>) -> $name {
                $name {
                    $($field: members.$kind(stringify!($field), $clause),)*
                    problems: Vec::new(),
                }
            }
        }
    };
}

document! {
    /// The metadata of an authorization server. A member is `None` where it is absent or has the
    /// wrong type.
    AsMetadata {
        issuer: url, "RFC 8414 §2";
        authorization_endpoint: url, "RFC 8414 §2";
        token_endpoint: url, "RFC 8414 §2";
        jwks_uri: url, "RFC 8414 §2";
        registration_endpoint: url, "RFC 8414 §2";
        scopes_supported: list, "RFC 8414 §2";
        response_types_supported: list, "RFC 8414 §2";
        response_modes_supported: list, "RFC 8414 §2";
        grant_types_supported: list, "RFC 8414 §2";
        token_endpoint_auth_methods_supported: list, "RFC 8414 §2";
        token_endpoint_auth_signing_alg_values_supported: list, "RFC 8414 §2";
        service_documentation: text, "RFC 8414 §2";
        revocation_endpoint: url, "RFC 8414 §2";
        revocation_endpoint_auth_methods_supported: list, "RFC 8414 §2";
        revocation_endpoint_auth_signing_alg_values_supported: list, "RFC 8414 §2";
        introspection_endpoint: url, "RFC 8414 §2";
        introspection_endpoint_auth_methods_supported: list, "RFC 8414 §2";
        introspection_endpoint_auth_signing_alg_values_supported: list, "RFC 8414 §2";
        code_challenge_methods_supported: list, "RFC 8414 §2";
        signed_metadata: text, "RFC 8414 §2.1";
        device_authorization_endpoint: url, "RFC 8628 §4";
        pushed_authorization_request_endpoint: url, "RFC 9126 §5";
        require_pushed_authorization_requests: flag, "RFC 9126 §5";
        authorization_response_iss_parameter_supported: flag, "RFC 9207 §3";
        authorization_details_types_supported: list, "RFC 9396 §10";
        dpop_signing_alg_values_supported: list, "RFC 9449 §5.1";
        require_signed_request_object: flag, "RFC 9101 §10.5";
        tls_client_certificate_bound_access_tokens: flag, "RFC 8705 §3.3";
        protected_resources: urls, "RFC 9728 §4";
        client_id_metadata_document_supported: flag, "draft-ietf-oauth-client-id-metadata-document §6";
        userinfo_endpoint: url, "OpenID Connect Discovery 1.0 §3";
        subject_types_supported: list, "OpenID Connect Discovery 1.0 §3";
        id_token_signing_alg_values_supported: list, "OpenID Connect Discovery 1.0 §3";
    }
}

document! {
    /// The metadata of a protected resource. A member is `None` where it is absent or has the
    /// wrong type.
    PrmMetadata {
        resource: url, "RFC 9728 §2";
        authorization_servers: urls, "RFC 9728 §2";
        jwks_uri: url, "RFC 9728 §2";
        scopes_supported: list, "RFC 9728 §2";
        bearer_methods_supported: list, "RFC 9728 §2";
        resource_signing_alg_values_supported: list, "RFC 9728 §2";
        resource_name: text, "RFC 9728 §2";
        resource_documentation: text, "RFC 9728 §2";
        resource_policy_uri: text, "RFC 9728 §2";
        resource_tos_uri: text, "RFC 9728 §2";
        tls_client_certificate_bound_access_tokens: flag, "RFC 9728 §2";
        authorization_details_types_supported: list, "RFC 9728 §2";
        dpop_signing_alg_values_supported: list, "RFC 9728 §2";
        dpop_bound_access_tokens_required: flag, "RFC 9728 §2";
        signed_metadata: text, "RFC 9728 §2.2";
    }
}

/// Reads the metadata of an authorization server. An `http` URL is a problem unless its host is
/// loopback.
pub fn authorization_server(doc: &Document) -> AsMetadata {
    let mut members = Members::of(doc, "RFC 8414 §3.2");
    let mut meta = AsMetadata::fill(&mut members);
    members.required("issuer", "RFC 8414 §2");
    members.required("response_types_supported", "RFC 8414 §2");
    if let Some(issuer) = &meta.issuer
        && Parts::split(issuer).query.is_some()
    {
        members.problem("issuer", "has a query", "RFC 8414 §2");
    }
    // Which endpoints are required hangs on the grants; without the member these two are meant.
    let grants = meta.grant_types_supported.as_deref();
    let grants_hold = |wanted: &[&str]| {
        grants.is_none_or(|grants| grants.iter().any(|g| wanted.contains(&g.as_str())))
    };
    if grants_hold(&["authorization_code", "implicit"]) {
        members.required("authorization_endpoint", "RFC 8414 §2");
    }
    if grants.is_none_or(|grants| grants.iter().any(|g| g != "implicit")) {
        members.required("token_endpoint", "RFC 8414 §2");
    }
    for (methods, name, algs) in [
        (
            &meta.token_endpoint_auth_methods_supported,
            "token_endpoint_auth_signing_alg_values_supported",
            &meta.token_endpoint_auth_signing_alg_values_supported,
        ),
        (
            &meta.revocation_endpoint_auth_methods_supported,
            "revocation_endpoint_auth_signing_alg_values_supported",
            &meta.revocation_endpoint_auth_signing_alg_values_supported,
        ),
        (
            &meta.introspection_endpoint_auth_methods_supported,
            "introspection_endpoint_auth_signing_alg_values_supported",
            &meta.introspection_endpoint_auth_signing_alg_values_supported,
        ),
    ] {
        if has(methods, "private_key_jwt") || has(methods, "client_secret_jwt") {
            members.required(name, "RFC 8414 §2");
        }
        if has(algs, "none") {
            members.problem(name, "has none", "RFC 8414 §2");
        }
    }
    meta.problems = members.problems;
    meta
}

/// Reads the metadata of a protected resource. An `http` URL is a problem unless its host is
/// loopback.
pub fn protected_resource(doc: &Document) -> PrmMetadata {
    let mut members = Members::of(doc, "RFC 9728 §3.2");
    let mut meta = PrmMetadata::fill(&mut members);
    members.required("resource", "RFC 9728 §2");
    for method in meta.bearer_methods_supported.iter().flatten() {
        if !["header", "body", "query"].contains(&method.as_str()) {
            let what = "has a method other than header, body and query";
            members.problem("bearer_methods_supported", what, "RFC 9728 §2");
            break;
        }
    }
    if has(&meta.resource_signing_alg_values_supported, "none") {
        members.problem(
            "resource_signing_alg_values_supported",
            "has none",
            "RFC 9728 §2",
        );
    }
    meta.problems = members.problems;
    meta
}

fn has(list: &Option<Vec<String>>, item: &str) -> bool {
    list.iter().flatten().any(|i| i == item)
}

/// The members of a document, and what has been found wrong with them.
pub(crate) struct Members<'a> {
    value: &'a Value,
    /// Where the RFC says how the document is served and that empty arrays are left out.
    served: &'static str,
    pub(crate) problems: Vec<Problem>,
}

impl<'a> Members<'a> {
    fn of(doc: &'a Document, served: &'static str) -> Members<'a> {
        let mut members = Members {
            value: &doc.value,
            served,
            problems: Vec::new(),
        };
        members.whole(doc);
        members
    }

    /// What is wrong with the document whatever its members are.
    fn whole(&mut self, doc: &Document) {
        if doc.value.as_object().is_none() {
            let what = format!("is no object but {}", doc.value.kind());
            self.problem("", what, self.served);
        }
        for pointer in &doc.duplicates {
            self.problem(
                pointer.trim_start_matches('/'),
                "is repeated",
                "RFC 8259 §4",
            );
        }
        if doc.bom {
            self.problem("", "begins with a byte order mark", "RFC 8259 §8.1");
        }
    }

    fn problem(&mut self, member: &str, what: impl Into<String>, clause: &'static str) {
        self.problems.push(Problem {
            member: member.to_owned(),
            what: what.into(),
            clause,
        });
    }

    fn required(&mut self, name: &str, clause: &'static str) {
        if self.value.get(name).is_none() {
            self.problem(name, "is missing", clause);
        }
    }

    fn wrong_type(&mut self, name: &str, wanted: &str, value: &Value, clause: &'static str) {
        self.problem(name, format!("is {}, not {wanted}", value.kind()), clause);
    }

    fn text(&mut self, name: &str, clause: &'static str) -> Option<String> {
        let value = self.value.get(name)?;
        if value.as_str().is_none() {
            self.wrong_type(name, "a string", value, clause);
        }
        value.as_str().map(str::to_owned)
    }

    fn flag(&mut self, name: &str, clause: &'static str) -> Option<bool> {
        let value = self.value.get(name)?;
        if value.as_bool().is_none() {
            self.wrong_type(name, "a boolean", value, clause);
        }
        value.as_bool()
    }

    fn list(&mut self, name: &str, clause: &'static str) -> Option<Vec<String>> {
        let value = self.value.get(name)?;
        let Some(items) = value.as_array() else {
            self.wrong_type(name, "an array", value, clause);
            return None;
        };
        // An empty bearer_methods_supported says that no method works (RFC 9728 §2).
        if items.is_empty() && name != "bearer_methods_supported" {
            self.problem(name, "is an empty array", self.served);
        }
        let texts: Option<Vec<String>> = items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect();
        if texts.is_none() {
            self.problem(name, "has an item that is no string", clause);
        }
        texts
    }

    fn url(&mut self, name: &str, clause: &'static str) -> Option<String> {
        let text = self.text(name, clause)?;
        if let Some(what) = url_problem(&text) {
            self.problem(name, what, clause);
        }
        Some(text)
    }

    fn urls(&mut self, name: &str, clause: &'static str) -> Option<Vec<String>> {
        let texts = self.list(name, clause)?;
        if let Some(what) = texts.iter().find_map(|text| url_problem(text)) {
            self.problem(name, format!("has an item that {what}"), clause);
        }
        Some(texts)
    }
}

/// What keeps the text from being the URL of an endpoint, an issuer or a resource.
fn url_problem(text: &str) -> Option<&'static str> {
    let parts = Parts::split(text);
    let host = parts.host.unwrap_or_default();
    let loopback = is_loopback_literal(host) || host.eq_ignore_ascii_case("localhost");
    let scheme = parts.scheme.unwrap_or_default().to_ascii_lowercase();
    match () {
        () if !uri::is_reference(text) => Some("is not a URI"),
        () if parts.scheme.is_none() => Some("is not absolute"),
        () if scheme != "https" && !(scheme == "http" && loopback) => Some("is not https"),
        () if host.is_empty() => Some("has no host"),
        () if parts.userinfo.is_some() => Some("has userinfo"),
        () if parts.fragment.is_some() => Some("has a fragment"),
        () if url::Url::parse(text).is_err() => Some("has a host or a port that clients refuse"),
        () => None,
    }
}

/// The well-known URI suffix of authorization servers (RFC 8414 §3).
pub const AUTHORIZATION_SERVER: &str = "oauth-authorization-server";
/// The well-known URI suffix of protected resources (RFC 9728 §3).
pub const PROTECTED_RESOURCE: &str = "oauth-protected-resource";
/// The well-known URI suffix of OpenID providers.
pub const OPENID_CONFIGURATION: &str = "openid-configuration";

/// Where the metadata of an issuer or a resource is: `/.well-known/` and the suffix between host
/// and path. `None` where the identifier has no scheme or no host.
///
/// RFC 8414 §3.1 drops the slash that ends an issuer's path; RFC 9728 §3.1 drops only the one
/// right after a resource's host. A query stays at the end.
pub fn well_known(identifier: &str, suffix: &str) -> Option<String> {
    let parts = Parts::split(identifier);
    let (scheme, authority) = (parts.scheme?, parts.authority.filter(|a| !a.is_empty())?);
    let path = match parts.path {
        "/" => "",
        path if suffix == PROTECTED_RESOURCE => path,
        path => path.strip_suffix('/').unwrap_or(path),
    };
    let query = parts.query.map(|q| format!("?{q}")).unwrap_or_default();
    Some(format!(
        "{scheme}://{authority}/.well-known/{suffix}{path}{query}"
    ))
}

/// Where OpenID Connect Discovery 1.0 §4 looks: after the issuer, one ending slash dropped.
pub fn openid_append(issuer: &str) -> String {
    let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
    format!("{issuer}/.well-known/{OPENID_CONFIGURATION}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Limits, scan};

    fn doc(text: &str) -> Document {
        scan(text.as_bytes(), Limits::default()).unwrap()
    }

    fn faults(problems: &[Problem]) -> Vec<String> {
        problems.iter().map(ToString::to_string).collect()
    }

    const GOOD: &str = r#"{"issuer":"https://as.example/t1",
        "authorization_endpoint":"https://as.example/t1/authorize?tenant=1",
        "token_endpoint":"https://as.example/t1/token",
        "response_types_supported":["code"],"code_challenge_methods_supported":["S256"],
        "authorization_response_iss_parameter_supported":true,"x":null}"#;

    #[test]
    fn a_good_document_has_no_problem() {
        let meta = authorization_server(&doc(GOOD));
        assert_eq!(faults(&meta.problems), [""; 0]);
        assert_eq!(meta.issuer.as_deref(), Some("https://as.example/t1"));
        assert_eq!(
            meta.authorization_response_iss_parameter_supported,
            Some(true)
        );
        assert_eq!(meta.jwks_uri, None);
    }

    #[test]
    fn each_fault_is_named_with_its_member() {
        for (find, put, fault) in [
            (
                "https://as.example/t1\"",
                "https://as.example/t1?x\"",
                "issuer has a query",
            ),
            (
                "https://as.example/t1\"",
                "http://as.example/t1\"",
                "issuer is not https",
            ),
            (
                "https://as.example/t1/token",
                "/token",
                "token_endpoint is not absolute",
            ),
            (
                "https://as.example/t1/token",
                "https://a@b/",
                "token_endpoint has userinfo",
            ),
            (
                "https://as.example/t1/token",
                "https://b/#",
                "token_endpoint has a fragment",
            ),
            (
                "https://as.example/t1/token",
                "https://b:99999/",
                "token_endpoint has a host or a port",
            ),
            (
                "\"token_endpoint\"",
                "\"other\"",
                "token_endpoint is missing",
            ),
            (
                "[\"code\"]",
                "[]",
                "response_types_supported is an empty array",
            ),
            (
                "[\"code\"]",
                "\"code\"",
                "response_types_supported is string, not an array",
            ),
            ("[\"code\"]", "[1]", "has an item that is no string"),
            (":true", ":\"true\"", "is string, not a boolean"),
            (
                "\"x\":null",
                "\"jwks_uri\":null",
                "jwks_uri is null, not a string",
            ),
            (
                "\"x\":null",
                "\"x\":1,\"x\":1",
                "x is repeated (RFC 8259 §4)",
            ),
            (
                "\"x\":null",
                "\"token_endpoint_auth_methods_supported\":[\"private_key_jwt\"]",
                "token_endpoint_auth_signing_alg_values_supported is missing",
            ),
        ] {
            assert!(GOOD.contains(find));
            let meta = authorization_server(&doc(&GOOD.replace(find, put)));
            let faults = faults(&meta.problems);
            assert!(
                faults.iter().any(|f| f.contains(fault)),
                "{fault}: {faults:?}"
            );
        }
    }

    #[test]
    fn a_resource_may_say_that_no_bearer_method_works() {
        let meta = protected_resource(&doc(
            r#"{"resource":"https://rs.example/mcp","bearer_methods_supported":[]}"#,
        ));
        assert_eq!(faults(&meta.problems), [""; 0]);
        let meta = protected_resource(&doc(
            r#"{"bearer_methods_supported":["cookie"],"authorization_servers":["https://as.example","as"]}"#,
        ));
        assert_eq!(meta.problems.len(), 3, "{:?}", meta.problems);
    }

    #[test]
    fn well_known_is_inserted_between_host_and_path() {
        for (identifier, suffix, expected) in [
            (
                "https://as.example",
                AUTHORIZATION_SERVER,
                "https://as.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://as.example/",
                AUTHORIZATION_SERVER,
                "https://as.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://as.example/t1/",
                AUTHORIZATION_SERVER,
                "https://as.example/.well-known/oauth-authorization-server/t1",
            ),
            (
                "https://rs.example/mcp?a=b",
                PROTECTED_RESOURCE,
                "https://rs.example/.well-known/oauth-protected-resource/mcp?a=b",
            ),
            (
                "https://rs.example/mcp/",
                PROTECTED_RESOURCE,
                "https://rs.example/.well-known/oauth-protected-resource/mcp/",
            ),
            (
                "https://rs.example/?a=b",
                PROTECTED_RESOURCE,
                "https://rs.example/.well-known/oauth-protected-resource?a=b",
            ),
        ] {
            assert_eq!(well_known(identifier, suffix).as_deref(), Some(expected));
        }
        assert_eq!(well_known("as.example", AUTHORIZATION_SERVER), None);
        assert_eq!(
            openid_append("https://as.example/t1/"),
            "https://as.example/t1/.well-known/openid-configuration"
        );
    }
}
