//! Hostile text made harmless: one escaper for every place where a report puts text.
//!
//! Everything a server sent may end up in a report, and a report is read by terminals, CI systems and
//! browsers. Characters that are not visible, or that change how their neighbours are shown, are
//! spelt out (`\u{202e}`); what remains is escaped as its format demands. Visible text stays as it is.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Whether a character is invisible or changes how the text around it is shown: controls (C0, C1,
/// DEL), line and paragraph separators, bidirectional controls, zero-width and tag characters.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{e0000}'..='\u{e007f}')
}

fn spell(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c => {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
    }
}

/// One line: hidden characters and line ends are spelt out.
pub fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            spell(&mut out, c);
        } else {
            out.push(c);
        }
    }
    out
}

/// Several lines: line feeds stay (CRLF becomes one), tabs become four blanks, every other hidden
/// character is spelt out.
pub fn block(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' => out.push('\n'),
            '\t' => out.push_str("    "),
            c if is_hidden(c) => spell(&mut out, c),
            c => out.push(c),
        }
    }
    out
}

/// One line for a terminal or a CI log: like [`line()`], and what starts a workflow command is broken up: `::` at the
/// beginning, since blanks before it do not count, and the older `##[` anywhere.
pub fn log(text: &str) -> String {
    let text = line(text).replace("##[", "#\\#[");
    match text.trim_start().strip_prefix("::") {
        Some(rest) => format!(":\\:{rest}"),
        None => text,
    }
}

/// The message of a GitHub workflow command (`::error …::MESSAGE`).
pub fn annotation(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => visible.push_str("%0A"),
            '\r' => visible.push_str("%0D"),
            '%' => visible.push_str("%25"),
            c if is_hidden(c) => spell(&mut visible, c),
            c => visible.push(c),
        }
    }
    visible
}

/// A property of a GitHub workflow command (`title=…`), where a colon and a comma are special too.
pub fn annotation_property(text: &str) -> String {
    annotation(text).replace(':', "%3A").replace(',', "%2C")
}

/// Inline Markdown text: every character that could start markup, a link, an HTML tag, a mention or
/// an automatic link is escaped.
pub fn markdown(text: &str) -> String {
    let text = line(text);
    let mut out = String::with_capacity(text.len() + 8);
    for (at, c) in text.char_indices() {
        let before = text.get(..at).unwrap_or_default();
        let special = match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '~' | '|' | ':' | '$' | '!' => true,
            // Special only at the start of a line: lists, underlines of headings, numbered lists.
            '-' | '+' | '=' => before.trim_start().is_empty(),
            ')' => before.trim_start().bytes().all(|b| b.is_ascii_digit()),
            // `www.` starts a link by itself.
            '.' => {
                before.trim_start().bytes().all(|b| b.is_ascii_digit())
                    || before
                        .get(before.len().saturating_sub(3)..)
                        .is_some_and(|end| end.eq_ignore_ascii_case("www"))
            }
            _ => false,
        };
        match c {
            // An empty comment keeps a forge from turning the name into a mention.
            '@' => out.push_str("@<!-- -->"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c if special => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// A fenced Markdown code block whose fence is longer than any run of backticks inside.
pub fn markdown_fence(text: &str, language: &str) -> String {
    let text = block(text);
    let mut longest = 0;
    let mut current = 0;
    for c in text.chars() {
        current = if c == '`' { current + 1 } else { 0 };
        longest = longest.max(current);
    }
    let fence = "`".repeat(longest.max(2) + 1);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}{language}\n{text}{end}{fence}\n")
}

/// The text of a SARIF message (SARIF 2.1.0 §3.11): brackets would make links, braces placeholders.
pub fn sarif(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in block(text).chars() {
        match c {
            '\\' | '[' | ']' => {
                out.push('\\');
                out.push(c);
            }
            '{' => out.push_str("{{"),
            '}' => out.push_str("}}"),
            c => out.push(c),
        }
    }
    out
}

/// The columns a text takes on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text cut to `columns` on a terminal, with `…` when something is missing.
pub fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > columns {
            break;
        }
        used += wide;
        out.push(c);
    }
    out.push('…');
    out
}

/// The text cut or filled with blanks to exactly `columns`.
pub fn fill(text: &str, columns: usize) -> String {
    let mut out = cut(text, columns);
    let used = out.width();
    out.extend(std::iter::repeat_n(' ', columns.saturating_sub(used)));
    out
}

/// The text broken into lines of at most `columns` at blanks; a longer word stands alone, whole.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut current = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !current.is_empty() && current.width() + 1 + word.width() > columns {
            lines.push(std::mem::take(&mut current));
        }
        if !current.is_empty() {
            current.push(' ');
        }
        current.push_str(word);
    }
    if !current.is_empty() || lines.is_empty() {
        lines.push(current);
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn visible_text_stays_as_it_is() {
        for text in [
            "redirect_uri=https://a.example/cb?x=1#f",
            "Grüße, 世界 🙂",
            "a \\ b",
        ] {
            assert_eq!(line(text), text);
            assert_eq!(block(text), text);
        }
    }

    #[test]
    fn what_moves_or_hides_text_is_spelt_out() {
        assert_eq!(line("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(line("a\r\nb\tc"), "a\\r\\nb\\tc");
        assert_eq!(line("a\u{202e}b\u{2028}c"), "a\\u{202e}b\\u{2028}c");
        assert_eq!(line("a\u{9b}b\u{0}"), "a\\u{9b}b\\u{0}");
        assert_eq!(block("a\r\nb\rc\u{85}"), "a\nb\\rc\\u{85}");
        assert_eq!(log("##[error]x"), "#\\#[error]x");
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(
            markdown_fence("a\n````\nb", ""),
            "`````\na\n````\nb\n`````\n"
        );
    }

    #[test]
    fn wide_characters_are_counted_when_cutting() {
        assert_eq!(cut("世界世界", 5), "世界…");
        assert_eq!(width(&fill("世", 6)), 6);
    }

    proptest! {
        #[test]
        fn nothing_hidden_survives(text in any::<String>()) {
            prop_assert!(!line(&text).chars().any(is_hidden));
            prop_assert!(!log(&text).chars().any(is_hidden));
            prop_assert!(!log(&text).contains("##["));
            prop_assert!(!annotation(&text).chars().any(is_hidden));
            prop_assert!(!block(&text).chars().any(|c| c != '\n' && is_hidden(c)));
            prop_assert!(!markdown(&text).chars().any(is_hidden));
        }

        #[test]
        fn cutting_keeps_within_the_columns(text in any::<String>(), columns in 1usize..40) {
            prop_assert!(width(&cut(&line(&text), columns)) <= columns);
        }
    }
}
