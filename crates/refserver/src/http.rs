//! What every handler needs of HTTP: parameters read strictly, and answers with the right headers.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};

/// Form parameters: decoded, in order. A parameter without a value counts as omitted (RFC 6749 §3.1) but still as sent once.
#[derive(Debug, Default, Clone)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
}

impl Params {
    /// Reads a query or a form body. `None` when an escape is broken or the text is not UTF-8: such a request has no single reading.
    pub fn parse(bytes: &[u8]) -> Option<Params> {
        let pairs = wire::form::Pairs::parse(bytes);
        if pairs.bad_escapes() || pairs.invalid_utf8() {
            return None;
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let pairs = pairs
            .iter()
            .map(|pair| {
                (
                    text(&pair.name),
                    pair.value.as_deref().map(text).unwrap_or_default(),
                )
            })
            .collect();
        Some(Params { pairs })
    }

    /// Reads a JSON object: strings, numbers and truth values as text, `null` as left out. `None` when it is no object, holds another one or a list,
    /// or repeats a name.
    pub fn from_json(bytes: &[u8]) -> Option<Params> {
        let read = wire::json::scan(bytes, wire::json::Limits::default()).ok()?;
        let Ok(Value::Object(members)) = serde_json::from_slice(bytes) else {
            return None;
        };
        if members
            .values()
            .any(|value| value.is_array() || value.is_object())
        {
            return None;
        }
        let pairs = members.into_iter().filter_map(|(name, value)| match value {
            Value::Null => None,
            Value::String(text) => Some((name, text)),
            other => Some((name, other.to_string())),
        });
        read.duplicates.is_empty().then(|| Params {
            pairs: pairs.collect(),
        })
    }

    /// The first non-empty value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// Whether the parameter was sent at all, empty or not.
    pub fn sent(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, _)| key == name)
    }

    /// Every non-empty value in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.pairs
            .iter()
            .filter(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The first name that was sent more than once; `resource` may be (RFC 8707 §2).
    pub fn repeated(&self) -> Option<&str> {
        let names = || self.pairs.iter().map(|(key, _)| key.as_str());
        names()
            .enumerate()
            .find(|(at, name)| {
                *name != "resource" && names().take(*at).any(|earlier| earlier == *name)
            })
            .map(|(_, name)| name)
    }

    /// How often a name was sent.
    pub fn count(&self, name: &str) -> usize {
        self.pairs.iter().filter(|(key, _)| key == name).count()
    }

    /// Every pair as sent.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// Replaces a parameter, or adds it.
    pub fn set(&mut self, name: &str, value: &str) {
        self.pairs.retain(|(key, _)| key != name);
        self.pairs.push((name.to_owned(), value.to_owned()));
    }

    /// Adds a parameter.
    pub fn push(&mut self, name: &str, value: &str) {
        self.pairs.push((name.to_owned(), value.to_owned()));
    }

    /// The parameters but for these.
    pub fn without(&self, names: &[&str]) -> Params {
        let mut kept = self.clone();
        kept.pairs.retain(|(key, _)| !names.contains(&key.as_str()));
        kept
    }

    /// Adds parameters from another place.
    pub fn extend(&mut self, other: Params) {
        self.pairs.extend(other.pairs);
    }

    /// Keeps only the last value of each name but `resource`.
    pub fn keep_last(&mut self) {
        let all = std::mem::take(&mut self.pairs);
        for (at, (name, value)) in all.iter().enumerate() {
            if name == "resource" || !all.iter().skip(at + 1).any(|(later, _)| later == name) {
                self.pairs.push((name.clone(), value.clone()));
            }
        }
    }
}

/// Whether the one Content-Type is `application/x-www-form-urlencoded`, parameters allowed.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|kind| kind == "application/x-www-form-urlencoded")
}

/// Whether the one Content-Type is `application/json`.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|kind| kind == "application/json")
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let mut all = headers.get_all(header::CONTENT_TYPE).iter();
    let (one, more) = (all.next()?, all.next());
    let kind = one
        .to_str()
        .ok()?
        .split(';')
        .next()?
        .trim()
        .to_ascii_lowercase();
    more.is_none().then_some(kind)
}

/// The one value of a header that must not be repeated. `Err` when it is repeated or not text.
pub(crate) fn single(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, ()> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        _ => Err(()),
    }
}

/// The credentials of `Authorization: Bearer …`; the scheme in any case.
pub(crate) fn bearer(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| rest.trim_matches(' '))
}

/// The credentials of `Authorization: DPoP …` (RFC 9449 §7.1).
pub(crate) fn dpop(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("dpop")
        .then(|| rest.trim_matches(' '))
}

/// A cookie of that name; the first one when there are several.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// Sets a header when the value is one; a value that is not is dropped, never sent half.
pub(crate) fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        response.headers_mut().insert(name, value);
    }
}

/// A status and nothing else.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// A JSON answer.
pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, "application/json");
    set(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    response
}

/// A JSON answer that no cache may keep: everything with a secret in it, and every error about one.
pub(crate) fn secret_json(status: StatusCode, body: &Value) -> Response {
    let mut response = json_response(status, body);
    set(&mut response, header::CACHE_CONTROL, "no-store");
    set(&mut response, header::PRAGMA, "no-cache");
    response
}

/// An OAuth error answer (RFC 6749 §5.2).
pub(crate) fn oauth_error(status: StatusCode, error: &str, description: &str) -> Response {
    secret_json(
        status,
        &json!({"error": error, "error_description": description}),
    )
}

/// An HTML page that cannot be framed, cached or sniffed, and that tells nobody where it was.
pub(crate) fn page(status: StatusCode, markup: maud::Markup) -> Response {
    let mut response = Response::new(Body::from(markup.into_string()));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        set(&mut response, name, value);
    }
    response
}

/// A redirect; `None` when the target cannot be a header value.
pub(crate) fn redirect(status: StatusCode, location: &str) -> Option<Response> {
    let value = HeaderValue::from_bytes(location.as_bytes()).ok()?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(header::LOCATION, value);
    set(&mut response, header::CACHE_CONTROL, "no-store");
    set(&mut response, header::REFERRER_POLICY, "no-referrer");
    Some(response)
}

/// A redirect URI with response parameters added to its query (RFC 6749 §4.1.2): what was registered stays as it is.
pub(crate) fn with_query(uri: &str, params: &[(&str, &str)]) -> String {
    let mut out = uri.to_owned();
    for (name, value) in params {
        out.push(if out.contains('?') { '&' } else { '?' });
        out.push_str(&wire::form::encode_component(name.as_bytes()));
        out.push('=');
        out.push_str(&wire::form::encode_component(value.as_bytes()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Params;

    #[test]
    fn a_json_body_is_read_as_strictly_as_a_form() {
        let read = |text: &str| Params::from_json(text.as_bytes());
        let params = read(r#"{"code":"c","n":7,"gone":null,"empty":""}"#).unwrap_or_default();
        assert_eq!(
            (params.get("code"), params.get("n")),
            (Some("c"), Some("7"))
        );
        assert!(!params.sent("gone") && params.sent("empty") && params.get("empty").is_none());
        for bad in [
            "",
            "[]",
            "code=c",
            r#"{"code":"c","code":"d"}"#,
            r#"{"code":["c"]}"#,
            r#"{"code":{}}"#,
        ] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }
}
