//! The same run gives the same verdicts, whatever the order of the answers.

use std::collections::BTreeMap;

use oauthspec::event::Verdict;
use oauthspec::run::Options;
use oauthspec::target::reference::Reference;
use refserver::{Face, Fault};

use crate::pinned::cases;

/// The verdict of every variant, against a reference server of its own with some faults, so that there is more than green.
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
        ..Options::default()
    };
    let chosen = [
        "pkce.*",
        "iss.*",
        "token.*",
        "scope.*",
        "redirect.path-*",
        "authz.state-*",
        "as-meta.*",
    ];
    let reports = cases(reference.target.clone(), &chosen, options).await;
    reference.stop().await;
    let mut all = BTreeMap::new();
    for report in reports {
        for variant in report.variants {
            all.insert(format!("{}/{}", report.id, variant.name), variant.verdict);
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_run_twice_and_with_one_or_sixteen_jobs_gives_the_same_verdicts() {
    let many = verdicts(16).await;
    for verdict in [Verdict::Pass, Verdict::Fail, Verdict::Skipped] {
        assert!(
            many.values().any(|&one| one == verdict),
            "no {} to compare",
            verdict.word()
        );
    }
    assert_eq!(many, verdicts(16).await, "twice with 16 jobs");
    assert_eq!(many, verdicts(1).await, "with one job");
}
