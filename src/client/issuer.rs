//! The issuer that oauthspec plays for a resource server: its metadata (RFC 8414) and its key set (RFC 7517), on loopback.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

/// Requests read up to here; a GET without a body is much shorter.
const MOST: usize = 8192;

/// Served documents; dropped, they are gone.
pub struct Issuer {
    task: JoinHandle<()>,
}

impl Issuer {
    /// Serves the documents of `issuer`, an http URL on loopback, at its port. `/jwks` below it is the key set; its two well-known
    /// places have the metadata.
    ///
    /// # Errors
    /// The port cannot be had.
    pub async fn serve(issuer: &str, jwks: &Value) -> std::io::Result<Issuer> {
        let url = Url::parse(issuer).map_err(std::io::Error::other)?;
        let host = match url.host_str() {
            Some("localhost") | None => "127.0.0.1",
            Some(host) => host,
        };
        let port = url.port_or_known_default().unwrap_or(80);
        let socket = TcpListener::bind(format!("{host}:{port}")).await?;
        let base = issuer.trim_end_matches('/');
        let metadata = json!({
            "issuer": issuer,
            "jwks_uri": format!("{base}/jwks"),
            // Required members; nobody is served there.
            "authorization_endpoint": format!("{base}/authorize"),
            "token_endpoint": format!("{base}/token"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
        .to_string();
        let jwks = jwks.to_string();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = socket.accept().await {
                let (metadata, jwks) = (metadata.clone(), jwks.clone());
                tokio::spawn(async move {
                    let mut bytes = vec![0_u8; MOST];
                    let read =
                        tokio::time::timeout(Duration::from_secs(2), stream.read(&mut bytes));
                    let Ok(Ok(got)) = read.await else { return };
                    let text = String::from_utf8_lossy(bytes.get(..got).unwrap_or_default());
                    let path = text.split_whitespace().nth(1).unwrap_or_default();
                    let (status, body) = if path.ends_with("/jwks") {
                        ("200 OK", jwks.as_str())
                    } else if path.contains("/.well-known/o") {
                        ("200 OK", metadata.as_str())
                    } else {
                        ("404 Not Found", "{}")
                    };
                    let answer = format!(
                        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                        body.len()
                    );
                    stream.write_all(answer.as_bytes()).await.ok();
                    stream.shutdown().await.ok();
                });
            }
        });
        Ok(Issuer { task })
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
