//! What a step led to.

use std::ops::Range;

use crate::client::{Answer, Asked, Said};
use crate::suite::model::{User, Verb};

/// One step, done.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The verb.
    pub verb: Verb,
    /// `3 refresh`.
    pub label: String,
    /// How it ended.
    pub answer: Answer,
    /// What we asked and did.
    pub asked: Asked,
    /// What the server said.
    pub said: Said,
    /// The status code of the decisive answer.
    pub status: Option<String>,
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
            asked: Asked::default(),
            said: Said::default(),
            status: None,
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

    /// What a later step means by `$step.NAME`: a fact of ours, else the server's word. A name that is ours alone is never the server's.
    pub fn field(&self, name: &str) -> Option<&str> {
        let asked = &self.asked;
        match name {
            "code" => self.code(),
            "status" => self.status.as_deref(),
            "redirect_uri" => asked.redirect_uri.as_deref(),
            "verifier" => asked.verifier.as_deref(),
            "challenge" => asked.challenge.as_deref(),
            "session" => asked.session.as_deref(),
            "mcp_session" => asked.mcp_session.as_deref(),
            "state" => asked.state.as_deref().or_else(|| self.said.get(name)),
            "client_id" => asked.client_id.as_deref().or_else(|| self.said.get(name)),
            _ => self.said.get(name),
        }
    }

    /// The code that an authorization got, or that was redeemed.
    pub fn code(&self) -> Option<&str> {
        let got = self.said.get("code");
        let got = got.filter(|_| self.verb == Verb::Authorize);
        self.asked.code.as_deref().or(got)
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
