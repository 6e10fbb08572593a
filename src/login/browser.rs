//! A minimal user agent: cookies by host and path, pages, forms, redirects one by one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use reqwest::cookie::{CookieStore as _, Jar};
use reqwest::header::HeaderValue;
use url::Url;

use crate::transport::{Recorded, Request, Transport};

/// Cookies kept in a session, and bytes of one: what browsers keep of one host. More is ignored.
const MOST_COOKIES: usize = 180;
const LONGEST_COOKIE: usize = 4096;

/// One person's browser session.
#[derive(Default)]
pub struct Browser {
    jar: Jar,
    /// Names of cookies that say SameSite Lax or Strict: they do not go along with a cross-site post.
    same_site: Mutex<BTreeSet<String>>,
    /// The cookies of the real browser, when one carries this session.
    pub(super) chrome: Mutex<Option<serde_json::Value>>,
    /// Whether somebody has been here in this session.
    known: AtomicBool,
    /// The names of the cookies that are kept.
    names: Mutex<BTreeSet<Vec<u8>>>,
}

impl Browser {
    /// A clean session.
    pub fn new() -> Browser {
        Browser::default()
    }

    /// Whether a login was carried out in this session.
    pub fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    /// Remembers that a login was carried out.
    pub fn make_known(&self) {
        self.known.store(true, Ordering::Relaxed);
    }

    /// Sends a request with this session's cookies and keeps the ones that come back.
    pub async fn send(&self, transport: &Transport, mut request: Request) -> Recorded {
        let url = Url::parse(&request.url).ok();
        if let Some(cookies) = url.as_ref().and_then(|url| self.jar.cookies(url))
            && let Ok(text) = cookies.to_str()
        {
            request.set("Cookie", text);
        }
        if request.header("accept").is_none() {
            request.set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        }
        let recorded = transport.send(request).await;
        self.keep(&recorded);
        recorded
    }

    /// Keeps the cookies of an answer.
    pub fn keep(&self, recorded: &Recorded) {
        let Ok(url) = Url::parse(&recorded.request.url) else {
            return;
        };
        if let Ok(reply) = &recorded.reply {
            self.keep_from(&url, reply);
        }
    }

    /// Keeps the cookies of an answer that came from this URL.
    pub fn keep_from(&self, url: &Url, reply: &crate::transport::Reply) {
        if reply.header_bytes("set-cookie").is_none() {
            return;
        }
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let taken: Vec<&[u8]> = reply
            .all("set-cookie")
            .filter(|value| value.len() <= LONGEST_COOKIE)
            .filter(|value| {
                let name = value.split(|byte| *byte == b'=').next().unwrap_or_default();
                let known = names.contains(name);
                known || (names.len() < MOST_COOKIES && names.insert(name.to_vec()))
            })
            .collect();
        let values: Vec<HeaderValue> = taken
            .iter()
            .filter_map(|value| HeaderValue::from_bytes(value).ok())
            .collect();
        let mut same_site = self
            .same_site
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for cookie in taken.into_iter().filter_map(wire::cookie::parse_set_cookie) {
            let name = String::from_utf8_lossy(&cookie.name).into_owned();
            match cookie.same_site {
                Some(wire::cookie::SameSite::Lax | wire::cookie::SameSite::Strict) => {
                    same_site.insert(name)
                }
                _ => same_site.remove(&name),
            };
        }
        self.jar.set_cookies(&mut values.iter(), url);
    }

    /// The cookies that a post from another site would carry.
    pub fn cross_site_cookies_for(&self, url: &str) -> Option<String> {
        let same_site = self
            .same_site
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let all = self.cookies_for(url)?;
        let kept: Vec<&str> = all
            .split(';')
            .map(str::trim)
            .filter(|cookie| {
                let name = cookie.split('=').next().unwrap_or_default();
                !same_site.contains(name)
            })
            .collect();
        (!kept.is_empty()).then(|| kept.join("; "))
    }

    /// The cookies this session would send to a URL, for sending one request several times at once.
    pub fn cookies_for(&self, url: &str) -> Option<String> {
        let url = Url::parse(url).ok()?;
        let value = self.jar.cookies(&url)?;
        value.to_str().ok().map(str::to_owned)
    }
}
