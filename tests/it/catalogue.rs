//! `docs/catalogue.md`: every row of the catalogue with its cases, the faults that break them, and what was said of real servers. It is made from
//! the suites, the fault table, the pinned verdicts and a run; a row without a case needs a reason, and a lost case changes a count.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use oauthspec::event::Verdict;
use oauthspec::profile::CATALOGUE;
use oauthspec::run::Options;
use oauthspec::suite::model::{Case, Suite};
use oauthspec::targets::reference::Reference;
use refserver::{Face, Fault};

use crate::pinned::{cases, every_suite, pins, root};

/// A row of `fixtures/catalogue/rows.tsv`.
struct Row {
    id: String,
    level: String,
    area: String,
    critical: bool,
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(root().join("fixtures/catalogue/rows.tsv")).unwrap();
    let rows = text.lines().skip(1).map(|line| {
        let [id, _party, level, area, critical] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("five columns: {line}");
        };
        Row {
            id: id.into(),
            level: level.into(),
            area: area.into(),
            critical: critical == "y",
        }
    });
    rows.collect()
}

/// Why a row has no case: `fixtures/catalogue/left-out.toml`.
fn left_out() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join("fixtures/catalogue/left-out.toml")).unwrap();
    toml::from_str(&text).unwrap()
}

fn serves(case: &Case, row: &str) -> bool {
    case.id == row || case.rows.iter().any(|own| own == row)
}

/// Those of the reference server, and those of each service's face.
fn every_fault() -> impl Iterator<Item = Fault> {
    let faces = Face::ALL.iter().flat_map(|face| face.faults());
    faces.copied()
}

/// The faults whose row in the fault table names a case, or a row that the case serves.
fn faults(case: &Case) -> Vec<&'static str> {
    let breaking = every_fault().filter(|fault| fault.breaks().iter().any(|row| serves(case, row)));
    breaking.map(|fault| fault.name()).collect()
}

/// The servers whose verdicts are shown, with the word for each case.
type Verdicts = Vec<(&'static str, BTreeMap<String, Verdict>)>;

async fn verdicts() -> Verdicts {
    let reference = Reference::start(Face::default(), Vec::new(), 0)
        .await
        .unwrap();
    let options = Options {
        profiles: vec![CATALOGUE.to_owned()],
        keep_evidence: false,
        ..Options::default()
    };
    let reports = cases(reference.target.clone(), &[], options).await;
    reference.stop().await;
    // What the reference server's own face has no occasion for, another of its faces has.
    let mut reports = reports;
    for face in [Face::Alone, Face::Mcp2025] {
        let reference = Reference::start(face, Vec::new(), 0).await.unwrap();
        let options = Options {
            profiles: vec![CATALOGUE.to_owned()],
            suites: vec!["rs".to_owned(), "mcp".to_owned()],
            keep_evidence: false,
            ..Options::default()
        };
        let others = cases(reference.target.clone(), &[], options).await;
        reference.stop().await;
        for report in &mut reports {
            let other = others.iter().find(|other| other.id == report.id);
            if let Some(other) = other.filter(|_| report.verdict == Verdict::Skipped) {
                report.clone_from(other);
            }
        }
    }
    // Of a service's own suite the face that wears it is the reference.
    for face in [Face::Hightop, Face::Agnicpay, Face::Hasp] {
        let suites = every_suite();
        let own = suites
            .iter()
            .filter(|suite| suite.profile.as_deref() == face.service());
        let reference = Reference::start(face, Vec::new(), 0).await.unwrap();
        let options = Options {
            suites: own.map(|suite| suite.name.clone()).collect(),
            keep_evidence: false,
            ..Options::default()
        };
        reports.extend(cases(reference.target.clone(), &[], options).await);
        reference.stop().await;
    }
    let own = reports
        .into_iter()
        .map(|report| (report.id, report.verdict));
    let mut all = vec![("reference", own.collect())];
    for (head, file) in [
        ("oidc-provider, hightop", "oidc-provider-hightop"),
        ("oidc-provider, hasp", "oidc-provider-hasp"),
        ("node-oauth", "node-oauth"),
    ] {
        let pins = pins(&root().join(format!("fixtures/pinned/{file}.toml")));
        all.push((
            head,
            pins.into_iter()
                .map(|(id, pin)| (id, pin.verdict))
                .collect(),
        ));
    }
    all
}

fn page(
    rows: &[Row],
    suites: &[Suite],
    left_out: &BTreeMap<String, String>,
    verdicts: &Verdicts,
) -> String {
    let cases: Vec<&Case> = suites.iter().flat_map(|suite| &suite.cases).collect();
    let variants: usize = cases.iter().map(|case| case.variants.len()).sum();
    let covered = rows
        .iter()
        .filter(|row| cases.iter().any(|case| serves(case, &row.id)))
        .count();
    let critical = rows.iter().filter(|row| row.critical).count();
    let mut out = format!(
        "# The catalogue\n\n\
         Made by `UPDATE=1 cargo test -p oauthspec --test it catalogue`; a test fails when it is stale. A row is a requirement, a case is how it is\n\
         put to the test, a fault is a way of the reference server to break it. The verdicts of the real servers are those pinned, with a reason\n\
         for each that is no pass, in `fixtures/pinned/`; that of the reference server is of a run of the whole catalogue.\n\n\
         {} rows ({critical} critical): {covered} with a case, {} left out with a reason. {} cases with {variants} variants in {} suites. {} faults.\n",
        rows.len(),
        rows.len() - covered,
        cases.len(),
        suites.len(),
        every_fault().count(),
    );
    let mut shown = BTreeSet::new();
    let areas: Vec<&str> = rows.iter().fold(Vec::new(), |mut areas, row| {
        if !areas.contains(&row.area.as_str()) {
            areas.push(&row.area);
        }
        areas
    });
    for area in areas {
        let heads: Vec<&str> = verdicts.iter().map(|(head, _)| *head).collect();
        let _ = write!(
            out,
            "\n## {area}\n\n| row | case | faults | {} |\n|---|---|---|{}\n",
            heads.join(" | "),
            "---|".repeat(heads.len())
        );
        for row in rows.iter().filter(|row| row.area == area) {
            let mut name = format!("`{}` {}", row.id, row.level);
            let serving: Vec<&&Case> = cases.iter().filter(|case| serves(case, &row.id)).collect();
            if serving.is_empty() {
                let reason = left_out.get(&row.id).map_or("", String::as_str);
                let _ = writeln!(
                    out,
                    "| {name} | none: {reason} |{}",
                    " |".repeat(heads.len() + 1)
                );
            }
            for case in serving {
                shown.insert(&case.id);
                let _ = writeln!(out, "{}", line(&name, case, verdicts));
                name = String::new();
            }
        }
    }
    let rest: Vec<&&Case> = cases
        .iter()
        .filter(|case| !shown.contains(&case.id))
        .collect();
    if !rest.is_empty() {
        let ids: Vec<String> = rest.iter().map(|case| format!("`{}`", case.id)).collect();
        let _ = writeln!(out, "\n## Cases that serve no row\n\n{}", ids.join(", "));
    }
    out
}

fn line(row: &str, case: &Case, verdicts: &Verdicts) -> String {
    let faults = faults(case);
    let faults = match (faults.as_slice(), &case.without_fault) {
        ([], Some(reason)) => format!("none: {reason}"),
        ([], None) => "none".to_owned(),
        ([first, second, third, _, ..], _) => {
            format!(
                "`{first}` `{second}` `{third}` and {} more",
                faults.len() - 3
            )
        }
        (few, _) => format!("`{}`", few.join("` `")),
    };
    let words: Vec<&str> = verdicts
        .iter()
        .map(|(_, verdicts)| {
            verdicts
                .get(&case.id)
                .map_or("not run", |verdict| verdict.word())
        })
        .collect();
    let count = case
        .variants
        .iter()
        .filter(|variant| !variant.name.is_empty())
        .count();
    let variants = if count > 0 {
        format!(" ({count})")
    } else {
        String::new()
    };
    format!(
        "| {row} | `{}`{variants} | {faults} | {} |",
        case.id,
        words.join(" | ")
    )
}

#[test]
fn every_row_has_a_case_or_a_reason_and_no_row_has_both() {
    let left_out = left_out();
    let suites = every_suite();
    let cases: Vec<&Case> = suites.iter().flat_map(|suite| &suite.cases).collect();
    let rows = rows();
    let mut wrong = Vec::new();
    for row in &rows {
        match (
            cases.iter().any(|case| serves(case, &row.id)),
            left_out.get(&row.id),
        ) {
            (true, Some(_)) => wrong.push(format!(
                "{} has a case: take it out of left-out.toml",
                row.id
            )),
            (false, None) => wrong.push(format!(
                "{} has no case: write one, or say in left-out.toml why there is none",
                row.id
            )),
            (false, Some(reason)) => assert!(reason.len() > 20, "{}: say why", row.id),
            (true, None) => {}
        }
    }
    let unknown = left_out
        .keys()
        .filter(|id| rows.iter().all(|row| row.id != **id));
    wrong.extend(unknown.map(|id| format!("left-out.toml: {id} is no row")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_not_stale() {
    let fresh = page(&rows(), &every_suite(), &left_out(), &verdicts().await);
    let file = root().join("docs/catalogue.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &fresh).unwrap();
    }
    let kept = read(&file);
    let differs = kept
        .lines()
        .zip(fresh.lines())
        .find(|(old, new)| old != new);
    assert!(
        kept == fresh,
        "docs/catalogue.md is stale at {differs:?}: run `UPDATE=1 cargo test -p oauthspec --test it catalogue`, and look at what changed"
    );
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}
