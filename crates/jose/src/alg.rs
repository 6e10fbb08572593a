//! The signature algorithms of RFC 7518 and RFC 8037 this crate speaks, in one table.

use aws_lc_rs::signature::{
    self, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, RsaParameters, RsaSignatureEncoding,
};

/// An asymmetric JWS algorithm. `none` and the HMAC family are left out on purpose: neither can be asked for by accident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alg {
    /// ECDSA with P-256 and SHA-256.
    ES256,
    /// ECDSA with P-384 and SHA-384.
    ES384,
    /// ECDSA with P-521 and SHA-512.
    ES512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// Ed25519 (RFC 8037).
    EdDSA,
}

/// A curve and the sizes that go with it.
pub(crate) struct Curve {
    pub name: &'static str,
    /// Bytes of one coordinate, and of r or s.
    pub size: usize,
    pub signing: &'static EcdsaSigningAlgorithm,
    pub verification: &'static EcdsaVerificationAlgorithm,
    /// The curve's object identifier, DER-encoded.
    pub oid: &'static [u8],
}

static P256: Curve = Curve {
    name: "P-256",
    size: 32,
    signing: &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
    verification: &signature::ECDSA_P256_SHA256_FIXED,
    oid: &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
};
static P384: Curve = Curve {
    name: "P-384",
    size: 48,
    signing: &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
    verification: &signature::ECDSA_P384_SHA384_FIXED,
    oid: &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22],
};
static P521: Curve = Curve {
    name: "P-521",
    size: 66,
    signing: &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
    verification: &signature::ECDSA_P521_SHA512_FIXED,
    oid: &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23],
};

impl Alg {
    /// Every algorithm, as a server's discovery document might list them.
    pub const ALL: &[Alg] = &[
        Alg::ES256,
        Alg::ES384,
        Alg::ES512,
        Alg::RS256,
        Alg::RS384,
        Alg::RS512,
        Alg::PS256,
        Alg::PS384,
        Alg::PS512,
        Alg::EdDSA,
    ];

    /// The name used in `alg` (RFC 7518 §3.1, RFC 8037 §3.1).
    pub fn name(self) -> &'static str {
        match self {
            Alg::ES256 => "ES256",
            Alg::ES384 => "ES384",
            Alg::ES512 => "ES512",
            Alg::RS256 => "RS256",
            Alg::RS384 => "RS384",
            Alg::RS512 => "RS512",
            Alg::PS256 => "PS256",
            Alg::PS384 => "PS384",
            Alg::PS512 => "PS512",
            Alg::EdDSA => "EdDSA",
        }
    }

    /// The algorithm of that exact name; names are case-sensitive (RFC 7515 §4.1.1).
    pub fn parse(name: &str) -> Option<Alg> {
        Alg::ALL.iter().copied().find(|alg| alg.name() == name)
    }

    /// The key type (`kty`) this algorithm needs.
    pub fn kty(self) -> &'static str {
        match self {
            Alg::ES256 | Alg::ES384 | Alg::ES512 => "EC",
            Alg::EdDSA => "OKP",
            _ => "RSA",
        }
    }

    pub(crate) fn curve(self) -> Option<&'static Curve> {
        match self {
            Alg::ES256 => Some(&P256),
            Alg::ES384 => Some(&P384),
            Alg::ES512 => Some(&P521),
            _ => None,
        }
    }

    pub(crate) fn rsa(self) -> Option<(&'static RsaSignatureEncoding, &'static RsaParameters)> {
        match self {
            Alg::RS256 => Some((
                &signature::RSA_PKCS1_SHA256,
                &signature::RSA_PKCS1_2048_8192_SHA256,
            )),
            Alg::RS384 => Some((
                &signature::RSA_PKCS1_SHA384,
                &signature::RSA_PKCS1_2048_8192_SHA384,
            )),
            Alg::RS512 => Some((
                &signature::RSA_PKCS1_SHA512,
                &signature::RSA_PKCS1_2048_8192_SHA512,
            )),
            Alg::PS256 => Some((
                &signature::RSA_PSS_SHA256,
                &signature::RSA_PSS_2048_8192_SHA256,
            )),
            Alg::PS384 => Some((
                &signature::RSA_PSS_SHA384,
                &signature::RSA_PSS_2048_8192_SHA384,
            )),
            Alg::PS512 => Some((
                &signature::RSA_PSS_SHA512,
                &signature::RSA_PSS_2048_8192_SHA512,
            )),
            _ => None,
        }
    }

    /// Another algorithm that the same key could carry, or at least one of the same family: what a confused server might fall for.
    pub(crate) fn sibling(self) -> Alg {
        match self {
            Alg::ES256 => Alg::ES384,
            Alg::ES384 | Alg::ES512 => Alg::ES256,
            Alg::RS256 => Alg::PS256,
            Alg::RS384 => Alg::PS384,
            Alg::RS512 => Alg::PS512,
            Alg::PS256 => Alg::RS256,
            Alg::PS384 => Alg::RS384,
            Alg::PS512 => Alg::RS512,
            Alg::EdDSA => Alg::ES256,
        }
    }
}

impl std::fmt::Display for Alg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
