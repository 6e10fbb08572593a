//! Private keys, made at run time and never written down (or handed over: see `signer`).

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair},
};
use serde_json::{Map, Value, json};

use crate::{Alg, Claims, Jwk, hash::base64url};

pub(crate) enum Pair {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// A private signing key with its key id. `Debug` shows the id only.
pub struct SigningKey {
    alg: Alg,
    kid: String,
    pair: Pair,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({} {})", self.alg, self.kid)
    }
}

impl SigningKey {
    /// A fresh key (RSA: 2048 bits, which takes a fraction of a second). Its id is its RFC 7638 thumbprint.
    ///
    /// # Panics
    /// When the operating system has no randomness to give.
    pub fn generate(alg: Alg) -> SigningKey {
        let pair = if let Some(curve) = alg.curve() {
            Pair::Ec(
                EcdsaKeyPair::generate(curve.signing)
                    .expect("EC key generation needs random bytes"),
            )
        } else if alg.rsa().is_some() {
            Pair::Rsa(
                RsaKeyPair::generate(KeySize::Rsa2048)
                    .expect("RSA key generation needs random bytes"),
            )
        } else {
            Pair::Ed(Ed25519KeyPair::generate().expect("Ed25519 key generation needs random bytes"))
        };
        SigningKey::with_pair(alg, pair)
    }

    /// A key pair under its thumbprint.
    pub(crate) fn with_pair(alg: Alg, pair: Pair) -> SigningKey {
        let mut key = SigningKey {
            alg,
            kid: String::new(),
            pair,
        };
        key.kid = Jwk::from_json(&key.public_jwk())
            .and_then(|jwk| jwk.thumbprint())
            .unwrap_or_default();
        key
    }

    /// The same key under another id.
    pub fn with_kid(mut self, kid: impl Into<String>) -> SigningKey {
        self.kid = kid.into();
        self
    }

    /// The algorithm this key signs with.
    pub fn alg(&self) -> Alg {
        self.alg
    }

    /// The key id put into headers and into the JWK.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half (RFC 7517), with `kid`, `alg` and `use`.
    pub fn public_jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Ec(pair) => {
                // An uncompressed point: 0x04, x, y (SEC 1 §2.3.3).
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                let name = self.alg.curve().map_or("", |curve| curve.name);
                json!({"kty": "EC", "crv": name, "x": base64url(x), "y": base64url(y)})
            }
            Pair::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key())})
            }
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                let n = base64url(public.modulus().big_endian_without_leading_zero());
                let e = base64url(public.exponent().big_endian_without_leading_zero());
                json!({"kty": "RSA", "n": n, "e": e})
            }
        };
        if let Some(members) = jwk.as_object_mut() {
            members.insert("use".into(), "sig".into());
            members.insert("alg".into(), self.alg.name().into());
            members.insert("kid".into(), self.kid.clone().into());
        }
        jwk
    }

    /// The JWK set that holds just this key.
    pub fn public_jwks(&self) -> Value {
        json!({"keys": [self.public_jwk()]})
    }

    /// The raw signature over `message`, in the form RFC 7518 §3 asks for (ECDSA: r ‖ s).
    ///
    /// # Panics
    /// When the operating system has no randomness to give.
    pub fn sign_bytes(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => pair
                .sign(&random, message)
                .expect("ECDSA signing needs random bytes")
                .as_ref()
                .to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let encoding = self
                    .alg
                    .rsa()
                    .map_or(&aws_lc_rs::signature::RSA_PKCS1_SHA256, |(encoding, _)| {
                        encoding
                    });
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature)
                    .expect("RSA signing needs random bytes");
                signature
            }
        }
    }

    /// A compact JWS. `alg` and `kid` are added to the header unless it names them itself.
    pub fn sign(&self, header: &Map<String, Value>, claims: &Claims) -> String {
        self.sign_payload(header, Value::Object(claims.clone()).to_string().as_bytes())
    }

    /// The same for any payload (RFC 7515 §3).
    pub(crate) fn sign_payload(&self, header: &Map<String, Value>, payload: &[u8]) -> String {
        let mut full = Map::new();
        full.insert("alg".into(), self.alg.name().into());
        full.insert("kid".into(), self.kid.clone().into());
        full.extend(header.clone());
        let input = format!(
            "{}.{}",
            base64url(Value::Object(full).to_string()),
            base64url(payload)
        );
        let signature = base64url(self.sign_bytes(input.as_bytes()));
        format!("{input}.{signature}")
    }
}
