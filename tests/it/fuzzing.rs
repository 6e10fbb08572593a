//! The wire fuzzer finds faults nobody wrote a case for, makes them small, writes them down so that
//! they can be replayed, and says nothing about a server that is right.

use oauthspec::event::{Event, Verdict};
use oauthspec::fuzz::drive::{self, Options, Report};
use oauthspec::fuzz::finding::Finding;
use oauthspec::fuzz::oracle::Oracle;
use oauthspec::suite::{Known, load_str};
use oauthspec::targets::reference::Reference;
use refserver::{Face, Fault};

use crate::servers::Real;

async fn server(fault: Option<Fault>) -> Reference {
    Reference::start(Face::default(), fault.into_iter().collect(), 0)
        .await
        .expect("the reference server starts")
}

/// Bounded by programs: a clock would judge the machine.
fn options(seed: u64) -> Options {
    Options {
        time: None,
        programs: Some(30_000),
        seed,
        jobs: 8,
        ..Options::default()
    }
}

async fn fuzz(server: &Reference, options: &Options) -> Report {
    drive::run(
        server.target.clone(),
        options,
        &mut |_| {},
        &oauthspec::run::never(),
    )
    .await
    .expect("the reference server can be fuzzed")
}

/// The verdict of a finding's case against a server.
async fn replay(finding: &Finding, server: &Reference) -> (Verdict, String) {
    let forges = jose::forgeries();
    let known = Known {
        checks: oauthspec::check::NAMES,
        forges: &forges,
    };
    let suite = load_str("finding.toml", &finding.text, &known)
        .unwrap_or_else(|problems| panic!("{problems}\n{}", finding.text));
    let mut seen = (Verdict::Error, String::new());
    let mut hear = |event: Event| {
        if let Event::Case(case) = event {
            seen = (case.verdict, case.reason.clone());
        }
    };
    let options = oauthspec::run::Options::default();
    oauthspec::run::run(
        server.target.clone(),
        &[suite],
        &options,
        &mut hear,
        oauthspec::run::never(),
    )
    .await;
    seen
}

/// A deep fault is found, is small, is of the right kind, replays red on the broken server and green
/// on the clean one.
async fn found_and_replayed(name: &str, oracle: Oracle, endpoint: &str) {
    let fault = Fault::parse(name).expect("a fault of that name");
    let broken = server(Some(fault)).await;
    let report = fuzz(
        &broken,
        &Options {
            most_findings: Some(1),
            ..options(1)
        },
    )
    .await;
    let finding = report
        .findings
        .first()
        .unwrap_or_else(|| panic!("{name} was not found: {report:?}"));
    assert_eq!(
        (finding.bucket.oracle, finding.bucket.endpoint.as_str()),
        (oracle, endpoint),
        "{finding:?}"
    );
    assert!(finding.deviations <= 2, "{}", finding.summary);
    let red = replay(finding, &broken).await;
    let clean = server(None).await;
    let green = replay(finding, &clean).await;
    broken.stop().await;
    clean.stop().await;
    assert_eq!(red.0, Verdict::Fail, "{name}: {}\n{}", red.1, finding.text);
    assert!(
        matches!(green.0, Verdict::Pass | Verdict::Warn),
        "{name}: {green:?}\n{}",
        finding.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_on_one_odd_byte_is_found() {
    found_and_replayed("deep-crash-nul-state", Oracle::Crash, "authorization").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_parameter_that_wins_is_found() {
    found_and_replayed("deep-second-verifier", Oracle::Ambiguous, "token").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_not_used_up_is_found() {
    found_and_replayed("deep-code-kept", Oracle::Double, "token").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_on_one_shape_is_found() {
    found_and_replayed("deep-hang-brackets", Oracle::Hang, "token").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_does_nothing_is_found() {
    found_and_replayed("deep-revoke-hint", Oracle::NotRevoked, "revocation").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clean_server_gives_no_finding() {
    let clean = server(None).await;
    let report = fuzz(
        &clean,
        &Options {
            programs: Some(400),
            ..options(7)
        },
    )
    .await;
    clean.stop().await;
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    assert!(report.programs >= 400, "{report:?}");
}

/// A run of so many programs: the digest of the programs after every few batches, at the end, and the findings.
async fn course(fault: Option<Fault>, seed: u64) -> (Vec<(u64, u64)>, Vec<String>) {
    let server = server(fault).await;
    let mut course = Vec::new();
    let options = Options {
        programs: Some(400),
        jobs: 4,
        ..options(seed)
    };
    let report = drive::run(
        server.target.clone(),
        &options,
        &mut |event| {
            if let drive::Event::Progress {
                programs, digest, ..
            } = event
            {
                course.push((programs, digest));
            }
        },
        &oauthspec::run::never(),
    )
    .await
    .expect("the reference server can be fuzzed");
    server.stop().await;
    course.push((report.programs, report.digest));
    let findings = report.findings.into_iter().map(|found| found.id).collect();
    (course, findings)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_makes_the_same_programs_and_findings() {
    let fault = Fault::parse("deep-crash-cookie");
    let one = course(None, 5).await;
    assert!(one.0.len() >= 4 && one.1.is_empty(), "{one:?}");
    assert_eq!(one, course(None, 5).await);
    assert_ne!(one, course(None, 6).await);
    // What is found on the way does not turn the course.
    let broken = course(fault, 5).await;
    assert_eq!(broken, course(fault, 5).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finding_holds_no_secret() {
    let broken = server(Fault::parse("deep-crash-overlong")).await;
    let secrets: Vec<String> = broken
        .target
        .clients
        .iter()
        .filter_map(|client| client.secret.clone())
        .chain(
            broken
                .target
                .users
                .iter()
                .flat_map(|user| user.fields.iter().skip(1).map(|(_, value)| value.clone())),
        )
        .collect();
    let report = fuzz(
        &broken,
        &Options {
            most_findings: Some(1),
            ..options(1)
        },
    )
    .await;
    broken.stop().await;
    let finding = report.findings.first().expect("it is found");
    assert!(finding.text.contains("curl -i"), "{}", finding.text);
    for secret in secrets {
        assert!(!finding.text.contains(&secret), "{}", finding.text);
    }
}

/// A server that knows client credentials only.
const FOR_MACHINES: &str = r#"
    issuer = "http://127.0.0.1:${PORT}"
    [endpoints]
    token = "/token"
    [client.confidential]
    id = "cc1"
    secret.env = "CC1_SECRET"
    auth = "client_secret_basic"
    type = "confidential"
    redirect_uris = []
    [login]
    driver = "none"
"#;

/// It, a folder, and in that its target file; `None` where it cannot run.
fn for_machines() -> Option<(Real, tempfile::TempDir, std::path::PathBuf)> {
    let server = Real::start("mortal", &[])?;
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("target.toml");
    std::fs::write(&target, FOR_MACHINES).expect("a target file");
    Some((server, folder, target))
}

/// There a client's own token is the correct flow: a finding can be green without anybody logging in.
#[test]
fn a_finding_of_a_server_for_machines_turns_green_and_red() {
    let Some((server, folder, target)) = for_machines() else {
        return;
    };
    let replayed = |change: &str| {
        let finding = folder.path().join("finding.toml");
        let text = format!(
            r#"
            suite = "fuzz"
            title = "A finding of the fuzzer"
            [[case]]
            id = "by-hand"
            title = "A request succeeds that must not"
            level = "must"
            severity = "high"
            refs = ["derived"]
            why = "It tells nothing."
            fix = "Refuse it."
            without_fault = "a finding belongs to the server where it was made"
            needs = ["client.confidential"]
            [[case.step]]
            do = "http"
            at = "token"
            client = "confidential"
            given.grant_type = "client_credentials"
            given.client_id = "$client.id"
            given.client_secret = "$client.secret"
            given."@auth" = "client_secret_basic"
            {change}
            expect.refused = ["unsupported_grant_type"]
            "#
        );
        std::fs::write(&finding, text).expect("a finding");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_oauthspec"))
            .arg("replay")
            .args([&finding, &target])
            .envs(server.env())
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (
            output.status.code(),
            said + &String::from_utf8_lossy(&output.stderr),
        )
    };
    let (code, said) = replayed(r#"with.grant_type = "x""#);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = replayed(r#"with.oauthspec = "x""#);
    assert_eq!(code, Some(1), "{said}");
}

/// The server's process really ends, and the user's command really starts it again.
#[test]
fn a_server_that_dies_is_started_again_and_the_killing_request_is_the_finding() {
    let Some((server, folder, target)) = for_machines() else {
        return;
    };
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/servers/mortal/start.sh"
    );
    let command = format!(
        "echo >> '{}'; exec '{script}' $PORT",
        folder.path().join("starts").display()
    );
    let fuzz = |restart: &str, name: &str| {
        let out = folder.path().join(name);
        // Ends with the program that runs it.
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_oauthspec"))
            .args([
                "fuzz",
                "--quiet",
                "--first",
                "--time",
                "120s",
                "--seed",
                "1",
                "--restart",
                restart,
            ])
            .arg(&target)
            .arg("--out")
            .arg(&out)
            .envs(server.env())
            .env("EXIT_WITH_PARENT", "1")
            .env("NO_COLOR", "1")
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        let found: Vec<String> = std::fs::read_dir(out.join("findings"))
            .map(|entries| {
                let paths = entries.flatten().map(|entry| entry.path());
                paths
                    .map(|path| std::fs::read_to_string(path).expect("a finding"))
                    .collect()
            })
            .unwrap_or_default();
        (output.status.code(), said, found)
    };
    let (code, said, found) = fuzz(&command, "out");
    assert_eq!(code, Some(1), "{said}");
    let [finding] = found.as_slice() else {
        panic!("{said}\n{found:#?}");
    };
    assert!(
        finding.contains("liveness") && finding.contains("__proto__"),
        "{finding}"
    );
    let starts = std::fs::read(folder.path().join("starts")).expect("it was started again");
    assert!(!starts.is_empty(), "{said}");
    // It ended with the fuzzer, so that now nobody is there, and a command that starts nothing does not help.
    let (code, said, found) = fuzz("true", "dead");
    assert_eq!((code, found.len()), (Some(3), 0), "{said}");
}
