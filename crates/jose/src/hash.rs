//! Digests, base64url and random values.

use aws_lc_rs::{digest, rand};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// base64url without padding (RFC 7515 §2).
pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Strict base64url: no padding, no other alphabet, and unused bits of the last character must be zero. `None` otherwise.
pub fn base64url_decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The S256 code challenge of a verifier (RFC 7636 §4.2).
pub fn s256(verifier: &str) -> String {
    base64url(sha256(verifier.as_bytes()))
}

/// `bytes` bytes from the system's generator, as base64url text.
///
/// # Panics
/// When the operating system has no randomness to give: there is no honest way to go on.
pub fn random_token(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    rand::fill(&mut buffer).expect("the operating system gave no random bytes");
    base64url(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s256_matches_rfc7636_appendix_b() {
        assert_eq!(
            s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn base64url_has_one_reading() {
        assert_eq!(base64url_decode("AA"), Some(vec![0]));
        for bad in ["AB", "AA==", "A", "A+", "A A", "AA\n"] {
            assert_eq!(base64url_decode(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn random_tokens_have_the_asked_size_and_differ() {
        let (a, b) = (random_token(32), random_token(32));
        assert_eq!(base64url_decode(&a).map(|bytes| bytes.len()), Some(32));
        assert_ne!(a, b);
    }
}
