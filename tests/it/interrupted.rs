//! A run that is interrupted, or cannot write: what was decided is kept whole, and the exit code says so.
#![cfg(unix)]

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("oauthspec-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn run(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oauthspec"));
    command
        .current_dir(folder)
        .arg("run")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("bash")
        .args(["-c", &format!("kill -{name} {}", child.id())])
        .status();
    assert!(sent.unwrap().success());
}

fn report(folder: &Path) -> Value {
    let text = std::fs::read(folder.join("report.json")).unwrap();
    serde_json::from_slice(&text).expect("the report is whole")
}

/// No temporary file stays behind.
fn tidy(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(!name.to_string_lossy().ends_with(".tmp"), "{name:?}");
    }
}

fn said(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{out}{}", String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_signal_ends_the_run_in_time_and_another_run_goes_on_from_its_report() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let folder = folder(&format!("signal-{name}"));
        let arguments = ["--suite", "pkce", "--suite", "token", "--jobs", "1"];
        let json = ["--report", "json=report.json"];
        let mut child = run(&folder, &[&arguments[..], &json].concat())
            .spawn()
            .unwrap();
        // The first line is written when the run begins.
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut String::new()).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        signal(&child, name);
        let clock = Instant::now();
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        let output = child.wait_with_output().unwrap();
        // The run itself has half an hour; what was on its way has seconds.
        assert!(
            clock.elapsed() < Duration::from_secs(120),
            "{:?}",
            clock.elapsed()
        );
        assert_eq!(output.status.code(), Some(code), "{rest}{}", said(&output));
        let first = report(&folder);
        assert!(first["interrupted"].is_string(), "{first}");
        tidy(&folder);
        if name == "INT" {
            let more = [&arguments[..2], &["--resume", "report.json"], &json].concat();
            let output = run(&folder, &more).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{}", said(&output));
            let second = report(&folder);
            let ids = |report: &Value| -> Vec<String> {
                let cases = report["cases"].as_array().cloned().unwrap_or_default();
                cases.iter().map(|case| case["id"].to_string()).collect()
            };
            let (before, after) = (ids(&first), ids(&second));
            assert!(
                before
                    .iter()
                    .filter(|id| id.contains("pkce."))
                    .all(|id| after.contains(id))
            );
            assert!(
                after.len() > 5 && second["interrupted"].is_null(),
                "{second}"
            );
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn a_report_of_something_else_is_not_resumed() {
    let folder = folder("resume-wrong");
    std::fs::write(folder.join("report.json"), "{\"cases\": 7}").unwrap();
    let output = run(&folder, &["--resume", "report.json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("cannot be resumed"),
        "{}",
        said(&output)
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_full_disk_costs_the_new_report_and_not_the_old_one() {
    let folder = folder("full");
    std::fs::write(folder.join("report.json"), "old").unwrap();
    let program = env!("CARGO_BIN_EXE_oauthspec");
    // No file may grow beyond 1 KiB; the write fails as on a full disk.
    let script = format!(
        "trap '' XFSZ; ulimit -f 1; '{program}' run --case pkce.s256-works --report json=report.json"
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("report"), "{}", said(&output));
    assert_eq!(
        std::fs::read_to_string(folder.join("report.json")).unwrap(),
        "old"
    );
    tidy(&folder);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_path_that_cannot_be_written_is_refused_before_the_run() {
    let folder = folder("unwritable");
    std::fs::write(folder.join("file"), "").unwrap();
    let clock = Instant::now();
    let output = run(&folder, &["--report", "json=file/report.json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("cannot be written"),
        "{}",
        said(&output)
    );
    assert!(clock.elapsed() < Duration::from_secs(20));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_reader_who_leaves_does_not_cost_the_files() {
    let folder = folder("pipe");
    let arguments = ["--case", "pkce.s256-works", "--report", "json=report.json"];
    let mut child = run(&folder, &arguments).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.code().is_some(),
        "it was killed: {}",
        said(&output)
    );
    assert!(!said(&output).contains("panicked"), "{}", said(&output));
    assert_eq!(report(&folder)["summary"]["pass"], 1);
    tidy(&folder);
    std::fs::remove_dir_all(folder).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_takes_nothing_does_not_cost_the_files() {
    let folder = folder("full-terminal");
    let arguments = ["--case", "pkce.s256-works", "--report", "json=report.json"];
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = run(&folder, &arguments).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("terminal: "), "{}", said(&output));
    assert_eq!(report(&folder)["summary"]["pass"], 1);
    tidy(&folder);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn two_runs_in_one_folder_leave_one_whole_report() {
    let folder = folder("two");
    let arguments = ["--case", "pkce.s256-works", "--report", "json=report.json"];
    let both: Vec<Child> = (0..2)
        .map(|_| run(&folder, &arguments).spawn().unwrap())
        .collect();
    for child in both {
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }
    assert_eq!(report(&folder)["summary"]["pass"], 1);
    tidy(&folder);
    std::fs::remove_dir_all(folder).unwrap();
}
