//! The `browser` driver: a real Chromium carries out the login steps, for pages that need JavaScript.
//!
//! The browser can reach the target's hosts and no other: every other name is unresolvable for it. So it
//! stops by itself where the client waits, and the response is read from its log. When it gets stuck, a
//! picture of the page goes into the evidence.

mod log;
mod page;
mod start;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::login::html::Page;
use crate::login::webdriver::{Element, Problem, WebDriver};
use crate::login::{End, Seen, Visit, Walk, Will, asks_somebody, form, value};
use crate::transport::{Recorded, Reply, Request};
use log::Log;
use page::{LOOK_AT_PAGE, PREPARE_FIELD, STILL_THERE, read_page};

pub use start::shut_down;

/// Browsers at the same time.
static SLOTS: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(2);

/// Between two looks at a page.
const LOOK: Duration = Duration::from_millis(60);
/// A page that has not changed for so long, and waits for nothing, will not change any more.
const SETTLED: Duration = Duration::from_secs(3);
/// How long there may be no page at all, on a machine with much else to do.
const BLANK: Duration = Duration::from_secs(30);
/// How long a page may take to react to a step.
const REACTION: Duration = Duration::from_secs(20);
/// How often one step may be carried out on pages that look the same.
const MOST_REPEATS: usize = 2;

/// Lets a real browser follow the authorization request.
pub(super) async fn follow(visit: &Visit<'_>, first: Request) -> (End, Walk) {
    let mut walk = match asks_somebody(visit, &first).await {
        Ok(walk) => walk,
        Err(result) => return result,
    };
    let Ok(_slot) = SLOTS.acquire().await else {
        return (End::Stuck("no browser is to be had".into()), walk);
    };
    let (key, driver) = match start::take(visit).await {
        Ok(taken) => taken,
        Err(why) => return (End::Stuck(why), walk),
    };
    let mut tour = Tour {
        visit,
        driver: &driver,
        log: Log::default(),
        done: BTreeMap::new(),
    };
    let work = tour.go(&first.url, &mut walk);
    let end = match tokio::time::timeout(visit.login.timeout, work).await {
        Ok(Ok(end)) => end,
        Ok(Err(problem)) => End::Stuck(format!("the browser: {problem}")),
        Err(_) => End::Stuck(format!(
            "the login did not end within {} s ([login] timeout)",
            visit.login.timeout.as_secs()
        )),
    };
    let mut log = tour.log;
    log.hear(driver.events().await, visit);
    let broken = matches!(end, End::Stuck(_));
    if broken || matches!(end, End::Page { .. }) {
        walk.log.extend(picture(&driver, visit).await);
    }
    let at = walk.log.len().min(1);
    walk.log.splice(at..at, log.exchanges);
    let cookies = driver.devtools("Storage.getCookies", json!({})).await;
    if let (Ok(cookies), Ok(mut kept)) = (cookies, visit.browser.chrome.lock()) {
        *kept = cookies.get("cookies").cloned();
    }
    if !broken {
        start::keep(key, driver);
    }
    (end, walk)
}

/// A picture of where it got stuck, as one more exchange.
async fn picture(driver: &WebDriver, visit: &Visit<'_>) -> Option<Recorded> {
    let url = driver.url().await.unwrap_or_default();
    let body = driver.screenshot().await?;
    Some(Recorded {
        request: Request {
            method: "SCREENSHOT".into(),
            url,
            ..Request::default()
        },
        reply: Ok(Reply {
            status: 200,
            headers: vec![("content-type".into(), b"image/png".to_vec())],
            body,
            truncated: false,
        }),
        started: visit.transport.elapsed(),
        took: Duration::ZERO,
        raw: false,
    })
}

/// One login in one browser.
struct Tour<'t> {
    visit: &'t Visit<'t>,
    driver: &'t WebDriver,
    log: Log,
    /// How often a step was carried out on a page with this title.
    done: BTreeMap<(usize, String), usize>,
}

/// What the page's script found.
struct Sight {
    url: String,
    ready: bool,
    page: Page,
    step: Option<usize>,
    fields: Vec<(Element, String)>,
    button: Option<Element>,
    deny: Option<Element>,
}

impl Tour<'_> {
    async fn go(&mut self, url: &str, walk: &mut Walk) -> Result<End, Problem> {
        // Going to a page whose redirect ends at an unreachable host is an error to WebDriver.
        let opened = self.driver.open(url).await;
        let mut last = (String::new(), Instant::now());
        loop {
            self.log.hear(self.driver.events().await, self.visit);
            if let Some(end) = self.log.arrived.take() {
                return Ok(end);
            }
            let sight = match self.look().await {
                Ok(sight) => sight,
                Err(problem) => {
                    // Between two pages there is nothing to see.
                    if last.1.elapsed() > BLANK {
                        opened?;
                        let why = format!("the browser shows no page ({problem})");
                        return Ok(End::Stuck(why));
                    }
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
            };
            if (self.visit.arrived)(&sight.url) {
                return Ok(redirect(&sight.url, None));
            }
            let now = format!("{}\n{}\n{}", sight.url, sight.page.title, sight.page.text);
            if now != last.0 {
                last = (now, Instant::now());
            }
            if sight.step.is_some() && self.visit.will != Will::Nothing {
                if let Some(end) = self.carry_out(sight, walk).await? {
                    return Ok(end);
                }
                last.1 = Instant::now();
                continue;
            }
            let quiet = sight.ready && self.log.open.is_empty();
            if last.1.elapsed() > if quiet { SETTLED } else { SETTLED * 4 } {
                return Ok(self.nothing_fits(sight, walk));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn look(&self) -> Result<Sight, Problem> {
        let steps: Vec<Value> = self
            .visit
            .login
            .steps
            .iter()
            .map(|step| {
                let fill: Vec<&String> = step.fill.iter().map(|(name, _)| name).collect();
                json!({ "fill": fill, "press": step.press, "deny": step.deny, "link": step.link })
            })
            .collect();
        let found = self.driver.script(LOOK_AT_PAGE, json!([steps])).await?;
        let text = |name: &str| {
            found
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let step = found
            .get("step")
            .and_then(Value::as_u64)
            .and_then(|step| usize::try_from(step).ok());
        let names = step
            .and_then(|at| self.visit.login.steps.get(at))
            .map(|step| step.fill.clone())
            .unwrap_or_default();
        let elements = found.get("fields").and_then(Value::as_array);
        let fields = elements
            .into_iter()
            .flatten()
            .filter_map(Element::read)
            .zip(names.into_iter().map(|(name, _)| name))
            .collect();
        Ok(Sight {
            url: text("url"),
            ready: text("ready") == "complete",
            page: read_page(&found, text("title"), text("text")),
            step,
            fields,
            button: found.get("button").and_then(Element::read),
            deny: found.get("deny").and_then(Element::read),
        })
    }

    /// Does what the step says; `Some` when the login ends here.
    async fn carry_out(&mut self, sight: Sight, walk: &mut Walk) -> Result<Option<End>, Problem> {
        let Some((number, step)) = sight
            .step
            .and_then(|at| Some((at, self.visit.login.steps.get(at)?)))
        else {
            return Ok(None);
        };
        let mut seen = Seen {
            url: sight.url.clone(),
            status: self.log.status,
            page: sight.page.clone(),
            step: Some(number),
            did: form::words(step),
        };
        let count = self
            .done
            .entry((number, sight.page.title.clone()))
            .or_default();
        if *count >= MOST_REPEATS {
            walk.seen.push(seen);
            return Ok(Some(End::Stuck(format!(
                "step {} was carried out {MOST_REPEATS} times and the page “{}” came back: “{}”",
                number + 1,
                sight.page.title,
                sight.page.text.chars().take(160).collect::<String>()
            ))));
        }
        *count += 1;
        for (element, name) in &sight.fields {
            let wanted = step
                .fill
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
                .unwrap_or_default();
            let text = match value(self.visit, name, wanted, &sight.url).await {
                Ok(text) => text,
                Err(why) => return Ok(Some(End::Stuck(why))),
            };
            let arguments = json!([element.argument(), text]);
            match self.driver.script(PREPARE_FIELD, arguments).await {
                Ok(Value::Bool(true)) => self.driver.type_into(element, &text).await?,
                Ok(_) => {}
                // The page changed under our hands: look again.
                Err(problem) if is_passing(&problem) => return Ok(None),
                Err(problem) => return Err(problem),
            }
        }
        let mut press = sight.button.clone();
        if step.deny.is_some() {
            walk.consents += 1;
            if self.visit.will == Will::Hesitate {
                walk.seen.push(seen);
                let about = "the consent page".to_owned();
                return Ok(Some(End::Page { status: 200, about }));
            }
            if self.visit.will == Will::Deny {
                seen.did = format!("denied with “{}”", step.deny.as_deref().unwrap_or_default());
                press = sight.deny.clone();
                if press.is_none() {
                    let offers = form::offers(&sight.page);
                    walk.seen.push(seen);
                    return Ok(Some(End::Stuck(format!(
                        "the page “{}” has no button or link “{}” to deny with; it has {offers}",
                        sight.page.title,
                        step.deny.as_deref().unwrap_or_default()
                    ))));
                }
            }
        }
        walk.answered += 1;
        walk.pages.push(sight.page.text.clone());
        walk.seen.push(seen);
        if let Some(press) = press {
            match self.driver.click(&press).await {
                Ok(()) => {}
                Err(problem) if is_passing(&problem) => return Ok(None),
                Err(problem) => return Err(problem),
            }
            self.wait_for_reaction(&press, &sight.url).await;
        }
        Ok(None)
    }

    /// Until the button is gone or the browser is elsewhere: a step must not be done twice on one page.
    async fn wait_for_reaction(&mut self, button: &Element, url: &str) {
        let began = Instant::now();
        while began.elapsed() < REACTION {
            self.log.hear(self.driver.events().await, self.visit);
            let arguments = json!([button.argument(), url]);
            let there = self.driver.script(STILL_THERE, arguments).await;
            if self.log.arrived.is_some() || !matches!(there, Ok(Value::Bool(true))) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn nothing_fits(&self, sight: Sight, walk: &mut Walk) -> End {
        let page = sight.page;
        let about = if page.text.is_empty() {
            page.title.clone()
        } else {
            format!(
                "{}: {}",
                page.title,
                page.text.chars().take(160).collect::<String>()
            )
        };
        walk.pages.push(page.text.clone());
        walk.seen.push(Seen {
            url: sight.url,
            status: self.log.status,
            page,
            step: None,
            did: String::new(),
        });
        match self.log.status {
            429 | 503 => End::Throttled(format!("answered {}", self.log.status)),
            status @ 500.. => End::ServerError(status),
            status => End::Page { status, about },
        }
    }
}

/// Errors that mean "look again": the page moved on in between.
fn is_passing(problem: &Problem) -> bool {
    matches!(
        problem.code.as_str(),
        "stale element reference"
            | "element click intercepted"
            | "element not interactable"
            | "no such element"
            | "javascript error"
            | "detached shadow root"
    )
}

fn redirect(url: &str, post: Option<wire::form::Pairs>) -> End {
    End::Redirect {
        location: url.as_bytes().to_vec(),
        post,
    }
}

fn text(value: &Value, name: &str) -> String {
    value
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
