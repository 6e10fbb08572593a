//! Properties for parsers that are not ours: an implementer hands in a function, and it is held to what the readers
//! of this crate are held to. `examples/query-parser` shows how.

use url::form_urlencoded::{Serializer, parse};

/// Names and values as a parser of `application/x-www-form-urlencoded` reads them: decoded, in order, repeated ones
/// repeated. `None`: the parser refuses the bytes.
pub type Query = Option<Vec<(String, String)>>;

/// Holds `parser` to WHATWG's reading of `application/x-www-form-urlencoded` (RFC 6749, appendix B): what browsers
/// and clients send means to it what they meant. Call it with any bytes, from a fuzz target or a property test.
///
/// * What has one reading (sound escapes, UTF-8) is accepted.
/// * What is accepted is read as WHATWG does: nothing lost, nothing merged, nothing decoded twice, the order kept.
/// * What a client encodes comes back.
/// * The same bytes have the same reading again.
///
/// # Panics
/// When the parser fails one of these, and when the parser itself panics: that is how a fuzzer hears of it.
pub fn check_query_parser(data: &[u8], parser: impl Fn(&[u8]) -> Query) {
    let theirs: Vec<(String, String)> = parse(data).into_owned().collect();
    match parser(data) {
        Some(read) => assert_eq!(read, theirs, "WHATWG's reader sees other pairs"),
        None => assert!(
            !has_one_reading(data),
            "{:?} is refused, but it has one reading only",
            String::from_utf8_lossy(data)
        ),
    }

    // Names and values of any text, as a client would send them.
    let text = String::from_utf8_lossy(data);
    let mut pieces = text.split('&').take(16).map(str::to_owned);
    let mut pairs = Vec::new();
    while let (Some(name), value) = (pieces.next(), pieces.next()) {
        pairs.push((name, value.unwrap_or_default()));
    }
    let sent = Serializer::new(String::new()).extend_pairs(&pairs).finish();
    let read = parser(sent.as_bytes());
    assert_eq!(read, Some(pairs), "{sent:?} is not what was encoded");
    assert_eq!(
        parser(sent.as_bytes()),
        read,
        "another reading of the same bytes"
    );
}

/// Whether every escape is one, and what they stand for is UTF-8.
fn has_one_reading(data: &[u8]) -> bool {
    let pairs = crate::form::Pairs::parse(data);
    !pairs.bad_escapes() && !pairs.invalid_utf8()
}
