//! One file a verb: build the correct request, apply the deviation, read the answer.
//!
//! A [`Scene`] is one performance of a flow: its names, tokens, browser sessions and exchanges. A
//! [`World`] is what all scenes of a run share. What an answer *means* for a case is decided in
//! [`crate::run`]; here it is only read ([`Answer`]).

pub mod answer;
pub mod audience;
pub(crate) mod authorize;
pub(crate) mod call;
pub mod confirm;
pub(crate) mod device;
pub mod discover;
pub(crate) mod dpop;
pub mod draft;
mod handshake;
mod http;
mod introspect;
pub mod issuer;
pub mod listener;
pub(crate) mod mcp;
mod mint;
pub mod names;
mod push;
pub mod register;
pub(crate) mod revoke;
pub mod scene;
mod signed;
pub(crate) mod token;
pub mod world;

pub use answer::{Answer, How, Outcome};
pub use confirm::{Confirmation, confirm};
pub use scene::Scene;
pub use world::World;
