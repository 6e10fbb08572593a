//! How words of the command line are read. Messages say what is right.

use std::time::Duration;

use crate::event::Severity;
use crate::report::severity_word;

/// `10s`, `500ms`, `2m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration; write 500ms, 10s or 2m");
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let duration = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        "h" => Duration::from_secs(number.saturating_mul(3600)),
        _ => return Err(wrong()),
    };
    if duration.is_zero() || duration > Duration::from_secs(7 * 24 * 3600) {
        return Err(format!(
            "`{text}` is out of range; give more than nothing and at most a week"
        ));
    }
    Ok(duration)
}

/// `5/s` or `5`: requests a second.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    match number.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err(format!(
            "`{text}` is no rate; write requests a second: 5/s or 0.5/s"
        )),
    }
}

/// `2/4`: the second of four parts.
pub(super) fn partition(text: &str) -> Result<(u32, u32), String> {
    let wrong = || {
        format!(
            "`{text}` is no part; write M/N with M from 1 to N: 2/4 is the second of four parts"
        )
    };
    let (part, of) = text.split_once('/').ok_or_else(wrong)?;
    let (part, of): (u32, u32) = (
        part.parse().map_err(|_| wrong())?,
        of.parse().map_err(|_| wrong())?,
    );
    if part == 0 || part > of {
        Err(wrong())
    } else {
        Ok((part, of))
    }
}

/// A severity's word.
pub(super) fn severity(text: &str) -> Result<Severity, String> {
    let all = [
        Severity::Cosmetic,
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];
    all.into_iter()
        .find(|severity| severity_word(*severity) == text)
        .ok_or_else(|| {
            format!(
                "`{text}` is no severity; write {}",
                all.map(severity_word).join(", ")
            )
        })
}

/// `NAME=VALUE`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// A request to an API: a method and an absolute URL.
pub(super) fn probe(text: &str) -> Result<String, String> {
    match text.split_once(' ') {
        Some((method, url)) if !method.is_empty() && url::Url::parse(url.trim()).is_ok() => {
            Ok(format!("{method} {}", url.trim()))
        }
        _ => Err("write a method and a URL: GET https://api.example/me".to_owned()),
    }
}

/// An absolute http(s) URL.
pub(super) fn url(text: &str) -> Result<String, String> {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(text.to_owned()),
        _ => Err("write a URL: https://mcp.example/mcp".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_rates_parts_and_severities_are_read_as_written() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(rate("5/s"), Ok(5.0));
        assert_eq!(rate("0.5"), Ok(0.5));
        assert_eq!(partition("2/4"), Ok((2, 4)));
        assert_eq!(severity("high"), Ok(Severity::High));
    }

    #[test]
    fn what_cannot_be_read_is_answered_with_an_example() {
        for text in [
            "",
            "10",
            "s",
            "0s",
            "9999h",
            "-1s",
            "1d",
            "99999999999999999999s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "0", "-1", "inf", "NaN", "x/s"] {
            assert!(rate(text).is_err(), "{text}");
        }
        for text in ["", "0/4", "5/4", "1", "a/b", "1/0"] {
            assert!(partition(text).is_err(), "{text}");
        }
        assert!(severity("High").unwrap_err().contains("critical"));
    }
}
