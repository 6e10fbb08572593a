//! The `json` driver: a login whose pages are a program that talks to an API. The steps are its requests,
//! in order: post this, keep that member of the answer, and at last open the address it names.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use crate::login::{End, HOOK_VALUE, Seen, Visit, Walk, Will, hook, html, walk};
use crate::targets::model::Call;
use crate::transport::redact::excerpt;
use crate::transport::{Recorded, Reply, Request};

/// Follows an authorization request to the page where the API takes over, and carries out the calls.
pub(super) async fn follow(visit: &Visit<'_>, first: Request) -> (End, Walk) {
    let (end, mut all) = walk::look(visit, first.clone()).await;
    match &end {
        End::Page { status, .. } if *status < 400 => {}
        _ => return (end, all),
    }
    let page = all.log.last().map(|last| last.request.url.clone());
    let mut names = Names {
        visit,
        page: page.and_then(|page| Url::parse(&page).ok()),
        taken: BTreeMap::new(),
    };
    let calls = visit.login.steps.iter().enumerate();
    for (number, call) in calls.filter_map(|(at, step)| Some((at, step.call.as_ref()?))) {
        let asks = call.deny_body.is_some();
        if asks {
            all.consents += 1;
            if visit.will == Will::Hesitate {
                let about = "the request that approves".to_owned();
                return (End::Page { status: 200, about }, all);
            }
        }
        let request = match names.request(call, asks && visit.will == Will::Deny).await {
            Ok(request) => request,
            Err(why) => return (End::Stuck(format!("step {}: {why}", number + 1)), all),
        };
        all.answered += 1;
        if call.method == "OPEN" {
            let (end, more) = walk::look(visit, request).await;
            names.page = more
                .log
                .last()
                .and_then(|last| Url::parse(&last.request.url).ok());
            all.log.extend(more.log);
            all.seen.extend(more.seen);
            if !matches!(&end, End::Page { status, .. } if *status < 400) {
                return (end, all);
            }
            continue;
        }
        let recorded = visit.browser.send(visit.transport, request).await;
        match read(visit, &recorded, call, number, &mut names.taken) {
            Ok(None) => all.note(recorded, number, call),
            Ok(Some(next)) => {
                all.note(recorded, number, call);
                let (end, more) = walk::look(visit, next).await;
                all.log.extend(more.log);
                if !matches!(end, End::Page { .. }) {
                    return (end, all);
                }
            }
            Err(end) => {
                all.note(recorded, number, call);
                return (end, all);
            }
        }
    }
    // Nothing led on: a server that waits for the session to be there is asked once more.
    let (end, more) = walk::look(visit, first).await;
    all.log.extend(more.log);
    (end, all)
}

impl Walk {
    fn note(&mut self, recorded: Recorded, number: usize, call: &Call) {
        let status = recorded.reply.as_ref().map_or(0, |reply| reply.status);
        if let Ok(reply) = &recorded.reply {
            self.pages.push(reply.text());
        }
        self.seen.push(Seen {
            url: recorded.request.url.clone(),
            status,
            page: html::Page::default(),
            step: Some(number),
            did: format!("{} {}", call.method, call.url),
        });
        self.log.push(recorded);
    }
}

/// Reads an answer of the API: keeps what the step takes; the redirect to follow, if it is one.
fn read(
    visit: &Visit<'_>,
    recorded: &Recorded,
    call: &Call,
    number: usize,
    taken: &mut BTreeMap<String, String>,
) -> Result<Option<Request>, End> {
    let reply = match &recorded.reply {
        Ok(reply) => reply,
        Err(why) => return Err(End::NoAnswer(why.clone())),
    };
    let url = &recorded.request.url;
    if crate::transport::pace::is_throttling(reply) {
        return Err(End::Throttled(format!("answered {}", reply.status)));
    }
    if reply.status >= 500 {
        return Err(End::ServerError(reply.status));
    }
    if reply.status >= 400 {
        let text = excerpt(recorded, 200);
        let about = format!(
            "step {} {} {url} was answered: {text}",
            number + 1,
            call.method
        );
        return Err(End::Page {
            status: reply.status,
            about,
        });
    }
    for (name, path) in &call.take {
        match look_up(visit, reply, url, path) {
            Some(value) => {
                taken.insert(name.clone(), value);
            }
            None => {
                let text = excerpt(recorded, 200);
                return Err(End::Stuck(format!(
                    "step {}: {} {url} answered {} without `{path}`: {text}",
                    number + 1,
                    call.method,
                    reply.status
                )));
            }
        }
    }
    let Some(location) = reply.header("location").filter(|_| reply.is_redirect()) else {
        return Ok(None);
    };
    if (visit.arrived)(&location) {
        return Err(End::Redirect {
            location: location.into_bytes(),
            post: None,
        });
    }
    Ok(Url::parse(url)
        .ok()
        .and_then(|base| base.join(&location).ok())
        .map(|next| Request::get(next.to_string())))
}

/// A member of the answer (`data.links.0.href`), `@header.NAME` or `@cookie.NAME`.
fn look_up(visit: &Visit<'_>, reply: &Reply, url: &str, path: &str) -> Option<String> {
    if let Some(name) = path.strip_prefix("@header.") {
        return reply.header(name);
    }
    if let Some(name) = path.strip_prefix("@cookie.") {
        let cookies = visit.browser.cookies_for(url)?;
        return cookies.split(';').find_map(|cookie| {
            let (key, value) = cookie.trim().split_once('=')?;
            (key == name).then(|| value.to_owned())
        });
    }
    let document: Value = serde_json::from_slice(&reply.body).ok()?;
    let mut at = &document;
    for part in path.split('.') {
        at = match at {
            Value::Object(object) => object.get(part)?,
            Value::Array(list) => list.get(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    match at {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

/// What `$…` stands for.
struct Names<'v, 'a> {
    visit: &'v Visit<'a>,
    page: Option<Url>,
    taken: BTreeMap<String, String>,
}

impl Names<'_, '_> {
    async fn request(&self, call: &Call, deny: bool) -> Result<Request, String> {
        let place = self.text(&call.url).await?;
        let base = self.page.as_ref().ok_or("there is no page to start from")?;
        let url = base
            .join(&place)
            .map_err(|why| format!("`{place}` is no address ({why})"))?;
        if call.method == "OPEN" {
            return Ok(Request::get(url.to_string()));
        }
        let body = match (&call.deny_body, &call.body) {
            (Some(body), _) if deny => Some(body),
            (_, body) => body.as_ref(),
        };
        let mut request = match body {
            None => Request {
                method: call.method.clone(),
                url: url.to_string(),
                ..Request::default()
            },
            Some(body) => {
                let body = Box::pin(self.json(body)).await?.to_string();
                let mut request =
                    Request::post(url.to_string(), "application/json", body.into_bytes());
                request.method = call.method.clone();
                request
            }
        };
        let same = base.origin() == url.origin();
        request.set("Accept", "application/json");
        request.set("Origin", base.origin().ascii_serialization());
        request.set("Referer", base.to_string());
        request.set(
            "Sec-Fetch-Site",
            if same { "same-origin" } else { "cross-site" },
        );
        request.set("Sec-Fetch-Mode", "cors");
        request.set("Sec-Fetch-Dest", "empty");
        for (name, value) in &call.headers {
            request.set(name, self.text(value).await?);
        }
        Ok(request)
    }

    async fn json(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => Value::String(self.text(text).await?),
            Value::Array(list) => {
                let mut out = Vec::with_capacity(list.len());
                for item in list {
                    out.push(Box::pin(self.json(item)).await?);
                }
                Value::Array(out)
            }
            Value::Object(object) => {
                let mut out = serde_json::Map::new();
                for (key, item) in object {
                    out.insert(key.clone(), Box::pin(self.json(item)).await?);
                }
                Value::Object(out)
            }
            other => other.clone(),
        })
    }

    /// The text with its names replaced.
    async fn text(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                out.push('$');
                rest = after;
                continue;
            }
            let end = after
                .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.' | '-'))
                .unwrap_or(after.len());
            let (name, after) = after.split_at(end);
            // A full stop after a name ends the sentence, not the name.
            let bare = name.trim_end_matches('.');
            out.push_str(&self.name(bare).await?);
            out.push_str(name.get(bare.len()..).unwrap_or_default());
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    async fn name(&self, name: &str) -> Result<String, String> {
        if name == HOOK_VALUE.trim_start_matches('$') {
            let url = self.page.as_ref().map(Url::to_string).unwrap_or_default();
            return hook::tell(self.visit, "hook", &url).await;
        }
        let found = if let Some(field) = name.strip_prefix("user.") {
            super::user_value(&format!("$user.{field}"), self.visit.user)
        } else if let Some(part) = name.strip_prefix("page.") {
            self.page.as_ref().and_then(|page| of_page(page, part))
        } else {
            self.taken.get(name).cloned()
        };
        found.ok_or_else(|| {
            let known: Vec<&str> = self.taken.keys().map(String::as_str).collect();
            let at = self.page.as_ref().map(Url::as_str).unwrap_or_default();
            format!(
                "nothing is called ${name} (taken so far: {}; the page is {at})",
                if known.is_empty() {
                    "nothing".to_owned()
                } else {
                    known.join(", ")
                }
            )
        })
    }
}

/// A part of the page's address.
fn of_page(page: &Url, part: &str) -> Option<String> {
    if let Some(name) = part.strip_prefix("query.") {
        return page
            .query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned());
    }
    match part {
        "url" => Some(page.to_string()),
        "path" => Some(page.path().to_owned()),
        "last" => page
            .path_segments()?
            .rfind(|segment| !segment.is_empty())
            .map(str::to_owned),
        _ => None,
    }
}
