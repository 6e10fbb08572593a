//! What holds of every value a reader may meet, checked on generated ones.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop at the first thing that is not as it should be"
)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::collection::vec;
use proptest::prelude::*;
use wire::challenge::{self, Challenge};
use wire::cookie::parse_set_cookie;
use wire::form::{Pairs, decode_component, encode_component};
use wire::http1::{Exchange, Framing, read_response};
use wire::json::{self, Limits, Value};
use wire::redirect_uri::{same, same_loopback};
use wire::{fuzzing, jwt, location, metadata, rar};

/// Numbers as RFC 8259 §6 writes them, small enough for a double.
const NUMBER: &str = "-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2})?";

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        NUMBER.prop_map(Value::Number),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            vec(("[a-c~/]{0,2}", inner), 0..6).prop_map(Value::Object),
        ]
    })
}

/// The value without repeated names: the last one stays, in the first one's place.
fn without_repeats(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(b) => (*b).into(),
        Value::Number(text) => serde_json::from_str(text).unwrap(),
        Value::String(s) => s.as_str().into(),
        Value::Array(items) => items.iter().map(without_repeats).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(n, v)| (n.clone(), without_repeats(v)));
            serde_json::Value::Object(members.collect())
        }
    }
}

fn challenge() -> impl Strategy<Value = Challenge> {
    let quotable = "[\\t -~\u{80}-\u{10FFFF}]{0,12}";
    let params = vec(("[a-z_!#*.-]{1,8}", quotable), 0..5).prop_map(|params| (params, None));
    let token68 = "[A-Za-z0-9._~+/-]{1,12}={0,2}".prop_map(|token| (Vec::new(), Some(token)));
    let content = prop_oneof![3 => params, 1 => token68];
    ("[A-Za-z][A-Za-z0-9-]{0,8}", content).prop_map(|(scheme, (mut params, token68))| {
        params.sort();
        params.dedup_by(|a, b| a.0 == b.0);
        Challenge {
            scheme,
            params,
            token68,
        }
    })
}

/// `https` URIs in which nothing invites two readings.
const PLAIN_URI: &str = "https://[a-z]{1,9}(\\.[a-z]{1,9}){0,3}(:[1-9][0-9]{0,3})?(/[A-Za-z0-9_~-]{0,5}){0,4}(\\?[a-z0-9=&+_-]{0,20})?(#[a-z0-9=&]{0,8})?";

/// Redirect URIs near one another.
fn redirect() -> impl Strategy<Value = String> {
    let origin = prop_oneof![
        Just("http://127.0.0.1"),
        Just("http://[::1]"),
        Just("https://127.0.0.1"),
        Just("http://localhost"),
        Just("http://127.0.0.1.evil.example"),
    ];
    let port = prop_oneof![
        Just(""),
        Just(":"),
        Just(":80"),
        Just(":49152"),
        Just(":65536"),
        Just(":80@h")
    ];
    let rest = prop_oneof![
        Just(""),
        Just("/"),
        Just("/cb"),
        Just("/cb?x"),
        Just("?x"),
        Just("#x")
    ];
    (origin, port, rest).prop_map(|(origin, port, rest)| format!("{origin}{port}{rest}"))
}

proptest! {
    #[test]
    fn any_bytes_pass_every_body(data in vec(any::<u8>(), 0..600)) {
        for (_, body) in fuzzing::TARGETS {
            body(&data);
        }
    }

    #[test]
    fn pairs_pushed_are_pairs_parsed(pairs in vec((any::<String>(), any::<String>()), 0..8)) {
        let pushed: Pairs = pairs.iter().map(|(n, v)| (n, v)).collect();
        let parsed = Pairs::parse(&pushed.encode());
        prop_assert_eq!(&parsed, &pushed);
        let read: Vec<_> = parsed.iter().map(|p| (String::from_utf8(p.name.clone()).unwrap(), p.text())).collect();
        prop_assert_eq!(read, pairs);
        prop_assert!(!parsed.bad_escapes() && !parsed.invalid_utf8());
    }

    #[test]
    fn a_component_is_encoded_as_whatwg_encodes_it(bytes in vec(any::<u8>(), 0..100)) {
        let theirs: String = url::form_urlencoded::byte_serialize(&bytes).collect();
        prop_assert_eq!(encode_component(&bytes), theirs);
        prop_assert_eq!(decode_component(encode_component(&bytes).as_bytes()), bytes);
    }

    #[test]
    fn removing_a_name_leaves_the_others_in_order(pairs in vec(("[ab]", "[0-9]"), 0..8)) {
        let mut read: Pairs = pairs.iter().map(|(n, v)| (n, v)).collect();
        let kept = read.all("b");
        read.remove("a");
        prop_assert_eq!(read.count("a"), 0);
        prop_assert_eq!(read.all("b"), kept);
    }

    #[test]
    fn json_printed_is_json_read(value in value()) {
        let doc = json::scan(value.to_string().as_bytes(), Limits::default());
        prop_assert_eq!(doc.map(|d| d.value), Ok(value));
    }

    #[test]
    fn json_is_what_serde_json_reads_once_repeats_are_gone(value in value()) {
        let text = value.to_string();
        let theirs: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(without_repeats(&value), theirs);
        let doc = json::scan(text.as_bytes(), Limits::default()).unwrap();
        let printed_back: serde_json::Value = serde_json::from_str(&doc.value.to_string()).unwrap();
        prop_assert_eq!(printed_back, serde_json::from_str::<serde_json::Value>(&text).unwrap());
    }

    #[test]
    fn json_cut_short_is_refused(value in value(), at in any::<prop::sample::Index>()) {
        let text = format!("[{value}]");
        let cut = &text.as_bytes()[..at.index(text.len())];
        prop_assert!(json::scan(cut, Limits::default()).is_err());
    }

    #[test]
    fn a_repeated_name_is_always_listed(names in vec("[a-e]", 1..8)) {
        let members: Vec<_> = names.iter().map(|n| (n.clone(), Value::Null)).collect();
        let text = Value::Object(members).to_string();
        let doc = json::scan(text.as_bytes(), Limits::default()).unwrap();
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        prop_assert_eq!(doc.duplicates.len(), names.len() - distinct.len());
    }

    #[test]
    fn challenges_printed_are_challenges_read(challenges in vec(challenge(), 0..5)) {
        let printed: Vec<String> = challenges.iter().map(ToString::to_string).collect();
        let together = challenge::parse([printed.join(", ").as_bytes()]);
        prop_assert_eq!(&together.problems, &Vec::<String>::new());
        prop_assert_eq!(&together.challenges, &challenges);
        let apart = challenge::parse(printed.iter().map(String::as_bytes));
        prop_assert_eq!(apart, together);
    }

    #[test]
    #[cfg_attr(miri, ignore = "making texts to so long a pattern takes it an hour")]
    fn a_plain_uri_reads_alike_three_ways(uri in PLAIN_URI) {
        let read = location::read(uri.as_bytes(), None);
        prop_assert!(!read.disagree(), "{:?}", read);
        let by_browser = url::Url::parse(&uri).unwrap();
        prop_assert_eq!(read.origin_browser(), Some(by_browser.origin().ascii_serialization()));
        let query = by_browser.query().unwrap_or_default();
        prop_assert_eq!(read.query_pairs(), Pairs::parse(query.as_bytes()));
    }

    #[test]
    #[cfg_attr(miri, ignore = "making texts to so long a pattern takes it an hour")]
    fn a_plain_reference_resolves_alike(base in PLAIN_URI, reference in "(\\.\\.?/){0,3}[a-z]{1,4}(/\\.\\.?){0,2}(\\?[a-z=]{0,5})?") {
        let read = location::read(reference.as_bytes(), Some(&base));
        prop_assert!(!read.disagree(), "{} {}: {:?}", base, reference, read);
    }

    #[test]
    fn comparing_redirect_uris_is_an_equivalence(a in redirect(), b in redirect(), c in redirect()) {
        for comparison in [same, same_loopback] {
            prop_assert!(comparison(&a, &a));
            prop_assert_eq!(comparison(&a, &b), comparison(&b, &a));
            prop_assert!(!comparison(&a, &b) || !comparison(&b, &c) || comparison(&a, &c));
        }
        prop_assert!(!same(&a, &b) || same_loopback(&a, &b));
    }

    #[test]
    fn segments_decode_as_the_base64_crate_decodes_them(text in "[A-Za-z0-9_=+/-]{0,12}", bytes in vec(any::<u8>(), 0..50)) {
        prop_assert_eq!(jwt::decode_segment(&text), URL_SAFE_NO_PAD.decode(&text).ok());
        prop_assert_eq!(jwt::encode_segment(&bytes), URL_SAFE_NO_PAD.encode(&bytes));
    }

    #[test]
    fn each_byte_string_has_one_spelling(bytes in vec(any::<u8>(), 1..40), bits in 1u8..64) {
        let good = jwt::encode_segment(&bytes);
        // Another last character that differs in unused bits only would decode to the same bytes.
        let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).collect();
        let last = alphabet.iter().position(|c| good.ends_with(*c)).unwrap();
        let other = format!("{}{}", &good[..good.len() - 1], alphabet[(last ^ usize::from(bits)) % 64]);
        prop_assert_ne!(jwt::decode_segment(&other), Some(bytes));
    }

    #[test]
    fn claims_encoded_are_claims_read(members in vec(("[a-z]{1,5}", value()), 0..4)) {
        let claims = Value::Object(members);
        let token = format!("{}.{}.", jwt::encode_segment(b"{\"alg\":\"none\"}"), jwt::encode_segment(claims.to_string().as_bytes()));
        prop_assert!(jwt::looks_like_jwt(&token));
        prop_assert_eq!(jwt::claims(&token).map(|d| d.value), Ok(claims));
    }

    #[test]
    fn details_with_types_are_read_and_others_not(kinds in vec("[a-z]{0,3}", 0..4)) {
        let object = |kind: &String| Value::Object(vec![("type".into(), Value::String(kind.clone()))]);
        let text = Value::Array(kinds.iter().map(object).collect()).to_string();
        let good = !kinds.is_empty() && kinds.iter().all(|k| !k.is_empty());
        let read = rar::read(text.as_bytes()).map(|d| d.into_iter().map(|d| d.kind).collect());
        prop_assert_eq!(read.ok(), good.then_some(kinds));
    }

    #[test]
    fn the_well_known_address_leads_back(path in "(/[a-z0-9]{1,5}){0,3}") {
        let issuer = format!("https://as.example{path}");
        let address = metadata::well_known(&issuer, metadata::AUTHORIZATION_SERVER).unwrap();
        prop_assert_eq!(address.replace("/.well-known/oauth-authorization-server", ""), issuer);
    }

    #[test]
    fn a_chunked_body_is_the_body(chunks in vec(vec(any::<u8>(), 1..40), 0..6), rest in vec(any::<u8>(), 0..9)) {
        let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in &chunks {
            bytes.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        let length = bytes.len();
        bytes.extend_from_slice(&rest);
        let read = read_response(&bytes, Exchange::default()).unwrap().unwrap();
        prop_assert_eq!((read.framing, read.consumed), (Framing::Chunked, length));
        prop_assert_eq!(read.body, chunks.concat());
        prop_assert_eq!(read_response(&bytes[..length - 1], Exchange::default()), Ok(None));
    }

    #[test]
    fn a_cookie_written_is_the_cookie_read(
        name in "[a-zA-Z_-]{1,8}", value in "[!-:<-~]{0,12}", domain in "\\.{0,2}[a-zA-Z.]{0,8}",
        path in "(/[!-:<-~]{0,6})?", age in proptest::option::of(any::<i64>()), expires in -11_644_473_600i64..253_402_300_800,
        flags in any::<[bool; 3]>(),
    ) {
        let mut text = format!("{name}={value}; Domain={domain}; Path={path}");
        if let Some(age) = age { text += &format!("; Max-Age={age}"); }
        for (on, flag) in flags.into_iter().zip(["; Secure", "; HttpOnly", "; SameSite=lax"]) {
            if on { text += flag; }
        }
        let mut read = parse_set_cookie(text.as_bytes()).unwrap();
        prop_assert_eq!((read.secure, read.http_only), (flags[0], flags[1]));
        prop_assert_eq!(read.max_age, age.map(|a| a.max(-i64::MAX)));
        // Every second from the year 1601 to 9999 is written as a date that reads back.
        read.expires = Some(expires);
        prop_assert_eq!(parse_set_cookie(&read.to_bytes()), Some(read));
    }
}
