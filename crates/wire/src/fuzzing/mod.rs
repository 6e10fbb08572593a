//! The bodies of the fuzz targets: one function a reader, each asserting what must hold for every
//! input, not only that nothing panics.
//!
//! The same functions serve `cargo fuzz` (see `fuzz/README.md`) and the tests, which replay the
//! seed corpora through them. Behind the feature `fuzzing`, because they compare with other
//! readers that the product does not need here.

// Asserting is what these functions are for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod documents;
mod fields;
mod planted;

pub use documents::{as_metadata, json, jwks, jwt, prm_metadata, rar};
pub use fields::{challenge, cookie, form, http1, location, redirect_uri};

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// A target's name and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this crate. `fuzz/fuzz_targets/NAME.rs` and `fuzz/corpus/NAME/` go with each.
pub const TARGETS: [Target; 12] = [
    ("as_metadata", as_metadata),
    ("challenge", challenge),
    ("cookie", cookie),
    ("form", form),
    ("http1", http1),
    ("json", json),
    ("jwks", jwks),
    ("jwt", jwt),
    ("location", location),
    ("prm_metadata", prm_metadata),
    ("rar", rar),
    ("redirect_uri", redirect_uri),
];

/// No seed is longer, so that replaying stays quick.
pub const LONGEST_SEED: usize = 100 * 1024;

/// Replays the seeds in `corpus/NAME/` through the body of each target and gives back how many
/// there were; else a message that names the target, and the seed where it is one's fault. This is
/// the only function of the crate that reads files.
pub fn replay(corpus: &Path, targets: &[Target]) -> Result<usize, String> {
    let mut replayed = 0;
    for (name, body) in targets {
        let folder = corpus.join(name);
        let entries = fs::read_dir(&folder)
            .map_err(|e| format!("target {name} has no corpus {}: {e}", folder.display()))?;
        let before = replayed;
        for entry in entries {
            let path = entry
                .map_err(|e| format!("{}: {e}", folder.display()))?
                .path();
            let seed = fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            if seed.len() > LONGEST_SEED {
                return Err(format!(
                    "{} is longer than {LONGEST_SEED} bytes",
                    path.display()
                ));
            }
            if catch_unwind(AssertUnwindSafe(|| body(&seed))).is_err() {
                return Err(format!("target {name} fails on {}", path.display()));
            }
            replayed += 1;
        }
        if replayed == before {
            return Err(format!(
                "target {name} has an empty corpus {}",
                folder.display()
            ));
        }
    }
    Ok(replayed)
}
