//! The exact-bytes transport: HTTP/1.1 over tokio and rustls, one request a connection.
//!
//! It sends what reqwest rewrites or refuses (control characters, spaces, dot segments, fragments in
//! the request target) and releases copies of one request together for races.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use url::Url;

use super::{Limits, Network, Reply, Request, USER_AGENT};

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

/// The network, and the TLS configuration once it was needed.
pub(crate) struct Way {
    network: Network,
    tls: OnceLock<Result<Arc<ClientConfig>, String>>,
}

impl Way {
    pub(super) fn new(network: Network) -> Way {
        Way {
            network,
            tls: OnceLock::new(),
        }
    }

    fn tls(&self) -> Result<TlsConnector, String> {
        self.tls
            .get_or_init(|| self.network.tls(&[]).map(Arc::new))
            .clone()
            .map(TlsConnector::from)
            .map_err(|why| format!("TLS cannot be set up: {why}"))
    }
}

/// What bytes go over: TCP, or TLS over it.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Where the bytes go, and the target as it stands in the URL.
#[derive(Clone)]
pub(crate) struct Parts {
    host: String,
    port: u16,
    tls: bool,
    authority: String,
    target: String,
}

impl Parts {
    /// The name to ask for in a handshake; none for an address (RFC 6066 §3).
    pub(super) fn server_name(&self) -> Option<&str> {
        let address = self.host.parse::<std::net::IpAddr>().is_ok();
        (!address).then_some(self.host.as_str())
    }
}

/// Parts a URL without changing a byte of its target.
pub(crate) fn parts(url: &str) -> Result<Parts, String> {
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
    if request.header("accept-encoding").is_none() {
        bytes.extend_from_slice(b"Accept-Encoding: identity\r\n");
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

/// A connection to the server, or (for plain http) to the proxy, which then wants the whole URL.
pub(crate) async fn connect(parts: &mut Parts, way: &Way) -> Result<Box<dyn Stream>, String> {
    let tcp = reach(parts, way).await?;
    if !parts.tls {
        return Ok(Box::new(tcp));
    }
    match secure(tcp, parts, way).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(Insecure::NotSetUp(why)) => Err(why),
        Err(Insecure::Failed(error)) => Err(format!("TLS failed: {error}")),
    }
}

/// Why there is no TLS on a connection.
pub(super) enum Insecure {
    /// Ours: the settings, or a name that cannot be asked for.
    NotSetUp(String),
    /// The handshake failed.
    Failed(std::io::Error),
}

/// TLS over a connection that was made for it.
pub(super) async fn secure(
    tcp: TcpStream,
    parts: &Parts,
    way: &Way,
) -> Result<TlsStream<TcpStream>, Insecure> {
    let name = ServerName::try_from(parts.host.clone())
        .map_err(|_| Insecure::NotSetUp(format!("not a TLS server name: {}", parts.host)))?;
    let connector = way.tls().map_err(Insecure::NotSetUp)?;
    connector.connect(name, tcp).await.map_err(Insecure::Failed)
}

/// The connection alone, without TLS even where there is to be some.
pub(super) async fn reach(parts: &mut Parts, way: &Way) -> Result<TcpStream, String> {
    let network = &way.network;
    Ok(match network.proxy_for(&parts.host) {
        None => match network.address_of(&parts.host, parts.port) {
            Some(address) => dial(address).await?,
            None => dial((parts.host.as_str(), parts.port)).await?,
        },
        Some(proxy) => {
            let proxy = super::network::check_proxy(proxy)?;
            let host = proxy
                .host_str()
                .unwrap_or_default()
                .trim_matches(['[', ']']);
            let tcp = dial((host, proxy.port_or_known_default().unwrap_or(80)))
                .await
                .map_err(|why| format!("the proxy: {why}"))?;
            if parts.tls {
                tunnel(tcp, parts, &proxy).await?
            } else {
                parts.target = format!("http://{}{}", parts.authority, parts.target);
                tcp
            }
        }
    })
}

async fn dial(address: impl tokio::net::ToSocketAddrs) -> Result<TcpStream, String> {
    let tcp = TcpStream::connect(address)
        .await
        .map_err(|error| format!("cannot connect: {error}"))?;
    tcp.set_nodelay(true).ok();
    Ok(tcp)
}

/// CONNECT (RFC 9110 §9.3.6).
async fn tunnel(mut tcp: TcpStream, parts: &Parts, proxy: &Url) -> Result<TcpStream, String> {
    use base64::Engine as _;
    const LONGEST_HEAD: usize = 16 << 10;
    let host = if parts.host.contains(':') {
        format!("[{}]:{}", parts.host, parts.port)
    } else {
        format!("{}:{}", parts.host, parts.port)
    };
    let mut head =
        format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {USER_AGENT}\r\n");
    if !proxy.username().is_empty() {
        let pair = format!(
            "{}:{}",
            proxy.username(),
            proxy.password().unwrap_or_default()
        );
        let pair = base64::engine::general_purpose::STANDARD.encode(pair);
        head.push_str(&format!("Proxy-Authorization: Basic {pair}\r\n"));
    }
    head.push_str("\r\n");
    let broke = |error: std::io::Error| format!("the proxy broke off: {error}");
    tcp.write_all(head.as_bytes()).await.map_err(broke)?;
    let mut answer = Vec::new();
    // Byte by byte: nothing that belongs to the tunnel may be taken.
    while !answer.ends_with(b"\r\n\r\n") {
        let byte = tcp.read_u8().await.map_err(broke)?;
        answer.push(byte);
        if answer.len() > LONGEST_HEAD {
            return Err("the proxy's answer does not end".to_owned());
        }
    }
    let line = String::from_utf8_lossy(&answer);
    let line = line.lines().next().unwrap_or_default();
    match line.split(' ').nth(1) {
        Some(status) if status.starts_with('2') => Ok(tcp),
        _ => Err(format!("the proxy refused: {line}")),
    }
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
pub(super) async fn send(request: &Request, limits: Limits, way: &Way) -> Result<Reply, String> {
    let mut parts = parts(&request.url)?;
    let mut stream = connect(&mut parts, way).await?;
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
    way: &Arc<Way>,
) -> Vec<(Result<Reply, String>, Duration)> {
    let barrier = Arc::new(tokio::sync::Barrier::new(copies.max(1)));
    let tasks: Vec<_> = (0..copies)
        .map(|_| {
            let request = request.clone();
            let way = Arc::clone(way);
            let barrier = Arc::clone(&barrier);
            tokio::spawn(async move {
                let clock = Instant::now();
                let work = async {
                    let prepared = prepare(&request, &way).await;
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

async fn prepare(request: &Request, way: &Way) -> Result<(Box<dyn Stream>, Vec<u8>), String> {
    let mut parts = parts(&request.url)?;
    let mut stream = connect(&mut parts, way).await?;
    let mut bytes = encode(request, &parts);
    let last = bytes.split_off(bytes.len().saturating_sub(1));
    stream
        .write_all(&bytes)
        .await
        .map_err(|error| format!("cannot be sent: {error}"))?;
    Ok((stream, last))
}
