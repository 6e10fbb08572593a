//! Published bugs of real libraries: the version that has one is red for that reason, the version that mends it is not.

use oauthspec::event::{CaseReport, Verdict};
use oauthspec::fuzz::drive::{self, Event};
use oauthspec::fuzz::finding::Finding;
use oauthspec::fuzz::oracle::Oracle;
use oauthspec::run::Options;

use crate::pinned::{cases, target};
use crate::servers::Real;

/// The reports of these cases against one version of a library.
async fn judged(library: &str, version: &str, chosen: &[&str]) -> Option<Vec<CaseReport>> {
    let server = Real::start(&format!("known-bugs/{library}"), &[version])?;
    let target = target(&format!("known-bug-{library}.toml"), &server);
    Some(cases(target, chosen, Options::default()).await)
}

#[track_caller]
fn find<'r>(reports: &'r [CaseReport], id: &str) -> &'r CaseReport {
    let found = reports.iter().find(|report| report.id == id);
    found.unwrap_or_else(|| panic!("{id} was not decided"))
}

/// CVE-2025-4143: the redirect URI of an authorization request was not compared with the registered ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cve_2025_4143_is_red_in_workers_0_0_4_and_green_in_0_0_5() {
    let chosen = ["redirect.unregistered"];
    let Some(bad) = judged("workers", "0.0.4", &chosen).await else {
        return;
    };
    let red = find(&bad, "redirect.unregistered");
    assert_eq!(red.verdict, Verdict::Fail, "{}", red.reason);
    // The foreign URI got the code; the same flow with the registered one stands beside it.
    assert!(
        red.reason.contains("https://attacker.example"),
        "{}",
        red.reason
    );
    assert!(
        red.variants
            .iter()
            .any(|one| one.verdict == Verdict::Fail && !one.control.is_empty()),
        "{:?}",
        red.variants
    );
    let Some(good) = judged("workers", "0.0.5", &chosen).await else {
        return;
    };
    let green = find(&good, "redirect.unregistered");
    assert_eq!(green.verdict, Verdict::Pass, "{}", green.reason);
}

/// 5.2.1 took `plain` challenges, and challenges without a method as plain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_challenge_is_red_in_node_oauth_5_2_1_and_not_in_5_3_0() {
    let chosen = ["pkce.plain-rejected", "pkce.method-omitted"];
    let Some(bad) = judged("node-oauth", "5.2.1", &chosen).await else {
        return;
    };
    for id in chosen {
        let red = find(&bad, id);
        assert_eq!(red.verdict, Verdict::Fail, "{id}: {}", red.reason);
        // The code was redeemed with the challenge itself as the verifier.
        assert!(red.reason.contains("succeeded"), "{id}: {}", red.reason);
    }
    let Some(good) = judged("node-oauth", "5.3.0", &chosen).await else {
        return;
    };
    for id in chosen {
        let green = find(&good, id);
        assert!(green.verdict < Verdict::Fail, "{id}: {}", green.reason);
    }
}

/// CVE-2025-30144: an array that contains the trusted issuer was taken for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cve_2025_30144_is_red_in_fast_jwt_5_0_5_and_green_in_5_0_6() {
    let chosen = ["rs.issuer-exact"];
    let Some(bad) = judged("fast-jwt", "5.0.5", &chosen).await else {
        return;
    };
    let red = find(&bad, "rs.issuer-exact");
    assert_eq!(red.verdict, Verdict::Fail, "{}", red.reason);
    // It is the array, and no other issuer; the same call with the untouched token stands beside it.
    let failed: Vec<&str> = red
        .variants
        .iter()
        .filter(|one| one.verdict == Verdict::Fail && !one.control.is_empty())
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(failed, ["array", "array-first"], "{}", red.reason);
    let Some(good) = judged("fast-jwt", "5.0.6", &chosen).await else {
        return;
    };
    let green = find(&good, "rs.issuer-exact");
    assert_eq!(green.verdict, Verdict::Pass, "{}", green.reason);
}

/// 4.0.5 revoked whatever token it was shown, whoever asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_revokes_another_ones_token_in_jmondi_4_0_5_and_not_in_4_2_2() {
    let chosen = ["revoke.other-client-access"];
    let Some(bad) = judged("jmondi", "4.0.5", &chosen).await else {
        return;
    };
    let red = find(&bad, "revoke.other-client-access");
    assert_eq!(red.verdict, Verdict::Fail, "{}", red.reason);
    // The token lived, the other client asked, and then introspection called it inactive.
    assert!(
        red.reason.contains("introspect") && red.reason.contains("must go on working"),
        "{}",
        red.reason
    );
    let Some(good) = judged("jmondi", "4.2.2", &chosen).await else {
        return;
    };
    let green = find(&good, "revoke.other-client-access");
    assert_eq!(green.verdict, Verdict::Pass, "{}", green.reason);
}

/// The first finding of this kind that so many programs make in one version of a library, and after how many; `None` when
/// the library cannot be installed. Counted in programs, because a clock would judge the machine.
async fn fuzzed(
    library: &str,
    version: &str,
    programs: u64,
    wanted: fn(&Finding) -> bool,
) -> Option<(Option<Finding>, u64)> {
    let server = Real::start(&format!("known-bugs/{library}"), &[version])?;
    let target = target(&format!("known-bug-{library}.toml"), &server);
    let options = drive::Options {
        time: None,
        programs: Some(programs),
        seed: 1,
        ..drive::Options::default()
    };
    let (sender, stop) = tokio::sync::watch::channel(false);
    let mut found = None;
    let mut hear = |event: Event| {
        if let Event::Finding(finding) = event
            && found.is_none()
            && wanted(&finding)
        {
            found = Some(*finding);
            sender.send(true).ok();
        }
    };
    let report = drive::run(target, &options, &mut hear, &stop).await;
    let report = report.expect("the server can be fuzzed");
    assert!(report.programs > 0 && report.dead.is_none(), "{report:?}");
    Some((found, report.programs))
}

/// The version that mends a bug gives no such finding in so many programs.
async fn silent(library: &str, version: &str, programs: u64, unwanted: fn(&Finding) -> bool) {
    if let Some((Some(found), _)) = fuzzed(library, version, programs, unwanted).await {
        panic!("{library} {version}: {}", found.text);
    }
}

/// An uncaught exception at the token endpoint because of the content type.
fn crash_by_content_type(finding: &Finding) -> bool {
    finding.bucket.oracle == Oracle::Crash
        && finding.bucket.endpoint == "token"
        && finding.bucket.parameter.contains("Content-Type")
}

/// 0.8.2 left an exception uncaught when the content type of a token request was odd.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_odd_content_type_is_a_500_in_workers_0_8_2_and_none_in_0_8_3() {
    let most = 4_000;
    let Some((bad, needed)) = fuzzed("workers", "0.8.2", most, crash_by_content_type).await else {
        return;
    };
    let red = bad.expect("it is found in 4,000 programs");
    assert!(red.text.contains("content-type"), "{}", red.text);
    assert!(red.deviations <= 2, "{}", red.summary);
    let programs = needed.min(1_000);
    silent("workers", "0.8.3", programs, crash_by_content_type).await;
}

/// A token request keeps the server busy because of a length in brackets.
fn hang_by_brackets(finding: &Finding) -> bool {
    finding.bucket.oracle == Oracle::Hang && finding.text.contains("[length]=")
}

/// CVE-2022-24999: the form parser of express took `x[__proto__]` for the prototype and `x[length]` for the length.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the hangs themselves take a minute or two"]
async fn cve_2022_24999_is_a_hang_in_express_4_17_1_and_none_in_4_17_3() {
    let most = 2_000;
    let Some((bad, needed)) = fuzzed("express", "4.17.1", most, hang_by_brackets).await else {
        return;
    };
    let red = bad.expect("it is found in 2,000 programs");
    assert!(red.deviations <= 2, "{}", red.summary);
    silent("express", "4.17.3", 4 * needed, hang_by_brackets).await;
}
