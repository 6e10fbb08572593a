//! The verbs of suite files, over the correct client ([`crate::client`]), with what a step arranges and what it changes.
//!
//! A [`Scene`] is one performance of a flow: its names, tokens, browser sessions and exchanges. `perform` fetches what a
//! step needs and carries it out, one file a verb; `ask` is the part that all verbs share. What an answer *means* for a case is
//! decided in [`crate::run`]; here it is only read ([`Answer`]).

mod ask;
pub mod audience;
mod authorize;
mod call;
mod change;
pub mod confirm;
mod device;
mod discover;
mod handshake;
mod http;
mod introspect;
pub mod names;
pub mod outcome;
mod perform;
mod person;
mod push;
mod register;
mod revoke;
pub mod scene;
mod token;

pub use crate::client::{Answer, How, World};
pub use confirm::{Confirmation, confirm};
pub use outcome::Outcome;
pub use scene::Scene;
