//! `Set-Cookie` as a browser reads it (RFC 6265bis §5.6), with what is wrong about it.

use std::fmt;

/// The longest name and value together (§5.6) and the longest attribute value.
const MAX_PAIR: usize = 4096;
const MAX_ATTRIBUTE: usize = 1024;

/// A cookie that a server sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetCookie {
    /// The name; may be empty.
    pub name: Vec<u8>,
    /// The value; may be empty.
    pub value: Vec<u8>,
    /// The path; `None` where the request's own directory is meant.
    pub path: Option<Vec<u8>>,
    /// The domain in lower case, without a leading dot; `None` for the host alone.
    pub domain: Option<Vec<u8>>,
    /// `Secure`
    pub secure: bool,
    /// `HttpOnly`
    pub http_only: bool,
    /// `Partitioned`
    pub partitioned: bool,
    /// `SameSite`; `None` where it is absent or unknown.
    pub same_site: Option<SameSite>,
    /// `Max-Age` in seconds; zero or less takes the cookie away.
    pub max_age: Option<i64>,
    /// `Expires`, in seconds since 1970-01-01T00:00:00Z.
    pub expires: Option<i64>,
    /// What is wrong with the cookie.
    pub problems: Vec<Problem>,
}

/// The values of `SameSite`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// Sent only with requests from the site itself.
    Strict,
    /// Sent with top-level navigation, too.
    Lax,
    /// Sent with every request.
    None,
}

/// What can be wrong with a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The pair has no `=`: the text became the value of a nameless cookie.
    NoEquals,
    /// `__Secure-` without `Secure`: refused (§4.1.3.1).
    SecurePrefix,
    /// `__Host-` without `Secure` and `Path=/`, or with `Domain`: refused (§4.1.3.2).
    HostPrefix,
    /// `SameSite=None` without `Secure`: refused (§5.7).
    NoneWithoutSecure,
    /// `Expires` cannot be read as a date.
    Expires,
    /// `Max-Age` is no number.
    MaxAge,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Problem::NoEquals => "has no '='",
            Problem::SecurePrefix => "is named __Secure- but not Secure",
            Problem::HostPrefix => "is named __Host- but not Secure with Path=/ and no Domain",
            Problem::NoneWithoutSecure => "has SameSite=None but not Secure",
            Problem::Expires => "has an Expires that is no date",
            Problem::MaxAge => "has a Max-Age that is no number",
        })
    }
}

/// Reads one `Set-Cookie` value; `None` where a browser ignores it: control characters, neither
/// name nor value, or more than 4096 bytes of both.
pub fn parse_set_cookie(bytes: &[u8]) -> Option<SetCookie> {
    if bytes.iter().any(|b| matches!(b, 0..=8 | 10..=31 | 127)) {
        return None;
    }
    let mut fields = bytes.split(|b| *b == b';');
    let pair = fields.next().unwrap_or_default();
    let (name, value, named) = match cut(pair) {
        (name, Some(value)) => (trim(name), trim(value), true),
        (value, None) => (&b""[..], trim(value), false),
    };
    if name.is_empty() && value.is_empty() || name.len() + value.len() > MAX_PAIR {
        return None;
    }
    let mut cookie = SetCookie {
        name: name.to_vec(),
        value: value.to_vec(),
        path: None,
        domain: None,
        secure: false,
        http_only: false,
        partitioned: false,
        same_site: None,
        max_age: None,
        expires: None,
        problems: Vec::new(),
    };
    let (mut bad_expires, mut bad_max_age) = (false, false);
    for field in fields {
        let (attribute, value) = cut(field);
        let (attribute, value) = (trim(attribute), trim(value.unwrap_or_default()));
        if value.len() > MAX_ATTRIBUTE {
            continue;
        }
        // The last of several attributes of one name counts (§5.7).
        match attribute.to_ascii_lowercase().as_slice() {
            b"secure" => cookie.secure = true,
            b"httponly" => cookie.http_only = true,
            b"partitioned" => cookie.partitioned = true,
            b"path" => cookie.path = Some(value.to_vec()).filter(|p| p.starts_with(b"/")),
            b"domain" => {
                let domain = value
                    .strip_prefix(b".")
                    .unwrap_or(value)
                    .to_ascii_lowercase();
                cookie.domain = Some(domain).filter(|d| !d.is_empty());
            }
            b"samesite" => cookie.same_site = same_site(value),
            b"max-age" => match max_age(value) {
                Some(seconds) => cookie.max_age = Some(seconds),
                None => bad_max_age = true,
            },
            b"expires" => match date(value) {
                Some(seconds) => cookie.expires = Some(seconds),
                None => bad_expires = true,
            },
            _ => {}
        }
    }
    // A nameless cookie whose value begins with a prefix passes for a prefixed one on servers.
    let prefixed = |prefix: &[u8]| {
        let text = if name.is_empty() { value } else { name };
        text.get(..prefix.len())
            .is_some_and(|p| p.eq_ignore_ascii_case(prefix))
    };
    let host_locked =
        cookie.secure && cookie.path.as_deref() == Some(b"/") && cookie.domain.is_none();
    cookie.problems = [
        (!named, Problem::NoEquals),
        (
            prefixed(b"__Secure-") && !cookie.secure,
            Problem::SecurePrefix,
        ),
        (prefixed(b"__Host-") && !host_locked, Problem::HostPrefix),
        (
            cookie.same_site == Some(SameSite::None) && !cookie.secure,
            Problem::NoneWithoutSecure,
        ),
        (bad_expires, Problem::Expires),
        (bad_max_age, Problem::MaxAge),
    ]
    .into_iter()
    .filter_map(|(found, problem)| found.then_some(problem))
    .collect();
    Some(cookie)
}

impl SetCookie {
    /// The cookie as a server would set it; attributes in a fixed order.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.name.clone();
        if !self.problems.contains(&Problem::NoEquals) {
            out.push(b'=');
        }
        out.extend_from_slice(&self.value);
        let attribute = |out: &mut Vec<u8>, name: &str, value: &[u8]| {
            out.extend_from_slice(format!("; {name}=").as_bytes());
            out.extend_from_slice(value);
        };
        if let Some(path) = &self.path {
            attribute(&mut out, "Path", path);
        }
        if let Some(domain) = &self.domain {
            // A leading dot is dropped in reading, after space: either needs a dot before it.
            let guarded = domain.first().is_some_and(|b| b". \t".contains(b));
            let dot: &[u8] = if guarded { b"." } else { b"" };
            attribute(&mut out, "Domain", &[dot, domain].concat());
        }
        if let Some(seconds) = self.max_age {
            attribute(&mut out, "Max-Age", seconds.to_string().as_bytes());
        }
        if let Some(seconds) = self.expires {
            attribute(&mut out, "Expires", date_text(seconds).as_bytes());
        }
        for (set, name) in [
            (self.secure, "; Secure"),
            (self.http_only, "; HttpOnly"),
            (self.partitioned, "; Partitioned"),
            (
                self.same_site == Some(SameSite::Strict),
                "; SameSite=Strict",
            ),
            (self.same_site == Some(SameSite::Lax), "; SameSite=Lax"),
            (self.same_site == Some(SameSite::None), "; SameSite=None"),
        ] {
            if set {
                out.extend_from_slice(name.as_bytes());
            }
        }
        out
    }
}

fn cut(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    match bytes.iter().position(|b| *b == b'=') {
        Some(at) => {
            let (before, rest) = bytes.split_at(at);
            (before, rest.get(1..))
        }
        None => (bytes, None),
    }
}

fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

fn same_site(value: &[u8]) -> Option<SameSite> {
    match value.to_ascii_lowercase().as_slice() {
        b"strict" => Some(SameSite::Strict),
        b"lax" => Some(SameSite::Lax),
        b"none" => Some(SameSite::None),
        _ => None,
    }
}

/// §5.6.2: digits, perhaps after a `-`; more than fits is as much as fits.
fn max_age(value: &[u8]) -> Option<i64> {
    let (negative, digits) = match value.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, value),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits.iter().fold(0i64, |n, d| {
        n.saturating_mul(10).saturating_add(i64::from(*d - b'0'))
    });
    Some(if negative { -size } else { size })
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// A date by the forgiving reading of §5.1.1: tokens in any order, the first that fits each part.
fn date(value: &[u8]) -> Option<i64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    let delimiter = |b: &u8| matches!(b, 9 | 0x20..=0x2F | 0x3B..=0x40 | 0x5B..=0x60 | 0x7B..=0x7E);
    for token in value.split(delimiter).filter(|t| !t.is_empty()) {
        if time.is_none()
            && let Some(found) = clock(token)
        {
            time = Some(found);
        } else if day.is_none()
            && let Some(found) = number(token, 1, 2)
        {
            day = Some(found);
        } else if month.is_none()
            && let Some(found) = month_of(token)
        {
            month = Some(found);
        } else if year.is_none()
            && let Some(found) = number(token, 2, 4)
        {
            year = Some(found);
        }
    }
    let (seconds, day, month, year) = (time?, day?, month?, year?);
    let year = match year {
        70..=99 => year + 1900,
        0..=69 => year + 2000,
        _ => year,
    };
    (year >= 1601 && (1..=days_in(month, year)).contains(&day))
        .then(|| days_since_1970(year, month, day) * 86_400 + seconds)
}

/// The number at the start of a token, of so many digits; what follows must not be a digit.
fn number(token: &[u8], min: usize, max: usize) -> Option<i64> {
    let digits = token.iter().take_while(|b| b.is_ascii_digit()).count();
    if !(min..=max).contains(&digits) {
        return None;
    }
    std::str::from_utf8(token.get(..digits)?).ok()?.parse().ok()
}

/// `hh:mm:ss` as seconds since midnight.
fn clock(token: &[u8]) -> Option<i64> {
    let mut parts = token.splitn(3, |b| *b == b':');
    let whole = |part: &[u8]| number(part, 1, 2).filter(|_| part.len() <= 2);
    let (hour, minute) = (whole(parts.next()?)?, whole(parts.next()?)?);
    let second = number(parts.next()?, 1, 2)?;
    (hour <= 23 && minute <= 59 && second <= 59).then_some(hour * 3600 + minute * 60 + second)
}

/// 1 to 12.
fn month_of(token: &[u8]) -> Option<i64> {
    let start = token.get(..3)?.to_ascii_lowercase();
    let index = MONTHS.iter().position(|m| m.as_bytes() == start)?;
    i64::try_from(index + 1).ok()
}

fn days_in(month: i64, year: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar; years are counted from March, so that the leap
/// day ends them.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

/// The date in the form of RFC 9110 §5.6.7, without the weekday, which no reader needs.
fn date_text(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // 400 years have 146 097 days; the estimate is off by one year at most.
    let mut year = 1970 + (days * 400).div_euclid(146_097);
    while days_since_1970(year, 1, 1) > days {
        year -= 1;
    }
    while days_since_1970(year + 1, 1, 1) <= days {
        year += 1;
    }
    let mut day = days - days_since_1970(year, 1, 1);
    let mut month = 1;
    while day >= days_in(month, year) && month < 12 {
        day -= days_in(month, year);
        month += 1;
    }
    let name = usize::try_from(month - 1)
        .ok()
        .and_then(|i| MONTHS.get(i))
        .unwrap_or(&"");
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!(
        "{:02} {name} {year:04} {hour:02}:{minute:02}:{second:02} GMT",
        day + 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> SetCookie {
        parse_set_cookie(text.as_bytes()).unwrap()
    }

    #[test]
    fn attributes_are_read_whatever_their_case() {
        let c =
            read("__Host-sid = abc=; path=/; SECURE ; HttpOnly; samesite=LAX; Max-Age=-5; Domain=");
        assert_eq!(
            (c.name.as_slice(), c.value.as_slice()),
            (&b"__Host-sid"[..], &b"abc="[..])
        );
        assert_eq!(
            (c.secure, c.http_only, c.same_site),
            (true, true, Some(SameSite::Lax))
        );
        assert_eq!(
            (c.path.as_deref(), c.domain.clone(), c.max_age),
            (Some(&b"/"[..]), None, Some(-5))
        );
        assert_eq!(c.problems, []);
    }

    #[test]
    fn what_a_browser_refuses_is_named() {
        for (text, problem) in [
            ("__host-a=b; Secure; Path=/; Domain=x", Problem::HostPrefix),
            ("__Host-a=b; Secure; Path=/x", Problem::HostPrefix),
            ("__Secure-a=b", Problem::SecurePrefix),
            ("__Secure-a", Problem::SecurePrefix),
            ("a=b; SameSite=None", Problem::NoneWithoutSecure),
            ("a=b; Expires=soon", Problem::Expires),
            ("a=b; Max-Age=1.5", Problem::MaxAge),
            ("abc", Problem::NoEquals),
        ] {
            assert!(read(text).problems.contains(&problem), "{text}");
        }
        for text in ["", "=", " ; Secure", "a=\x01"] {
            assert_eq!(parse_set_cookie(text.as_bytes()), None);
        }
        assert_eq!(parse_set_cookie(&b"a".repeat(4097)), None);
    }

    #[test]
    fn dates_of_every_spelling_are_read() {
        for date in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(
                read(&format!("a=b; Expires={date}")).expires,
                Some(784_111_777),
                "{date}"
            );
        }
        for (seconds, text) in [
            (0, "01 jan 1970 00:00:00 GMT"),
            (951_782_400, "29 feb 2000 00:00:00 GMT"),
            (4_102_444_799, "31 dec 2099 23:59:59 GMT"),
            (-11_644_473_600, "01 jan 1601 00:00:00 GMT"),
        ] {
            assert_eq!(date_text(seconds), text);
            assert_eq!(date(text.as_bytes()), Some(seconds));
        }
        assert_eq!(date(b"30 feb 2000 00:00:00"), None);
        assert_eq!(date(b"01 jan 1600 00:00:00"), None);
    }
}
