//! How a secret may be written, and what is shown in its place.

use std::sync::LazyLock;

use base64::Engine as _;

use super::SHORTEST_PART;

/// How a secret may stand in a text: as it is, percent-encoded (also twice, in a URL within a URL), as
/// JSON and HTML write it, and inside something that was base64-encoded.
pub(super) fn spellings(secret: &str) -> Vec<String> {
    let encoded = wire::form::encode_component(secret.as_bytes());
    let mut all = vec![
        secret.to_owned(),
        encoded.replace("%20", "+"),
        wire::form::encode_component(encoded.as_bytes()),
        encoded,
    ];
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    if !secret.bytes().all(plain) {
        all.extend(all.clone().iter().map(|one| lower_escapes(one)));
        let json = serde_json::Value::String(secret.to_owned()).to_string();
        let json = json
            .trim_start_matches('"')
            .trim_end_matches('"')
            .to_owned();
        all.push(json.replace('/', "\\/"));
        all.push(json);
        let html = secret
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        all.push(html.replace('"', "&quot;").replace('\'', "&#39;"));
    }
    // Base64 of three bytes is four letters, so there are three ways to begin.
    for skipped in 0..3 {
        let inner = secret.as_bytes().get(skipped..).unwrap_or_default();
        let whole = inner.get(..inner.len() / 3 * 3).unwrap_or_default();
        let standard = base64::engine::general_purpose::STANDARD.encode(whole);
        if standard.len() >= SHORTEST_PART {
            all.push(standard.replace('+', "-").replace('/', "_"));
            all.push(standard);
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// `%2B` as `%2b`.
pub(super) fn lower_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut escape = 0;
    for letter in text.chars() {
        if letter == '%' {
            escape = 3;
        }
        out.push(if escape > 0 {
            letter.to_ascii_lowercase()
        } else {
            letter
        });
        escape = i32::max(escape - 1, 0);
    }
    out
}

/// Replaces a value where no letter or digit is beside it.
pub(super) fn alone(text: &str, value: &str, shown: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(value) {
        let (before, found) = rest.split_at(at);
        let after = found.get(value.len()..).unwrap_or_default();
        let last = before.chars().next_back().or(out.chars().next_back());
        let joined = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
        out.push_str(before);
        let hidden = !joined(last) && !joined(after.chars().next());
        out.push_str(if hidden { shown } else { value });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Makes the hashes of this process's masks its own: the hash of a password that is shown in a report
/// must not let anybody try out passwords against it.
static SALT: LazyLock<String> = LazyLock::new(|| jose::random_token(16));

/// `abcd…[code 43 1f2e3d4c]`: enough to tell two secrets apart, not enough to use one. The hash tells
/// them apart within one run only.
pub(super) fn mask(secret: &str, what: &str) -> String {
    let salted = format!("{}{secret}", *SALT);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, salted.as_bytes());
    let hash: String = digest
        .as_ref()
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let shown = if secret.len() >= 20 { 4 } else { 0 };
    let prefix: String = secret.chars().take(shown).collect();
    format!("{prefix}…[{what} {} {hash}]", secret.len())
}
