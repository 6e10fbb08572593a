//! A request under construction: named parameters first, bytes last.
//!
//! [`super::request`] fills in the correct parameters; whoever deviates alters them; [`Draft::finish`] encodes. Client
//! authentication is applied last, from the parameters `client_id` and `client_secret`, so that a
//! deviation of either reaches the header as well as the body.

use base64::Engine as _;
use serde_json::Value as Json;

use crate::targets::model::ClientAuth;
use crate::transport::Request;
use wire::form::{encode_component, encode_into};

/// How parameters are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// In the URL's query.
    Query,
    /// As a form body.
    Form,
    /// As a JSON object body.
    Json,
}

/// The most that a request is swollen by, in bytes or parameters.
const MOST_PADDING: usize = 2_000_000;

/// A parameter's value before encoding.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// Percent-encoded where it must be.
    Text(String),
    /// Sent as these bytes.
    Raw(String),
    /// A structure: a JSON value in a JSON body, its text elsewhere.
    Json(Json),
}

impl Param {
    fn text(&self) -> String {
        match self {
            Param::Text(text) | Param::Raw(text) => text.clone(),
            Param::Json(Json::String(text)) => text.clone(),
            Param::Json(json) => json.to_string(),
        }
    }
}

/// A request under construction.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The method; decides between query and body when it is changed to GET.
    pub method: String,
    /// The endpoint.
    pub url: String,
    /// How parameters travel.
    pub encoding: Encoding,
    /// Parameters in order; a repeated name is a repeated parameter.
    pub params: Vec<(String, Param)>,
    /// Client authentication, when the endpoint has one.
    pub auth: Option<ClientAuth>,
    /// Send `client_id` in the body, even when the header names the client too.
    pub names_client: bool,
    /// Send the credentials in the header and in the body.
    pub auth_both: bool,
    /// The whole Authorization header, when set.
    pub authorization: Option<String>,
    /// The access token that goes along as a header, for a proof of possession.
    pub presented: Option<String>,
    /// Which parameter is the credential that the request shows.
    pub credential: Option<&'static str>,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// Parameters moved to the query of a POST.
    pub query: Vec<(String, Param)>,
    /// Parameters that stay outside of a request object.
    pub outside: Vec<(String, Param)>,
    /// Body parameters added after client authentication.
    pub body_extra: Vec<(String, Param)>,
    /// The whole body, when set.
    pub body: Option<String>,
    /// The content type, when changed; empty leaves the header out.
    pub content_type: Option<String>,
    /// What the step says to its verb and not to the server: `@interval`, `@guesses`, `@dpop`.
    pub options: Vec<(String, String)>,
    /// Signs client assertions.
    pub assertion: Option<Assertion>,
}

/// What a `private_key_jwt` assertion needs (RFC 7523 §3).
#[derive(Debug, Clone)]
pub struct Assertion {
    /// The signed assertion.
    pub jwt: String,
}

impl Draft {
    /// An empty draft.
    pub fn new(method: &str, url: &str, encoding: Encoding) -> Draft {
        Draft {
            method: method.to_owned(),
            url: url.to_owned(),
            encoding,
            params: Vec::new(),
            auth: None,
            names_client: false,
            auth_both: false,
            authorization: None,
            presented: None,
            credential: None,
            headers: Vec::new(),
            query: Vec::new(),
            outside: Vec::new(),
            body_extra: Vec::new(),
            body: None,
            content_type: None,
            options: Vec::new(),
            assertion: None,
        }
    }

    /// Adds a parameter.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.params
            .push((name.to_owned(), Param::Text(value.into())));
    }

    /// Adds a parameter when there is a value.
    pub fn push_some(&mut self, name: &str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.push(name, value);
        }
    }

    /// The first value of a parameter, as text.
    pub fn get(&self, name: &str) -> Option<String> {
        self.params
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.text())
    }

    /// The first value of a parameter as a server reads it: what is sent as it is may be encoded.
    pub fn meant(&self, name: &str) -> Option<String> {
        let (_, value) = self.params.iter().find(|(key, _)| key == name)?;
        Some(match value {
            Param::Raw(raw) => {
                let decoded = wire::form::decode_component(raw.as_bytes());
                String::from_utf8_lossy(&decoded).into_owned()
            }
            other => other.text(),
        })
    }

    /// What the step says to its verb under this name.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Every value of a parameter, as text.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.params
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.text())
            .collect()
    }

    /// Replaces a parameter in place (or appends it).
    pub fn set(&mut self, name: &str, values: Vec<Param>) {
        let at = self
            .params
            .iter()
            .position(|(key, _)| key == name)
            .unwrap_or(self.params.len());
        self.params.retain(|(key, _)| key != name);
        let at = at.min(self.params.len());
        let new = values.into_iter().map(|value| (name.to_owned(), value));
        self.params.splice(at..at, new);
    }

    /// Leaves a parameter out.
    pub fn remove(&mut self, name: &str) {
        self.params.retain(|(key, _)| key != name);
    }

    /// Leaves a parameter or pseudo parameter out.
    pub fn leave_out(&mut self, name: &str) {
        match name {
            "@authorization" => self.authorization = Some(String::new()),
            "@content-type" => self.content_type = Some(String::new()),
            "@auth" => self.auth = None,
            "@dpop" => self.options.retain(|(known, _)| known != name),
            _ => self.remove(name),
        }
    }

    /// Sets a parameter or pseudo parameter.
    ///
    /// # Errors
    /// A pseudo parameter, encoding or authentication method that does not exist, in words.
    pub fn alter(&mut self, name: &str, values: Vec<Param>) -> Result<(), String> {
        let text = || values.first().map(Param::text).unwrap_or_default();
        match name {
            "@method" => self.method = text(),
            "@url" => self.url = text(),
            "@content-type" => self.content_type = Some(text()),
            "@encoding" => self.choose_encoding(&text())?,
            "@authorization" => self.authorization = Some(text()),
            "@body" => self.body = Some(text()),
            "@accept" => self.headers.push(("Accept".into(), text())),
            "@auth" => self.choose_auth(&text())?,
            "@pad" | "@pad-header" | "@many" => self.swell(name, &text())?,
            "@scheme" => self.choose_scheme(&text())?,
            "@interval" | "@guesses" | "@dpop" | "@request" | "@status" | "@location" | "@size"
            | "@tls" => {
                self.options.retain(|(known, _)| known != name);
                self.options.push((name.to_owned(), text()));
            }
            // The verb reads this one before anything is arranged.
            "@direct" => {}
            _ => {
                if let Some(header) = name.strip_prefix("@header.") {
                    for value in &values {
                        self.headers.push((header.to_owned(), value.text()));
                    }
                } else if let Some(parameter) = name.strip_prefix("@query.") {
                    self.remove(parameter);
                    for value in values {
                        self.query.push((parameter.to_owned(), value));
                    }
                } else if let Some(parameter) = name.strip_prefix("@outside.") {
                    for value in values {
                        self.outside.push((parameter.to_owned(), value));
                    }
                } else if let Some(parameter) = name.strip_prefix("@body.") {
                    for value in values {
                        self.body_extra.push((parameter.to_owned(), value));
                    }
                } else if name.starts_with('@') {
                    return Err(format!("{name} is not a pseudo parameter"));
                } else {
                    self.set(name, values);
                }
            }
        }
        Ok(())
    }

    /// Makes the request big: a long parameter, a long header, or many parameters.
    fn swell(&mut self, how: &str, size: &str) -> Result<(), String> {
        let size: usize = size
            .parse()
            .ok()
            .filter(|size| *size <= MOST_PADDING)
            .ok_or_else(|| format!("{how} takes a number up to {MOST_PADDING}"))?;
        match how {
            "@pad" => self.push("oauthspec_pad", "x".repeat(size)),
            "@pad-header" => self
                .headers
                .push(("X-Oauthspec-Pad".into(), "x".repeat(size))),
            _ => {
                for number in 0..size {
                    self.push(&format!("oauthspec_{number}"), "x");
                }
            }
        }
        Ok(())
    }

    /// The same host and, where it is written, the same port, spoken to in another way.
    fn choose_scheme(&mut self, scheme: &str) -> Result<(), String> {
        if scheme != "http" {
            return Err(format!("{scheme} is not a way to send this: http"));
        }
        if self.get("client_secret").is_some() || self.assertion.is_some() {
            return Err("the client has a secret, which must not travel in the clear".into());
        }
        if let Some(rest) = self.url.strip_prefix("https:") {
            self.url = format!("http:{rest}");
        }
        Ok(())
    }

    fn choose_auth(&mut self, word: &str) -> Result<(), String> {
        self.auth_both = word == "both";
        self.auth = Some(match word {
            "none" => {
                self.remove("client_secret");
                ClientAuth::None
            }
            "client_secret_basic" | "both" => ClientAuth::Basic,
            "client_secret_post" => ClientAuth::Post,
            "private_key_jwt" => ClientAuth::PrivateKeyJwt,
            _ => return Err(format!("{word} is not a client authentication method")),
        });
        Ok(())
    }

    fn choose_encoding(&mut self, word: &str) -> Result<(), String> {
        self.encoding = match word {
            "form" => Encoding::Form,
            "json" => Encoding::Json,
            _ => return Err(format!("{word} is not an encoding: form or json")),
        };
        Ok(())
    }

    /// The parameters that will be sent, decoded, for the record.
    pub fn sent(&self) -> Vec<(String, String)> {
        self.params
            .iter()
            .chain(&self.query)
            .chain(&self.body_extra)
            .map(|(name, value)| (name.clone(), value.text()))
            .collect()
    }

    /// Encodes the request.
    pub fn finish(mut self) -> Request {
        self.authenticate();
        let mut request = Request {
            method: self.method.clone(),
            url: self.url.clone(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let in_query = self.encoding == Encoding::Query && self.method != "POST"
            || matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        let fields = self.params.iter().chain(&self.body_extra);
        let mut query = encoded(&self.query);
        if in_query {
            let all = self.params.iter().chain(&self.query);
            query = encoded(all.chain(&self.body_extra));
        } else {
            request.body = match self.encoding {
                Encoding::Json => json_body(fields),
                Encoding::Form | Encoding::Query => encoded(fields),
            };
            let natural = match self.encoding {
                Encoding::Json => "application/json",
                Encoding::Form | Encoding::Query => "application/x-www-form-urlencoded",
            };
            match self.content_type.as_deref() {
                None => request.set("Content-Type", natural),
                Some("") => {}
                Some(other) => request.set("Content-Type", other),
            }
        }
        if let Some(body) = self.body {
            request.body = body.into_bytes();
        }
        if !query.is_empty() {
            let separator = if request.url.contains('?') { '&' } else { '?' };
            request.url.push(separator);
            // Raw values may hold any bytes; the raw transport sends them as they are.
            request.url.push_str(&String::from_utf8_lossy(&query));
        }
        if let Some(value) = self.authorization.filter(|value| !value.is_empty()) {
            request.headers.push(("Authorization".into(), value));
        }
        request.headers.extend(self.headers);
        request
    }

    /// Moves `client_id` and `client_secret` to where the method wants them (RFC 6749 §2.3.1).
    fn authenticate(&mut self) {
        let Some(auth) = self.auth else {
            return;
        };
        match auth {
            ClientAuth::None | ClientAuth::Post => {}
            ClientAuth::Basic => {
                let (Some(id), Some(secret)) = (self.get("client_id"), self.get("client_secret"))
                else {
                    return;
                };
                let credential = format!(
                    "{}:{}",
                    encode_component(id.as_bytes()),
                    encode_component(secret.as_bytes())
                );
                let encoded = base64::engine::general_purpose::STANDARD.encode(credential);
                if self.authorization.is_none() {
                    self.authorization = Some(format!("Basic {encoded}"));
                }
                if !self.auth_both {
                    if !self.names_client {
                        self.remove("client_id");
                    }
                    self.remove("client_secret");
                }
            }
            ClientAuth::PrivateKeyJwt => {
                if let Some(assertion) = self.assertion.take() {
                    self.push(
                        "client_assertion_type",
                        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                    );
                    self.push("client_assertion", assertion.jwt);
                }
            }
        }
    }
}

/// Parameters joined by `&`: texts percent-encoded, raw values as they are.
fn encoded<'a>(params: impl IntoIterator<Item = &'a (String, Param)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in params {
        if !out.is_empty() {
            out.push(b'&');
        }
        encode_into(name.as_bytes(), &mut out);
        out.push(b'=');
        match value {
            Param::Raw(raw) => out.extend_from_slice(raw.as_bytes()),
            Param::Text(text) => encode_into(text.as_bytes(), &mut out),
            Param::Json(_) => encode_into(value.text().as_bytes(), &mut out),
        }
    }
    out
}

/// A JSON object; a raw value stands in it as it is, a repeated name stays repeated.
fn json_body<'a>(params: impl Iterator<Item = &'a (String, Param)>) -> Vec<u8> {
    let members: Vec<String> = params
        .map(|(name, value)| {
            let value = match value {
                Param::Text(text) => Json::String(text.clone()).to_string(),
                Param::Raw(raw) => raw.clone(),
                Param::Json(json) => json.to_string(),
            };
            format!("{}:{value}", Json::String(name.clone()))
        })
        .collect();
    format!("{{{}}}", members.join(",")).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{Draft, Encoding, Param};

    #[test]
    fn a_body_goes_out_in_the_encoding_that_was_chosen() {
        let sent = |encoding: Encoding, chosen: &str| {
            let mut draft = Draft::new("POST", "https://as.example/token", encoding);
            draft.push("code", "a b");
            draft
                .alter("@encoding", vec![Param::Text(chosen.to_owned())])
                .map(|()| {
                    let request = draft.finish();
                    let kind = request
                        .header("content-type")
                        .unwrap_or_default()
                        .to_owned();
                    (String::from_utf8(request.body).unwrap_or_default(), kind)
                })
        };
        let form = (
            "code=a+b".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        );
        let json = (
            "{\"code\":\"a b\"}".to_owned(),
            "application/json".to_owned(),
        );
        assert_eq!(sent(Encoding::Json, "form"), Ok(form));
        assert_eq!(sent(Encoding::Form, "json"), Ok(json));
        assert!(sent(Encoding::Form, "xml").is_err());
    }
}
