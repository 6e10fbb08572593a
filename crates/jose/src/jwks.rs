//! JSON Web Keys and key sets (RFC 7517), as read from a server that may be hostile.

use aws_lc_rs::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::{Map, Value};

use crate::{
    Alg, Error,
    hash::{base64url, base64url_decode, sha256},
};

/// One public key, kept as its JSON members.
#[derive(Clone, Debug, PartialEq)]
pub struct Jwk(Map<String, Value>);

/// A JWK set. Members that are not objects are dropped; whether the set is *well-formed* is a metadata check, not this crate's business.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Jwks {
    keys: Vec<Jwk>,
}

impl Jwks {
    /// Reads `{"keys": [...]}`.
    ///
    /// # Errors
    /// [`Error::NotAKeySet`] when there is no `keys` array.
    pub fn from_json(value: &Value) -> Result<Jwks, Error> {
        let keys = value
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(Error::NotAKeySet)?;
        Ok(Jwks {
            keys: keys.iter().filter_map(Jwk::from_json).collect(),
        })
    }

    /// The keys in the order given.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The one key for a token header: by `kid` when the header has one, else the only key that fits the algorithm.
    ///
    /// # Errors
    /// [`Error::NoKey`] when none fits or when, without `kid`, several do.
    pub fn find(&self, kid: Option<&str>, alg: Alg) -> Result<&Jwk, Error> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.fits(alg) && (kid.is_none() || key.kid() == kid));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            _ => Err(Error::NoKey),
        }
    }
}

impl Jwk {
    /// Reads one key; `None` when the value is not an object.
    pub fn from_json(value: &Value) -> Option<Jwk> {
        value.as_object().cloned().map(Jwk)
    }

    /// The key as JSON, members as they came.
    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }

    fn text(&self, member: &str) -> Option<&str> {
        self.0.get(member).and_then(Value::as_str)
    }

    /// The key id.
    pub fn kid(&self) -> Option<&str> {
        self.text("kid")
    }

    /// Whether this key may verify `alg`: type and curve fit, `alg` (if given) is the same, `use` (if given) is `sig`.
    pub fn fits(&self, alg: Alg) -> bool {
        self.text("kty") == Some(alg.kty())
            && self.text("alg").is_none_or(|own| own == alg.name())
            && self.text("use").is_none_or(|own| own == "sig")
            && match alg {
                Alg::EdDSA => self.text("crv") == Some("Ed25519"),
                _ => alg
                    .curve()
                    .is_none_or(|curve| self.text("crv") == Some(curve.name)),
            }
    }

    fn bytes(&self, member: &str) -> Option<Vec<u8>> {
        self.text(member).and_then(base64url_decode)
    }

    /// The uncompressed EC point, when both coordinates have the curve's size.
    fn point(&self, size: usize) -> Option<Vec<u8>> {
        let (x, y) = (self.bytes("x")?, self.bytes("y")?);
        (x.len() == size && y.len() == size).then(|| [&[4][..], &x, &y].concat())
    }

    /// Verifies a signature over `message`.
    ///
    /// # Errors
    /// [`Error::Key`] when the key does not fit the algorithm or is malformed, [`Error::Signature`] when the signature is wrong.
    pub fn verify(&self, alg: Alg, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        if !self.fits(alg) {
            return Err(Error::Key);
        }
        let outcome = if let Some(curve) = alg.curve() {
            UnparsedPublicKey::new(
                curve.verification,
                self.point(curve.size).ok_or(Error::Key)?,
            )
            .verify(message, signature)
        } else if let Some((_, parameters)) = alg.rsa() {
            let (n, e) = (
                self.bytes("n").ok_or(Error::Key)?,
                self.bytes("e").ok_or(Error::Key)?,
            );
            RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
        } else {
            UnparsedPublicKey::new(&signature::ED25519, self.bytes("x").ok_or(Error::Key)?)
                .verify(message, signature)
        };
        outcome.map_err(|_| Error::Signature)
    }

    /// Whether the key fits the algorithm and stands for a possible public key: a point on the curve, an RSA modulus of 2048 to 8192 bits.
    pub fn is_valid(&self, alg: Alg) -> bool {
        let algorithm: &'static dyn signature::VerificationAlgorithm =
            match (alg.curve(), alg.rsa()) {
                (Some(curve), _) => curve.verification,
                (_, Some((_, parameters))) => parameters,
                _ => &signature::ED25519,
            };
        let bytes = match alg.kty() {
            "EC" => alg.curve().and_then(|curve| self.point(curve.size)),
            "RSA" => {
                let length = self.bytes("n").map_or(0, |n| n.len());
                let e = self.bytes("e").filter(|e| !e.is_empty());
                return self.fits(alg) && (256..=1024).contains(&length) && e.is_some();
            }
            _ => self.bytes("x"),
        };
        self.fits(alg)
            && bytes.is_some_and(|bytes| signature::ParsedPublicKey::new(algorithm, bytes).is_ok())
    }

    /// The SHA-256 thumbprint, base64url (RFC 7638 §3). `None` when a required member is missing or the type is unknown.
    pub fn thumbprint(&self) -> Option<String> {
        // Required members in lexicographic order (RFC 7638 §3.2, RFC 8037 §2).
        let members: &[&str] = match self.text("kty")? {
            "EC" => &["crv", "kty", "x", "y"],
            "RSA" => &["e", "kty", "n"],
            "OKP" => &["crv", "kty", "x"],
            "oct" => &["k", "kty"],
            _ => return None,
        };
        let mut canonical = Map::new();
        for member in members {
            canonical.insert(
                (*member).to_owned(),
                Value::String(self.text(member)?.to_owned()),
            );
        }
        Some(base64url(sha256(
            Value::Object(canonical).to_string().as_bytes(),
        )))
    }

    /// The public key as SubjectPublicKeyInfo PEM (RFC 5280 §4.1), as `openssl` would print it. `None` when the key is malformed.
    pub fn to_pem(&self) -> Option<String> {
        const EC_PUBLIC_KEY: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
        const RSA_ENCRYPTION: &[u8] = &[
            0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
        ];
        const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
        let (algorithm, key) = match self.text("kty")? {
            "EC" => {
                let curve = [Alg::ES256, Alg::ES384, Alg::ES512]
                    .into_iter()
                    .filter_map(Alg::curve)
                    .find(|curve| self.text("crv") == Some(curve.name))?;
                ([EC_PUBLIC_KEY, curve.oid].concat(), self.point(curve.size)?)
            }
            "RSA" => (
                RSA_ENCRYPTION.to_vec(),
                der(
                    0x30,
                    &[der_uint(&self.bytes("n")?), der_uint(&self.bytes("e")?)].concat(),
                ),
            ),
            "OKP" => (ED25519.to_vec(), self.bytes("x")?),
            _ => return None,
        };
        let bits = [&[0][..], &key].concat();
        let info = der(0x30, &[der(0x30, &algorithm), der(0x03, &bits)].concat());
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let text = STANDARD.encode(info);
        let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, tail) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = tail;
        }
        pem.push_str("-----END PUBLIC KEY-----\n");
        Some(pem)
    }
}

/// One DER element: tag, definite length, content.
pub(crate) fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..=0x7f => out.push(short as u8),
        long => {
            let bytes: Vec<u8> = long
                .to_be_bytes()
                .into_iter()
                .skip_while(|byte| *byte == 0)
                .collect();
            out.push(0x80 | bytes.len() as u8);
            out.extend(bytes);
        }
    }
    out.extend_from_slice(content);
    out
}

/// An unsigned big-endian number as a DER INTEGER.
pub(crate) fn der_uint(bytes: &[u8]) -> Vec<u8> {
    let mut digits: Vec<u8> = bytes
        .iter()
        .copied()
        .skip_while(|byte| *byte == 0)
        .collect();
    if digits.first().is_none_or(|first| *first >= 0x80) {
        digits.insert(0, 0);
    }
    der(0x02, &digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn thumbprint_matches_rfc7638_section_3_1() {
        let key = Jwk::from_json(&json!({
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"
        }))
        .unwrap();
        assert_eq!(
            key.thumbprint().unwrap(),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }

    #[test]
    fn a_key_is_never_used_for_another_algorithm() {
        let key = Jwk::from_json(
            &json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "RS256", "use": "sig"}),
        )
        .unwrap();
        assert!(key.fits(Alg::RS256));
        assert!(!key.fits(Alg::PS256) && !key.fits(Alg::ES256));
        let encryption =
            Jwk::from_json(&json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "use": "enc"})).unwrap();
        assert!(!encryption.fits(Alg::RS256));
    }

    #[test]
    fn without_kid_two_fitting_keys_are_ambiguous() {
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "1"});
        let other = json!({"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "2"});
        let set = Jwks::from_json(&json!({"keys": [key, other, "junk"]})).unwrap();
        assert_eq!(set.keys().len(), 2);
        assert!(set.find(None, Alg::EdDSA).is_err());
        assert_eq!(set.find(Some("2"), Alg::EdDSA).unwrap().kid(), Some("2"));
    }
}
