//! What this server fetches: a client's `jwks_uri`, when something of that client has to be verified, and never before; and the document
//! behind a client_id that is a URL.
//!
//! Allowed is plain http to 127.0.0.1 with a port, the exemption for development this server declares. Everything else is refused: other loopback
//! addresses, `localhost`, private and link-local ones, and https too, since this server carries no TLS. Faults widen this, but never beyond
//! loopback: a test server must not reach out of the machine, broken or not.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use url::{Host, Url};

use crate::{App, Fault};

const TIMEOUT: Duration = Duration::from_secs(2);
const MAX_BYTES: u64 = 64 * 1024;

/// Why nothing was fetched; for `error_description`.
pub(crate) type Refused = &'static str;

/// Where a URL may be fetched from. `anywhere` is what a careless server allows: still loopback only.
fn address(url: &Url, anywhere: bool) -> Result<SocketAddr, Refused> {
    if url.scheme() != "http" {
        return Err("only http on 127.0.0.1 can be fetched by this server");
    }
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
        Some(Host::Domain("localhost")) if anywhere => IpAddr::V4(Ipv4Addr::LOCALHOST),
        _ => return Err("the host is not fetched from"),
    };
    let exempt = ip == IpAddr::V4(Ipv4Addr::LOCALHOST) && url.port().is_some();
    if exempt || (anywhere && ip.is_loopback()) {
        return Ok(SocketAddr::new(ip, url.port().unwrap_or(80)));
    }
    Err("special-use addresses are not fetched from")
}

/// Fetches what a client has registered, by the rules.
pub(crate) async fn registered(app: &App, url: &str) -> Result<Vec<u8>, Refused> {
    if app.offline {
        return Err("nobody answers there");
    }
    follow(
        url,
        app.broken(Fault::FetchSpecialUse),
        app.broken(Fault::FetchRedirects),
    )
    .await
    .map_err(Failure::words)
}

/// The most that is read of a Client ID Metadata Document (draft-ietf-oauth-client-id-metadata-document-02 §8.7).
const MAX_DOCUMENT: usize = 5 * 1024;

/// Fetches a Client ID Metadata Document, by the same rules and its own.
pub(crate) async fn document(app: &App, url: &str) -> Result<Vec<u8>, Refused> {
    let anywhere = app.broken(Fault::CimdSpecialUse);
    let redirects = app.broken(Fault::CimdRedirected);
    let answer = follow(url, anywhere, redirects).await;
    let body = match answer {
        Err(Failure::Status(body)) if app.broken(Fault::CimdStatusIgnored) => body,
        other => other.map_err(Failure::words)?,
    };
    if body.len() > MAX_DOCUMENT && !app.broken(Fault::CimdSizeUnlimited) {
        return Err("the document is bigger than 5 KB");
    }
    Ok(body)
}

/// Why a fetch failed.
enum Failure {
    Refused(Refused),
    /// An answer that is not 200, with its body.
    Status(Vec<u8>),
}

impl Failure {
    fn words(self) -> Refused {
        match self {
            Failure::Refused(why) => why,
            Failure::Status(_) => "the answer's status is not 200",
        }
    }
}

impl From<Refused> for Failure {
    fn from(why: Refused) -> Failure {
        Failure::Refused(why)
    }
}

/// Fetches without asking any rule, the way the faults do.
pub(crate) async fn carelessly(url: &str) -> Result<Vec<u8>, Refused> {
    follow(url, true, true).await.map_err(Failure::words)
}

async fn follow(url: &str, anywhere: bool, redirects: bool) -> Result<Vec<u8>, Failure> {
    let mut url = Url::parse(url).map_err(|_| "the URL is not valid")?;
    for hop in 0..4 {
        // A redirect that is followed at all leads anywhere: nobody looks again.
        let address = address(&url, anywhere || hop > 0)?;
        let answer = tokio::time::timeout(TIMEOUT, get(&url, address))
            .await
            .map_err(|_| "the fetch took too long")??;
        let (status, location, body) = read(&answer).ok_or("the answer is not HTTP")?;
        match status {
            200 => return Ok(body.to_vec()),
            301..=308 if redirects => {
                url = location
                    .and_then(|location| url.join(&location).ok())
                    .ok_or("a redirect without a target")?;
            }
            _ => return Err(Failure::Status(body.to_vec())),
        }
    }
    Err(Failure::Refused("too many redirects"))
}

/// HTTP/1.0, so that the answer ends with the connection and comes in one piece.
async fn get(url: &Url, address: SocketAddr) -> Result<Vec<u8>, Refused> {
    let query = url
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let request = format!(
        "GET {}{query} HTTP/1.0\r\nHost: {address}\r\nAccept: application/json\r\n\r\n",
        url.path()
    );
    let mut stream = TcpStream::connect(address)
        .await
        .map_err(|_| "nobody answers there")?;
    stream
        .write_all(request.as_bytes())
        .await
        .map_err(|_| "the connection broke")?;
    let mut answer = Vec::new();
    stream
        .take(MAX_BYTES + 1)
        .read_to_end(&mut answer)
        .await
        .map_err(|_| "the connection broke")?;
    if answer.len() as u64 > MAX_BYTES {
        Err("the answer is too big")
    } else {
        Ok(answer)
    }
}

/// Status, Location and body.
fn read(answer: &[u8]) -> Option<(u16, Option<String>, &[u8])> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()?
        .strip_prefix("HTTP/1.")?
        .get(2..5)?
        .parse()
        .ok()?;
    let location = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("location"));
    Some((
        status,
        location.map(|(_, value)| value.trim().to_owned()),
        answer.get(end + 4..)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_declared_exemption_is_fetched_from() {
        let allowed = |url: &str| address(&Url::parse(url).unwrap(), false).is_ok();
        assert!(allowed("http://127.0.0.1:8080/jwks"));
        for url in [
            "http://127.0.0.1/jwks",
            "http://127.0.0.2:8080/jwks",
            "http://[::1]:8080/jwks",
            "http://[::ffff:127.0.0.1]:8080/jwks",
            "http://localhost:8080/jwks",
            "http://169.254.169.254/latest",
            "http://10.0.0.1:8080/jwks",
            "https://127.0.0.1:8080/jwks",
            "file:///etc/passwd",
        ] {
            assert!(!allowed(url), "{url}");
        }
    }

    #[test]
    fn even_a_careless_fetch_stays_on_this_machine() {
        for url in [
            "http://169.254.169.254/latest",
            "http://10.0.0.1:8080/",
            "http://example.com/",
            "https://127.0.0.1/",
        ] {
            assert!(address(&Url::parse(url).unwrap(), true).is_err(), "{url}");
        }
    }
}
