//! The readers and writers as the targets call them. Built with `--cfg planted`, each has one bug, so that a target
//! that would notice nothing is noticed itself; see `fuzz/README.md`.

use crate::diagnostic::Diagnostics;
use crate::login::html::{self, Page};
use crate::run::waiver::Waivers;
use crate::suite::model::Suite;
use crate::suite::{self, Known};
use crate::targets::load::{Loaded, Surroundings, load_str};

const PLANTED: bool = cfg!(planted);

/// Bug: the reason of a case loses the full stop at its end.
pub(super) fn suite_file(text: &str, known: &Known<'_>) -> Result<Suite, Diagnostics> {
    let mut suite = suite::load_str("suite.toml", text, known)?;
    for case in suite.cases.iter_mut().filter(|_| PLANTED) {
        case.why.truncate(case.why.trim_end_matches('.').len());
    }
    Ok(suite)
}

/// Bug: a hyphen in a client's name becomes an underscore.
pub(super) fn target_file(text: &str, around: &Surroundings<'_>) -> Result<Loaded, Diagnostics> {
    let mut loaded = load_str("target.toml", text, around)?;
    for client in loaded.target.clients.iter_mut().filter(|_| PLANTED) {
        client.name = client.name.replace('-', "_");
    }
    Ok(loaded)
}

/// Bug: a reason loses its digits.
pub(super) fn waiver_file(text: &str) -> Result<Waivers, Diagnostics> {
    let mut waivers = Waivers::load_str("waivers.toml", text)?;
    for waiver in waivers.0.iter_mut().filter(|_| PLANTED) {
        waiver.reason.retain(|c| !c.is_ascii_digit());
    }
    Ok(waivers)
}

/// Bug: a tab is written as a space.
pub(super) fn finding_file(text: String) -> String {
    if PLANTED {
        text.replace("\\t", " ")
    } else {
        text
    }
}

/// Bug: a value loses the spaces at its end.
pub(super) fn login_page(html: &str, base: &str) -> Page {
    let mut page = html::read(html, base);
    let fields = page.forms.iter_mut().flat_map(|form| &mut form.fields);
    for field in fields.filter(|_| PLANTED) {
        field.value.truncate(field.value.trim_end().len());
    }
    page
}

/// Bug: what would end a CDATA section is written without its last character.
pub(super) fn written(text: &str) -> String {
    if PLANTED {
        text.replace("]]>", "]]")
    } else {
        text.to_owned()
    }
}
