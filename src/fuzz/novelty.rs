//! Feedback without instrumentation: an answer unlike all before it says that the request reached
//! something new, so what comes next stays near it.

use std::collections::{BTreeSet, HashSet, hash_map::DefaultHasher};
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::operation::{Kind, Program};
use super::play::{Done, Trace};
use crate::flow::{Answer, How};

/// Programs that led to something new, and what was seen.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Novelty {
    /// Hashes of the answers seen.
    seen: BTreeSet<u64>,
    /// The programs, oldest first.
    corpus: Vec<Program>,
}

/// Programs kept.
const CORPUS: usize = 400;
/// Signatures kept: a server that answers differently every time is not interesting.
const SIGNATURES: usize = 20_000;

impl Novelty {
    /// Remembers a trace; tells whether some answer to a deviating operation was new.
    pub fn observe(&mut self, program: &Program, trace: &Trace) -> bool {
        let mut new = false;
        for done in &trace.done {
            let deviates = program
                .operations
                .get(done.at)
                .is_some_and(|operation| !operation.is_plain());
            if deviates
                && self.seen.len() < SIGNATURES
                && let Some(signature) = signature(done)
            {
                new |= self.seen.insert(signature);
            }
        }
        if new && program.deviations() > 0 {
            if self.corpus.len() >= CORPUS {
                self.corpus.remove(0);
            }
            self.corpus.push(program.clone());
        }
        new
    }

    /// A program to stay near: newer ones are likelier.
    pub fn parent(&self, draw: &mut dyn FnMut(usize) -> usize) -> Option<&Program> {
        let count = self.corpus.len();
        let at = draw(count).max(draw(count));
        self.corpus.get(at)
    }

    /// How many different answers were seen.
    pub fn signatures(&self) -> usize {
        self.seen.len()
    }

    /// How many programs are kept.
    pub fn kept(&self) -> usize {
        self.corpus.len()
    }
}

/// What makes an answer itself: endpoint, status, error, which headers, the shape of the body. Values that
/// differ every time are left out, and so is everything that depends on time: how long it took, whether it
/// came at all, which copy of a race won. Otherwise the same seed would go other ways on a busy machine.
fn signature(done: &Done) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    done.kind.hash(&mut hasher);
    match &done.answer {
        Answer::Success => 0_u8.hash(&mut hasher),
        Answer::Refused { status, error, how } => {
            (1_u8, status, error).hash(&mut hasher);
            matches!(how, How::Page).hash(&mut hasher);
        }
        Answer::Astray { with_code, .. } => (2_u8, with_code).hash(&mut hasher),
        Answer::ServerError(status) => (3_u8, status).hash(&mut hasher),
        Answer::Throttled(_) | Answer::NoAnswer(_) | Answer::NotApplicable(_) => return None,
    }
    let raced = done.seen.len() > 1 && done.kind != Kind::Authorize;
    raced.hash(&mut hasher);
    for seen in done.seen.iter().take(usize::from(!raced)) {
        if !seen.fair() {
            // A server may cut it off: whether its answer arrives is chance.
            return None;
        }
        let reply = seen.answer()?;
        reply.status.hash(&mut hasher);
        reply.media_type().hash(&mut hasher);
        let mut names: Vec<&str> = reply
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        names.sort_unstable();
        names.hash(&mut hasher);
        shape(&reply.media_type(), &reply.body).hash(&mut hasher);
    }
    let names: HashSet<&String> = done.fields.keys().collect();
    let mut names: Vec<&&String> = names.iter().collect();
    names.sort_unstable();
    names.hash(&mut hasher);
    if let Some(text) = done.fields.get("error_description") {
        words(text).hash(&mut hasher);
    }
    Some(hasher.finish())
}

/// What a body is like: the names and the error of a JSON object, the title of a page, whether there is
/// anything else.
fn shape(kind: &str, body: &[u8]) -> Vec<String> {
    if let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(body) {
        let mut parts: Vec<String> = object.keys().cloned().collect();
        parts.sort();
        for name in ["error", "error_description"] {
            parts.extend(words(
                object
                    .get(name)
                    .and_then(serde_json::Value::as_str)
                    .unwrap_or_default(),
            ));
        }
        return parts;
    }
    let text = String::from_utf8_lossy(body.get(..4000).unwrap_or(body)).into_owned();
    if kind == "text/html" {
        let title = text
            .split_once("<title>")
            .and_then(|(_, rest)| rest.split_once("</title>"))
            .map_or("", |(title, _)| title);
        return words(title);
    }
    let mut parts = words(text.get(..80).unwrap_or(&text));
    parts.push(text.is_empty().to_string());
    parts
}

/// The plain words of a text; what looks made up is left out.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| {
            (3..=20).contains(&word.len())
                && !word.contains(|c: char| c.is_ascii_digit())
                && !word.contains("oauthspec")
                // The canary.
                && !word.starts_with("oz")
                && word.chars().filter(char::is_ascii_uppercase).count() < 2
        })
        .take(12)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_differ_every_time_do_not_make_a_shape_new() {
        let shape = |body: &[u8]| shape("application/json", body);
        let a = shape(
            br#"{"error":"invalid_request","error_description":"scope is unknown","id":"4711aB"}"#,
        );
        let b = shape(
            br#"{"error":"invalid_request","error_description":"scope is unknown","id":"0815xYZ"}"#,
        );
        assert_eq!(a, b);
        assert_ne!(
            a,
            shape(br#"{"error":"invalid_request","error_description":"state is unknown"}"#)
        );
    }
}
