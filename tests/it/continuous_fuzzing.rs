//! The files for continuous fuzzing elsewhere are what OSS-Fuzz and ClusterFuzzLite read, and fit `fuzz/`.

use std::path::{Path, PathBuf};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The instructions of a Dockerfile: word and rest.
fn instructions(text: &str) -> Vec<(&str, &str)> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').unwrap_or_else(|| panic!("{line:?}")))
        .collect()
}

/// `key: value` and `key:` with `  - item` lines: all that these files need of YAML.
fn settings(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if let Some(item) = line.strip_prefix("  - ") {
            found.last_mut().unwrap().1.push(item.to_owned());
        } else {
            let (key, value) = line.split_once(':').unwrap_or_else(|| panic!("{line:?}"));
            let value = value.trim();
            let values = if value.is_empty() {
                vec![]
            } else {
                vec![value.to_owned()]
            };
            found.push((key.to_owned(), values));
        }
    }
    found
}

#[test]
fn the_images_are_those_of_the_guides() {
    for (file, image) in [
        (
            ".clusterfuzzlite/Dockerfile",
            "gcr.io/oss-fuzz-base/base-builder-rust:v1",
        ),
        (
            "fuzz/oss-fuzz/Dockerfile",
            "gcr.io/oss-fuzz-base/base-builder-rust",
        ),
    ] {
        let text = read(file);
        let lines = instructions(&text);
        assert_eq!(lines.first(), Some(&("FROM", image)), "{file}");
        assert!(lines.contains(&("WORKDIR", "$SRC/oauthspec")), "{file}");
        let last = lines.last().unwrap();
        assert!(
            last.0 == "COPY" && last.1.ends_with("build.sh $SRC/"),
            "{file}: {last:?}"
        );
        let known = ["FROM", "RUN", "COPY", "WORKDIR", "ARG"];
        assert!(lines.iter().all(|(word, _)| known.contains(word)), "{file}");
    }
}

#[test]
fn the_projects_are_rust_with_the_one_engine_and_sanitizer_there_is() {
    for file in [
        ".clusterfuzzlite/project.yaml",
        "fuzz/oss-fuzz/project.yaml",
    ] {
        let settings = settings(&read(file));
        for (key, value) in [
            ("language", "rust"),
            ("sanitizers", "address"),
            ("fuzzing_engines", "libfuzzer"),
        ] {
            let wanted = (key.to_owned(), vec![value.to_owned()]);
            assert!(settings.contains(&wanted), "{file}: {settings:?}");
        }
    }
}

/// The scripts take the targets from `fuzz/targets`, which must name each `[[bin]]` but those of `fuzz/ratio`.
#[test]
fn every_target_is_built_there() {
    for file in [".clusterfuzzlite/build.sh", "fuzz/oss-fuzz/build.sh"] {
        let script = read(file);
        assert!(
            script.contains("cargo fuzz build -O --features whole"),
            "{file}"
        );
        assert!(
            script.contains("for target in $(fuzz/targets); do"),
            "{file}"
        );
        let checked = std::process::Command::new("bash")
            .arg("-n")
            .arg(root(file))
            .status();
        assert!(checked.unwrap().success(), "{file}");
    }
    let listed = std::process::Command::new("bash")
        .arg(root("fuzz/targets"))
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let mut listed: Vec<&str> = listed.lines().collect();
    listed.sort_unstable();
    let manifest: toml::Table = toml::from_str(&read("fuzz/Cargo.toml")).unwrap();
    let bins = manifest["bin"].as_array().unwrap().iter();
    let mut bins: Vec<&str> = bins
        .filter(|bin| !bin["path"].as_str().unwrap().contains("/ratio/"))
        .map(|bin| bin["name"].as_str().unwrap())
        .collect();
    bins.sort_unstable();
    assert_eq!(listed, bins);
    for target in listed {
        assert!(root("fuzz/corpus").join(target).is_dir(), "{target}");
        assert!(
            root("fuzz/dict").join(format!("{target}.dict")).is_file(),
            "{target}"
        );
    }
}
