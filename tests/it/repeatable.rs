//! The same run gives the same verdicts, whatever the order of the answers.

use std::collections::BTreeMap;

use oauthspec::event::Verdict;
use oauthspec::run::Options;
use oauthspec::targets::reference::Reference;
use refserver::{Face, Fault};

use crate::pinned::cases;

/// The verdict of every variant of every case, against a reference server of its own with some faults, so that there is more than green.
async fn verdicts(jobs: usize) -> BTreeMap<String, Verdict> {
    let faults = [
        "pkce-plain",
        "redirect-prefix",
        "code-reusable",
        "iss-missing",
    ];
    let faults = faults
        .map(|name| Fault::parse(name).expect("it is a fault"))
        .to_vec();
    let reference = Reference::start(Face::default(), faults, 0).await.unwrap();
    let options = Options {
        jobs,
        keep_evidence: false,
        ..Options::default()
    };
    let reports = cases(reference.target.clone(), &[], options).await;
    reference.stop().await;
    let mut all = BTreeMap::new();
    for report in reports {
        for variant in report.variants {
            all.insert(format!("{}/{}", report.id, variant.name), variant.verdict);
        }
    }
    all
}

/// What differs, in words.
fn differences(one: &BTreeMap<String, Verdict>, other: &BTreeMap<String, Verdict>) -> Vec<String> {
    let ids = one.keys().chain(other.keys());
    let mut lines: Vec<String> = ids
        .filter(|id| one.get(*id) != other.get(*id))
        .map(|id| format!("{id}: {:?} and {:?}", one.get(id), other.get(id)))
        .collect();
    lines.sort();
    lines.dedup();
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_run_twice_and_with_one_or_sixteen_jobs_gives_the_same_verdicts() {
    // They wait more than they work, so they may go beside each other.
    let (many, again, alone) = tokio::join!(verdicts(16), verdicts(16), verdicts(1));
    for verdict in [Verdict::Pass, Verdict::Fail, Verdict::Skipped] {
        assert!(
            many.values().any(|&one| one == verdict),
            "no {} to compare",
            verdict.word()
        );
    }
    let none: Vec<String> = Vec::new();
    assert_eq!(differences(&many, &again), none, "twice with 16 jobs");
    assert_eq!(differences(&many, &alone), none, "with one job");
}
