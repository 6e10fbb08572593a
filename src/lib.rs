//! A conformance harness and fuzzer for OAuth 2.1 authorization servers and resource servers.
//!
//! Four ideas carry it. A case is the correct flow, minus one thing. A green must be earned by a
//! control. Every case can go red. Flows are data, meaning is code.
//!
//! Which folder may import from which is written down in `docs/design.md`, and a test keeps it.

pub mod check;
pub mod cli;
pub mod client;
pub mod diagnostic;
pub mod doctor;
pub mod event;
pub mod exit;
pub mod flow;
pub mod fuzz;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod login;
pub mod profile;
mod reader;
pub mod report;
pub mod run;
pub mod schema;
pub mod selftest;
pub mod suite;
pub mod targets;
pub mod transport;
