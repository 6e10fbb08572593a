//! `WWW-Authenticate` (RFC 9110 §11.6.1): a list of challenges, each a scheme with parameters or
//! with a token68.
//!
//! The list's commas also stand between parameters, so a reader must look ahead: `name =` goes on
//! with the challenge, a bare token begins the next. What the grammar does not allow is read as
//! far as it makes sense, and named in [`Parsed::problems`].

use std::collections::HashSet;
use std::fmt;

/// One challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The authentication scheme as sent; compare with [`Challenge::is`].
    pub scheme: String,
    /// Parameters in order: names in lower case, values unquoted, repeats kept.
    pub params: Vec<(String, String)>,
    /// The token68, where the scheme carries one instead of parameters.
    pub token68: Option<String>,
}

impl Challenge {
    /// The first value of a parameter; `name` in lower case.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// True where this is a challenge of that scheme, whatever the case of its letters.
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }
}

impl fmt::Display for Challenge {
    /// Prints the challenge with every parameter value quoted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.scheme)?;
        if let Some(token) = &self.token68 {
            return write!(f, " {token}");
        }
        for (i, (name, value)) in self.params.iter().enumerate() {
            write!(f, "{}{name}=\"", if i > 0 { ", " } else { " " })?;
            for c in value.chars() {
                match c {
                    '"' | '\\' => write!(f, "\\{c}")?,
                    c => write!(f, "{c}")?,
                }
            }
            f.write_str("\"")?;
        }
        Ok(())
    }
}

/// The challenges of a response and what is wrong with their writing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The challenges in order.
    pub challenges: Vec<Challenge>,
    /// Syntax errors, repeated parameters, bad characters: one sentence each, at most
    /// [`MAX_PROBLEMS`].
    pub problems: Vec<String>,
}

/// At most this many problems are listed.
pub const MAX_PROBLEMS: usize = 32;

impl Parsed {
    /// The first challenge of that scheme.
    pub fn scheme(&self, scheme: &str) -> Option<&Challenge> {
        self.challenges.iter().find(|c| c.is(scheme))
    }

    fn problem(&mut self, what: impl FnOnce() -> String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(what());
        }
    }
}

/// Reads the values of all `WWW-Authenticate` fields of one response, in order. Never fails.
pub fn parse<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Parsed {
    let mut parsed = Parsed::default();
    for (line, bytes) in headers.into_iter().enumerate() {
        let mut reader = Reader {
            bytes,
            at: 0,
            line: line + 1,
            parsed,
        };
        reader.field();
        parsed = reader.parsed;
    }
    repeated_params(&mut parsed);
    parsed
}

/// RFC 9110 §11.2: a parameter name occurs once in a challenge.
fn repeated_params(parsed: &mut Parsed) {
    let mut repeated = Vec::new();
    for challenge in &parsed.challenges {
        let mut seen = HashSet::new();
        for (name, _) in &challenge.params {
            if repeated.len() < MAX_PROBLEMS && !seen.insert(name.as_str()) {
                let scheme = &challenge.scheme;
                repeated.push(format!(
                    "parameter {name} is repeated in the {scheme} challenge"
                ));
            }
        }
    }
    for problem in repeated {
        parsed.problem(|| problem);
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    parsed: Parsed,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn problem(&mut self, what: impl fmt::Display) {
        let (line, column) = (self.line, self.at + 1);
        self.parsed
            .problem(|| format!("field {line}, byte {column}: {what}"));
    }

    fn skip(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|b| !wanted(*b)).unwrap_or(rest.len());
        self.at += len;
        rest.get(..len).unwrap_or_default()
    }

    fn space(&mut self) {
        self.skip(|b| matches!(b, b' ' | b'\t'));
    }

    fn token(&mut self) -> String {
        self.skip(is_token_byte)
            .iter()
            .copied()
            .map(char::from)
            .collect()
    }

    /// One field value: elements separated by commas.
    fn field(&mut self) {
        let mut first = true;
        loop {
            self.skip(|b| matches!(b, b' ' | b'\t' | b','));
            let Some(byte) = self.peek() else {
                return;
            };
            if !is_token_byte(byte) {
                self.problem(format_args!("unexpected '{}'", byte.escape_ascii()));
                self.skip(|b| b != b',');
                continue;
            }
            let word = self.token();
            if self.equals_ahead() {
                if first && self.line > 1 {
                    self.problem("the field begins with a parameter, not with a scheme");
                }
                self.param(word);
            } else {
                self.challenge(word);
            }
            first = false;
            self.space();
            if !matches!(self.peek(), None | Some(b',')) {
                self.problem("a comma is missing");
            }
        }
    }

    /// True where `=` follows, after optional space (BWS).
    fn equals_ahead(&self) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        rest.iter().find(|b| !matches!(b, b' ' | b'\t')) == Some(&b'=')
    }

    /// After a scheme: its token68, its first parameter, or nothing.
    fn challenge(&mut self, scheme: String) {
        let space = self.skip(|b| matches!(b, b' ' | b'\t'));
        if space.contains(&b'\t') {
            self.problem("a tab stands where only spaces may");
        }
        let start = self.at;
        let token68 = self.token68();
        if token68.is_none() {
            self.at = start;
        }
        self.parsed.challenges.push(Challenge {
            scheme,
            params: Vec::new(),
            token68,
        });
        if self.at > start || space.is_empty() {
            return;
        }
        let word = self.token();
        if !word.is_empty() && self.equals_ahead() {
            self.param(word);
        } else {
            // Not a parameter: leave it to be read as the next element.
            self.at = start;
        }
    }

    /// A token68 that ends its element.
    fn token68(&mut self) -> Option<String> {
        let body = self.skip(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
        });
        let padding = self.skip(|b| b == b'=');
        let end = self.at;
        self.space();
        let ends = matches!(self.peek(), None | Some(b','));
        self.at = end;
        let text = body
            .iter()
            .chain(padding)
            .copied()
            .map(char::from)
            .collect();
        (ends && !body.is_empty()).then_some(text)
    }

    /// What follows a parameter's name: `=` and a token or a quoted string.
    fn param(&mut self, name: String) {
        self.space();
        self.at += 1;
        self.space();
        let value = if self.peek() == Some(b'"') {
            self.quoted()
        } else {
            let start = self.at;
            let value = self.token();
            if self.at == start {
                self.problem(format_args!("parameter {name} has no value"));
            } else if !matches!(self.peek(), None | Some(b',' | b' ' | b'\t')) {
                let start = self.at;
                self.problem("this byte needs a quoted string");
                self.skip(|b| !matches!(b, b',' | b' ' | b'\t'));
                let more = self.bytes.get(start..self.at).unwrap_or_default();
                let value = value + &String::from_utf8_lossy(more);
                return self.add(name, value);
            }
            value
        };
        self.add(name, value);
    }

    fn add(&mut self, name: String, value: String) {
        match self.parsed.challenges.last_mut() {
            Some(challenge) => {
                let after_token68 = challenge.token68.is_some();
                challenge.params.push((name.to_ascii_lowercase(), value));
                if after_token68 {
                    self.problem("a parameter follows a token68");
                }
            }
            None => self.problem(format_args!("parameter {name} stands before any scheme")),
        }
    }

    fn quoted(&mut self) -> String {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            out.extend_from_slice(
                self.skip(|b| !matches!(b, b'"' | b'\\' | 0..=8 | 10..=31 | 127)),
            );
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    break;
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(b) if b == b'\t' || (b >= b' ' && b != 127) => {
                            out.push(b);
                            self.at += 1;
                        }
                        _ => self.problem("nothing that can be escaped follows the backslash"),
                    }
                }
                Some(control) => {
                    self.problem("a control character stands in a quoted string");
                    out.push(control);
                    self.at += 1;
                }
                None => {
                    self.problem("the quoted string does not end");
                    break;
                }
            }
        }
        String::from_utf8(out).unwrap_or_else(|e| {
            self.problem("the quoted string is not UTF-8");
            String::from_utf8_lossy(e.as_bytes()).into_owned()
        })
    }
}

/// RFC 9110 §5.6.2.
fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(header: &str) -> Parsed {
        parse([header.as_bytes()])
    }

    #[test]
    fn a_list_of_challenges_is_told_from_a_list_of_parameters() {
        let p = one(
            r#"Negotiate, Bearer realm="a, \"b\"", ERROR=invalid_token, DPoP algs="ES256", Basic Zm9v=="#,
        );
        assert_eq!(p.problems, [""; 0]);
        let schemes: Vec<_> = p.challenges.iter().map(|c| c.scheme.as_str()).collect();
        assert_eq!(schemes, ["Negotiate", "Bearer", "DPoP", "Basic"]);
        assert_eq!(p.scheme("bearer").unwrap().param("realm"), Some("a, \"b\""));
        assert_eq!(
            p.scheme("bearer").unwrap().param("error"),
            Some("invalid_token")
        );
        assert_eq!(p.challenges[3].token68.as_deref(), Some("Zm9v=="));
    }

    #[test]
    fn fields_follow_one_another() {
        let p = parse([&b"Bearer realm=x"[..], b"DPoP"]);
        assert_eq!(p.challenges.len(), 2);
        assert!(p.problems.is_empty());
    }

    #[test]
    fn each_fault_is_named_and_the_rest_still_read() {
        for (header, problem) in [
            (
                r#"Bearer realm="x" error="invalid_token""#,
                "a comma is missing",
            ),
            (
                r#"Bearer error="invalid_token", error="x""#,
                "error is repeated",
            ),
            (r#"error="invalid_token""#, "before any scheme"),
            (r#"Bearer realm="x"#, "does not end"),
            ("Bearer realm=\"\x01\"", "control character"),
            (
                r#"Bearer resource_metadata=https://rs.example/x"#,
                "needs a quoted string",
            ),
            (r#"Bearer a=b, c=, d=e"#, "has no value"),
            ("=Bearer", "unexpected '='"),
            (r#"Basic abc, a=b"#, "follows a token68"),
        ] {
            let p = one(header);
            assert!(
                p.problems.iter().any(|p| p.contains(problem)),
                "{header}: {:?}",
                p.problems
            );
        }
        let p = one(r#"Bearer resource_metadata=https://rs.example/x"#);
        assert_eq!(
            p.challenges[0].param("resource_metadata"),
            Some("https://rs.example/x")
        );
    }
}
