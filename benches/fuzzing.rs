//! Long measurements of the wire fuzzer, with the numbers that `docs/fuzzing.md` shows.
//!
//! ```text
//! cargo bench --bench fuzzing -- deep [--seeds N] [--time SECONDS] [--wide N] [FAULT…]
//! cargo bench --bench fuzzing -- novelty [--seeds N] [--time SECONDS] [FAULT…]
//! cargo bench --bench fuzzing -- clean [--time SECONDS]
//! cargo bench --bench fuzzing -- throughput [--time SECONDS]      needs wrk
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

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use oauthspec::fuzz::drive::{self, Options, Report};
use oauthspec::target::model::{Client, ClientAuth, ClientKind, Target};
use oauthspec::target::reference::Reference;
use refserver::{Face, Fault};

/// What was asked for.
struct Asked {
    seeds: u64,
    time: Duration,
    wide: usize,
    faults: Vec<Fault>,
}

fn asked(arguments: &[String]) -> Asked {
    let mut asked = Asked {
        seeds: 5,
        time: Duration::from_secs(60),
        wide: 1,
        faults: Vec::new(),
    };
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        let mut number = || {
            rest.next()
                .and_then(|text| text.parse::<u64>().ok())
                .unwrap_or(1)
        };
        match word.as_str() {
            "--seeds" => asked.seeds = number(),
            "--time" => asked.time = Duration::from_secs(number()),
            "--wide" => asked.wide = usize::try_from(number()).unwrap_or(1),
            name => asked.faults.extend(Fault::parse(name)),
        }
    }
    if asked.faults.is_empty() {
        asked.faults = Fault::DEEP.to_vec();
    }
    asked
}

async fn fuzz(faults: Vec<Fault>, options: &Options) -> Report {
    let server = Reference::start(Face::default(), faults, 0)
        .await
        .expect("the reference server starts");
    let report = drive::run(
        server.target.clone(),
        options,
        &mut |_| {},
        &oauthspec::run::never(),
    )
    .await;
    server.stop().await;
    report.expect("the reference server can be fuzzed")
}

/// One fault, one seed: when it was found and how small it became.
async fn find(
    fault: Fault,
    seed: u64,
    time: Duration,
    blind: bool,
) -> Option<(Duration, u64, usize, String)> {
    let options = Options {
        time: Some(time),
        seed,
        most_findings: Some(1),
        blind,
        ..Options::default()
    };
    let report = fuzz(vec![fault], &options).await;
    let finding = report.findings.first()?;
    Some((
        finding.after,
        finding.programs,
        finding.deviations,
        finding.id.clone(),
    ))
}

async fn deep(asked: Asked) -> bool {
    let jobs: Vec<(Fault, u64)> = asked
        .faults
        .iter()
        .flat_map(|fault| (1..=asked.seeds).map(move |seed| (*fault, seed)))
        .collect();
    let time = asked.time;
    let mut running = futures_util::stream::iter(jobs)
        .map(|(fault, seed)| async move { (fault, seed, find(fault, seed, time, false).await) })
        .buffer_unordered(asked.wide);
    let (mut missed, mut total, mut slowest) = (Vec::new(), 0, Duration::ZERO);
    while let Some((fault, seed, found)) = running.next().await {
        total += 1;
        match found {
            Some((after, programs, deviations, id)) if deviations <= 2 => {
                slowest = slowest.max(after);
                println!(
                    "{:28} seed {seed}: {:5.1} s, program {programs:6}, {deviations} deviations, {id}",
                    fault.name(),
                    after.as_secs_f64()
                );
            }
            Some((after, .., deviations, id)) => {
                println!(
                    "{:28} seed {seed}: {:5.1} s, NOT SMALL: {deviations} deviations, {id}",
                    fault.name(),
                    after.as_secs_f64()
                );
                missed.push((fault.name(), seed));
            }
            None => {
                println!("{:28} seed {seed}: NOT FOUND", fault.name());
                missed.push((fault.name(), seed));
            }
        }
    }
    println!(
        "{} of {total} found and small; the slowest took {:.1} s; missed: {missed:?}",
        total - missed.len(),
        slowest.as_secs_f64()
    );
    missed.is_empty()
}

async fn novelty(asked: Asked) {
    let (mut better, mut worse, mut sums) = (0, 0, [0_u64; 2]);
    for fault in &asked.faults {
        let mut programs = [Vec::new(), Vec::new()];
        for (at, blind) in [false, true].into_iter().enumerate() {
            for seed in 1..=asked.seeds {
                let found = find(*fault, seed, asked.time, blind).await;
                programs[at].push(found.map_or(u64::MAX, |found| found.1));
            }
            programs[at].sort_unstable();
        }
        let median = |at: usize| programs[at][programs[at].len() / 2];
        let (guided, blind) = (median(0), median(1));
        better += u32::from(guided < blind);
        worse += u32::from(guided > blind);
        for (at, sum) in sums.iter_mut().enumerate() {
            *sum += programs[at]
                .iter()
                .map(|count| (*count).min(1_000_000))
                .sum::<u64>();
        }
        println!(
            "{:28} median programs: guided {guided}, blind {blind}; guided {:?}, blind {:?}",
            fault.name(),
            programs[0],
            programs[1]
        );
    }
    println!(
        "guided better for {better} faults, blind for {worse}; programs in all: guided {}, blind {}",
        sums[0], sums[1]
    );
}

async fn clean(asked: Asked) -> bool {
    let options = Options {
        time: Some(asked.time),
        seed: asked.seeds,
        ..Options::default()
    };
    let report = fuzz(Vec::new(), &options).await;
    println!(
        "{} programs, {} requests in {:.0} s ({:.0}/s): {} findings",
        report.programs,
        report.requests,
        report.elapsed.as_secs_f64(),
        report.requests as f64 / report.elapsed.as_secs_f64(),
        report.findings.len()
    );
    for finding in &report.findings {
        println!("{}", finding.text);
    }
    report.findings.is_empty()
}

/// Answers every request alike, but for whether the one client shows its secret.
fn canned(listener: TcpListener) {
    const YES: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: 63\r\n\r\n{\"access_token\":\"abcdef\",\"token_type\":\"Bearer\",\"expires_in\":60}";
    const NO: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: 27\r\n\r\n{\"error\":\"invalid_request\"}";
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || serve(stream, YES, NO));
    }
}

fn serve(mut stream: TcpStream, yes: &str, no: &str) {
    stream.set_nodelay(true).ok();
    let mut bytes = Vec::new();
    let mut chunk = [0_u8; 16 << 10];
    loop {
        while let Some(head) = find_bytes(&bytes, b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
            let length = text
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.lines().next()?.trim().parse::<usize>().ok())
                .unwrap_or(0);
            let end = head + 4 + length;
            if bytes.len() < end {
                break;
            }
            let right = find_bytes(&bytes[..head], b"Basic Y2M6").is_some()
                && find_bytes(&bytes[head..end], b"grant_type=client").is_some();
            let answer = if right { yes } else { no };
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
            bytes.drain(..end);
        }
        match stream.read(&mut chunk) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&chunk[..count]),
            _ => return,
        }
    }
}

fn find_bytes(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn canned_target(issuer: &str) -> Target {
    let loaded = oauthspec::target::from_issuer(issuer).expect("an issuer");
    Target {
        clients: vec![Client {
            name: "confidential".into(),
            register: false,
            id: Some("cc".into()),
            secret: Some("canned-secret".into()),
            auth: ClientAuth::Basic,
            kind: ClientKind::Confidential,
            redirect_uris: Vec::new(),
        }],
        endpoints: oauthspec::target::model::Endpoints {
            token: Some(format!("{issuer}/token")),
            ..Default::default()
        },
        ..loaded
    }
}

/// wrk and the fuzzer, each by itself, on the same canned server in a process of its own.
async fn throughput(asked: Asked) -> bool {
    let myself = std::env::current_exe().expect("my own path");
    let mut server = Command::new(myself)
        .arg("canned")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the canned server starts");
    let mut line = [0_u8; 5];
    server
        .stdout
        .as_mut()
        .expect("its output")
        .read_exact(&mut line)
        .expect("its port");
    let port = String::from_utf8_lossy(&line).trim().to_owned();
    let issuer = format!("http://127.0.0.1:{port}");
    let seconds = asked.time.as_secs();
    let measured = Command::new("wrk")
        .args([
            "-t1",
            "-c16",
            &format!("-d{seconds}s"),
            &format!("{issuer}/token"),
        ])
        .output();
    let wrk = measured.ok().and_then(|output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().find_map(|line| {
            line.trim()
                .strip_prefix("Requests/sec:")?
                .trim()
                .parse::<f64>()
                .ok()
        })
    });
    let options = Options {
        time: Some(asked.time),
        ..Options::default()
    };
    let clock = Instant::now();
    let report = drive::run(
        canned_target(&issuer),
        &options,
        &mut |_| {},
        &oauthspec::run::never(),
    )
    .await;
    server.kill().ok();
    server.wait().ok();
    let report = report.expect("the canned server can be fuzzed");
    let ours = report.requests as f64 / clock.elapsed().as_secs_f64();
    match wrk {
        Some(wrk) => {
            println!(
                "wrk {wrk:.0}/s, fuzzer {ours:.0}/s, ratio {:.2}; {} findings",
                ours / wrk,
                report.findings.len()
            );
            ours / wrk >= 0.4
        }
        None => {
            println!(
                "wrk is not there; fuzzer {ours:.0}/s; {} findings",
                report.findings.len()
            );
            false
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let Some((what, rest)) = arguments.split_first() else {
        return ExitCode::SUCCESS;
    };
    if what == "canned" {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        println!("{:5}", listener.local_addr().expect("an address").port());
        canned(listener);
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let asked = asked(rest);
    let ok = runtime.block_on(async {
        match what.as_str() {
            "deep" => deep(asked).await,
            "novelty" => {
                novelty(asked).await;
                true
            }
            "clean" => clean(asked).await,
            "throughput" => throughput(asked).await,
            _ => true,
        }
    });
    if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
