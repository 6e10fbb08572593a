//! The few WebDriver commands that a login needs (W3C WebDriver, and chromedriver's own for the log and
//! for DevTools). JSON over HTTP to a chromedriver on loopback that is started here and ended with us.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// From the start of chromedriver to its port; for one command.
const START: Duration = Duration::from_secs(60);
const COMMAND: Duration = Duration::from_secs(120);
/// From asking chromedriver to end to killing it.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// A chromedriver with one session.
pub(super) struct WebDriver {
    /// Known when chromedriver has said it.
    port: Option<u16>,
    session: String,
    http: reqwest::Client,
    process: Child,
    /// Everything that browser and chromedriver write to disk.
    folder: TempDir,
}

/// A command that failed: WebDriver's error code and message.
#[derive(Debug)]
pub(super) struct Problem {
    /// `stale element reference`, `no such element`, …
    pub code: String,
    /// In words.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let first = self.message.lines().next().unwrap_or_default();
        write!(out, "{}: {first}", self.code)
    }
}

/// An element of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element(String);

impl Element {
    /// From a script's result.
    pub(super) fn read(value: &Value) -> Option<Element> {
        Some(Element(value.get(ELEMENT)?.as_str()?.to_owned()))
    }

    /// As a script's argument.
    pub(super) fn argument(&self) -> Value {
        json!({ ELEMENT: self.0 })
    }
}

impl WebDriver {
    /// Starts chromedriver and a browser with these arguments.
    ///
    /// # Errors
    /// What is missing and how to get it.
    pub(super) async fn start(arguments: &[String]) -> Result<WebDriver, String> {
        let program = std::env::var("CHROMEDRIVER").unwrap_or_else(|_| "chromedriver".to_owned());
        let folder = tempfile::Builder::new()
            .prefix("oauthspec-")
            .tempdir()
            .map_err(|why| format!("the browser needs a folder of its own: {why}"))?;
        let mut command = Command::new(&program);
        // Elsewhere the folder for temporary files has a long name, too long for the browser's socket below one of ours.
        if cfg!(target_os = "linux") {
            command.env("TMPDIR", folder.path());
        }
        let process = command
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|why| {
                format!(
                    "the browser driver needs chromedriver, and `{program}` cannot be started ({why}): install it \
                     (Debian: apt-get install chromium chromium-driver), or set CHROMEDRIVER to its path"
                )
            })?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .timeout(COMMAND)
            .build()
            .map_err(|why| format!("the browser driver cannot speak HTTP: {why}"))?;
        // Made before anything is waited for: whoever stops waiting ends what was started.
        let mut driver = WebDriver {
            port: None,
            session: String::new(),
            http,
            process,
            folder,
        };
        driver.port = match driver.process.stdout.take() {
            Some(out) => tokio::task::spawn_blocking(move || port_of(out))
                .await
                .ok()
                .flatten(),
            None => None,
        };
        if driver.port.is_none() {
            return Err(format!("`{program}` did not say on which port it listens"));
        }
        let mut arguments = arguments.to_vec();
        let profile = driver.folder.path().join("profile");
        arguments.push(format!("--user-data-dir={}", profile.display()));
        let mut options = json!({ "args": arguments });
        if let (Some(options), Some(binary)) = (options.as_object_mut(), browser()) {
            options.insert("binary".to_owned(), Value::String(binary));
        }
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            // Pages are looked at while they load: one hanging picture must not stop a login.
            "pageLoadStrategy": "none",
            "unhandledPromptBehavior": "dismiss",
            "goog:loggingPrefs": { "performance": "ALL" },
            "goog:chromeOptions": options,
        }}});
        let session = driver
            .call(reqwest::Method::POST, "/session", Some(wanted))
            .await
            .map_err(|why| format!("chromedriver cannot start a browser: {why}"))?;
        driver.session = session
            .get("sessionId")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        Ok(driver)
    }

    async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, Problem> {
        let transport = |why: reqwest::Error| Problem {
            code: "no answer".to_owned(),
            message: why.to_string(),
        };
        let port = self.port.unwrap_or_default();
        let mut request = self
            .http
            .request(method, format!("http://127.0.0.1:{port}{path}"));
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let response = request.send().await.map_err(transport)?;
        let ok = response.status().is_success();
        let bytes = response.bytes().await.map_err(transport)?;
        let mut answer: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let value = answer
            .get_mut("value")
            .map(Value::take)
            .unwrap_or(Value::Null);
        if ok {
            return Ok(value);
        }
        let text = |name: &str| {
            value
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or("unknown")
                .to_owned()
        };
        Err(Problem {
            code: text("error"),
            message: text("message"),
        })
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value, Problem> {
        let path = format!("/session/{}{path}", self.session);
        self.call(reqwest::Method::POST, &path, Some(body)).await
    }

    async fn get(&self, path: &str) -> Result<Value, Problem> {
        let path = format!("/session/{}{path}", self.session);
        self.call(reqwest::Method::GET, &path, None).await
    }

    /// Goes to an address, without waiting for the page.
    pub(super) async fn open(&self, url: &str) -> Result<(), Problem> {
        self.post("/url", json!({ "url": url })).await.map(drop)
    }

    /// The address of the page.
    pub(super) async fn url(&self) -> Result<String, Problem> {
        let value = self.get("/url").await?;
        Ok(value.as_str().unwrap_or_default().to_owned())
    }

    /// Runs a script in the page.
    pub(super) async fn script(&self, script: &str, arguments: Value) -> Result<Value, Problem> {
        let body = json!({ "script": script, "args": arguments });
        self.post("/execute/sync", body).await
    }

    /// Types into an element.
    pub(super) async fn type_into(&self, element: &Element, text: &str) -> Result<(), Problem> {
        let path = format!("/element/{}/value", element.0);
        self.post(&path, json!({ "text": text })).await.map(drop)
    }

    /// Clicks an element.
    pub(super) async fn click(&self, element: &Element) -> Result<(), Problem> {
        let path = format!("/element/{}/click", element.0);
        self.post(&path, json!({})).await.map(drop)
    }

    /// A picture of the page, PNG.
    pub(super) async fn screenshot(&self) -> Option<Vec<u8>> {
        use base64::Engine as _;
        let value = self.get("/screenshot").await.ok()?;
        base64::engine::general_purpose::STANDARD
            .decode(value.as_str()?)
            .ok()
    }

    /// What the browser did since the last call: DevTools events.
    pub(super) async fn events(&self) -> Vec<Value> {
        let entries = self
            .post("/se/log", json!({ "type": "performance" }))
            .await
            .unwrap_or(Value::Null);
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .filter_map(|entry| {
                let text = entry.get("message")?.as_str()?;
                let mut event: Value = serde_json::from_str(text).ok()?;
                event.get_mut("message").map(Value::take)
            })
            .collect()
    }

    /// A DevTools command.
    pub(super) async fn devtools(&self, command: &str, params: Value) -> Result<Value, Problem> {
        let body = json!({ "cmd": command, "params": params });
        self.post("/goog/cdp/execute", body).await
    }
}

impl Drop for WebDriver {
    /// Lets chromedriver end its browser, also one that has only begun to start: whoever kills it leaves that behind.
    fn drop(&mut self) {
        if let Some(port) = self.port
            && let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port))
        {
            let _ = write!(
                stream,
                "GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
            );
            let end = Instant::now() + SHUTDOWN;
            while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        // The browser's last processes may still be writing.
        for _ in 0..40 {
            match std::fs::remove_dir_all(self.folder.path()) {
                Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                _ => break,
            }
        }
    }
}

/// The port in chromedriver's first lines. Reads on afterwards, so that chromedriver is never held up.
fn port_of(out: impl std::io::Read + Send + 'static) -> Option<u16> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if let Some((_, rest)) = line.split_once("started successfully on port ") {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                let _ = send.send(digits.parse::<u16>().ok());
            }
        }
    });
    receive.recv_timeout(START).ok().flatten()
}

/// Whether chromedriver can be started.
pub fn is_here() -> bool {
    let program = std::env::var_os("CHROMEDRIVER").unwrap_or_else(|| "chromedriver".into());
    let path = std::path::Path::new(&program);
    if path.components().count() > 1 {
        return path.is_file();
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(path).is_file())
}

/// The browser: `CHROME`, or the first that is installed; chromedriver looks further.
fn browser() -> Option<String> {
    if let Ok(named) = std::env::var("CHROME") {
        return Some(named);
    }
    let folders = std::env::var_os("PATH")?;
    ["chromium", "chromium-browser", "google-chrome"]
        .iter()
        .flat_map(|name| std::env::split_paths(&folders).map(move |folder| folder.join(name)))
        .find(|path| path.is_file())
        .map(|path| path.display().to_string())
}
