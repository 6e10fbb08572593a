//! The expectations of a step: which answers are right, within which time, and by which checks.

use std::time::Duration;

use super::model::{Expect, Within};
use super::read::{Pieces, ReadExpect, SHAPES};
use super::words;
use crate::diagnostic::nearest;
use crate::reader::{At, Table};

/// The longest pause.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl<'r> Pieces<'r> {
    pub(super) fn expect(&self, table: &Table<'r, '_>) -> Option<ReadExpect> {
        let span = table.entry("expect")?.key_span.clone();
        let table = table.table("expect", "an expectation", &SHAPES.expect)?;
        let expect = Expect {
            refused: self.codes(&table, "refused"),
            page: self.only_true(&table, "page"),
            challenge: self.codes(&table, "challenge"),
            dead: self.codes(&table, "dead"),
            within: self.within(&table, "within"),
            check: self.checks(&table),
            or: table.text("or").and_then(|name| self.check(&name)),
            optional: table.owned("optional"),
        };
        let kinds = [
            expect.refused.is_some(),
            expect.page,
            expect.challenge.is_some(),
            expect.dead.is_some(),
        ];
        let kinds = kinds.into_iter().filter(|kind| *kind).count();
        if kinds > 1 {
            self.reader
                .error(&span, "two expectations at once")
                .help(
                    "keep one of refused, page, challenge and dead; where an error code and a page \
                     are both fine, write refused = [\"invalid_request\", \"page\"]",
                )
                .report();
        }
        for (key, present) in [
            ("within", expect.within.is_some()),
            ("or", expect.or.is_some()),
        ] {
            if present && kinds == 0 {
                self.reader
                    .error(&table.span, format!("`{key}` without a refusal to expect"))
                    .help("add refused, challenge or dead, or remove it")
                    .report();
            }
        }
        if expect.optional.is_some() && kinds > 0 {
            self.reader
                .error(
                    &table.span,
                    "a refusal that is expected cannot be `optional`",
                )
                .help("put `optional` on the step that may not succeed")
                .report();
        }
        Some(ReadExpect { expect, span })
    }

    fn codes(&self, table: &Table<'r, '_>, key: &str) -> Option<Vec<String>> {
        let mut codes = Vec::new();
        for code in table.texts(key)? {
            let none = key == "challenge" && code.value.is_empty();
            if !none && !words::ERROR_CODES.contains(&code.value) {
                self.reader
                    .error(&code.span, format!("unknown error code `{}`", code.value))
                    .suggest(code.value, words::ERROR_CODES.iter().copied())
                    .report();
            }
            self.push_once(&mut codes, &code, key);
        }
        Some(codes)
    }

    /// A duration, or `policy.NAME`.
    pub(super) fn within(&self, table: &Table<'r, '_>, key: &str) -> Option<Within> {
        let text = table.text(key)?;
        let Some(policy) = text.value.strip_prefix("policy.") else {
            return self
                .reader
                .duration(key, text.value, &text.span, LONGEST_WAIT)
                .map(Within::Time);
        };
        let fits = !policy.is_empty()
            && policy
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        // A target may declare further times; a near miss of the usual ones is a slip.
        let slip = !words::TIMES.contains(&policy)
            && nearest(policy, words::TIMES.iter().copied()).is_some();
        if !fits || slip {
            self.reader
                .error(&text.span, format!("unknown policy `{policy}`"))
                .suggest(policy, words::TIMES.iter().copied())
                .report();
            return None;
        }
        Some(Within::Policy(policy.to_owned()))
    }

    fn checks(&self, table: &Table<'r, '_>) -> Vec<String> {
        let mut all = Vec::new();
        for name in table.texts("check").unwrap_or_default() {
            if self.check(&name).is_some() {
                self.push_once(&mut all, &name, "check");
            }
        }
        all
    }

    fn check(&self, name: &At<&str>) -> Option<String> {
        if self.known.checks.contains(&name.value) {
            return Some(name.value.to_owned());
        }
        self.reader
            .error(&name.span, format!("unknown check `{}`", name.value))
            .suggest_or(
                name.value,
                self.known.checks,
                "`oauthspec explain` lists the checks, and so does docs/checks.md",
            )
            .report();
        None
    }
}
