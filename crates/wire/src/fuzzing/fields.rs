//! Bodies for what stands in URLs, header fields and messages.

use super::planted;
use crate::challenge::{Challenge, Parsed};
use crate::form::{Pairs, decode_component, encode_component};
use crate::http1::{Exchange, Framing, Response, read_response};
use crate::location::{Location, Uri};
use crate::redirect_uri::{Problem, is_loopback_literal, problems, same};
use crate::{cookie as cookies, uri};
use url::Url;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is read are the pairs that WHATWG's reader finds, in its order. Nothing else, so that most of the time goes
/// into reading; what is written and read again is the matter of [`form`].
pub fn query(data: &[u8]) {
    let pairs = planted::form(data);
    let mut theirs = url::form_urlencoded::parse(data);
    for pair in pairs.iter() {
        let (name, value) = theirs.next().expect("no more pairs than WHATWG's");
        assert_eq!(String::from_utf8_lossy(&pair.name), name);
        let read = pair.value.as_deref().unwrap_or_default();
        assert_eq!(String::from_utf8_lossy(read), value);
    }
    assert_eq!(theirs.next(), None, "a pair is lost");
}

/// What is read goes out as it came; the values are those WHATWG's reader finds; encoding is
/// undone by decoding.
pub fn form(data: &[u8]) {
    let pairs = planted::form(data);
    let segments: Vec<_> = data
        .split(|b| *b == b'&')
        .filter(|s| !s.is_empty())
        .collect();
    assert_eq!(
        pairs.encode(),
        segments.join(&b'&'),
        "a segment is lost or changed"
    );
    assert_eq!(Pairs::parse(&pairs.encode()), pairs);
    let read = |pairs: &Pairs| -> Vec<(String, String)> {
        pairs.iter().map(|p| (text(&p.name), p.text())).collect()
    };
    super::check_query_parser(data, |data| Some(read(&planted::form(data))));
    let ours = read(&pairs);
    for (name, _) in ours.iter().take(8) {
        assert_eq!(pairs.count(name), pairs.all(name).len());
        assert_eq!(pairs.first(name), pairs.all(name).first().cloned());
    }

    let encoded = encode_component(data);
    assert!(
        encoded
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"*-._+%".contains(&b))
    );
    assert_eq!(decode_component(encoded.as_bytes()), data);
    let mut pushed = Pairs::new();
    pushed.push("a", &text(data));
    pushed.push_raw(&text(data), b"%zz");
    let read = Pairs::parse(&pushed.encode());
    assert_eq!(read, pushed);
    assert!(read.bad_escapes());
}

/// Lines are fields. What is read without a problem prints to what reads the same; whatever is
/// built from the bytes prints to what reads as it was built.
pub fn challenge(data: &[u8]) {
    let fields: Vec<&[u8]> = data.split(|b| *b == b'\n').collect();
    let read = planted::challenge(fields.iter().copied());
    for challenge in &read.challenges {
        assert!(!challenge.scheme.is_empty());
        for (name, value) in &challenge.params {
            assert_eq!(*name, name.to_ascii_lowercase());
            assert!(challenge.param(name).is_some());
            assert!(value.len() <= data.len() * 3, "a value grew");
        }
    }
    if read.problems.is_empty() {
        let printed = print(&read.challenges);
        assert_eq!(planted::challenge([printed.as_bytes()]), read, "{printed}");
    }
    let built = Parsed {
        challenges: build_challenges(data),
        problems: Vec::new(),
    };
    let printed = print(&built.challenges);
    assert_eq!(planted::challenge([printed.as_bytes()]), built, "{printed}");
    let each: Vec<_> = built.challenges.iter().map(ToString::to_string).collect();
    assert_eq!(
        planted::challenge(each.iter().map(String::as_bytes)),
        built,
        "{each:?}"
    );
}

fn print(challenges: &[Challenge]) -> String {
    challenges
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Challenges with values out of the bytes: lines are challenges, tabs part their parameters.
fn build_challenges(data: &[u8]) -> Vec<Challenge> {
    let clean = |part: &str| {
        part.chars()
            .filter(|c| !c.is_control() && *c != '\u{FFFD}')
            .collect()
    };
    let data = text(data);
    let lines = data.split('\n').enumerate();
    lines
        .map(|(index, line)| Challenge {
            scheme: format!("Scheme{index}"),
            params: line
                .split('\t')
                .enumerate()
                .map(|(i, part)| (format!("p{i}"), clean(part)))
                .collect(),
            token68: None,
        })
        .collect()
}

/// The first line is a base where there are two. Readings are stable when written out and read
/// again; plain `https` URIs and plain relative references read alike.
pub fn location(data: &[u8]) {
    let mut lines = data.splitn(2, |b| *b == b'\n');
    let first = lines.next().unwrap_or_default();
    let (base, value) = match lines.next() {
        Some(value) => (Some(text(first)), value),
        None => (None, first),
    };
    let base = base.as_deref();
    let read = planted::location(value, base);
    assert_eq!(read.bytes, value);
    if let Some(found) = &read.rfc3986 {
        assert!(value.iter().all(u8::is_ascii_graphic), "this is no URI");
        assert!(uri::is_scheme(&found.scheme));
        // A base's own dot segments stay where the reference has no path (RFC 3986 §5.2.2).
        if uri::remove_dot_segments(&found.path) == found.path {
            let again = planted::location(write(found).as_bytes(), None);
            assert_eq!(again.rfc3986.as_ref(), Some(found), "not stable");
        }
    }
    if let Some(found) = read
        .browser
        .as_ref()
        .filter(|f| matches!(f.scheme.as_str(), "http" | "https"))
    {
        let url = Url::parse(&write(found)).expect("a browser reads what it wrote");
        let origin = url.origin();
        let expected = origin.is_tuple().then(|| origin.ascii_serialization());
        assert_eq!(read.origin_browser(), expected);
        assert!(uri::remove_dot_segments(&found.path) == found.path);
    }
    if text(value).starts_with("https://") && is_plain_https(&text(value)) {
        assert!(
            !read.disagree(),
            "a plain URI is read in two ways: {read:?}"
        );
        assert_eq!(read.query_pairs(), query_of(&read));
    } else if base.is_some_and(is_plain_https) && is_plain_relative(&text(value)) {
        assert!(
            !read.disagree(),
            "a plain reference is read in two ways: {read:?}"
        );
    }
}

fn write(uri: &Uri) -> String {
    let authority = uri
        .authority
        .as_ref()
        .map(|a| format!("//{a}"))
        .unwrap_or_default();
    let query = uri
        .query
        .as_ref()
        .map(|q| format!("?{q}"))
        .unwrap_or_default();
    let fragment = uri
        .fragment
        .as_ref()
        .map(|f| format!("#{f}"))
        .unwrap_or_default();
    format!("{}:{authority}{}{query}{fragment}", uri.scheme, uri.path)
}

fn query_of(read: &Location) -> Pairs {
    let query = read.rfc3986.as_ref().and_then(|u| u.query.as_deref());
    Pairs::parse(query.unwrap_or_default().as_bytes())
}

/// `https`, a host of letter-led labels, perhaps a port, and neither dots nor escapes in the path.
fn is_plain_https(text: &str) -> bool {
    let parts = uri::Parts::split(text);
    let host = parts.host.unwrap_or_default();
    let label = |l: &str| {
        l.starts_with(|c: char| c.is_ascii_alphabetic())
            && l.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let word = |t: &str, more: &str| {
        t.bytes()
            .all(|b| b.is_ascii_alphanumeric() || more.as_bytes().contains(&b))
    };
    parts.scheme == Some("https")
        && parts.userinfo.is_none()
        && host.len() < 200
        && host.split('.').all(|l| label(l) && l.len() < 60)
        && parts
            .port
            .is_none_or(|p| p.parse::<u16>().is_ok() && word(p, ""))
        && word(parts.path, "/_~-")
        && parts.query.is_none_or(|q| word(q, "=&_+.~-"))
        && parts.fragment.is_none_or(|f| word(f, "=&_+.~-"))
}

fn is_plain_relative(text: &str) -> bool {
    !text.starts_with("//")
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"./?#=&_-".contains(&b))
        && text.matches('#').count() < 2
}

/// Three lines are three URIs. The comparison is an equivalence; where it says "the same" of two
/// spellings, a browser agrees but for the port of a loopback address; what looks harmless to
/// [`problems`] is harmless to a browser.
pub fn redirect_uri(data: &[u8]) {
    let data = text(data);
    let mut lines = data.splitn(3, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let (a, b, c) = (next(), next(), next());
    let alike = planted::same_loopback;
    for (x, y) in [(a, b), (b, c), (a, c)] {
        assert_eq!(same(x, y), x == y);
        assert!(alike(x, x));
        assert_eq!(alike(x, y), alike(y, x), "not symmetric");
        assert!(!same(x, y) || alike(x, y));
        if alike(x, y) && x != y {
            let (x, y) = (Url::parse(x).expect("a URI"), Url::parse(y).expect("a URI"));
            assert!(
                is_loopback_literal(x.host_str().unwrap_or_default()),
                "{x} is not loopback"
            );
            assert_eq!((x.scheme(), x.host_str()), ("http", y.host_str()));
            let rest = |u: &Url| format!("{}?{:?}#{:?}", u.path(), u.query(), u.fragment());
            assert_eq!(rest(&x), rest(&y));
        }
    }
    assert!(
        !(alike(a, b) && alike(b, c)) || alike(a, c),
        "not transitive"
    );

    let found = problems(a);
    let Ok(url) = Url::parse(a) else {
        return;
    };
    let host = url.host_str().unwrap_or_default();
    let local = is_loopback_literal(host) || host == "localhost" || host.ends_with(".localhost");
    let dangerous = [
        (url.scheme() == "http" && !local, "plain http"),
        (
            matches!(url.scheme(), "javascript" | "data" | "file"),
            "a script scheme",
        ),
        (
            !url.username().is_empty() || url.password().is_some(),
            "userinfo",
        ),
        (url.fragment().is_some(), "a fragment"),
        (a.contains(['\\', ' ', '\t', '\0']), "bytes of no URI"),
    ];
    for (seen, what) in dangerous {
        assert!(!seen || !found.is_empty(), "a browser sees {what} in {a:?}");
    }
    let relative = found.contains(&Problem::Relative);
    assert_eq!(relative, uri::Parts::split(a).scheme.is_none());
}

/// The first byte chooses the exchange. A response needs all its bytes and no more; what is wrong
/// stays wrong when more comes; a response written out reads the same.
pub fn http1(data: &[u8]) {
    let Some((flags, data)) = data.split_first() else {
        return;
    };
    let small = flags & 4 != 0;
    let defaults = Exchange::default();
    let exchange = Exchange {
        head: flags & 1 != 0,
        closed: flags & 2 != 0,
        max_head: if small { 256 } else { defaults.max_head },
        max_body: if small { 64 } else { defaults.max_body },
    };
    let open = Exchange {
        closed: false,
        ..exchange
    };
    let read = planted::http1(data, open);
    // Some prefixes are enough, all of them for short input.
    let step = data.len() / 64 + 1;
    for end in (0..data.len()).step_by(step) {
        match (
            planted::http1(data.get(..end).unwrap_or_default(), open),
            &read,
        ) {
            (Err(early), _) => assert!(read.is_err(), "{early} is forgotten when more comes"),
            (Ok(None), _) => {}
            (Ok(Some(early)), Ok(Some(full))) => assert_eq!(&early, full, "it changes with more"),
            (Ok(Some(_)), other) => panic!("a response turned into {other:?}"),
        }
    }
    let read = planted::http1(data, exchange);
    if exchange.closed {
        assert!(!matches!(read, Ok(None)), "no more can come");
    }
    let Ok(Some(response)) = read else {
        return;
    };
    let taken = data
        .get(..response.consumed)
        .expect("no more than there is");
    assert_eq!(
        planted::http1(taken, exchange),
        Ok(Some(response.clone())),
        "it needs fewer bytes"
    );
    assert!(response.body.len() <= exchange.max_body);
    assert!((100..=999).contains(&response.status));
    if response.framing == Framing::None {
        assert!(response.body.is_empty());
    }
    let again = Exchange {
        max_head: data.len() * 2 + 64,
        max_body: data.len(),
        ..exchange
    };
    let written = write_response(&response);
    let mut reread = read_response(&written, again)
        .expect("well-formed")
        .expect("complete");
    assert_eq!(reread.consumed, written.len());
    (reread.consumed, reread.bare_lf) = (response.consumed, response.bare_lf);
    assert_eq!(reread, response, "written and read again, it differs");
}

fn write_response(response: &Response) -> Vec<u8> {
    let mut out = format!("HTTP/1.{} {} ", response.minor, response.status).into_bytes();
    out.extend_from_slice(&response.reason);
    out.extend_from_slice(b"\r\n");
    let write_fields = |out: &mut Vec<u8>, fields: &[(Vec<u8>, Vec<u8>)]| {
        for (name, value) in fields {
            out.extend_from_slice(&[name, &b":"[..], value, b"\r\n"].concat());
        }
        out.extend_from_slice(b"\r\n");
    };
    write_fields(&mut out, &response.headers);
    if response.framing == Framing::Chunked {
        if !response.body.is_empty() {
            out.extend_from_slice(format!("{:x}\r\n", response.body.len()).as_bytes());
            out.extend_from_slice(&response.body);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"0\r\n");
        write_fields(&mut out, &response.trailers);
    } else {
        out.extend_from_slice(&response.body);
    }
    out
}

/// A cookie written out reads the same, and it is `Secure` or `HttpOnly` only where an attribute
/// says exactly that.
pub fn cookie(data: &[u8]) {
    let Some(read) = planted::cookie(data) else {
        return;
    };
    let has = |wanted: &str| {
        data.split(|b| *b == b';').skip(1).any(|field| {
            let name = text(field.split(|b| *b == b'=').next().unwrap_or_default());
            let value = field
                .iter()
                .position(|b| *b == b'=')
                .map_or(0, |at| field.len() - at);
            name.trim_matches([' ', '\t']).eq_ignore_ascii_case(wanted) && value <= 1024
        })
    };
    assert_eq!(
        (read.secure, read.http_only),
        (has("Secure"), has("HttpOnly"))
    );
    assert!(read.secure || !read.name.starts_with(b"__Secure-") || !read.problems.is_empty());
    assert!(
        read.domain.is_none() || !read.name.starts_with(b"__Host-") || !read.problems.is_empty()
    );
    assert!(
        !read.name.contains(&b'=') && !read.name.contains(&b';') && !read.value.contains(&b';')
    );

    let written = read.to_bytes();
    let mut again = planted::cookie(&written).expect("still a cookie");
    // What could not be read is not written.
    let unread =
        |p: &&cookies::Problem| matches!(p, cookies::Problem::Expires | cookies::Problem::MaxAge);
    let kept: Vec<_> = read
        .problems
        .iter()
        .filter(|p| !unread(p))
        .copied()
        .collect();
    assert_eq!(again.problems, kept);
    again.problems = read.problems.clone();
    assert_eq!(
        again,
        read,
        "written and read again, it differs: {}",
        text(&written)
    );
}
