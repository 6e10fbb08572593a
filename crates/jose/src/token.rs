//! Compact JWS: taking one apart, and strict verification (RFC 7515, RFC 7519, RFC 8725 §3).

use aws_lc_rs::hmac;
use serde_json::{Map, Value};

use crate::{
    Alg, Jwks,
    hash::{base64url, base64url_decode},
};

/// The members of a JWT claims set.
pub type Claims = Map<String, Value>;

/// Why a token was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not three base64url segments with a JSON object in the first two.
    #[error("not a compact JWS: {0}")]
    Malformed(&'static str),
    /// `alg` is missing, unknown or not in the caller's list.
    #[error("algorithm {0:?} is not allowed here")]
    Algorithm(String),
    /// `crit` is present: this crate understands no extension (RFC 7515 §4.1.11).
    #[error("critical header extensions are not understood")]
    Critical,
    /// No key, or more than one, for this header.
    #[error("no single key in the set fits the token's kid and alg")]
    NoKey,
    /// The key is malformed or made for something else.
    #[error("the key is malformed or not meant for this algorithm")]
    Key,
    /// The signature is wrong.
    #[error("the signature does not verify")]
    Signature,
    /// Not a JWK set.
    #[error("not a JWK set: no `keys` array")]
    NotAKeySet,
}

/// A compact JWS taken apart and decoded; nothing about it has been verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// The JOSE header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Claims,
    /// The bytes the signature covers.
    pub signing_input: String,
    /// The decoded signature; empty for an unsecured token.
    pub signature: Vec<u8>,
}

impl Token {
    /// Takes a compact JWS apart.
    ///
    /// # Errors
    /// [`Error::Malformed`] says which part is wrong.
    pub fn parse(token: &str) -> Result<Token, Error> {
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Error::Malformed("it has not exactly three segments"));
        };
        Ok(Token {
            header: object(header).ok_or(Error::Malformed(
                "the header is not a base64url JSON object",
            ))?,
            claims: object(payload).ok_or(Error::Malformed(
                "the payload is not a base64url JSON object",
            ))?,
            signing_input: format!("{header}.{payload}"),
            signature: base64url_decode(signature)
                .ok_or(Error::Malformed("the signature is not base64url"))?,
        })
    }

    /// A header member that is a string.
    pub fn header_str(&self, member: &str) -> Option<&str> {
        self.header.get(member).and_then(Value::as_str)
    }

    /// A claim that is a string.
    pub fn claim_str(&self, member: &str) -> Option<&str> {
        self.claims.get(member).and_then(Value::as_str)
    }

    /// Verifies the signature with the one key of `jwks` that fits, for one of `algs`.
    ///
    /// # Errors
    /// The first of: algorithm not allowed, critical extension, no key, wrong signature.
    pub fn verify(&self, jwks: &Jwks, algs: &[Alg]) -> Result<(), Error> {
        let name = self.header_str("alg").unwrap_or_default();
        let alg = Alg::parse(name)
            .filter(|alg| algs.contains(alg))
            .ok_or_else(|| Error::Algorithm(name.to_owned()))?;
        if self.header.contains_key("crit") {
            return Err(Error::Critical);
        }
        let kid = match self.header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.as_str()),
            Some(_) => return Err(Error::NoKey),
        };
        jwks.find(kid, alg)?
            .verify(alg, self.signing_input.as_bytes(), &self.signature)
    }
}

fn object(segment: &str) -> Option<Map<String, Value>> {
    match serde_json::from_slice(&base64url_decode(segment)?) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}

/// Verifies a compact JWS against a key set and returns its claims. What the claims *say* (`exp`, `aud`, …) is for the caller to judge.
///
/// # Errors
/// See [`Token::parse`] and [`Token::verify`].
pub fn verify(token: &str, jwks: &Jwks, algs: &[Alg]) -> Result<Claims, Error> {
    let token = Token::parse(token)?;
    token.verify(jwks, algs)?;
    Ok(token.claims)
}

/// A compact JWS signed with HMAC-SHA-256 and `secret`; `alg` is set unless the header names one itself.
pub fn sign_hs256(header: &Map<String, Value>, claims: &Claims, secret: &[u8]) -> String {
    let payload = Value::Object(claims.clone()).to_string();
    sign_hs256_payload(header, payload.as_bytes(), secret)
}

/// The same for any payload (RFC 7515 §3).
pub(crate) fn sign_hs256_payload(
    header: &Map<String, Value>,
    payload: &[u8],
    secret: &[u8],
) -> String {
    let mut full = Map::new();
    full.insert("alg".into(), "HS256".into());
    full.extend(header.clone());
    let input = format!(
        "{}.{}",
        base64url(Value::Object(full).to_string()),
        base64url(payload)
    );
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
    format!("{input}.{}", base64url(tag))
}

/// Verifies an HS256 token with `secret` and returns its claims.
///
/// # Errors
/// Malformed token, another algorithm, a critical extension, or a wrong tag.
pub fn verify_hs256(token: &str, secret: &[u8]) -> Result<Claims, Error> {
    let token = Token::parse(token)?;
    let name = token.header_str("alg").unwrap_or_default();
    if name != "HS256" {
        return Err(Error::Algorithm(name.to_owned()));
    }
    if token.header.contains_key("crit") {
        return Err(Error::Critical);
    }
    hmac::verify(
        &hmac::Key::new(hmac::HMAC_SHA256, secret),
        token.signing_input.as_bytes(),
        &token.signature,
    )
    .map_err(|_| Error::Signature)?;
    Ok(token.claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn signed(alg: Alg) -> (String, Jwks) {
        let key = SigningKey::generate(alg);
        let claims = map(json!({"sub": "alice", "exp": 4_000_000_000u64, "aud": "x"}));
        (
            key.sign(&map(json!({"typ": "at+jwt"})), &claims),
            Jwks::from_json(&key.public_jwks()).unwrap(),
        )
    }

    #[test]
    fn every_algorithm_round_trips() {
        for alg in Alg::ALL {
            let (token, jwks) = signed(*alg);
            assert_eq!(
                verify(&token, &jwks, &[*alg]).unwrap()["sub"],
                "alice",
                "{alg}"
            );
            assert_eq!(
                verify(&token, &jwks, &[]),
                Err(Error::Algorithm(alg.name().into())),
                "{alg}"
            );
        }
    }

    #[test]
    fn an_independent_implementation_agrees() {
        for alg in [Alg::ES256, Alg::RS256, Alg::PS256, Alg::EdDSA] {
            let (token, jwks) = signed(alg);
            let jwk: jsonwebtoken::jwk::Jwk =
                serde_json::from_value(jwks.keys()[0].to_json()).unwrap();
            let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
            let mut rules = jsonwebtoken::Validation::new(alg.name().parse().unwrap());
            rules.set_audience(&["x"]);
            let data = jsonwebtoken::decode::<Value>(&token, &key, &rules).unwrap();
            assert_eq!(data.claims["sub"], "alice", "{alg}");
        }
    }

    #[test]
    fn the_printed_public_key_is_one_that_an_independent_implementation_reads() {
        for alg in [Alg::ES256, Alg::RS256, Alg::EdDSA] {
            let (token, jwks) = signed(alg);
            let pem = jwks.keys()[0].to_pem().unwrap();
            let key = match alg {
                Alg::ES256 => jsonwebtoken::DecodingKey::from_ec_pem(pem.as_bytes()),
                Alg::RS256 => jsonwebtoken::DecodingKey::from_rsa_pem(pem.as_bytes()),
                _ => jsonwebtoken::DecodingKey::from_ed_pem(pem.as_bytes()),
            }
            .unwrap();
            let mut rules = jsonwebtoken::Validation::new(alg.name().parse().unwrap());
            rules.set_audience(&["x"]);
            jsonwebtoken::decode::<Value>(&token, &key, &rules).unwrap();
        }
    }

    #[test]
    fn none_critical_extensions_and_foreign_keys_are_refused() {
        let (token, jwks) = signed(Alg::ES256);
        let (foreign, _) = signed(Alg::ES256);
        assert_eq!(verify(&foreign, &jwks, &[Alg::ES256]), Err(Error::NoKey));
        let payload = token.split('.').nth(1).unwrap();
        let none = format!("{}.{payload}.", base64url(r#"{"alg":"none"}"#));
        assert_eq!(
            verify(&none, &jwks, Alg::ALL),
            Err(Error::Algorithm("none".into()))
        );
        let key = SigningKey::generate(Alg::ES256);
        let critical = key.sign(&map(json!({"crit": ["x"], "x": 1})), &Claims::new());
        let own = Jwks::from_json(&key.public_jwks()).unwrap();
        assert_eq!(verify(&critical, &own, &[Alg::ES256]), Err(Error::Critical));
    }

    #[test]
    fn hostile_text_is_refused_and_never_panics() {
        let deep = format!("{}.{}.", base64url("[".repeat(100_000)), base64url("{}"));
        for text in [
            "",
            ".",
            "..",
            "...",
            "a.b.c",
            &".".repeat(10_000),
            "é.é.é",
            &deep,
            "e30=.e30.",
            "bnVsbA.e30.",
        ] {
            assert!(
                matches!(
                    verify(text, &Jwks::default(), Alg::ALL),
                    Err(Error::Malformed(_))
                ),
                "{}",
                text.len()
            );
        }
        assert!(matches!(
            verify("e30.e30.", &Jwks::default(), Alg::ALL),
            Err(Error::Algorithm(_))
        ));
    }

    #[test]
    fn hs256_needs_the_same_secret() {
        let token = sign_hs256(&Map::new(), &map(json!({"sub": "a"})), b"secret");
        assert_eq!(verify_hs256(&token, b"secret").unwrap()["sub"], "a");
        assert_eq!(verify_hs256(&token, b"Secret"), Err(Error::Signature));
        assert!(verify_hs256(&token, b"").is_err());
    }
}
