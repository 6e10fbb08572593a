//! Findings of the fuzzer are suite files with payloads in them: nothing breaks out of its string or comment.

use std::sync::LazyLock;

use toml::{Table, Value};

use super::{planted, text};
use crate::fuzz::finding::{Bucket, Shown, write};
use crate::fuzz::operation::{Edit, Piece, Program, Text};
use crate::fuzz::oracle::{Candidate, Oracle};
use crate::fuzz::play::{Stage, Trace, merged};
use crate::run::{Options, prepare};
use crate::targets::load::{Surroundings, load_str};

const TARGET: &str = r#"
issuer = "http://127.0.0.1:1"
[client.a]
id = "client-a"
redirect_uris = ["http://127.0.0.1:1/a"]
[client.b]
id = "client-b"
secret = "made up, of client b"
auth = "client_secret_basic"
redirect_uris = ["http://127.0.0.1:1/b"]
[resource.a]
id = "http://127.0.0.1:1/api"
probe = "GET http://127.0.0.1:1/api"
[resource.b]
id = "http://127.0.0.1:1/other"
probe = "GET http://127.0.0.1:1/other"
"#;

/// Two clients and two resources of a server that is never asked.
pub(crate) static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let around = Surroundings {
        env: &|_| None,
        folder: None,
    };
    let loaded = load_str("target.toml", TARGET, &around).expect("a target");
    Stage::of(prepare::connect(loaded.target, &Options::default()).expect("a world"))
});

/// Operations more than these, or longer texts, make no other file.
const MOST_OPERATIONS: usize = 8;

/// The first line chooses the oracle and is what was seen; the rest is a program as JSON. The finding is TOML with
/// one case; its comments stay comments; each payload reads back as it was.
pub fn finding_file(data: &[u8]) {
    let text = text(data);
    let (note, program) = text.split_once('\n').unwrap_or((&text, ""));
    let Ok(program) = serde_json::from_str::<Program>(program) else {
        return;
    };
    let count = program.operations.len();
    if count == 0 || count > MOST_OPERATIONS {
        return;
    }
    let oracle = Oracle::ALL[note.len() % Oracle::ALL.len()];
    let last = &program.operations[count - 1];
    let candidate = Candidate {
        oracle,
        at: count - 1,
        note: note.to_owned(),
    };
    let finding = write(
        &STAGE,
        &Shown {
            bucket: Bucket::of(last.kind.endpoint(), &candidate, last),
            program: &program,
            candidate: &candidate,
            trace: &Trace::default(),
            hits: 3,
            of: 3,
            seed: 0,
            twins: 0,
        },
    );
    let written = planted::finding_file(finding.text);
    let table: Table = toml::from_str(&written).expect("a finding is TOML");
    assert_eq!(
        table.keys().collect::<Vec<_>>(),
        ["case", "suite", "title"],
        "something broke out of its comment"
    );
    let cases = table["case"].as_array().expect("cases");
    assert_eq!(cases.len(), 1, "one finding, one case");
    assert_eq!(cases[0]["id"].as_str(), Some(finding.id.as_str()));
    let steps = cases[0]["step"].as_array().expect("steps");
    assert!(steps.len() >= count, "an operation has no step");
    for operation in &program.operations {
        for edit in merged(operation) {
            let Edit::With(name, values) = edit else {
                continue;
            };
            let Some(values) = values.iter().map(literal).collect::<Option<Vec<_>>>() else {
                continue;
            };
            let expected = match values.as_slice() {
                [one] => Value::from(one.as_str()),
                several => Value::from(several.to_vec()),
            };
            let found =
                |step: &Value| step.get("with").and_then(|with| with.get(name)) == Some(&expected);
            assert!(steps.iter().any(found), "{name:?} reads otherwise");
        }
    }
}

/// The text as it stands in a suite file; `None` where what the correct request carries is part of it.
fn literal(text: &Text) -> Option<String> {
    let pieces = text.0.iter().map(|piece| match piece {
        Piece::Text(text) => Some(text.replace('$', "$$")),
        // The client's own are another matter: they are named as needs.
        _ => None,
    });
    pieces.collect()
}
