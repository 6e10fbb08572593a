//! One named check a concern: what the answer of a step means.
//!
//! Authors see `docs/checks.md`.

use crate::flow::Scene;

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// As it should be.
    Pass,
    /// A formal deviation.
    Warn,
    /// Broken.
    Fail,
    /// It could not be seen.
    Undecided,
    /// The check makes no sense for this answer.
    NotApplicable,
}

/// A check's result with the sentence that quotes what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was found.
    pub found: Found,
    /// Why.
    pub reason: String,
}

/// Every check's name.
pub const NAMES: &[&str] = &[];

/// Runs the named check on the scene's step number `at`.
pub async fn run(name: &str, scene: &mut Scene<'_>, at: usize) -> Finding {
    let _ = (scene, at);
    Finding {
        found: Found::Undecided,
        reason: format!("no check is called {name}"),
    }
}
