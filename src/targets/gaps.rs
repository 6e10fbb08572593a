//! What a target file takes from outside and is not there yet, all of it at once, and the target as it would be with it.
//! An integrator without credentials learns so what to ask for and what it would bring, and nothing is sent to anybody.

use std::cell::RefCell;
use std::path::Path;

use super::load::{Surroundings, load_str};
use super::model::{Driver, Target};
use crate::diagnostic::Diagnostics;
use crate::reader;

/// One thing that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// An environment variable's name, or a program's.
    pub name: String,
    /// What it is and where to get it: the file's own remark, else what the key says.
    pub about: String,
    /// What to do.
    pub fix: String,
}

/// A target with stand-ins for what is missing. It must not be contacted.
#[derive(Debug, Clone)]
pub struct Sketch {
    /// What would be tested.
    pub target: Target,
    /// What is missing for it; never empty.
    pub gaps: Vec<Gap>,
}

/// Looks for what a target file on disk lacks, with the process's environment. `None`: nothing, or the file has other mistakes, which
/// [`load`](super::load::load) tells. `browser` tells whether a browser can be driven here.
///
/// # Errors
/// The file cannot be read.
pub fn sketch(path: &Path, browser: fn() -> bool) -> Result<Option<Sketch>, Diagnostics> {
    let text = reader::read_text(path)?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let around = Surroundings {
        env: &|name| std::env::var(name).ok(),
        folder: Some(folder),
    };
    let file = path.display().to_string();
    Ok(sketch_str(&file, &text, &around, browser))
}

/// The same, of a file's text.
pub fn sketch_str(
    file: &str,
    text: &str,
    around: &Surroundings<'_>,
    browser: fn() -> bool,
) -> Option<Sketch> {
    let absent: RefCell<Vec<String>> = RefCell::default();
    let env = |name: &str| {
        let given = (around.env)(name).filter(|value| !value.is_empty());
        if given.is_some() || !names(text, name) {
            return given;
        }
        let mut absent = absent.borrow_mut();
        if !absent.iter().any(|known| known == name) {
            absent.push(name.to_owned());
        }
        Some(stand_in(text, name))
    };
    let with_stand_ins = Surroundings {
        env: &env,
        folder: around.folder,
    };
    let target = load_str(file, text, &with_stand_ins).ok()?.target;
    let mut gaps: Vec<Gap> = absent.take().iter().map(|name| gap(text, name)).collect();
    gaps.extend(programs(&target, around, browser));
    (!gaps.is_empty()).then_some(Sketch { target, gaps })
}

/// Whether the file itself asks for this variable; others are looked up too, such as those of proxies.
fn names(text: &str, name: &str) -> bool {
    text.contains(&format!("${{{name}}}")) || text.contains(&format!("\"{name}\""))
}

/// A value that fits where the variable stands: what stands at the front of a value, or of a word in it, may have to be a URL, and any
/// other part is a port or a word. It is different for
/// each variable, and its host exists nowhere (RFC 2606 §2).
pub(super) fn stand_in(text: &str, name: &str) -> String {
    // By itself, at the front of a value, or as a word of one: `probe = "GET ${API}/me"`.
    let whole = [
        format!("\"${{{name}}}"),
        format!(" ${{{name}}}"),
        format!("\"{name}\""),
    ];
    if whole.iter().any(|whole| text.contains(whole)) {
        let host = name.to_ascii_lowercase().replace('_', "-");
        format!("https://{host}{STAND_IN}/")
    } else {
        "1".to_owned()
    }
}

/// The end of a host that stands for one nobody has named yet.
pub const STAND_IN: &str = ".missing.invalid";

fn gap(text: &str, name: &str) -> Gap {
    let place = place(text, name);
    let said =
        remark(text, name).or_else(|| place.as_ref().and_then(|(table, key)| by_key(table, key)));
    let at = place.map(|(table, key)| format!("{table} {key}").trim().to_owned());
    let about = match (said, at) {
        (Some(said), Some(at)) => format!("{said} ({at})"),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => "the target file asks for it".to_owned(),
    };
    Gap {
        name: name.to_owned(),
        about,
        fix: format!("export {name}=…"),
    }
}

/// What the file's author says beside `export NAME=…` in a comment.
fn remark(text: &str, name: &str) -> Option<String> {
    let assigned = format!("{name}=");
    let comments = text.lines().filter_map(|line| line.strip_prefix('#'));
    let mut lines = comments.filter(|line| {
        line.split_whitespace()
            .any(|word| word.starts_with(&assigned))
    });
    let (_, said) = lines.next()?.split_once('#')?;
    let said = said.trim();
    (!said.is_empty()).then(|| said.to_owned())
}

/// The table and the key where the variable stands.
fn place(text: &str, name: &str) -> Option<(String, String)> {
    let mut table = "";
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            table = line.split_inclusive(']').next().unwrap_or(line);
        } else if !line.starts_with('#') && names(line, name) {
            let (key, _) = line.split_once('=')?;
            return Some((table.to_owned(), key.trim().replace('"', "")));
        }
    }
    None
}

/// What a value under this key is, where the file says nothing.
fn by_key(table: &str, key: &str) -> Option<String> {
    let words = match key.split('.').next().unwrap_or(key) {
        _ if table.starts_with("[user.") => "what this user of yours types into the login page",
        "issuer" => "the authorization server's issuer, as its metadata spells it",
        "id" => {
            "the identifier that the server knows it by: its owner or its developer console has it"
        }
        "secret" => "the client's secret, shown when the client was registered",
        "redirect_uris" => "a redirect URI that is registered for the client; nobody listens there",
        "token" => "an access token for this resource",
        _ => return None,
    };
    Some(words.to_owned())
}

/// Programs that the login needs and this machine lacks.
fn programs(target: &Target, around: &Surroundings<'_>, browser: fn() -> bool) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let login = &target.login;
    if login.driver == Driver::Browser && !browser() {
        gaps.push(Gap {
            name: "chromedriver".to_owned(),
            about: "the login pages are walked in a real browser ([login] driver = \"browser\")".to_owned(),
            fix: "install it (Debian: apt-get install chromium chromium-driver), or set CHROMEDRIVER to its path".to_owned(),
        });
    }
    let command = login.hook.as_ref().and_then(|hook| hook.command.first());
    if let (Some(command), Some(folder)) = (command, around.folder)
        && command.contains('/')
        && !folder.join(command).is_file()
    {
        gaps.push(Gap {
            name: command.clone(),
            about: "the command under [login] hook is not there".to_owned(),
            fix: "the path is relative to the target file's folder".to_owned(),
        });
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
# Somebody's server:
#   export PORT=…
#   export APP_ID=…            # your application's identifier
#   export MAIL=… WORD=…       # an account for tests
issuer = "http://127.0.0.1:${PORT}"

[client.a]
id = "${APP_ID}"
redirect_uris = ["${APP_CALLBACK}"]

[client.confidential]
id = "known"
secret.env = "APP_SECRET"
auth = "client_secret_basic"
redirect_uris = ["https://app.example/cb"]

[user.a]
email = "${MAIL}"
password = "${WORD}"

[login]
driver = "form"
hook = ["./not-there.sh"]
[[login.step]]
fill = { email = "$user.email", password = "$user.password" }
press = "Go"
"#;

    fn around<'a>(env: &'a dyn Fn(&str) -> Option<String>) -> Surroundings<'a> {
        Surroundings {
            env,
            folder: Some(Path::new(".")),
        }
    }

    #[test]
    fn everything_that_is_missing_is_told_at_once_with_where_to_get_it() {
        let none = |_: &str| None;
        let sketch = sketch_str("t.toml", FILE, &around(&none), || true).unwrap();
        let told: Vec<String> = (sketch.gaps.iter())
            .map(|gap| format!("{}: {}", gap.name, gap.about))
            .collect();
        for line in [
            "APP_ID: your application's identifier ([client.a] id)",
            "APP_CALLBACK: a redirect URI that is registered for the client; nobody listens there ([client.a] redirect_uris)",
            "APP_SECRET: the client's secret, shown when the client was registered ([client.confidential] secret.env)",
            "MAIL: an account for tests ([user.a] email)",
            "WORD: an account for tests ([user.a] password)",
            "PORT: the authorization server's issuer, as its metadata spells it (issuer)",
            "./not-there.sh: the command under [login] hook is not there",
        ] {
            assert!(told.iter().any(|own| own == line), "{line}\n{told:#?}");
        }
        assert_eq!(told.len(), 7);
        assert_eq!(sketch.target.issuer, "http://127.0.0.1:1");
    }

    #[test]
    fn a_file_with_everything_has_no_gaps_and_one_with_other_mistakes_is_left_to_the_loader() {
        let all = |name: &str| {
            Some(format!("https://{name}.example/").replace("https://PORT.example/", "80"))
        };
        let file = FILE.replace("hook = [\"./not-there.sh\"]\n", "");
        assert!(sketch_str("t.toml", &file, &around(&all), || true).is_none());
        let none = |_: &str| None;
        let wrong = file.replace("press", "push");
        assert!(sketch_str("t.toml", &wrong, &around(&none), || true).is_none());
    }
}
