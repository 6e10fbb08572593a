//! Target files: what is tested, how to log in, its policy.

pub mod model;
