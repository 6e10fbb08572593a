//! Whether what an attack won can be used.

use super::Scene;

/// What using it showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmation {
    /// It works, and how that was seen.
    Works(String),
    /// It was accepted, but opens nothing.
    OfNoUse(String),
    /// It could not be seen.
    Unknown(String),
}

/// Uses what the step number `at` of the scene won.
pub async fn confirm(scene: &mut Scene<'_>, at: usize) -> Confirmation {
    let _ = (scene, at);
    Confirmation::Unknown("not confirmed by use".into())
}
