//! When a certificate ends: the one thing of X.509 that TLS libraries check and do not tell (RFC 5280 §4.1).

/// A moment in UTC: year, month, day, hour, minute, second. Only its form is checked, not whether there is such a day.
pub type Moment = [u16; 6];

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;

/// `notAfter` of a certificate in DER; `None` when it is none.
pub fn not_after(der: &[u8]) -> Option<Moment> {
    let (SEQUENCE, certificate, _) = value(der)? else {
        return None;
    };
    let (SEQUENCE, mut rest, _) = value(certificate)? else {
        return None;
    };
    if let Some((VERSION, _, after)) = value(rest) {
        rest = after;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        rest = value(rest)?.2;
    }
    let (SEQUENCE, validity, _) = value(rest)? else {
        return None;
    };
    let after_begin = value(validity)?.2;
    let (tag, text, _) = value(after_begin)?;
    moment(tag, text)
}

/// The first value: tag, content, and what follows it.
fn value(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, bytes) = bytes.split_first()?;
    let (&first, mut bytes) = bytes.split_first()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let (long, rest) = bytes.split_at_checked(usize::from(first & 0x7f))?;
        if long.is_empty() || long.len() > 4 {
            return None;
        }
        length = long
            .iter()
            .fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
        bytes = rest;
    }
    let (content, after) = bytes.split_at_checked(length)?;
    Some((tag, content, after))
}

/// RFC 5280 §4.1.2.5: years of two digits from 50 on are of the last century.
fn moment(tag: u8, text: &[u8]) -> Option<Moment> {
    let digits = text.strip_suffix(b"Z")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |digits: &[u8]| {
        digits
            .iter()
            .fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'))
    };
    let (year, rest) = match (tag, digits.len()) {
        (UTC_TIME, 12) => {
            let (year, rest) = digits.split_at(2);
            let year = number(year);
            (year + if year < 50 { 2000 } else { 1900 }, rest)
        }
        (GENERALIZED_TIME, 14) => {
            let (year, rest) = digits.split_at(4);
            (number(year), rest)
        }
        _ => return None,
    };
    let mut pairs = rest.chunks(2).map(number);
    let mut next = || pairs.next();
    Some([year, next()?, next()?, next()?, next()?, next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let mut bytes = vec![tag, u8::try_from(content.len()).unwrap()];
        bytes.extend(content);
        bytes
    }

    fn certificate(version: bool, tag: u8, ends: &[u8]) -> Vec<u8> {
        let validity = der(
            SEQUENCE,
            &[&der(UTC_TIME, &[b"200101000000Z"]), &der(tag, &[ends])],
        );
        let version = if version {
            der(VERSION, &[&der(2, &[&[2]])])
        } else {
            Vec::new()
        };
        let body = der(
            SEQUENCE,
            &[
                &version,
                &der(2, &[&[1]]),
                &der(SEQUENCE, &[]),
                &der(SEQUENCE, &[]),
                &validity,
            ],
        );
        der(SEQUENCE, &[&body])
    }

    #[test]
    fn both_forms_of_time_are_read_with_and_without_a_version() {
        let ends = [2031, 12, 24, 18, 30, 59];
        for version in [true, false] {
            let short = certificate(version, UTC_TIME, b"311224183059Z");
            assert_eq!(not_after(&short), Some(ends));
            let long = certificate(version, GENERALIZED_TIME, b"20311224183059Z");
            assert_eq!(not_after(&long), Some(ends));
        }
        let old = certificate(true, UTC_TIME, b"991231235959Z");
        assert_eq!(not_after(&old), Some([1999, 12, 31, 23, 59, 59]));
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        let good = certificate(true, UTC_TIME, b"311224183059Z");
        for cut in 0..good.len() {
            assert_eq!(not_after(good.get(..cut).unwrap()), None, "{cut}");
        }
        for wrong in [&b"3112241830Z"[..], b"31122418305xZ", b"311224183059", b""] {
            assert_eq!(not_after(&certificate(true, UTC_TIME, wrong)), None);
        }
        assert_eq!(not_after(&[SEQUENCE, 0x85, 1, 1, 1, 1, 1]), None);
        assert_eq!(not_after(&[SEQUENCE, 0x80]), None);
    }
}
