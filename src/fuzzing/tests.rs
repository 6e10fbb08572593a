//! No text, however odd, makes a body fail, hang or run out of memory; every seed is replayed.

use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{TARGETS, login_page, suite_file, target_file, waiver_file};
use crate::suite::builtin::SUITES;

const WAIVERS: &str =
    "[[waiver]]\ncase = \"redirect.*\"\nreason = \"known\"\nexpires = \"2027-01-31\"\n";

fn targets() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/targets");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

/// One case of a suite with its head, so that a mutation is read in a moment.
fn cases() -> Vec<String> {
    SUITES
        .iter()
        .flat_map(|(_, text)| {
            let mut blocks = text.split("\n[[case]]");
            let head = blocks.next().unwrap_or_default();
            blocks.map(move |block| format!("{head}\n[[case]]{block}"))
        })
        .collect()
}

/// A change to a text: where (in thousandths), how much goes, what comes instead.
fn mutation() -> impl Strategy<Value = (usize, usize, String)> {
    let words = prop::sample::select(vec![
        "",
        "$",
        "$g.",
        "${",
        "}",
        "[",
        "]",
        "[[",
        "{",
        "\"",
        "'",
        "\n",
        ".",
        "=",
        "= true",
        "= 5",
        "= []",
        "= {}",
        "= \"\"",
        "do = \"",
        "vary = true",
        "[case.each]",
        "\u{0}",
        "\u{feff}",
        "é",
        "\\u0000",
        "#",
        ",",
        "@",
        "with.",
        "\"@header.x\"",
        "1979-05-27",
        "nan",
        "expect.dead",
    ]);
    (
        0usize..1000,
        prop_oneof![Just(0usize), 1usize..40],
        words.prop_map(str::to_owned),
    )
}

fn mutated(text: &str, mutations: &[(usize, usize, String)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (place, length, insert) in mutations {
        let from = bytes.len() * place / 1000;
        let to = (from + length).min(bytes.len());
        bytes.splice(from..to, insert.bytes());
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_loaded_or_refused(data in prop::collection::vec(any::<u8>(), 0..400), text in "\\PC{0,200}") {
        for data in [data.as_slice(), text.as_bytes()] {
            for (_, body) in TARGETS {
                body(data);
            }
        }
    }

    #[test]
    fn a_broken_suite_is_loaded_or_refused(
        case in prop::sample::select(cases()),
        mutations in prop::collection::vec(mutation(), 1..4),
    ) {
        suite_file(&mutated(&case, &mutations));
    }

    #[test]
    fn a_broken_target_is_loaded_or_refused(
        target in prop::sample::select(targets()),
        mutations in prop::collection::vec(mutation(), 1..4),
    ) {
        target_file(&mutated(&target, &mutations));
    }

    #[test]
    fn a_broken_waiver_is_loaded_or_refused(mutations in prop::collection::vec(mutation(), 1..4)) {
        waiver_file(&mutated(WAIVERS, &mutations));
    }
}

#[test]
fn the_largest_files_are_read_within_seconds() {
    const SIZE: usize = 1024 * 1024 - 1024;
    let fill = |piece: &str| piece.repeat(SIZE / piece.len());
    let head = "suite = \"s\"\ntitle = \"t\"\n";
    let giants = [
        fill("["),
        fill("a."),
        fill("{a="),
        fill("[a.b.c]\n"),
        fill("\"\"\""),
        fill("x = 1\n"),
        fill("é\u{0}"),
        format!("suite = \"{}\"", fill("$")),
        format!("{head}{}", fill("[[case]]\n")),
        format!(
            "{head}{}",
            fill("[[case]]\nid=\"a\"\neach=\"t\"\nstep=[{do=\"authorize\",vary=true}]\n")
        ),
        format!(
            "{head}[table.t]\n{}",
            numbered(SIZE, |n| format!("v{n}.x = \"$y.z\"\n"))
        ),
        format!(
            "{head}[[case]]\nid=\"a\"\nstep=[{}]",
            fill("{do=\"call\"},")
        ),
        format!(
            "issuer = \"https://a\"\n{}",
            numbered(SIZE, |n| format!("[client.c{n}]\nid = \"x\"\n"))
        ),
        format!("issuer = \"{}\"", fill("${PORT}")),
        numbered(SIZE, |n| {
            format!("[[waiver]]\ncase = \"a{n}\"\nreason = \"r\"\n")
        }),
    ];
    for giant in giants {
        let began = Instant::now();
        let data = giant.as_bytes();
        suite_file(data);
        target_file(data);
        waiver_file(data);
        login_page(data);
        let took = began.elapsed();
        let start: String = giant.chars().take(60).collect();
        assert!(took < Duration::from_secs(60), "{took:?} for {start:?}");
    }
}

fn numbered(size: usize, line: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    let mut n = 0;
    while text.len() < size {
        text.push_str(&line(n));
        n += 1;
    }
    text
}

fn fuzz() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"))
}

#[test]
fn every_seed_passes_the_body_of_its_target() {
    match wire::fuzzing::replay(&fuzz().join("corpus"), &TARGETS) {
        Ok(replayed) => assert!(replayed >= TARGETS.len()),
        Err(message) => panic!("{message}"),
    }
}

#[test]
fn every_target_is_built_by_cargo_fuzz() {
    let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    let missing = wire::fuzzing::incomplete(fuzz(), "oauthspec::fuzzing", &names);
    assert!(missing.is_empty(), "{missing:#?}");
}
