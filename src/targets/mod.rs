//! Target files: what is tested, how to log in, its policy.

mod access;
pub mod file;
pub mod gaps;
pub mod load;
mod mask;
mod mint;
pub mod model;
mod read;
pub mod reference;
mod who;

pub use load::{Loaded, from_issuer, load};
