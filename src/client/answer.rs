//! How an operation ended, and what the server said.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

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

/// How an operation ended.
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
    /// It makes no sense here, and why.
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

/// What the server said, by name: the members of its JSON answer, or parameters of its redirect. What we asked and did is
/// somewhere else ([`super::Asked`]), so that no name a server chooses can take the place of a fact of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said(BTreeMap<String, String>);

impl Said {
    /// The members of an answer that is a JSON object.
    pub fn of(reply: &Reply) -> Said {
        Said::from(reply.json().unwrap_or_default())
    }

    /// A member by name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether there is a member of this name that is not empty.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !value.is_empty())
    }

    /// Sets a member, in place of one of the same name.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// The names of all members.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Map<String, Value>> for Said {
    /// The members of a JSON object: strings as they are, `null` not at all, anything else as its JSON text.
    fn from(object: Map<String, Value>) -> Said {
        let text = |value| match value {
            Value::String(text) => Some(text),
            Value::Null => None,
            other => Some(other.to_string()),
        };
        let members = object.into_iter();
        Said(
            members
                .filter_map(|(name, value)| Some((name, text(value)?)))
                .collect(),
        )
    }
}

/// 429, 503, no answer and 5xx read the same at every endpoint.
pub fn common(recorded: &Recorded) -> Result<&Reply, Answer> {
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
pub fn document(recorded: &Recorded) -> Result<&Reply, Answer> {
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
pub fn refusal(reply: &Reply) -> Answer {
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
