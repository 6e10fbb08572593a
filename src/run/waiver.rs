//! Waivers: failures somebody knows and accepts for a while, each with a reason.
//!
//! ```toml
//! [[waiver]]
//! case = "redirect.*"              # `*` stands for anything
//! reason = "fixed in 4.2, ticket 117"
//! expires = "2027-01-31"           # the last day it counts; optional
//! ```

use std::path::Path;
use std::sync::LazyLock;

use jiff::civil::Date;
use schemars::JsonSchema;
use toml::de::DeValue;

use crate::diagnostic::Diagnostics;
use crate::event::Verdict;
use crate::reader::{self, At, Reader, Shape, Table};

/// Known failures of a target that do not fail the run.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct WaiverFile {
    /// The waivers; none when everything is mended.
    pub waiver: Option<Vec<OneWaiverFile>>,
}

/// One waiver.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct OneWaiverFile {
    /// A case's id; `*` stands for any text: `redirect.*`.
    #[schemars(regex(pattern = r"^[a-z0-9.*/-]+$"))]
    pub case: String,
    /// Why the failure is accepted.
    pub reason: String,
    /// The last day it counts: `2027-01-31`.
    pub expires: Option<String>,
}

static SHAPES: LazyLock<[Shape; 2]> =
    LazyLock::new(|| [Shape::of::<WaiverFile>(), Shape::of::<OneWaiverFile>()]);

/// A known failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// A case's id, or a glob with `*`.
    pub case: String,
    /// Why it is accepted.
    pub reason: String,
    /// The last day it counts.
    pub expires: Option<Date>,
    /// `waivers.toml:3`, for messages.
    pub place: String,
}

impl Waiver {
    /// Whether the waiver is about this case.
    pub fn covers(&self, id: &str) -> bool {
        glob(&self.case, id)
    }

    /// Whether its time is over.
    pub fn has_expired(&self, today: Date) -> bool {
        self.expires.is_some_and(|last| today > last)
    }
}

/// The waivers of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waivers(pub Vec<Waiver>);

impl Waivers {
    /// Reads a waiver file.
    ///
    /// # Errors
    /// Every problem of the file.
    pub fn load(path: &Path) -> Result<Waivers, Diagnostics> {
        let text = reader::read_text(path)?;
        Waivers::load_str(&path.display().to_string(), &text)
    }

    /// [`Waivers::load`] for a text; `file` is the name that messages show.
    ///
    /// # Errors
    /// Every problem of the file.
    pub fn load_str(file: &str, text: &str) -> Result<Waivers, Diagnostics> {
        let reader = Reader::new(file, text);
        let waivers = reader.parse(text).map(|document| {
            let [whole, one] = &*SHAPES;
            let root = reader.root(&document, whole);
            let mut all: Vec<Waiver> = Vec::new();
            for table in root.tables("waiver", "a waiver", one).unwrap_or_default() {
                let Some(waiver) = waiver(&reader, &table) else {
                    continue;
                };
                if let Some(first) = all.iter().find(|old| old.case == waiver.case) {
                    reader
                        .error(&table.span, format!("`{}` is waived twice", waiver.case))
                        .note(format!("first in {}", first.place))
                        .help("keep one of them")
                        .report();
                }
                all.push(waiver);
            }
            Waivers(all)
        });
        match waivers {
            Some(waivers) if !reader.failed() => Ok(waivers),
            _ => Err(reader.finish()),
        }
    }

    /// The waiver that counts today for a case, the first in file order.
    pub fn matching(&self, id: &str, today: Date) -> Option<&Waiver> {
        self.0
            .iter()
            .find(|waiver| waiver.covers(id) && !waiver.has_expired(today))
    }

    /// Waivers that are no longer needed: cases they cover were decided, and none of them fails or
    /// warns. `decided` holds ids and verdicts before waivers; what could not be decided says nothing.
    pub fn stale(&self, decided: &[(&str, Verdict)]) -> Vec<&Waiver> {
        self.0
            .iter()
            .filter(|waiver| {
                let mut covered = decided
                    .iter()
                    .filter(|(id, _)| waiver.covers(id))
                    .map(|(_, verdict)| *verdict)
                    .filter(|v| matches!(v, Verdict::Pass | Verdict::Fail | Verdict::Warn))
                    .peekable();
                covered.peek().is_some() && covered.all(|verdict| verdict == Verdict::Pass)
            })
            .collect()
    }

    /// Waivers that cover no case at all, when `ids` are the ids of every case there is.
    pub fn unknown<'a>(&self, ids: impl Iterator<Item = &'a str> + Clone) -> Vec<&Waiver> {
        self.0
            .iter()
            .filter(|waiver| !ids.clone().any(|id| waiver.covers(id)))
            .collect()
    }
}

fn waiver(reader: &Reader, table: &Table<'_, '_>) -> Option<Waiver> {
    let case = table.text("case");
    let reason = table.owned("reason");
    let expires = expires(reader, table);
    let case = case?;
    let fits = |byte: u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || matches!(byte, b'.' | b'*' | b'/' | b'-')
    };
    if !case.value.bytes().all(fits) {
        reader
            .error(&case.span, format!("`{}` is no case id", case.value))
            .help("write an id such as \"pkce.plain-rejected\"; `*` stands for any text: \"redirect.*\"")
            .report();
    } else if case.value.bytes().all(|byte| byte == b'*') {
        reader
            .error(&case.span, "this waives every case")
            .help("name the cases that are known to fail")
            .report();
    }
    Some(Waiver {
        case: case.value.to_owned(),
        reason: reason?,
        expires: expires.map(|date| date.value),
        place: format!("{}:{}", reader.file(), reader.line(&case.span)),
    })
}

/// A date, as a string or as TOML's own.
fn expires(reader: &Reader, table: &Table<'_, '_>) -> Option<At<Date>> {
    let entry = table.entry("expires")?;
    let text = match entry.value {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        other => reader::kind(other).to_owned(),
    };
    // Only the plain form: jiff would take a time behind the date as well.
    let date = (text.len() == 10)
        .then(|| text.parse::<Date>().ok())
        .flatten();
    if date.is_none() {
        reader
            .error(&entry.span, format!("`{text}` is no date"))
            .help("write year, month and day: expires = \"2027-01-31\"")
            .report();
    }
    date.map(|value| At {
        value,
        span: entry.span.clone(),
    })
}

/// Whether `text` matches `pattern`, in which `*` stands for any text.
pub fn glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waivers(text: &str) -> Waivers {
        Waivers::load_str("waivers.toml", text).unwrap()
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text) in [
            ("redirect.*", "redirect.near-miss"),
            ("*.near-miss", "redirect.near-miss"),
            ("re*ct.n*s", "redirect.near-miss"),
            ("pkce.a", "pkce.a"),
            ("pkce.**", "pkce."),
        ] {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("redirect.*", "redirec.near"),
            ("pkce.a", "pkce.ab"),
            ("a*a", "a"),
            ("", "a"),
        ] {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_waiver_counts_up_to_its_last_day() {
        let waivers =
            waivers("[[waiver]]\ncase = \"pkce.*\"\nreason = \"known\"\nexpires = 2027-01-31\n");
        let day = |text: &str| text.parse::<Date>().unwrap();
        assert!(waivers.matching("pkce.plain", day("2027-01-31")).is_some());
        assert!(waivers.matching("pkce.plain", day("2027-02-01")).is_none());
        assert!(waivers.matching("iss.error", day("2027-01-31")).is_none());
    }

    #[test]
    fn a_waiver_is_stale_once_nothing_it_covers_fails() {
        let waivers = waivers(
            "[[waiver]]\ncase = \"pkce.*\"\nreason = \"x\"\n[[waiver]]\ncase = \"iss.error\"\nreason = \"y\"\n",
        );
        let stale = |decided: &[(&str, Verdict)]| -> Vec<String> {
            let stale = waivers.stale(decided);
            stale.iter().map(|waiver| waiver.case.clone()).collect()
        };
        assert_eq!(
            stale(&[("pkce.a", Verdict::Pass), ("pkce.b", Verdict::Fail)]),
            Vec::<String>::new()
        );
        assert_eq!(
            stale(&[("pkce.a", Verdict::Pass), ("iss.error", Verdict::Warn)]),
            ["pkce.*"]
        );
        // Nothing was learnt, so nothing is said.
        assert!(
            stale(&[
                ("pkce.a", Verdict::Inconclusive),
                ("iss.error", Verdict::Skipped)
            ])
            .is_empty()
        );
        assert_eq!(waivers.unknown(["pkce.a"].into_iter()).len(), 1);
    }
}
