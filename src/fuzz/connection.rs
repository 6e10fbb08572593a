//! Exact bytes over kept connections: HTTP/1.1 over tokio and rustls.
//!
//! Unlike the transports of a suite run, which send one thing carefully, this one sends a great many
//! things. Every [`Lane`] owns its connections, so nothing is shared and nothing waits; a request is
//! sent again only when a kept connection turns out to be closed before a byte of an answer came.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::transport::raw::{self, Parts, Stream, Way};
use crate::transport::{AllowList, Limits, Reply, Request, Transport, USER_AGENT};

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// Nobody listens.
    Refused(String),
    /// The connection was closed without an answer, or in the middle of one.
    Closed,
    /// What came is no HTTP/1.1 response.
    Malformed(wire::http1::Error),
    /// No complete answer in time.
    Slow,
    /// We did not send it: not one of the target's hosts.
    NotSent(String),
}

impl Lost {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            Lost::Refused(why) => format!("cannot connect: {why}"),
            Lost::Closed => "the connection was closed without a complete answer".into(),
            Lost::Malformed(error) => format!("not an HTTP/1.1 answer: {error}"),
            Lost::Slow => "no complete answer in time".into(),
            Lost::NotSent(why) => why.clone(),
        }
    }
}

/// Requests larger than this may be cut off without an answer.
const FAIR_SIZE: usize = 24 << 10;

/// One exchange.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What was sent.
    pub request: Request,
    /// What came back.
    pub reply: Result<Reply, Lost>,
    /// When it was sent.
    pub at: Instant,
    /// How long it took.
    pub took: Duration,
}

impl Seen {
    /// The answer, when there is one.
    pub fn answer(&self) -> Option<&Reply> {
        self.reply.as_ref().ok()
    }

    /// Whether the request is so small that a server has no reason to cut it off without an answer.
    pub fn fair(&self) -> bool {
        let headers = self.request.headers.iter();
        self.request.url.len() + self.request.body.len() < FAIR_SIZE
            && headers.map(|(_, value)| value.len()).sum::<usize>() < FAIR_SIZE / 2
    }

    /// As the recorder of the ordinary transports would have it, for evidence and for cookies.
    pub fn recorded(&self) -> crate::transport::Recorded {
        crate::transport::Recorded {
            request: self.request.clone(),
            reply: self.reply.clone().map_err(|lost| lost.words()),
            started: Duration::ZERO,
            took: self.took,
            raw: true,
        }
    }
}

/// What all lanes share: who may be contacted, how fast, for how long.
pub struct Road {
    allow: AllowList,
    way: Arc<Way>,
    limits: Limits,
    pace: tokio::sync::Mutex<Pace>,
    gap: Duration,
    sent: AtomicU64,
}

struct Pace {
    next: Instant,
}

/// The longest a server can make us wait with Retry-After.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl Road {
    /// To the hosts of a run's transport only and by its ways, at most `rate` requests a second.
    pub fn new(transport: &Transport, limits: Limits, rate: Option<f64>) -> Road {
        let gap = rate
            .filter(|rate| *rate > 0.0)
            .map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate));
        Road {
            allow: transport.allow().clone(),
            way: Arc::clone(transport.way()),
            limits,
            pace: tokio::sync::Mutex::new(Pace {
                next: Instant::now(),
            }),
            gap,
            sent: AtomicU64::new(0),
        }
    }

    /// How many requests were sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    async fn turn(&self) {
        if self.gap.is_zero() {
            return;
        }
        let at = {
            let mut pace = self.pace.lock().await;
            let at = pace.next.max(Instant::now());
            pace.next = at + self.gap;
            at
        };
        tokio::time::sleep_until(at.into()).await;
    }

    /// Waits as long as a 429 or 503 asks for (RFC 9110 §10.2.3).
    async fn obey(&self, reply: &Reply) {
        if !matches!(reply.status, 429 | 503) {
            return;
        }
        let asked = reply
            .header("retry-after")
            .and_then(|value| value.trim().parse::<u64>().ok());
        if let Some(seconds) = asked {
            tokio::time::sleep(Duration::from_secs(seconds).min(LONGEST_WAIT)).await;
        }
    }
}

/// One sender with its connections.
pub struct Lane {
    road: Arc<Road>,
    places: HashMap<String, Place>,
    bytes: Vec<u8>,
}

struct Place {
    parts: Parts,
    kept: Option<Connection>,
}

struct Connection {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

impl Lane {
    /// A sender without connections.
    pub fn new(road: Arc<Road>) -> Lane {
        Lane {
            road,
            places: HashMap::new(),
            bytes: Vec::with_capacity(2048),
        }
    }

    /// Forgets every connection.
    pub fn hang_up(&mut self) {
        self.places.clear();
    }

    /// Sends one request.
    pub async fn send(&mut self, request: Request) -> Seen {
        let (authority, target) = split(&request.url);
        if !self.places.contains_key(authority)
            && let Err(why) = self.open(authority, &request.url)
        {
            return Seen {
                request,
                reply: Err(Lost::NotSent(why)),
                at: Instant::now(),
                took: Duration::ZERO,
            };
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        encode(&request, authority, target, &mut bytes);
        let authority = authority.to_owned();
        self.road.turn().await;
        let clock = Instant::now();
        let limits = self.road.limits;
        let head_only = request.method == "HEAD";
        let mut reply = Err(Lost::Closed);
        if let Some(place) = self.places.get_mut(&authority) {
            self.road.sent.fetch_add(1, Ordering::Relaxed);
            let kept = place.kept.is_some();
            let work = exchange(place, &bytes, head_only, limits, &self.road.way);
            reply = match tokio::time::timeout(limits.timeout, work).await {
                Ok(reply) => reply,
                Err(_) => {
                    place.kept = None;
                    Err(Lost::Slow)
                }
            };
            if kept && matches!(reply, Err(Lost::Closed)) {
                place.kept = None;
                let work = exchange(place, &bytes, head_only, limits, &self.road.way);
                reply = match tokio::time::timeout(limits.timeout, work).await {
                    // It was sent once, and may be why nobody listens any more.
                    Ok(Err(Lost::Refused(_))) => Err(Lost::Closed),
                    Ok(reply) => reply,
                    Err(_) => Err(Lost::Slow),
                };
            }
            if reply.is_err() {
                place.kept = None;
            }
        }
        let took = clock.elapsed();
        self.bytes = bytes;
        if let Ok(reply) = &reply {
            self.road.obey(reply).await;
        }
        Seen {
            request,
            reply,
            at: clock,
            took,
        }
    }

    fn open(&mut self, authority: &str, url: &str) -> Result<(), String> {
        self.road.allow.check(url)?;
        let parts = raw::parts(url)?;
        self.places
            .insert(authority.to_owned(), Place { parts, kept: None });
        Ok(())
    }

    /// Sends the same request `copies` times: all but the last byte on warm connections, then the
    /// last bytes together.
    pub async fn race(&mut self, request: &Request, copies: usize) -> Vec<Seen> {
        let (authority, target) = split(&request.url);
        if let Err(why) = self.road.allow.check(&request.url) {
            return vec![Seen {
                request: request.clone(),
                reply: Err(Lost::NotSent(why)),
                at: Instant::now(),
                took: Duration::ZERO,
            }];
        }
        let mut bytes = Vec::new();
        encode(request, authority, target, &mut bytes);
        let last = bytes.split_off(bytes.len().saturating_sub(1));
        self.road.turn().await;
        self.road.sent.fetch_add(copies as u64, Ordering::Relaxed);
        let limits = self.road.limits;
        let mut warm = Vec::new();
        for _ in 0..copies {
            warm.push(ready(request, &bytes, &self.road.way).await);
        }
        let head_only = request.method == "HEAD";
        let rounds = warm.into_iter().map(|warm| {
            let last = last.clone();
            async move {
                let clock = Instant::now();
                let work = async {
                    let mut connection = warm?;
                    connection
                        .stream
                        .write_all(&last)
                        .await
                        .map_err(|_| Lost::Closed)?;
                    read(&mut connection, head_only, limits)
                        .await
                        .map(|(reply, _)| reply)
                };
                let reply = match tokio::time::timeout(limits.timeout, work).await {
                    Ok(reply) => reply,
                    Err(_) => Err(Lost::Slow),
                };
                Seen {
                    request: request.clone(),
                    reply,
                    at: clock,
                    took: clock.elapsed(),
                }
            }
        });
        futures_util::future::join_all(rounds).await
    }
}

/// A connection of its own with everything but the last byte sent.
async fn ready(request: &Request, bytes: &[u8], way: &Way) -> Result<Connection, Lost> {
    let mut parts = raw::parts(&request.url).map_err(Lost::NotSent)?;
    let mut stream = raw::connect(&mut parts, way).await.map_err(Lost::Refused)?;
    stream.write_all(bytes).await.map_err(|_| Lost::Closed)?;
    stream.flush().await.map_err(|_| Lost::Closed)?;
    Ok(Connection {
        stream,
        buffer: Vec::new(),
    })
}

/// Everything of a URL up to the path, and the rest as it is sent.
fn split(url: &str) -> (&str, &str) {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url
        .get(start..)
        .and_then(|rest| rest.find(['/', '?', '#']))
        .map_or(url.len(), |at| start + at);
    url.split_at_checked(end).unwrap_or((url, ""))
}

fn encode(request: &Request, authority: &str, target: &str, out: &mut Vec<u8>) {
    let host = authority
        .split_once("://")
        .map_or(authority, |(_, host)| host);
    let has = [
        "host",
        "user-agent",
        "accept",
        "content-length",
        "transfer-encoding",
    ]
    .map(|own| {
        let mut names = request.headers.iter().map(|(name, _)| name);
        names.any(|name| name.eq_ignore_ascii_case(own))
    });
    let [host_set, agent_set, accept_set, length_set, coding_set] = has;
    out.extend_from_slice(request.method.as_bytes());
    out.push(b' ');
    if !target.starts_with('/') {
        out.push(b'/');
    }
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    if !host_set {
        field(out, "Host", host);
    }
    if !agent_set {
        field(out, "User-Agent", USER_AGENT);
    }
    if !accept_set {
        field(out, "Accept", "*/*");
    }
    for (name, value) in &request.headers {
        field(out, name, value);
    }
    let bodiless = request.body.is_empty() && matches!(request.method.as_str(), "GET" | "HEAD");
    if !bodiless && !length_set && !coding_set {
        field(out, "Content-Length", &request.body.len().to_string());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&request.body);
}

fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

async fn exchange(
    place: &mut Place,
    bytes: &[u8],
    head_only: bool,
    limits: Limits,
    way: &Way,
) -> Result<Reply, Lost> {
    let mut connection = match place.kept.take() {
        Some(connection) => connection,
        None => Connection {
            stream: raw::connect(&mut place.parts.clone(), way)
                .await
                .map_err(Lost::Refused)?,
            buffer: Vec::with_capacity(4096),
        },
    };
    // A server may answer and close before it has read a large body: the answer counts all the same.
    let written = connection.stream.write_all(bytes).await;
    if written.is_ok() {
        connection.stream.flush().await.ok();
    }
    let (reply, keep) = read(&mut connection, head_only, limits).await?;
    if keep && written.is_ok() {
        place.kept = Some(connection);
    }
    Ok(reply)
}

/// Reads one final response; tells whether the connection can be used again.
async fn read(
    connection: &mut Connection,
    head_only: bool,
    limits: Limits,
) -> Result<(Reply, bool), Lost> {
    let mut ended = false;
    loop {
        if !connection.buffer.is_empty() {
            let exchange = wire::http1::Exchange {
                head: head_only,
                closed: ended,
                max_head: limits.head,
                max_body: limits.body,
            };
            match wire::http1::read_response(&connection.buffer, exchange) {
                Ok(Some(response)) if (100..200).contains(&response.status) => {
                    connection.buffer.drain(..response.consumed);
                    continue;
                }
                Ok(Some(response)) => {
                    connection
                        .buffer
                        .drain(..response.consumed.min(connection.buffer.len()));
                    let keep = !ended && keeps(&response) && connection.buffer.is_empty();
                    return Ok((reply(response), keep));
                }
                Ok(None) if ended => return Err(Lost::Closed),
                Ok(None) => {}
                Err(wire::http1::Error::Truncated) => return Err(Lost::Closed),
                Err(error) => return Err(Lost::Malformed(error)),
            }
        } else if ended {
            return Err(Lost::Closed);
        }
        connection.buffer.reserve(4096);
        match connection.stream.read_buf(&mut connection.buffer).await {
            Ok(0) | Err(_) => ended = true,
            Ok(_) => {}
        }
    }
}

fn keeps(response: &wire::http1::Response) -> bool {
    let close = response
        .values("connection")
        .any(|value| value.eq_ignore_ascii_case(b"close"));
    response.minor == 1 && !close && response.framing != wire::http1::Framing::Close
}

fn reply(response: wire::http1::Response) -> Reply {
    Reply {
        status: response.status,
        headers: response
            .headers
            .into_iter()
            .map(|(mut name, value)| {
                name.make_ascii_lowercase();
                let name = String::from_utf8(name)
                    .unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned());
                (name, value)
            })
            .collect(),
        body: response.body,
        truncated: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(request: &Request) -> String {
        let (authority, target) = split(&request.url);
        let mut bytes = Vec::new();
        encode(request, authority, target, &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_target_and_the_headers_go_out_byte_for_byte() {
        let mut request = Request::get("http://127.0.0.1:1/a?x=%zz&y=\\\u{2028}\"#f");
        request.headers.push(("X-A".into(), "1".into()));
        request.headers.push(("x-a".into(), "\u{7f}2".into()));
        let text = head(&request);
        assert!(
            text.starts_with("GET /a?x=%zz&y=\\\u{2028}\"#f HTTP/1.1\r\nHost: 127.0.0.1:1\r\n")
        );
        assert!(text.ends_with("X-A: 1\r\nx-a: \u{7f}2\r\n\r\n"), "{text}");
    }

    #[test]
    fn a_body_has_its_length_and_no_framing_of_ours_where_the_request_brings_its_own() {
        let mut request = Request::post("http://h", "text/plain", b"ab".to_vec());
        assert!(head(&request).contains("POST / HTTP/1.1\r\n"));
        assert!(head(&request).contains("Content-Length: 2\r\n\r\nab"));
        request
            .headers
            .push(("transfer-encoding".into(), "x".into()));
        assert!(!head(&request).contains("Content-Length"));
    }
}
