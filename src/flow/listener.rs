//! Our own listener on loopback: what the server fetches from it is evidence.
//!
//! It serves the harness's key set and redirects, and counts every path asked for. "No hit" means
//! something only after a positive hit on the same listener.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running listener; dropped, it stops.
pub struct Listener {
    url: String,
    v6: Option<String>,
    alias: Option<String>,
    hits: Arc<Mutex<Vec<String>>>,
    tasks: Vec<JoinHandle<()>>,
}

/// Hits remembered; a server that hammers us gains nothing.
const MOST_HITS: usize = 10_000;

impl Listener {
    /// Listens on 127.0.0.1, and on 127.0.0.2 and ::1 where the machine has them.
    ///
    /// # Errors
    /// When loopback cannot be bound.
    pub async fn start(jwks: String) -> std::io::Result<Listener> {
        let hits = Arc::new(Mutex::new(Vec::new()));
        let main = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", main.local_addr()?);
        let mut listener = Listener {
            url: url.clone(),
            v6: None,
            alias: None,
            hits: Arc::clone(&hits),
            tasks: Vec::new(),
        };
        let home = url.clone();
        listener.tasks.push(serve(
            main,
            url,
            jwks.clone(),
            home.clone(),
            Arc::clone(&hits),
        ));
        for (address, slot) in [
            ("[::1]:0", &mut listener.v6),
            ("127.0.0.2:0", &mut listener.alias),
        ] {
            let Ok(socket) = TcpListener::bind(address).await else {
                continue;
            };
            let url = format!("http://{}", socket.local_addr()?);
            *slot = Some(url.clone());
            listener.tasks.push(serve(
                socket,
                url,
                jwks.clone(),
                home.clone(),
                Arc::clone(&hits),
            ));
        }
        Ok(listener)
    }

    /// What `$listener.FIELD` stands for in the scene of this id, whose traffic is told from that
    /// of others by the last path segment.
    pub fn field(&self, name: &str, scene: &str) -> Option<String> {
        let (base, path) = match name {
            "url" => return Some(self.url.clone()),
            "canary" | "redirect" | "jwks" => (&self.url, name),
            "canary_v6" => (self.v6.as_ref()?, "canary"),
            "canary_alias" => (self.alias.as_ref()?, "canary"),
            _ => return None,
        };
        Some(format!("{base}/{path}/{scene}"))
    }

    /// The authority of the listener, for the allow-list.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Every absolute URL asked for by the scene of this id, in order.
    pub fn hits(&self, scene: &str) -> Vec<String> {
        let hits = match self.hits.lock() {
            Ok(hits) => hits,
            Err(poisoned) => poisoned.into_inner(),
        };
        hits.iter()
            .filter(|hit| hit.contains(scene))
            .cloned()
            .collect()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn serve(
    socket: TcpListener,
    url: String,
    jwks: String,
    home: String,
    hits: Arc<Mutex<Vec<String>>>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            let (url, jwks, home, hits) =
                (url.clone(), jwks.clone(), home.clone(), Arc::clone(&hits));
            tokio::spawn(async move {
                let mut bytes = vec![0_u8; 8192];
                let read = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut bytes));
                let Ok(Ok(got)) = read.await else { return };
                let text =
                    String::from_utf8_lossy(bytes.get(..got).unwrap_or_default()).into_owned();
                let path = text
                    .split_whitespace()
                    .nth(1)
                    .unwrap_or_default()
                    .to_owned();
                if let Ok(mut hits) = hits.lock()
                    && hits.len() < MOST_HITS
                {
                    hits.push(format!("{url}{path}"));
                }
                let answer = if path.starts_with("/jwks") {
                    format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{jwks}",
                        jwks.len()
                    )
                } else if path.starts_with("/redirect") {
                    let scene = path.rsplit('/').next().unwrap_or_default();
                    format!(
                        "HTTP/1.1 302 Found\r\nLocation: {home}/canary/{scene}?redirected\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    )
                } else {
                    "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                        .to_owned()
                };
                stream.write_all(answer.as_bytes()).await.ok();
                stream.shutdown().await.ok();
            });
        }
    })
}
