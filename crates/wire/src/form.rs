//! Query strings and `application/x-www-form-urlencoded` bodies (RFC 6749 Appendix B, WHATWG URL
//! §5), as ordered pairs of bytes.
//!
//! A map would hide what matters to a check: repeats, order, empty names, a name without `=`, bad
//! escapes. All are kept. Empty segments (`a=1&&b=2`) are dropped, as WHATWG drops them.

/// One segment between two `&`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The name, decoded.
    pub name: Vec<u8>,
    /// The value, decoded; `None` where the segment has no `=`.
    pub value: Option<Vec<u8>>,
    /// The segment exactly as it came or goes out.
    pub raw: Vec<u8>,
}

impl Pair {
    fn read(raw: &[u8]) -> Pair {
        let (name, value) = match raw.iter().position(|b| *b == b'=') {
            Some(at) => {
                let (name, rest) = raw.split_at(at);
                (name, rest.get(1..))
            }
            None => (raw, None),
        };
        Pair {
            name: decode_component(name),
            value: value.map(decode_component),
            raw: raw.to_vec(),
        }
    }

    /// The decoded value as text: invalid UTF-8 is replaced, a missing value is empty.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }
}

/// Ordered pairs, repeats kept.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Pairs {
    pairs: Vec<Pair>,
}

impl Pairs {
    /// Reads a query string (without its `?`) or a form body. Never fails: a bad `%` escape stays
    /// as it is and is reported by [`Pairs::bad_escapes`].
    pub fn parse(bytes: &[u8]) -> Pairs {
        let segments = bytes.split(|b| *b == b'&');
        let pairs = segments.filter(|s| !s.is_empty()).map(Pair::read).collect();
        Pairs { pairs }
    }

    /// No pairs.
    pub fn new() -> Pairs {
        Pairs::default()
    }

    /// Adds a pair that goes out percent-encoded.
    pub fn push(&mut self, name: &str, value: &str) {
        let raw = format!(
            "{}={}",
            encode_component(name.as_bytes()),
            encode_component(value.as_bytes())
        );
        self.pairs.push(Pair {
            name: name.as_bytes().to_vec(),
            value: Some(value.as_bytes().to_vec()),
            raw: raw.into_bytes(),
        });
    }

    /// Adds a pair whose value goes out exactly as given: a way to send what an encoder would not,
    /// a second parameter after `&` included. The name is percent-encoded.
    pub fn push_raw(&mut self, name: &str, raw_value: &[u8]) {
        let mut raw = encode_component(name.as_bytes()).into_bytes();
        raw.push(b'=');
        raw.extend_from_slice(raw_value);
        self.pairs.push(Pair {
            name: name.as_bytes().to_vec(),
            value: Some(decode_component(raw_value)),
            raw,
        });
    }

    /// The pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = &Pair> {
        self.pairs.iter()
    }

    /// How many pairs there are, repeats counted.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Pair> {
        self.pairs.iter().filter(move |p| p.name == name.as_bytes())
    }

    /// Every value of `name`, in order, as text (see [`Pair::text`]).
    pub fn all(&self, name: &str) -> Vec<String> {
        self.named(name).map(Pair::text).collect()
    }

    /// The first value of `name`; `None` where the name is absent.
    pub fn first(&self, name: &str) -> Option<String> {
        self.named(name).next().map(Pair::text)
    }

    /// How often `name` occurs.
    pub fn count(&self, name: &str) -> usize {
        self.named(name).count()
    }

    /// Takes every pair of that name away.
    pub fn remove(&mut self, name: &str) {
        self.pairs.retain(|p| p.name != name.as_bytes());
    }

    /// The pairs joined by `&`: pushed ones percent-encoded (space as `+`), raw and parsed ones
    /// as they came.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.pairs.iter().map(|p| p.raw.len() + 1).sum());
        for (i, pair) in self.pairs.iter().enumerate() {
            if i > 0 {
                out.push(b'&');
            }
            out.extend_from_slice(&pair.raw);
        }
        out
    }

    /// True where some `%` is not followed by two hexadecimal digits.
    pub fn bad_escapes(&self) -> bool {
        self.pairs.iter().any(|p| has_bad_escape(&p.raw))
    }

    /// True where some name or value is not UTF-8 once decoded.
    pub fn invalid_utf8(&self) -> bool {
        let bad = |b: &[u8]| std::str::from_utf8(b).is_err();
        self.pairs
            .iter()
            .any(|p| bad(&p.name) || p.value.as_deref().is_some_and(bad))
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Pairs {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(iter: I) -> Pairs {
        let mut pairs = Pairs::new();
        for (name, value) in iter {
            pairs.push(name.as_ref(), value.as_ref());
        }
        pairs
    }
}

/// Encodes bytes as one form name or value: letters, digits and `*-._` stay, a space becomes `+`,
/// the rest `%XX` (WHATWG URL §5.2).
pub fn encode_component(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    encode_into(bytes, &mut out);
    // It is ASCII.
    String::from_utf8(out).unwrap_or_default()
}

/// The same, behind what is there.
pub fn encode_into(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: [u8; 16] = *b"0123456789ABCDEF";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or(b'0');
    let stays = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'*' | b'-' | b'.' | b'_');
    let mut rest = bytes;
    while !rest.is_empty() {
        let same = rest.iter().position(|b| !stays(b)).unwrap_or(rest.len());
        let (same, tail) = rest.split_at(same);
        out.extend_from_slice(same);
        rest = match tail.split_first() {
            Some((b' ', tail)) => {
                out.push(b'+');
                tail
            }
            Some((b, tail)) => {
                out.extend_from_slice(&[b'%', digit(b >> 4), digit(b & 15)]);
                tail
            }
            None => tail,
        };
    }
}

/// Decodes one form name or value: `+` is a space, `%XX` a byte; a bad escape stays as it is.
pub fn decode_component(bytes: &[u8]) -> Vec<u8> {
    let plain = |b: &u8| !matches!(b, b'+' | b'%');
    if bytes.iter().all(plain) {
        return bytes.to_vec();
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&b, tail)) = rest.split_first() {
        rest = tail;
        match b {
            b'+' => out.push(b' '),
            b'%' => match escape(tail) {
                Some(byte) => {
                    out.push(byte);
                    rest = tail.get(2..).unwrap_or_default();
                }
                None => out.push(b),
            },
            _ => out.push(b),
        }
    }
    out
}

/// The byte that the two digits after a `%` stand for.
pub(crate) fn escape(after_percent: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*after_percent.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

/// True where some `%` is not followed by two hexadecimal digits.
pub fn has_bad_escape(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .enumerate()
        .any(|(at, b)| *b == b'%' && escape(bytes.get(at + 1..).unwrap_or_default()).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_order_and_bare_names_are_kept() {
        let p = Pairs::parse(b"state=1&code=a+b%21&state=2&flag&&=x");
        assert_eq!(p.len(), 5);
        assert_eq!(p.all("state"), ["1", "2"]);
        assert_eq!(p.first("code").as_deref(), Some("a b!"));
        assert_eq!(p.iter().nth(3).unwrap().value, None);
        assert_eq!(p.count(""), 1);
        assert_eq!(p.encode(), b"state=1&code=a+b%21&state=2&flag&=x");
    }

    #[test]
    fn a_bad_escape_stays_and_is_reported() {
        let p = Pairs::parse(b"a=%zz%4");
        assert!(p.bad_escapes());
        assert_eq!(p.first("a").as_deref(), Some("%zz%4"));
        assert!(!Pairs::parse(b"a=%25zz").bad_escapes());
        assert!(Pairs::parse(b"a=%ff").invalid_utf8());
    }

    #[test]
    fn a_raw_value_goes_out_as_given() {
        let mut p = Pairs::new();
        p.push("scope", "a b&c");
        p.push_raw("state", b"%zz&x=1");
        assert_eq!(p.encode(), b"scope=a+b%26c&state=%zz&x=1");
        p.remove("scope");
        assert_eq!(p.len(), 1);
    }
}
