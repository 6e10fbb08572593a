//! Profiles: named, frozen sets of cases, each with the level at which it binds there.
//!
//! The specifications disagree (draft -16 of OAuth 2.1 forbids PKCE's `plain`, RFC 9700 advises against it), and the catalogue grows. So a run is
//! judged by a profile: a case that no chosen profile lists is not run, and a case binds at the level the profile gives it. A profile that was
//! published does not change; what is new goes into the next one, and nobody who was green turns red overnight.
//!
//! The files are `profiles/NAME.toml`. Two kinds of suites are not judged by them: those of services, which are promises and judged where the target
//! names the service, and suite files of the user's own, which say themselves how binding they are.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;

use crate::event::Level;
use crate::suite::builtin;
use crate::suite::model::{Case, Suite};

/// The whole catalogue, each case at the level its suite gives it. Not frozen: for people who want to see everything, and for the self-test.
pub const CATALOGUE: &str = "catalogue";

/// The profile of a target that names none.
pub const DEFAULT: &str = "oauth21";

/// A named set of cases.
#[derive(Debug, Clone)]
pub struct Profile {
    /// `oauth21`.
    pub name: String,
    /// What it stands for, with the revision it is pinned to.
    pub title: String,
    /// How it differs from the others, in a few sentences.
    pub about: String,
    /// Case, or `case/variant`, and how binding it is here.
    levels: BTreeMap<String, Level>,
}

impl Profile {
    /// How binding a case is here; `None` when this profile does not judge it.
    #[must_use]
    pub fn level(&self, case: &str) -> Option<Level> {
        self.levels.get(case).copied()
    }

    /// How many cases it judges.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cases().count()
    }

    /// Whether it judges nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// The ids of the cases it judges, in alphabetical order.
    pub fn cases(&self) -> impl Iterator<Item = &str> {
        let cases = self.levels.keys().filter(|id| !id.contains('/'));
        cases.map(String::as_str)
    }
}

/// `profiles/NAME.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    profile: String,
    title: String,
    about: String,
    #[serde(default)]
    must: Vec<String>,
    #[serde(default)]
    should: Vec<String>,
    #[serde(default)]
    may: Vec<String>,
}

macro_rules! profiles {
    ($($name:literal,)*) => {
        &[$(include_str!(concat!("../profiles/", $name, ".toml")),)*]
    };
}

const FILES: &[&str] = profiles![
    "oauth21",
    "rfc6749+9700",
    "mcp-2026-07-28",
    "mcp-2025-11-25",
];

static ALL: LazyLock<Vec<Profile>> =
    LazyLock::new(|| FILES.iter().filter_map(|text| read(text)).collect());

/// Every profile that is a file. `catalogue` is none.
#[must_use]
pub fn all() -> &'static [Profile] {
    &ALL
}

/// The profile of that name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Profile> {
    all().iter().find(|profile| profile.name == name)
}

/// What `--profile` and a target's `profiles` may name: profiles, services, and the whole catalogue.
#[must_use]
pub fn names() -> Vec<&'static str> {
    let files = all().iter().map(|profile| profile.name.as_str());
    files
        .chain(builtin::services())
        .chain([CATALOGUE])
        .collect()
}

/// The files are part of the binary and a test reads each, so one that cannot be read is not met here.
fn read(text: &str) -> Option<Profile> {
    let file: File = toml::from_str(text).ok()?;
    let levels = [
        (Level::Must, file.must),
        (Level::Should, file.should),
        (Level::May, file.may),
    ];
    let levels = levels
        .into_iter()
        .flat_map(|(level, ids)| ids.into_iter().map(move |id| (id, level)));
    Some(Profile {
        name: file.profile,
        title: file.title,
        about: file.about,
        levels: levels.collect(),
    })
}

/// What these profiles make of the suites: cases that none of them lists are left out, the others bind at the strictest level that one of them
/// gives. Names that are no profile (those of services) change nothing.
#[must_use]
pub fn judged<'s>(suites: &'s [Suite], names: &[String]) -> Cow<'s, [Suite]> {
    let chosen: Vec<&Profile> = names.iter().filter_map(|name| named(name)).collect();
    if chosen.is_empty() || names.iter().any(|name| name == CATALOGUE) {
        return Cow::Borrowed(suites);
    }
    let generic: BTreeSet<&str> = builtin::generic().collect();
    let judge = |suite: &Suite| {
        let mut suite = suite.clone();
        if generic.contains(suite.name.as_str()) {
            suite.cases = suite
                .cases
                .into_iter()
                .filter_map(|case| bind(case, &chosen))
                .collect();
        }
        suite
    };
    suites.iter().map(judge).collect()
}

fn bind(mut case: Case, profiles: &[&Profile]) -> Option<Case> {
    let strictest = |id: &str| {
        profiles
            .iter()
            .filter_map(|profile| profile.level(id))
            .max()
    };
    case.level = strictest(&case.id)?;
    for variant in &mut case.variants {
        let own = strictest(&format!("{}/{}", case.id, variant.name));
        // A variant that the suite makes less binding than its case stays so.
        variant.level = own.or(variant.level.map(|level| level.min(case.level)));
    }
    Some(case)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::load::{Known, load_builtin};

    fn builtin_suites() -> Vec<Suite> {
        let forges = jose::forgeries();
        let known = Known {
            checks: crate::check::NAMES,
            forges: &forges,
        };
        load_builtin(&known).unwrap()
    }

    #[test]
    fn every_profile_is_read_and_names_cases_that_exist_once() {
        assert_eq!(all().len(), FILES.len(), "a profile file cannot be read");
        let suites = builtin_suites();
        let cases: Vec<&Case> = suites.iter().flat_map(|suite| &suite.cases).collect();
        for (profile, text) in all().iter().zip(FILES) {
            let file: File = toml::from_str(text).unwrap();
            let listed = [file.must, file.should, file.may].concat();
            let distinct: BTreeSet<&String> = listed.iter().collect();
            assert_eq!(
                distinct.len(),
                listed.len(),
                "{}: a case is listed twice",
                profile.name
            );
            for id in &listed {
                let (case, variant) = id.split_once('/').unwrap_or((id, ""));
                let known = cases.iter().any(|known| {
                    known.id == case
                        && (variant.is_empty()
                            || known.variants.iter().any(|one| one.name == variant))
                });
                assert!(known, "{}: there is no {id}", profile.name);
            }
        }
    }

    #[test]
    fn no_generic_case_is_forgotten() {
        let generic: BTreeSet<&str> = builtin::generic().collect();
        let forgotten: Vec<String> = builtin_suites()
            .iter()
            .filter(|suite| generic.contains(suite.name.as_str()))
            .flat_map(|suite| &suite.cases)
            .filter(|case| {
                all()
                    .iter()
                    .all(|profile| profile.level(&case.id).is_none())
            })
            .map(|case| case.id.clone())
            .collect();
        assert!(forgotten.is_empty(), "in no profile: {forgotten:?}");
    }

    #[test]
    fn a_profile_chooses_cases_and_levels_and_the_strictest_of_two_counts() {
        let suites = builtin_suites();
        let level = |names: &[&str], id: &str| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            let judged = judged(&suites, &names);
            let mut cases = judged.iter().flat_map(|suite| &suite.cases);
            cases.find(|case| case.id == id).map(|case| case.level)
        };
        let plain = "pkce.plain-rejected";
        assert_eq!(level(&["oauth21"], plain), Some(Level::Must));
        assert_eq!(level(&["rfc6749+9700"], plain), Some(Level::Should));
        assert_eq!(
            level(&["rfc6749+9700", "oauth21"], plain),
            Some(Level::Must)
        );
        assert_eq!(level(&["oauth21"], "mcp.session-not-auth"), None);
    }
}
