//! Every fault does what it says, a clean server does not, and the rest keeps working.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop at the first thing that is not as it should be"
)]

mod probe;
mod support;

use oauthspec_refserver::Fault;
use probe::{
    authorization, device, documents, dpop, mcp, pushed, redirect_uri, registration,
    resource_server, revocation, signed, token_endpoint,
};
use support::{Browser, Target, start};

/// Whether the server shows the fault; `None` when no probe knows it.
async fn shows(t: &Target, fault: Fault) -> Option<bool> {
    if let Some(shown) = device::shows(t, fault).await {
        return Some(shown);
    }
    if let Some(shown) = dpop::shows(t, fault).await {
        return Some(shown);
    }
    if let Some(shown) = mcp::shows(t, fault).await {
        return Some(shown);
    }
    if let Some(shown) = documents::shows(t, fault).await {
        return Some(shown);
    }
    if let Some(shown) = authorization::shows(t, fault).await {
        return Some(shown);
    }
    if let Some(shown) = redirect_uri::shows(t, fault).await {
        return Some(shown);
    }
    if let Some(shown) = token_endpoint::shows(t, fault).await {
        return Some(shown);
    }
    if let Some(shown) = resource_server::shows(t, fault).await {
        return Some(shown);
    }
    if let Some(shown) = revocation::shows(t, fault).await {
        return Some(shown);
    }
    if let Some(shown) = pushed::shows(t, fault).await {
        return Some(shown);
    }
    if fault.name().starts_with("jar-") || fault.name().starts_with("cimd-") {
        return signed::shows(t, fault).await;
    }
    registration::shows(t, fault).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_shown_by_the_broken_server_and_not_by_the_clean_one() {
    let mut wrong = Vec::new();
    for fault in Fault::ALL {
        let (clean, broken) = (start(&[]).await, start(&[*fault]).await);
        match (shows(&clean, *fault).await, shows(&broken, *fault).await) {
            (Some(false), Some(true)) => {}
            seen => wrong.push(format!("{}: clean, broken = {seen:?}", fault.name())),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_leaves_the_rest_working() {
    let mut wrong = Vec::new();
    for fault in Fault::ALL {
        let t = start(&[*fault]).await;
        let answer = t
            .authorize_as(
                &mut Browser::default(),
                &t.request("a", &[]),
                "a",
                "approve",
            )
            .await;
        let Some(code) = answer.param("code") else {
            wrong.push(format!("{}: no code", fault.name()));
            continue;
        };
        let tokens = t.redeem("a", &code, &[]).await;
        let called = t
            .call("GET", "/a/items", &tokens.text("access_token"))
            .await
            .status;
        let next = t.refresh("a", &tokens.text("refresh_token"), &[]).await;
        let again = t
            .call("GET", "/a/items", &next.text("access_token"))
            .await
            .status;
        let seen = (tokens.status, called, next.status, again);
        if seen != (200, 200, 200, 200) {
            wrong.push(format!("{}: {seen:?}", fault.name()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
