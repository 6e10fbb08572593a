//! Bodies of the fuzz targets: whatever the bytes are, nothing may panic, hang or grow without bound.
//! The property tests call them too.

use std::path::Path;

use crate::diagnostic::Diagnostics;
use crate::run::waiver::Waivers;
use crate::suite::{self, Known};
use crate::target::load::{Surroundings, load_str};

/// A suite file. What is wrong with it can be shown, with and without colour.
pub fn suite_file(data: &[u8]) {
    let known = Known {
        checks: &["response-shape", "state-echoed"],
        forges: &["flip-middle", "jwt.alg-none"],
    };
    shown(suite::load_str("suite.toml", &text(data), &known).err());
}

/// A target file, in a world with one environment variable and no folder.
pub fn target_file(data: &[u8]) {
    let env = |name: &str| (name == "PORT").then(|| "8080".to_owned());
    let around = Surroundings {
        env: &env,
        folder: None::<&Path>,
    };
    match load_str("target.toml", &text(data), &around) {
        Ok(loaded) => shown(Some(Diagnostics(loaded.warnings))),
        Err(problems) => shown(Some(problems)),
    }
}

/// A waiver file.
pub fn waiver_file(data: &[u8]) {
    shown(Waivers::load_str("waivers.toml", &text(data)).err());
}

/// Bytes that are no UTF-8 are refused before a loader sees them.
fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

/// Every problem names its file, whatever it is about.
fn shown(problems: Option<Diagnostics>) {
    for problem in problems.iter().flat_map(|problems| &problems.0) {
        let plain = problem.render(false);
        assert!(plain.contains(&problem.file), "{plain}");
        assert!(!problem.render(true).is_empty());
    }
}
