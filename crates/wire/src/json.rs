//! JSON (RFC 8259) read so that nothing is hidden: names that occur twice, the order of members,
//! numbers as they were written, depth, a byte order mark, lone surrogates.
//!
//! The reader keeps its own stack, so deep input cannot exhaust the thread's, and it takes limits,
//! so long input cannot exhaust memory.

mod value;

pub use value::Value;

use std::collections::HashSet;
use std::fmt;

/// How much input is read before it is refused.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest input, in bytes.
    pub max_bytes: usize,
    /// The deepest nesting of arrays and objects; never more than [`DEEPEST`].
    pub max_depth: usize,
    /// The most values, member values included.
    pub max_nodes: usize,
}

impl Default for Limits {
    /// 1 MiB, 64 levels, 200 000 values.
    fn default() -> Limits {
        Limits {
            max_bytes: 1024 * 1024,
            max_depth: 64,
            max_nodes: 200_000,
        }
    }
}

/// No [`Value`] is nested deeper than this, whatever the limits say: dropping, comparing and
/// printing a value do use the thread's stack.
pub const DEEPEST: usize = 512;

/// At most this many repeated names are listed in [`Document::duplicates`].
pub const MAX_DUPLICATES: usize = 64;

/// After the first, repeated names are listed only while their pointers fit in this many bytes.
const MAX_DUPLICATE_BYTES: usize = 64 * 1024;

/// A JSON text and what is worth knowing about how it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The value.
    pub value: Value,
    /// JSON pointers (RFC 6901) of names that occur more than once in their object, one a repeat,
    /// at most [`MAX_DUPLICATES`]. Inner objects come first.
    pub duplicates: Vec<String>,
    /// How deep arrays and objects nest: 0 for a bare scalar.
    pub depth: usize,
    /// The text began with a byte order mark, which RFC 8259 §8.1 forbids to send.
    pub bom: bool,
    /// Some `\u` escape was half of a surrogate pair.
    pub lone_surrogates: bool,
}

/// Why a text was refused, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error {
    /// Offset in bytes from the start of the input.
    pub offset: usize,
    /// What is wrong there.
    pub kind: ErrorKind,
}

/// What can be wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Longer than [`Limits::max_bytes`].
    TooLong,
    /// Nested deeper than [`Limits::max_depth`].
    TooDeep,
    /// More values than [`Limits::max_nodes`].
    TooManyNodes,
    /// The text ends too early.
    End,
    /// A byte that cannot stand here.
    Unexpected(u8),
    /// Not a number of RFC 8259 §6.
    Number,
    /// Not an escape of RFC 8259 §7.
    Escape,
    /// A control character inside a string.
    Control,
    /// A string that is not UTF-8.
    Utf8,
    /// Bytes after the value.
    Trailing,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ErrorKind::TooLong => write!(f, "longer than is read"),
            ErrorKind::TooDeep => write!(f, "nested deeper than is read"),
            ErrorKind::TooManyNodes => write!(f, "more values than are read"),
            ErrorKind::End => write!(f, "the text ends too early"),
            ErrorKind::Unexpected(b) => write!(f, "unexpected '{}'", b.escape_ascii()),
            ErrorKind::Number => write!(f, "not a JSON number"),
            ErrorKind::Escape => write!(f, "not a JSON escape"),
            ErrorKind::Control => write!(f, "control character in a string"),
            ErrorKind::Utf8 => write!(f, "a string is not UTF-8"),
            ErrorKind::Trailing => write!(f, "bytes after the value"),
        }?;
        write!(f, " at byte {}", self.offset)
    }
}

impl std::error::Error for Error {}

/// Reads one JSON text.
pub fn scan(bytes: &[u8], limits: Limits) -> Result<Document, Error> {
    if bytes.len() > limits.max_bytes {
        return Err(Error {
            offset: limits.max_bytes,
            kind: ErrorKind::TooLong,
        });
    }
    let mut scanner = Scanner {
        bytes,
        at: 0,
        max_depth: limits.max_depth.min(DEEPEST),
        nodes_left: limits.max_nodes,
        stack: Vec::new(),
        duplicates: Vec::new(),
        duplicate_bytes: 0,
        depth: 0,
        lone_surrogates: false,
    };
    let bom = bytes.starts_with(b"\xEF\xBB\xBF");
    if bom {
        scanner.at = 3;
    }
    let value = scanner.text()?;
    scanner.space();
    if scanner.at < bytes.len() {
        return Err(scanner.error(ErrorKind::Trailing));
    }
    Ok(Document {
        value,
        duplicates: scanner.duplicates,
        depth: scanner.depth,
        bom,
        lone_surrogates: scanner.lone_surrogates,
    })
}

/// An array or object that is still open.
enum Open {
    Array(Vec<Value>),
    /// The members so far and the name whose value is being read.
    Object(Vec<(String, Value)>, String),
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    max_depth: usize,
    nodes_left: usize,
    stack: Vec<Open>,
    duplicates: Vec<String>,
    duplicate_bytes: usize,
    depth: usize,
    lone_surrogates: bool,
}

impl Scanner<'_> {
    fn error(&self, kind: ErrorKind) -> Error {
        Error {
            offset: self.at,
            kind,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn unexpected(&self) -> Error {
        self.error(self.peek().map_or(ErrorKind::End, ErrorKind::Unexpected))
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    /// The whole value: opens and closes containers on `self.stack` until the outermost is done.
    fn text(&mut self) -> Result<Value, Error> {
        loop {
            self.space();
            let Some(mut done) = self.open_or_scalar()? else {
                continue;
            };
            // Hand the finished value to its container, which may finish in turn.
            loop {
                let Some(mut open) = self.stack.pop() else {
                    return Ok(done);
                };
                match &mut open {
                    Open::Array(items) => items.push(done),
                    Open::Object(members, name) => members.push((std::mem::take(name), done)),
                }
                self.space();
                if self.eat(b',') {
                    if let Open::Object(_, name) = &mut open {
                        *name = self.name()?;
                    }
                    self.stack.push(open);
                    break;
                }
                done = match open {
                    Open::Array(items) if self.eat(b']') => Value::Array(items),
                    Open::Object(members, _) if self.eat(b'}') => self.close(members),
                    _ => return Err(self.unexpected()),
                };
            }
        }
    }

    /// Reads a scalar or an empty container, or opens a container (then: `None`).
    fn open_or_scalar(&mut self) -> Result<Option<Value>, Error> {
        let Some(left) = self.nodes_left.checked_sub(1) else {
            return Err(self.error(ErrorKind::TooManyNodes));
        };
        self.nodes_left = left;
        let first = self.peek();
        match first {
            Some(b'{' | b'[') => {
                if self.stack.len() >= self.max_depth {
                    return Err(self.error(ErrorKind::TooDeep));
                }
                self.at += 1;
                self.depth = self.depth.max(self.stack.len() + 1);
                self.space();
                if first == Some(b'[') {
                    if self.eat(b']') {
                        return Ok(Some(Value::Array(Vec::new())));
                    }
                    self.stack.push(Open::Array(Vec::new()));
                } else {
                    if self.eat(b'}') {
                        return Ok(Some(Value::Object(Vec::new())));
                    }
                    let name = self.name()?;
                    self.stack.push(Open::Object(Vec::new(), name));
                }
                Ok(None)
            }
            Some(b'"') => self.string().map(|s| Some(Value::String(s))),
            Some(b'-' | b'0'..=b'9') => self.number().map(Some),
            Some(b't') => self.word(b"true", Value::Bool(true)),
            Some(b'f') => self.word(b"false", Value::Bool(false)),
            Some(b'n') => self.word(b"null", Value::Null),
            _ => Err(self.unexpected()),
        }
    }

    fn word(&mut self, word: &[u8], value: Value) -> Result<Option<Value>, Error> {
        for &b in word {
            if !self.eat(b) {
                return Err(self.unexpected());
            }
        }
        Ok(Some(value))
    }

    /// A member's name and its colon.
    fn name(&mut self) -> Result<String, Error> {
        self.space();
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        let name = self.string()?;
        self.space();
        if !self.eat(b':') {
            return Err(self.unexpected());
        }
        Ok(name)
    }

    fn close(&mut self, members: Vec<(String, Value)>) -> Value {
        let mut seen = HashSet::with_capacity(members.len());
        for (name, _) in &members {
            if !seen.insert(name.as_str()) {
                self.note_duplicate(name);
            }
        }
        Value::Object(members)
    }

    fn note_duplicate(&mut self, name: &str) {
        let full =
            self.duplicates.len() >= MAX_DUPLICATES || self.duplicate_bytes >= MAX_DUPLICATE_BYTES;
        if full {
            return;
        }
        let mut pointer = String::new();
        for open in &self.stack {
            match open {
                Open::Array(items) => push_token(&mut pointer, &items.len().to_string()),
                Open::Object(_, name) => push_token(&mut pointer, name),
            }
        }
        push_token(&mut pointer, name);
        self.duplicate_bytes += pointer.len();
        self.duplicates.push(pointer);
    }

    fn digits(&mut self) -> Result<(), Error> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.error(ErrorKind::Number));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value, Error> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        } else if matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.error(ErrorKind::Number));
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _sign = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        let text = self.bytes.get(start..self.at).unwrap_or_default();
        Ok(Value::Number(
            text.iter().copied().map(char::from).collect(),
        ))
    }

    /// A string, its quotes included in what is read.
    fn string(&mut self) -> Result<String, Error> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let stop = rest
                .iter()
                .position(|b| matches!(b, b'"' | b'\\' | 0..=0x1F));
            let plain = rest.get(..stop.unwrap_or(rest.len())).unwrap_or_default();
            match std::str::from_utf8(plain) {
                Ok(text) => out.push_str(text),
                Err(e) => {
                    self.at += e.valid_up_to();
                    return Err(self.error(ErrorKind::Utf8));
                }
            }
            self.at += plain.len();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    let c = self.escape()?;
                    out.push(c);
                }
                Some(_) => return Err(self.error(ErrorKind::Control)),
                None => return Err(self.error(ErrorKind::End)),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        let c = match self.bytes.get(self.at + 1) {
            Some(b'u') => return self.unicode_escape(),
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{C}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            _ => return Err(self.error(ErrorKind::Escape)),
        };
        self.at += 2;
        Ok(c)
    }

    fn unicode_escape(&mut self) -> Result<char, Error> {
        let Some(first) = self.code_unit(self.at) else {
            return Err(self.error(ErrorKind::Escape));
        };
        self.at += 6;
        if let Some(c) = char::from_u32(first) {
            return Ok(c);
        }
        if let (0xD800..=0xDBFF, Some(second @ 0xDC00..=0xDFFF)) = (first, self.code_unit(self.at))
        {
            self.at += 6;
            let point = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            return Ok(char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        self.lone_surrogates = true;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    /// The code unit of the escape `\uXXXX` at `at`, if there is one.
    fn code_unit(&self, at: usize) -> Option<u32> {
        let hex = self.bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        hex.iter()
            .try_fold(0, |unit, b| Some(unit * 16 + char::from(*b).to_digit(16)?))
    }
}

/// Appends a reference token to a JSON pointer (RFC 6901 §3).
fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    for c in token.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Document {
        scan(text.as_bytes(), Limits::default()).unwrap()
    }

    fn refused(bytes: &[u8]) -> ErrorKind {
        scan(bytes, Limits::default()).unwrap_err().kind
    }

    #[test]
    fn repeated_names_are_seen_and_the_last_wins() {
        let doc = read(r#"{"a":1,"b":[{"x/y":1,"x/y":2}],"a":2}"#);
        assert_eq!(doc.duplicates, ["/b/0/x~1y", "/a"]);
        assert_eq!(doc.value.get("a").and_then(Value::as_u64), Some(2));
        assert_eq!(doc.depth, 3);
    }

    #[test]
    fn numbers_keep_their_writing() {
        assert_eq!(read("1e400").value, Value::Number("1e400".into()));
        assert_eq!(read("1e400").value.as_f64(), None);
        assert_eq!(read("3600.0").value.as_u64(), None);
        assert_eq!(read("3600").value.as_u64(), Some(3600));
        assert_eq!(refused(b"01"), ErrorKind::Number);
        assert_eq!(refused(b"1."), ErrorKind::Number);
        assert_eq!(refused(b"-"), ErrorKind::Number);
    }

    #[test]
    fn surrogates_pair_up_or_are_reported() {
        let pair = read(r#""\ud83d\ude00""#);
        assert_eq!(pair.value.as_str(), Some("\u{1F600}"));
        assert!(!pair.lone_surrogates);
        let lone = read(r#""\ud83dx\udc00""#);
        assert_eq!(lone.value.as_str(), Some("\u{FFFD}x\u{FFFD}"));
        assert!(lone.lone_surrogates);
    }

    #[test]
    fn limits_hold_whatever_is_sent() {
        // Miri takes a thousand times as long: there, both the limits and what breaks them are smaller.
        let less = if cfg!(miri) { 1000 } else { 1 };
        let limits = Limits {
            max_bytes: Limits::default().max_bytes / less,
            max_nodes: Limits::default().max_nodes / less,
            ..Limits::default()
        };
        let refused = |bytes: &[u8]| scan(bytes, limits).unwrap_err().kind;
        assert_eq!(refused(&b"[".repeat(1_000_000 / less)), ErrorKind::TooDeep);
        assert_eq!(refused(&b" ".repeat(2_000_000 / less)), ErrorKind::TooLong);
        let many = format!("[{}0]", "0,".repeat(300_000 / less));
        assert_eq!(refused(many.as_bytes()), ErrorKind::TooManyNodes);
        let deep = Limits {
            max_depth: usize::MAX,
            ..Limits::default()
        };
        let text = "[".repeat(DEEPEST) + &"]".repeat(DEEPEST);
        assert_eq!(scan(text.as_bytes(), deep).unwrap().depth, DEEPEST);
        assert!(scan(format!("[{text}]").as_bytes(), deep).is_err());
    }

    #[test]
    fn malformed_text_is_refused_with_its_place() {
        assert_eq!(refused(b""), ErrorKind::End);
        assert_eq!(refused(b"{\"a\":1,}"), ErrorKind::Unexpected(b'}'));
        assert_eq!(refused(b"[1,]"), ErrorKind::Unexpected(b']'));
        assert_eq!(refused(b"nul"), ErrorKind::End);
        assert_eq!(refused(b"\"\n\""), ErrorKind::Control);
        assert_eq!(refused(b"\"\xff\""), ErrorKind::Utf8);
        assert_eq!(refused(b"\"\\x\""), ErrorKind::Escape);
        let error = scan(b"{} x", Limits::default()).unwrap_err();
        assert_eq!(
            error,
            Error {
                offset: 3,
                kind: ErrorKind::Trailing
            }
        );
    }

    #[test]
    fn a_byte_order_mark_is_read_past_and_reported() {
        assert!(scan(b"\xEF\xBB\xBF{}", Limits::default()).unwrap().bom);
    }
}
