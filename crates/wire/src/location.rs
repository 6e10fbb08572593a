//! A `Location` value (RFC 9110 §10.2.2) read three ways: as bytes, as RFC 3986 says, and as a
//! browser reads it (WHATWG URL). Where the readings part, an open redirect may hide: a server
//! compares with one and the browser goes by the other.

use crate::form::Pairs;
use crate::uri::{self, Parts};

/// A longer value is kept as bytes only: neither reading is tried.
pub const LONGEST: usize = 64 * 1024;

/// A `Location` value and its readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The value as sent.
    pub bytes: Vec<u8>,
    /// By RFC 3986; `None` where it is no URI reference, has no base to resolve against, or names
    /// a port above 65535.
    pub rfc3986: Option<Uri>,
    /// By WHATWG URL; `None` where a browser would not follow it.
    pub browser: Option<Uri>,
}

/// An absolute URI, resolved. Scheme and host are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uri {
    /// The scheme, without its `:`.
    pub scheme: String,
    /// Userinfo, host and port, without the `//`.
    pub authority: Option<String>,
    /// What stands before `@` in the authority.
    pub userinfo: Option<String>,
    /// The host; IP literals with their brackets.
    pub host: Option<String>,
    /// The port where one is written; in the browser's reading `None` also for the scheme's own.
    pub port: Option<u16>,
    /// The path; may be empty.
    pub path: String,
    /// The query, without its `?`.
    pub query: Option<String>,
    /// The fragment, without its `#`.
    pub fragment: Option<String>,
}

/// Reads a value; a relative reference is resolved against `base`, in both readings. Never fails.
pub fn read(bytes: &[u8], base: Option<&str>) -> Location {
    let (mut rfc3986, mut browser) = (None, None);
    if bytes.len() <= LONGEST && base.is_none_or(|b| b.len() <= LONGEST) {
        rfc3986 = std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| by_rfc3986(text, base));
        browser = by_whatwg(&String::from_utf8_lossy(bytes), base);
    }
    Location {
        bytes: bytes.to_vec(),
        rfc3986,
        browser,
    }
}

fn by_rfc3986(text: &str, base: Option<&str>) -> Option<Uri> {
    if !uri::is_reference(text) {
        return None;
    }
    let base = base.filter(|b| uri::is_reference(b));
    let target = uri::resolve(base, text)?;
    let parts = Parts::split(&target);
    let port = match parts.port {
        None | Some("") => None,
        Some(digits) => Some(digits.parse().ok()?),
    };
    Some(Uri {
        scheme: parts.scheme?.to_ascii_lowercase(),
        authority: parts.authority.map(str::to_owned),
        userinfo: parts.userinfo.map(str::to_owned),
        host: parts.host.map(str::to_ascii_lowercase),
        port,
        path: parts.path.to_owned(),
        query: parts.query.map(str::to_owned),
        fragment: parts.fragment.map(str::to_owned),
    })
}

fn by_whatwg(text: &str, base: Option<&str>) -> Option<Uri> {
    let base = base.and_then(|b| url::Url::parse(b).ok());
    let url = url::Url::options()
        .base_url(base.as_ref())
        .parse(text)
        .ok()?;
    let userinfo = match (url.username(), url.password()) {
        ("", None) => None,
        (user, None) => Some(user.to_owned()),
        (user, Some(password)) => Some(format!("{user}:{password}")),
    };
    Some(Uri {
        scheme: url.scheme().to_owned(),
        authority: url.has_authority().then(|| url.authority().to_owned()),
        userinfo,
        host: url.host_str().map(str::to_ascii_lowercase),
        port: url.port(),
        path: url.path().to_owned(),
        query: url.query().map(str::to_owned),
        fragment: url.fragment().map(str::to_owned),
    })
}

impl Uri {
    /// Scheme, host and port of an `http` or `https` URI, without the scheme's own port;
    /// `None` for other schemes, which have no such origin (RFC 6454 §4).
    pub fn origin(&self) -> Option<String> {
        let own = own_port(&self.scheme).filter(|_| self.scheme.starts_with("http"))?;
        let host = self.host.as_deref()?;
        match self.port.filter(|p| *p != own) {
            Some(port) => Some(format!("{}://{host}:{port}", self.scheme)),
            None => Some(format!("{}://{host}", self.scheme)),
        }
    }

    /// The form in which two readings of one value are compared: spelling that both specifications
    /// hold to mean the same is made the same, nothing else.
    fn comparable(&self) -> Uri {
        let own = own_port(&self.scheme);
        let userinfo = self.userinfo.as_deref().map(unescaped);
        let path = match self.path.as_str() {
            "" if own.is_some() && self.authority.is_some() => "/".to_owned(),
            path => path.to_owned(),
        };
        Uri {
            authority: None,
            // An empty userinfo or a bare colon after it says nothing.
            userinfo: userinfo
                .map(|u| u.strip_suffix(':').map(str::to_owned).unwrap_or(u))
                .filter(|u| !u.is_empty()),
            host: self.host.clone().filter(|h| !h.is_empty()),
            port: self.port.filter(|p| Some(*p) != own),
            path,
            // WHATWG escapes the apostrophe in the queries of the schemes it knows.
            query: self.query.as_deref().map(|q| q.replace('\'', "%27")),
            ..self.clone()
        }
    }
}

/// The port that a scheme WHATWG calls special implies.
fn own_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        "ftp" => Some(21),
        _ => None,
    }
}

fn unescaped(text: &str) -> String {
    let plus_kept = text.replace('+', "%2B");
    String::from_utf8_lossy(&crate::form::decode_component(plus_kept.as_bytes())).into_owned()
}

impl Location {
    /// True where a reader by RFC 3986 and a browser would not go to the same place: one of them
    /// goes nowhere, or some component differs.
    pub fn disagree(&self) -> bool {
        self.rfc3986.as_ref().map(Uri::comparable) != self.browser.as_ref().map(Uri::comparable)
    }

    /// The origin a browser would send the response to; `None` where it would not follow, or to a
    /// scheme that has none.
    pub fn origin_browser(&self) -> Option<String> {
        self.browser.as_ref()?.origin()
    }

    /// The parameters of the query, from the bytes as sent.
    pub fn query_pairs(&self) -> Pairs {
        let before_fragment = self.bytes.split(|b| *b == b'#').next().unwrap_or_default();
        Pairs::parse(after(before_fragment, b'?'))
    }

    /// The parameters of the fragment, from the bytes as sent.
    pub fn fragment_pairs(&self) -> Pairs {
        Pairs::parse(after(&self.bytes, b'#'))
    }
}

fn after(bytes: &[u8], mark: u8) -> &[u8] {
    let at = bytes.iter().position(|b| *b == mark);
    at.and_then(|at| bytes.get(at + 1..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_redirect_reads_alike() {
        let l = read(b"https://Client.example:443/cb?code=a'b&state=x#f=1", None);
        assert!(!l.disagree(), "{l:?}");
        assert_eq!(
            l.origin_browser().as_deref(),
            Some("https://client.example")
        );
        assert_eq!(l.query_pairs().first("code").as_deref(), Some("a'b"));
        assert_eq!(l.fragment_pairs().first("f").as_deref(), Some("1"));
        assert!(!read(b"com.example.app:/cb?code=1", None).disagree());
        assert!(!read(b"http://[::1]:8080?code=1", None).disagree());
        assert!(!read(b"https://u%40@a.example/", None).disagree());
    }

    #[test]
    fn relative_references_are_resolved() {
        let l = read(b"../cb?code=1", Some("https://as.example/a/b/c"));
        assert!(!l.disagree(), "{l:?}");
        assert_eq!(l.rfc3986.unwrap().path, "/a/cb");
        let none = read(b"/cb", None);
        assert_eq!((none.rfc3986, none.browser), (None, None));
    }

    #[test]
    fn tricks_that_split_the_readings_show() {
        for trick in [
            r"https://client.example\@evil.example/",
            "https:evil.example/cb",
            "https:///evil.example/cb",
            "https://client.example/a b",
            "https://client.example/%2e%2e/b",
            "https://0x7f.1/cb",
            "\thttps://client.example/",
            "https://cl%69ent.example/",
        ] {
            let l = read(trick.as_bytes(), Some("https://as.example/authorize"));
            assert!(l.disagree(), "{trick}: {l:?}");
        }
    }
}
