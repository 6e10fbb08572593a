//! The keys of a client for DPoP proofs (RFC 9449), made when first used.

use std::sync::OnceLock;

use jose::{Alg, Jwk, SigningKey};

/// The keys `a` and `b` of one performance.
#[derive(Default)]
pub struct Keys(OnceLock<[SigningKey; 2]>);

impl Keys {
    /// The key of this name; none but `a` and `b` has one.
    pub fn named(&self, name: &str) -> Option<&SigningKey> {
        let fresh = || SigningKey::generate(Alg::ES256);
        let [a, b] = self.0.get_or_init(|| [fresh(), fresh()]);
        match name {
            "a" => Some(a),
            "b" => Some(b),
            _ => None,
        }
    }

    /// The RFC 7638 thumbprint of that key.
    pub fn thumbprint(&self, name: &str) -> Option<String> {
        thumbprint(self.named(name)?)
    }

    /// The thumbprints of both, when one has been used.
    pub fn thumbprints(&self) -> Vec<String> {
        let keys = self.0.get().map_or(&[][..], |keys| &keys[..]);
        keys.iter().filter_map(thumbprint).collect()
    }
}

fn thumbprint(key: &SigningKey) -> Option<String> {
    Jwk::from_json(&key.public_jwk())?.thumbprint()
}
