//! Where a reader here differs from the common one on purpose, each difference by itself.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop at the first thing that is not as it should be"
)]

use wire::form::Pairs;
use wire::json::{DEEPEST, Document, Limits, Value, scan};
use wire::location;

fn ours(text: &[u8]) -> Document {
    scan(
        text,
        Limits {
            max_depth: DEEPEST,
            ..Limits::default()
        },
    )
    .unwrap()
}

fn theirs(text: &[u8]) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::from_slice(text)
}

#[test]
fn a_bare_name_differs_from_an_empty_value() {
    let read = Pairs::parse(b"a&b=");
    let values: Vec<_> = read.iter().map(|p| p.value.clone()).collect();
    assert_eq!(values, [None, Some(Vec::new())]);
    let common: Vec<_> = url::form_urlencoded::parse(b"a&b=").into_owned().collect();
    assert_eq!(common, [("a".into(), "".into()), ("b".into(), "".into())]);
}

#[test]
fn a_bad_escape_is_remembered() {
    for text in ["a=%", "a=%4", "a=%zz", "%u0041=b"] {
        let read = Pairs::parse(text.as_bytes());
        assert!(read.bad_escapes(), "{text}");
        let common = url::form_urlencoded::parse(text.as_bytes())
            .into_owned()
            .next()
            .unwrap();
        assert_eq!(
            common.1,
            read.iter().next().unwrap().text(),
            "the value is the same"
        );
    }
}

#[test]
fn bytes_that_are_no_text_are_kept() {
    let read = Pairs::parse(b"a=%ff");
    assert_eq!(
        read.iter().next().unwrap().value.as_deref(),
        Some(&[0xFF][..])
    );
    assert!(read.invalid_utf8());
    let common = url::form_urlencoded::parse(b"a=%ff")
        .next()
        .unwrap()
        .1
        .into_owned();
    assert_eq!(common, "\u{FFFD}", "indistinguishable from a sent U+FFFD");
}

#[test]
fn repeated_names_are_seen() {
    let text = br#"{"error":"a","err\u006fr":"b"}"#;
    assert_eq!(ours(text).duplicates, ["/error"]);
    assert_eq!(ours(text).value.as_object().unwrap().len(), 2);
    assert_eq!(
        theirs(text).unwrap().as_object().unwrap().len(),
        1,
        "one is gone without a word"
    );
}

#[test]
fn numbers_too_large_for_a_double_are_kept() {
    assert_eq!(ours(b"1e400").value, Value::Number("1e400".into()));
    assert!(theirs(b"1e400").is_err());
}

#[test]
fn integers_too_large_for_64_bits_keep_their_digits() {
    let text = "123456789012345678901234567890";
    assert_eq!(ours(text.as_bytes()).value, Value::Number(text.into()));
    assert_ne!(theirs(text.as_bytes()).unwrap().to_string(), text);
}

#[test]
fn numbers_keep_their_writing() {
    assert_eq!(ours(b"3600.0").value.to_string(), "3600.0");
    assert_eq!(ours(b"36e2").value.to_string(), "36e2");
    assert_eq!(theirs(b"36e2").unwrap().to_string(), "3600.0");
}

#[test]
fn lone_surrogates_are_read_and_reported() {
    for text in [
        &br#""\ud800""#[..],
        br#""\udc00""#,
        br#""\ud800\ud800""#,
        br#""\ud800\u0041""#,
    ] {
        assert!(ours(text).lone_surrogates);
        assert!(theirs(text).is_err());
    }
}

#[test]
fn a_byte_order_mark_is_read_past_and_reported() {
    assert!(ours(b"\xEF\xBB\xBF1").bom);
    assert!(theirs(b"\xEF\xBB\xBF1").is_err());
}

#[test]
fn depth_is_limited_by_choice_and_not_by_the_stack() {
    let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
    assert_eq!(ours(nested(300).as_bytes()).depth, 300);
    assert!(theirs(nested(300).as_bytes()).is_err());
    assert!(theirs(nested(100).as_bytes()).is_ok());
    assert!(
        scan(nested(100).as_bytes(), Limits::default()).is_err(),
        "64 unless asked for more"
    );
}

/// RFC 3986 takes a reference for what it says; a browser mends it, and may go elsewhere.
#[test]
fn a_browser_reads_what_is_no_uri_and_reads_some_uris_otherwise() {
    let base = Some("https://as.example/authorize");
    for (text, rfc3986, browser) in [
        (r"https://c.example\@evil.example/", None, Some("c.example")),
        (r"\\evil.example/", None, Some("evil.example")),
        ("https:evil.example/", Some(None), Some("as.example")),
        (
            "https:///evil.example/",
            Some(Some("")),
            Some("evil.example"),
        ),
        (
            "https://evil%2eexample/",
            Some(Some("evil%2eexample")),
            Some("evil.example"),
        ),
        ("https://0x7f.1/", Some(Some("0x7f.1")), Some("127.0.0.1")),
        ("https://c.example/a b", None, Some("c.example")),
        (
            "https://caf\u{e9}.example/",
            None,
            Some("xn--caf-dma.example"),
        ),
        (" https://c.example/", None, Some("c.example")),
        ("https://c.example:65536/", None, None),
    ] {
        let read = location::read(text.as_bytes(), base);
        let hosts = |uri: &location::Uri| uri.host.clone();
        assert_eq!(
            read.rfc3986.as_ref().map(hosts),
            rfc3986.map(|h| h.map(str::to_owned)),
            "{text}"
        );
        assert_eq!(
            read.browser.as_ref().and_then(hosts).as_deref(),
            browser,
            "{text}"
        );
        assert_eq!(read.disagree(), browser.is_some(), "{text}");
    }
}

#[test]
fn a_browser_removes_escaped_dot_segments() {
    let read = location::read(b"https://c.example/a/%2e%2E/b", None);
    assert_eq!(read.rfc3986.as_ref().unwrap().path, "/a/%2e%2E/b");
    assert_eq!(read.browser.as_ref().unwrap().path, "/b");
    assert!(read.disagree());
}
