//! Files that are wrong on purpose: each is refused with a message that says what is wrong, where,
//! and what to do next. The messages are pinned; after a change of wording run
//! `INSTA_UPDATE=always cargo test -p oauthspec --test it wrong_files` and read what changed.

use std::path::{Path, PathBuf};

use oauthspec::diagnostic::Diagnostics;
use oauthspec::run::waiver::Waivers;
use oauthspec::suite::Known;
use oauthspec::targets::load::{Surroundings, load_str};

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/wrong")
        .join(kind)
}

/// Loads every file of a folder and pins what is said about it. Returns how many there were.
fn pin(kind: &str, problems_of: impl Fn(&str, &str) -> Diagnostics) -> usize {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder(kind))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in &paths {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let problems = problems_of(&format!("{name}.toml"), &text);
        assert!(!problems.0.is_empty(), "{kind}/{name} is not wrong at all");
        assert_eq!(
            problems.has_errors(),
            !name.starts_with("warns-"),
            "{kind}/{name}: {problems}"
        );
        for problem in &problems.0 {
            assert!(
                problem.position().is_some(),
                "{kind}/{name} does not say where: {problem}"
            );
        }
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("wrong-{kind}-{name}"), problems.render(false));
        });
    }
    paths.len()
}

#[test]
fn wrong_suites_are_refused_with_a_way_out() {
    // Not what the binary knows: a new check must not change these messages.
    let known = Known {
        checks: &["state-echoed", "no-reflection"],
        forges: &["flip-middle", "jwt.alg-none"],
    };
    let files = pin("suite", |file, text| {
        oauthspec::suite::load_str(file, text, &known)
            .err()
            .unwrap_or_default()
    });
    assert!(files >= 24, "{files} files");
}

#[test]
fn wrong_targets_are_refused_with_a_way_out() {
    let env = |name: &str| match name {
        "PORT" => Some("8080".to_owned()),
        "APP_SECRET" => Some("from the environment".to_owned()),
        _ => None,
    };
    let folder = folder("target");
    let around = Surroundings {
        env: &env,
        folder: Some(&folder),
    };
    let files = pin("target", |file, text| match load_str(file, text, &around) {
        Ok(loaded) => Diagnostics(loaded.warnings),
        Err(problems) => problems,
    });
    assert!(files >= 18, "{files} files");
}

#[test]
fn wrong_waivers_are_refused_with_a_way_out() {
    let files = pin("waiver", |file, text| {
        Waivers::load_str(file, text).err().unwrap_or_default()
    });
    assert!(files >= 6, "{files} files");
}
