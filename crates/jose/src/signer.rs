//! What an issuer signs with: a private key, or a secret it shares with its resource servers. Read from a file or made at run time.

use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde_json::{Map, Value};

use crate::{Alg, Claims, SigningKey, key::Pair, token::sign_hs256_payload};

/// An issuer's means to sign.
pub enum Signer {
    /// A private key.
    Key(SigningKey),
    /// A secret for HS256 (RFC 7518 §3.2), and the key id to name it by.
    Secret {
        /// The secret's bytes.
        secret: Vec<u8>,
        /// What goes into `kid`, if anything.
        kid: Option<String>,
    },
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Signer::Key(key) => write!(f, "Signer({key:?})"),
            Signer::Secret { .. } => f.write_str("Signer(HS256)"),
        }
    }
}

/// Why a text is no key that can sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No PEM block with the label of RFC 7468 §10.
    #[error("it is no PKCS#8 private key in PEM (a block labelled PRIVATE KEY)")]
    NotPem,
    /// A key of a kind or size that is not known here, or not of the algorithm asked for.
    #[error("it is no private key for that algorithm")]
    NotForAlg,
}

impl Signer {
    /// The same under another key id.
    #[must_use]
    pub fn with_kid(self, id: impl Into<String>) -> Signer {
        match self {
            Signer::Key(key) => Signer::Key(key.with_kid(id)),
            Signer::Secret { secret, .. } => Signer::Secret {
                secret,
                kid: Some(id.into()),
            },
        }
    }

    /// The algorithm's name (RFC 7518 §3.1).
    pub fn alg(&self) -> &'static str {
        match self {
            Signer::Key(key) => key.alg().name(),
            Signer::Secret { .. } => "HS256",
        }
    }

    /// The key id that goes into headers.
    pub fn kid(&self) -> Option<&str> {
        match self {
            Signer::Key(key) => Some(key.kid()),
            Signer::Secret { kid, .. } => kid.as_deref(),
        }
    }

    /// The JWK set for those who verify; `None` where that would give the secret away.
    pub fn public_jwks(&self) -> Option<Value> {
        match self {
            Signer::Key(key) => Some(key.public_jwks()),
            Signer::Secret { .. } => None,
        }
    }

    /// A compact JWS. `alg` and `kid` are added to the header unless it names them itself.
    pub fn sign(&self, header: &Map<String, Value>, claims: &Claims) -> String {
        self.sign_payload(header, Value::Object(claims.clone()).to_string().as_bytes())
    }

    /// The same for any payload (RFC 7515 §3).
    pub(crate) fn sign_payload(&self, header: &Map<String, Value>, payload: &[u8]) -> String {
        match self {
            Signer::Key(key) => key.sign_payload(header, payload),
            Signer::Secret { secret, kid } => {
                let mut full = Map::new();
                full.extend(kid.clone().map(|kid| ("kid".to_owned(), kid.into())));
                full.extend(header.clone());
                sign_hs256_payload(&full, payload, secret)
            }
        }
    }

    /// The key in a PEM text, PKCS#8, for `alg`, or for the usual algorithm of its kind: ES256, ES384, ES512, RS256 or EdDSA.
    ///
    /// # Errors
    /// What the text is not.
    pub fn from_pem(text: &str, alg: Option<Alg>) -> Result<Signer, KeyError> {
        let key =
            PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|_| KeyError::NotPem)?;
        let der = key.secret_pkcs8_der();
        let usual = [Alg::ES256, Alg::ES384, Alg::ES512, Alg::RS256, Alg::EdDSA];
        let found = match alg {
            Some(alg) => pair(der, alg).map(|pair| SigningKey::with_pair(alg, pair)),
            None => usual
                .into_iter()
                .find_map(|alg| Some(SigningKey::with_pair(alg, pair(der, alg)?))),
        };
        found.map(Signer::Key).ok_or(KeyError::NotForAlg)
    }
}

fn pair(der: &[u8], alg: Alg) -> Option<Pair> {
    if let Some(curve) = alg.curve() {
        return EcdsaKeyPair::from_pkcs8(curve.signing, der)
            .ok()
            .map(Pair::Ec);
    }
    if alg.rsa().is_some() {
        return RsaKeyPair::from_pkcs8(der).ok().map(Pair::Rsa);
    }
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
        .ok()
        .map(Pair::Ed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Jwks, verify, verify_hs256};
    use aws_lc_rs::{encoding::AsDer as _, signature::KeyPair as _};
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde_json::json;

    fn claims() -> Claims {
        json!({"sub": "a"}).as_object().cloned().unwrap()
    }

    fn pem(body: &str) -> String {
        // The label stands apart: searchers for leaked keys look for the whole line.
        let label = "PRIVATE KEY";
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    #[test]
    fn a_key_from_a_file_signs_what_its_public_half_verifies() {
        let curve = Alg::ES256.curve().unwrap();
        let made = EcdsaKeyPair::generate(curve.signing).unwrap();
        let text = pem(&STANDARD.encode(made.to_pkcs8v1().unwrap().as_ref()));
        let signer = Signer::from_pem(&text, None).unwrap();
        assert_eq!(signer.alg(), "ES256");
        let jwks = Jwks::from_json(&signer.public_jwks().unwrap()).unwrap();
        let token = signer.sign(&Map::new(), &claims());
        assert_eq!(verify(&token, &jwks, &[Alg::ES256]).unwrap()["sub"], "a");
        assert_eq!(
            Signer::from_pem(&text, Some(Alg::RS256)).unwrap_err(),
            KeyError::NotForAlg
        );

        let made = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        assert!(!made.public_key().as_ref().is_empty());
        let text = pem(&STANDARD.encode(made.as_der().unwrap().as_ref()));
        let signer = Signer::from_pem(&text, Some(Alg::PS256)).unwrap();
        let jwks = Jwks::from_json(&signer.public_jwks().unwrap()).unwrap();
        assert!(verify(&signer.sign(&Map::new(), &claims()), &jwks, &[Alg::PS256]).is_ok());
    }

    #[test]
    fn a_shared_secret_signs_and_is_not_shown() {
        let signer = Signer::Secret {
            secret: b"0123456789abcdef0123456789abcdef".to_vec(),
            kid: Some("one".into()),
        };
        let token = signer.sign(&Map::new(), &claims());
        assert!(verify_hs256(&token, b"0123456789abcdef0123456789abcdef").is_ok());
        assert_eq!(signer.public_jwks(), None);
        assert!(!format!("{signer:?}").contains("0123456789"));
    }

    #[test]
    fn what_is_no_key_is_said() {
        for text in ["", "x", &pem("!!")] {
            assert_eq!(Signer::from_pem(text, None).unwrap_err(), KeyError::NotPem);
        }
        assert_eq!(
            Signer::from_pem(&pem("AAAA"), None).unwrap_err(),
            KeyError::NotForAlg
        );
    }
}
