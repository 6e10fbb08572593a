//! Files that people write: whatever stands in them, they are loaded as another TOML reader reads them, or every
//! problem can be shown.

use std::path::Path;

use toml::{Table, Value};

use super::{planted, text};
use crate::diagnostic::Diagnostics;
use crate::suite::Known;
use crate::targets::load::Surroundings;

/// What the suites of the tests name.
const KNOWN: Known<'static> = Known {
    checks: &["response-shape", "state-echoed"],
    forges: &["flip-middle", "jwt.alg-none"],
};

/// A suite file: its cases are those of the file, in order, with their texts as they stand there.
pub fn suite_file(data: &[u8]) {
    let text = text(data);
    let suite = match planted::suite_file(&text, &KNOWN) {
        Ok(suite) => suite,
        Err(problems) => return shown(&problems),
    };
    let table = table(&text);
    assert_eq!(Some(suite.name.as_str()), word(&table, "suite"));
    assert_eq!(Some(suite.title.as_str()), word(&table, "title"));
    let cases = tables(&table, "case");
    assert_eq!(suite.cases.len(), cases.len(), "a case is lost");
    for (case, table) in suite.cases.iter().zip(cases) {
        let id = format!("{}.{}", suite.name, word(table, "id").unwrap_or_default());
        assert_eq!(case.id, id);
        for (name, read) in [
            ("title", &case.title),
            ("why", &case.why),
            ("fix", &case.fix),
        ] {
            assert_eq!(Some(read.as_str()), word(table, name), "{name} of {id}");
        }
    }
}

/// A target file, in a world where every environment variable but `NONE` is set and there is no folder: its issuer, clients and resources are
/// those of the file.
pub fn target_file(data: &[u8]) {
    let text = text(data);
    let env = |name: &str| match name {
        "NONE" => None,
        "PORT" => Some("8080".to_owned()),
        _ => Some(format!("the-value-of-{name}")),
    };
    let around = Surroundings {
        env: &env,
        folder: None::<&Path>,
    };
    let loaded = match planted::target_file(&text, &around) {
        Ok(loaded) => loaded,
        Err(problems) => return shown(&problems),
    };
    shown(&Diagnostics(loaded.warnings));
    let table = table(&text);
    let plain = |text: &&str| !text.contains('$');
    if let Some(issuer) = word(&table, "issuer").filter(plain) {
        assert_eq!(loaded.target.issuer, issuer, "not the issuer of the file");
    }
    let names = |name: &str| -> Vec<String> {
        let table = table.get(name).and_then(Value::as_table);
        table
            .into_iter()
            .flat_map(|table| table.keys().cloned())
            .collect()
    };
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    // Where oauthspec is the issuer, a client comes with it.
    if !table.contains_key("mint") {
        let clients = loaded.target.clients.iter();
        let clients = clients.map(|client| client.name.clone()).collect();
        assert_eq!(sorted(clients), sorted(names("client")));
    }
    let resources = loaded.target.resources.iter().map(|one| one.name.clone());
    assert_eq!(sorted(resources.collect()), sorted(names("resource")));
}

/// A waiver file: its waivers are those of the file, in order, and each covers its own case.
pub fn waiver_file(data: &[u8]) {
    let text = text(data);
    let waivers = match planted::waiver_file(&text) {
        Ok(waivers) => waivers,
        Err(problems) => return shown(&problems),
    };
    let table = table(&text);
    let tables = tables(&table, "waiver");
    assert_eq!(waivers.0.len(), tables.len(), "a waiver is lost");
    for (waiver, table) in waivers.0.iter().zip(tables) {
        assert_eq!(Some(waiver.case.as_str()), word(table, "case"));
        assert_eq!(Some(waiver.reason.as_str()), word(table, "reason"));
        assert_eq!(waiver.expires.is_some(), table.contains_key("expires"));
        assert!(waiver.covers(&waiver.case));
    }
}

/// What is loaded is TOML to the `toml` crate, too. A byte order mark is no part of it.
fn table(text: &str) -> Table {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    toml::from_str(text).expect("what is loaded is TOML")
}

fn word<'t>(table: &'t Table, name: &str) -> Option<&'t str> {
    table.get(name)?.as_str()
}

fn tables<'t>(table: &'t Table, name: &str) -> Vec<&'t Table> {
    let items = table.get(name).and_then(Value::as_array);
    items
        .into_iter()
        .flatten()
        .filter_map(Value::as_table)
        .collect()
}

/// Problems of one file that a fuzzer has shown: a text of 4 KiB can have hundreds, and showing them takes a hundred
/// times what reading it takes.
const MOST_SHOWN: usize = 6;

/// Every problem names its file, whatever it is about, with and without colour. A fuzzer looks at some of them, from
/// the first to the last.
fn shown(problems: &Diagnostics) {
    let all = problems.0.len();
    let step = if cfg!(fuzzing) {
        all.div_ceil(MOST_SHOWN).max(1)
    } else {
        1
    };
    for problem in problems.0.iter().step_by(step) {
        let plain = problem.render(false);
        assert!(plain.contains(&problem.file), "{plain}");
        assert!(!problem.render(true).is_empty());
    }
}
