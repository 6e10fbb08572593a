//! The correct client, once: what it asks, how it authenticates, how it reads answers. Both runners are over it: `flow` performs the
//! steps of suite files with it, `fuzz` plays programs.
//!
//! [`request`] has the correct request of every operation as a [`draft::Draft`], which may then deviate; [`read`] says what an answer means. Both are
//! pure. What takes several exchanges (a DPoP nonce, an MCP session) goes over a [`crate::transport::Carrier`] and gives back its
//! exchanges. What we asked is [`Asked`], what the server said is [`Said`]: nothing that a server sends can take the place of a fact of ours.

pub mod answer;
pub mod asked;
pub mod auth;
pub mod discover;
pub mod dpop;
pub mod draft;
pub mod issuer;
pub mod keys;
pub mod listener;
pub mod mcp;
pub mod mint;
pub mod read;
pub mod redirect;
pub mod request;
pub mod request_object;
pub mod world;

pub use answer::{Answer, How, Said};
pub use asked::{Asked, Pkce};
pub use keys::Keys;
pub use world::{Missing, World};
