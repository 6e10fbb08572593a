//! For each fault, whether a server shows it: `false` for a correct server, `true` for one with that fault.
//!
//! One file for each part of the server. Every probe looks at what the fault's documentation says, over real sockets.

pub mod authorization;
pub mod device;
pub mod documents;
pub mod dpop;
pub mod mcp;
pub mod pushed;
pub mod redirect_uri;
pub mod registration;
pub mod resource_server;
pub mod revocation;
pub mod signed;
pub mod token_endpoint;
