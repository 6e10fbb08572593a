//! Real servers: the programs under `fixtures/servers`, started on a free port and ended when the test is over.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// From the start to `listening on …`; the dependencies are installed by then.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How much of a server's standard error is kept for the message when it fails.
const LOG_BYTES: usize = 16 * 1024;
/// Every secret that a server, and the target file of the same name, reads from its environment.
const SECRETS: [&str; 8] = [
    "CONFIDENTIAL_SECRET",
    "POST_SECRET",
    "RS_SECRET",
    "USER_PASSWORD",
    "USER2_PASSWORD",
    "CC1_SECRET",
    "CC2_SECRET",
    "ISSUER_SECRET",
];

/// A running server. Dropping it ends its process group.
pub struct Real {
    port: u16,
    secrets: Vec<(&'static str, String)>,
    child: Child,
}

impl Real {
    /// Starts `fixtures/servers/NAME/start.sh PORT ARGS…` and waits until it listens.
    ///
    /// `None`, and a line on standard error, when this machine cannot install it (no node, no npm, no packages);
    /// with `CI=true` that is a panic, as is a server that is installed and does not start.
    pub fn start(name: &str, args: &[&str]) -> Option<Real> {
        Real::start_with(name, args, &[])
    }

    /// The same, with further environment variables.
    pub fn start_with(name: &str, args: &[&str], env: &[(&str, &str)]) -> Option<Real> {
        let script = root().join("fixtures/servers").join(name).join("start.sh");
        if let Err(reason) = install(&script, args) {
            let message = format!("{name} {args:?} cannot be installed: {reason}");
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
            let _ = writeln!(std::io::stderr(), "SKIPPED: {message}");
            return None;
        }
        let mut failure = String::new();
        // Somebody else may take the free port before the server does.
        for _ in 0..3 {
            match launch(&script, args, env) {
                Ok(server) => return Some(server),
                Err(log) => failure = log,
            }
        }
        panic!("{name} {args:?} does not start: {failure}");
    }

    /// `http://127.0.0.1:PORT`, which is also the server's issuer.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The secret the server was started with.
    pub fn secret(&self, name: &str) -> &str {
        let found = self.secrets.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str()).expect(name)
    }

    /// What `fixtures/targets/*.toml` reads from the environment: `PORT` and the secrets.
    #[allow(dead_code, reason = "for tests that run the program itself")]
    pub fn env(&self) -> Vec<(&'static str, String)> {
        let mut env = self.secrets.clone();
        env.push(("PORT", self.port.to_string()));
        env
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let group = format!("kill -KILL -- -{}", self.child.id());
        let _ = Command::new("bash").args(["-c", &group]).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The package's folder.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Installs the server's dependencies when they are not there; `start.sh` lets one process at a time do so.
fn install(script: &Path, args: &[&str]) -> Result<(), String> {
    let output = Command::new(script)
        .arg("--install")
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", script.display()))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let node = Command::new("node").arg("--version").output();
    node.map(drop)
        .map_err(|error| format!("node does not run: {error}"))
}

/// One attempt on one port; the error is what the server said.
fn launch(script: &Path, args: &[&str], env: &[(&str, &str)]) -> Result<Real, String> {
    let port = free_port();
    let secrets: Vec<_> = SECRETS.map(|name| (name, random())).into();
    let mut command = Command::new(script);
    command
        .arg(port.to_string())
        .args(args)
        .envs(secrets.iter().cloned())
        .envs(env.iter().copied())
        .env("EXIT_WITH_PARENT", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let ready = first_line(child.stdout.take().expect("piped"));
    let log = drain(child.stderr.take().expect("piped"));
    let server = Real {
        port,
        secrets,
        child,
    };
    match ready.recv_timeout(START_LIMIT) {
        Ok(line) if line == format!("listening on {}", server.base()) => Ok(server),
        Ok(line) => Err(format!("it printed {line:?} first")),
        Err(_) => {
            drop(server);
            let log = log.lock().expect("the reader does not panic");
            Err(String::from_utf8_lossy(&log).into_owned())
        }
    }
}

/// Sends the first line, then reads on so that the writer is never held up.
fn first_line(from: impl Read + Send + 'static) -> Receiver<String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _ = send.send(line);
        }
    });
    receive
}

/// Keeps the first `LOG_BYTES` of a stream, and reads on.
fn drain(mut from: impl Read + Send + 'static) -> Arc<Mutex<Vec<u8>>> {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&kept);
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let mut kept = kept.lock().expect("nobody else panics with it");
            let room = LOG_BYTES.saturating_sub(kept.len()).min(count);
            kept.extend_from_slice(&buffer[..room]);
        }
    });
    log
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound").port()
}

/// 256 random bits, in hexadecimal.
fn random() -> String {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
