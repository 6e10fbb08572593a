//! The exact-bytes transport: HTTP/1.1 over tokio and rustls, one request a connection.
//!
//! It sends what reqwest rewrites or refuses (control characters, spaces, dot segments, fragments in
//! the request target) and releases copies of one request together for races.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, pki_types::ServerName};
use url::Url;

use super::{Limits, Reply, Request, USER_AGENT};

/// Whether reqwest would change or refuse something of this request.
pub(super) fn needed(request: &Request) -> bool {
    let same = Url::parse(&request.url).is_ok_and(|url| {
        // A bare origin gains a slash: that is no change of meaning.
        url.as_str() == request.url || url.as_str() == format!("{}/", request.url)
    });
    let headers_ok = request.headers.iter().all(|(_, value)| {
        value
            .bytes()
            .all(|byte| (0x20..0x7f).contains(&byte) || byte == b'\t')
    });
    let duplicate_host = request
        .headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"));
    !same || !headers_ok || duplicate_host
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Where the bytes go, and the target as it stands in the URL.
struct Parts {
    host: String,
    port: u16,
    tls: bool,
    authority: String,
    target: String,
}

fn parts(url: &str) -> Result<Parts, String> {
    let (scheme, rest) = url
        .split_once("://")
        .ok_or_else(|| format!("not an absolute URL: {url}"))?;
    let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(at);
    let base = Url::parse(&format!("{scheme}://{authority}"))
        .map_err(|error| format!("not an absolute URL ({error}): {url}"))?;
    let host = base.host_str().ok_or("no host")?.to_owned();
    let port = base.port_or_known_default().ok_or("no port")?;
    let target = if target.starts_with('/') {
        target.to_owned()
    } else {
        format!("/{target}")
    };
    Ok(Parts {
        host: host.trim_matches(['[', ']']).to_owned(),
        port,
        tls: scheme.eq_ignore_ascii_case("https"),
        authority: authority.to_owned(),
        target,
    })
}

fn encode(request: &Request, parts: &Parts) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(format!("{} {} HTTP/1.1\r\n", request.method, parts.target).as_bytes());
    if request.header("host").is_none() {
        bytes.extend_from_slice(format!("Host: {}\r\n", parts.authority).as_bytes());
    }
    if request.header("user-agent").is_none() {
        bytes.extend_from_slice(format!("User-Agent: {USER_AGENT}\r\n").as_bytes());
    }
    if request.header("accept").is_none() {
        bytes.extend_from_slice(b"Accept: */*\r\n");
    }
    for (name, value) in &request.headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    let length = request.header("content-length").is_none()
        && request.header("transfer-encoding").is_none()
        && (!request.body.is_empty() || !matches!(request.method.as_str(), "GET" | "HEAD"));
    if length {
        bytes.extend_from_slice(format!("Content-Length: {}\r\n", request.body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"Connection: close\r\n\r\n");
    bytes.extend_from_slice(&request.body);
    bytes
}

async fn connect(parts: &Parts) -> Result<Box<dyn Stream>, String> {
    let tcp = TcpStream::connect((parts.host.as_str(), parts.port))
        .await
        .map_err(|error| format!("cannot connect: {error}"))?;
    tcp.set_nodelay(true).ok();
    if !parts.tls {
        return Ok(Box::new(tcp));
    }
    let name = ServerName::try_from(parts.host.clone())
        .map_err(|_| format!("not a TLS server name: {}", parts.host))?;
    let stream = tls()?
        .connect(name, tcp)
        .await
        .map_err(|error| format!("TLS failed: {error}"))?;
    Ok(Box::new(stream))
}

/// The TLS configuration, made once; the platform's verifier decides, as with the ordinary transport.
fn tls() -> Result<TlsConnector, String> {
    static CONFIG: OnceLock<Result<Arc<rustls::ClientConfig>, String>> = OnceLock::new();
    CONFIG
        .get_or_init(|| {
            use rustls_platform_verifier::BuilderVerifierExt;
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let config = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|error| error.to_string())?
                .with_platform_verifier()
                .map_err(|error| error.to_string())?
                .with_no_client_auth();
            Ok(Arc::new(config))
        })
        .clone()
        .map(TlsConnector::from)
        .map_err(|error| format!("TLS cannot be set up: {error}"))
}

async fn read(stream: &mut dyn Stream, head_only: bool, limits: Limits) -> Result<Reply, String> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0_u8; 16 << 10];
    loop {
        let got = stream
            .read(&mut chunk)
            .await
            .map_err(|error| format!("the answer broke off: {error}"))?;
        let ended = got == 0;
        bytes.extend_from_slice(chunk.get(..got).unwrap_or_default());
        let exchange = wire::http1::Exchange {
            head: head_only,
            closed: ended,
            max_head: limits.head,
            max_body: limits.body,
        };
        match wire::http1::read_response(&bytes, exchange) {
            Ok(Some(response)) => {
                return Ok(Reply {
                    status: response.status,
                    headers: response
                        .headers
                        .into_iter()
                        .map(|(name, value)| {
                            (String::from_utf8_lossy(&name).to_ascii_lowercase(), value)
                        })
                        .collect(),
                    body: response.body,
                    truncated: false,
                });
            }
            Ok(None) if ended && bytes.is_empty() => {
                return Err("the connection was closed without an answer".into());
            }
            Ok(None) if ended => return Err("the answer broke off".into()),
            Ok(None) => {}
            Err(error) => return Err(format!("not an HTTP/1.1 answer: {error}")),
        }
    }
}

/// Sends one request on a connection of its own.
pub(super) async fn send(request: &Request, limits: Limits) -> Result<Reply, String> {
    let parts = parts(&request.url)?;
    let mut stream = connect(&parts).await?;
    stream
        .write_all(&encode(request, &parts))
        .await
        .map_err(|error| format!("cannot be sent: {error}"))?;
    read(stream.as_mut(), request.method == "HEAD", limits).await
}

/// Last-byte synchronisation: every copy but its last byte goes out on its own warm connection, then
/// all last bytes leave together, so that the copies meet inside the server.
pub(super) async fn send_together(
    request: &Request,
    copies: usize,
    limits: Limits,
) -> Vec<(Result<Reply, String>, Duration)> {
    let barrier = Arc::new(tokio::sync::Barrier::new(copies.max(1)));
    let tasks: Vec<_> = (0..copies)
        .map(|_| {
            let request = request.clone();
            let barrier = Arc::clone(&barrier);
            tokio::spawn(async move {
                let clock = Instant::now();
                let work = async {
                    let prepared = prepare(&request).await;
                    barrier.wait().await;
                    let (mut stream, last) = prepared?;
                    stream
                        .write_all(&last)
                        .await
                        .map_err(|error| format!("cannot be sent: {error}"))?;
                    read(stream.as_mut(), request.method == "HEAD", limits).await
                };
                let reply = match tokio::time::timeout(limits.timeout, work).await {
                    Ok(reply) => reply,
                    Err(_) => Err("no complete answer in time".to_owned()),
                };
                (reply, clock.elapsed())
            })
        })
        .collect();
    let mut answers = Vec::with_capacity(tasks.len());
    for task in tasks {
        answers.push(match task.await {
            Ok(answer) => answer,
            Err(error) => (Err(format!("the sender broke: {error}")), Duration::ZERO),
        });
    }
    answers
}

async fn prepare(request: &Request) -> Result<(Box<dyn Stream>, Vec<u8>), String> {
    let parts = parts(&request.url)?;
    let mut stream = connect(&parts).await?;
    let mut bytes = encode(request, &parts);
    let last = bytes.split_off(bytes.len().saturating_sub(1));
    stream
        .write_all(&bytes)
        .await
        .map_err(|error| format!("cannot be sent: {error}"))?;
    Ok((stream, last))
}
