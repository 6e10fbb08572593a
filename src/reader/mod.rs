//! Reads a TOML file table by table. Every value keeps its place in the file, and every problem is
//! collected, so that the loaders can be written as if files were right.
//!
//! Which keys a table may have comes from the JSON Schema of the struct that describes it (see
//! [`Shape::of`]): the published schema and the loader cannot disagree.

mod table;

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use toml::de::DeTable;

pub(crate) use table::{Entry, Table, entries, kind};

use crate::diagnostic::{Diagnostic, Diagnostics, Level, nearest};

/// No file of ours may be larger.
pub(crate) const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// A file with more problems than this is reported with the first ones.
const MAX_PROBLEMS: usize = 100;

/// Bytes of a file.
pub(crate) type Span = Range<usize>;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub value: T,
    pub span: Span,
}

/// The keys a table may have and those it must have.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    pub keys: Vec<String>,
    pub required: Vec<String>,
}

impl Shape {
    /// The shape of the tables that `T` describes.
    pub fn of<T: JsonSchema>() -> Shape {
        let schema = SchemaSettings::draft07()
            .into_generator()
            .into_root_schema_for::<T>();
        let schema = schema.as_value();
        Shape {
            keys: schema
                .get("properties")
                .and_then(|properties| properties.as_object())
                .map(|properties| properties.keys().cloned().collect())
                .unwrap_or_default(),
            required: schema
                .get("required")
                .and_then(|required| required.as_array())
                .map(|required| {
                    required
                        .iter()
                        .filter_map(|key| key.as_str().map(str::to_owned))
                        .collect()
                })
                .unwrap_or_default(),
        }
    }
}

/// A file and what was found wrong in it.
pub(crate) struct Reader {
    file: String,
    text: Arc<str>,
    line_starts: Vec<usize>,
    problems: RefCell<Vec<Diagnostic>>,
}

/// A problem in the making; [`Problem::report`] files it.
#[must_use]
pub(crate) struct Problem<'r> {
    reader: &'r Reader,
    diagnostic: Diagnostic,
}

impl Problem<'_> {
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.diagnostic.label = label.into();
        self
    }

    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.diagnostic.notes.push(note.into());
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.diagnostic.help.push(help.into());
        self
    }

    /// `did you mean …`, or what to do when nothing is near.
    pub fn suggest_or(self, word: &str, known: &[&str], otherwise: &str) -> Self {
        match nearest(word, known.iter().copied()) {
            Some(meant) => self.help(format!("did you mean `{meant}`?")),
            None => self.help(otherwise),
        }
    }

    /// `did you mean …`, or the list of what there is.
    pub fn suggest<'c>(self, word: &str, known: impl IntoIterator<Item = &'c str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let help = match nearest(word, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => return self,
            None => format!("there is: {}", listed(&known)),
        };
        self.help(help)
    }

    pub fn report(self) {
        let mut problems = self.reader.problems.borrow_mut();
        // A table of variants is read once for every case that uses it: say a thing once.
        let known = problems
            .iter()
            .any(|old| old.span == self.diagnostic.span && old.message == self.diagnostic.message);
        if !known && problems.len() < MAX_PROBLEMS {
            problems.push(self.diagnostic);
        }
    }
}

/// `a, b, c`, shortened when there are very many.
fn listed(words: &[&str]) -> String {
    const MOST: usize = 36;
    let shown: Vec<&str> = words.iter().copied().take(MOST).collect();
    let rest = words.len().saturating_sub(MOST);
    if rest == 0 {
        shown.join(", ")
    } else {
        format!("{} and {rest} more", shown.join(", "))
    }
}

impl Reader {
    pub fn new(file: &str, text: &str) -> Reader {
        Reader {
            file: file.to_owned(),
            text: Arc::from(text),
            line_starts: std::iter::once(0)
                .chain(text.match_indices('\n').map(|(at, _)| at + 1))
                .collect(),
            problems: RefCell::new(Vec::new()),
        }
    }

    /// Messages quote this text, in which every byte stands where it stood.
    pub fn quoting(mut self, text: &str) -> Reader {
        if text.len() == self.text.len() {
            self.text = Arc::from(text);
        }
        self
    }

    pub fn file(&self) -> &str {
        &self.file
    }

    /// 1-based.
    pub fn line(&self, span: &Span) -> u32 {
        let line = self
            .line_starts
            .partition_point(|start| *start <= span.start);
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    pub fn error(&self, span: &Span, message: impl Into<String>) -> Problem<'_> {
        self.problem(Level::Error, span, message.into())
    }

    pub fn warning(&self, span: &Span, message: impl Into<String>) -> Problem<'_> {
        self.problem(Level::Warning, span, message.into())
    }

    fn problem(&self, level: Level, span: &Span, message: String) -> Problem<'_> {
        Problem {
            reader: self,
            diagnostic: Diagnostic {
                level,
                source: Arc::clone(&self.text),
                span: Some(span.clone()),
                ..Diagnostic::file(&self.file, message)
            },
        }
    }

    /// How many problems were found so far.
    pub fn count(&self) -> usize {
        self.problems.borrow().len()
    }

    /// Everything found so far, in file order.
    pub fn finish(self) -> Diagnostics {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.span.as_ref().map(|span| span.start));
        Diagnostics(problems)
    }

    /// Whether something was found that makes the file unusable.
    pub fn failed(&self) -> bool {
        self.problems
            .borrow()
            .iter()
            .any(|problem| problem.level == Level::Error)
    }

    /// The document, once its syntax is right. Syntax errors are reported here.
    pub fn parse<'t>(&self, text: &'t str) -> Option<toml::Spanned<DeTable<'t>>> {
        if text.len() as u64 > MAX_FILE_BYTES {
            self.error(&(0..0), format!("the file has {} bytes", text.len()))
                .help("files of up to 1 MiB are read; split it")
                .report();
            return None;
        }
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let span = error.span().unwrap_or(0..0);
            let message = match error.message().trim() {
                "" => "this is not TOML".to_owned(),
                message => format!("this is not TOML: {message}"),
            };
            let help = if line_of(text, span.start).contains(".@") {
                "quote the key: with.\"@method\" = \"GET\""
            } else if message.contains("duplicate") {
                "a key is set once in a table: rename or remove one of the two"
            } else {
                "text stands in quotes, a list in [ ], a table begins with [its.name]"
            };
            self.error(&span, message).help(help).report();
        }
        errors.is_empty().then_some(document)
    }

    /// The root table.
    pub fn root<'r, 'd>(
        &'r self,
        document: &'d toml::Spanned<DeTable<'d>>,
        shape: &'r Shape,
    ) -> Table<'r, 'd> {
        Table::new(self, document.get_ref(), 0..0, "the file", shape)
    }
}

/// The line around a byte.
fn line_of(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or("");
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    text.get(start..)
        .and_then(|rest| rest.lines().next())
        .unwrap_or("")
}

impl Reader {
    /// See [`Table::duration`].
    pub fn duration(
        &self,
        key: &str,
        text: &str,
        span: &Span,
        longest: Duration,
    ) -> Option<Duration> {
        match parse_duration(text) {
            None => {
                self.error(span, format!("`{text}` is no duration"))
                    .help("write a whole number and a unit: \"500ms\", \"10s\" or \"1m\"")
                    .report();
                None
            }
            Some(duration) if duration > longest => {
                self.error(span, format!("`{key}` is longer than it may be"))
                    .label(format!("at most {}s", longest.as_secs()))
                    .help(format!("write \"{}s\" or less", longest.as_secs()))
                    .report();
                None
            }
            Some(duration) => Some(duration),
        }
    }
}

/// A whole number and `ms`, `s`, `m` or `h`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let seconds = match unit {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

/// Lower-case letters and digits, in groups joined by a hyphen.
pub(crate) fn is_slug(text: &str) -> bool {
    !text.is_empty()
        && text.split('-').all(|group| {
            !group.is_empty()
                && group
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
}

/// What `text` would be as a slug, for a suggestion.
pub(crate) fn slugged(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().take(64) {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// Reads a file as text: at most [`MAX_FILE_BYTES`], UTF-8.
pub(crate) fn read_text(path: &std::path::Path) -> Result<String, Diagnostics> {
    use std::io::Read;
    let name = path.display().to_string();
    let failed = |why: &std::io::Error| -> Diagnostics {
        Diagnostic::file(&name, format!("cannot read the file: {why}"))
            .with_help("check the path; a path is relative to where you stand")
            .into()
    };
    let file = std::fs::File::open(path).map_err(|why| failed(&why))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|why| failed(&why))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(Diagnostic::file(&name, "the file is larger than 1 MiB")
            .with_help("split it, or check that this is the file you mean")
            .into());
    }
    String::from_utf8(bytes).map_err(|_| {
        Diagnostic::file(&name, "the file is not UTF-8 text")
            .with_help("save it as UTF-8")
            .into()
    })
}
