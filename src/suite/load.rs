//! Suite files: text in, [`Suite`]s out, or every problem at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::lint;
use super::model::{Case, Suite, Variant};
use super::read::{Each, Pieces, ReadCase, ReadVariant, SHAPES};
use super::{builtin, model};
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::event::{Level, Severity};
use crate::reader::{self, At, Reader, Span, Table, is_slug};

/// The names that other parts of the harness own. They come from above, so that a suite file can be
/// read without knowing what a check does.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Every named check.
    pub checks: &'a [&'a str],
    /// Every named forgery.
    pub forges: &'a [&'a str],
}

/// Cases in one file.
const MAX_CASES: usize = 500;
/// Steps in one case.
const MAX_STEPS: usize = 64;
/// Files below one folder.
const MAX_FILES: usize = 1000;
/// Folders nest no deeper.
const MAX_FOLDERS: usize = 8;

/// Reads one suite file. `file` is the name that messages and reports show.
///
/// # Errors
/// Every problem of the file, in file order.
pub fn load_str(file: &str, text: &str, known: &Known<'_>) -> Result<Suite, Diagnostics> {
    let reader = Reader::new(file, text);
    let suite = {
        let document = reader.parse(text);
        document.and_then(|document| {
            let root = reader.root(&document, &SHAPES.suite);
            suite(
                &Pieces {
                    reader: &reader,
                    text,
                    known,
                },
                &root,
            )
        })
    };
    match suite {
        Some(suite) if !reader.failed() => Ok(suite),
        _ => Err(reader.finish()),
    }
}

/// Reads files and folders: in a folder every `*.toml`, sorted, with its folders.
///
/// # Errors
/// Every problem of every file; a path that cannot be read; an id that two files share.
pub fn load_paths<P: AsRef<Path>>(
    paths: &[P],
    known: &Known<'_>,
) -> Result<Vec<Suite>, Diagnostics> {
    let mut problems = Vec::new();
    let mut files = Vec::new();
    for path in paths {
        if let Err(mut found) = collect(path.as_ref(), 0, &mut files) {
            problems.append(&mut found.0);
        }
    }
    let mut suites = Vec::new();
    for path in files {
        let loaded = reader::read_text(&path)
            .and_then(|text| load_str(&path.display().to_string(), &text, known));
        match loaded {
            Ok(suite) => suites.push(suite),
            Err(mut found) => problems.append(&mut found.0),
        }
    }
    finish(suites, problems)
}

/// [`load_paths`] for one file or folder.
///
/// # Errors
/// As [`load_paths`].
pub fn load_path(path: &Path, known: &Known<'_>) -> Result<Vec<Suite>, Diagnostics> {
    load_paths(&[path], known)
}

/// The suites that are part of the binary, see [`builtin::SUITES`].
///
/// # Errors
/// As [`load_str`]; a test keeps this from happening.
pub fn load_builtin(known: &Known<'_>) -> Result<Vec<Suite>, Diagnostics> {
    let mut suites = Vec::new();
    let mut problems = Vec::new();
    for (file, text) in builtin::SUITES {
        match load_str(file, text, known) {
            Ok(suite) => suites.push(suite),
            Err(mut found) => problems.append(&mut found.0),
        }
    }
    finish(suites, problems)
}

fn finish(suites: Vec<Suite>, mut problems: Vec<Diagnostic>) -> Result<Vec<Suite>, Diagnostics> {
    let mut ids: BTreeMap<&str, &model::Source> = BTreeMap::new();
    for case in suites.iter().flat_map(|suite| &suite.cases) {
        if let Some(first) = ids.insert(&case.id, &case.source) {
            problems.push(
                Diagnostic::file(
                    &case.source.file,
                    format!(
                        "the case `{}` is also in {}:{}",
                        case.id, first.file, first.line
                    ),
                )
                .with_help("an id belongs to one case: rename one of them, or remove it"),
            );
        }
    }
    if problems.is_empty() {
        Ok(suites)
    } else {
        Err(Diagnostics(problems))
    }
}

/// A file, or the `*.toml` files below a folder, sorted.
fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Diagnostics> {
    let name = path.display().to_string();
    let failed = |why: std::io::Error| -> Diagnostics {
        Diagnostic::file(&name, format!("cannot be read: {why}"))
            .with_help("check the path; a path is relative to where you stand")
            .into()
    };
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    let before = files.len();
    for entry in entries {
        if entry.is_dir() {
            if depth < MAX_FOLDERS {
                collect(&entry, depth + 1, files)?;
            }
        } else if entry
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(entry);
        }
    }
    if files.len() > MAX_FILES {
        return Err(
            Diagnostic::file(&name, "more than 1000 suite files in one folder")
                .with_help("is this the folder you mean?")
                .into(),
        );
    }
    if depth == 0 && files.len() == before {
        return Err(Diagnostic::file(&name, "no suite file in this folder")
            .with_help("suite files end in .toml")
            .into());
    }
    Ok(())
}

fn suite(pieces: &Pieces<'_>, root: &Table<'_, '_>) -> Option<Suite> {
    let reader = pieces.reader;
    let name = root.text("suite").map(|name| pieces.slug("suite", &name));
    let profile = root
        .text("profile")
        .map(|name| pieces.slug("profile", &name));
    let tables = tables(pieces, root);
    let blocks = root
        .tables("case", "a case", &SHAPES.case)
        .unwrap_or_default();
    if blocks.len() > MAX_CASES {
        reader
            .error(&(0..0), format!("{} cases in one file", blocks.len()))
            .label(format!("at most {MAX_CASES}"))
            .help("split the suite")
            .report();
        return None;
    }
    let mut ids: BTreeMap<String, Span> = BTreeMap::new();
    let mut used = BTreeSet::new();
    let mut cases = Vec::new();
    for block in &blocks {
        let read = pieces.case(block);
        if read.steps.len() > MAX_STEPS {
            reader
                .error(
                    &read.span,
                    format!("{} steps in one case", read.steps.len()),
                )
                .label(format!("at most {MAX_STEPS}"))
                .report();
            continue;
        }
        if let Some(id) = &read.id
            && let Some(first) = ids.insert(id.value.clone(), id.span.clone())
        {
            reader
                .error(&id.span, format!("the id `{}` is taken", id.value))
                .label(format!("first used in line {}", reader.line(&first)))
                .help("an id belongs to one case, for ever")
                .report();
        }
        let Some(variants) = variants_of(pieces, &read, &tables, &mut used) else {
            continue;
        };
        let suite = name.as_ref().map_or("", |name| name.value.as_str());
        let derived = lint::case(pieces, suite, &read, &variants);
        cases.extend(case(pieces, suite, &read, &variants, derived));
    }
    for (name, (span, _)) in &tables {
        if !used.contains(name) {
            reader
                .error(span, format!("the table `{name}` is never used"))
                .help(format!("use it with each = \"{name}\", or remove it"))
                .report();
        }
    }
    Some(Suite {
        name: name?.value,
        title: root.owned("title")?,
        profile: profile.map(|profile| profile.value),
        cases,
    })
}

type Tables = BTreeMap<String, (Span, Vec<ReadVariant>)>;

fn tables(pieces: &Pieces<'_>, root: &Table<'_, '_>) -> Tables {
    let mut tables = Tables::new();
    for entry in root.map("table").unwrap_or_default() {
        if !is_slug(entry.key) {
            pieces.slug(
                "table",
                &At {
                    value: entry.key,
                    span: entry.key_span.clone(),
                },
            );
        }
        match entry.value {
            toml::de::DeValue::Table(table) => {
                let variants = pieces.variants(table, &entry.key_span);
                tables.insert(entry.key.to_owned(), (entry.key_span.clone(), variants));
            }
            _ => pieces
                .reader
                .error(
                    &entry.key_span,
                    format!("`table.{}` is no table", entry.key),
                )
                .help(format!(
                    "write [table.{}] and one variant a line below",
                    entry.key
                ))
                .report(),
        }
    }
    tables
}

/// The variants a case is run with; `None` when it names a table that does not exist.
fn variants_of<'c>(
    pieces: &Pieces<'_>,
    read: &'c ReadCase,
    tables: &'c Tables,
    used: &mut BTreeSet<String>,
) -> Option<Vec<&'c ReadVariant>> {
    if let Some(name) = lint::table_name(read) {
        let Some((key, (_, variants))) = tables.get_key_value(&name.value) else {
            pieces
                .reader
                .error(
                    &name.span,
                    format!("no [table.{}] in this file", name.value),
                )
                .suggest(&name.value, tables.keys().map(String::as_str))
                .report();
            // A misspelt table is used all the same: one slip is one message.
            let names = tables.keys().map(String::as_str);
            used.extend(nearest(&name.value, names).map(str::to_owned));
            return None;
        };
        used.insert(key.clone());
        return Some(variants.iter().collect());
    }
    match read.each.as_ref().map(|each| &each.value) {
        Some(Each::Here(variants)) => Some(variants.iter().collect()),
        _ => Some(Vec::new()),
    }
}

/// Puts the pieces together. What is missing was reported; the stand-ins are never seen.
fn case(
    pieces: &Pieces<'_>,
    suite: &str,
    read: &ReadCase,
    variants: &[&ReadVariant],
    derived: Vec<String>,
) -> Option<Case> {
    let id = read.id.as_ref()?;
    let mut needs: Vec<String> = read.needs.iter().map(|need| need.value.clone()).collect();
    for need in derived {
        if !needs.contains(&need) {
            needs.push(need);
        }
    }
    let mut all: Vec<Variant> = variants
        .iter()
        .map(|read| Variant {
            expect: read.expect.as_ref().map(|expect| expect.expect.clone()),
            ..read.variant.clone()
        })
        .collect();
    if all.is_empty() {
        all.push(Variant::default());
    }
    Some(Case {
        id: format!("{suite}.{}", id.value),
        suite: suite.to_owned(),
        title: read.title.clone(),
        level: read.level.unwrap_or(Level::Must),
        severity: read.severity.unwrap_or(Severity::Medium),
        refs: read.refs.clone(),
        why: read.why.clone(),
        fix: read.fix.clone(),
        rows: read.rows.clone(),
        needs,
        promise: read.promise.clone(),
        without_fault: read.without_fault.clone(),
        variants: all,
        steps: read.steps.iter().map(|step| step.step.clone()).collect(),
        source: pieces.source(&read.span),
    })
}
