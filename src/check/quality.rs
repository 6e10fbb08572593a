//! How hard codes, tokens and secrets are to guess, as far as a few of them show it.

use super::Finding;
use super::view::outline;

/// Bits that one character of base64url carries.
const BASE64URL_BITS: f64 = 6.0;

/// Characters of base64url that a value must vary in to pass, and below which it fails.
const ENOUGH: usize = 22;
const TOO_FEW: usize = 16;

/// So many equal characters at an end of two random values may be chance, in hex at least.
const BY_CHANCE: usize = 2;

/// Whether the values differ and vary in enough characters (counted as base64url).
pub(super) fn quality(what: &str, values: &[&str]) -> Result<Finding, Finding> {
    distinct(what, values)?;
    if values.len() < 2 {
        return Err(Finding::undecided(format!(
            "fewer than two {what} were seen"
        )));
    }
    let varying = varying(values);
    let says = format!(
        "{} {what} vary in a part worth {varying} characters of base64url",
        values.len()
    );
    match varying {
        _ if varying < TOO_FEW => Err(Finding::fail(format!("{says}; {ENOUGH} are needed"))),
        _ if varying < ENOUGH => Err(Finding::warn(format!("{says}; {ENOUGH} are needed"))),
        _ => Ok(Finding::pass(says)),
    }
}

/// Fails when two values are equal.
pub(super) fn distinct(what: &str, values: &[&str]) -> Result<(), Finding> {
    let mut seen = std::collections::BTreeSet::new();
    match values.iter().find(|value| !seen.insert(**value)) {
        Some(value) => Err(Finding::fail(format!(
            "two of the {what} are equal: {}",
            outline(value)
        ))),
        None => Ok(()),
    }
}

/// How many characters of base64url the varying part is worth.
///
/// What all values begin and end with is left out, unless it is so short that it may be chance. When fewer than half of the characters between
/// differ anywhere, only those that do are counted: a counter at each end proves nothing about a
/// constant middle.
pub(super) fn varying(values: &[&str]) -> usize {
    let texts: Vec<Vec<char>> = values.iter().map(|value| value.chars().collect()).collect();
    let shortest = texts.iter().map(Vec::len).min().unwrap_or(0);
    let same_at = |index: &dyn Fn(&Vec<char>) -> usize| {
        let mut letters = texts.iter().map(|text| text.get(index(text)));
        let first = letters.next().flatten();
        letters.all(|letter| letter == first)
    };
    let prefix = (0..shortest)
        .take_while(|place| same_at(&|_| *place))
        .count();
    let suffix = (0..shortest.saturating_sub(prefix))
        .take_while(|place| same_at(&|text: &Vec<char>| text.len().saturating_sub(1 + place)))
        .count();
    let beyond_chance = |length: usize| if length > BY_CHANCE { length } else { 0 };
    let (prefix, suffix) = (beyond_chance(prefix), beyond_chance(suffix));
    let parts: Vec<&[char]> = texts
        .iter()
        .map(|text| {
            text.get(prefix..text.len().saturating_sub(suffix))
                .unwrap_or_default()
        })
        .collect();
    let span = parts.iter().map(|part| part.len()).min().unwrap_or(0);
    let column = |place: usize| -> Vec<char> {
        parts
            .iter()
            .filter_map(|part| part.get(place).copied())
            .collect()
    };
    let mut differing = 0;
    let mut fixed_separators = 0;
    for place in 0..span {
        let letters = column(place);
        let same = letters.windows(2).all(|pair| pair.first() == pair.last());
        if !same {
            differing += 1;
        } else if letters
            .first()
            .is_some_and(|letter| !letter.is_alphanumeric())
        {
            fixed_separators += 1;
        }
    }
    let counted = if differing * 2 >= span - fixed_separators {
        span - fixed_separators
    } else {
        differing
    };
    let every = || parts.iter().flat_map(|part| part.iter());
    let letters = || every().filter(|letter| letter.is_alphanumeric());
    let bits = if letters().all(char::is_ascii_digit) {
        10_f64.log2()
    } else if letters().all(char::is_ascii_hexdigit) {
        4.0
    } else {
        BASE64URL_BITS
    };
    // At most a few thousand characters: nothing is lost here. Rounded up: 32 of hex are enough.
    (counted as f64 * bits / BASE64URL_BITS).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::{quality, varying};
    use crate::check::Found;

    fn found(values: &[&str]) -> Found {
        match quality("codes", values) {
            Ok(finding) | Err(finding) => finding.found,
        }
    }

    #[test]
    fn random_values_pass() {
        let (one, other) = (jose::random_token(32), jose::random_token(32));
        assert_eq!(found(&[&one, &other]), Found::Pass);
        let hex = [
            "9f86d081884c7d659a2feaa0c55ad015",
            "a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ];
        assert_eq!(found(&hex), Found::Pass);
        // Random values may begin alike.
        let alike = [
            "9f86d081884c7d659a2feaa0c55ad015",
            "9fbf4f1b2b0b822cd15d6c15b0f00a05",
        ];
        assert_eq!(found(&alike), Found::Pass);
        let uuids = [
            "0b5e4d9c-5e6a-4d1f-9c3b-7a1e2f3d4c5b",
            "f47ac10b-58cc-4372-a567-0e02b2c3d479",
        ];
        assert_eq!(found(&uuids), Found::Pass);
    }

    #[test]
    fn counters_clocks_and_repeats_fail() {
        assert_eq!(found(&["a", "a"]), Found::Fail);
        assert_eq!(
            found(&[
                "code-0000000000000000000000001",
                "code-0000000000000000000000002"
            ]),
            Found::Fail
        );
        assert_eq!(
            found(&["1732161685123456", "1732161697654321"]),
            Found::Fail
        );
        assert_eq!(
            found(&[
                "1constantconstantconstantconst1",
                "2constantconstantconstantconst2"
            ]),
            Found::Fail
        );
        assert_eq!(found(&["only-one"]), Found::Undecided);
        assert_eq!(found(&["", "x"]), Found::Fail);
    }

    #[test]
    fn a_short_random_part_is_warned_of() {
        let values = ["code.SplxlOBeZQQYbYS6Ws", "code.Zx9KqLr0TnUvWaBcDe"];
        assert_eq!(varying(&values), 18);
        assert_eq!(found(&values), Found::Warn);
    }
}
