//! The ordinary transport: reqwest, no redirects, nothing sent twice.

use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};

use super::{Limits, Network, Reply, Request, USER_AGENT};

/// How long a stream of events is listened to: it has no end, and what is sent at once is what counts.
const STREAM: Duration = Duration::from_secs(2);

/// Two clients: one that reuses connections for reads, one that never does for everything else,
/// because a request on a reused connection may be resent by the library, and a code must be
/// redeemed exactly once.
pub(super) struct Http {
    reading: reqwest::Client,
    writing: reqwest::Client,
}

impl Http {
    pub(super) fn new(limits: Limits, network: &Network) -> Result<Http, String> {
        let alpn: &[&[u8]] = if network.http1_only {
            &[b"http/1.1"]
        } else {
            &[b"h2", b"http/1.1"]
        };
        let tls = network.tls(alpn)?;
        let mut identity = HeaderMap::new();
        identity.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let builder = || {
            let ways = network.clone();
            let mut builder = reqwest::Client::builder()
                .user_agent(USER_AGENT)
                .default_headers(identity.clone())
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .referer(false)
                .tls_backend_preconfigured(tls.clone())
                .connect_timeout(limits.timeout.min(Duration::from_secs(5)));
            if network.proxy.is_some() {
                builder = builder.proxy(reqwest::Proxy::custom(move |url| {
                    ways.proxy_for(url.host_str()?).map(str::to_owned)
                }));
            }
            for (host, address) in &network.resolve {
                builder = builder.resolve(host, *address);
            }
            builder
        };
        let built =
            |builder: reqwest::ClientBuilder| builder.build().map_err(|error| error.to_string());
        Ok(Http {
            reading: built(builder())?,
            writing: built(builder().pool_max_idle_per_host(0))?,
        })
    }

    pub(super) async fn send(&self, request: &Request, limits: Limits) -> Result<Reply, String> {
        let method = reqwest::Method::from_bytes(request.method.as_bytes())
            .map_err(|_| format!("not a method: {}", request.method))?;
        let client = if matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS") {
            &self.reading
        } else {
            &self.writing
        };
        let mut builder = client.request(method, &request.url);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if !request.body.is_empty() || request.method == "POST" {
            builder = builder.body(request.body.clone());
        }
        let mut response = builder.send().await.map_err(|error| reason(&error))?;
        let head: usize = response
            .headers()
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 4)
            .sum();
        if head > limits.head {
            return Err(format!(
                "its header section has {head} bytes, more than the {} that are taken",
                limits.head
            ));
        }
        let mut reply = Reply {
            status: response.status().as_u16(),
            headers: response
                .headers()
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
                .collect(),
            ..Reply::default()
        };
        let streams = request.method == "GET" && reply.media_type() == "text/event-stream";
        let until = tokio::time::Instant::now() + STREAM;
        loop {
            let next = match streams {
                true => tokio::time::timeout_at(until, response.chunk()).await,
                false => Ok(response.chunk().await),
            };
            let Ok(next) = next else {
                reply.truncated = true;
                break;
            };
            let chunk = match next {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                // A server that refuses a request it has not read to the end resets the connection
                // behind its answer: the refusal counts, its missing body does not.
                Err(error) if reply.status >= 400 && !error.is_timeout() => break,
                Err(error) => return Err(reason(&error)),
            };
            let room = limits.body.saturating_sub(reply.body.len());
            reply.body.extend(chunk.iter().take(room));
            if chunk.len() > room {
                reply.truncated = true;
                break;
            }
        }
        Ok(reply)
    }
}

/// The innermost cause, which is what a person can act on.
fn reason(error: &reqwest::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let kind = if error.is_connect() {
        "cannot connect"
    } else if error.is_timeout() {
        "timed out"
    } else if error.is_builder() {
        "cannot be sent"
    } else {
        "the answer broke off"
    };
    format!("{kind}: {deepest}")
}
