//! The explanation of a check, read from `docs/checks.md`, where it is written once.

/// The document that says what every check means.
const DOCUMENT: &str = include_str!("../../docs/checks.md");

/// What a check means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doc {
    /// The section: what is looked at, and after which steps.
    pub looks_at: &'static str,
    /// When it passes.
    pub passes: &'static str,
    /// What it says otherwise.
    pub otherwise: &'static str,
}

impl std::fmt::Display for Doc {
    /// Three fixed headings.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "What it looks at\n  {}\n", self.looks_at)?;
        writeln!(f, "Passes when\n  {}\n", self.passes)?;
        writeln!(f, "Otherwise\n  {}", self.otherwise)
    }
}

/// What the check of this name means; `None` when there is none.
pub fn doc(name: &str) -> Option<Doc> {
    rows()
        .find(|(row, _)| *row == name)
        .map(|(_, explained)| explained)
}

/// The rows of all tables: a check's name, and what it means.
fn rows() -> impl Iterator<Item = (&'static str, Doc)> {
    let mut section = "";
    DOCUMENT.lines().filter_map(move |line| {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
        }
        let cells: Vec<&'static str> = line
            .strip_prefix("| `")?
            .trim_end_matches([' ', '|'])
            .split(" | ")
            .map(str::trim)
            .collect();
        // The last section says in a column of its own which steps a check is for.
        let (name, passes, otherwise) = match cells.as_slice() {
            [name, passes, otherwise] | [name, _, passes, otherwise] => (name, passes, otherwise),
            _ => return None,
        };
        let explained = Doc {
            looks_at: section,
            passes,
            otherwise,
        };
        Some((name.trim_end_matches('`'), explained))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_is_documented_and_every_documented_check_exists() {
        let mut documented: Vec<&str> = rows().map(|(name, _)| name).collect();
        let mut named = crate::check::NAMES.to_vec();
        documented.sort_unstable();
        named.sort_unstable();
        assert_eq!(documented, named);
    }

    #[test]
    fn an_explanation_has_its_three_headings() {
        let text = doc("no-code")
            .map(|doc| doc.to_string())
            .unwrap_or_default();
        for heading in ["What it looks at", "Passes when", "Otherwise"] {
            assert!(text.contains(heading), "{text}");
        }
        assert_eq!(doc("no-such-check"), None);
    }
}
