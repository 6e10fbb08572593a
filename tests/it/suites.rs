//! Every suite file of the repository loads, and is part of the binary.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use oauthspec::suite::refs::DERIVED;
use oauthspec::suite::{Known, builtin, load};

use crate::pinned::every_suite;

/// What the binary knows.
pub fn with_known<T>(act: impl FnOnce(&Known<'_>) -> T) -> T {
    let forges = jose::forgeries();
    act(&Known {
        checks: oauthspec::check::NAMES,
        forges: &forges,
    })
}

#[test]
fn every_suite_file_loads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites");
    let suites = with_known(|known| load::load_path(&folder, known));
    match suites {
        Ok(suites) => assert!(suites.iter().map(|suite| suite.cases.len()).sum::<usize>() > 10),
        Err(problems) => panic!("{} problems\n\n{problems}", problems.0.len()),
    }
}

#[test]
fn every_suite_file_is_part_of_the_binary() {
    fn files(folder: &Path, root: &Path, all: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, root, all);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                all.push(name.replace('\\', "/"));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files(&root.join("suites"), root, &mut found);
    found.sort();
    let mut listed: Vec<&str> = builtin::SUITES.iter().map(|(file, _)| *file).collect();
    listed.sort_unstable();
    assert_eq!(
        listed, found,
        "list the files of suites/ in src/suite/builtin.rs, in the order they are to be run"
    );
}

/// Nobody can see that a section's number is wrong; so each is looked up once, and written down.
#[test]
fn every_section_that_a_case_cites_was_looked_up() {
    type Sections = BTreeMap<String, BTreeMap<String, Vec<String>>>;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/catalogue/sections.toml");
    let groups: Sections = toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut listed = BTreeSet::new();
    for (document, sections) in groups.values().flatten() {
        for section in sections {
            let entry = format!("{document}#{section}");
            assert!(listed.insert(entry.clone()), "{entry} stands there twice");
        }
    }
    let mut problems = Vec::new();
    let mut cited = BTreeSet::new();
    for case in every_suite().iter().flat_map(|suite| &suite.cases) {
        for reference in case.refs.iter().filter(|reference| *reference != DERIVED) {
            cited.insert(reference.clone());
            if !listed.contains(reference) {
                problems.push(format!(
                    "{} cites {reference}: compare the section's heading and text with the case, then add it",
                    case.id
                ));
            }
        }
    }
    let stale = listed.difference(&cited);
    problems.extend(stale.map(|entry| format!("no case cites {entry}: take it out")));
    assert!(
        problems.is_empty(),
        "fixtures/catalogue/sections.toml\n{}",
        problems.join("\n")
    );
}
