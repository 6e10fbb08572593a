//! Two JSON reports beside each other: what broke, what was mended.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::event::{PolicyLine, Verdict};

use super::json::{Case, Document};
use super::markdown::{Bounded, MOST, cell, row};
use super::{severity_word, text};

/// One case, or one variant of a case, whose verdict changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `redirect.near-miss` or `redirect.near-miss/trailing-slash`.
    pub name: String,
    /// The case's title.
    pub title: String,
    /// What a breach costs.
    pub severity: crate::event::Severity,
    /// Before.
    pub old: Verdict,
    /// Now.
    pub new: Verdict,
    /// The new reason.
    pub reason: String,
}

/// A topic of the policy read-out that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyChange {
    /// What was looked at.
    pub topic: String,
    /// Before, when it was seen.
    pub old: Option<String>,
    /// Now, when it is seen.
    pub new: Option<String>,
}

/// The difference of two reports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Failed or broke now and did not before.
    pub broken: Vec<Change>,
    /// Failed before and passes (or only warns) now.
    pub mended: Vec<Change>,
    /// Was decided before and is not any more: a green that was lost without anything being proved.
    pub lost: Vec<Change>,
    /// Any other change of verdict.
    pub other: Vec<Change>,
    /// Cases only the new report has: id and verdict.
    pub added: Vec<(String, Verdict)>,
    /// Cases only the old report has: id and verdict.
    pub gone: Vec<(String, Verdict)>,
    /// The policy that differs.
    pub policy: Vec<PolicyChange>,
    /// Why the two may not be comparable: another target, other profiles, an early end.
    pub caveats: Vec<String>,
}

impl Comparison {
    /// Whether nothing at all differs.
    pub fn is_empty(&self) -> bool {
        *self
            == Comparison {
                caveats: self.caveats.clone(),
                ..Comparison::default()
            }
    }
}

fn bad(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Fail | Verdict::Error)
}

fn decided(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Pass | Verdict::Warn | Verdict::Fail)
}

/// Compares the old report with the new one.
pub fn compare(old: &Document, new: &Document) -> Comparison {
    let mut found = Comparison {
        caveats: caveats(old, new),
        ..Comparison::default()
    };
    let before: BTreeMap<&str, &Case> = old
        .cases
        .iter()
        .map(|case| (case.id.as_str(), case))
        .collect();
    let after: BTreeMap<&str, &Case> = new
        .cases
        .iter()
        .map(|case| (case.id.as_str(), case))
        .collect();
    for (id, case) in &after {
        match before.get(id) {
            None => found.added.push(((*id).to_owned(), case.verdict)),
            Some(was) => case_changes(was, case, &mut found),
        }
    }
    for (id, case) in &before {
        if !after.contains_key(id) {
            found.gone.push(((*id).to_owned(), case.verdict));
        }
    }
    for list in [
        &mut found.broken,
        &mut found.mended,
        &mut found.lost,
        &mut found.other,
    ] {
        list.sort_by(|a, b| {
            b.severity
                .cmp(&a.severity)
                .then_with(|| a.name.cmp(&b.name))
        });
    }
    found.policy = policy(&old.policy, &new.policy);
    found
}

/// Variants are compared by name, so that a second variant that breaks in a case that failed already is seen.
fn case_changes(was: &Case, is: &Case, found: &mut Comparison) {
    let plain = |case: &Case| case.variants.iter().all(|variant| variant.name.is_empty());
    if plain(was) || plain(is) {
        sort_in(
            change(is.id.clone(), is, was.verdict, is.verdict, &is.reason),
            found,
        );
        return;
    }
    let mut same_variants = true;
    for variant in &is.variants {
        let Some(earlier) = was
            .variants
            .iter()
            .find(|earlier| earlier.name == variant.name)
        else {
            same_variants = false;
            continue;
        };
        let name = format!("{}/{}", is.id, variant.name);
        sort_in(
            change(name, is, earlier.verdict, variant.verdict, &variant.reason),
            found,
        );
    }
    // A variant that is new can still turn the case.
    let named = |list: &[Change]| {
        list.iter()
            .any(|change| change.name.starts_with(&format!("{}/", is.id)))
    };
    if !same_variants && !named(&found.broken) && !named(&found.mended) {
        sort_in(
            change(is.id.clone(), is, was.verdict, is.verdict, &is.reason),
            found,
        );
    }
}

fn change(name: String, case: &Case, old: Verdict, new: Verdict, reason: &str) -> Change {
    Change {
        name,
        title: case.title.clone(),
        severity: case.severity,
        old,
        new,
        reason: reason.to_owned(),
    }
}

fn sort_in(change: Change, found: &mut Comparison) {
    let (old, new) = (change.old, change.new);
    if old == new {
        return;
    }
    let list = if bad(new) && !bad(old) {
        &mut found.broken
    } else if old == Verdict::Fail && matches!(new, Verdict::Pass | Verdict::Warn) {
        &mut found.mended
    } else if decided(old) && !decided(new) {
        &mut found.lost
    } else {
        &mut found.other
    };
    list.push(change);
}

fn policy(old: &[PolicyLine], new: &[PolicyLine]) -> Vec<PolicyChange> {
    let map = |lines: &[PolicyLine]| -> BTreeMap<String, String> {
        lines
            .iter()
            .map(|line| (line.topic.clone(), line.observed.clone()))
            .collect()
    };
    let (old, new) = (map(old), map(new));
    let mut topics: Vec<&String> = old.keys().chain(new.keys()).collect();
    topics.sort();
    topics.dedup();
    topics
        .into_iter()
        .filter(|topic| old.get(*topic) != new.get(*topic))
        .map(|topic| PolicyChange {
            topic: topic.clone(),
            old: old.get(topic).cloned(),
            new: new.get(topic).cloned(),
        })
        .collect()
}

fn caveats(old: &Document, new: &Document) -> Vec<String> {
    let mut found = Vec::new();
    for (what, a, b) in [
        ("targets", old.target.clone(), new.target.clone()),
        ("profiles", old.profiles.join(" "), new.profiles.join(" ")),
        ("tool versions", old.tool.clone(), new.tool.clone()),
    ] {
        if a != b {
            found.push(format!("the {what} differ: {a} before, {b} now"));
        }
    }
    for (which, document) in [("old", old), ("new", new)] {
        if let Some(why) = &document.interrupted {
            found.push(format!("the {which} run ended early: {why}"));
        }
    }
    found
}

/// The comparison as plain text.
pub fn plain(found: &Comparison) -> String {
    let mut out = String::new();
    for caveat in &found.caveats {
        let _ = writeln!(out, "note: {}", text::log(caveat));
    }
    for (title, changes) in sections(found) {
        if changes.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{title} ({})", changes.len());
        for change in changes {
            let _ = writeln!(
                out,
                "  {} → {}  {} [{}]  {}",
                change.old.word(),
                change.new.word(),
                text::log(&change.name),
                severity_word(change.severity),
                text::log(&change.reason)
            );
        }
    }
    for (title, cases) in [("new cases", &found.added), ("cases gone", &found.gone)] {
        if !cases.is_empty() {
            let _ = writeln!(out, "{title} ({})", cases.len());
            for (id, verdict) in cases {
                let _ = writeln!(out, "  {}  {}", verdict.word(), text::log(id));
            }
        }
    }
    if !found.policy.is_empty() {
        let _ = writeln!(out, "changed policy ({})", found.policy.len());
        for line in &found.policy {
            let _ = writeln!(
                out,
                "  {}: {} → {}",
                text::log(&line.topic),
                text::log(line.old.as_deref().unwrap_or("not seen")),
                text::log(line.new.as_deref().unwrap_or("not seen"))
            );
        }
    }
    if found.is_empty() {
        let _ = writeln!(out, "no verdict and no policy differs");
    }
    out
}

/// The comparison as Markdown, for a comment on a change: at most [`MOST`](super::markdown::MOST) bytes.
pub fn markdown(found: &Comparison) -> String {
    let mut out = Bounded::default();
    out.add(
        &format!(
            "### oauthspec: {} broken, {} mended\n\n",
            found.broken.len(),
            found.mended.len()
        ),
        MOST,
    );
    let caveats = found.caveats.iter();
    out.part(
        "",
        caveats.map(|caveat| format!("> {}\n\n", cell(caveat))),
        5_000,
    );
    for ((title, changes), limit) in sections(found)
        .into_iter()
        .zip([30_000, 40_000, 48_000, 54_000])
    {
        out.part(
            &format!(
                "**{title}**\n\n| case | was | is | severity | reason |\n|---|---|---|---|---|\n"
            ),
            changes.iter().map(|change| {
                row(&[
                    &change.name,
                    change.old.word(),
                    change.new.word(),
                    severity_word(change.severity),
                    &change.reason,
                ])
            }),
            limit,
        );
    }
    for (title, cases, limit) in [
        ("new cases", &found.added, 57_000),
        ("cases gone", &found.gone, 60_000),
    ] {
        let names = cases.iter();
        out.part(
            &format!("**{title}**\n\n"),
            names.map(|(id, verdict)| format!("- {} ({})\n", cell(id), verdict.word())),
            limit,
        );
    }
    out.part(
        "**changed policy**\n\n| topic | was | is |\n|---|---|---|\n",
        found.policy.iter().map(|line| {
            let (old, new) = (line.old.as_deref(), line.new.as_deref());
            row(&[
                &line.topic,
                old.unwrap_or("not seen"),
                new.unwrap_or("not seen"),
            ])
        }),
        MOST,
    );
    if found.is_empty() {
        out.add("No verdict and no policy differs.\n", MOST);
    }
    out.text
}

fn sections(found: &Comparison) -> [(&'static str, &Vec<Change>); 4] {
    [
        ("broken", &found.broken),
        ("mended", &found.mended),
        ("no longer decided", &found.lost),
        ("otherwise changed", &found.other),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn documents(edit: impl FnOnce(&mut Document)) -> (Document, Document) {
        let old = Document::from(&sample::run());
        let mut new = old.clone();
        edit(&mut new);
        (old, new)
    }

    #[test]
    fn the_same_report_differs_in_nothing() {
        let (old, new) = documents(|_| {});
        assert!(compare(&old, &new).is_empty());
        assert!(plain(&compare(&old, &new)).contains("no verdict and no policy differs"));
    }

    #[test]
    fn a_pass_that_fails_now_is_broken_and_back_it_is_mended() {
        let (old, new) = documents(|new| {
            let case = new
                .cases
                .iter_mut()
                .find(|case| case.id == "authz.state-echo")
                .unwrap();
            case.verdict = Verdict::Fail;
        });
        let found = compare(&old, &new);
        assert_eq!(found.broken.len(), 1);
        assert_eq!(found.broken[0].name, "authz.state-echo");
        assert!(plain(&found).contains("pass → fail  authz.state-echo"));
        assert_eq!(compare(&new, &old).mended.len(), 1);
    }

    #[test]
    fn a_variant_that_breaks_in_a_failing_case_is_seen() {
        let (old, new) = documents(|new| {
            let case = new
                .cases
                .iter_mut()
                .find(|case| case.id == "redirect.near-miss")
                .unwrap();
            case.variants[0].verdict = Verdict::Fail;
        });
        let found = compare(&old, &new);
        assert_eq!(found.broken[0].name, "redirect.near-miss/upper-host");
    }

    #[test]
    fn a_green_that_was_lost_is_listed_and_is_not_mended() {
        let (old, new) = documents(|new| {
            for case in &mut new.cases {
                case.verdict = Verdict::Skipped;
                for variant in &mut case.variants {
                    variant.verdict = Verdict::Skipped;
                }
            }
        });
        let found = compare(&old, &new);
        assert!(found.mended.is_empty());
        assert!(
            found
                .lost
                .iter()
                .any(|change| change.name == "authz.state-echo")
        );
    }

    #[test]
    fn new_and_gone_cases_and_policy_are_listed() {
        let (old, new) = documents(|new| {
            new.cases[0].id = "authz.renamed".into();
            new.policy[0].observed = "plain, S256".into();
        });
        let found = compare(&old, &new);
        assert_eq!(found.added[0].0, "authz.renamed");
        assert_eq!(found.gone[0].0, "authz.state-echo");
        assert!(plain(&found).contains("PKCE methods: S256 → plain, S256"));
        assert!(markdown(&found).contains("| PKCE methods | S256 | plain, S256 |"));
    }

    #[test]
    fn a_hostile_reason_stays_in_its_table_cell() {
        for hostile in sample::HOSTILE {
            let (old, new) = documents(|new| {
                new.cases[0].verdict = Verdict::Fail;
                new.cases[0].reason = hostile.into();
            });
            let shown = markdown(&compare(&old, &new));
            let row = shown
                .lines()
                .find(|line| line.starts_with("| authz"))
                .unwrap();
            let bars = row.replace("\\|", "").matches('|').count();
            assert_eq!(bars, 6, "{row}");
            assert!(
                !shown.contains('<') || shown.contains("<!-- -->"),
                "{shown}"
            );
        }
    }
}
