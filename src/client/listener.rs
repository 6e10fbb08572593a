//! Our own listener on loopback: what the server fetches from it is evidence.
//!
//! It serves the harness's key set, what a case has published, and redirects, and counts every path asked for. "No hit" means
//! something only after a positive hit on the same listener.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    pages: Pages,
    tasks: Vec<JoinHandle<()>>,
}

/// What is published, by path.
type Pages = Arc<Mutex<HashMap<String, Page>>>;

/// Something a case publishes.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The status; 200 when none is given.
    pub status: Option<u16>,
    /// The `Content-Type`; without one there is no such header.
    pub content_type: Option<String>,
    /// Where it redirects to.
    pub location: Option<String>,
    /// The body.
    pub body: String,
}

impl Page {
    fn answer(&self) -> String {
        let mut head = format!("HTTP/1.1 {} Published\r\n", self.status.unwrap_or(200));
        for (name, value) in [
            ("Content-Type", &self.content_type),
            ("Location", &self.location),
        ] {
            if let Some(value) = value {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        format!(
            "{head}Content-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n{}",
            self.body.len(),
            self.body
        )
    }
}

fn published(pages: &Pages) -> MutexGuard<'_, HashMap<String, Page>> {
    pages.lock().unwrap_or_else(PoisonError::into_inner)
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
            pages: Pages::default(),
            tasks: Vec::new(),
        };
        let home = url.clone();
        listener.tasks.push(serve(
            main,
            url,
            jwks.clone(),
            home.clone(),
            Arc::clone(&hits),
            Arc::clone(&listener.pages),
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
                Arc::clone(&listener.pages),
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
            "canary_userinfo" => {
                let rest = self.url.strip_prefix("http://")?;
                return Some(format!("http://user@{rest}/canary/{scene}"));
            }
            "canary_v6" => (self.v6.as_ref()?, "canary"),
            "canary_alias" => (self.alias.as_ref()?, "canary"),
            _ => return None,
        };
        Some(format!("{base}/{path}/{scene}"))
    }

    /// Serves a page at a URL of the listener, in place of what was there.
    pub fn publish(&self, url: &str, page: Page) {
        let path = url.strip_prefix(&self.url).unwrap_or(url);
        let path = path.split(['?', '#']).next().unwrap_or_default();
        published(&self.pages).insert(path.to_owned(), page);
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
    pages: Pages,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            let (url, jwks, home) = (url.clone(), jwks.clone(), home.clone());
            let (hits, pages) = (Arc::clone(&hits), Arc::clone(&pages));
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
                let page = published(&pages)
                    .get(path.split('?').next().unwrap_or_default())
                    .map(Page::answer);
                let answer = if let Some(page) = page {
                    page
                } else if path.starts_with("/jwks") {
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
