//! Getting a user through login and consent.
//!
//! A [`Browser`] keeps cookies. [`follow`] takes an authorization request and lets the target's login
//! driver see it through: [`walk`] fills in HTML forms, [`api`] talks to a login's own API, [`chrome`]
//! drives a real browser, [`hook`] runs the user's command, [`manual`] asks a person. All of them stop
//! where the client waits, and none contacts a host that is not the target's.

pub mod api;
pub mod browser;
pub mod chrome;
pub mod form;
pub mod hook;
pub mod html;
pub mod manual;
pub mod walk;
mod webdriver;

use crate::targets::model::{Driver, Login, User};
use crate::transport::{Recorded, Request, Transport};

pub use browser::Browser;
pub use webdriver::is_here as browser_is_here;

/// One authorization request on its way.
#[derive(Clone, Copy)]
pub struct Visit<'a> {
    /// How requests leave.
    pub transport: &'a Transport,
    /// The session.
    pub browser: &'a Browser,
    /// What the target file says.
    pub login: &'a Login,
    /// Who logs in.
    pub user: Option<&'a User>,
    /// What the person does.
    pub will: Will,
    /// Whether an absolute URL is where the client waits.
    pub arrived: &'a (dyn Fn(&str) -> bool + Sync),
}

/// Where following an authorization request ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// A redirect that leaves the target's hosts, or leads to an expected redirect URI: the
    /// `Location` as sent. `post` holds the fields of a self-submitting form (`form_post`).
    Redirect {
        /// The `Location` value, or the form's action.
        location: Vec<u8>,
        /// Parameters posted by `response_mode=form_post`.
        post: Option<wire::form::Pairs>,
    },
    /// A page on which no login step fits.
    Page {
        /// Its status.
        status: u16,
        /// Its title, or the beginning of its text.
        about: String,
    },
    /// The server failed.
    ServerError(u16),
    /// The server asked for patience.
    Throttled(String),
    /// No answer.
    NoAnswer(String),
    /// The login does not get on: too many pages, the same page again and again, a step that cannot
    /// be done. Nothing follows from it about the server.
    Stuck(String),
}

/// What a person does on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Will {
    /// Log in and approve.
    Approve,
    /// Log in and deny.
    Deny,
    /// Do nothing at all.
    Nothing,
    /// Log in, and stop before pressing a button that could be denied.
    Hesitate,
}

impl Will {
    /// `approve` or `deny`, for a command.
    pub fn decision(self) -> &'static str {
        if self == Will::Deny {
            "deny"
        } else {
            "approve"
        }
    }
}

/// What was seen on the way.
#[derive(Default)]
pub struct Walk {
    /// Every exchange.
    pub log: Vec<Recorded>,
    /// The submission of the last page that offered to deny, as the approval would be sent.
    pub approval: Option<Request>,
    /// The same without its hidden fields.
    pub forged: Option<Request>,
    /// How many pages were answered.
    pub answered: usize,
    /// How many of them offered to deny (consent pages).
    pub consents: usize,
    /// The text of the pages, for checks on what the user was told.
    pub pages: Vec<String>,
    /// Page by page: what was there and what was done.
    pub seen: Vec<Seen>,
}

/// A page on the way.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its address.
    pub url: String,
    /// Its status; 0 when it is not known.
    pub status: u16,
    /// What a person could do there.
    pub page: html::Page,
    /// Which login step was carried out, counted from 0.
    pub step: Option<usize>,
    /// What was done, in words; no values.
    pub did: String,
}

/// Follows an authorization request to its end.
pub async fn follow(visit: &Visit<'_>, first: Request) -> (End, Walk) {
    match visit.login.driver {
        Driver::Form | Driver::None => walk::walk(visit, first).await,
        Driver::Tokens | Driver::Mint => (
            End::Stuck("the target file brings tokens, so nobody logs in".into()),
            Walk::default(),
        ),
        _ if visit.will == Will::Nothing => walk::look(visit, first).await,
        Driver::Json => api::follow(visit, first).await,
        Driver::Browser => chrome::follow(visit, first).await,
        Driver::Hook => hook::follow(visit, first).await,
        Driver::Manual => manual::follow(visit, first).await,
    }
}

/// Whether a page of the server stands at the end of the redirects, which a person could answer.
/// Anything else (an error, a redirect to the client) needs no person and is the result.
async fn asks_somebody(visit: &Visit<'_>, first: &Request) -> Result<Walk, (End, Walk)> {
    // A request_uri may be good for one visit only (RFC 9126 §7.3).
    if first.url.contains("request_uri=") || visit.browser.is_known() {
        return Ok(Walk::default());
    }
    let (end, walk) = walk::look(visit, first.clone()).await;
    match end {
        End::Page { status, .. } if status < 400 => Ok(walk),
        _ => Err((end, walk)),
    }
}

/// Makes a request look as if another site's page had sent it.
pub fn from_another_site(request: &mut Request) {
    request.set("Origin", "https://attacker.example");
    request.set("Referer", "https://attacker.example/");
    if request.header("sec-fetch-site").is_some() {
        request.set("Sec-Fetch-Site", "cross-site");
    }
}

/// `$user.FIELD` becomes the user's value; anything else stands for itself.
fn user_value(value: &str, user: Option<&User>) -> Option<String> {
    let Some(name) = value.strip_prefix("$user.") else {
        return Some(value.to_owned());
    };
    user?
        .fields
        .iter()
        .find(|(field, _)| field == name)
        .map(|(_, value)| value.clone())
}

/// The word in place of a value that a command tells.
const HOOK_VALUE: &str = "$hook";

/// The value to fill in: the user's, a literal, or what the hook prints.
async fn value(
    visit: &Visit<'_>,
    field: &str,
    value: &str,
    page_url: &str,
) -> Result<String, String> {
    if value == HOOK_VALUE {
        return hook::tell(visit, field, page_url).await;
    }
    user_value(value, visit.user).ok_or_else(|| format!("the user has no `{value}`"))
}
