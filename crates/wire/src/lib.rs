//! What goes over the wire in OAuth, read from bytes and written to bytes.
//!
//! Nothing here does I/O, and nothing trusts its input: every reader takes whatever a server may
//! send, never panics, works in time linear in the input and keeps memory in proportion to it.
//! Readers report what is wrong instead of mending it, because what is wrong is what a
//! conformance check wants to know.

pub mod challenge;
pub mod cookie;
pub mod form;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod http1;
pub mod json;
pub mod jwks;
pub mod jwt;
pub mod location;
pub mod metadata;
pub mod rar;
pub mod redirect_uri;
pub mod uri;
pub mod x509;
