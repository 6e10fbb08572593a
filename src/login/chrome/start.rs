//! A browser that is ready for a login: started or waiting, clean, and able to reach the target's hosts and no other.

use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::text;
use crate::login::Visit;
use crate::login::webdriver::{Problem, WebDriver};

/// Browsers that wait for the next login, with what they were started for.
static IDLE: Mutex<Vec<(String, WebDriver)>> = Mutex::new(Vec::new());

/// Ends the browsers that wait. To be called before the program ends.
pub fn shut_down() {
    let idle = std::mem::take(&mut *IDLE.lock().unwrap_or_else(PoisonError::into_inner));
    drop(idle);
}

/// Keeps a browser for the next login.
pub(super) fn keep(key: String, driver: WebDriver) {
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    idle.push((key, driver));
}

/// A browser in the state of this session: a waiting one, or a new one.
pub(super) async fn take(visit: &Visit<'_>) -> Result<(String, WebDriver), String> {
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
