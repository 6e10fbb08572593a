//! Suite files: model, loader, lint, JSON Schema.

pub mod model;
