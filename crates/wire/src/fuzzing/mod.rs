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
mod yours;

pub use documents::{as_metadata, json, jwks, jwt, prm_metadata, rar};
pub use fields::{challenge, cookie, form, http1, location, query, redirect_uri};
pub use yours::{Query, check_query_parser};

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// A target's name and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this crate. `fuzz/fuzz_targets/NAME.rs` and `fuzz/corpus/NAME/` go with each.
pub const TARGETS: [Target; 13] = [
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
    ("query", query),
    ("rar", rar),
    ("redirect_uri", redirect_uri),
];

/// No seed is longer, so that replaying stays quick.
pub const LONGEST_SEED: usize = 100 * 1024;

/// The seeds of one target together, in bytes.
pub const LARGEST_CORPUS: u64 = 1024 * 1024;

/// Seeds of one target that are replayed: all of them, but Miri takes a thousand times as long.
const MOST_SEEDS: usize = if cfg!(miri) { 6 } else { usize::MAX };

/// Replays the seeds in `corpus/NAME/` through the body of each target and gives back how many
/// there were; else a message that names the target, and the seed where it is one's fault.
pub fn replay(corpus: &Path, targets: &[Target]) -> Result<usize, String> {
    let mut replayed = 0;
    for (name, body) in targets {
        let folder = corpus.join(name);
        let entries = fs::read_dir(&folder)
            .map_err(|e| format!("target {name} has no corpus {}: {e}", folder.display()))?;
        let before = replayed;
        for entry in entries.take(MOST_SEEDS) {
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

/// What cargo-fuzz lacks of these targets, whose bodies are functions of the module `bodies`: a source that calls the
/// body, a `[[bin]]`, a dictionary, a corpus of at most [`LARGEST_CORPUS`]. `fuzz` is the folder of `Cargo.toml`.
pub fn incomplete(fuzz: &Path, bodies: &str, names: &[&str]) -> Vec<String> {
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap_or_default();
    let mut missing = Vec::new();
    for name in names {
        let calls = |source: &String| {
            let text = fs::read_to_string(fuzz.join(source)).unwrap_or_default();
            text.contains(&format!("{bodies}::{name}(")) && manifest.contains(source.as_str())
        };
        let sources = [
            format!("fuzz_targets/{name}.rs"),
            format!("fuzz_targets/whole/{name}.rs"),
        ];
        if !sources.iter().any(calls) {
            missing.push(format!("no target and [[bin]] that call {bodies}::{name}"));
        }
        if !fuzz.join(format!("dict/{name}.dict")).is_file() {
            missing.push(format!("no dictionary dict/{name}.dict"));
        }
        let seeds = fs::read_dir(fuzz.join("corpus").join(name)).into_iter();
        let bytes: u64 = seeds
            .flatten()
            .filter_map(|seed| Some(seed.ok()?.metadata().ok()?.len()))
            .sum();
        if bytes > LARGEST_CORPUS {
            missing.push(format!(
                "corpus/{name} has {bytes} bytes, more than {LARGEST_CORPUS}"
            ));
        }
    }
    missing
}
