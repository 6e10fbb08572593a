//! A request, read and changed before the server sees it.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, Method, header};
use wire::form::{Pairs, encode_component};

use super::Place;

/// A request as the layer sees it.
pub(super) struct Asked {
    pub(super) place: Place,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) query: String,
    pub(super) body: Bytes,
}

impl Asked {
    /// The bytes parameters are read from.
    pub(super) fn form(&self) -> &[u8] {
        if self.method == Method::POST {
            &self.body
        } else {
            self.query.as_bytes()
        }
    }

    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        pairs(self.form())
    }

    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.pairs()
            .into_iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    pub(super) fn values(&self, name: &str) -> Vec<String> {
        self.pairs()
            .into_iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value)
            .collect()
    }

    /// The first header of this name; what is no text is empty.
    pub(super) fn header(&self, name: HeaderName) -> String {
        self.headers
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .unwrap_or_default()
    }

    /// Writes parameters back to where they came from.
    pub(super) fn set_pairs(&mut self, pairs: &[(String, String)]) {
        let text = pairs
            .iter()
            .map(|(name, value)| {
                format!(
                    "{}={}",
                    encode_component(name.as_bytes()),
                    encode_component(value.as_bytes())
                )
            })
            .collect::<Vec<_>>()
            .join("&");
        if self.method == Method::POST {
            self.body = text.into();
        } else {
            self.query = text;
        }
    }

    /// Replaces the value of a parameter.
    pub(super) fn rewrite(&mut self, name: &str, change: impl Fn(&str) -> String) {
        let mut pairs = self.pairs();
        for (key, value) in &mut pairs {
            if key == name {
                *value = change(value);
            }
        }
        self.set_pairs(&pairs);
    }

    /// The text a JSON body has, escapes and all.
    pub(super) fn json(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Basic credentials as they came.
    pub(super) fn basic(&self) -> Option<String> {
        self.header(header::AUTHORIZATION)
            .strip_prefix("Basic ")
            .map(|rest| rest.trim().to_owned())
    }
}

pub(super) fn pairs(bytes: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Pairs::parse(bytes)
        .iter()
        .map(|pair| {
            (
                text(&pair.name),
                pair.value.as_deref().map(text).unwrap_or_default(),
            )
        })
        .collect()
}
