//! A query parser as one is written in an afternoon. It is wrong on purpose: see `tests/properties.rs`.

/// Reads `application/x-www-form-urlencoded`. `None` when an escape is none.
pub fn sloppy(query: &[u8]) -> Option<Vec<(String, String)>> {
    let query = String::from_utf8_lossy(query);
    let mut pairs: Vec<(String, String)> = Vec::new();
    for segment in query.split('&').filter(|segment| !segment.is_empty()) {
        // Wrong: what was encoded as %3D or %26 is decoded before the pair is split.
        let segment = decoded(segment)?;
        let (name, value) = segment.split_once('=').unwrap_or((&segment, ""));
        pairs.push((name.to_owned(), value.to_owned()));
    }
    Some(pairs)
}

/// The same, split first and decoded afterwards.
pub fn careful(query: &[u8]) -> Option<Vec<(String, String)>> {
    let query = std::str::from_utf8(query).ok()?;
    let mut pairs = Vec::new();
    for segment in query.split('&').filter(|segment| !segment.is_empty()) {
        let (name, value) = segment.split_once('=').unwrap_or((segment, ""));
        pairs.push((decoded(name)?, decoded(value)?));
    }
    Some(pairs)
}

/// Undoes `+` and percent escapes; `None` when an escape is none or what is escaped is no UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => hex(bytes.next()?)? * 16 + hex(bytes.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}
