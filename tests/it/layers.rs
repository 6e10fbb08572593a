//! The order of the folders of `src/`, as `docs/design.md` declares it: an import points down, never up or sideways.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where each folder stands: the line of the list in `docs/design.md`, counted from the top.
fn declared() -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string("docs/design.md").expect("docs/design.md");
    let (_, list) = text
        .split_once("```layers\n")
        .expect("docs/design.md has a block ```layers");
    let (list, _) = list.split_once("```").expect("the block ends");
    let mut order = BTreeMap::new();
    for (line, names) in list.lines().enumerate() {
        for name in names.split_whitespace() {
            let again = order.insert(name.to_owned(), line);
            assert!(again.is_none(), "docs/design.md lists {name} twice");
        }
    }
    order
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of src") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The folders that the code of this text imports from: no comments, no unit tests.
fn imports(text: &str) -> Vec<String> {
    let code = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let mut found = Vec::new();
    for line in lines {
        for (at, marker) in line.match_indices("crate::") {
            let before = line[..at].chars().next_back();
            if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
                continue;
            }
            let rest = &line[at + marker.len()..];
            let end = rest.find(|letter: char| !letter.is_ascii_lowercase() && letter != '_');
            found.push(rest[..end.unwrap_or(rest.len())].to_owned());
        }
    }
    found
}

/// Every import that does not point down, in words.
fn wrong(order: &BTreeMap<String, usize>, room: &str, file: &str, text: &str) -> Vec<String> {
    let Some(own) = order.get(room) else {
        return vec![format!(
            "{file}: `{room}` is not in the list of docs/design.md: add it where it belongs"
        )];
    };
    let mut found = Vec::new();
    for other in imports(text) {
        match order.get(&other) {
            _ if other == room => {}
            Some(line) if line > own => {}
            Some(_) => found.push(format!(
                "{file}: `{room}` imports from `{other}`, which is not below it in docs/design.md: \
                 move the code, or hand it in"
            )),
            None => found.push(format!(
                "{file}: `crate::{other}` is not a folder of the list in docs/design.md; name the folder it is from"
            )),
        }
    }
    found
}

#[test]
fn imports_point_down() {
    let order = declared();
    let src = Path::new("src");
    let mut all = Vec::new();
    files(src, &mut all);
    let mut found = Vec::new();
    for path in all {
        let inside = path.strip_prefix(src).expect("below src");
        let first = inside.iter().next().and_then(|part| part.to_str());
        let room = first.unwrap_or_default().trim_end_matches(".rs");
        // The two roots name every folder; unit tests may look anywhere.
        if matches!(room, "lib" | "main") || inside.ends_with("tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source file");
        found.extend(wrong(&order, room, &path.display().to_string(), &text));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn an_import_that_points_up_or_sideways_is_named() {
    let order = BTreeMap::from([
        ("run".to_owned(), 0),
        ("flow".to_owned(), 1),
        ("report".to_owned(), 2),
        ("profile".to_owned(), 2),
    ]);
    let of = |room: &str, text: &str| wrong(&order, room, "x.rs", text).len();
    assert_eq!(of("run", "use crate::flow::Scene;"), 0);
    assert_eq!(of("flow", "use crate::run::plan;"), 1);
    assert_eq!(of("flow", "let x = crate::run::plan();"), 1);
    assert_eq!(of("report", "use crate::profile::judged;"), 1);
    assert_eq!(of("flow", "/// See [`crate::run`].\n//! crate::run"), 0);
    assert_eq!(of("flow", "#[cfg(test)]\nmod tests { use crate::run; }"), 0);
    assert_eq!(of("flow", "use crate::{run, report};"), 1);
    assert_eq!(of("nowhere", ""), 1);
}
