//! Redirect URIs: when an authorization server may take one for another (RFC 9700 §2.1, §4.1.3;
//! RFC 8252 §7.3), and what is wrong with one by itself.

pub use crate::uri::Parts;
use std::fmt;

/// Simple string comparison (RFC 3986 §6.2.1), as RFC 9700 §2.1 asks: no normalization at all.
pub fn same(registered: &str, asked: &str) -> bool {
    registered == asked
}

/// As [`same`], but the port of an `http` URI on a loopback IP literal may vary (RFC 8252 §7.3).
/// `localhost` is a name, not a literal: its port may not.
pub fn same_loopback(registered: &str, asked: &str) -> bool {
    without_loopback_port(registered) == without_loopback_port(asked)
}

/// The URI in two pieces, around the port that may vary; any other URI is all in the first.
fn without_loopback_port(uri: &str) -> (&str, &str) {
    for origin in ["http://127.0.0.1", "http://[::1]"] {
        let Some(rest) = uri.strip_prefix(origin) else {
            continue;
        };
        let rest = match rest.strip_prefix(':') {
            Some(after) => {
                let digits = after.bytes().take_while(u8::is_ascii_digit).count();
                let (port, rest) = after.split_at(digits);
                if port.parse::<u16>().is_err() {
                    break;
                }
                rest
            }
            None => rest,
        };
        if rest.is_empty() || rest.starts_with(['/', '?', '#']) {
            return (origin, rest);
        }
    }
    (uri, "")
}

/// True where the host is a loopback IP literal: 127.0.0.0/8 or `[::1]`.
pub fn is_loopback_literal(host: &str) -> bool {
    let v4 = host
        .parse::<std::net::Ipv4Addr>()
        .is_ok_and(|ip| ip.is_loopback());
    let v6 = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    v4 || v6.is_some_and(|h| {
        h.parse::<std::net::Ipv6Addr>()
            .is_ok_and(|ip| ip.is_loopback())
    })
}

/// Something a redirect URI should not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Problem {
    /// Not a URI reference of RFC 3986: spaces, backslashes, bad escapes, non-ASCII characters.
    NotUri,
    /// No scheme (RFC 6749 §3.1.2 asks for an absolute URI).
    Relative,
    /// A fragment (RFC 6749 §3.1.2).
    Fragment,
    /// Userinfo before the host, which misleads people and comparisons.
    Userinfo,
    /// A scheme that runs or shows content instead of going somewhere: `javascript`, `data`, …
    ScriptScheme,
    /// Plain `http` to a host that is not loopback (RFC 9700 §2.6).
    PlainHttp,
    /// The name `localhost` instead of a loopback IP literal (RFC 8252 §8.3).
    Localhost,
    /// A private-use scheme without a dot, which is no reversed domain name (RFC 8252 §7.1).
    PrivateSchemeWithoutDot,
    /// `http` or `https` without a host.
    NoHost,
    /// Segments `.` or `..`, which browsers remove.
    DotSegments,
    /// A `*`, which only pattern matching would give a meaning.
    Wildcard,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Problem::NotUri => "is not a URI (RFC 3986)",
            Problem::Relative => "is not absolute (RFC 6749 §3.1.2)",
            Problem::Fragment => "has a fragment (RFC 6749 §3.1.2)",
            Problem::Userinfo => "has userinfo before the host",
            Problem::ScriptScheme => "has a scheme that carries content or script",
            Problem::PlainHttp => "is plain http to a host that is not loopback (RFC 9700 §2.6)",
            Problem::Localhost => "names localhost instead of a loopback address (RFC 8252 §8.3)",
            Problem::PrivateSchemeWithoutDot => {
                "has a private-use scheme without a dot (RFC 8252 §7.1)"
            }
            Problem::NoHost => "has no host",
            Problem::DotSegments => "has dot segments in its path",
            Problem::Wildcard => "has a wildcard in its host or path",
        })
    }
}

/// Everything that is wrong with the URI by itself.
pub fn problems(uri: &str) -> Vec<Problem> {
    let parts = Parts::split(uri);
    let host = parts.host.unwrap_or_default().to_ascii_lowercase();
    let scheme = parts.scheme.unwrap_or_default().to_ascii_lowercase();
    let web = matches!(scheme.as_str(), "http" | "https");
    let script = SCRIPT_SCHEMES.contains(&scheme.as_str());
    let localhost = host == "localhost" || host.ends_with(".localhost");
    let wildcard = host.contains('*') || parts.path.contains('*');
    [
        (!crate::uri::is_reference(uri), Problem::NotUri),
        (parts.scheme.is_none(), Problem::Relative),
        (parts.fragment.is_some(), Problem::Fragment),
        (parts.userinfo.is_some(), Problem::Userinfo),
        (script, Problem::ScriptScheme),
        (
            scheme == "http" && !host.is_empty() && !localhost && !is_loopback_literal(&host),
            Problem::PlainHttp,
        ),
        (web && localhost, Problem::Localhost),
        (
            parts.scheme.is_some() && !web && !script && !scheme.contains('.'),
            Problem::PrivateSchemeWithoutDot,
        ),
        (web && host.is_empty(), Problem::NoHost),
        (parts.has_dot_segments(), Problem::DotSegments),
        (wildcard, Problem::Wildcard),
    ]
    .into_iter()
    .filter_map(|(found, problem)| found.then_some(problem))
    .collect()
}

const SCRIPT_SCHEMES: [&str; 8] = [
    "javascript",
    "data",
    "vbscript",
    "blob",
    "about",
    "file",
    "filesystem",
    "view-source",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparison_is_of_strings() {
        assert!(same("https://c.example/cb", "https://c.example/cb"));
        for other in [
            "https://c.example/cb/",
            "https://C.example/cb",
            "https://c.example:443/cb",
        ] {
            assert!(!same("https://c.example/cb", other));
            assert!(!same_loopback("https://c.example/cb", other));
        }
    }

    #[test]
    fn only_the_port_of_a_loopback_literal_may_vary() {
        assert!(same_loopback(
            "http://127.0.0.1/cb",
            "http://127.0.0.1:49152/cb"
        ));
        assert!(same_loopback("http://[::1]:1/cb?x", "http://[::1]:2/cb?x"));
        for asked in [
            "http://127.0.0.1:49152/other",
            "https://127.0.0.1:49152/cb",
            "http://127.0.0.1:49152@evil.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.1:99999/cb",
            "http://127.0.0.1:/cb",
            "http://[::1]/cb",
        ] {
            assert!(!same_loopback("http://127.0.0.1/cb", asked), "{asked}");
        }
        assert!(!same_loopback(
            "http://localhost:1/cb",
            "http://localhost:2/cb"
        ));
    }

    #[test]
    fn problems_are_named() {
        use Problem::*;
        for (uri, expected) in [
            ("https://c.example/cb?x=1", vec![]),
            ("http://127.0.0.1:1/cb", vec![]),
            ("http://[::1]/cb", vec![]),
            ("com.example.app:/cb", vec![]),
            ("/cb", vec![Relative]),
            ("https://c.example/cb#", vec![Fragment]),
            ("https://c.example@evil.example/cb", vec![Userinfo]),
            ("JavaScript:alert(1)", vec![ScriptScheme]),
            ("http://c.example/cb", vec![PlainHttp]),
            ("http://127.0.0.1.evil.example/cb", vec![PlainHttp]),
            ("http://localhost/cb", vec![Localhost]),
            ("myapp:/cb", vec![PrivateSchemeWithoutDot]),
            ("https:/cb", vec![NoHost]),
            ("https://c.example/a/%2E./b", vec![DotSegments]),
            ("https://*.c.example/cb", vec![Wildcard]),
            ("https://c.example/a b", vec![NotUri]),
        ] {
            assert_eq!(problems(uri), expected, "{uri}");
        }
    }
}
