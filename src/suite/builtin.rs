//! The suites that are part of the binary.

macro_rules! suites {
    ($($file:literal,)*) => {
        &[$(($file, include_str!(concat!("../../", $file))),)*]
    };
}

/// Path in the repository and text of every file of `suites/`, in the order they are run.
pub const SUITES: &[(&str, &str)] = suites![
    "suites/as-meta.toml",
    "suites/authz.toml",
    "suites/redirect.toml",
    "suites/pkce.toml",
    "suites/iss.toml",
    "suites/token.toml",
    "suites/refresh.toml",
];
