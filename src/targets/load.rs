//! Target files: text in, [`Target`] out, or every problem at once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::{DeTable, DeValue};
use url::Url;

use super::gaps::stand_in;
use super::mask::mask;
use super::model::{Endpoints, Login, Policy, Target};
use super::read::{Pieces, SHAPES};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::reader::{self, Reader, Span};

/// A target, and what its author should know.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Ready to be tested.
    pub target: Target,
    /// A secret in the file, http without loopback: used all the same.
    pub warnings: Vec<Diagnostic>,
}

/// What every value in a target file may grow to once environment variables are put in.
const MAX_VALUE_BYTES: usize = 64 * 1024;

/// Where values outside the file come from.
pub struct Surroundings<'a> {
    /// Looks up an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The folder that `secret.file` is relative to and must stay in; `None` when there is none.
    pub folder: Option<&'a Path>,
}

/// Reads a target file from disk, with the process's environment.
///
/// # Errors
/// Every problem of the file.
pub fn load(path: &Path) -> Result<Loaded, Diagnostics> {
    let text = reader::read_text(path)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let env = |name: &str| std::env::var(name).ok();
    load_str(
        &path.display().to_string(),
        &text,
        &Surroundings {
            env: &env,
            folder: Some(&folder),
        },
    )
}

/// Reads a target file. `file` is the name that messages show.
///
/// # Errors
/// Every problem of the file.
pub fn load_str(file: &str, text: &str, around: &Surroundings<'_>) -> Result<Loaded, Diagnostics> {
    // A message quotes lines, and it may end in the log of a CI.
    let reader = Reader::new(file, text).quoting(&mask(text));
    let target = reader.parse(text).and_then(|mut document| {
        substitute(&reader, around, text, document.get_mut());
        let root = reader.root(&document, &SHAPES.target);
        Pieces {
            reader: &reader,
            text,
            around,
        }
        .target(&root)
    });
    let failed = reader.failed();
    let found = reader.finish();
    match target {
        Some(target) if !failed => Ok(Loaded {
            target,
            warnings: found.0,
        }),
        _ => Err(found),
    }
}

/// A target that is only an issuer: everything else comes from discovery, and nothing that needs a
/// client or a login runs.
///
/// # Errors
/// What is wrong with the URL.
pub fn from_issuer(issuer: &str) -> Result<Target, Diagnostics> {
    if let Err(why) = issuer_url(issuer) {
        return Err(Diagnostic::file(issuer, format!("the issuer {why}"))
            .with_help(
                "give an issuer as https://as.example, the path of a target file, or `reference`",
            )
            .into());
    }
    Ok(Target {
        name: issuer.to_owned(),
        source: None,
        issuer: issuer.to_owned(),
        profiles: vec![crate::profile::DEFAULT.to_owned()],
        clients: Vec::new(),
        resources: Vec::new(),
        users: Vec::new(),
        login: Login::default(),
        policy: silent(),
        endpoints: Endpoints::default(),
        introspection_client: None,
        rar: Vec::new(),
        params: Vec::new(),
        departures: Vec::new(),
        hosts: Vec::new(),
        network: crate::transport::Network::default()
            .with_environment(&|name| std::env::var(name).ok()),
        mint: None,
    })
}

/// The policy of a server that declares nothing.
pub(crate) fn silent() -> Policy {
    Policy {
        scope: None,
        revocation_lag: Duration::ZERO,
        replay_grace: Duration::ZERO,
        token_body_json: false,
        resource_required: false,
        pkce_optional: false,
        state_required: false,
        burst: false,
        consent_remembered: false,
        rar: None,
        error_aliases: Vec::new(),
        times: Vec::new(),
    }
}

/// An http(s) URL with a host and without query or fragment (RFC 8414 §2); the reason when it is none.
pub(super) fn issuer_url(issuer: &str) -> Result<Url, String> {
    let url = Url::parse(issuer).map_err(|why| format!("is no absolute URL ({why})"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err("is no http(s) URL".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or a fragment (RFC 8414 §2 forbids both)".to_owned());
    }
    Ok(url)
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

// --- environment ------------------------------------------------------------------------------

/// Puts environment variables in place of `${NAME}`, in every string of the document.
fn substitute(reader: &Reader, around: &Surroundings<'_>, text: &str, table: &mut DeTable<'_>) {
    for (_, value) in table.iter_mut() {
        substitute_value(reader, around, text, value);
    }
}

fn substitute_value(
    reader: &Reader,
    around: &Surroundings<'_>,
    text: &str,
    value: &mut toml::Spanned<DeValue<'_>>,
) {
    let span = value.span();
    match value.get_mut() {
        DeValue::String(string) if string.contains("${") => {
            *string = expand(reader, around, text, string, &span).into();
        }
        DeValue::Array(list) => {
            for item in list.iter_mut() {
                substitute_value(reader, around, text, item);
            }
        }
        DeValue::Table(table) => substitute(reader, around, text, table),
        _ => {}
    }
}

fn expand(
    reader: &Reader,
    around: &Surroundings<'_>,
    file: &str,
    text: &str,
    span: &Span,
) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        if out.ends_with('$') {
            // `$${NAME}` stands for itself.
            out.push('{');
            rest = after;
            continue;
        }
        let Some((name, after)) = after.split_once('}') else {
            reader
                .error(span, "`${` without `}`")
                .help("write ${NAME} for an environment variable, $${ for these two characters")
                .report();
            return out;
        };
        let fits = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if fits {
            match (around.env)(name) {
                Some(value) if out.len() + value.len() <= MAX_VALUE_BYTES => out.push_str(&value),
                Some(_) => reader
                    .error(
                        span,
                        format!("the environment variable `{name}` is too long"),
                    )
                    .help("values of up to 64 KiB are taken")
                    .report(),
                None => {
                    unset(reader, name, span);
                    // What is wrong is that it is missing, not what the value is without it.
                    out.push_str(&stand_in(file, name));
                }
            }
        } else {
            reader
                .error(
                    span,
                    format!("`{name}` is no name of an environment variable"),
                )
                .help("write ${NAME} for an environment variable, $${ for these two characters")
                .report();
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

pub(super) fn unset(reader: &Reader, name: &str, span: &Span) {
    reader
        .error(
            span,
            format!("the environment variable `{name}` is not set"),
        )
        .help(format!("set it before you start: export {name}=…"))
        .report();
}
