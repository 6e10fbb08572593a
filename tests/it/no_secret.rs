//! No secret stands in any output: what passed over the wire is recorded by a proxy in front of the
//! server, every secret in it is looked for in everything the program wrote, in every usual spelling.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use refserver::{Face, Fault, Options, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Bytes of a secret that are searched for at a time: what a mask shows (four characters) is fewer.
const WINDOW: usize = 12;

/// What clients sent and what the server answered, one text for each connection and direction.
type Seen = Arc<Mutex<(Vec<Vec<u8>>, Vec<Vec<u8>>)>>;

/// The reference server behind a proxy that keeps every byte.
struct Watched {
    server: Server,
    seen: Seen,
    folder: PathBuf,
}

impl Watched {
    async fn start(name: &str, faults: &[&str]) -> Watched {
        Watched::with_face(name, Face::Reference, faults).await
    }

    async fn with_face(name: &str, face: Face, faults: &[&str]) -> Watched {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let faults = faults.iter().map(|name| Fault::parse(name).expect(name));
        let options = Options {
            face,
            faults: faults.collect(),
            ..Options::default()
        };
        let server = refserver::serve_behind(options, &origin).await.unwrap();
        let seen: Seen = Arc::default();
        tokio::spawn(proxy(listener, server.address(), Arc::clone(&seen)));
        let folder =
            std::env::temp_dir().join(format!("oauthspec-secret-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let target = oauthspec::targets::reference::target(server.facts());
        let file = oauthspec::cli::describe(&target, &[]);
        std::fs::write(folder.join("target.toml"), file).unwrap();
        Watched {
            server,
            seen,
            folder,
        }
    }

    /// Runs the program; what it printed is kept in the folder beside what it wrote.
    async fn oauthspec(&self, name: &str, arguments: &[&str]) -> Option<i32> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oauthspec"));
        command
            .current_dir(&self.folder)
            .args(arguments)
            // Annotations are an output too.
            .env("GITHUB_ACTIONS", "true")
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        for (kind, bytes) in [("stdout", output.stdout), ("stderr", output.stderr)] {
            std::fs::write(self.folder.join(format!("{name}.{kind}")), bytes).unwrap();
        }
        output.status.code()
    }

    /// Every file that was written, except the target file, which holds its secrets by intent.
    fn outputs(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("target.toml") {
                    let name = path.strip_prefix(&self.folder).unwrap();
                    found.insert(name.display().to_string(), std::fs::read(&path).unwrap());
                }
            }
        }
        found
    }

    /// Every secret there was, with what it is.
    fn secrets(&self) -> BTreeMap<String, &'static str> {
        let seen = self.seen.lock().unwrap();
        let mut found = BTreeMap::new();
        for bytes in &seen.1 {
            answered(&String::from_utf8_lossy(bytes), &mut found);
        }
        let known = self.server.secrets();
        for bytes in &seen.0 {
            asked(&String::from_utf8_lossy(bytes), &known, &mut found);
        }
        for secret in known {
            found.entry(secret).or_insert("kept by the server");
        }
        // What a suite says in so many words is no secret: verifiers of the clauses' examples.
        let fixed = public_text();
        found.retain(|value, what| {
            *what != "made by the client"
                || !fixed.contains(value.trim().get(..20).unwrap_or(value))
        });
        found
    }
}

/// The suites, and the same in the other case, which is a deviation of theirs.
fn public_text() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites");
    let files = std::fs::read_dir(folder).unwrap();
    let text: String = files
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap_or_default())
        .collect();
    text.to_lowercase() + &text.to_uppercase() + &text
}

async fn proxy(listener: TcpListener, to: std::net::SocketAddr, seen: Seen) {
    while let Ok((client, _)) = listener.accept().await {
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(to).await else {
                return;
            };
            let (client_in, client_out) = client.into_split();
            let (server_in, server_out) = server.into_split();
            let (asked, answered) =
                tokio::join!(copy(client_in, server_out), copy(server_in, client_out));
            let mut seen = seen.lock().unwrap();
            seen.0.push(asked);
            seen.1.push(answered);
        });
    }
}

/// Passes bytes on until the end, and keeps them.
async fn copy(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..count]);
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
    kept
}

/// The text between two marks, wherever they stand.
fn between<'t>(text: &'t str, open: &str, close: &[char]) -> Vec<&'t str> {
    text.match_indices(open)
        .map(|(at, _)| {
            let rest = &text[at + open.len()..];
            &rest[..rest.find(close).unwrap_or(rest.len())]
        })
        .collect()
}

/// Secrets in what the server answered: whatever it issued.
fn answered(text: &str, found: &mut BTreeMap<String, &'static str>) {
    for name in [
        "access_token",
        "refresh_token",
        "client_secret",
        "registration_access_token",
        "id_token",
        "device_code",
    ] {
        for value in between(text, &format!("\"{name}\":\""), &['"']) {
            found.insert(value.to_owned(), name);
        }
    }
    for line in text.lines() {
        let lower = line.to_ascii_lowercase();
        if lower.starts_with("set-cookie:") {
            for value in between(line, "=", &[';', '\r']).into_iter().take(1) {
                found.insert(value.to_owned(), "cookie");
            }
        } else if lower.starts_with("location:") {
            for value in between(line, "code=", &['&', '\r', '#']) {
                found.insert(decoded(value), "code");
            }
        }
    }
    for tag in between(text, "type=\"hidden\"", &['>']) {
        for value in between(tag, "value=\"", &['"']) {
            found.insert(value.to_owned(), "form token");
        }
    }
}

/// Secrets in what was sent: credentials, and what only the client knows.
fn asked(text: &str, known: &[String], found: &mut BTreeMap<String, &'static str>) {
    for line in text.lines() {
        let lower = line.to_ascii_lowercase();
        if lower.starts_with("authorization: basic ") {
            let value = line[21..].trim();
            let plain = STANDARD.decode(value).unwrap_or_default();
            // Attacks invent secrets; only the true ones count.
            let plain = String::from_utf8_lossy(&plain).into_owned();
            let secret = plain.split_once(':').map(|(_, secret)| decoded(secret));
            if secret.is_some_and(|secret| known.contains(&secret)) {
                found.insert(value.to_owned(), "Basic credentials");
            }
        }
        for value in between(line, "client_assertion=", &['&', ' ', '\r']) {
            if value.starts_with("eyJ") {
                found.insert(decoded(value), "made by the client");
            }
        }
        // Whoever has the signature too can send the request again.
        for value in between(line, "request=eyJ", &['&', ' ', '\r']) {
            // Some attacks have none.
            let signed = value
                .split('.')
                .nth(2)
                .is_some_and(|part| part.len() >= WINDOW);
            if signed {
                found.insert(format!("eyJ{}", decoded(value)), "request object");
            }
        }
        // As the harness makes them; others are inventions of the fuzzer.
        for value in between(line, "code_verifier=", &['&', ' ', '\r']) {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            if value.len() == 43 && value.bytes().all(letter) {
                found.insert(value.to_owned(), "made by the client");
            }
        }
    }
}

fn decoded(value: &str) -> String {
    let pair = format!("v={value}");
    let (_, value) = url::form_urlencoded::parse(pair.as_bytes()).next().unwrap();
    value.into_owned()
}

/// How a secret may be written.
fn spellings(secret: &str) -> Vec<String> {
    let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let mut all = vec![
        secret.to_owned(),
        percent.replace('+', "%20"),
        percent.to_ascii_lowercase(),
        percent,
        serde_json::Value::from(secret).to_string(),
        secret.replace('&', "&amp;").replace('<', "&lt;"),
        secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
    ];
    for shift in ["", "a", "ab"] {
        let inner = format!("{shift}{secret}");
        for text in [STANDARD.encode(&inner), URL_SAFE_NO_PAD.encode(&inner)] {
            // The first and last letters depend on the neighbours.
            let end = text.trim_end_matches('=').len().saturating_sub(2);
            all.push(text.get(4..end).unwrap_or_default().to_owned());
        }
    }
    // The signature of a JWT by itself.
    if secret.starts_with("eyJ") {
        all.extend(secret.split('.').skip(2).map(str::to_owned));
    }
    all
}

/// The pieces of a secret that must be nowhere: not its beginning, which a mask shows, and which many
/// JWTs share.
fn windows(secret: &str) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    for spelling in spellings(secret) {
        let bytes = spelling.as_bytes();
        if bytes.len() < WINDOW {
            continue;
        }
        let last = bytes.len() - WINDOW;
        for at in [last / 2, last] {
            // Of a short secret, the mask shows nothing, so its beginning may be searched for.
            // The claims of two JWTs may say the same; the signature, at the end, is of one only.
            let own = at == last || !secret.starts_with("eyJ");
            if own && (at >= 4 || bytes.len() < 20) {
                found.insert(bytes[at..at + WINDOW].to_vec());
            }
        }
    }
    found
}

/// Where secrets stand in the outputs: the file, what it is, and the text around it.
fn leaks(
    secrets: &BTreeMap<String, &'static str>,
    outputs: &BTreeMap<String, Vec<u8>>,
) -> Vec<String> {
    let mut index: std::collections::HashMap<Vec<u8>, &str> = std::collections::HashMap::new();
    let mut short: Vec<(&str, &str)> = Vec::new();
    for (secret, what) in secrets {
        if secret.len() < WINDOW {
            short.push((secret, what));
        }
        for window in windows(secret) {
            // What two secrets share (the issuer within two JWTs) is none of either.
            index
                .entry(window)
                .and_modify(|shared| *shared = "")
                .or_insert(what);
        }
    }
    let mut found = Vec::new();
    for (name, bytes) in outputs {
        let mut before = usize::MAX;
        for (at, window) in bytes.windows(WINDOW).enumerate() {
            if let Some(what) = index.get(window).filter(|what| !what.is_empty())
                && at.abs_diff(before) > 200
            {
                before = at;
                let around = &bytes[at.saturating_sub(120)..(at + 60).min(bytes.len())];
                found.push(format!(
                    "{name} at {at}: {what}: {}",
                    String::from_utf8_lossy(around)
                ));
            }
        }
        let text = String::from_utf8_lossy(bytes);
        for (secret, what) in short.iter().filter(|(secret, _)| secret.len() >= 6) {
            if stands_alone(&text, secret) {
                found.push(format!("{name}: {what}: {secret}"));
            }
        }
    }
    found
}

/// Whether it stands there by itself: six digits of a hash are no one-time code.
fn stands_alone(text: &str, secret: &str) -> bool {
    let outside = |end: Option<char>| !end.is_some_and(|end| end.is_ascii_alphanumeric());
    text.match_indices(secret).any(|(at, _)| {
        outside(text[..at].chars().next_back()) && outside(text[at + secret.len()..].chars().next())
    })
}

/// Every format, into the folder.
fn reports(prefix: &str) -> Vec<String> {
    let formats = ["json", "junit", "sarif", "html", "markdown", "har", "badge"];
    formats
        .iter()
        .flat_map(|format| ["--report".to_owned(), format!("{format}={prefix}.{format}")])
        .collect()
}

fn arguments<'a>(words: &[&'a str], more: &'a [String]) -> Vec<&'a str> {
    words
        .iter()
        .copied()
        .chain(more.iter().map(String::as_str))
        .collect()
}

fn assert_no_leak(watched: &Watched, least: usize) {
    let secrets = watched.secrets();
    assert!(secrets.len() >= least, "only {} secrets", secrets.len());
    let kinds: BTreeSet<&str> = secrets.values().copied().collect();
    for kind in [
        "access_token",
        "refresh_token",
        "code",
        "cookie",
        "Basic credentials",
        "made by the client",
    ] {
        assert!(kinds.contains(kind), "no {kind} was seen: {kinds:?}");
    }
    let found = leaks(&secrets, &watched.outputs());
    let first = found.iter().take(12).cloned().collect::<Vec<_>>();
    assert!(
        found.is_empty(),
        "{} leaks\n{}",
        found.len(),
        first.join("\n\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_run_gives_no_secret_away() {
    let watched = Watched::start("full", &[]).await;
    let reports = reports("clean");
    let exit = watched
        .oauthspec("run", &arguments(&["run", "target.toml"], &reports))
        .await;
    assert_eq!(exit, Some(0));
    let secrets = watched.secrets();
    for kind in [
        "client_secret",
        "registration_access_token",
        "id_token",
        "device_code",
        "form token",
        "request object",
        "kept by the server",
    ] {
        let seen = secrets.values().any(|seen| *seen == kind);
        assert!(seen, "the run met no {kind}");
    }
    assert_no_leak(&watched, 1_000);
    std::fs::remove_dir_all(&watched.folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_that_show_exchanges_and_every_other_command_give_no_secret_away() {
    let faults = ["code-reusable", "rs-audience-a", "pkce-plain"];
    let watched = Watched::start("faults", &faults).await;
    let written = reports("faulty");
    let suites = [
        "--suite", "pkce", "--suite", "token", "--suite", "rs", "--suite", "dcr",
    ];
    let run = [&["run", "target.toml"], &suites[..]].concat();
    let exit = watched.oauthspec("run", &arguments(&run, &written)).await;
    assert_eq!(exit, Some(1), "no failure shows an exchange");
    let issuer = watched.server.facts().issuer.clone();
    for (name, words) in [
        ("doctor", &["doctor", "target.toml"][..]),
        ("dry", &["run", "--dry-run", "target.toml"]),
        ("list", &["list", "target.toml"]),
        ("list-json", &["list", "--json", "target.toml"]),
        ("init", &["init", &issuer]),
        ("scan", &["scan", &issuer, "--rate", "50/s"]),
        ("fuzz", &["fuzz", "target.toml", "--time", "5s"]),
    ] {
        watched.oauthspec(name, words).await;
    }
    // A file that cannot be read is quoted in the message.
    let file = std::fs::read_to_string(watched.folder.join("target.toml")).unwrap();
    let wrong = file
        .replace("password = ", "passwort = = ")
        .replace("secret = ", "secret = 7 ");
    let broken = watched.folder.join("broken");
    std::fs::create_dir(&broken).unwrap();
    std::fs::write(broken.join("target.toml"), wrong).unwrap();
    let exit = watched
        .oauthspec("broken", &["doctor", "broken/target.toml"])
        .await;
    assert_eq!(exit, Some(2));
    assert_no_leak(&watched, 100);
    std::fs::remove_dir_all(&watched.folder).unwrap();
}

/// Six digits are too short for the search by pieces, and a person types them: they are looked for whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_by_one_time_code_gives_no_code_away() {
    let watched = Watched::with_face("otp", Face::Hightop, &["pkce-plain"]).await;
    let written = reports("otp");
    let run = ["run", "target.toml", "--suite", "pkce"];
    let exit = watched.oauthspec("run", &arguments(&run, &written)).await;
    assert_eq!(exit, Some(1), "no failure shows an exchange");
    watched
        .oauthspec("login", &["login", "test", "target.toml"])
        .await;
    let sent = watched.seen.lock().unwrap().0.concat();
    let sent = String::from_utf8_lossy(&sent).into_owned();
    let codes: BTreeSet<&str> = between(&sent, "otp=", &['&', ' ', '\r', '\n', 'G', 'P'])
        .into_iter()
        .filter(|code| code.len() == 6)
        .collect();
    assert!(!codes.is_empty(), "nobody typed a one-time code");
    let secrets = codes
        .iter()
        .map(|code| ((*code).to_owned(), "one-time code"));
    let secrets: BTreeMap<String, &'static str> = secrets.collect();
    let found = leaks(&secrets, &watched.outputs());
    assert!(found.is_empty(), "{}", found.join("\n"));

    // So the search finds what is there.
    let raw = [&run[..], &["--keep-secrets", "--report", "json=raw.json"]].concat();
    watched.oauthspec("raw", &raw).await;
    assert!(!leaks(&secrets, &watched.outputs()).is_empty());
    std::fs::remove_dir_all(&watched.folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_evidence_is_written_on_request_only_into_files_of_ones_own() {
    let watched = Watched::start("raw", &["pkce-plain"]).await;
    let reports = reports("raw");
    let run = ["run", "target.toml", "--suite", "pkce", "--keep-secrets"];
    watched.oauthspec("run", &arguments(&run, &reports)).await;
    let outputs = watched.outputs();
    let found = leaks(&watched.secrets(), &outputs);
    for name in ["raw.json", "raw.har", "raw.html"] {
        // So the search finds what is there.
        assert!(found.iter().any(|leak| leak.starts_with(name)), "{name}");
        assert_private(&watched.folder.join(name));
    }
    for name in ["run.stdout", "run.stderr"] {
        assert!(!found.iter().any(|leak| leak.starts_with(name)), "{name}");
    }
    let exit = watched
        .oauthspec("pipe", &["run", "--keep-secrets", "--report", "json=-"])
        .await;
    assert_eq!(exit, Some(2));
    std::fs::remove_dir_all(&watched.folder).unwrap();
}

#[cfg(unix)]
fn assert_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{}", path.display());
}

#[cfg(not(unix))]
fn assert_private(_: &Path) {}
