//! What the browser's log tells: exchanges, what is still on its way, and whether the client's address was reached.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::{redirect, text};
use crate::login::{End, Visit};
use crate::transport::{Recorded, Reply, Request};

/// Exchanges of the browser that are kept.
const MOST_KEPT: usize = 200;
/// What the browser's log told.
#[derive(Default)]
pub(super) struct Log {
    pub(super) exchanges: Vec<Recorded>,
    requests: BTreeMap<String, Request>,
    /// Requests without an answer yet.
    pub(super) open: BTreeSet<String>,
    /// The status of the newest page.
    pub(super) status: u16,
    pub(super) arrived: Option<End>,
}

impl Log {
    pub(super) fn hear(&mut self, events: Vec<Value>, visit: &Visit<'_>) {
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
