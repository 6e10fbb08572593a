//! Suite files: model, loader, lint, JSON Schema.

pub mod builtin;
mod change;
mod expect;
pub mod file;
mod lint;
pub mod load;
pub mod model;
mod needs;
mod read;
pub mod refs;
pub mod template;
pub mod words;

pub use load::{Known, load_paths, load_str};
