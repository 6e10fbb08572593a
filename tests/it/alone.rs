//! A resource server alone, judged with tokens of an issuer that oauthspec is: with the issuer's key handed over, and with
//! its documents served.

use std::path::Path;

use oauthspec::event::{CaseReport, Verdict};
use oauthspec::run::Options;
use oauthspec::targets::load::{Surroundings, load_str};
use oauthspec::targets::model::Target;
use oauthspec::targets::reference::Reference;
use refserver::{AloneFault, Face, Fault};

use crate::pinned::cases;

async fn judged(target: Target) -> Vec<CaseReport> {
    cases(target, &["rs.*", "prm.*", "jwt.*"], Options::default()).await
}

#[track_caller]
fn verdict(reports: &[CaseReport], id: &str) -> Verdict {
    let found = reports.iter().find(|report| report.id == id);
    found.map_or_else(|| panic!("{id} was not decided"), |found| found.verdict)
}

fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    socket.local_addr().expect("it is bound").port()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resource_server_that_fetches_our_key_is_judged_by_what_it_checks() {
    let issuer = format!("http://127.0.0.1:{}/tenant", free_port());
    for (faults, expected) in [
        (vec![], Verdict::Pass),
        (vec![Fault::Alone(AloneFault::IssArray)], Verdict::Fail),
    ] {
        let reference = Reference::trusting(Face::Alone, faults, 0, Some(issuer.clone()))
            .await
            .expect("a free port");
        let reports = judged(reference.target.clone()).await;
        assert_eq!(verdict(&reports, "rs.issuer-exact"), expected);
        for id in [
            "rs.audience-exact",
            "rs.times-checked",
            "rs.type-exact",
            "prm.available",
        ] {
            assert_eq!(verdict(&reports, id), Verdict::Pass, "{id}");
        }
        // The token is our own: nobody is judged by it.
        for report in reports
            .iter()
            .filter(|report| report.id.starts_with("jwt."))
        {
            assert_eq!(report.verdict, Verdict::Skipped, "{}", report.id);
            assert!(
                report.reason.contains("oauthspec is the issuer"),
                "{}",
                report.reason
            );
        }
        reference.stop().await;
    }
}

/// A key in a file, as somebody hands it over; the resource server trusts another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_the_resource_server_does_not_trust_is_no_verdict_about_it() {
    let reference = Reference::start(Face::Alone, Vec::new(), 0)
        .await
        .expect("a free port");
    let resource = &reference.target.resources[0];
    let key = fresh_key();
    let text = format!(
        "issuer = \"{}\"\n[resource.a]\nid = \"{}\"\nprobe = \"GET {}\"\nscope = \"read\"\n[mint]\nkey.env = \"KEY\"\n",
        reference.target.issuer,
        resource.id.as_deref().expect("it has one"),
        resource.url,
    );
    let around = Surroundings {
        env: &|name| (name == "KEY").then(|| key.clone()),
        folder: None::<&Path>,
    };
    let target = load_str("alone.toml", &text, &around)
        .expect("it loads")
        .target;
    let mut reports = 0;
    let end = oauthspec::run::run(
        target,
        &crate::pinned::every_suite(),
        &Options::default(),
        &mut |event| reports += u32::from(matches!(event, oauthspec::event::Event::Case(_))),
        oauthspec::run::never(),
    )
    .await;
    assert_eq!((reports, end.exit_code), (0, 3), "{:?}", end.problems);
    let said = end.problems.join(" ");
    // What may differ, side by side.
    for part in [
        "iss https://issuer.example",
        "kid ",
        "the token's aud",
        "URL called",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    reference.stop().await;
}

/// An EC key as PKCS#8 PEM, made now.
fn fresh_key() -> String {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
    use base64::Engine as _;
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("random bytes");
    let der = key.to_pkcs8v1().expect("it can be written down");
    let text = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    // The label stands apart: searchers for leaked keys look for the whole line.
    let label = "PRIVATE KEY";
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}
