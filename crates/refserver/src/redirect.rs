//! May this redirect URI be used? Registered and asked-for URIs are compared as strings (RFC 9700 §2.1); only the port of a loopback address may
//! vary (RFC 8252 §7.3). All the ways to compare more kindly are faults.

use crate::{AgnicFault, App, Fault, state::Client};
use wire::redirect_uri::{Parts, same, same_loopback};

/// Whether `asked` is one of the client's redirect URIs.
pub(crate) fn allowed(app: &App, client: &Client, asked: &str) -> bool {
    if app.broken(Fault::RedirectAny) {
        return true;
    }
    if app.broken(Fault::RedirectAnyClient)
        && app
            .db()
            .clients
            .values()
            .any(|other| other.redirect_uris.iter().any(|uri| uri == asked))
    {
        return true;
    }
    if app.broken(Fault::LocalhostException) && is_local(asked) {
        return true;
    }
    client.redirect_uris.iter().any(|registered| {
        let loopback = !app.broken(Fault::LoopbackPortFixed) && same_loopback(registered, asked);
        same(registered, asked)
            || loopback
            || localhost(app, registered, asked)
            || kind_comparison(app, registered, asked)
    })
}

/// Whether both are the same but for the port at the name `localhost`, where a face allows that.
fn localhost(app: &App, registered: &str, asked: &str) -> bool {
    const NAME: &str = "http://localhost";
    let (Some(path), Some(rest)) = (registered.strip_prefix(NAME), asked.strip_prefix(NAME)) else {
        return false;
    };
    if app.broken(AgnicFault::CliHostPrefix) && asked.ends_with(path) {
        return true;
    }
    let fixed = [
        app.broken(Fault::LoopbackPortFixed),
        app.broken(AgnicFault::CliNamePortFixed),
    ];
    // The name is read as the address, where any port is fine.
    let any_port = same_loopback(
        &format!("http://127.0.0.1{path}"),
        &format!("http://127.0.0.1{rest}"),
    );
    app.face.rules.localhost_any_port
        && !fixed.contains(&true)
        && rest.starts_with([':', '/', '?', '#'])
        && any_port
}

fn is_local(uri: &str) -> bool {
    let host = Parts::split(uri).host.unwrap_or_default();
    ["localhost", "127.", "[::1]"]
        .iter()
        .any(|local| host.starts_with(local))
}

/// The comparisons that look reasonable and are not.
fn kind_comparison(app: &App, registered: &str, asked: &str) -> bool {
    let broken = |fault| app.broken(fault);
    let (r, a) = (Parts::split(registered), Parts::split(asked));
    let origin = origin(registered);
    let same_but_path =
        (r.scheme, r.host, r.port) == (a.scheme, a.host, a.port) && a.userinfo.is_none();

    (broken(Fault::RedirectPrefix) && asked.starts_with(registered))
        || (broken(Fault::RedirectContains) && asked.contains(registered))
        || (broken(Fault::RedirectHostPrefix) && asked.starts_with(origin))
        || (broken(Fault::RedirectHostSuffix) && r.path == a.path && ends_with_host(&r, &a))
        || (broken(Fault::RedirectHostOnly) && same_but_path)
        || (broken(Fault::RedirectPathCase)
            && same_but_path
            && r.path.eq_ignore_ascii_case(a.path)
            && r.query == a.query
            && a.fragment.is_none())
        || (broken(Fault::RedirectHostCase) && same(registered, &lower_host(asked)))
        || (broken(Fault::RedirectQueryIgnored) && same(cut(registered, '?'), cut(asked, '?')))
        || (broken(Fault::RedirectFragmentIgnored) && same(registered, cut(asked, '#')))
        || (broken(Fault::RedirectPortIgnored) && same(registered, &without_port(asked)))
        || (broken(Fault::RedirectDefaultPort)
            && same(registered, &asked.replacen(":443/", "/", 1)))
        || (broken(Fault::RedirectDotSegments) && same(registered, &without_dots(asked)))
        || (broken(Fault::RedirectPercentDecoded) && same(registered, &decoded(asked)))
        || (broken(Fault::RedirectTrailingSlash)
            && same(registered, asked.strip_suffix('/').unwrap_or(asked)))
        || (broken(Fault::RedirectTrimmed) && same(registered, asked.trim()))
        || (broken(Fault::RedirectUserinfoIgnored)
            && a.userinfo.is_some()
            && same(origin, cut(asked, '@')))
        || (broken(Fault::RedirectBackslash) && same(origin, cut(asked, '\\')))
        || (broken(Fault::RedirectHashInHost)
            && asked
                .rsplit_once('@')
                .is_some_and(|(_, tail)| registered.ends_with(tail)))
        || (broken(Fault::RedirectSchemeIgnored)
            && same(without_scheme(registered), without_scheme(asked)))
        || (broken(Fault::RedirectPathParameters) && same(registered, &without_parameters(asked)))
        || (broken(Fault::RedirectDoubleSlash) && same(registered, &single_slashes(asked)))
        || (broken(Fault::RedirectNulCut)
            && same(
                registered,
                cut(asked, '\0').split("%00").next().unwrap_or_default(),
            ))
        || (broken(Fault::RedirectSubpath)
            && asked
                .strip_prefix(registered)
                .is_some_and(|rest| rest.starts_with('/')))
        || (broken(Fault::RedirectUnicode) && same(registered, &compatible(asked)))
        || (broken(Fault::DcrWildcard) && matches_wildcard(registered, asked))
        || loopback_comparison(app, registered, asked)
}

fn loopback_comparison(app: &App, registered: &str, asked: &str) -> bool {
    let broken = |fault| app.broken(fault);
    let Some(rest) = ["http://127.0.0.1", "http://[::1]"]
        .iter()
        .find_map(|origin| registered.strip_prefix(origin))
    else {
        return false;
    };
    let a = Parts::split(asked);
    let host = a.host.unwrap_or_default();
    let (_, path_and_query) = at_path(asked);
    let literal = host == "127.0.0.1" || host == "[::1]";
    let http = a.scheme == Some("http");

    (broken(Fault::LoopbackPathIgnored) && http && literal)
        || (broken(Fault::LoopbackQueryIgnored)
            && http
            && literal
            && same(rest, cut(path_and_query, '?')))
        || (broken(Fault::LoopbackLocalhost)
            && http
            && host == "localhost"
            && same(rest, path_and_query))
        || (broken(Fault::LoopbackPrefix)
            && http
            && host.starts_with("127.0.0.1")
            && same(rest, path_and_query))
        || (broken(Fault::LoopbackSpellings)
            && http
            && [
                "127.1",
                "0x7f.1",
                "0x7f000001",
                "2130706433",
                "[::ffff:127.0.0.1]",
                "127.0.1",
                "017700000001",
            ]
            .contains(&host)
            && same(rest, path_and_query))
        || (broken(Fault::LoopbackScheme)
            && a.scheme == Some("https")
            && literal
            && same(rest, path_and_query))
}

/// `https://host[:port]`, without the path.
fn origin(uri: &str) -> &str {
    at_path(uri).0
}

/// What stands before the path, and the rest from there on.
fn at_path(uri: &str) -> (&str, &str) {
    let authority = uri.find("://").map_or(0, |at| at + 3);
    let rest = uri.get(authority..).unwrap_or_default();
    let path = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    uri.split_at_checked(authority + path).unwrap_or((uri, ""))
}

fn cut(text: &str, at: char) -> &str {
    text.split(at).next().unwrap_or(text)
}

fn without_scheme(uri: &str) -> &str {
    uri.split_once("://").map_or(uri, |(_, rest)| rest)
}

fn ends_with_host(registered: &Parts<'_>, asked: &Parts<'_>) -> bool {
    let host = registered.host.unwrap_or_default();
    // The registrable part is the last two labels, which is right for `client-a.example` and for most hosts.
    let before = host.rmatch_indices('.').nth(1).map(|(at, _)| at + 1);
    let base = before.and_then(|at| host.get(at..)).unwrap_or(host);
    registered.scheme == asked.scheme
        && !base.is_empty()
        && asked.host.is_some_and(|asked| asked.ends_with(base))
}

fn lower_host(uri: &str) -> String {
    let (head, tail) = at_path(uri);
    format!("{}{tail}", head.to_ascii_lowercase())
}

fn without_port(uri: &str) -> String {
    let (head, tail) = at_path(uri);
    let trimmed = head.trim_end_matches(|c: char| c.is_ascii_digit());
    format!("{}{tail}", trimmed.strip_suffix(':').unwrap_or(head))
}

fn decoded(uri: &str) -> String {
    let bytes = uri.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (
            byte,
            uri.get(at + 1..at + 3)
                .and_then(|hex| u8::from_str_radix(hex, 16).ok()),
        ) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Dot segments resolved, the percent-encoded ones too.
fn without_dots(uri: &str) -> String {
    let (head, tail) = at_path(uri);
    let tail = tail
        .replace("%2e", ".")
        .replace("%2E", ".")
        .replace("%2f", "/")
        .replace("%2F", "/");
    let mut out: Vec<&str> = Vec::new();
    for segment in tail.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    format!("{head}/{}", out.join("/"))
}

fn without_parameters(uri: &str) -> String {
    let (head, tail) = at_path(uri);
    let stripped: Vec<&str> = tail.split('/').map(|segment| cut(segment, ';')).collect();
    without_dots(&format!("{head}{}", stripped.join("/")))
}

fn single_slashes(uri: &str) -> String {
    let (head, tail) = at_path(uri);
    let mut path = tail.to_owned();
    while path.contains("//") {
        path = path.replace("//", "/");
    }
    format!("{head}{path}")
}

/// A small part of NFKC: full-width forms, ideographic full stops, invisible characters.
fn compatible(uri: &str) -> String {
    uri.chars()
        .filter(|c| {
            !matches!(
                c,
                '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{feff}' | '\u{2060}'
            )
        })
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            '\u{3002}' | '\u{ff61}' => '.',
            other => other,
        })
        .collect()
}

fn matches_wildcard(registered: &str, asked: &str) -> bool {
    registered.split_once('*').is_some_and(|(head, tail)| {
        asked.len() >= head.len() + tail.len() && asked.starts_with(head) && asked.ends_with(tail)
    })
}
