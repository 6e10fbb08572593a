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
        .args(["--report", "markdown=report.md"])
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

    // A comment of a forge takes 65,536 characters, a step summary 1 MiB.
    let markdown = std::fs::read(file("report.md")).unwrap();
    assert!(
        (10_000..=65_536).contains(&markdown.len()),
        "{}",
        markdown.len()
    );

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

/// A script of a pipeline as its runner runs it.
fn job(script: &str, folder: &Path, variables: &[(&str, &str)]) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_oauthspec")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new("bash")
        .args(["-e", "-o", "pipefail", "-c", script])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", program.display()))
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn empty_folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("oauthspec-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn the_action_runs_annotates_and_leaves_every_report_and_a_summary() {
    if !installed() {
        return;
    }
    let told = told(&check("action", &root().join("action.yml")));
    let folder = empty_folder("action");
    let mut variables = vec![
        ("TARGET", "reference"),
        ("SUITES", "pkce iss"),
        ("ARGUMENTS", "--fault pkce-plain"),
        ("REPORTS", "reports of a run"),
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_STEP_SUMMARY", "summary"),
        ("GITHUB_OUTPUT", "output"),
    ];
    variables.extend(["PROFILE", "WAIVERS", "FAIL_ON", "STRICT", "RATE"].map(|name| (name, "")));
    let output = job(told["run"].as_str().unwrap(), &folder, &variables);
    let said = String::from_utf8_lossy(&output.stdout);
    // The verdict comes last, when everything is kept.
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("::error title=pkce.plain-rejected::"),
        "{said}"
    );
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(read("output"), "reports=reports of a run\nexit-code=1\n");
    assert!(read("summary").starts_with("# oauthspec: does not conform"));
    for name in [
        "report.json",
        "junit.xml",
        "report.sarif",
        "report.html",
        "run.har",
    ] {
        assert!(
            folder.join("reports of a run").join(name).is_file(),
            "{name}"
        );
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[cfg(unix)]
#[test]
fn the_gitlab_example_is_in_order_and_leaves_every_report() {
    if !installed() {
        return;
    }
    let place = root().join("docs/ci/gitlab-ci.yml");
    let told = told(&check("gitlab", &place));
    assert_eq!(told["jobs"], 3);
    let folder = empty_folder("gitlab");
    let program = folder.join("oauthspec/bin");
    std::fs::create_dir_all(&program).unwrap();
    let own = program.join("oauthspec");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_oauthspec"), own).unwrap();
    let script = told["run"]
        .as_str()
        .unwrap()
        .replace("run ", "run --suite pkce ");
    let output = job(&script, &folder, &[("OAUTHSPEC_TARGET", "reference")]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    for name in [
        "report.json",
        "junit.xml",
        "report.sarif",
        "report.html",
        "summary.md",
    ] {
        assert!(
            folder.join("oauthspec-report").join(name).is_file(),
            "{name}"
        );
    }
    let spoilt = folder.join("spoilt.yml");
    let text = std::fs::read_to_string(place).unwrap();
    std::fs::write(&spoilt, text.replacen("stage: test", "stage: tset", 1)).unwrap();
    assert_eq!(check("gitlab", &spoilt).status.code(), Some(1));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn two_runs_give_a_finding_the_same_fingerprint() {
    let folder = empty_folder("fingerprints");
    let run = |name: &str| {
        let path = folder.join(name);
        let status = Command::new(env!("CARGO_BIN_EXE_oauthspec"))
            .args(["run", "--quiet", "--suite", "pkce", "--suite", "iss"])
            .args([
                "--fault",
                "pkce-plain",
                "--fault",
                "iss-missing",
                "--report",
            ])
            .arg(format!("sarif={}", path.display()))
            .stdout(Stdio::null())
            .status();
        assert_eq!(status.unwrap().code(), Some(1));
        let report: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let results = report["runs"][0]["results"].as_array().unwrap().clone();
        let told = |result: &serde_json::Value| {
            let (rule, prints) = (&result["ruleId"], &result["partialFingerprints"]);
            format!("{rule} {prints}")
        };
        results
            .iter()
            .map(told)
            .collect::<std::collections::BTreeSet<_>>()
    };
    let (first, second) = (run("first.sarif"), run("second.sarif"));
    assert!(first.len() > 4, "{first:?}");
    assert_eq!(first, second);
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
