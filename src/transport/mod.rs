//! Sending requests and keeping what was sent: one recorder in front of two transports.
//!
//! [`http`] is reqwest (TLS, HTTP/2, proxies); [`raw`] writes exact bytes for what reqwest would
//! rewrite or refuse. Redirects are never followed here and nothing is sent twice. Every read is
//! bounded in bytes and time. Hosts outside the allow-list are never contacted.

pub mod allow;
mod http;
mod raw;
pub mod redact;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use allow::AllowList;

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

    /// The body as JSON, when it is an object.
    pub fn json(&self) -> Option<serde_json::Map<String, serde_json::Value>> {
        match serde_json::from_slice(&self.body) {
            Ok(serde_json::Value::Object(object)) => Some(object),
            _ => None,
        }
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
    /// Header bytes read by the raw transport.
    pub head: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            timeout: Duration::from_secs(10),
            body: 1 << 20,
            head: 256 << 10,
        }
    }
}

/// How a run's requests leave this machine.
pub struct Transport {
    http: http::Http,
    limits: Limits,
    allow: AllowList,
    began: Instant,
    sent: AtomicU64,
    pace: Mutex<Pace>,
}

/// When the next request may leave.
struct Pace {
    gap: Duration,
    next: Instant,
}

/// The longest a server can make us wait with Retry-After.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

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
        let gap = rate
            .filter(|rate| *rate > 0.0)
            .map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate));
        Ok(Transport {
            http: http::Http::new(limits).map_err(|error| SetupError(error.to_string()))?,
            limits,
            allow,
            began: Instant::now(),
            sent: AtomicU64::new(0),
            pace: Mutex::new(Pace {
                gap,
                next: Instant::now(),
            }),
        })
    }

    /// Requests sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Time since the transport was made.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The hosts that may be contacted.
    pub fn allow(&self) -> &AllowList {
        &self.allow
    }

    /// Sends one request once and records it. Never fails: the reason for a missing answer is in
    /// [`Recorded::reply`].
    pub async fn send(&self, request: Request) -> Recorded {
        if let Err(refusal) = self.allow.check(&request.url) {
            return Recorded {
                request,
                reply: Err(refusal),
                started: self.began.elapsed(),
                took: Duration::ZERO,
                raw: false,
            };
        }
        self.turn().await;
        let raw = raw::needed(&request);
        let started = self.began.elapsed();
        let clock = Instant::now();
        self.sent.fetch_add(1, Ordering::Relaxed);
        let answer = async {
            if raw {
                raw::send(&request, self.limits).await
            } else {
                self.http.send(&request, self.limits).await
            }
        };
        let reply = match tokio::time::timeout(self.limits.timeout, answer).await {
            Ok(reply) => reply,
            Err(_) => Err(format!(
                "no complete answer within {} s (raise --timeout if the server is that slow)",
                self.limits.timeout.as_secs_f32()
            )),
        };
        if let Ok(reply) = &reply {
            self.obey(reply);
        }
        Recorded {
            request,
            reply,
            started,
            took: clock.elapsed(),
            raw,
        }
    }

    /// Sends the same bytes `copies` times, released together.
    pub async fn send_together(&self, request: &Request, copies: usize) -> Vec<Recorded> {
        if let Err(refusal) = self.allow.check(&request.url) {
            return vec![Recorded {
                request: request.clone(),
                reply: Err(refusal),
                started: self.began.elapsed(),
                took: Duration::ZERO,
                raw: true,
            }];
        }
        self.turn().await;
        let started = self.began.elapsed();
        self.sent.fetch_add(copies as u64, Ordering::Relaxed);
        raw::send_together(request, copies, self.limits)
            .await
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

    /// Waits for the rate limit, and for what a Retry-After asked.
    async fn turn(&self) {
        let at = {
            let mut pace = match self.pace.lock() {
                Ok(pace) => pace,
                Err(poisoned) => poisoned.into_inner(),
            };
            let at = pace.next.max(Instant::now());
            pace.next = at + pace.gap;
            at
        };
        tokio::time::sleep_until(at.into()).await;
    }

    /// Moves the next turn back when the server asks for patience (RFC 9110 §10.2.3).
    fn obey(&self, reply: &Reply) {
        if !matches!(reply.status, 429 | 503) {
            return;
        }
        let Some(seconds) = reply
            .header("retry-after")
            .and_then(|value| value.trim().parse::<u64>().ok())
        else {
            return;
        };
        let until = Instant::now() + Duration::from_secs(seconds).min(LONGEST_WAIT);
        if let Ok(mut pace) = self.pace.lock() {
            pace.next = pace.next.max(until);
        }
    }
}
