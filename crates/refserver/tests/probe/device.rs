//! The device grant.

use oauthspec_refserver::Fault;

use crate::support::{Answer, Browser, Target, form, hidden};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn ask(t: &Target, client: &str, more: &[(&str, &str)]) -> Answer {
    let id = t.client(client).id.clone();
    let mut pairs = vec![("client_id", id.as_str()), ("scope", "read")];
    pairs.extend(more);
    t.post("/device_authorization", &pairs).await
}

async fn poll(t: &Target, client: &str, asked: &Answer) -> Answer {
    let (id, code) = (t.client(client).id.clone(), asked.text("device_code"));
    let pairs = [
        ("grant_type", GRANT_TYPE),
        ("client_id", id.as_str()),
        ("device_code", code.as_str()),
    ];
    t.post("/token", &pairs).await
}

/// Logs in and opens the page for codes.
async fn code_page(t: &Target, browser: &mut Browser) -> Answer {
    let first = t.browse(browser, "GET", "/device", None).await;
    match t.to_consent(browser, &first, "a").await {
        Some((page, _)) => page,
        None => first,
    }
}

/// Types a code and decides; the last answer.
async fn decide(t: &Target, code: &str, decision: &str) -> Answer {
    let mut browser = Browser::default();
    let page = code_page(t, &mut browser).await;
    let body = form(&[("csrf", &hidden(&page)), ("user_code", code)]);
    let typed = t.browse(&mut browser, "POST", "/device", Some(&body)).await;
    let Some((page, path)) = t.to_consent(&mut browser, &typed, "a").await else {
        return typed;
    };
    let body = form(&[("csrf", &hidden(&page)), ("decision", decision)]);
    t.browse(&mut browser, "POST", &path, Some(&body)).await
}

async fn approved(t: &Target, client: &str) -> Answer {
    let asked = ask(t, client, &[]).await;
    let done = decide(t, &asked.text("user_code"), "approve").await;
    assert_eq!(done.status, 200, "{done:?}");
    asked
}

pub async fn shows(t: &Target, fault: Fault) -> Option<bool> {
    Some(match fault {
        Fault::DeviceIntervalText => ask(t, "a", &[]).await.json()["interval"].is_string(),
        Fault::DeviceUriMissing => ask(t, "a", &[]).await.text("verification_uri").is_empty(),
        Fault::DeviceUnapproved => {
            let asked = ask(t, "a", &[]).await;
            poll(t, "a", &asked).await.status == 200
        }
        Fault::DeviceDenialApproves | Fault::DeviceDenialForgotten => {
            let asked = ask(t, "a", &[]).await;
            decide(t, &asked.text("user_code"), "deny").await;
            let error = poll(t, "a", &asked).await.error();
            match fault {
                Fault::DeviceDenialApproves => error.is_empty(),
                _ => error == "authorization_pending",
            }
        }
        Fault::DevicePending200 => {
            let asked = ask(t, "a", &[]).await;
            let pending = poll(t, "a", &asked).await;
            assert_eq!(pending.error(), "authorization_pending");
            pending.status == 200
        }
        Fault::DevicePollingFatal => {
            let asked = ask(t, "a", &[]).await;
            poll(t, "a", &asked).await;
            poll(t, "a", &asked).await.error() != "slow_down"
        }
        Fault::DeviceNeverExpires => {
            let asked = approved(t, "brief").await;
            tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
            poll(t, "brief", &asked).await.error() != "expired_token"
        }
        Fault::DeviceAnyClient => {
            let asked = approved(t, "a").await;
            poll(t, "b", &asked).await.status == 200
        }
        Fault::DeviceReusable => {
            let asked = approved(t, "a").await;
            assert_eq!(poll(t, "a", &asked).await.status, 200);
            poll(t, "a", &asked).await.status == 200
        }
        Fault::DeviceGuessing => {
            let mut browser = Browser::default();
            let page = code_page(t, &mut browser).await;
            let body = form(&[("csrf", &hidden(&page)), ("user_code", "BBBB-BBBB")]);
            let mut last = Answer::default();
            for _ in 0..12 {
                last = t.browse(&mut browser, "POST", "/device", Some(&body)).await;
            }
            last.status == 400
        }
        Fault::DeviceByGet => {
            let query = form(&[("client_id", &t.client("a").id)]);
            let path = format!("/device_authorization?{query}");
            t.send("GET", &path, &[], "").await.status == 200
        }
        Fault::DeviceDuplicates => ask(t, "a", &[("scope", "read")]).await.status == 200,
        Fault::DeviceUnknownRefused => ask(t, "a", &[("x", "1")]).await.status != 200,
        Fault::DeviceClientUnchecked => ask(t, "confidential", &[]).await.status == 200,
        Fault::DeviceCodeShort => ask(t, "a", &[]).await.text("device_code").len() < 16,
        Fault::DeviceUserCodeCounts => ask(t, "a", &[])
            .await
            .text("user_code")
            .starts_with("BBBB-"),
        Fault::DeviceUserCodeExact => {
            let asked = ask(t, "a", &[]).await;
            let lower = asked.text("user_code").to_ascii_lowercase();
            decide(t, &lower, "approve").await.status != 200
        }
        Fault::DeviceUserCodeReusable => {
            let asked = approved(t, "a").await;
            decide(t, &asked.text("user_code"), "approve").await.status == 200
        }
        _ => return None,
    })
}
