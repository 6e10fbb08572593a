//! The `browser` driver: a real Chromium carries out the login steps, for pages that need JavaScript.
//!
//! The browser can reach the target's hosts and no other: every other name is unresolvable for it. So it
//! stops by itself where the client waits, and the response is read from its log. When it gets stuck, a
//! picture of the page goes into the evidence.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::login::html::{Button, Field, Form, Page};
use crate::login::webdriver::{Element, Problem, WebDriver};
use crate::login::{End, Seen, Visit, Walk, Will, asks_somebody, form, value};
use crate::transport::{Recorded, Reply, Request};

/// Browsers at the same time.
static SLOTS: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(2);
/// Browsers that wait for the next login, with what they were started for.
static IDLE: Mutex<Vec<(String, WebDriver)>> = Mutex::new(Vec::new());

/// Between two looks at a page.
const LOOK: Duration = Duration::from_millis(60);
/// A page that has not changed for so long, and waits for nothing, will not change any more.
const SETTLED: Duration = Duration::from_secs(3);
/// How long a page may take to react to a step.
const REACTION: Duration = Duration::from_secs(8);
/// How often one step may be carried out on pages that look the same.
const MOST_REPEATS: usize = 2;
/// Exchanges of the browser that are kept.
const MOST_KEPT: usize = 200;

/// Ends the browsers that wait. To be called before the program ends.
pub fn shut_down() {
    let idle = std::mem::take(&mut *IDLE.lock().unwrap_or_else(PoisonError::into_inner));
    drop(idle);
}

/// Lets a real browser follow the authorization request.
pub(super) async fn follow(visit: &Visit<'_>, first: Request) -> (End, Walk) {
    let mut walk = match asks_somebody(visit, &first).await {
        Ok(walk) => walk,
        Err(result) => return result,
    };
    let Ok(_slot) = SLOTS.acquire().await else {
        return (End::Stuck("no browser is to be had".into()), walk);
    };
    let (key, driver) = match take(visit).await {
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
    if !broken && let Ok(mut idle) = IDLE.lock() {
        idle.push((key, driver));
    }
    (end, walk)
}

/// A browser in the state of this session: a waiting one, or a new one.
async fn take(visit: &Visit<'_>) -> Result<(String, WebDriver), String> {
    let arguments = arguments(visit);
    let key = arguments.join(" ");
    let waiting = {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        idle.iter()
            .position(|(own, _)| *own == key)
            .map(|at| idle.swap_remove(at).1)
    };
    if let Some(driver) = waiting
        && settle_state(&driver, visit).await.is_ok()
    {
        return Ok((key, driver));
    }
    let driver = WebDriver::start(&arguments).await?;
    settle_state(&driver, visit)
        .await
        .map_err(|why| format!("the browser: {why}"))?;
    Ok((key, driver))
}

/// A clean browser, with the session's cookies if it has any.
async fn settle_state(driver: &WebDriver, visit: &Visit<'_>) -> Result<(), Problem> {
    driver.open("about:blank").await?;
    // Servers decide by the name what they show: the browser's own, and ours behind it.
    let version = driver.devtools("Browser.getVersion", json!({})).await?;
    let ours = crate::transport::USER_AGENT
        .split(' ')
        .next()
        .unwrap_or_default();
    let agent = format!("{} {ours}", text(&version, "userAgent"));
    driver
        .devtools(
            "Network.setUserAgentOverride",
            json!({ "userAgent": agent }),
        )
        .await?;
    driver
        .devtools("Network.clearBrowserCookies", json!({}))
        .await?;
    for authority in visit.transport.allow().authorities() {
        for scheme in ["https", "http"] {
            let params =
                json!({ "origin": format!("{scheme}://{authority}"), "storageTypes": "all" });
            driver
                .devtools("Storage.clearDataForOrigin", params)
                .await?;
        }
    }
    let cookies = visit
        .browser
        .chrome
        .lock()
        .ok()
        .and_then(|kept| kept.clone());
    if let Some(cookies) = cookies {
        driver
            .devtools("Storage.setCookies", json!({ "cookies": cookies }))
            .await?;
    }
    driver.events().await;
    Ok(())
}

/// Chromium's arguments: no traffic of its own, and no host but the target's.
fn arguments(visit: &Visit<'_>) -> Vec<String> {
    let network = visit.transport.network();
    let hosts: Vec<&str> = visit
        .transport
        .allow()
        .authorities()
        .map(|authority| {
            authority
                .rsplit_once(':')
                .map_or(authority, |(host, _)| host)
        })
        .collect();
    let mut rules = vec!["MAP * ~NOTFOUND".to_owned()];
    for host in &hosts {
        match network.address_of(host, 0) {
            Some(address) if address.port() == 0 => {
                rules.push(format!("MAP {host} {}", bracketed(address.ip())));
            }
            Some(address) => rules.push(format!("MAP {host} {address}")),
            None => rules.push(format!("EXCLUDE {host}")),
        }
    }
    // The first rule that fits counts, so the target's own come before the general one.
    rules.rotate_left(1);
    let mut all: Vec<String> = [
        "--headless=new",
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-extensions",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--metrics-recording-only",
        "--no-default-browser-check",
        "--no-first-run",
        "--no-pings",
        "--window-size=1000,900",
    ]
    .map(str::to_owned)
    .into();
    all.push(format!("--host-resolver-rules={}", rules.join(", ")));
    match &network.proxy {
        None => all.push("--no-proxy-server".to_owned()),
        Some(proxy) => all.push(format!("--proxy-pac-url={}", pac(proxy, &hosts))),
    }
    if is_root() {
        all.push("--no-sandbox".to_owned());
    }
    all
}

fn bracketed(address: std::net::IpAddr) -> String {
    match address {
        std::net::IpAddr::V4(address) => address.to_string(),
        std::net::IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// The target's hosts through the proxy, every other host nowhere.
fn pac(proxy: &str, hosts: &[&str]) -> String {
    use base64::Engine as _;
    let proxy = url::Url::parse(proxy)
        .ok()
        .map(|url| {
            let port = url.port_or_known_default().unwrap_or(80);
            format!("{}:{port}", url.host_str().unwrap_or_default())
        })
        .unwrap_or_default();
    let script = format!(
        "function FindProxyForURL(u, h) {{ return {}.indexOf(h) < 0 ? 'PROXY 127.0.0.1:1' : 'PROXY {proxy}'; }}",
        json!(hosts)
    );
    let encoded = base64::engine::general_purpose::STANDARD.encode(script);
    format!("data:application/x-ns-proxy-autoconfig;base64,{encoded}")
}

/// Chromium's sandbox refuses to run for root, which is who runs in most containers.
fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        status
            .lines()
            .find_map(|line| line.strip_prefix("Uid:"))
            .and_then(|ids| ids.split_whitespace().nth(1))
            == Some("0")
    })
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
            let Ok(sight) = self.look().await else {
                // Between two pages there is nothing to see.
                if last.1.elapsed() > REACTION {
                    opened?;
                    return Ok(End::Stuck("the browser shows no page".into()));
                }
                tokio::time::sleep(LOOK).await;
                continue;
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

/// The page as the script describes it, for messages.
fn read_page(found: &Value, title: String, text: String) -> Page {
    let list = |name: &str| {
        found
            .get(name)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let member = |value: &Value, name: &str| {
        value
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let fields: Vec<Field> = list("inputs")
        .iter()
        .map(|input| Field {
            name: member(input, "name"),
            value: String::new(),
            kind: member(input, "kind"),
            label: member(input, "label"),
            options: options(input),
            active: true,
        })
        .collect();
    let buttons: Vec<Button> = list("buttons")
        .iter()
        .map(|button| Button {
            name: String::new(),
            value: String::new(),
            text: button.as_str().unwrap_or_default().to_owned(),
            action: None,
            method: None,
        })
        .collect();
    let mut page = Page {
        title,
        text,
        scripts: true,
        ..Page::default()
    };
    if !fields.is_empty() || !buttons.is_empty() {
        page.forms.push(Form {
            action: String::new(),
            method: "POST".to_owned(),
            enctype: String::new(),
            fields,
            buttons,
        });
    }
    page
}

/// What a select offers: value and text.
fn options(input: &Value) -> Vec<(String, String)> {
    let all = input.get("options").and_then(Value::as_array);
    let pair = |option: &Value| {
        Some((
            option.get(0)?.as_str()?.to_owned(),
            option.get(1)?.as_str()?.to_owned(),
        ))
    };
    all.into_iter().flatten().filter_map(pair).collect()
}

/// What the browser's log told.
#[derive(Default)]
struct Log {
    exchanges: Vec<Recorded>,
    requests: BTreeMap<String, Request>,
    /// Requests without an answer yet.
    open: std::collections::BTreeSet<String>,
    /// The status of the newest page.
    status: u16,
    arrived: Option<End>,
}

impl Log {
    fn hear(&mut self, events: Vec<Value>, visit: &Visit<'_>) {
        for event in events {
            let method = event
                .get("method")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let Some(params) = event.get("params") else {
                continue;
            };
            let id = text(params, "requestId");
            match method {
                "Network.requestWillBeSent" => self.asked(&id, params, visit),
                "Network.responseReceived" => {
                    let kind = text(params, "type");
                    if let Some(response) = params.get("response") {
                        if kind == "Document" {
                            self.status = status(response);
                        }
                        if matches!(kind.as_str(), "Document" | "XHR" | "Fetch") {
                            self.answered(&id, response, visit);
                        }
                    }
                }
                "Network.responseReceivedExtraInfo" => {
                    // A redirect to a scheme that no browser requests shows only here.
                    let location = params
                        .get("headers")
                        .and_then(Value::as_object)
                        .and_then(|headers| {
                            headers
                                .iter()
                                .find(|(name, _)| name.eq_ignore_ascii_case("location"))
                        })
                        .and_then(|(_, value)| value.as_str());
                    if let Some(location) = location.filter(|location| (visit.arrived)(location)) {
                        self.arrived.get_or_insert(redirect(location, None));
                    }
                }
                "Network.loadingFinished" | "Network.loadingFailed" => {
                    self.open.remove(&id);
                }
                _ => {}
            }
        }
    }

    fn asked(&mut self, id: &str, params: &Value, visit: &Visit<'_>) {
        if let Some(response) = params.get("redirectResponse") {
            self.answered(id, response, visit);
        }
        let Some(request) = params.get("request") else {
            return;
        };
        let url = text(request, "url");
        let body = text(request, "postData");
        if text(params, "type") == "Document" && (visit.arrived)(&url) {
            let post = (text(request, "method") == "POST")
                .then(|| wire::form::Pairs::parse(body.as_bytes()));
            self.arrived.get_or_insert(redirect(&url, post));
            return;
        }
        self.open.insert(id.to_owned());
        let request = Request {
            method: text(request, "method"),
            url,
            headers: headers(request),
            body: body.into_bytes(),
        };
        self.requests.insert(id.to_owned(), request);
    }

    fn answered(&mut self, id: &str, response: &Value, visit: &Visit<'_>) {
        let Some(request) = self.requests.remove(id) else {
            return;
        };
        if self.exchanges.len() >= MOST_KEPT {
            return;
        }
        self.exchanges.push(Recorded {
            request,
            reply: Ok(Reply {
                status: status(response),
                headers: headers(response)
                    .into_iter()
                    .map(|(name, value)| (name.to_ascii_lowercase(), value.into_bytes()))
                    .collect(),
                ..Reply::default()
            }),
            started: visit.transport.elapsed(),
            took: Duration::ZERO,
            raw: false,
        });
    }
}

fn text(value: &Value, name: &str) -> String {
    value
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn status(response: &Value) -> u16 {
    response
        .get("status")
        .and_then(Value::as_u64)
        .and_then(|status| u16::try_from(status).ok())
        .unwrap_or(0)
}

fn headers(of: &Value) -> Vec<(String, String)> {
    of.get("headers")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// What a person could do on the page, and the first step that fits it. Shadow roots are looked into.
const LOOK_AT_PAGE: &str = r#"
const steps = arguments[0];
const every = (root, out = []) => {
  for (const e of root.querySelectorAll('*')) {
    if (out.length > 5000) break;
    out.push(e);
    if (e.shadowRoot) every(e.shadowRoot, out);
  }
  return out;
};
const all = every(document);
const shown = e => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== 'hidden' && !e.disabled;
const norm = s => (s || '').replace(/\s+/g, ' ').replace(/^[ :*]+|[ :*]+$/g, '').toLowerCase();
const labels = e => [...(e.labels || [])].map(l => l.innerText)
  .concat([e.getAttribute('aria-label'), e.getAttribute('placeholder')])
  .concat((e.getAttribute('aria-labelledby') || '').split(' ').map(i => i && document.getElementById(i)?.innerText))
  .filter(Boolean);
const inputs = all.filter(e => e.matches('input:not([type=hidden]):not([type=submit]):not([type=button]):not([type=image]), textarea, select') && shown(e));
const buttons = all.filter(e => e.matches('button, input[type=submit], input[type=button], input[type=image], [role=button]') && shown(e));
const links = all.filter(e => e.matches('a[href], [role=link]') && shown(e));
const said = e => e.innerText || e.value || e.getAttribute('aria-label') || e.title || '';
const field = n => inputs.find(e => e.name === n || e.id === n) || inputs.find(e => labels(e).some(l => norm(l) === norm(n)));
const button = p => buttons.find(e => norm(said(e)) === norm(p))
  || buttons.find(e => e.name && p === e.name + '=' + e.value)
  || buttons.find(e => e.name && e.name === p);
const link = p => links.find(e => norm(said(e)) === norm(p));
const out = {
  url: location.href, ready: document.readyState, title: document.title,
  text: (document.body ? document.body.innerText : '').replace(/\s+/g, ' ').trim().slice(0, 400),
  inputs: inputs.slice(0, 20).map(e => ({ name: e.name || e.id, kind: e.type || 'text', label: labels(e)[0] || '',
    options: [...(e.options || [])].slice(0, 20).map(o => [o.value, o.text.trim()]) })),
  buttons: buttons.slice(0, 20).map(e => said(e).slice(0, 80)),
};
for (let i = 0; i < steps.length; i++) {
  const s = steps[i];
  const target = s.link ? link(s.link) : s.press ? button(s.press) : null;
  if ((s.link || s.press) && !target) continue;
  const fields = s.fill.map(field);
  if (fields.some(f => !f)) continue;
  if (!s.link && !s.press && !s.fill.length) continue;
  out.step = i;
  out.fields = fields;
  out.button = target;
  out.deny = s.deny ? button(s.deny) || link(s.deny) || null : null;
  break;
}
return out;
"#;

/// Makes a field ready for typing (true), or sets a box, radio button or select by itself (false).
const PREPARE_FIELD: &str = r#"
const [e, wanted] = arguments;
const tell = () => { e.dispatchEvent(new Event('input', {bubbles: true})); e.dispatchEvent(new Event('change', {bubbles: true})); };
if (e.tagName === 'SELECT') {
  const o = [...e.options].find(o => o.value === wanted || o.text.trim().toLowerCase() === wanted.toLowerCase());
  if (o) { e.value = o.value; tell(); }
  return false;
}
if (e.type === 'checkbox' || e.type === 'radio') {
  const on = wanted === 'true' || wanted === 'on' || wanted === e.value;
  if (e.checked !== on) e.click();
  return false;
}
e.focus();
if (e.select) e.select();
return true;
"#;

/// Whether the button is still there to be pressed on the same page.
const STILL_THERE: &str = r#"
const [e, url] = arguments;
return e.isConnected && location.href === url && !e.disabled && e.getClientRects().length > 0;
"#;
