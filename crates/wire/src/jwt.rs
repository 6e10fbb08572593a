//! The compact serialization of a signed JWT (RFC 7515 §7.1, RFC 7519 §7.2): taking apart and
//! decoding, strictly. No signature is checked here.

use crate::json::{self, Document};
use std::fmt;

/// The three parts of a compact JWS, still encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split<'a> {
    /// Before the first dot.
    pub header: &'a str,
    /// Between the dots.
    pub payload: &'a str,
    /// After the second dot; empty for an unsecured JWT.
    pub signature: &'a str,
}

impl<'a> Split<'a> {
    /// What is signed: header, dot, payload (RFC 7515 §5.1), of the token this was split from.
    pub fn signing_input(&self) -> String {
        format!("{}.{}", self.header, self.payload)
    }
}

/// Why a token's header or claims could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// Not three parts between two dots.
    Parts,
    /// The part is not base64url as RFC 7515 §2 has it.
    Base64url,
    /// The part is not JSON.
    Json(json::Error),
    /// The part is JSON but no object.
    NotObject,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Parts => f.write_str("not three parts between two dots"),
            Error::Base64url => f.write_str("not base64url without padding"),
            Error::Json(e) => write!(f, "not JSON: {e}"),
            Error::NotObject => f.write_str("not a JSON object"),
        }
    }
}

impl std::error::Error for Error {}

/// Splits a token at its two dots; `None` where there are not exactly two.
pub fn split(token: &str) -> Option<Split<'_>> {
    let (header, rest) = token.split_once('.')?;
    let (payload, signature) = rest.split_once('.')?;
    (!signature.contains('.')).then_some(Split {
        header,
        payload,
        signature,
    })
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Decodes base64url (RFC 4648 §5) as RFC 7515 §2 writes it: no padding, no other characters, and
/// unused trailing bits zero, so that each byte string has one spelling only.
pub fn decode_segment(segment: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(segment.len() / 4 * 3 + 2);
    for group in segment.as_bytes().chunks(4) {
        let mut bits = 0u32;
        for c in group {
            bits = bits << 6 | sextet(*c)?;
        }
        match group.len() {
            4 => out.extend_from_slice(bits.to_be_bytes().get(1..)?),
            3 if bits & 0b11 == 0 => out.extend_from_slice((bits >> 2).to_be_bytes().get(2..)?),
            2 if bits & 0b1111 == 0 => out.extend_from_slice((bits >> 4).to_be_bytes().get(3..)?),
            _ => return None,
        }
    }
    Some(out)
}

fn sextet(c: u8) -> Option<u32> {
    let value = match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

/// Encodes bytes as base64url without padding.
pub fn encode_segment(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() / 3 * 4 + 4);
    for group in bytes.chunks(3) {
        let mut bits = 0u32;
        for at in 0..3 {
            bits = bits << 8 | u32::from(group.get(at).copied().unwrap_or(0));
        }
        for at in 0..=group.len() {
            let index = (bits >> (18 - 6 * at)) & 63;
            let c = usize::try_from(index).ok().and_then(|i| ALPHABET.get(i));
            out.extend(c.copied().map(char::from));
        }
    }
    out
}

/// The JOSE header of a token.
pub fn header(token: &str) -> Result<Document, Error> {
    object(split(token).ok_or(Error::Parts)?.header)
}

/// The claims of a token, unverified.
pub fn claims(token: &str) -> Result<Document, Error> {
    object(split(token).ok_or(Error::Parts)?.payload)
}

fn object(segment: &str) -> Result<Document, Error> {
    let bytes = decode_segment(segment).ok_or(Error::Base64url)?;
    let doc = json::scan(&bytes, json::Limits::default()).map_err(Error::Json)?;
    doc.value.as_object().ok_or(Error::NotObject)?;
    Ok(doc)
}

/// True where the text is a signed or unsecured JWT to look at: three base64url parts, the first
/// a JSON object with a member `alg`.
pub fn looks_like_jwt(text: &str) -> bool {
    let decodes = |s: &str| decode_segment(s).is_some();
    split(text).is_some_and(|s| {
        decodes(s.payload)
            && decodes(s.signature)
            && object(s.header).is_ok_and(|doc| doc.value.get("alg").is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_is_strict() {
        // RFC 4648 §10, without its padding.
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode_segment(plain.as_bytes()), encoded);
            assert_eq!(decode_segment(encoded).as_deref(), Some(plain.as_bytes()));
        }
        for bad in ["Zg==", "Zh", "Zm9", "Z", "Zm9v\n", "Zm+v", "Zm/v", " Zm9v"] {
            assert_eq!(decode_segment(bad), None, "{bad:?}");
        }
        assert_eq!(
            decode_segment("-_-_").as_deref(),
            Some(&[0xFB, 0xFF, 0xBF][..])
        );
    }

    #[test]
    fn header_and_claims_are_read_unverified() {
        let token = format!(
            "{}.{}.",
            encode_segment(br#"{"alg":"none"}"#),
            encode_segment(br#"{"iss":"x"}"#)
        );
        assert_eq!(
            header(&token).unwrap().value.get("alg").unwrap().as_str(),
            Some("none")
        );
        assert_eq!(
            claims(&token).unwrap().value.get("iss").unwrap().as_str(),
            Some("x")
        );
        assert!(looks_like_jwt(&token));
        assert!(!looks_like_jwt("2YotnFZFEjr1zCsicMWpAA"));
        assert_eq!(header("a.b"), Err(Error::Parts));
        assert_eq!(header("a.b.c"), Err(Error::Base64url));
        assert_eq!(header("e30.W10.").map(|d| d.depth), Ok(1));
        assert_eq!(claims("e30.W10."), Err(Error::NotObject));
    }
}
