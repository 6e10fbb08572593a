//! URI references by RFC 3986: taking apart (Appendix B), characters allowed (Appendix A), and
//! resolving (§5.2).

/// The components of a URI reference, as they stand in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts<'a> {
    /// Before the first `:`, if that looks like a scheme.
    pub scheme: Option<&'a str>,
    /// After `//`; `Some("")` where it is empty.
    pub authority: Option<&'a str>,
    /// In the authority, before the last `@`.
    pub userinfo: Option<&'a str>,
    /// In the authority, without userinfo and port; IP literals with their brackets.
    pub host: Option<&'a str>,
    /// In the authority, the digits after the host's `:`; may be empty.
    pub port: Option<&'a str>,
    /// The path; may be empty.
    pub path: &'a str,
    /// After `?`.
    pub query: Option<&'a str>,
    /// After `#`.
    pub fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Takes any text apart; every text is some reference, though not every one is valid (see
    /// [`is_reference`]).
    pub fn split(text: &'a str) -> Parts<'a> {
        let (text, fragment) = cut(text, '#');
        let (text, query) = cut(text, '?');
        let (scheme, rest) = match text.split_once(':') {
            Some((s, rest)) if is_scheme(s) => (Some(s), rest),
            _ => (None, text),
        };
        let mut parts = Parts {
            scheme,
            query,
            fragment,
            path: rest,
            ..Parts::default()
        };
        if let Some(rest) = rest.strip_prefix("//") {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            parts.path = path;
            parts.authority = Some(authority);
            let (userinfo, host_port) = match authority.rsplit_once('@') {
                Some((userinfo, rest)) => (Some(userinfo), rest),
                None => (None, authority),
            };
            parts.userinfo = userinfo;
            // The colons inside an IP literal's brackets are not the port's.
            let after_literal = host_port.rfind(']').map_or(0, |at| at + 1);
            let colon = host_port
                .get(after_literal..)
                .and_then(|rest| rest.find(':'));
            let (host, port) = match colon {
                Some(at) => host_port.split_at(after_literal + at),
                None => (host_port, ""),
            };
            parts.host = Some(host);
            parts.port = port.strip_prefix(':');
        }
        parts
    }

    /// True where the path has a segment `.` or `..`, plain or with the dots escaped.
    pub fn has_dot_segments(&self) -> bool {
        self.path.split('/').any(|segment| {
            let plain = segment.to_ascii_lowercase().replace("%2e", ".");
            plain == "." || plain == ".."
        })
    }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// RFC 3986 §3.1: a letter, then letters, digits, `+`, `-`, `.`.
pub fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// True where the text is a URI reference of RFC 3986 Appendix A. An IP literal's inside is only
/// checked for its characters.
pub fn is_reference(text: &str) -> bool {
    let parts = Parts::split(text);
    let host_ok = parts.host.is_none_or(|host| {
        match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
            Some(literal) => !literal.is_empty() && allowed(literal, ":"),
            None => allowed(host, ""),
        }
    });
    // Without a scheme, the first segment of a relative path has no colon (§4.2).
    let first_segment = parts.path.split('/').next().unwrap_or_default();
    let colon_ok =
        parts.scheme.is_some() || parts.authority.is_some() || !first_segment.contains(':');
    host_ok
        && colon_ok
        && parts.userinfo.is_none_or(|t| allowed(t, ":"))
        && parts
            .port
            .is_none_or(|t| t.bytes().all(|b| b.is_ascii_digit()))
        && allowed(parts.path, "/:@")
        && parts.query.is_none_or(|t| allowed(t, "/?:@"))
        && parts.fragment.is_none_or(|t| allowed(t, "/?:@"))
}

/// Unreserved characters, sub-delimiters, good escapes, and those of `more`.
fn allowed(text: &str, more: &str) -> bool {
    text.bytes().all(|b| {
        b.is_ascii_alphanumeric()
            || b"-._~!$&'()*+,;=%".contains(&b)
            || more.as_bytes().contains(&b)
    }) && !crate::form::has_bad_escape(text.as_bytes())
}

/// Resolves a reference against an absolute base (RFC 3986 §5.2.2, strict); `None` where there is
/// nothing to resolve it against.
pub fn resolve(base: Option<&str>, reference: &str) -> Option<String> {
    let r = Parts::split(reference);
    if let Some(scheme) = r.scheme {
        return Some(compose(
            scheme,
            r.authority,
            &remove_dot_segments(r.path),
            r.query,
            r.fragment,
        ));
    }
    let b = Parts::split(base?);
    let scheme = b.scheme?;
    if r.authority.is_some() {
        return Some(compose(
            scheme,
            r.authority,
            &remove_dot_segments(r.path),
            r.query,
            r.fragment,
        ));
    }
    let (path, query) = if r.path.is_empty() {
        (b.path.to_owned(), r.query.or(b.query))
    } else if r.path.starts_with('/') {
        (remove_dot_segments(r.path), r.query)
    } else {
        (remove_dot_segments(&merge(&b, r.path)), r.query)
    };
    Some(compose(scheme, b.authority, &path, query, r.fragment))
}

/// RFC 3986 §5.2.3.
fn merge(base: &Parts<'_>, path: &str) -> String {
    if base.authority.is_some() && base.path.is_empty() {
        return format!("/{path}");
    }
    let directory = base.path.rfind('/').and_then(|at| base.path.get(..=at));
    format!("{}{path}", directory.unwrap_or_default())
}

/// RFC 3986 §5.2.4, in one pass over the segments.
pub fn remove_dot_segments(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    // A relative path loses its leading dots whole (steps A and D); once its first segment has
    // gone, what is left of it begins with a slash (step C).
    let mut leading = !absolute;
    let mut rooted = absolute;
    let mut segments = path.split('/').skip(usize::from(absolute)).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." | ".." if leading => {}
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                    rooted |= kept.is_empty();
                }
                if segments.peek().is_none() {
                    kept.push("");
                }
            }
            _ => {
                leading = false;
                kept.push(segment);
            }
        }
    }
    format!("{}{}", if rooted { "/" } else { "" }, kept.join("/"))
}

/// RFC 3986 §5.3.
fn compose(
    scheme: &str,
    authority: Option<&str>,
    path: &str,
    query: Option<&str>,
    fragment: Option<&str>,
) -> String {
    // Without an authority, a path that begins with `//` would be read as one.
    let guard = (authority.is_none() && path.starts_with("//")).then_some("/.");
    let mut out = format!("{scheme}:");
    for (mark, part) in [
        ("//", authority),
        ("", guard),
        ("", Some(path)),
        ("?", query),
        ("#", fragment),
    ] {
        if let Some(part) = part {
            out.push_str(mark);
            out.push_str(part);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_taken_apart() {
        let p = Parts::split("https://u:p@[::1]:80/a/b?c?d#e#f");
        assert_eq!(
            (
                p.scheme, p.userinfo, p.host, p.port, p.path, p.query, p.fragment
            ),
            (
                Some("https"),
                Some("u:p"),
                Some("[::1]"),
                Some("80"),
                "/a/b",
                Some("c?d"),
                Some("e#f")
            )
        );
        assert_eq!(Parts::split("com.example:/cb").path, "/cb");
        assert_eq!(Parts::split("//h").authority, Some("h"));
        assert!(Parts::split("https://h/a/%2E%2e/b").has_dot_segments());
    }

    #[test]
    fn resolution_follows_the_examples_of_the_rfc() {
        // RFC 3986 §5.4.1 and §5.4.2.
        for (reference, target) in [
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q#s"),
            ("g#s", "http://a/b/c/g#s"),
            (";x", "http://a/b/c/;x"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            ("..g", "http://a/b/c/..g"),
            ("./../g", "http://a/b/g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("http:g", "http:g"),
        ] {
            let got = resolve(Some("http://a/b/c/d;p?q"), reference);
            assert_eq!(got.as_deref(), Some(target), "{reference}");
        }
        assert_eq!(resolve(None, "g"), None);
        assert_eq!(resolve(None, "a:/.//b").as_deref(), Some("a:/.//b"));
    }

    #[test]
    fn dot_segments_go_as_in_the_rfc() {
        for (path, clean) in [
            ("/a/b/c/./../../g", "/a/g"),
            ("mid/content=5/../6", "mid/6"),
            ("a/..", "/"),
            ("../a", "a"),
            ("/..", "/"),
            ("a//..", "a/"),
            ("a/..//b", "//b"),
            ("..//a", "/a"),
            ("/", "/"),
            ("", ""),
            ("..", ""),
        ] {
            assert_eq!(remove_dot_segments(path), clean, "{path}");
        }
    }
}
