//! The suites that are part of the binary.

/// Path in the repository and text of every file of `suites/`, in the order they are run.
pub const SUITES: &[(&str, &str)] = &[];
