//! Long measurements of the wire fuzzer, with the numbers that `docs/fuzzing.md` shows.
//!
//! ```text
//! cargo bench --bench fuzzing -- deep [--first N] [--seeds N] [--programs N] [--time SECONDS] [FAULT…]
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
use std::sync::Arc;
use std::time::{Duration, Instant};

use memchr::memmem;
use oauthspec::fuzz::drive::{self, Event, Options};
use oauthspec::fuzz::finding::Finding;
use oauthspec::fuzz::oracle::Oracle;
use oauthspec::targets::model::{Client, ClientAuth, ClientKind, Target};
use oauthspec::targets::reference::Reference;
use refserver::{Face, Fault};
use tokio::task::JoinHandle;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What was asked for.
struct Asked {
    first: u64,
    seeds: u64,
    programs: u64,
    time: Duration,
    faults: Vec<Fault>,
}

fn asked(arguments: &[String]) -> Asked {
    let mut asked = Asked {
        first: 1,
        seeds: 5,
        programs: 25_000,
        time: Duration::from_secs(60),
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
            "--first" => asked.first = number(),
            "--seeds" => asked.seeds = number(),
            "--programs" => asked.programs = number(),
            "--time" => asked.time = Duration::from_secs(number()),
            name => asked.faults.extend(Fault::parse(name)),
        }
    }
    if asked.faults.is_empty() {
        asked.faults = Fault::DEEP.to_vec();
    }
    asked
}

/// What names the effect of a deep fault: the oracles that may, and the endpoints where.
fn effect(fault: Fault) -> (&'static [Oracle], &'static [&'static str]) {
    let name = fault.name().trim_start_matches("deep-");
    let oracles: &[Oracle] = match name {
        _ if name.starts_with("crash-") => &[Oracle::Crash],
        _ if name.starts_with("hang-") => &[Oracle::Hang],
        "second-verifier" | "escaped-type" => &[Oracle::Ambiguous, Oracle::Forbidden],
        "query-verifier" | "code-nul" | "verifier-list" | "refresh-trimmed" | "bearer-comma"
        | "secret-invisible" | "introspect-tail" => &[Oracle::Forbidden],
        "posted-redirect" | "semicolon" | "error-details" | "error-repeat" | "error-prompt" => {
            &[Oracle::Redirect]
        }
        "locale-markup" => &[Oracle::Markup],
        "grant-type-echo" | "xml-error" => &[Oracle::ErrorShape],
        "posted-injection" => &[Oracle::Injection],
        "code-kept" | "refresh-kept" | "code-race" => &[Oracle::Double],
        "revoke-hint" => &[Oracle::NotRevoked],
        "revoke-foreign" => &[Oracle::ForeignRevoked, Oracle::Forbidden],
        "cache-nonce" => &[Oracle::Cache],
        "urn-error-200" => &[Oracle::ErrorStatus],
        "multipart-trace" => &[Oracle::Leak],
        "expires-text" => &[Oracle::Type],
        "last-state-lost" => &[Oracle::State, Oracle::Refused],
        "long-name-refused" => &[Oracle::Refused, Oracle::State],
        "state-separator" => &[Oracle::State],
        "poison-pill" => &[Oracle::Dead],
        other => panic!("say what the fault deep-{other} does"),
    };
    let endpoints: &[&str] = match name {
        "crash-percent-revoke"
        | "crash-hint-text"
        | "revoke-hint"
        | "revoke-foreign"
        | "poison-pill" => &["revocation"],
        "crash-basic-base64" | "introspect-tail" => &["introspection"],
        "crash-huge-number"
        | "crash-null-redirects"
        | "crash-proto-member"
        | "crash-byte-order-mark"
        | "crash-long-name"
        | "hang-json" => &["registration"],
        "crash-bearer-tab" | "crash-two-authorization" | "bearer-comma" => &["resource"],
        "crash-forwarded-proto" => &["metadata"],
        "secret-invisible" => &["token", "revocation", "introspection"],
        "crash-nul-state" | "crash-surrogate" | "crash-json-depth" | "crash-long-scope"
        | "crash-full-width" | "crash-max-age" | "crash-cookie" | "crash-form-post"
        | "hang-uri" | "posted-redirect" | "escaped-type" | "semicolon" | "error-details"
        | "error-repeat" | "error-prompt" | "locale-markup" | "posted-injection"
        | "last-state-lost" | "long-name-refused" | "state-separator" => &["authorization"],
        _ => &["token"],
    };
    (oracles, endpoints)
}

/// What became of a fault.
struct Found {
    /// The first finding that names its effect.
    right: Option<Finding>,
    /// Findings before it that do not.
    others: Vec<String>,
    programs: u64,
    elapsed: Duration,
}

/// Restarts the server whenever somebody connects; the command that does so.
async fn restarts(server: Arc<Reference>) -> (JoinHandle<()>, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let myself = std::env::current_exe().expect("my own path");
    let task = tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            server.restart();
            drop(connection);
        }
    });
    (task, format!("'{}' restart {port}", myself.display()))
}

/// One fault, one seed, until a finding names its effect.
async fn find(fault: Fault, seed: u64, asked: &Asked) -> Found {
    let server = Reference::start(Face::default(), vec![fault], 0)
        .await
        .expect("the reference server starts");
    let target = server.target.clone();
    let (restarts, command) = restarts(Arc::new(server)).await;
    let options = Options {
        time: Some(asked.time),
        programs: Some(asked.programs),
        seed,
        restart: Some(command),
        ..Options::default()
    };
    let (oracles, endpoints) = effect(fault);
    let (sender, stop) = tokio::sync::watch::channel(false);
    let (tell, told) = std::sync::mpsc::channel();
    let hear = move |event: Event| {
        if let Event::Finding(finding) = event {
            let bucket = &finding.bucket;
            let right =
                oracles.contains(&bucket.oracle) && endpoints.contains(&bucket.endpoint.as_str());
            if right {
                sender.send(true).ok();
            }
            tell.send((right, *finding)).ok();
        }
    };
    let report = drive::run_apart(target, options, hear, stop).await;
    // The last to know the server: it ends with the task.
    restarts.abort();
    let report = report.expect("the reference server can be fuzzed");
    let (mut right, mut others) = (None, Vec::new());
    for (names_it, finding) in told {
        if !names_it {
            others.push(finding.id);
        } else if right.is_none() {
            right = Some(finding);
        }
    }
    Found {
        right,
        others,
        programs: report.programs,
        elapsed: report.elapsed,
    }
}

async fn deep(asked: Asked) -> bool {
    let (mut missed, mut found, mut total, mut largest) = (Vec::new(), Vec::new(), 0_u64, 0);
    for seed in asked.first..asked.first + asked.seeds {
        for fault in &asked.faults {
            let name = fault.name();
            let Found {
                right,
                others,
                programs,
                elapsed,
            } = find(*fault, seed, &asked).await;
            total += right.as_ref().map_or(programs, |finding| finding.programs);
            let seconds = elapsed.as_secs_f64();
            match right {
                Some(finding) => {
                    println!(
                        "{name:28} seed {seed}: {:5.1} s, program {:6}, {} deviations, {}",
                        finding.after.as_secs_f64(),
                        finding.programs,
                        finding.deviations,
                        finding.id
                    );
                    largest = largest.max(finding.deviations);
                    found.push(finding.programs);
                }
                None => {
                    println!(
                        "{name:28} seed {seed}: {seconds:5.1} s, program {programs:6}, NOT FOUND"
                    );
                    missed.push((name, seed));
                }
            }
            if !others.is_empty() {
                println!("{:28} other findings before: {}", "", others.join(" "));
            }
        }
    }
    found.sort_unstable();
    println!(
        "{} of {} found, after {} programs at the median and {} at most, {total} in all; at most {largest} deviations; missed: {missed:?}",
        found.len(),
        found.len() + missed.len(),
        found.get(found.len() / 2).copied().unwrap_or_default(),
        found.last().copied().unwrap_or_default(),
    );
    missed.is_empty() && largest <= 2
}

async fn clean(asked: Asked) -> bool {
    let options = Options {
        time: Some(asked.time),
        seed: asked.first,
        ..Options::default()
    };
    let server = Reference::start(Face::default(), Vec::new(), 0)
        .await
        .expect("the reference server starts");
    let never = oauthspec::run::never();
    let report = drive::run_apart(server.target.clone(), options, |_| {}, never).await;
    server.stop().await;
    let report = report.expect("the reference server can be fuzzed");
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
        while let Some(head) = memmem::find(&bytes, b"\r\n\r\n") {
            let end = head + 4 + length(&bytes[..head + 2]);
            if bytes.len() < end {
                break;
            }
            let known = b"Basic Y2M6Y2FubmVkLXNlY3JldA==\r\n";
            let right =
                memmem::find(&bytes[..head + 2], known).is_some() && granted(&bytes[head + 4..end]);
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

/// What the first Content-Length of a head says.
fn length(head: &[u8]) -> usize {
    const NAME: &[u8] = b"\ncontent-length: ";
    let lines = memchr::memchr_iter(b'\n', head).map(|at| &head[at..]);
    lines
        .filter(|line| line.len() >= NAME.len())
        .find(|line| line[..NAME.len()].eq_ignore_ascii_case(NAME))
        .and_then(|line| {
            let digits = line[NAME.len()..].split(|byte| *byte == b'\r').next()?;
            std::str::from_utf8(digits).ok()?.trim().parse().ok()
        })
        .unwrap_or(0)
}

/// Whether a form asks for client credentials, and repeats nothing.
fn granted(body: &[u8]) -> bool {
    const MOST: usize = 100;
    if memchr::memchr_iter(b'&', body).take(MOST).count() == MOST {
        return false;
    }
    let pairs = body.split(|byte| *byte == b'&');
    let names: Vec<&[u8]> = pairs
        .clone()
        .map(|pair| &pair[..memchr::memchr(b'=', pair).unwrap_or(pair.len())])
        .collect();
    let once = |(at, name): (usize, &&[u8])| !names[..at].contains(name);
    names.iter().enumerate().all(once)
        && pairs
            .into_iter()
            .any(|pair| pair == b"grant_type=client_credentials")
}

fn canned_target(issuer: &str) -> Target {
    let loaded = oauthspec::targets::from_issuer(issuer).expect("an issuer");
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
        endpoints: oauthspec::targets::model::Endpoints {
            token: Some(format!("{issuer}/token")),
            ..Default::default()
        },
        ..loaded
    }
}

/// Requests a second of `wrk -t1 -c16`.
fn wrk(issuer: &str, time: Duration) -> Option<f64> {
    let seconds = time.as_secs().max(1);
    let output = Command::new("wrk")
        .args([
            "-t1",
            "-c16",
            &format!("-d{seconds}s"),
            &format!("{issuer}/token"),
        ])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find_map(|line| {
        let rest = line.trim().strip_prefix("Requests/sec:")?;
        rest.trim().parse().ok()
    })
}

/// wrk, the fuzzer, and wrk again, each by itself, on the same canned server in a process of its own.
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
    let before = wrk(&issuer, asked.time / 2);
    let options = Options {
        time: Some(asked.time),
        ..Options::default()
    };
    let clock = Instant::now();
    let never = oauthspec::run::never();
    let report = drive::run_apart(canned_target(&issuer), options, |_| {}, never).await;
    let took = clock.elapsed();
    let after = wrk(&issuer, asked.time / 2);
    server.kill().ok();
    server.wait().ok();
    let report = report.expect("the canned server can be fuzzed");
    let ours = report.requests as f64 / took.as_secs_f64();
    for finding in &report.findings {
        println!("{}: {}", finding.id, finding.note);
    }
    match before.zip(after) {
        Some((before, after)) => {
            let ratio = ours / f64::midpoint(before, after);
            println!(
                "wrk {before:.0}/s before and {after:.0}/s after, fuzzer {ours:.0}/s, ratio {ratio:.2}; {} findings",
                report.findings.len()
            );
            ratio >= 0.4
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
    if what == "restart" {
        let port = rest.first().and_then(|port| port.parse::<u16>().ok());
        let address = ("127.0.0.1", port.expect("a port"));
        let mut connection = TcpStream::connect(address).expect("the measurement listens");
        connection.read_to_end(&mut Vec::new()).ok();
        return ExitCode::SUCCESS;
    }
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
