//! What messages about a target file may quote: the file with the values of secrets blotted out.

/// Words in a key that make its value a secret.
const SECRET_WORDS: &[&str] = &["secret", "password", "passphrase"];

/// The text with every quoted value that may be a secret replaced by as many `*`, so that all places
/// stay where they are: values of keys that sound like secrets, whatever a user logs in with, and the issuer's key. What
/// only says where a secret is (`env`, `file`) stays readable. A doubtful line is blotted out.
pub(super) fn mask(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut user = false;
    // The end of a multi-line string that is being blotted out.
    let mut open: Option<&str> = None;
    for line in text.split_inclusive('\n') {
        if let Some(end) = open {
            match line.find(end) {
                Some(at) => {
                    let (inside, rest) = line.split_at(at);
                    out.push_str(&stars(inside));
                    out.push_str(rest);
                    open = None;
                }
                None => out.push_str(&stars(line)),
            }
            continue;
        }
        let trimmed = line.trim_start();
        if trimmed.starts_with('[') {
            let name = trimmed.trim_start_matches(['[', ' ', '"', '\'']);
            user = name.starts_with("user") || name.starts_with("mint");
            out.push_str(line);
            continue;
        }
        let lower = line.to_ascii_lowercase();
        // The key, or, where one stands for several, everything.
        let (key, value) = lower.split_once('=').unwrap_or((&lower, ""));
        let within = if value.contains('{') {
            lower.as_str()
        } else {
            key
        };
        let sounds = SECRET_WORDS.iter().any(|word| within.contains(word));
        if !(user || sounds || lower.starts_with("user")) {
            out.push_str(line);
            continue;
        }
        open = mask_line(line, &mut out);
    }
    out
}

/// Blots out the quoted values of a line; the end of a string that goes on after it.
fn mask_line(line: &str, out: &mut String) -> Option<&'static str> {
    let Some(equals) = line.find('=') else {
        out.push_str(line);
        return None;
    };
    let (before, mut rest) = line.split_at(equals);
    out.push_str(before);
    for (triple, end) in [("\"\"\"", "\"\"\""), ("'''", "'''")] {
        if let Some(at) = rest.find(triple)
            && rest.matches(triple).count() == 1
        {
            let (head, inside) = rest.split_at(at + triple.len());
            out.push_str(head);
            out.push_str(&stars(inside));
            return Some(end);
        }
    }
    while let Some(at) = rest.find(['"', '\'']) {
        let (head, tail) = rest.split_at(at);
        let quote = if tail.starts_with('"') { '"' } else { '\'' };
        let key = head.trim_end_matches([' ', '=', '\t']);
        let key = if key.is_empty() { before } else { key }.trim_end();
        let place = key.ends_with("env") || key.ends_with("file") || key.ends_with("$user");
        let inside = tail.get(1..).unwrap_or_default();
        let length = closing(inside, quote);
        let (value, after) = inside.split_at(length);
        out.push_str(head);
        out.push(quote);
        if place || value.starts_with("$user.") || value.starts_with("${") && value.ends_with('}') {
            out.push_str(value);
        } else {
            out.push_str(&stars(value));
        }
        match after.strip_prefix(quote) {
            Some(after) => {
                out.push(quote);
                rest = after;
            }
            None => rest = after,
        }
    }
    out.push_str(rest);
    None
}

/// Where a string ends: its closing quote, else the end of the line.
fn closing(inside: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in inside.char_indices() {
        match letter {
            '\n' => return at,
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            _ if letter == quote => return at,
            _ => {}
        }
    }
    inside.len()
}

/// As many bytes of `*`; line ends stay.
fn stars(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\n' | '\r' => letter.to_string(),
            _ => "*".repeat(letter.len_utf8()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_are_blotted_out_and_all_else_stays() {
        let text = "issuer = \"https://as.example\"\n[client.a]\nsecret = \"hunter2\" # s\n\
                    secret.env = \"NAME\"\nsecret = { file = \"path\" }\n[user.a]\nname = 'ann'\n\
                    password = \"\"\"\nlong\nvalue\"\"\"\npin = \"1\\\"2\"\n[client.b]\nauth = \"client_secret_basic\"\n[policy]\nscope = \"read\"\n";
        let shown = mask(text);
        for gone in ["hunter2", "ann", "long", "value", "1\\\"2"] {
            assert!(!shown.contains(gone), "{gone}: {shown}");
        }
        for kept in [
            "https://as.example",
            "NAME",
            "path",
            "client_secret_basic",
            "# s",
        ] {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
    }

    proptest! {
        #[test]
        fn places_stay_where_they_are(text in "(\\[user\\]|secret|é|=|\"|'|\n|\\\\|a){0,60}") {
            let shown = mask(&text);
            prop_assert_eq!(shown.len(), text.len());
            for (at, letter) in shown.char_indices() {
                prop_assert!(text.is_char_boundary(at) || letter == '*');
            }
        }
    }
}
