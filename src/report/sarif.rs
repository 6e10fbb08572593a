//! SARIF 2.1.0, for code scanning: a rule for every case that needs attention, a result for every
//! variant that failed or warned.

use std::io;

use serde_json::{Value, json};

use crate::event::{CaseReport, Exchange, Message, Severity, VariantReport, Verdict};
use crate::suite::refs;

use super::{Run, decided_words, full_name, level_word, severity_word, text};

/// The run as SARIF.
pub fn render(run: &Run) -> io::Result<Vec<u8>> {
    let troubles: Vec<&CaseReport> = run.troubles().into_iter().chain(run.waived()).collect();
    let reported: Vec<&CaseReport> = troubles
        .iter()
        .copied()
        .filter(|case| case.verdict != Verdict::Error)
        .collect();
    let mut results = Vec::new();
    for (index, case) in reported.iter().enumerate() {
        for variant in &case.variants {
            if matches!(variant.verdict, Verdict::Fail | Verdict::Warn) {
                results.push(result(run, case, variant, index));
            }
        }
    }
    let (name, version) = run
        .start
        .tool
        .split_once(' ')
        .unwrap_or((run.start.tool.as_str(), ""));
    let document = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": name,
                "semanticVersion": version,
                "rules": reported.iter().map(|case| rule(case)).collect::<Vec<_>>(),
            }},
            "automationDetails": { "id": format!("oauthspec/{}", text::line(&run.start.target)) },
            "invocations": [{
                "executionSuccessful": run.end.interrupted.is_none() && run.end.summary.error == 0,
                "exitCode": run.end.exit_code,
                "exitCodeDescription": text::line(&run.end.outcome),
                "startTimeUtc": run.start.started_at,
                "toolExecutionNotifications": notifications(run, &troubles),
            }],
            "columnKind": "unicodeCodePoints",
            "results": results,
            "properties": {
                "target": run.start.target,
                "profiles": run.start.profiles,
                "seed": run.start.seed,
                "summary": run.end.summary,
                "policy": run.end.policy,
            },
        }],
    });
    let mut bytes = serde_json::to_vec_pretty(&document)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn message(words: &str) -> Value {
    json!({ "text": text::sarif(words) })
}

#[expect(clippy::indexing_slicing, reason = "a JSON object takes any member")]
fn rule(case: &CaseReport) -> Value {
    let mut rule = json!({
        "id": case.id,
        "name": text::line(&case.id),
        "shortDescription": message(&case.title),
        "fullDescription": message(&case.why),
        "help": message(&format!("{} See {}.", case.fix, refs::display_all(&case.refs))),
        "defaultConfiguration": { "level": level(case.verdict) },
        "properties": {
            "tags": ["security", "oauth", level_word(case.level), severity_word(case.severity)],
            "security-severity": security_severity(case.severity),
            "refs": case.refs,
        },
    });
    if let Some(address) = case
        .refs
        .iter()
        .find_map(|reference| refs::address(reference))
    {
        rule["helpUri"] = json!(address);
    }
    rule
}

#[expect(clippy::indexing_slicing, reason = "a JSON object takes any member")]
fn result(run: &Run, case: &CaseReport, variant: &VariantReport, rule: usize) -> Value {
    let name = full_name(case, variant);
    // Code scanning shows the first location, and only of a file of the repository: the target file is
    // there, the suite file seldom.
    let target = run.start.target_file.as_deref().and_then(physical);
    let (first, second) = match (target, physical(&case.source)) {
        (None, suite) => (suite, None),
        both => both,
    };
    let mut location = json!({ "logicalLocations": [{ "fullyQualifiedName": text::line(&name), "kind": "member" }] });
    if let Some(first) = first {
        location["physicalLocation"] = first;
    }
    let mut result = json!({
        "ruleId": case.id,
        "ruleIndex": rule,
        "kind": "fail",
        "level": level(variant.verdict),
        "message": message(&format!("{}: {}", variant.deviation, variant.reason)),
        "locations": [location],
        "partialFingerprints": { "oauthspecCase/v1": name },
    });
    if let Some(second) = second {
        result["relatedLocations"] = json!([{
            "id": 1,
            "message": message("the case, as its suite states it"),
            "physicalLocation": second,
        }]);
    }
    if let Some(waived) = &case.waived {
        result["suppressions"] =
            json!([{ "kind": "external", "justification": text::line(waived) }]);
    }
    if let Some(exchange) = super::exchange::story(variant).failing.first() {
        result["webRequest"] = web_request(exchange);
        if let (Some(status), Some(response)) = (exchange.status, &exchange.response) {
            result["webResponse"] = json!({
                "statusCode": status,
                "headers": headers(response),
                "body": { "text": response.body },
                "noResponseReceived": false,
            });
        }
    }
    result
}

fn web_request(exchange: &Exchange) -> Value {
    json!({
        "protocol": "http",
        "method": exchange.method,
        "target": exchange.url,
        "headers": headers(&exchange.request),
        "body": { "text": exchange.request.body },
    })
}

/// SARIF knows each header once; repeated ones are joined as RFC 9110 §5.2 does.
fn headers(message: &Message) -> Value {
    let mut map = serde_json::Map::new();
    for (name, value) in &message.headers {
        match map.get_mut(name) {
            Some(Value::String(known)) => {
                known.push_str(", ");
                known.push_str(value);
            }
            _ => {
                map.insert(name.clone(), Value::String(value.clone()));
            }
        }
    }
    Value::Object(map)
}

fn notifications(run: &Run, troubles: &[&CaseReport]) -> Vec<Value> {
    let mut found: Vec<Value> = troubles
        .iter()
        .filter(|case| case.verdict == Verdict::Error)
        .map(|case| json!({ "level": "error", "message": message(&format!("{}: {}", case.id, case.reason)) }))
        .collect();
    for problem in run.end.problems.iter().chain(&run.end.interrupted) {
        found.push(json!({ "level": "error", "message": message(problem) }));
    }
    found.push(json!({ "level": "note", "message": message(&decided_words(&run.end.summary)) }));
    found
}

fn level(verdict: Verdict) -> &'static str {
    if verdict == Verdict::Warn {
        "warning"
    } else {
        "error"
    }
}

/// The scale code scanning sorts by: over 9 is critical, over 7 high, over 4 medium.
fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "3.0",
        Severity::Cosmetic => "0.1",
    }
}

/// A file and a line, `suites/pkce.toml:12`; none outside the working folder, where nobody finds it.
fn physical(source: &str) -> Option<Value> {
    let (path, line) = match source.rsplit_once(':') {
        Some((path, line)) => (path, line.parse::<u32>().unwrap_or(1).max(1)),
        None => (source, 1),
    };
    let outside = std::path::Path::new(path).is_absolute() || path.split('/').any(|at| at == "..");
    (!outside).then(|| {
        json!({
            "artifactLocation": { "uri": relative_uri(path.trim_start_matches("./")) },
            "region": { "startLine": line },
        })
    })
}

/// A path as a relative URI reference.
fn relative_uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.trim_start_matches('/').bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte))
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::fuzzing::report::sarif::{holds, read};
    use crate::report::sample;

    #[test]
    fn every_failing_variant_is_a_result_of_its_rule() {
        let document = read(&sample::run());
        let run = &document["runs"][0];
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), 4, "two variants, one failure, one warning");
        for result in results {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(
                run["tool"]["driver"]["rules"][index]["id"],
                result["ruleId"]
            );
            assert!(
                result["locations"][0]["physicalLocation"]["region"]["startLine"]
                    .as_u64()
                    .unwrap()
                    >= 1
            );
        }
        assert_eq!(
            run["invocations"][0]["executionSuccessful"], false,
            "one case is our own error"
        );
    }

    #[test]
    fn a_waived_failure_is_suppressed_with_its_reason() {
        let mut cases = sample::cases();
        cases[1].waived = Some("known since spring".into());
        let document = read(&sample::run_of(cases));
        let suppressed: Vec<_> = document["runs"][0]["results"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|result| result["suppressions"][0]["justification"] == "known since spring")
            .collect();
        assert_eq!(suppressed.len(), 2);
    }

    #[test]
    fn a_result_is_found_in_the_target_file_and_related_to_its_case() {
        let at = |run: &crate::report::Run| {
            let result = read(run)["runs"][0]["results"][0].clone();
            let place = |of: &serde_json::Value| {
                let place = &of["physicalLocation"];
                let uri = place["artifactLocation"]["uri"].as_str().map(str::to_owned);
                (
                    uri.unwrap_or_default(),
                    place["region"]["startLine"].as_u64(),
                )
            };
            (
                place(&result["locations"][0]),
                place(&result["relatedLocations"][0]),
            )
        };
        let mut run = sample::run();
        let suite = ("suites/redirect.toml".to_owned(), Some(12));
        assert_eq!(
            at(&run),
            (("target.toml".to_owned(), Some(3)), suite.clone())
        );
        for elsewhere in [None, Some("/etc/target.toml:3"), Some("../target.toml:3")] {
            run.start.target_file = elsewhere.map(str::to_owned);
            assert_eq!(at(&run), (suite.clone(), (String::new(), None)));
        }
    }

    proptest! {
        #[test]
        fn hostile_text_comes_back_as_the_same_text(text in any::<String>()) {
            holds(&text);
        }
    }
}
