//! Compact JWS for both sides of the harness: the reference server signs and verifies with it, the harness checks a server's tokens with it,
//! and [`Forge`] makes the deliberately broken tokens that a correct server must refuse.
//!
//! Verification is strict: the caller names the algorithms, `none` cannot be named, base64url has one reading, and a key is used only for the
//! algorithm it is made for. Keys are made at run time, or handed over in a file, and live in memory only.

mod alg;
pub mod dpop;
mod forge;
mod hash;
mod jwe;
mod jwks;
mod key;
mod parts;
mod signed;
mod signer;
mod token;

pub use alg::Alg;
pub use dpop::{Flaw, forgeries};
pub use forge::{Context, Forge, NotApplicable};
pub use hash::{base64url, base64url_decode, random_token, s256, sha256};
pub use jwks::{Jwk, Jwks};
pub use key::SigningKey;
pub use signer::{KeyError, Signer};
pub use token::{Claims, Error, Token, sign_hs256, verify, verify_hs256};
