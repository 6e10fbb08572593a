//! The wire fuzzer: stateful, black-box, for a live server.
pub mod connection;
pub mod dictionary;
pub mod drive;
pub mod finding;
pub mod model;
pub mod mutation;
pub mod operation;
pub mod oracle;
pub mod place;
pub mod play;
pub mod shrink;
pub mod strategy;
pub mod words;
