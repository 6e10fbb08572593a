//! Which suites a command works on: those in the binary, or those of files and folders.

use std::path::Path;

use crate::check;
use crate::suite::load::{Known, load_builtin, load_path};
use crate::suite::model::Suite;

use super::Failure;

/// Loads the suites of `--suite`: names of built-in suites, files or folders. Without any, all
/// built-in ones.
pub(super) fn load(wanted: &[String]) -> Result<Vec<Suite>, Failure> {
    let forges = jose::forgeries();
    let known = Known {
        checks: check::NAMES,
        forges: &forges,
    };
    let builtin = || load_builtin(&known).map_err(|problems| Failure::usage(problems.to_string()));
    if wanted.is_empty() {
        return builtin();
    }
    let mut suites = Vec::new();
    let mut own: Option<Vec<Suite>> = None;
    for name in wanted {
        let path = Path::new(name);
        if name.ends_with(".toml") || path.is_dir() {
            suites.extend(
                load_path(path, &known).map_err(|problems| Failure::usage(problems.to_string()))?,
            );
            continue;
        }
        let own = match &mut own {
            Some(own) => own,
            None => own.insert(builtin()?),
        };
        match own.iter().find(|suite| suite.name == *name) {
            Some(suite) => suites.push(suite.clone()),
            None => {
                let names: Vec<&str> = own.iter().map(|suite| suite.name.as_str()).collect();
                let hint = crate::diagnostic::nearest(name, names.iter().copied())
                    .map(|near| format!("; did you mean `{near}`?"))
                    .unwrap_or_default();
                return Err(Failure::usage(format!(
                    "there is no suite `{name}`{hint} (name a built-in suite, a .toml file or a folder; built in: {})",
                    names.join(", ")
                )));
            }
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    for case in suites.iter().flat_map(|suite| &suite.cases) {
        if !seen.insert(case.id.as_str()) {
            return Err(Failure::usage(format!(
                "the case `{}` is selected twice by --suite",
                case.id
            )));
        }
    }
    Ok(suites)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_built_in_suite_is_found_by_its_name() {
        let all = load(&[]).unwrap();
        let first = all[0].name.clone();
        assert_eq!(load(std::slice::from_ref(&first)).unwrap().len(), 1);
        let twice = load(&[first.clone(), first]).unwrap_err();
        assert!(
            twice.message.contains("selected twice"),
            "{}",
            twice.message
        );
    }

    #[test]
    fn an_unknown_suite_is_answered_with_the_known_ones() {
        let message = load(&["xyzzy".to_owned()]).unwrap_err().message;
        assert!(
            message.contains("there is no suite `xyzzy`") && message.contains("built in: "),
            "{message}"
        );
    }
}
