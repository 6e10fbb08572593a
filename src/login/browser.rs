//! A minimal user agent: cookies by host and path, pages, forms, redirects one by one.

use reqwest::cookie::{CookieStore as _, Jar};
use reqwest::header::HeaderValue;
use url::Url;

use crate::transport::{Recorded, Request, Transport};

/// One person's browser session.
#[derive(Default)]
pub struct Browser {
    jar: Jar,
}

impl Browser {
    /// A clean session.
    pub fn new() -> Browser {
        Browser::default()
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
        let Ok(reply) = &recorded.reply else {
            return;
        };
        let values: Vec<HeaderValue> = reply
            .all("set-cookie")
            .filter_map(|value| HeaderValue::from_bytes(value).ok())
            .collect();
        self.jar.set_cookies(&mut values.iter(), &url);
    }

    /// The cookies this session would send to a URL, for sending one request several times at once.
    pub fn cookies_for(&self, url: &str) -> Option<String> {
        let url = Url::parse(url).ok()?;
        let value = self.jar.cookies(&url)?;
        value.to_str().ok().map(str::to_owned)
    }
}
