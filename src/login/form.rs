//! The `form` driver: on every page the first login step that fits is carried out.

use crate::login::Browser;
use crate::login::html::{self, Form, Page};
use crate::target::model::{Driver, Login, LoginStep, User};
use crate::transport::{Recorded, Reply, Request, Transport};

/// Pages and redirects after which a login is going in circles.
const MOST_HOPS: usize = 25;

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
    /// Too many pages, or the same page again and again.
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
}

/// Follows an authorization request to its end.
///
/// `arrived` says whether an absolute URL is where the client waits.
pub async fn follow(
    transport: &Transport,
    browser: &Browser,
    login: &Login,
    user: Option<&User>,
    will: Will,
    first: Request,
    arrived: &(dyn Fn(&str) -> bool + Sync),
) -> (End, Walk) {
    let mut walk = Walk::default();
    let mut request = first;
    for _ in 0..MOST_HOPS {
        let recorded = browser.send(transport, request.clone()).await;
        let reply = recorded.reply.clone();
        walk.log.push(recorded);
        let reply = match reply {
            Ok(reply) => reply,
            Err(reason) => return (End::NoAnswer(reason), walk),
        };
        if let Some(end) = stop(&reply) {
            return (end, walk);
        }
        if let Some(location) = reply
            .header_bytes("location")
            .filter(|_| reply.is_redirect())
        {
            match next_hop(transport, &request, location, reply.status, arrived) {
                Some(next) => request = next,
                None => {
                    let location = location.to_vec();
                    return (
                        End::Redirect {
                            location,
                            post: None,
                        },
                        walk,
                    );
                }
            }
            continue;
        }
        let text = reply.text();
        let page = html::read(&text, &request.url);
        walk.pages.push(text);
        if let Some(end) = self_submitting(transport, &page, arrived) {
            return (end, walk);
        }
        let chosen = if will == Will::Nothing || login.driver == Driver::None {
            None
        } else {
            choose(&page, login, user)
        };
        let Some((form, step)) = chosen else {
            if let Some(next) = link(&page, login).filter(|_| will != Will::Nothing) {
                request = Request::get(next);
                continue;
            }
            let about = about(&page, &reply);
            return (
                End::Page {
                    status: reply.status,
                    about,
                },
                walk,
            );
        };
        let asks = step.deny.is_some();
        if asks {
            walk.consents += 1;
            walk.approval = Some(submission(form, step, user, false, true));
            walk.forged = Some(submission(form, step, user, false, false));
            if will == Will::Hesitate {
                return (
                    End::Page {
                        status: reply.status,
                        about: "the consent page".into(),
                    },
                    walk,
                );
            }
        }
        walk.answered += 1;
        request = submission(form, step, user, asks && will == Will::Deny, true);
        request.set("Origin", origin_of(&request.url));
    }
    let pages = walk.log.len();
    (
        End::Stuck(format!(
            "{pages} pages and redirects without reaching the redirect URI"
        )),
        walk,
    )
}

fn stop(reply: &Reply) -> Option<End> {
    if reply.status == 429 || (reply.status == 503 && reply.header("retry-after").is_some()) {
        return Some(End::Throttled(format!("answered {}", reply.status)));
    }
    (reply.status >= 500).then_some(End::ServerError(reply.status))
}

/// The next request after a redirect, or `None` when it leads to the client or off the target.
fn next_hop(
    transport: &Transport,
    from: &Request,
    location: &[u8],
    status: u16,
    arrived: &(dyn Fn(&str) -> bool + Sync),
) -> Option<Request> {
    let read = wire::location::read(location, Some(&from.url));
    let text = String::from_utf8_lossy(location).into_owned();
    if arrived(&text) {
        return None;
    }
    let absolute = url::Url::parse(&from.url).ok()?.join(&text).ok()?;
    if read.browser.is_none()
        || arrived(absolute.as_str())
        || !transport.allow().contains(&absolute)
    {
        return None;
    }
    if matches!(status, 307 | 308) {
        let mut next = from.clone();
        next.url = absolute.to_string();
        return Some(next);
    }
    Some(Request::get(absolute.to_string()))
}

/// A page that posts itself to the client (`response_mode=form_post`), or a meta refresh there.
fn self_submitting(
    transport: &Transport,
    page: &Page,
    arrived: &(dyn Fn(&str) -> bool + Sync),
) -> Option<End> {
    let leaves = |url: &str| {
        arrived(url)
            || url::Url::parse(url).is_ok_and(|parsed| !transport.allow().contains(&parsed))
    };
    if let Some(refresh) = page.refresh.as_ref().filter(|url| leaves(url)) {
        return Some(End::Redirect {
            location: refresh.clone().into_bytes(),
            post: None,
        });
    }
    let form = page.forms.iter().find(|form| leaves(&form.action))?;
    let mut post = wire::form::Pairs::new();
    for field in &form.fields {
        post.push(&field.name, &field.value);
    }
    Some(End::Redirect {
        location: form.action.clone().into_bytes(),
        post: Some(post),
    })
}

/// The first login step that fits a form of this page.
fn choose<'a>(
    page: &'a Page,
    login: &'a Login,
    user: Option<&User>,
) -> Option<(&'a Form, &'a LoginStep)> {
    login.steps.iter().find_map(|step| {
        page.forms
            .iter()
            .find(|form| fits(form, step, user))
            .map(|form| (form, step))
    })
}

fn fits(form: &Form, step: &LoginStep, user: Option<&User>) -> bool {
    let fields = step
        .fill
        .iter()
        .all(|(name, value)| field(form, name).is_some() && fill_value(value, user).is_some());
    let button = step
        .press
        .as_ref()
        .is_none_or(|press| button(form, press).is_some());
    let nothing = step.fill.is_empty() && step.press.is_none();
    fields && button && !nothing
}

/// A field by its name, else by its label.
fn field<'a>(form: &'a Form, name: &str) -> Option<&'a str> {
    form.fields
        .iter()
        .find(|field| field.name == name)
        .or_else(|| {
            form.fields
                .iter()
                .find(|field| field.kind != "hidden" && field.label.eq_ignore_ascii_case(name))
        })
        .map(|field| field.name.as_str())
}

/// A button by text, `name=value`, or name.
fn button<'a>(form: &'a Form, press: &str) -> Option<&'a html::Button> {
    form.buttons
        .iter()
        .find(|button| button.text.eq_ignore_ascii_case(press))
        .or_else(|| {
            let (name, value) = press.split_once('=')?;
            form.buttons
                .iter()
                .find(|button| button.name == name && button.value == value)
        })
        .or_else(|| {
            form.buttons
                .iter()
                .find(|button| !press.is_empty() && button.name == press)
        })
}

/// `$user.FIELD` becomes the user's value; anything else stands for itself.
fn fill_value(value: &str, user: Option<&User>) -> Option<String> {
    let Some(name) = value.strip_prefix("$user.") else {
        return Some(value.to_owned());
    };
    user?
        .fields
        .iter()
        .find(|(field, _)| field == name)
        .map(|(_, value)| value.clone())
}

/// What the browser sends when the step's button is pressed.
fn submission(
    form: &Form,
    step: &LoginStep,
    user: Option<&User>,
    deny: bool,
    hidden: bool,
) -> Request {
    let press = match (&step.deny, &step.press) {
        (Some(refuse), _) if deny => Some(refuse),
        (_, press) => press.as_ref(),
    };
    let filled: Vec<(&str, String)> = step
        .fill
        .iter()
        .filter_map(|(name, value)| Some((field(form, name)?, fill_value(value, user)?)))
        .collect();
    let mut pairs = wire::form::Pairs::new();
    for own in &form.fields {
        if let Some((_, value)) = filled.iter().find(|(name, _)| *name == own.name) {
            pairs.push(&own.name, value);
        } else if own.active && (hidden || own.kind != "hidden") {
            pairs.push(&own.name, &own.value);
        }
    }
    let pressed = press.and_then(|press| button(form, press));
    if let Some(button) = pressed.filter(|button| !button.name.is_empty()) {
        pairs.push(&button.name, &button.value);
    }
    let action = pressed
        .and_then(|button| button.action.clone())
        .unwrap_or_else(|| form.action.clone());
    let encoded = pairs.encode();
    if form.method == "POST" {
        Request::post(action, "application/x-www-form-urlencoded", encoded)
    } else {
        let base = action
            .split(['?', '#'])
            .next()
            .unwrap_or_default()
            .to_owned();
        Request::get(format!("{base}?{}", String::from_utf8_lossy(&encoded)))
    }
}

fn link(page: &Page, login: &Login) -> Option<String> {
    login.steps.iter().find_map(|step| {
        let wanted = step.link.as_ref()?;
        page.links
            .iter()
            .find(|(text, _)| text.eq_ignore_ascii_case(wanted))
            .map(|(_, url)| url.clone())
    })
}

fn about(page: &Page, reply: &Reply) -> String {
    if page.title.is_empty() {
        reply.text().chars().take(120).collect()
    } else {
        page.title.clone()
    }
}

fn origin_of(url: &str) -> String {
    url::Url::parse(url).map_or_else(|_| "null".into(), |url| url.origin().ascii_serialization())
}
