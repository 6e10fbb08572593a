//! Where a report goes and in which format: `--report FORMAT=PATH`.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{Run, badge, har, html, json, junit, markdown, sarif};

/// The formats a run can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// The published format, `schemas/report.json`.
    Json,
    /// JUnit XML, for CI systems.
    Junit,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// One self-contained page.
    Html,
    /// Markdown, for a job summary or a comment.
    Markdown,
    /// HAR 1.2, every exchange.
    Har,
    /// An SVG badge.
    Badge,
}

impl Format {
    /// Every format.
    pub const ALL: &'static [Format] = &[
        Format::Json,
        Format::Junit,
        Format::Sarif,
        Format::Html,
        Format::Markdown,
        Format::Har,
        Format::Badge,
    ];

    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Junit => "junit",
            Format::Sarif => "sarif",
            Format::Html => "html",
            Format::Markdown => "markdown",
            Format::Har => "har",
            Format::Badge => "badge",
        }
    }

    /// The run in this format.
    pub fn render(self, run: &Run) -> io::Result<Vec<u8>> {
        match self {
            Format::Json => json::render(run),
            Format::Junit => junit::render(run),
            Format::Sarif => sarif::render(run),
            Format::Html => html::render(run),
            Format::Markdown => markdown::render(run),
            Format::Har => har::render(run),
            Format::Badge => badge::render(run),
        }
    }

    /// Every word, for messages.
    pub fn words() -> String {
        Format::ALL
            .iter()
            .map(|format| format.word())
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// A file or the standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// `-`.
    Stdout,
    /// A path.
    File(PathBuf),
}

/// One `--report FORMAT=PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// In which format.
    pub format: Format,
    /// Where to.
    pub destination: Destination,
}

impl FromStr for Output {
    type Err = String;

    fn from_str(argument: &str) -> Result<Output, String> {
        let Some((word, path)) = argument.split_once('=') else {
            return Err(format!(
                "`{argument}` is not FORMAT=PATH; for example json=report.json, or json=- for the standard output"
            ));
        };
        let Some(format) = Format::ALL
            .iter()
            .copied()
            .find(|format| format.word() == word)
        else {
            return Err(format!(
                "there is no report format `{word}`; the formats are {}",
                Format::words()
            ));
        };
        let destination = match path {
            "" => {
                return Err(format!(
                    "`{argument}` names no path; write {word}=PATH, or {word}=- for the standard output"
                ));
            }
            "-" => Destination::Stdout,
            path => Destination::File(PathBuf::from(path)),
        };
        Ok(Output {
            format,
            destination,
        })
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.destination {
            Destination::Stdout => {
                write!(f, "{} report on the standard output", self.format.word())
            }
            Destination::File(path) => {
                write!(f, "{} report {}", self.format.word(), path.display())
            }
        }
    }
}

impl Output {
    /// To a file.
    pub fn file(format: Format, path: impl Into<PathBuf>) -> Output {
        Output {
            format,
            destination: Destination::File(path.into()),
        }
    }

    /// Finds out before the run whether the file could be written, so that ten minutes of work are
    /// not lost to a typing error. Makes the folder.
    pub fn check(&self) -> io::Result<()> {
        let Destination::File(path) = &self.destination else {
            return Ok(());
        };
        if path.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "that is a folder; name a file in it",
            ));
        }
        if is_special(path) {
            return Ok(());
        }
        let (temporary, file) = temporary(path, false)?;
        drop(file);
        fs::remove_file(temporary)
    }

    /// Writes the run. A file appears whole or not at all.
    pub fn write(&self, run: &Run) -> io::Result<()> {
        let bytes = self.format.render(run)?;
        match &self.destination {
            Destination::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(&bytes)?;
                out.flush()
            }
            Destination::File(path) if run.raw => write_private(path, &bytes),
            Destination::File(path) => write_atomically(path, &bytes),
        }
    }
}

/// [`write_atomically`], for a file that only its owner may read.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, true)
}

/// Writes a temporary file in the same folder, then renames it. A path that is no regular file
/// (`/dev/stderr`, a named pipe) is written to as it is.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, false)
}

fn write(path: &Path, bytes: &[u8], private: bool) -> io::Result<()> {
    if is_special(path) {
        let mut file = fs::OpenOptions::new().write(true).open(path)?;
        return file.write_all(bytes);
    }
    let (temporary, mut file) = temporary(path, private)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    drop(file);
    written
        .and_then(|()| fs::rename(&temporary, path))
        .inspect_err(|_| {
            let _ = fs::remove_file(&temporary);
        })
}

fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

fn temporary(path: &Path, private: bool) -> io::Result<(PathBuf, fs::File)> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?
        .to_string_lossy();
    let mut last = None;
    for attempt in 0..16 {
        let temporary = folder.join(format!(".{name}.{}.{attempt}.tmp", std::process::id()));
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if private {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        match options.open(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::other("no temporary name is free")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_argument_names_a_format_and_a_path() {
        assert_eq!(
            "json=-".parse(),
            Ok(Output {
                format: Format::Json,
                destination: Destination::Stdout
            })
        );
        assert_eq!(
            "junit=a=b.xml".parse(),
            Ok(Output::file(Format::Junit, "a=b.xml"))
        );
    }

    #[test]
    fn a_wrong_argument_says_what_is_right() {
        for (argument, hint) in [
            ("report.json", "json=report.json"),
            ("yaml=x", "the formats are json"),
            ("json=", "names no path"),
        ] {
            let message = argument.parse::<Output>().unwrap_err();
            assert!(message.contains(hint), "{message}");
        }
    }

    #[test]
    fn a_file_is_replaced_whole_and_leaves_nothing_beside_it() {
        let folder = sample::folder("atomic");
        let path = folder.join("new").join("report.json");
        let output = Output::file(Format::Json, &path);
        output.check().unwrap();
        write_atomically(&path, b"old").unwrap();
        output.write(&sample::run()).unwrap();
        assert!(fs::read_to_string(&path).unwrap().starts_with('{'));
        let names: Vec<_> = fs::read_dir(path.parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["report.json"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_path_that_cannot_be_written_is_found_before_the_run() {
        let folder = sample::folder("check");
        assert!(Output::file(Format::Json, &folder).check().is_err());
        fs::write(folder.join("file"), "").unwrap();
        assert!(
            Output::file(Format::Json, folder.join("file/x.json"))
                .check()
                .is_err()
        );
        fs::remove_dir_all(folder).unwrap();
    }
}
