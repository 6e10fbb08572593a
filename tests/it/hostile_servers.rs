//! Broken and malicious servers: the run ends in time, says what is wrong, passes nothing, stays small,
//! and gives no secret away. `docs/robustness.md` keeps what was measured.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hostile::{BEHAVIOURS, Behaviour, Hostile, When};
use serde_json::Value;
use tokio::process::Command;

/// The most memory a run may take, in KiB.
const MEMORY: u64 = 128 * 1024;
/// Runs at the same time.
const WIDTH: usize = 6;
/// Where the table is kept.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/robustness.md");

/// What a run came to.
#[derive(Default)]
struct Seen {
    exit: Option<i32>,
    took: Duration,
    peak: u64,
    /// Standard output and error.
    said: String,
    /// The JSON report.
    report: Value,
    report_text: String,
}

impl Seen {
    fn verdict(&self, word: &str) -> u64 {
        self.report["summary"][word].as_u64().unwrap_or(0)
    }

    /// Everything a user could read as a reason.
    fn message(&self) -> String {
        let mut all = self.said.clone();
        for problem in self.report["problems"].as_array().into_iter().flatten() {
            let _ = writeln!(all, "{}", problem.as_str().unwrap_or_default());
        }
        for case in self.report["cases"].as_array().into_iter().flatten() {
            let _ = writeln!(all, "{}", case["reason"].as_str().unwrap_or_default());
        }
        all
    }

    fn outcome(&self) -> String {
        let words: Vec<String> = ["fail", "inconclusive", "error", "skipped", "pass", "warn"]
            .into_iter()
            .filter(|word| self.verdict(word) > 0)
            .map(|word| format!("{} {word}", self.verdict(word)))
            .collect();
        let words = if words.is_empty() {
            "preflight failed".to_owned()
        } else {
            words.join(", ")
        };
        format!("exit {}: {words}", self.exit.unwrap_or(-1))
    }
}

fn folder(name: &str) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id();
    let folder = std::env::temp_dir().join(format!("oauthspec-hostile-{process}-{number}-{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The high-water mark of a process's resident memory, in KiB.
fn peak_of(pid: Option<u32>) -> u64 {
    let Some(pid) = pid else { return 0 };
    std::fs::read_to_string(format!("/proc/{pid}/status"))
        .unwrap_or_default()
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmHWM:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or(0)
}

/// Runs the program itself against the server.
async fn run(server: &Hostile, name: &str, timeout: &str, cases: &[&str], limit: Duration) -> Seen {
    let folder = folder(name);
    let path = folder.join("report.json");
    std::fs::write(folder.join("target.toml"), &server.target).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_oauthspec"));
    command
        .current_dir(&folder)
        .env("NO_COLOR", "1")
        .args(["run", "target.toml", "--timeout", timeout, "--jobs", "4"])
        .args(["--deadline", "50s", "--report", "json=report.json"])
        .args(cases.iter().flat_map(|case| ["--case", *case]))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(authority) = &server.authority {
        std::fs::write(folder.join("ca.pem"), authority).unwrap();
        command.env("SSL_CERT_FILE", folder.join("ca.pem"));
    }
    let clock = Instant::now();
    let child = command.spawn().unwrap();
    let pid = child.id();
    let output = child.wait_with_output();
    tokio::pin!(output);
    let mut seen = Seen::default();
    let output = loop {
        tokio::select! {
            output = &mut output => break output.ok(),
            () = tokio::time::sleep(Duration::from_millis(10)) => seen.peak = seen.peak.max(peak_of(pid)),
        }
        if clock.elapsed() > limit + Duration::from_secs(5) {
            break None;
        }
    };
    seen.took = clock.elapsed();
    if let Some(output) = output {
        seen.exit = output.status.code();
        seen.said = String::from_utf8_lossy(&output.stdout).into_owned();
        seen.said.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    seen.report_text = std::fs::read_to_string(&path).unwrap_or_default();
    seen.report = serde_json::from_str(&seen.report_text).unwrap_or_default();
    std::fs::remove_dir_all(folder).ok();
    seen
}

/// What is wrong with how the harness bore this behaviour.
async fn bear(behaviour: &'static Behaviour) -> (Seen, Vec<String>) {
    let server = Hostile::start(Some(behaviour), false).await.unwrap();
    let seen = run(
        &server,
        behaviour.name,
        behaviour.timeout,
        behaviour.cases,
        behaviour.deadline,
    )
    .await;
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            wrong.push(format!("{}: {what}", behaviour.name));
        }
    };
    let message = seen.message();
    let exit = seen.exit;
    must(
        seen.took <= behaviour.deadline,
        format!("took {:?}", seen.took),
    );
    must(
        matches!(exit, Some(1 | 3 | 4)) || (behaviour.may_warn && seen.verdict("warn") > 0),
        format!("exit code {exit:?}\n{}", seen.said),
    );
    must(!seen.said.contains("panicked"), seen.said.clone());
    must(
        seen.peak > 0 && seen.peak <= MEMORY,
        format!("{} KiB", seen.peak),
    );
    must(server.strikes() > 0, "the behaviour never struck".into());
    let lower = message.to_lowercase();
    must(
        behaviour
            .words
            .iter()
            .any(|word| lower.contains(&word.to_lowercase())),
        format!("none of {:?} in: {message}", behaviour.words),
    );
    must(
        behaviour.earlier_may_pass || seen.verdict("pass") == 0,
        format!("something passed: {}\n{}", seen.outcome(), seen.said),
    );
    must(
        behaviour.earlier_may_pass || behaviour.may_warn || seen.verdict("warn") == 0,
        format!("a warning is too little: {}\n{}", seen.outcome(), seen.said),
    );
    must(
        behaviour.when == When::Always || !seen.report_text.is_empty(),
        "there is no report".into(),
    );
    must(
        server.strangers().is_empty(),
        format!("the foreign host was contacted: {:?}", server.strangers()),
    );
    for secret in server.secrets() {
        must(
            !seen.said.contains(&secret) && !seen.report_text.contains(&secret),
            format!("the secret {secret:.12}… was given away"),
        );
    }
    (seen, wrong)
}

/// Bears all of these, a few at a time.
async fn bear_all(chosen: Vec<&'static Behaviour>) -> Vec<(&'static Behaviour, Seen, Vec<String>)> {
    let chosen = Arc::new(chosen);
    let next = Arc::new(AtomicUsize::new(0));
    let found = Arc::new(Mutex::new(Vec::new()));
    let workers: Vec<_> = (0..WIDTH)
        .map(|_| {
            let (chosen, next, found) =
                (Arc::clone(&chosen), Arc::clone(&next), Arc::clone(&found));
            tokio::spawn(async move {
                while let Some(behaviour) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (seen, wrong) = bear(behaviour).await;
                    found.lock().unwrap().push((*behaviour, seen, wrong));
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    let mut found = std::mem::take(&mut *found.lock().unwrap());
    found.sort_by_key(|(behaviour, _, _)| {
        BEHAVIOURS.iter().position(|own| own.name == behaviour.name)
    });
    found
}

fn complain(found: &[(&'static Behaviour, Seen, Vec<String>)]) {
    let wrong: Vec<&str> = found
        .iter()
        .flat_map(|(_, _, wrong)| wrong)
        .map(String::as_str)
        .collect();
    assert!(
        wrong.is_empty(),
        "{}\n{} wrong",
        wrong.join("\n\n"),
        wrong.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_behaviour_the_same_server_conforms() {
    for tls in [false, true] {
        let server = Hostile::start(None, tls).await.unwrap();
        let cases = [
            "pkce.wrong-verifier",
            "token.code-garbage",
            "rs.garbage-token",
        ];
        let name = if tls { "control-tls" } else { "control" };
        let seen = run(&server, name, "10s", &cases, Duration::from_secs(60)).await;
        assert_eq!(seen.exit, Some(0), "{}", seen.said);
        assert_eq!(seen.verdict("pass"), 3, "{}", seen.said);
        assert!(server.strangers().is_empty());
        for secret in server.secrets() {
            assert!(!seen.said.contains(&secret) && !seen.report_text.contains(&secret));
        }
    }
}

/// Every fifth behaviour, or those that `HOSTILE` names: a look at each kind in little time.
#[tokio::test(flavor = "multi_thread")]
async fn broken_servers_are_borne() {
    let wanted = std::env::var("HOSTILE").unwrap_or_default();
    let chosen = BEHAVIOURS
        .iter()
        .enumerate()
        .filter(|(at, behaviour)| match wanted.as_str() {
            "" => at % 5 == 0,
            _ => wanted.split(',').any(|word| behaviour.name.contains(word)),
        })
        .map(|(_, behaviour)| behaviour)
        .collect();
    complain(&bear_all(chosen).await);
}

/// Every behaviour; with `UPDATE=1` the page with what was measured is written.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute and a half of a quiet machine"]
async fn every_broken_server_is_borne() {
    let found = bear_all(BEHAVIOURS.iter().collect()).await;
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, page(&found)).unwrap();
    }
    complain(&found);
}

/// The beginning of a behaviour's row, which does not depend on the machine.
fn promise(behaviour: &Behaviour) -> String {
    format!(
        "| `{}` | {} | {} s |",
        behaviour.name,
        behaviour.does.replace('|', "\\|"),
        behaviour.deadline.as_secs()
    )
}

fn page(found: &[(&'static Behaviour, Seen, Vec<String>)]) -> String {
    let worst = found
        .iter()
        .map(|(_, seen, _)| seen.peak)
        .max()
        .unwrap_or(0);
    let slowest = found
        .iter()
        .map(|(_, seen, _)| seen.took)
        .max()
        .unwrap_or_default();
    let mut out = format!(
        "# What the harness bears\n\n\
         Broken and malicious servers, `fixtures/hostile/`: the reference server with one behaviour in front of it.\n\
         Against each of them the program itself runs, in a process of its own (unoptimised build, `--timeout 1s`).\n\
         It must end within the bound, take less than {} MiB, pass nothing, name the cause, contact no foreign host and\n\
         write no secret. Without a behaviour the same server conforms.\n\n\
         Measured by `UPDATE=1 cargo test -p oauthspec --test it -- --ignored every_broken_server`: {} behaviours; the\n\
         slowest took {:.1} s, the largest {} MiB. Times and sizes are this machine's; the rest is tested.\n\n\
         | behaviour | what the server does | bound | outcome | time | peak memory |\n|---|---|---|---|---|---|\n",
        MEMORY / 1024,
        found.len(),
        slowest.as_secs_f32(),
        worst / 1024,
    );
    for (behaviour, seen, wrong) in found {
        let note = if wrong.is_empty() {
            ""
        } else {
            " **not borne**"
        };
        let _ = writeln!(
            out,
            "{} {}{note} | {:.1} s | {} MiB |",
            promise(behaviour),
            seen.outcome(),
            seen.took.as_secs_f32(),
            seen.peak / 1024
        );
    }
    out
}

#[test]
fn the_page_has_a_row_for_every_behaviour() {
    let page = std::fs::read_to_string(PAGE).unwrap_or_default();
    for behaviour in BEHAVIOURS {
        let row = promise(behaviour);
        assert!(
            page.contains(&row),
            "docs/robustness.md is stale, it lacks: {row}"
        );
    }
    assert!(!page.contains("not borne"));
}
