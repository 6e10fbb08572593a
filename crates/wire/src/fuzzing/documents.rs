//! Bodies for JSON and what is written in it.

use super::planted;
use crate::json::{Document, ErrorKind, Limits, Value, scan};
use crate::jwt::{encode_segment, header, looks_like_jwt, split};
use crate::metadata::{self, Problem, well_known};
use crate::redirect_uri::is_loopback_literal;
use std::collections::HashSet;
use url::Url;

/// Below the depth at which serde_json stops.
const LIMITS: Limits = Limits {
    max_bytes: 1024 * 1024,
    max_depth: 120,
    max_nodes: 200_000,
};

/// What is read prints to what reads the same; depth, repeats and limits are exact; serde_json
/// reads the same values and accepts the same texts, but for what is listed here.
pub fn json(data: &[u8]) {
    let theirs = serde_json::from_slice::<serde_json::Value>(data);
    let doc = match planted::json(data, LIMITS) {
        Ok(doc) => doc,
        Err(error) => {
            assert!(error.offset <= data.len(), "{error}");
            let limit = matches!(
                error.kind,
                ErrorKind::TooDeep | ErrorKind::TooLong | ErrorKind::TooManyNodes
            );
            assert!(limit || theirs.is_err(), "serde_json reads it: {error}");
            return;
        }
    };
    let facts = Facts::of(&doc.value);
    assert_eq!(doc.depth, facts.depth);
    let listed = doc.duplicates.len();
    assert_eq!(listed == 0, facts.repeats == 0, "{:?}", doc.duplicates);
    assert!(listed <= facts.repeats);

    // Whatever serde_json refuses of this is one of the four things it is known to refuse.
    let refused = doc.bom || doc.lone_surrogates || facts.beyond_f64;
    match &theirs {
        Ok(theirs) => {
            assert!(
                !doc.bom && !doc.lone_surrogates,
                "serde_json does not refuse it"
            );
            agree(&doc.value, theirs);
        }
        Err(error) => assert!(refused, "serde_json refuses it: {error}"),
    }

    let printed = doc.value.to_string();
    let again = scan(
        printed.as_bytes(),
        Limits {
            max_bytes: printed.len(),
            ..LIMITS
        },
    );
    assert_eq!(
        again.map(|d| d.value),
        Ok(doc.value),
        "printed and read again, it differs"
    );

    let exact = Limits {
        max_bytes: data.len(),
        max_depth: facts.depth,
        max_nodes: facts.nodes,
    };
    assert!(scan(data, exact).is_ok());
    let fewer = Limits {
        max_nodes: facts.nodes - 1,
        ..exact
    };
    assert_eq!(
        scan(data, fewer).map_err(|e| e.kind),
        Err(ErrorKind::TooManyNodes)
    );
    if let Some(max_depth) = facts.depth.checked_sub(1) {
        let flatter = Limits { max_depth, ..exact };
        assert_eq!(
            scan(data, flatter).map_err(|e| e.kind),
            Err(ErrorKind::TooDeep)
        );
    }
}

/// What can be counted in a value.
#[derive(Default)]
struct Facts {
    depth: usize,
    nodes: usize,
    repeats: usize,
    beyond_f64: bool,
}

impl Facts {
    fn of(value: &Value) -> Facts {
        let mut facts = Facts {
            nodes: 1,
            ..Facts::default()
        };
        let inner: Vec<&Value> = match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(members) => {
                let names: HashSet<_> = members.iter().map(|(name, _)| name).collect();
                facts.repeats = members.len() - names.len();
                members.iter().map(|(_, value)| value).collect()
            }
            Value::Number(_) => {
                facts.beyond_f64 = value.as_f64().is_none();
                return facts;
            }
            _ => return facts,
        };
        for value in inner {
            let below = Facts::of(value);
            facts.depth = facts.depth.max(below.depth);
            facts.nodes += below.nodes;
            facts.repeats += below.repeats;
            facts.beyond_f64 |= below.beyond_f64;
        }
        facts.depth += 1;
        facts
    }
}

fn agree(ours: &Value, theirs: &serde_json::Value) {
    use serde_json::Value as Theirs;
    match (ours, theirs) {
        (Value::Null, Theirs::Null) => {}
        (Value::Bool(a), Theirs::Bool(b)) => assert_eq!(a, b),
        (Value::String(a), Theirs::String(b)) => assert_eq!(a, b),
        (Value::Number(text), Theirs::Number(b)) => {
            assert_eq!(ours.as_u64(), b.as_u64(), "{text}");
            let (a, b) = (ours.as_f64().expect("finite"), b.as_f64().expect("finite"));
            // serde_json rounds a long number to within a few units of the last place.
            let near = (a - b).abs() <= a.abs() * 1e-14 || (a - b).abs() < 1e-300;
            assert!(near, "{text} is {a} here and {b} to serde_json");
        }
        (Value::Array(a), Theirs::Array(b)) => {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).for_each(|(a, b)| agree(a, b));
        }
        (Value::Object(a), Theirs::Object(b)) => {
            let names: HashSet<_> = a.iter().map(|(name, _)| name).collect();
            assert_eq!(names.len(), b.len());
            for (name, theirs) in b {
                agree(ours.get(name).expect("the same names"), theirs);
            }
        }
        _ => panic!("{ours} is {theirs} to serde_json"),
    }
}

/// Accepted exactly where serde_json sees an array of objects with types and no name is repeated.
pub fn rar(data: &[u8]) {
    let read = planted::rar(data);
    let Ok(doc) = scan(data, Limits::default()) else {
        assert!(matches!(read, Err(crate::rar::Problem::Json(_))));
        return;
    };
    // serde_json refuses a little more (see `json`); there is nothing to compare with then.
    let Ok(theirs) = serde_json::from_slice::<serde_json::Value>(data) else {
        return;
    };
    let items = theirs.as_array().map(Vec::as_slice).unwrap_or_default();
    let typed = |item: &serde_json::Value| {
        let kind = item.get("type").and_then(serde_json::Value::as_str);
        item.is_object() && kind.is_some_and(|k| !k.is_empty())
    };
    let good = !items.is_empty() && items.iter().all(typed) && doc.duplicates.is_empty();
    match read {
        Ok(count) => assert!(
            good && count == items.len(),
            "no array of objects with types"
        ),
        Err(problem) => assert!(!good, "{problem}"),
    }
}

/// Each byte string has one spelling and is read back from it; header and claims are objects.
pub fn jwt(data: &[u8]) {
    let encoded = encode_segment(data);
    assert!(
        encoded
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    );
    assert_eq!(planted::decode_segment(&encoded).as_deref(), Some(data));
    let Ok(token) = std::str::from_utf8(data) else {
        return;
    };
    for segment in token.split('.') {
        if let Some(bytes) = planted::decode_segment(segment) {
            assert_eq!(
                encode_segment(&bytes),
                segment,
                "one byte string, two spellings"
            );
            assert_eq!(planted::decode_segment(&format!("{segment}=")), None);
        }
    }
    let Some(parts) = split(token) else {
        assert_ne!(token.matches('.').count(), 2);
        assert!(header(token).is_err() && !looks_like_jwt(token));
        return;
    };
    assert_eq!(
        format!("{}.{}", parts.signing_input(), parts.signature),
        token
    );
    for object in [header(token), crate::jwt::claims(token)]
        .into_iter()
        .flatten()
    {
        assert!(object.value.as_object().is_some());
    }
    if looks_like_jwt(token) {
        assert!(header(token).is_ok_and(|h| h.value.get("alg").is_some()));
    }
}

/// A document that is read as it stands: what its members are, without anything mended.
fn texts(doc: &Document, name: &str) -> Option<String> {
    doc.value
        .get(name)
        .and_then(Value::as_str)
        .map(str::to_owned)
}

fn lists(doc: &Document, name: &str) -> Option<Vec<String>> {
    let items = doc.value.get(name)?.as_array()?;
    items
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// The same members in another order.
fn reversed(doc: &Document) -> Document {
    let mut doc = doc.clone();
    if let Value::Object(members) = &mut doc.value {
        members.reverse();
    }
    doc
}

fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort();
    problems
}

/// What must hold of a URL about which nothing was said.
fn harmless(name: &str, text: Option<&String>, problems: &[Problem]) {
    let Some(text) = text.filter(|_| !problems.iter().any(|p| p.member == name)) else {
        return;
    };
    let url = Url::parse(text).expect("a client can read it");
    let host = url.host_str().unwrap_or_default();
    let local = is_loopback_literal(host) || host == "localhost";
    assert!(
        url.scheme() == "https" || (url.scheme() == "http" && local),
        "{name}: {text}"
    );
    assert!(
        url.username().is_empty() && url.fragment().is_none(),
        "{name}: {text}"
    );
}

/// Members are what the document says, unmended; the order of members does not matter; what is
/// found harmless is; the well-known address leads back to the issuer.
pub fn as_metadata(data: &[u8]) {
    let Ok(doc) = scan(data, LIMITS) else {
        return;
    };
    let meta = planted::authorization_server(&doc);
    for (name, read) in [
        ("issuer", &meta.issuer),
        ("authorization_endpoint", &meta.authorization_endpoint),
        ("token_endpoint", &meta.token_endpoint),
        ("jwks_uri", &meta.jwks_uri),
        ("registration_endpoint", &meta.registration_endpoint),
        ("revocation_endpoint", &meta.revocation_endpoint),
    ] {
        assert_eq!(read, &texts(&doc, name), "{name}");
        harmless(name, read.as_ref(), &meta.problems);
    }
    for (name, read) in [
        ("response_types_supported", &meta.response_types_supported),
        ("grant_types_supported", &meta.grant_types_supported),
        (
            "code_challenge_methods_supported",
            &meta.code_challenge_methods_supported,
        ),
        ("scopes_supported", &meta.scopes_supported),
    ] {
        assert_eq!(read, &lists(&doc, name), "{name}");
        let empty = read.as_ref().is_some_and(Vec::is_empty);
        assert!(!empty || meta.problems.iter().any(|p| p.member == name));
    }
    if meta.problems.is_empty() {
        assert!(doc.duplicates.is_empty() && !doc.bom);
        let issuer = meta.issuer.as_deref().expect("required");
        assert!(meta.response_types_supported.is_some());
        let address = well_known(issuer, metadata::AUTHORIZATION_SERVER).expect("it has a host");
        let inserted = format!("/.well-known/{}", metadata::AUTHORIZATION_SERVER);
        assert_eq!(
            address.replacen(&inserted, "", 1),
            issuer.strip_suffix('/').unwrap_or(issuer),
            "the address leads to another issuer"
        );
        let origin = |text: &str| Url::parse(text).expect("a URL").origin();
        assert_eq!(origin(&address), origin(issuer));
    }
    if doc.duplicates.is_empty() {
        let mut other = planted::authorization_server(&reversed(&doc));
        other.problems = sorted(other.problems);
        let problems = sorted(meta.problems.clone());
        assert_eq!(other, metadata::AsMetadata { problems, ..meta });
    }
}

/// As [`as_metadata`], for a protected resource.
pub fn prm_metadata(data: &[u8]) {
    let Ok(doc) = scan(data, LIMITS) else {
        return;
    };
    let meta = planted::protected_resource(&doc);
    assert_eq!(meta.resource, texts(&doc, "resource"));
    assert_eq!(meta.jwks_uri, texts(&doc, "jwks_uri"));
    harmless("resource", meta.resource.as_ref(), &meta.problems);
    harmless("jwks_uri", meta.jwks_uri.as_ref(), &meta.problems);
    assert_eq!(
        meta.authorization_servers,
        lists(&doc, "authorization_servers")
    );
    for server in meta.authorization_servers.iter().flatten() {
        harmless("authorization_servers", Some(server), &meta.problems);
    }
    if meta.problems.is_empty() {
        let resource = meta.resource.as_deref().expect("required");
        let address = well_known(resource, metadata::PROTECTED_RESOURCE).expect("it has a host");
        let inserted = format!("/.well-known/{}", metadata::PROTECTED_RESOURCE);
        let back = Url::parse(&address.replacen(&inserted, "", 1)).expect("a URL");
        assert_eq!(
            back,
            Url::parse(resource).expect("a URL"),
            "it leads to another resource"
        );
    }
    if doc.duplicates.is_empty() {
        let mut other = planted::protected_resource(&reversed(&doc));
        other.problems = sorted(other.problems);
        let problems = sorted(meta.problems.clone());
        assert_eq!(other, metadata::PrmMetadata { problems, ..meta });
    }
}

/// Every object in `keys` is listed; private material is always seen; without a problem, the keys
/// are public and of good length.
pub fn jwks(data: &[u8]) {
    let Ok(doc) = scan(data, LIMITS) else {
        return;
    };
    let set = planted::jwks(&doc);
    let items = doc
        .value
        .get("keys")
        .and_then(Value::as_array)
        .unwrap_or_default();
    let objects = items.iter().filter(|item| item.as_object().is_some());
    assert_eq!(set.keys.len(), objects.count());
    let mut kids = HashSet::new();
    for key in &set.keys {
        assert_eq!(items.get(key.index), Some(&key.value));
        let secret = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
        let holds = secret.iter().any(|name| key.value.get(name).is_some());
        let symmetric = key.kty.as_deref() == Some("oct");
        assert_eq!(
            key.is_private,
            holds || symmetric,
            "private material is not seen"
        );
        let repeated = key
            .kid
            .as_ref()
            .is_some_and(|kid| !kids.insert(kid.clone()));
        if set.problems.is_empty() {
            assert!(!holds && !repeated && key.kty.is_some());
            assert!(key.modulus_bits.is_none_or(|bits| bits >= 2048));
        }
        if let Some(found) = key.kid.as_deref().and_then(|kid| set.by_kid(kid)) {
            assert_eq!(found.index, key.index);
        }
    }
    assert!(set.problems.len() <= crate::jwks::MAX_PROBLEMS);
}
