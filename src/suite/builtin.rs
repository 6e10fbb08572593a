//! The suites that are part of the binary.

macro_rules! suites {
    ($($file:literal,)*) => {
        &[$(($file, include_str!(concat!("../../", $file))),)*]
    };
}

/// The suites that test what specifications demand: those of `suites/` itself.
pub fn generic() -> impl Iterator<Item = &'static str> {
    SUITES.iter().filter_map(|(file, _)| {
        let name = file.strip_prefix("suites/")?.strip_suffix(".toml")?;
        (!name.contains('/')).then_some(name)
    })
}

/// The suites that test what a service promises: those of `suites/services/`.
pub fn services() -> impl Iterator<Item = &'static str> {
    SUITES
        .iter()
        .filter_map(|(file, _)| file.strip_prefix("suites/services/")?.strip_suffix(".toml"))
}

/// Path in the repository and text of every file of `suites/`, in the order they are run.
pub const SUITES: &[(&str, &str)] = suites![
    "suites/as-meta.toml",
    "suites/prm.toml",
    "suites/tls.toml",
    "suites/http.toml",
    "suites/authz.toml",
    "suites/redirect.toml",
    "suites/pkce.toml",
    "suites/par.toml",
    "suites/jar.toml",
    "suites/cimd.toml",
    "suites/iss.toml",
    "suites/scope.toml",
    "suites/resource.toml",
    "suites/token.toml",
    "suites/refresh.toml",
    "suites/rs.toml",
    "suites/jwt.toml",
    "suites/revoke.toml",
    "suites/intro.toml",
    "suites/rar.toml",
    "suites/dcr.toml",
    "suites/dcrm.toml",
    "suites/device.toml",
    "suites/dpop.toml",
    "suites/mcp.toml",
    "suites/robust.toml",
    "suites/services/hightop.toml",
    "suites/services/hasp.toml",
    "suites/services/agnicpay.toml",
];
