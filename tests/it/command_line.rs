//! The command line is a contract: exit codes, reports and messages that scripts rely on.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

fn oauthspec(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oauthspec"));
    command.current_dir(folder).args(arguments);
    for variable in [
        "GITHUB_ACTIONS",
        "CI",
        "COLUMNS",
        "NO_COLOR",
        "CLICOLOR_FORCE",
    ] {
        command.env_remove(variable);
    }
    command
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("oauthspec-cli-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    oauthspec(folder, arguments).output().unwrap()
}

#[test]
fn transcripts_of_right_and_wrong_use() {
    trycmd::TestCases::new()
        .env("CI", "")
        .case("tests/cmd/*.trycmd");
}

#[test]
fn a_run_against_the_reference_server_leaves_a_report_to_open_and_exits_0() {
    let folder = folder("reference");
    let output = run(&folder, &["run", "--suite", "pkce"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    let report = json(&folder.join("oauthspec-report/report.json"));
    assert_eq!(report["summary"]["fail"], 0);
    assert!(
        report["summary"]["pass"].as_u64().unwrap() > 10,
        "{}",
        report["summary"]
    );
    assert!(text(&output.stderr).contains("oauthspec-report/report.html"));
    let page = std::fs::read_to_string(folder.join("oauthspec-report/report.html")).unwrap();
    assert!(page.contains("pkce.plain-rejected"));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_fault_turns_its_case_red_in_every_format_and_compare_says_broken() {
    let folder = folder("fault");
    let select = ["run", "--suite", "pkce", "--quiet"];
    let good = run(
        &folder,
        &[&select[..], &["--report", "json=good.json"]].concat(),
    );
    assert_eq!(good.status.code(), Some(0));
    let bad = run(
        &folder,
        &[
            &select[..],
            &[
                "--fault",
                "pkce-plain",
                "--report",
                "json=bad.json",
                "--report",
                "junit=bad.xml",
            ],
            &[
                "--report",
                "sarif=bad.sarif",
                "--report",
                "html=bad.html",
                "--report",
                "markdown=bad.md",
            ],
            &["--report", "har=bad.har", "--report", "badge=bad.svg"],
        ]
        .concat(),
    );
    assert_eq!(
        bad.status.code(),
        Some(1),
        "{}{}",
        text(&bad.stdout),
        text(&bad.stderr)
    );
    assert!(
        text(&bad.stdout).contains("━━ fail pkce.plain-rejected"),
        "{}",
        text(&bad.stdout)
    );
    for name in [
        "bad.json",
        "bad.xml",
        "bad.sarif",
        "bad.html",
        "bad.md",
        "bad.har",
    ] {
        let written = std::fs::read_to_string(folder.join(name)).unwrap();
        assert!(written.contains("pkce.plain-rejected"), "{name}");
    }
    assert!(
        std::fs::read_to_string(folder.join("bad.svg"))
            .unwrap()
            .contains("1 failed")
    );
    let report = json(&folder.join("bad.json"));
    let case = report["cases"]
        .as_array()
        .unwrap()
        .iter()
        .find(|case| case["id"] == "pkce.plain-rejected")
        .unwrap();
    assert_eq!(case["verdict"], "fail");
    let flows: Vec<&str> = case["evidence"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["flow"].as_str().unwrap())
        .collect();
    assert!(
        flows.contains(&"control") && flows.contains(&"deviation"),
        "{flows:?}"
    );

    let compared = run(&folder, &["compare", "good.json", "bad.json"]);
    assert_eq!(compared.status.code(), Some(1));
    assert!(text(&compared.stdout).contains("pass → fail  pkce.plain-rejected"));
    let back = run(&folder, &["compare", "bad.json", "good.json"]);
    assert_eq!(back.status.code(), Some(0));
    assert!(
        text(&back.stdout).contains("mended (1)"),
        "{}",
        text(&back.stdout)
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_report_on_the_standard_output_is_alone_there() {
    let folder = folder("stdout");
    let output = run(&folder, &["run", "--suite", "pkce", "--report", "json=-"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["format_version"], 1);
    assert!(text(&output.stderr).contains("decided"));
    assert!(!folder.join("oauthspec-report").exists());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_target_that_is_not_there_exits_3_and_still_leaves_its_report() {
    let folder = folder("nobody");
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let output = run(
        &folder,
        &[
            "run",
            &format!("http://127.0.0.1:{port}"),
            "--report",
            "json=report.json",
        ],
    );
    assert_eq!(output.status.code(), Some(3));
    assert!(
        text(&output.stdout).contains("does not answer"),
        "{}",
        text(&output.stdout)
    );
    assert_eq!(json(&folder.join("report.json"))["exit_code"], 3);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_partition_of_the_cases_is_disjoint_and_whole() {
    let folder = folder("partition");
    let mut ids = Vec::new();
    for part in ["1/2", "2/2"] {
        let output = run(
            &folder,
            &[
                "run",
                "--suite",
                "pkce",
                "--partition",
                part,
                "--quiet",
                "--report",
                "json=-",
            ],
        );
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        ids.extend(
            report["cases"]
                .as_array()
                .unwrap()
                .iter()
                .map(|case| case["id"].as_str().unwrap().to_owned()),
        );
    }
    let listed: serde_json::Value =
        serde_json::from_slice(&run(&folder, &["list", "--suite", "pkce", "--json"]).stdout)
            .unwrap();
    let mut all: Vec<String> = listed["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| case["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    all.sort();
    assert_eq!(ids, all);
    std::fs::remove_dir_all(folder).unwrap();
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_run_soon_with_its_reports_written() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let folder = folder(signal);
        let mut child = oauthspec(
            &folder,
            &["run", "--rate", "5/s", "--report", "json=report.json"],
        )
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
        let mut out = child.stdout.take().unwrap();
        let mut first = [0_u8; 9];
        std::io::Read::read_exact(&mut out, &mut first).unwrap();
        assert_eq!(&first, b"oauthspec", "the run began");
        let drain = std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
        let sent = Command::new("kill")
            .args([format!("-{signal}"), child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        let asked = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if asked.elapsed() > Duration::from_secs(20) {
                let _ = child.kill();
                panic!("the run did not end within 20 s of SIG{signal}");
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        drain.join().unwrap().unwrap();
        assert_eq!(status.code(), Some(code), "SIG{signal}");
        let report = json(&folder.join("report.json"));
        assert_eq!(report["exit_code"], code);
        assert!(report["interrupted"].is_string());
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn serve_prints_a_target_file_that_run_accepts() {
    let folder = folder("serve");
    let out = std::fs::File::create(folder.join("target.toml")).unwrap();
    let mut server = oauthspec(&folder, &["serve"])
        .stdout(out)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0_u8; 12];
    std::io::Read::read_exact(server.stderr.as_mut().unwrap(), &mut first).unwrap();
    let listed = run(
        &folder,
        &[
            "run",
            "target.toml",
            "--suite",
            "pkce",
            "--quiet",
            "--report",
            "json=r.json",
        ],
    );
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(&first, b"listening on");
    assert_eq!(
        listed.status.code(),
        Some(0),
        "{}{}",
        text(&listed.stdout),
        text(&listed.stderr)
    );
    std::fs::remove_dir_all(folder).unwrap();
}
