//! Sending requests and keeping what was sent: one recorder in front of two transports.
//!
//! [`http`] is reqwest (TLS, HTTP/2, proxies); [`raw`] writes exact bytes for what reqwest would
//! rewrite or refuse. Redirects are never followed here and nothing is sent twice. Every read is
//! bounded in bytes and time. Hosts outside the allow-list are never contacted.

pub mod allow;
mod carrier;
pub mod hello;
mod http;
pub mod network;
pub(crate) mod pace;
mod patience;
pub(crate) mod raw;
pub mod redact;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

pub use allow::AllowList;
pub use carrier::Carrier;
use hello::{Hello, Offer, Shown};
pub use network::Network;
use pace::Pace;
use patience::Patience;

/// What this tool calls itself.
pub const USER_AGENT: &str = concat!(
    "oauthspec/",
    env!("CARGO_PKG_VERSION"),
    " (OAuth conformance test)"
);

/// A request as the caller wants it on the wire.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `GET`, `POST`, or anything else.
    pub method: String,
    /// Absolute URL; bytes that a URL parser would rewrite select the raw transport.
    pub url: String,
    /// Header names and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    pub body: Vec<u8>,
}

impl Request {
    /// A GET without headers.
    pub fn get(url: impl Into<String>) -> Request {
        Request {
            method: "GET".into(),
            url: url.into(),
            ..Request::default()
        }
    }

    /// A POST of this content.
    pub fn post(url: impl Into<String>, content_type: &str, body: Vec<u8>) -> Request {
        Request {
            method: "POST".into(),
            url: url.into(),
            headers: vec![("Content-Type".into(), content_type.into())],
            body,
        }
    }

    /// Sets a header, replacing one of the same name.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.headers
            .retain(|(existing, _)| !existing.eq_ignore_ascii_case(name));
        self.headers.push((name.into(), value.into()));
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(existing, _)| existing.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// An answer, bounded.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Header names (lower case) and raw values in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, cut at the limit.
    pub body: Vec<u8>,
    /// Whether the body was longer than the limit.
    pub truncated: bool,
}

impl Reply {
    /// The first header of this name as text.
    pub fn header(&self, name: &str) -> Option<String> {
        self.header_bytes(name)
            .map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The first header of this name as bytes.
    pub fn header_bytes(&self, name: &str) -> Option<&[u8]> {
        self.headers
            .iter()
            .find(|(existing, _)| existing.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    /// Every header of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.headers
            .iter()
            .filter(move |(existing, _)| existing.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    /// The media type without parameters, lower case.
    pub fn media_type(&self) -> String {
        self.header("content-type")
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    }

    /// The body as text, invalid UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, when it is an object that every reader reads the same.
    pub fn json(&self) -> Option<serde_json::Map<String, serde_json::Value>> {
        self.read_json().ok()
    }

    /// The body as a JSON object.
    ///
    /// # Errors
    /// In words, why it is none: cut, encoded, not JSON, not an object, or with a member twice
    /// (which two readers would read differently).
    pub fn read_json(&self) -> Result<serde_json::Map<String, serde_json::Value>, String> {
        if let Some(why) = self.unreadable() {
            return Err(why);
        }
        if self.body.is_empty() {
            return Err("its body is empty".into());
        }
        let value = serde_json::from_slice(&self.body)
            .map_err(|error| format!("its body is not JSON: {error}"))?;
        let serde_json::Value::Object(object) = value else {
            return Err("its body is JSON, but not an object".into());
        };
        let scanned = wire::json::scan(&self.body, wire::json::Limits::default())
            .map_err(|error| format!("its body cannot be read as JSON: {error}"))?;
        match scanned.duplicates.first() {
            Some(name) => Err(format!(
                "its JSON has the member `{}` more than once",
                name.chars().take(80).collect::<String>()
            )),
            None => Ok(object),
        }
    }

    /// Why the body cannot be taken for what the server meant, whatever it is.
    pub fn unreadable(&self) -> Option<String> {
        if self.truncated {
            return Some(format!(
                "its body is longer than {} bytes, so it was not read to its end",
                self.body.len()
            ));
        }
        let coding = self.header("content-encoding")?;
        (!coding.trim().is_empty() && !coding.trim().eq_ignore_ascii_case("identity")).then(|| {
            format!(
                "its body has Content-Encoding: {}, which was not asked for",
                coding.chars().take(40).collect::<String>()
            )
        })
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the status redirects.
    pub fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }
}

/// One exchange as it happened, not yet redacted.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// What was sent.
    pub request: Request,
    /// What came back, or why nothing did.
    pub reply: Result<Reply, String>,
    /// When, since the run began.
    pub started: Duration,
    /// How long.
    pub took: Duration,
    /// Whether the raw transport carried it.
    pub raw: bool,
}

/// Bounds of one exchange.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For the whole exchange.
    pub timeout: Duration,
    /// Body bytes kept; the rest is not read.
    pub body: usize,
    /// Header bytes taken; more is no answer.
    pub head: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            timeout: Duration::from_secs(10),
            body: 1 << 20,
            head: 64 << 10,
        }
    }
}

/// How a run's requests leave this machine.
pub struct Transport {
    http: Arc<http::Http>,
    /// Where connections are served, apart from our clock: a server that floods one keeps the thread
    /// that reads it busy, and must not keep the time limits from being looked at.
    threads: Option<Runtime>,
    patience: Mutex<Patience>,
    way: Arc<raw::Way>,
    network: Network,
    limits: Limits,
    allow: AllowList,
    began: Instant,
    sent: AtomicU64,
    pace: Pace,
}

impl Drop for Transport {
    fn drop(&mut self) {
        // Not waited for: a connection that is flooded would not end.
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

/// A task that ends when nobody waits for it any more.
struct Ended<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How often a read is repeated after the server asked for patience.
const REPEATS: usize = 3;

/// A transport that cannot be set up: the TLS configuration was refused.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be set up: {0}")]
pub struct SetupError(String);

impl Transport {
    /// A transport that may talk to `allow`, at most `rate` requests a second.
    pub fn new(
        allow: AllowList,
        limits: Limits,
        rate: Option<f64>,
    ) -> Result<Transport, SetupError> {
        Transport::through(allow, limits, rate, Network::default())
    }

    /// The same, over a network of its own kind.
    ///
    /// # Errors
    /// A certificate or key that cannot be used.
    pub fn through(
        allow: AllowList,
        limits: Limits,
        rate: Option<f64>,
        network: Network,
    ) -> Result<Transport, SetupError> {
        Ok(Transport {
            http: Arc::new(http::Http::new(limits, &network).map_err(SetupError)?),
            threads: Some(
                tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(2)
                    .thread_name("network")
                    .enable_all()
                    .build()
                    .map_err(|error| SetupError(error.to_string()))?,
            ),
            patience: Mutex::new(Patience::new(limits.timeout)),
            way: Arc::new(raw::Way::new(network.clone())),
            network,
            limits,
            allow,
            began: Instant::now(),
            sent: AtomicU64::new(0),
            pace: Pace::new(rate, limits.timeout),
        })
    }

    /// The network in use.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// How often the server asked for patience (429, 503).
    pub fn throttled(&self) -> u64 {
        self.pace.throttled()
    }

    /// Requests sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Time since the transport was made.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// How the raw transport connects, for other senders of bytes.
    pub(crate) fn way(&self) -> &Arc<raw::Way> {
        &self.way
    }

    /// The hosts that may be contacted.
    pub fn allow(&self) -> &AllowList {
        &self.allow
    }

    /// Sends one request once and records it. Never fails: the reason for a missing answer is in
    /// [`Recorded::reply`].
    pub async fn send(&self, request: Request) -> Recorded {
        if let Err(refusal) = self.may_send(&request.url) {
            return Recorded {
                request,
                reply: Err(refusal),
                started: self.began.elapsed(),
                took: Duration::ZERO,
                raw: false,
            };
        }
        let safe = matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        let mut recorded = self.send_once(request).await;
        // What changes nothing may be asked for again; anything else is sent exactly once.
        for _ in 0..REPEATS {
            match &recorded.reply {
                Ok(reply) if safe && pace::is_throttling(reply) => {
                    recorded = self.send_once(recorded.request).await;
                }
                _ => break,
            }
        }
        recorded
    }

    /// Sends one request, and again while the server asks for patience: for set-up and clean-up, where
    /// nothing is judged.
    pub async fn send_patiently(&self, request: Request) -> Recorded {
        let mut recorded = self.send(request).await;
        for _ in 0..REPEATS {
            match &recorded.reply {
                Ok(reply) if pace::is_throttling(reply) => {
                    recorded = self.send(recorded.request).await;
                }
                _ => break,
            }
        }
        recorded
    }

    async fn send_once(&self, request: Request) -> Recorded {
        let raw = raw::needed(&request);
        let turn = self.pace.turn().await;
        let started = self.began.elapsed();
        let clock = Instant::now();
        let answer = async {
            turn?;
            self.sent.fetch_add(1, Ordering::Relaxed);
            self.answer(request.clone(), raw).await
        };
        let reply = match tokio::time::timeout(self.limits.timeout, answer).await {
            Ok(reply) => {
                self.patience().heard();
                reply
            }
            Err(_) => {
                self.patience().silent();
                Err(format!(
                    "no complete answer within {} s (raise --timeout if the server is that slow)",
                    self.limits.timeout.as_secs_f32()
                ))
            }
        };
        if let Ok(reply) = &reply {
            self.pace.obey(reply);
        }
        Recorded {
            request,
            reply,
            started,
            took: clock.elapsed(),
            raw,
        }
    }

    /// The answer, read on the network's own threads.
    async fn answer(&self, request: Request, raw: bool) -> Result<Reply, String> {
        let (http, way, limits) = (Arc::clone(&self.http), Arc::clone(&self.way), self.limits);
        let work = async move {
            if raw {
                raw::send(&request, limits, &way).await
            } else {
                http.send(&request, limits).await
            }
        };
        let Some(threads) = &self.threads else {
            return Err("the transport is closed".into());
        };
        let mut task = Ended(threads.spawn(work));
        match (&mut task.0).await {
            Ok(reply) => reply,
            // What a panic says may hold what was sent.
            Err(_) => Err("the sender broke, which is a defect of oauthspec".into()),
        }
    }

    /// Sends a ClientHello that offers only this to the host of an https URL, and records what came of it.
    pub async fn offer(&self, url: &str, offer: Offer) -> (Hello, Recorded) {
        let started = self.began.elapsed();
        let hello = match self.prepare(url).await {
            Err(why) => Hello::Unknown(why),
            Ok(()) => hello::offer(url, offer, self.limits.timeout, &self.way).await,
        };
        let words = match &hello {
            Hello::Agreed(what) => {
                format!("the server agreed to {what}; the probe went no further")
            }
            Hello::Refused(how) => format!("the server {how}"),
            Hello::Unknown(why) => why.clone(),
        };
        let recorded = self.handshake(url, words, started);
        (hello, recorded)
    }

    /// Looks at the certificate of the host of an https URL, and records what came of it.
    pub async fn certificate(&self, url: &str) -> (Shown, Recorded) {
        let started = self.began.elapsed();
        let shown = match self.prepare(url).await {
            Err(why) => Shown::Unknown(why),
            Ok(()) => hello::certificate(url, self.limits.timeout, &self.way).await,
        };
        let words = match &shown {
            Shown::Valid(_) => "the handshake ended well; nothing was asked".to_owned(),
            Shown::Invalid(why) | Shown::Unknown(why) => why.clone(),
        };
        let recorded = self.handshake(url, words, started);
        (shown, recorded)
    }

    /// Waits for the turn of a handshake, if there may be one.
    async fn prepare(&self, url: &str) -> Result<(), String> {
        self.may_send(url)?;
        self.pace.turn().await?;
        self.sent.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// A handshake as an exchange: nothing was asked in HTTP, and nothing answered.
    fn handshake(&self, url: &str, words: String, started: Duration) -> Recorded {
        Recorded {
            request: Request::get(url),
            reply: Err(words),
            started,
            took: self.began.elapsed().saturating_sub(started),
            raw: true,
        }
    }

    /// Whether the host may be contacted and there is patience left for it.
    fn may_send(&self, url: &str) -> Result<(), String> {
        self.allow.check(url)?;
        self.patience().refusal().map_or(Ok(()), Err)
    }

    fn patience(&self) -> MutexGuard<'_, Patience> {
        self.patience.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the same bytes `copies` times, released together.
    pub async fn send_together(&self, request: &Request, copies: usize) -> Vec<Recorded> {
        if let Err(refusal) = self.may_send(&request.url) {
            return vec![Recorded {
                request: request.clone(),
                reply: Err(refusal),
                started: self.began.elapsed(),
                took: Duration::ZERO,
                raw: true,
            }];
        }
        // Every copy counts for the rate, though they leave together.
        let mut turn = self.pace.turn().await;
        for _ in 1..copies {
            if turn.is_ok() {
                turn = self.pace.turn().await;
            }
        }
        let started = self.began.elapsed();
        let answers = match turn {
            Err(why) => vec![(Err(why), Duration::ZERO)],
            Ok(()) => {
                self.sent.fetch_add(copies as u64, Ordering::Relaxed);
                raw::send_together(request, copies, self.limits, &self.way).await
            }
        };
        for (reply, _) in &answers {
            if let Ok(reply) = reply {
                self.pace.obey(reply);
            }
        }
        answers
            .into_iter()
            .map(|(reply, took)| Recorded {
                request: request.clone(),
                reply,
                started,
                took,
                raw: true,
            })
            .collect()
    }
}
