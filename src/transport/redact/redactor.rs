//! Texts without their secrets.

use super::spelling::alone;

/// One spelling of a secret.
pub(super) struct Hidden {
    pub(super) spelling: String,
    pub(super) shown: String,
    pub(super) what: &'static str,
}

/// Replaces secrets, also where they stand encoded.
pub struct Redactor {
    pub(super) known: Vec<Hidden>,
    /// Short secrets and what is shown for them.
    short: Vec<(String, String)>,
    pub(super) hides: bool,
}

impl Redactor {
    /// One that replaces these, and short ones where they stand alone.
    pub(super) fn new(mut known: Vec<Hidden>, short: Vec<(String, String)>) -> Redactor {
        // Longer ones go first, so that a secret inside another leaves nothing behind.
        known.sort_by_key(|hidden| std::cmp::Reverse(hidden.spelling.len()));
        Redactor {
            known,
            short,
            hides: true,
        }
    }

    /// One that hides nothing, for evidence the user asked to be kept as it is.
    pub fn none() -> Redactor {
        Redactor {
            known: Vec::new(),
            short: Vec::new(),
            hides: false,
        }
    }

    /// The text with every known secret replaced.
    pub fn redact(&self, text: &str) -> String {
        let mut out = text.to_owned();
        for hidden in &self.known {
            if out.contains(&hidden.spelling) {
                out = out.replace(&hidden.spelling, &hidden.shown);
            }
        }
        for (value, shown) in &self.short {
            if out.contains(value) {
                out = alone(&out, value, shown);
            }
        }
        out
    }

    /// The text as one word of a POSIX shell, with every secret as a shell variable: `'a='"${CODE}"'&b=1'`.
    pub(super) fn shell_word(&self, text: &str) -> String {
        // Noncharacters hold the places while the text around them is quoted.
        const OPEN: char = '\u{fdd0}';
        const CLOSE: char = '\u{fdd1}';
        let mut out = text.replace([OPEN, CLOSE], "\u{fffd}");
        for hidden in &self.known {
            if out.contains(&hidden.spelling) {
                let name = format!("{OPEN}{}{CLOSE}", hidden.what.to_ascii_uppercase());
                out = out.replace(&hidden.spelling, &name);
            }
        }
        for (value, _) in &self.short {
            out = alone(&out, value, &format!("{OPEN}SECRET{CLOSE}"));
        }
        let quoted = format!("'{}'", out.replace('\'', r"'\''"));
        quoted.replace(OPEN, "'\"${").replace(CLOSE, "}\"'")
    }
}
