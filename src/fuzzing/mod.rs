//! The bodies of the fuzz targets of this crate: what people write (suites, targets, waivers), what is written for
//! them (findings, reports), and the pages of a login. The same functions serve `cargo fuzz` (see `fuzz/README.md`)
//! and the tests. Behind the feature `fuzzing`, because they need other readers than the product does.

// Asserting is what these functions are for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod files;
pub(crate) mod finding;
mod page;
mod planted;
pub(crate) mod report;
#[cfg(test)]
mod tests;

pub use files::{suite_file, target_file, waiver_file};
pub use finding::finding_file;
pub use page::login_page;
pub use report::report;
// An implementer's own parser under the properties of ours: see `examples/query-parser`.
pub use wire::fuzzing::{Target, check_query_parser};

/// Every target of this crate; `fuzz/fuzz_targets/NAME.rs` and `fuzz/corpus/NAME/` go with each.
pub const TARGETS: [Target; 6] = [
    ("finding_file", finding_file),
    ("login_page", login_page),
    ("report", report),
    ("suite_file", suite_file),
    ("target_file", target_file),
    ("waiver_file", waiver_file),
];

/// A number that any change of the bytes changes, by which a fuzzer's executions are shared out.
fn number(data: &[u8]) -> usize {
    let mix = |number: usize, byte: &u8| number.wrapping_mul(31).wrapping_add(usize::from(*byte));
    data.iter().fold(data.len(), mix) >> 3
}

/// Bytes that are no UTF-8 are refused before a reader sees them.
fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}
