//! What a run costs, as ratios within one process.
//!
//! ```text
//! cargo bench --bench run -- measure
//! ```
//!
//! Without arguments (as `cargo test --benches` calls it) nothing is measured.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a measurement may stop at the first thing that is not as it should be"
)]
#![allow(clippy::print_stdout, reason = "a program for people at a terminal")]

use std::net::TcpListener;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use oauthspec::event::{CaseReport, Event, Exchange};
use oauthspec::run::{self, Options};
use oauthspec::suite::load::{Known, load_builtin};
use oauthspec::suite::model::{Case, Suite};
use oauthspec::targets::reference::Reference;
use refserver::Face;

const ROUNDS: usize = 5;

fn suites() -> Vec<Suite> {
    let forges = jose::forgeries();
    load_builtin(&Known {
        checks: oauthspec::check::NAMES,
        forges: &forges,
    })
    .expect("the suites load")
}

/// Whether a case waits on purpose: for something to expire, for a fetch that must not come, or until it may poll again.
fn waits(case: &Case) -> bool {
    let variants = case.variants.iter().flat_map(|variant| &variant.needs);
    let mut needs = case.needs.iter().chain(variants);
    needs.any(|need| need == "listener" || need == "device")
        || case.steps.iter().any(|step| step.wait.is_some())
}

/// A run against a fresh reference server: how long, how many requests, and the exchanges of its evidence.
async fn one_run(suites: &[Suite]) -> (Duration, u64, Vec<Exchange>) {
    let reference = Reference::start(Face::default(), Vec::new(), 0)
        .await
        .expect("it starts");
    let mut reports: Vec<CaseReport> = Vec::new();
    let mut hear = |event: Event| {
        if let Event::Case(report) = event {
            reports.push(*report);
        }
    };
    let clock = Instant::now();
    let end = run::run(
        reference.target.clone(),
        suites,
        &Options::default(),
        &mut hear,
        run::never(),
    )
    .await;
    let took = clock.elapsed();
    reference.stop().await;
    let variants = reports.into_iter().flat_map(|report| report.variants);
    let exchanges = variants.flat_map(|variant| variant.evidence).collect();
    (took, end.requests, exchanges)
}

/// A request of the bare loop.
fn request(
    client: &reqwest::Client,
    origin: &str,
    exchange: &Exchange,
) -> Option<reqwest::Request> {
    let path = url::Url::parse(&exchange.url).ok()?;
    let query = path
        .query()
        .map_or(String::new(), |query| format!("?{query}"));
    let method = exchange.method.parse().ok()?;
    let mut request = client.request(method, format!("{origin}{}{query}", path.path()));
    for (name, value) in &exchange.request.headers {
        if let Ok(value) = reqwest::header::HeaderValue::from_bytes(value.as_bytes())
            && !matches!(
                name.to_ascii_lowercase().as_str(),
                "host" | "content-length" | "connection" | "transfer-encoding"
            )
        {
            request = request.header(name, value);
        }
    }
    request.body(exchange.request.body.clone()).build().ok()
}

/// As many requests of the same kinds and sizes, by as many tasks, with nothing looked at. Codes and tokens are those of the report, so the server
/// refuses more of them and earlier than in the run: this is the least that they cost.
async fn bare_loop(exchanges: &[Exchange], requests: u64) -> Duration {
    let reference = Reference::start(Face::default(), Vec::new(), 0)
        .await
        .expect("it starts");
    let origin = reference.target.issuer.clone();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client");
    let all: Vec<reqwest::Request> = exchanges
        .iter()
        .filter_map(|one| request(&client, &origin, one))
        .collect();
    let all = Arc::new(all);
    let next = Arc::new(AtomicUsize::new(0));
    let answered = Arc::new(AtomicUsize::new(0));
    let clock = Instant::now();
    let tasks: Vec<_> = (0..Options::default().jobs)
        .map(|_| {
            let (all, next, client) = (Arc::clone(&all), Arc::clone(&next), client.clone());
            let answered = Arc::clone(&answered);
            tokio::spawn(async move {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at as u64 >= requests {
                        return;
                    }
                    let Some(request) = all
                        .get(at % all.len())
                        .and_then(reqwest::Request::try_clone)
                    else {
                        continue;
                    };
                    if let Ok(answer) = client.execute(request).await
                        && answer.bytes().await.is_ok()
                    {
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it does not panic");
    }
    let took = clock.elapsed();
    reference.stop().await;
    let answered = answered.load(Ordering::Relaxed) as u64;
    assert!(
        answered * 100 >= requests * 99,
        "only {answered} of {requests} requests were answered"
    );
    took
}

/// The processor time this process has had, as Linux counts it (in hundredths of a second).
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let after_name = text.rsplit_once(')')?.1;
    let ticks = after_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(ticks * 10))
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all[all.len() / 2]
}

async fn ratios() {
    let every = suites();
    let mut busy = every.clone();
    for suite in &mut busy {
        suite.cases.retain(|case| !waits(case));
    }
    let (mut runs, mut loops, mut whole, mut worked) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut sent = 0;
    for _ in 0..ROUNDS {
        let (took, requests, exchanges) = one_run(&busy).await;
        sent = requests;
        runs.push(took);
        loops.push(bare_loop(&exchanges, requests).await);
        let before = processor_time();
        whole.push(one_run(&every).await.0);
        worked.extend(
            processor_time()
                .zip(before)
                .map(|(after, before)| after.saturating_sub(before)),
        );
    }
    let (run, bare, whole) = (median(runs), median(loops), median(whole));
    let waiting = every
        .iter()
        .flat_map(|suite| &suite.cases)
        .filter(|case| waits(case))
        .count();
    println!("run without the {waiting} cases that wait  {run:.2?} for {sent} requests");
    println!("bare loop, as many requests        {bare:.2?}");
    println!(
        "ratio                              {:.2}",
        run.as_secs_f64() / bare.as_secs_f64()
    );
    println!("run of every case                  {whole:.2?}");
    if worked.len() == ROUNDS {
        let worked = median(worked);
        println!("processor time of that, server too  {worked:.2?}");
    }
}

/// From the start of the process to its first connection, beside a process that only says its version.
fn first_request(program: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let issuer = format!("http://{}", listener.local_addr().expect("an address"));
    let (mut first, mut nothing) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        let clock = Instant::now();
        let mut child = Command::new(program)
            .args(["run", &issuer, "--quiet", "--report", "json=-"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let connection = listener.accept().expect("it connects");
        first.push(clock.elapsed());
        child.kill().expect("it ends");
        child.wait().expect("it ends");
        drop(connection);
        let clock = Instant::now();
        let version = Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        assert!(version.expect("it starts").success());
        nothing.push(clock.elapsed());
    }
    let (first, nothing) = (median(first), median(nothing));
    println!("start to first request             {first:.2?}");
    println!("start to end of --version          {nothing:.2?}");
    println!(
        "ratio                              {:.2}",
        first.as_secs_f64() / nothing.as_secs_f64()
    );
}

/// The highest resident size of `oauthspec run` with its reference server inside, as Linux counts it.
fn peak_memory(program: &str) {
    let folder = std::env::temp_dir().join(format!("oauthspec-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut child = Command::new(program)
        .args(["run", "--quiet"])
        .current_dir(&folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = String::from("not known");
    while child.try_wait().expect("it runs").is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        if let Some(line) = text.lines().find(|line| line.starts_with("VmHWM:")) {
            peak = line.trim_start_matches("VmHWM:").trim().to_owned();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("peak memory of `oauthspec run`     {peak}");
    std::fs::remove_dir_all(folder).expect("the folder goes");
}

fn main() -> ExitCode {
    if !std::env::args().any(|word| word == "measure") {
        return ExitCode::SUCCESS;
    }
    let program = env!("CARGO_BIN_EXE_oauthspec");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(ratios());
    first_request(program);
    peak_memory(program);
    ExitCode::SUCCESS
}
