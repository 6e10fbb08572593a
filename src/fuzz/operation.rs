//! What the fuzzer does: a program is a short sequence of operations, each with its deviations.
//!
//! A deviation is written in the words of a suite file (`with`, `without`, `raw`), so that whatever
//! is found can be written down as a case that the ordinary engine performs in the same way.

use serde::{Deserialize, Serialize};

use crate::suite::model::Verb;

/// The verbs a program is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The user follows an authorization request.
    Authorize,
    /// A code is redeemed.
    Exchange,
    /// A refresh token is used.
    Refresh,
    /// A token is revoked, and its grant looked at afterwards.
    Revoke,
    /// A token is introspected.
    Introspect,
    /// A resource server is called.
    Call,
    /// A client is registered.
    Register,
    /// A metadata document is read.
    Discover,
    /// A confidential client gets a token for itself (RFC 6749 §4.4).
    Direct,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 9] = [
        Kind::Authorize,
        Kind::Exchange,
        Kind::Refresh,
        Kind::Revoke,
        Kind::Introspect,
        Kind::Call,
        Kind::Register,
        Kind::Discover,
        Kind::Direct,
    ];

    /// The verb of a suite file.
    pub fn verb(self) -> Verb {
        match self {
            Kind::Authorize => Verb::Authorize,
            Kind::Exchange => Verb::Exchange,
            Kind::Refresh => Verb::Refresh,
            Kind::Revoke => Verb::Revoke,
            Kind::Introspect => Verb::Introspect,
            Kind::Call => Verb::Call,
            Kind::Register => Verb::Register,
            Kind::Discover => Verb::Discover,
            Kind::Direct => Verb::Http,
        }
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Direct => "client-credentials",
            other => other.verb().word(),
        }
    }

    /// The endpoint it goes to, for buckets and messages.
    pub fn endpoint(self) -> &'static str {
        match self {
            Kind::Authorize => "authorization",
            Kind::Exchange | Kind::Refresh | Kind::Direct => "token",
            Kind::Revoke => "revocation",
            Kind::Introspect => "introspection",
            Kind::Call => "resource",
            Kind::Register => "registration",
            Kind::Discover => "metadata",
        }
    }
}

/// Which credential an operation presents, before its deviations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Credential {
    /// The newest one that should work; one is arranged when there is none.
    #[default]
    Live,
    /// One that has been used up: a redeemed code, a rotated refresh token.
    Spent,
    /// A live one of another client.
    Foreign,
    /// One of another kind: an access token where a refresh token belongs, and so on.
    Kind,
}

/// What the person at the browser does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Person {
    /// Approves.
    #[default]
    Approve,
    /// Denies.
    Deny,
    /// Nobody is there.
    Absent,
}

/// A piece of a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Piece {
    /// As written.
    Text(String),
    /// A text so many times.
    Repeat(String, usize),
    /// What the correct request carries here.
    Own,
    /// `$name.field`, a built-in name of suite files.
    Named(String, String),
}

/// A value in pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Text(pub Vec<Piece>);

impl Text {
    /// A plain text.
    pub fn plain(text: impl Into<String>) -> Text {
        Text(vec![Piece::Text(text.into())])
    }

    /// What the correct request carries.
    pub fn own() -> Text {
        Text(vec![Piece::Own])
    }

    /// The own value between two texts.
    pub fn around(before: impl Into<String>, after: impl Into<String>) -> Text {
        let mut pieces = Vec::new();
        let (before, after) = (before.into(), after.into());
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::Own);
        if !after.is_empty() {
            pieces.push(Piece::Text(after));
        }
        Text(pieces)
    }

    /// A text so many times.
    pub fn repeat(text: impl Into<String>, times: usize) -> Text {
        Text(vec![Piece::Repeat(text.into(), times)])
    }

    /// A built-in name of suite files.
    pub fn named(name: &str, field: &str) -> Text {
        Text(vec![Piece::Named(name.into(), field.into())])
    }

    /// More pieces after these.
    #[must_use]
    pub fn then(mut self, piece: Piece) -> Text {
        self.0.push(piece);
        self
    }

    /// Roughly how many bytes it stands for; the own value counts as one.
    pub fn size(&self) -> usize {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.len(),
                Piece::Repeat(text, times) => text.len().saturating_mul(*times),
                Piece::Own | Piece::Named(..) => 1,
            })
            .sum()
    }
}

/// One change of a request, in the words of a suite file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edit {
    /// A parameter set to one value, or repeated with several. Encoded as it must be.
    With(String, Vec<Text>),
    /// A parameter left out.
    Without(String),
    /// A parameter whose value goes out as exactly these bytes.
    Raw(String, Text),
}

impl Edit {
    /// The parameter it touches.
    pub fn name(&self) -> &str {
        match self {
            Edit::With(name, _) | Edit::Without(name) | Edit::Raw(name, _) => name,
        }
    }

    /// The values it sets.
    pub fn values(&self) -> &[Text] {
        match self {
            Edit::With(_, values) => values,
            Edit::Raw(_, value) => std::slice::from_ref(value),
            Edit::Without(_) => &[],
        }
    }

    /// Whether it uses what correct requests carry.
    pub fn keeps(&self) -> bool {
        let pieces = self.values().iter().flat_map(|text| &text.0);
        pieces.into_iter().any(|piece| matches!(piece, Piece::Own))
    }

    /// The values it sets, for shortening.
    pub fn values_mut(&mut self) -> &mut [Text] {
        match self {
            Edit::With(_, values) => values,
            Edit::Raw(_, value) => std::slice::from_mut(value),
            Edit::Without(_) => &mut [],
        }
    }
}

/// One deviation: an operator of the table, applied to one place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Deviation {
    /// The operator's name in [`super::mutation::TABLE`].
    pub operator: String,
    /// The parameter, or `request` for the request as a whole.
    pub parameter: String,
    /// Whether a correct server treats the request as if nothing had changed.
    pub equivalent: bool,
    /// What is changed.
    pub edits: Vec<Edit>,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Operation {
    /// What is done.
    pub kind: Kind,
    /// Which client acts, an index into the usable ones; the first is the usual one.
    pub client: usize,
    /// Which resource is meant, an index into the target's.
    pub resource: usize,
    /// What is presented.
    pub credential: Credential,
    /// What the person does.
    pub person: Person,
    /// Sent so many times at once.
    pub copies: u8,
    /// What is wrong with it.
    pub deviations: Vec<Deviation>,
}

impl Operation {
    /// A correct one.
    pub fn plain(kind: Kind) -> Operation {
        Operation {
            kind,
            client: 0,
            resource: 0,
            credential: Credential::Live,
            person: Person::Approve,
            copies: 1,
            deviations: Vec::new(),
        }
    }

    /// Whether it is what a correct client does.
    pub fn is_plain(&self) -> bool {
        self.deviations.is_empty()
            && self.credential == Credential::Live
            && self.person == Person::Approve
            && self.copies <= 1
    }

    /// Whether a correct server must treat it as a correct one.
    pub fn is_equivalent(&self) -> bool {
        self.deviations.iter().all(|deviation| deviation.equivalent)
            && self.credential == Credential::Live
            && self.person == Person::Approve
            && self.copies <= 1
    }

    /// The same without anything wrong.
    #[must_use]
    pub fn corrected(&self) -> Operation {
        Operation {
            client: self.client,
            resource: self.resource,
            ..Operation::plain(self.kind)
        }
    }
}

/// A sequence of operations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Program {
    /// In order.
    pub operations: Vec<Operation>,
}

impl Program {
    /// How many deviations there are in all.
    pub fn deviations(&self) -> usize {
        self.operations
            .iter()
            .map(|operation| operation.deviations.len())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_survives_being_written_down() {
        let mut operation = Operation::plain(Kind::Exchange);
        operation.deviations.push(Deviation {
            operator: "nul-after".into(),
            parameter: "code".into(),
            equivalent: false,
            edits: vec![Edit::Raw("code".into(), Text::around("", "%00"))],
        });
        let program = Program {
            operations: vec![Operation::plain(Kind::Authorize), operation],
        };
        let text = serde_json::to_string(&program).unwrap();
        assert_eq!(serde_json::from_str::<Program>(&text).unwrap(), program);
        assert!(!program.operations[1].is_plain() && program.operations[0].is_plain());
    }
}
