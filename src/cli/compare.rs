//! `oauthspec compare OLD NEW`.

use std::path::Path;

use crate::exit::Exit;
use crate::report::compare;
use crate::report::json::{Document, FORMAT_VERSION};

use super::args::CompareArgs;
use super::{Failure, print};

/// A report larger than this is not read.
const LARGEST: u64 = 512 * 1024 * 1024;

pub(super) fn compare(arguments: &CompareArgs) -> Result<Exit, Failure> {
    let old = read(&arguments.old)?;
    let new = read(&arguments.new)?;
    let found = compare::compare(&old, &new);
    let shown = if arguments.markdown {
        compare::markdown(&found)
    } else {
        compare::plain(&found)
    };
    print::text(&shown)?;
    Ok(if !found.broken.is_empty() {
        Exit::DoesNotConform
    } else if new.summary.decided() == 0 {
        Exit::NothingDecided
    } else {
        Exit::Conforms
    })
}

fn read(path: &Path) -> Result<Document, Failure> {
    let wrong = |what: String| Failure::usage(format!("{}: {what}", path.display()));
    let size = std::fs::metadata(path)
        .map_err(|error| wrong(error.to_string()))?
        .len();
    if size > LARGEST {
        return Err(wrong(format!(
            "{size} bytes are more than a report can have"
        )));
    }
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(|error| {
        wrong(format!(
            "not JSON: {error}; write it with `oauthspec run --report json=PATH`"
        ))
    })?;
    match value
        .get("format_version")
        .and_then(serde_json::Value::as_u64)
    {
        None => {
            return Err(wrong(
                "not a report of oauthspec: `format_version` is missing".to_owned(),
            ));
        }
        Some(version) if version != u64::from(FORMAT_VERSION) => {
            return Err(wrong(format!(
                "report format {version}; this version of oauthspec reads format {FORMAT_VERSION}"
            )));
        }
        Some(_) => {}
    }
    serde_json::from_value(value).map_err(|error| wrong(format!("not a whole report: {error}")))
}
