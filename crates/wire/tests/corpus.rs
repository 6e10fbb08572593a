//! The seeds of the fuzz targets, replayed on every test run.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop at the first thing that is not as it should be"
)]

use std::path::{Path, PathBuf};
use wire::fuzzing::{TARGETS, incomplete, replay};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

#[test]
fn every_seed_passes_the_body_of_its_target() {
    match replay(&fuzz().join("corpus"), &TARGETS) {
        Ok(replayed) => assert!(replayed >= TARGETS.len()),
        Err(message) => panic!("{message}"),
    }
}

#[test]
fn a_target_without_a_corpus_is_an_error() {
    let message = replay(&fuzz().join("corpus"), &[("no_such_target", |_| ())]).unwrap_err();
    assert!(
        message.contains("no_such_target has no corpus"),
        "{message}"
    );
}

#[test]
fn a_seed_that_fails_is_named() {
    let message = replay(
        &fuzz().join("corpus"),
        &[("form", |_| panic!("on purpose"))],
    )
    .unwrap_err();
    assert!(message.contains("target form fails on"), "{message}");
}

#[test]
fn every_target_is_built_by_cargo_fuzz() {
    let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    let missing = incomplete(&fuzz(), "wire::fuzzing", &names);
    assert!(missing.is_empty(), "{missing:#?}");
    // Were nothing ever missing, the test would not look.
    let missing = incomplete(&fuzz(), "wire::fuzzing", &["no_such_target"]);
    assert_eq!(missing.len(), 2, "{missing:#?}");
}
