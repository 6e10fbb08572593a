//! Reports are what others read: each is judged by the published schema of its format, or by a reader of it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn check(format: &str, file: &Path) -> Output {
    Command::new(root().join("fixtures/schemas/check.sh"))
        .args([format.as_ref(), file.as_os_str()])
        .output()
        .unwrap()
}

/// Whether the schemas' readers can be had here; says loudly when not, and fails in CI.
fn installed() -> bool {
    let script = root().join("fixtures/schemas/check.sh");
    let output = Command::new(script)
        .arg("--install")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    if output.status.success() {
        return true;
    }
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
    let _ = writeln!(std::io::stderr(), "SKIPPED: fixtures/schemas: {why}");
    false
}

fn told(output: &Output) -> serde_json::Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_report_of_a_run_is_valid_in_its_format_and_a_spoilt_one_is_not() {
    if !installed() {
        return;
    }
    let folder = std::env::temp_dir().join(format!("oauthspec-formats-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let waivers = "[[waiver]]\ncase = \"pkce.plain-rejected\"\nreason = \"known\"\n";
    std::fs::write(folder.join("waivers.toml"), waivers).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_oauthspec"))
        .current_dir(&folder)
        .args(["run", "--fault", "pkce-plain", "--fault", "code-reusable"])
        .args(["--fault", "iss-missing", "--waivers", "waivers.toml"])
        .args([
            "--report",
            "json=report.json",
            "--report",
            "sarif=report.sarif",
        ])
        .args(["--report", "har=report.har", "--report", "junit=report.xml"])
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let file = |name: &str| folder.join(name);
    let report = told(&check("report", &file("report.json")));
    let cases = report["cases"].as_u64().unwrap();
    assert!(cases > 200, "{cases}");
    let junit = told(&check("junit", &file("report.xml")));
    assert_eq!(junit["cases"].as_u64(), Some(cases));
    assert!(junit["failures"].as_u64() > Some(1), "{junit}");
    assert!(told(&check("sarif", &file("report.sarif")))["results"].as_u64() > Some(1));
    assert!(told(&check("har", &file("report.har")))["entries"].as_u64() > Some(1_000));

    for (format, name, member, instead) in [
        (
            "report",
            "report.json",
            "\"format_version\": 1",
            "\"format_version\": \"one\"",
        ),
        (
            "sarif",
            "report.sarif",
            "\"kind\": \"fail\"",
            "\"kind\": \"bad\"",
        ),
        ("har", "report.har", "\"startedDateTime\"", "\"started\""),
    ] {
        let text = std::fs::read_to_string(file(name)).unwrap();
        assert!(text.contains(member), "{name}");
        std::fs::write(file("spoilt"), text.replacen(member, instead, 1)).unwrap();
        assert_eq!(
            check(format, &file("spoilt")).status.code(),
            Some(1),
            "{name}"
        );
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_workflows_and_the_action_are_in_order() {
    if !installed() {
        return;
    }
    let folder = root().join(".github/workflows");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert!(told(&check("workflow", &path))["jobs"].as_u64() >= Some(1));
    }
    assert!(told(&check("action", &root().join("action.yml")))["steps"].as_u64() >= Some(1));

    let spoilt = std::env::temp_dir().join(format!("oauthspec-spoilt-{}.yml", std::process::id()));
    let workflow = "on: push\njobs:\n  a:\n    runs-on: nowhere\n    steps:\n      - run: echo ${{ github.nothing }}\n";
    std::fs::write(&spoilt, workflow).unwrap();
    assert_eq!(check("workflow", &spoilt).status.code(), Some(1));
    std::fs::remove_file(spoilt).unwrap();
}
