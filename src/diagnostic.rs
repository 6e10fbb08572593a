//! What is wrong in a file somebody wrote: where, why, and what to do next.
//!
//! Suite, target and waiver files report through [`Diagnostic`]. A loader collects every problem of
//! a file before it gives up, so that a person mends them in one go.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level as Title, Origin, Renderer, Snippet};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The file is used all the same.
    Warning,
    /// The file is refused.
    Error,
}

/// One problem at one place.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// Whether the file can still be used.
    pub level: Level,
    /// What is wrong, in one line.
    pub message: String,
    /// The file as the user named it.
    pub file: String,
    /// The whole text of the file; shared between all its diagnostics.
    pub source: Arc<str>,
    /// The bytes of `source` that are meant; `None` when the whole file is.
    pub span: Option<Range<usize>>,
    /// What is said beside the caret.
    pub label: String,
    /// Background.
    pub notes: Vec<String>,
    /// What to do next.
    pub help: Vec<String>,
}

/// Lines longer than this are not quoted: only their position is given.
const LONGEST_QUOTED_LINE: usize = 500;
/// At most this many lines are quoted.
const MOST_QUOTED_LINES: usize = 6;

impl Diagnostic {
    /// An error about a whole file, without a place in it.
    pub fn file(file: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            level: Level::Error,
            message: message.into(),
            file: file.to_owned(),
            source: Arc::from(""),
            span: None,
            label: String::new(),
            notes: Vec::new(),
            help: Vec::new(),
        }
    }

    /// Adds what to do next.
    pub fn with_help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help.push(help.into());
        self
    }

    /// Line and column, 1-based, the column counted in characters; `None` without a place.
    pub fn position(&self) -> Option<(usize, usize)> {
        let start = floor_boundary(&self.source, self.span.as_ref()?.start);
        let before = self.source.get(..start)?;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.get(line_start..)?.chars().count() + 1;
        Some((line, column))
    }

    /// The text for a terminal: message, `file:line:column`, the line with a caret, notes and help.
    pub fn render(&self, colour: bool) -> String {
        let (title, renderer) = (
            match self.level {
                Level::Error => Title::ERROR,
                Level::Warning => Title::WARNING,
            },
            if colour {
                Renderer::styled()
            } else {
                Renderer::plain()
            },
        );
        let mut group = Group::with_title(title.primary_title(self.message.as_str()));
        group = match (self.quoted(), self.position()) {
            (Some((window, first_line, text)), _) => {
                let mut annotation = AnnotationKind::Primary.span(window);
                if !self.label.is_empty() {
                    annotation = annotation.label(self.label.as_str());
                }
                group.element(
                    Snippet::source(text)
                        .line_start(first_line)
                        .path(self.file.as_str())
                        .annotation(annotation),
                )
            }
            (None, Some((line, column))) => group.element(
                Origin::path(self.file.as_str())
                    .line(line)
                    .char_column(column),
            ),
            (None, None) => group.element(Origin::path(self.file.as_str())),
        };
        for note in &self.notes {
            group = group.element(Title::NOTE.message(note.as_str()));
        }
        for help in &self.help {
            group = group.element(Title::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }

    /// The lines to quote: the span within them, the first one's number, their text.
    fn quoted(&self) -> Option<(Range<usize>, usize, &str)> {
        let span = self.span.as_ref()?;
        let start = floor_boundary(&self.source, span.start);
        let first = self.source.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
        let rest = self.source.get(first..)?;
        let mut length = 0;
        for (count, line) in rest.split_inclusive('\n').enumerate() {
            if count == MOST_QUOTED_LINES || (count > 0 && first + length >= span.end) {
                break;
            }
            if line.len() > LONGEST_QUOTED_LINE {
                return None;
            }
            length += line.len();
        }
        let text = rest.get(..length)?.trim_end_matches(['\n', '\r']);
        let from = (start - first).min(text.len());
        let to = floor_boundary(text, span.end.saturating_sub(first)).max(from);
        let (line, _) = self.position()?;
        Some((from..to, line, text))
    }
}

/// The nearest character boundary at or before `index`.
fn floor_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// Every problem that was found, in file order. As an error it holds at least one.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Whether a file is refused.
    pub fn has_errors(&self) -> bool {
        self.0
            .iter()
            .any(|diagnostic| diagnostic.level == Level::Error)
    }

    /// All of them, one after the other.
    pub fn render(&self, colour: bool) -> String {
        let texts: Vec<String> = self
            .0
            .iter()
            .map(|diagnostic| diagnostic.render(colour))
            .collect();
        texts.join("\n\n")
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Diagnostics {
        Diagnostics(vec![diagnostic])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// The candidate that `word` was probably meant to be, when one is near enough.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    let length = word.chars().count();
    if length == 0 || length > LONGEST {
        return None;
    }
    let allowed = (length / 3).max(1);
    let candidates: Vec<&str> = candidates.into_iter().collect();
    candidates
        .iter()
        .copied()
        .filter(|candidate| candidate.len() <= 2 * LONGEST)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(far, _)| *far <= allowed)
        .min_by_key(|(far, _)| *far)
        .map(|(_, candidate)| candidate)
        // Half a word is a slip too: `oauth2.1` for `oauth2.1-16`.
        .or_else(|| {
            let begun = |candidate: &&str| length >= 3 && candidate.starts_with(word);
            candidates.iter().copied().find(begun)
        })
}

/// How many characters have to be inserted, removed, replaced or swapped with their neighbour, in
/// lower case (`Must` is as good as `must`, `_` as good as `-` costs one).
#[expect(
    clippy::indexing_slicing,
    reason = "a table with one row and one column more than the words have letters"
)]
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(x != y))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(source: &str, span: Range<usize>) -> Diagnostic {
        Diagnostic {
            source: Arc::from(source),
            span: Some(span),
            label: "here".to_owned(),
            ..Diagnostic::file("x.toml", "wrong")
        }
    }

    #[test]
    fn a_slip_of_the_finger_finds_its_word() {
        let words = ["authorize", "exchange", "refresh"];
        assert_eq!(nearest("authorise", words), Some("authorize"));
        assert_eq!(nearest("refersh", words), Some("refresh"));
        assert_eq!(nearest("Exchange", words), Some("exchange"));
        assert_eq!(nearest("banana", words), None);
        assert_eq!(nearest("", words), None);
    }

    #[test]
    fn columns_count_characters_and_lines_start_at_one() {
        assert_eq!(at("é = 1\nü = 2\n", 3..4).position(), Some((1, 3)));
        assert_eq!(at("é = 1\nü = 2\n", 7..9).position(), Some((2, 1)));
    }

    #[test]
    fn no_span_however_odd_can_break_the_rendering() {
        for span in [0..0, 3..1000, 900..1000, 1..2, 5..5] {
            let text = at("é\n\nb = 2", span).render(false);
            assert!(text.contains("x.toml"), "{text}");
        }
        assert!(at("", 0..0).render(false).contains("x.toml"));
    }

    #[test]
    fn a_very_long_line_is_located_but_not_quoted() {
        let long = "x".repeat(10_000);
        let text = at(&long, 5_000..5_001).render(false);
        assert!(text.contains("x.toml:1:5001"), "{text}");
        assert!(text.len() < 200);
    }
}
