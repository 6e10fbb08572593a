//! HAR 1.2: every exchange of the run, for tools that replay or inspect HTTP. A page is a variant of a case.

use std::collections::HashSet;
use std::io;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::event::{Exchange, Message};

use super::{Run, full_name};

/// The run as HAR.
pub fn render(run: &Run) -> io::Result<Vec<u8>> {
    let began: Timestamp = run
        .start
        .started_at
        .parse()
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let mut pages = Vec::new();
    let mut entries: Vec<(u64, Value)> = Vec::new();
    // Controls are shared between cases; each of their exchanges took place once.
    let mut seen = HashSet::new();
    for case in &run.cases {
        for variant in &case.variants {
            let name = full_name(case, variant);
            let mut first = None;
            for (flow, exchange) in variant
                .control
                .iter()
                .map(|exchange| ("control", exchange))
                .chain(
                    variant
                        .evidence
                        .iter()
                        .map(|exchange| ("deviation", exchange)),
                )
            {
                if !seen.insert((
                    exchange.started_ms,
                    exchange.duration_us,
                    &exchange.method,
                    &exchange.url,
                )) {
                    continue;
                }
                first = Some(first.map_or(exchange.started_ms, |first: u64| {
                    first.min(exchange.started_ms)
                }));
                entries.push((exchange.started_ms, entry(began, &name, flow, exchange)));
            }
            if let Some(first) = first {
                pages.push(json!({
                    "startedDateTime": moment(began, first),
                    "id": name,
                    "title": format!("{} ({}): {}", case.title, variant.verdict.word(), variant.reason),
                    "pageTimings": {},
                }));
            }
        }
    }
    entries.sort_by_key(|(started, _)| *started);
    let (name, version) = run
        .start
        .tool
        .split_once(' ')
        .unwrap_or((run.start.tool.as_str(), ""));
    let document = json!({ "log": {
        "version": "1.2",
        "creator": { "name": name, "version": version },
        "pages": pages,
        "entries": entries.into_iter().map(|(_, entry)| entry).collect::<Vec<_>>(),
        "comment": format!("{}: {}. {}", run.start.target, run.end.outcome, run.about_secrets()),
    }});
    let mut bytes = serde_json::to_vec_pretty(&document)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn moment(began: Timestamp, milliseconds: u64) -> String {
    let after = SignedDuration::from_millis(i64::try_from(milliseconds).unwrap_or(0));
    began.checked_add(after).unwrap_or(began).to_string()
}

/// A URL with what no URI may hold percent-encoded (RFC 3986 §2): masks of secrets, and the raw bytes of
/// attacks, which a reader of HAR would refuse. The `curl` line and the JSON report have it as it was sent.
fn uri(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    // Brackets belong to the host of an IPv6 address only.
    let host = url.find("://").map_or(0, |at| at + 3);
    let host_end = url
        .get(host..)
        .and_then(|after| after.find(['/', '?', '#']));
    let host_end = host_end.map_or(url.len(), |at| host + at);
    let mut fragment = false;
    for (at, byte) in url.bytes().enumerate() {
        let hex = |offset: usize| {
            url.as_bytes()
                .get(at + offset)
                .is_some_and(u8::is_ascii_hexdigit)
        };
        let plain = match byte {
            b'%' => hex(1) && hex(2),
            b'[' | b']' => at < host_end,
            b'#' => !std::mem::replace(&mut fragment, true),
            byte => byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=".contains(&byte),
        };
        if plain {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[expect(clippy::indexing_slicing, reason = "a JSON object takes any member")]
fn entry(began: Timestamp, page: &str, flow: &str, exchange: &Exchange) -> Value {
    let time = exchange.duration_us as f64 / 1000.0;
    let query: Vec<Value> = match exchange.url.split_once('?') {
        Some((_, query)) => pairs(query),
        None => Vec::new(),
    };
    let mut request = json!({
        "method": exchange.method,
        "url": uri(&exchange.url),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers(&exchange.request),
        "queryString": query,
        "headersSize": -1,
        "bodySize": exchange.request.body_bytes,
    });
    if exchange.request.body_bytes > 0 {
        request["postData"] = json!({
            "mimeType": header(&exchange.request, "content-type").unwrap_or(""),
            "text": exchange.request.body,
        });
    }
    let empty = Message::default();
    let answer = exchange.response.as_ref().unwrap_or(&empty);
    json!({
        "pageref": page,
        "startedDateTime": moment(began, exchange.started_ms),
        "time": time,
        "request": request,
        "response": {
            // Zero is what browsers write for a request that was not answered.
            "status": exchange.status.unwrap_or(0),
            "statusText": exchange.error.as_deref().unwrap_or(""),
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": headers(answer),
            "content": {
                "size": answer.body_bytes,
                "mimeType": header(answer, "content-type").unwrap_or(""),
                "text": answer.body,
            },
            "redirectURL": header(answer, "location").unwrap_or(""),
            "headersSize": -1,
            "bodySize": answer.body_bytes,
        },
        "cache": {},
        "timings": { "send": 0, "wait": time, "receive": 0 },
        "comment": format!("{flow}, step {}", exchange.step),
        "_role": exchange.role,
        "_curl": exchange.curl,
    })
}

fn headers(message: &Message) -> Vec<Value> {
    message
        .headers
        .iter()
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect()
}

fn header<'a>(message: &'a Message, wanted: &str) -> Option<&'a str> {
    message
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        .map(|(_, value)| value.as_str())
}

fn pairs(query: &str) -> Vec<Value> {
    let query = query.split('#').next().unwrap_or("");
    url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::sample;

    #[test]
    fn a_url_is_a_uri_whatever_was_sent() {
        for (sent, shown) in [
            ("https://a.example/x?a=1#b", "https://a.example/x?a=1#b"),
            (
                "http://[::1]:1/p?code=ab…[code 9]&x=%zz#a#b",
                "http://[::1]:1/p?code=ab%E2%80%A6%5Bcode%209%5D&x=%25zz#a%23b",
            ),
        ] {
            assert_eq!(uri(sent), shown);
        }
    }

    #[test]
    fn a_shared_control_appears_once_and_every_entry_has_its_page() {
        let document: Value = serde_json::from_slice(&render(&sample::run()).unwrap()).unwrap();
        let log = &document["log"];
        let ids: Vec<&str> = log["pages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|page| page["id"].as_str().unwrap())
            .collect();
        let entries = log["entries"].as_array().unwrap();
        // The sample's variants share one control of two exchanges and one deviating request.
        assert_eq!(entries.len(), 3);
        for entry in entries {
            assert!(ids.contains(&entry["pageref"].as_str().unwrap()));
            assert_eq!(entry["startedDateTime"], "2026-11-21T03:04:05.012Z");
        }
        assert_eq!(
            entries[0]["request"]["queryString"][2]["value"],
            "https://app-a.example/cb"
        );
    }

    proptest! {
        #[test]
        fn hostile_text_comes_back_as_the_same_text(text in any::<String>()) {
            crate::fuzzing::report::har(&text);
        }
    }
}
