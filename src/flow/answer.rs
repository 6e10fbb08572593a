//! What a step led to.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::suite::model::{User, Verb};
use crate::transport::{Recorded, Reply};

/// How a server said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// A redirect to the client with `error`.
    Redirect,
    /// A JSON body with `error`.
    Json,
    /// A `WWW-Authenticate` challenge at a resource server.
    Challenge,
    /// A page for a person.
    Page,
    /// A status code and nothing that OAuth defines.
    Plain,
    /// The connection or its handshake was turned down, before any HTTP: status 0, and `closed` in place of a code.
    Connection,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// What a correct request leads to: a code at the client, a token, a 2xx.
    Success,
    /// A refusal that was really received.
    Refused {
        /// The status code of the answer that refused.
        status: u16,
        /// The protocol's error code, when there is one.
        error: Option<String>,
        /// In which form.
        how: How,
    },
    /// The browser was sent somewhere else than the client's redirect URI.
    Astray {
        /// Where to.
        location: String,
        /// Whether a code or token went along.
        with_code: bool,
    },
    /// 5xx: not a refusal, a defect of its own.
    ServerError(u16),
    /// The server asked for patience, or a wall stood in between.
    Throttled(String),
    /// No complete answer.
    NoAnswer(String),
    /// The step makes no sense here, and why.
    NotApplicable(String),
}

impl Answer {
    /// For people: `refused (400 invalid_grant)`.
    pub fn words(&self) -> String {
        match self {
            Answer::Success => "succeeded".into(),
            Answer::Refused { status, error, how } => {
                let form = match how {
                    How::Redirect => "refused by redirect",
                    How::Json => "refused",
                    How::Challenge => "refused with a challenge",
                    How::Page => "refused with a page",
                    How::Plain => "refused without an OAuth error",
                    How::Connection => return "was turned down before any HTTP".into(),
                };
                match error {
                    Some(error) => format!("{form} ({status} {error})"),
                    None => format!("{form} ({status})"),
                }
            }
            Answer::Astray {
                location,
                with_code,
            } => {
                let what = if *with_code { "with a code " } else { "" };
                format!("redirected {what}to {location}")
            }
            Answer::ServerError(status) => format!("answered {status}, which is not a refusal"),
            Answer::Throttled(why) => format!("was throttled: {why}"),
            Answer::NoAnswer(why) => format!("got no answer: {why}"),
            Answer::NotApplicable(why) => format!("does not apply: {why}"),
        }
    }

    /// A connection or handshake that was turned down.
    pub(crate) fn closed() -> Answer {
        Answer::Refused {
            status: 0,
            error: Some("closed".to_owned()),
            how: How::Connection,
        }
    }

    /// Whether it is a refusal in the protocol's sense.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Answer::Refused { .. })
    }

    /// Whether nothing can be concluded from it.
    pub fn is_unknown(&self) -> bool {
        matches!(
            self,
            Answer::Throttled(_) | Answer::NoAnswer(_) | Answer::NotApplicable(_)
        )
    }
}

/// One step, done.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The verb.
    pub verb: Verb,
    /// `3 refresh`.
    pub label: String,
    /// How it ended.
    pub answer: Answer,
    /// What later steps may name.
    pub fields: BTreeMap<String, String>,
    /// The acting client's name.
    pub client: String,
    /// The resource it was about.
    pub resource: Option<String>,
    /// What the person at the browser did.
    pub user: User,
    /// The parameters that the deviation set or left out.
    pub changed: Vec<String>,
    /// Its exchanges in the scene's log.
    pub log: Range<usize>,
    /// The parameters of the decisive request, as sent.
    pub sent: Vec<(String, String)>,
    /// Parameters of the authorization response: query, fragment and form post together.
    pub response: Vec<(String, String)>,
    /// The redirect's `Location` bytes, when the browser was sent away.
    pub location: Option<Vec<u8>>,
    /// Pages the user saw.
    pub pages: Vec<String>,
    /// The same pages, with what was done on each.
    pub seen: Vec<crate::login::Seen>,
    /// How many consent pages were answered.
    pub consents: usize,
    /// The copies of a parallel step.
    pub copies: Vec<Outcome>,
}

impl Outcome {
    /// An outcome with this answer and nothing else.
    pub fn new(verb: Verb, label: &str, answer: Answer) -> Outcome {
        Outcome {
            verb,
            label: label.to_owned(),
            answer,
            fields: BTreeMap::new(),
            client: String::new(),
            resource: None,
            user: User::Approve,
            changed: Vec::new(),
            log: 0..0,
            sent: Vec::new(),
            response: Vec::new(),
            location: None,
            pages: Vec::new(),
            seen: Vec::new(),
            consents: 0,
            copies: Vec::new(),
        }
    }

    /// A field by name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// The value of a response parameter.
    pub fn response_param(&self, name: &str) -> Option<&str> {
        self.response
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first value sent for a parameter.
    pub fn sent_param(&self, name: &str) -> Option<&str> {
        self.sent
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// 429, 503, no answer and 5xx read the same at every endpoint.
pub(super) fn common(recorded: &Recorded) -> Result<&Reply, Answer> {
    match &recorded.reply {
        Err(why) => Err(Answer::NoAnswer(why.clone())),
        Ok(reply) if crate::transport::pace::is_throttling(reply) => {
            Err(Answer::Throttled(format!("answered {}", reply.status)))
        }
        Ok(reply) if reply.status >= 500 => Err(Answer::ServerError(reply.status)),
        Ok(reply) => match reply.unreadable() {
            Some(why) => Err(Answer::NoAnswer(format!(
                "answered {}, but {why}",
                reply.status
            ))),
            None => Ok(reply),
        },
    }
}

/// The same for endpoints that answer with a JSON document: one that says it is JSON and cannot be
/// read as such is no answer, neither a success nor a refusal.
pub(super) fn document(recorded: &Recorded) -> Result<&Reply, Answer> {
    let reply = common(recorded)?;
    let claims_json = reply.media_type().ends_with("json");
    match reply.read_json() {
        Err(why) if claims_json && !reply.body.is_empty() && !reply.body.starts_with(b"[") => Err(
            Answer::NoAnswer(format!("answered {}, but {why}", reply.status)),
        ),
        _ => Ok(reply),
    }
}

/// A refusal read from a JSON error body (RFC 6749 §5.2), or a plain one.
pub(crate) fn refusal(reply: &Reply) -> Answer {
    let error = reply
        .json()
        .and_then(|object| object.get("error")?.as_str().map(str::to_owned));
    let how = match (&error, reply.media_type().as_str()) {
        (Some(_), _) => How::Json,
        (None, "text/html") => How::Page,
        (None, _) => How::Plain,
    };
    Answer::Refused {
        status: reply.status,
        error,
        how,
    }
}

/// String-like members of a JSON object as fields.
pub(crate) fn json_fields(reply: &Reply) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for (name, value) in reply.json().unwrap_or_default() {
        let text = match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Null => continue,
            other => other.to_string(),
        };
        fields.insert(name, text);
    }
    fields
}
