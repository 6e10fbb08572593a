//! Every suite file of the repository loads, and is part of the binary.

use std::path::Path;

use oauthspec::suite::{Known, builtin, load};

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
