//! The HTML report in a real browser: wide and narrow, light and dark, with ten thousand exchanges.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use base64::Engine as _;
use oauthspec::event::{
    CaseReport, Exchange, Level, Message, Role, Severity, VariantReport, Verdict,
};
use oauthspec::report::{Format, Run};
use serde_json::{Value, json};

/// A browser behind chromedriver, which ends with this.
struct Browser {
    driver: Child,
    client: reqwest::Client,
    session: String,
}

impl Browser {
    async fn start(arguments: &[&str]) -> Browser {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        let base = format!("http://127.0.0.1:{}/session", port.unwrap());
        let mut arguments = arguments.to_vec();
        arguments.extend(["--headless=new", "--no-sandbox", "--disable-dev-shm-usage"]);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut browser = Browser {
            driver,
            client,
            session: base,
        };
        let options = json!({ "args": arguments });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let made = browser.post("", wanted).await;
        browser.session = format!(
            "{}/{}",
            browser.session,
            made["sessionId"].as_str().unwrap()
        );
        browser
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.session);
        let request = self.client.post(url).body(body.to_string());
        let text = request.send().await.unwrap().text().await.unwrap();
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        assert!(answer["value"].get("error").is_none(), "{answer}");
        answer["value"].take()
    }

    async fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": [] }))
            .await
    }

    /// Waits until a script says so: what follows a key or a click comes when the browser gets to it.
    async fn eventually(&self, script: &str, expected: Value) {
        let mut said = Value::Null;
        for _ in 0..600 {
            said = self.run(script).await;
            if said == expected {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{script}: {said} and not {expected}");
    }

    /// Opens a page as it looks on a screen of this width.
    async fn looks(&self, address: &str, width: u64, dark: bool) {
        let size =
            json!({ "width": width, "height": 860, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
        // Else keys go nowhere while another window has the focus.
        self.devtools(
            "Emulation.setFocusEmulationEnabled",
            json!({ "enabled": true }),
        )
        .await;
        self.post("/url", json!({ "url": address })).await;
        // Before its first picture a page drops whatever is typed.
        let drawn = "return performance.getEntriesByType('paint').length > 0";
        self.eventually(drawn, json!(true)).await;
    }

    /// What is on the screen, as a PNG.
    async fn picture(&self, path: &std::path::Path) {
        let shot = self.devtools("Page.captureScreenshot", json!({})).await;
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(shot["data"].as_str().unwrap());
        std::fs::write(path, bytes.unwrap()).unwrap();
    }

    /// One command of the browser's own protocol.
    async fn devtools(&self, command: &str, params: Value) -> Value {
        let body = json!({ "cmd": command, "params": params });
        self.post("/goog/cdp/execute", body).await
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let url = self.session.clone();
        // The browser ends with its session, and the driver by hand.
        let _ = Command::new("curl")
            .args(["-s", "-m", "5", "-X", "DELETE", &url])
            .stdout(Stdio::null())
            .status();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn message(body: &str) -> Message {
    Message {
        headers: vec![("Content-Type".into(), "application/json".into())],
        body: body.repeat(4),
        body_bytes: body.len() as u64 * 4,
    }
}

fn exchange(number: usize) -> Exchange {
    Exchange {
        role: Role::Deviation,
        step: format!("{number} exchange"),
        from: "client".into(),
        to: "as".into(),
        method: "POST".into(),
        url: format!(
            "https://as.example/token?a-parameter-that-is-long={}",
            "x".repeat(90)
        ),
        request: message("grant_type=authorization_code&code=abcd…&"),
        status: Some(400),
        response: Some(message("{\"error\":\"invalid_grant\"}")),
        error: None,
        started_ms: number as u64,
        duration_us: 900,
        transport: "http".into(),
        curl: "curl -i https://as.example/token".into(),
        raw: None,
    }
}

/// A run of many cases, five exchanges each.
fn run(cases: usize) -> Run {
    let cases = (0..cases).map(|number| {
        let verdict = if number % 100 == 0 {
            Verdict::Fail
        } else {
            Verdict::Pass
        };
        CaseReport {
            id: format!("suite{}.case-{number}", number % 25),
            suite: format!("suite{}", number % 25),
            title: "A wrong verifier never redeems a code".into(),
            verdict,
            level: Level::Must,
            severity: Severity::High,
            refs: vec!["rfc7636#4.6".into()],
            reason: "refused".into(),
            why: "why".into(),
            fix: "fix".into(),
            promise: None,
            waived: None,
            variants: vec![VariantReport {
                name: String::new(),
                verdict,
                reason: "refused".into(),
                deviation: "exchange with code_verifier = “x”".into(),
                evidence: (0..3).map(exchange).collect(),
                control: (3..5).map(exchange).collect(),
            }],
            source: "suites/pkce.toml:1".into(),
            duration_ms: 4,
        }
    });
    Run::from_parts(None, cases.collect(), None)
}

#[tokio::test]
async fn ten_thousand_exchanges_are_read_with_ease_on_every_screen() {
    if !super::staging::browser_here() {
        return;
    }
    let path = std::env::temp_dir().join(format!("oauthspec-page-{}.html", std::process::id()));
    std::fs::write(&path, Format::Html.render(&run(2_000)).unwrap()).unwrap();
    let address = format!("file://{}", path.display());
    let browser = Browser::start(&["--window-size=1280,900"]).await;
    let clock = Instant::now();
    browser.post("/url", json!({ "url": address })).await;
    let open = clock.elapsed();
    let count = "return document.getElementById('count').textContent";
    // Its script ran: the driver may answer before a busy browser is through with the page.
    browser.eventually(count, json!("2000 cases shown")).await;
    let exchanges = "return document.querySelectorAll('details.exchange').length";
    assert_eq!(browser.run(exchanges).await, 10_000);
    // What a person does: search, open everything, go to the middle. Each in milliseconds.
    let timed = |what: &str| {
        format!(
            "const t = performance.now(); {what}; document.body.offsetHeight; return performance.now() - t"
        )
    };
    let search = timed(
        "document.getElementById('search').value = 'case-17'; document.getElementById('severity').dispatchEvent(new Event('change'))",
    );
    let search = browser.run(&search).await.as_f64().unwrap();
    assert_eq!(browser.run(count).await, "111 cases shown");
    let reset = timed("document.getElementById('reset').click()");
    let reset = browser.run(&reset).await.as_f64().unwrap();
    let scroll = timed(
        "for (const one of document.querySelectorAll('details.case')) one.open = true; scrollTo(0, document.body.scrollHeight / 2)",
    );
    let scroll = browser.run(&scroll).await.as_f64().unwrap();
    let told = format!("open {open:?}, search {search} ms, reset {reset} ms, open all {scroll} ms");
    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{told}\n"));
    // What is far away is not drawn, which keeps it so on any machine.
    let drawn = "return [...document.querySelectorAll('details.case > summary')].filter(one => one.checkVisibility({ contentVisibilityAuto: true })).length";
    // It is decided with the next picture, which a busy machine takes its time for.
    let mut seen = 0;
    for _ in 0..600 {
        seen = browser.run(drawn).await.as_u64().unwrap();
        if seen > 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let drawn = seen;
    assert!((1..500).contains(&drawn), "{drawn} of 2000 cases are drawn");

    // The keys: / searches, j goes to the next failure.
    browser
        .run("document.activeElement.blur(); scrollTo(0, 0)")
        .await;
    let press = |key: &str| {
        json!({ "actions": [{ "type": "key", "id": "k", "actions": [
        { "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }] }] })
    };
    browser.post("/actions", press("j")).await;
    let focused = "return document.activeElement.className.startsWith('failure')";
    browser.eventually(focused, json!(true)).await;
    browser.post("/actions", press("/")).await;
    browser
        .eventually("return document.activeElement.id", json!("search"))
        .await;

    for (width, dark) in [(1280, false), (390, false), (390, true)] {
        browser.looks(&address, width, dark).await;
        let wide = browser
            .run("return document.documentElement.scrollWidth")
            .await;
        assert!(
            wide.as_u64().unwrap() <= width,
            "{width}: the page is {wide} wide"
        );
        let paper = browser
            .run("return getComputedStyle(document.body).backgroundColor")
            .await;
        assert_eq!(paper == "rgb(255, 255, 255)", !dark, "{paper}");
        if let Some(folder) = std::env::var_os("SCREENSHOTS") {
            let name = format!("{width}-{}.png", if dark { "dark" } else { "light" });
            browser
                .picture(&std::path::Path::new(&folder).join(name))
                .await;
        }
    }
    // On paper: the failures without the controls of the page.
    browser
        .devtools("Emulation.setEmulatedMedia", json!({ "media": "print" }))
        .await;
    let shown = "return ['.filter', '#all', '.failure'].map(s => getComputedStyle(document.querySelector(s)).display)";
    assert_eq!(browser.run(shown).await, json!(["none", "none", "block"]));
    // Nothing was loaded, nothing refused by the page's own policy.
    let log = browser.post("/se/log", json!({ "type": "browser" })).await;
    assert_eq!(log, json!([]));
    std::fs::remove_file(path).unwrap();
}

/// Headings that skip a level, controls without a name, cells of a head without a scope.
const ORDER: &str = r##"
const wrong = [];
let level = 0;
for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
  const own = Number(heading.tagName[1]);
  if (own > level + 1) wrong.push(`${heading.tagName} after H${level}: ${heading.textContent}`);
  level = own;
}
if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
for (const control of document.querySelectorAll("input, select, button, a, summary")) {
  const name = control.ariaLabel || control.closest("label")?.textContent || control.textContent;
  if (!name.trim()) wrong.push(control.outerHTML);
}
for (const cell of document.querySelectorAll("th:not([scope])")) wrong.push(cell.outerHTML);
for (const image of document.querySelectorAll("svg:not([aria-hidden])")) {
  if (image.getAttribute("role") !== "img" || !image.querySelector("title")) wrong.push(image.outerHTML.slice(0, 80));
}
const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
if (new Set(ids).size !== ids.length) wrong.push("an id twice");
for (const link of document.querySelectorAll('a[href^="#"]')) {
  if (!document.getElementById(link.getAttribute("href").slice(1))) wrong.push(link.outerHTML);
}
return wrong;
"##;

/// Texts whose contrast is below 4.5 to 1 (WCAG 2.2, 1.4.3), and how many were looked at.
const CONTRAST: &str = r#"
for (const details of document.querySelectorAll("details")) details.open = true;
const parse = (colour) => colour.match(/[\d.]+/g).map(Number);
const luminance = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = parse(getComputedStyle(at).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const low = new Set();
let looked = 0;
for (const element of document.querySelectorAll("body *:not(script)")) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || element.closest(".unseen, .skip, [aria-hidden=true], title") || element.tagName === "OPTION") continue;
  const style = getComputedStyle(element);
  const front = luminance(parse(element instanceof SVGElement ? style.fill : style.color));
  const back = luminance(behind(element));
  const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
  looked += 1;
  if (ratio < 4.5) low.add(`${ratio.toFixed(2)} ${element.tagName} ${element.getAttribute("class")} ${element.textContent.slice(0, 30)}`);
}
return [looked, [...low]];
"#;

#[tokio::test]
async fn the_page_of_a_failing_run_is_read_by_everybody() {
    if !super::staging::browser_here() {
        return;
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let address = format!("file://{}", root.join("reports/sample.html").display());
    let browser = Browser::start(&["--window-size=1280,900"]).await;
    for (width, dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
        browser.looks(&address, width, dark).await;
        let wide = "return document.documentElement.scrollWidth";
        let wide = browser.run(wide).await.as_u64().unwrap();
        assert!(wide <= width, "{width}: the page is {wide} wide");
        assert_eq!(browser.run(ORDER).await, json!([]));
        let contrast = browser.run(CONTRAST).await;
        assert!(contrast[0].as_u64() > Some(400), "{contrast}");
        assert_eq!(contrast[1], json!([]), "{width}, dark: {dark}");
        // Letters of a diagram are not drawn smaller than they can be read.
        let letters = "for (const one of document.querySelectorAll('.failure')) one.style.contentVisibility = 'visible'; return Math.min(...[...document.querySelectorAll('svg.sequence')].map(s => s.getBoundingClientRect().width / s.viewBox.baseVal.width * 12))";
        let letters = browser.run(letters).await.as_f64().unwrap();
        assert!(letters > 8.5, "{width}: letters of {letters} pixels");
    }

    // With the keyboard alone: past the head to the failures, through the page in its order.
    browser.looks(&address, 1280, false).await;
    let press = |key: &str| {
        json!({ "actions": [{ "type": "key", "id": "k", "actions": [
        { "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }] }] })
    };
    let here = "return [document.activeElement.className, document.activeElement.tagName]";
    browser.post("/actions", press("\u{e004}")).await;
    browser.eventually(here, json!(["skip", "A"])).await;
    let shown = "return document.activeElement.getBoundingClientRect().height > 10";
    // The link is seen once it has the focus.
    browser.eventually(shown, json!(true)).await;
    browser.post("/actions", press("\u{e007}")).await;
    let at = "return document.getElementById('failures').getBoundingClientRect().top < 200";
    browser.eventually(at, json!(true)).await;
    // A number of the matrix leads to what it counts.
    browser
        .run("document.querySelector('button.fail[data-suite=redirect]').click()")
        .await;
    let left = "return [...document.querySelectorAll('section.failure:not(.hidden)')].map(one => one.dataset.case)";
    browser
        .eventually(left, json!(["redirect.near-miss"]))
        .await;
    browser
        .eventually("return document.activeElement.id", json!("failures"))
        .await;

    // The control and the failing exchange stand beside each other, on a phone below each other.
    let beside = "const row = document.querySelector('.failure:not(.hidden) .beside tr.differs'); row.scrollIntoView(); const [l, r] = ['.left', '.right'].map(c => row.querySelector(c).getBoundingClientRect()); return [l.top === r.top, l.left < r.left]";
    browser.eventually(beside, json!([true, true])).await;
    browser.looks(&address, 390, false).await;
    browser.eventually(beside, json!([false, false])).await;

    if std::env::var_os("UPDATE").is_some() {
        browser.looks(&address, 1280, false).await;
        browser.picture(&root.join("docs/report.png")).await;
    }
    let log = browser.post("/se/log", json!({ "type": "browser" })).await;
    assert_eq!(log, json!([]));
}
