//! What is wrong with an answer: the oracles, each with the guard that keeps it from crying wolf.
//!
//! An oracle only makes a candidate. It becomes a finding when the program, played again by itself,
//! shows it again (see [`super::drive`]).

mod replies;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::connection::{Lost, Seen};
use super::model::{Facts, Guard};
use super::operation::{Credential, Kind, Operation, Program};
use super::play::{Done, Trace, merged};
use crate::check::{INSIDES, error_defects, status_defect};
use crate::event::Severity;
use crate::flow::{Answer, World};
use crate::transport::Reply;

macro_rules! oracles {
    ($($variant:ident $name:literal $severity:ident [$($reference:literal),+] $title:literal $why:literal $fix:literal;)*) => {
        /// A way in which an answer can be wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Oracle { $(#[doc = $title] $variant,)* }

        impl Oracle {
            /// Every oracle.
            pub const ALL: &[Oracle] = &[$(Oracle::$variant,)*];

            /// Its name, as in findings.
            pub fn name(self) -> &'static str {
                match self { $(Oracle::$variant => $name,)* }
            }

            /// What was seen, in one line.
            pub fn title(self) -> &'static str {
                match self { $(Oracle::$variant => $title,)* }
            }

            /// What it costs.
            pub fn severity(self) -> Severity {
                match self { $(Oracle::$variant => Severity::$severity,)* }
            }

            /// Clauses.
            pub fn refs(self) -> &'static [&'static str] {
                match self { $(Oracle::$variant => &[$($reference),+],)* }
            }

            /// Why it matters.
            pub fn why(self) -> &'static str {
                match self { $(Oracle::$variant => $why,)* }
            }

            /// What a correct server does.
            pub fn fix(self) -> &'static str {
                match self { $(Oracle::$variant => $fix,)* }
            }
        }
    };
}

oracles! {
    Crash "crash" High ["rfc6749#5.2", "derived"] "The server answers 5xx." "What ends in an unhandled error was not checked; it may cost the service, or hide more." "Refuse what cannot be read with the endpoint's own error.";
    Closed "closed" High ["derived"] "The connection is closed without an answer." "A worker may have died; whoever can do that at will takes the service down." "Answer every request, if only with 400.";
    Hang "hang" High ["derived"] "The answer takes far longer than that of a correct request." "One small request that keeps a worker busy takes the service down." "Bound sizes, depth and time of whatever reads requests.";
    Forbidden "grant.forbidden" Critical ["rfc6749#10.5", "rfc9700#2.1"] "A request succeeds that must not." "A check that can be talked round protects nobody." "Compare the whole value, decoded once, in the one place where it belongs.";
    Ambiguous "grant.ambiguous" Medium ["rfc6749#3.1", "rfc6749#3.2", "oauth2.1-16#3.2"] "A request succeeds although a parameter comes twice with different values." "What one component checks is not what the next one uses." "Refuse a repeated parameter with invalid_request.";
    Double "grant.double" Critical ["rfc6749#4.1.2", "oauth2.1-16#4.3.1"] "What can be used once was used twice." "Whoever intercepts a code or token uses it beside its owner." "Mark as used and issue in one atomic step, whatever else the request says.";
    NotRevoked "grant.not-revoked" High ["rfc7009#2.2", "rfc6749#4.1.2"] "What was revoked, or replayed, lives on." "A user who withdraws access, or a leaked code that is noticed, stops nothing." "End the grant whenever the request named the token and the client may do so.";
    ForeignRevoked "grant.foreign-revoked" High ["rfc7009#2.1"] "A client ends another client's grant." "Anybody with a client can log out everybody else's users." "Verify that the token was issued to the client that revokes it.";
    Redirect "redirect.unregistered" Critical ["rfc9700#2.1", "oauth2.1-16#2.3.1"] "The browser is sent to a URI that the client has not registered." "Codes, errors and the user's trust go to whoever chose the URI." "Compare the redirect URI letter for letter before anything else, on every path.";
    Markup "reflect.html" High ["rfc9700#4.16", "derived"] "Markup from the request stands unescaped in a page." "Script runs where people log in." "Escape everything that came from outside.";
    Injection "header.injection" High ["rfc9110#5.5", "derived"] "Text from the request became a header, or broke one." "Cookies, redirects and whole answers can be forged." "Encode, or refuse, control characters in whatever goes into a header.";
    ErrorShape "error.shape" Low ["rfc6749#5.2"] "An error is not in the endpoint's own form." "Clients cannot tell what to do next." "Answer with a JSON object whose error and error_description use the allowed characters.";
    ErrorStatus "error.status" Medium ["rfc6749#5.2", "rfc6750#3"] "An error has the wrong status, or no challenge." "Clients and caches take a refusal for a success." "Answer errors with 400, or 401 with WWW-Authenticate.";
    Cache "cache" Medium ["rfc6749#5.1", "oauth2.1-16#3.2.3"] "An answer with tokens may be stored." "A shared cache hands one user's tokens to another." "Send Cache-Control: no-store with every answer that carries tokens.";
    Type "type" Low ["rfc6749#5.1"] "A member of a token answer has the wrong type, or is missing." "Clients break, or guess." "Send token_type, and expires_in as a number.";
    State "state.altered" Medium ["rfc6749#4.1.2"] "state does not come back as it was sent." "Clients refuse the answer, or lose their protection against forged ones." "Echo the exact value.";
    Leak "leak" Medium ["derived"] "An answer gives away the server's insides." "Paths, queries and stack traces tell an attacker where to go on." "Log details, and answer without them.";
    Refused "equivalent.refused" Medium ["rfc6749#3.1", "rfc6749#3.2"] "A request is refused that says the same as one that is accepted." "Clients that spell a request differently break here." "Ignore unknown parameters; decode before comparing; do not rely on order.";
    Poisoned "host.poisoned" High ["rfc8414#3.3", "derived"] "A header that anybody can send changes what the server says about itself." "A cache in between spreads the attacker's endpoints." "Build every URL from configuration.";
    Dead "liveness" Critical ["derived"] "After it the correct flow does not work any more." "One client takes the service away from everybody." "Keep what a request breaks to that request.";
}

impl Oracle {
    /// The oracle of that name.
    pub fn parse(name: &str) -> Option<Oracle> {
        Oracle::ALL
            .iter()
            .copied()
            .find(|oracle| oracle.name() == name)
    }
}

/// What the target was seen to enforce when it was asked plainly.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Policy {
    /// Soft guards that hold: `kind.guard`.
    pub enforced: Vec<String>,
    /// A revoked refresh token takes its access token along.
    pub revocation: bool,
    /// A replayed code takes its access token along.
    pub code_replay: bool,
    /// A replayed refresh token takes its family along.
    pub refresh_replay: bool,
    /// A rotated refresh token is refused.
    pub rotation: bool,
}

impl Policy {
    /// The key of a soft guard.
    pub fn key(kind: Kind, guard: Guard) -> String {
        format!("{}.{guard}", kind.word())
    }

    fn enforces(&self, kind: Kind, guard: Guard) -> bool {
        let key = Policy::key(kind, guard);
        self.enforced.contains(&key)
    }
}

/// Something that may be a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What fired.
    pub oracle: Oracle,
    /// Which operation of the program.
    pub at: usize,
    /// What was seen, in words; no secrets.
    pub note: String,
}

/// What judging needs to know.
pub struct Judge<'j> {
    /// The target.
    pub world: &'j World,
    /// What it enforces.
    pub policy: &'j Policy,
    /// How long an answer may take.
    pub patience: Duration,
    /// A marker of markup that occurs nowhere else.
    pub markup: &'j str,
}

impl Judge<'_> {
    /// Every candidate of a trace.
    pub fn judge(&self, program: &Program, trace: &Trace) -> Vec<Candidate> {
        let mut found = Vec::new();
        for done in &trace.done {
            let Some(operation) = program.operations.get(done.at) else {
                continue;
            };
            let mut out = |oracle, note: String| {
                if !found
                    .iter()
                    .any(|one: &Candidate| one.oracle == oracle && one.at == done.at)
                {
                    found.push(Candidate {
                        oracle,
                        at: done.at,
                        note,
                    });
                }
            };
            for seen in &done.seen {
                self.exchange(operation, done, seen, &mut out);
            }
            if !done.violations.itself {
                self.success(operation, done, &mut out);
                self.afterwards(operation, done, &mut out);
            }
            self.equivalent(program, operation, done, &mut out);
            self.echo(done, &mut out);
        }
        if let Some(why) = &trace.stuck
            && let Some(last) = trace.done.last()
            && trace.done.iter().any(|done| {
                program
                    .operations
                    .get(done.at)
                    .is_some_and(|operation| !operation.is_plain())
            })
        {
            let at = last.at;
            if !found.iter().any(|one| one.oracle == Oracle::Hang) {
                found.push(Candidate {
                    oracle: Oracle::Dead,
                    at,
                    note: why.clone(),
                });
            }
        }
        found
    }

    /// Successes that must not be.
    fn success(&self, operation: &Operation, done: &Done, out: &mut dyn FnMut(Oracle, String)) {
        match &done.answer {
            Answer::Astray {
                location,
                with_code,
            } => {
                let read = wire::location::read(location.as_bytes(), None);
                // A server that believes a header about its own name sends the browser to its own pages there.
                let poisoned = replies::named_by_header(done);
                if read.browser.is_some() && !poisoned {
                    let what = if *with_code {
                        "with a code"
                    } else {
                        "without a code"
                    };
                    out(
                        Oracle::Redirect,
                        format!("redirected {what} to a URI that is not registered"),
                    );
                }
                return;
            }
            Answer::Success => {}
            _ => return,
        }
        if changes(operation, "@method")
            && done
                .seen
                .first()
                .is_some_and(|seen| matches!(seen.request.method.as_str(), "OPTIONS" | "HEAD"))
        {
            return;
        }
        let violations = &done.violations;
        let useless = done.works == Some(false);
        if matches!(done.kind, Kind::Register | Kind::Discover) || useless {
            return;
        }
        if done.kind == Kind::Revoke {
            // RFC 7009 §2.2: 200 for unknown tokens too. What counts is what lives afterwards.
            if violations.hard.contains(&"client")
                && !violations.hard.contains(&"token")
                && done.alive == Some(false)
            {
                out(
                    Oracle::Forbidden,
                    "revoked without the client's credentials".into(),
                );
            }
            return;
        }
        let soft: Vec<Guard> = violations
            .soft
            .iter()
            .copied()
            .filter(|guard| self.policy.enforces(done.kind, guard))
            .collect();
        if let Some(guard) = violations.hard.first().or(soft.first()) {
            let how = if done.works == Some(true) {
                ", and it works"
            } else {
                ""
            };
            out(
                Oracle::Forbidden,
                format!("succeeded with a wrong {guard}{how}"),
            );
        } else if let Some(name) = violations.ambiguous.first() {
            out(
                Oracle::Ambiguous,
                format!("succeeded with two values for {name}"),
            );
        }
    }

    /// What lives after an operation.
    fn afterwards(&self, operation: &Operation, done: &Done, out: &mut dyn FnMut(Oracle, String)) {
        let lag = !self.world.target.policy.revocation_lag.is_zero();
        let grace = !self.world.target.policy.replay_grace.is_zero();
        // Of a refresh token that may be used again, several copies may succeed at once.
        let once = done.kind != Kind::Refresh || (self.policy.rotation && !grace);
        if done.winners.len() > 1 && done.works == Some(true) && once {
            out(
                Oracle::Double,
                format!(
                    "{} of {} copies gave tokens that work",
                    done.winners.len(),
                    operation.copies
                ),
            );
        }
        let odd = done.decisive().is_none_or(|seen| Facts::odd(&seen.request));
        match (done.kind, operation.credential, done.alive) {
            (Kind::Exchange, Credential::Live, Some(true)) => {
                out(
                    Oracle::Double,
                    "the code was redeemed, and redeemed again".into(),
                );
            }
            (Kind::Refresh, Credential::Live, Some(true)) if once => {
                out(
                    Oracle::Double,
                    "the refresh token was rotated, and used again".into(),
                );
            }
            (Kind::Exchange, Credential::Spent, Some(true))
                if self.policy.code_replay && !lag && harmless(operation) =>
            {
                out(
                    Oracle::NotRevoked,
                    "a replayed code leaves its tokens alive".into(),
                );
            }
            (Kind::Refresh, Credential::Spent, Some(true))
                if self.policy.refresh_replay && !lag && !grace && harmless(operation) =>
            {
                out(
                    Oracle::NotRevoked,
                    "a replayed refresh token leaves its family alive".into(),
                );
            }
            (Kind::Revoke, Credential::Live, Some(true))
                if done.answer == Answer::Success
                    && self.policy.revocation
                    && !lag
                    && !odd
                    && done.violations.none()
                    && !done.violations.lenient
                    && !changes(operation, "@method") =>
            {
                out(
                    Oracle::NotRevoked,
                    "revocation answers 200, and the grant lives on".into(),
                );
            }
            (Kind::Revoke, Credential::Foreign, Some(false)) => {
                out(
                    Oracle::ForeignRevoked,
                    "another client's grant has ended".into(),
                );
            }
            _ => {}
        }
    }

    /// What says the same must be treated the same.
    fn equivalent(
        &self,
        program: &Program,
        operation: &Operation,
        done: &Done,
        out: &mut dyn FnMut(Oracle, String),
    ) {
        if operation.deviations.is_empty() || !operation.is_equivalent() {
            return;
        }
        let first = program
            .operations
            .iter()
            .take(done.at)
            .all(Operation::is_equivalent);
        if first && done.answer.is_refusal() && done.violations.none() {
            out(
                Oracle::Refused,
                format!("an equivalent request was {}", done.answer.words()),
            );
        }
    }

    /// `state` comes back as it was sent.
    fn echo(&self, done: &Done, out: &mut dyn FnMut(Oracle, String)) {
        if done.kind != Kind::Authorize {
            return;
        }
        let Some(request) = done.decisive().map(|seen| &seen.request) else {
            return;
        };
        let query = request.url.split_once('?').map_or("", |(_, query)| query);
        let pairs = wire::form::Pairs::parse(match request.method.as_str() {
            "POST" => &request.body,
            _ => query.as_bytes(),
        });
        // For most readers a query ends at a `#`.
        let cut = query.contains('#');
        if cut || pairs.bad_escapes() || pairs.invalid_utf8() || pairs.count("state") != 1 {
            return;
        }
        let sent = pairs.first("state").unwrap_or_default();
        let returned = done.said.get("state");
        if !sent.is_empty() && !done.said.is_empty() && returned != Some(sent.as_str()) {
            out(Oracle::State, "state came back altered".into());
        }
    }
}

/// Whether the deviations leave the request one that a server must recognise for what it is.
fn harmless(operation: &Operation) -> bool {
    operation.copies <= 1
        && operation
            .deviations
            .iter()
            .all(|deviation| deviation.equivalent)
}

/// Whether an operation changes this parameter.
pub fn changes(operation: &Operation, name: &str) -> bool {
    merged(operation).iter().any(|edit| edit.name() == name)
}

/// Whether one byte string is in another.
pub fn contains(body: &[u8], what: &[u8]) -> bool {
    let Some(first) = what.first() else {
        return true;
    };
    let mut rest = body;
    while rest.len() >= what.len() {
        let Some(at) = rest.iter().position(|byte| byte == first) else {
            return false;
        };
        rest = rest.get(at..).unwrap_or_default();
        if rest.starts_with(what) {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::replies::{error_shape, leak};
    use super::*;

    fn reply(status: u16, kind: &str, body: &str) -> Reply {
        Reply {
            status,
            headers: vec![("content-type".into(), kind.as_bytes().to_vec())],
            body: body.into(),
            truncated: false,
        }
    }

    fn shapes(reply: &Reply) -> Vec<Oracle> {
        let mut found = Vec::new();
        error_shape(reply, &mut |oracle, _| found.push(oracle));
        found
    }

    #[test]
    fn names_are_unique_and_parse_back() {
        for oracle in Oracle::ALL {
            assert_eq!(Oracle::parse(oracle.name()), Some(*oracle));
            assert!(oracle.title().ends_with('.') && oracle.fix().ends_with('.'));
        }
    }

    #[test]
    fn an_error_must_be_a_json_object_with_error_in_plain_characters() {
        assert!(
            shapes(&reply(
                400,
                "application/json",
                r#"{"error":"invalid_grant"}"#
            ))
            .is_empty()
        );
        assert!(
            shapes(&Reply {
                status: 400,
                ..Reply::default()
            })
            .is_empty()
        );
        for body in [
            "<p>no</p>",
            "[]",
            r#"{"error":1}"#,
            r#"{"error":"a\"b"}"#,
            r#"{"error":"x","error_description":"\n"}"#,
        ] {
            assert_eq!(
                shapes(&reply(400, "application/json", body)),
                [Oracle::ErrorShape],
                "{body}"
            );
        }
    }

    #[test]
    fn a_leak_is_found_where_it_stands() {
        assert_eq!(leak(b"xx at /srv/app/x.py"), Some("/srv/app"));
        assert_eq!(leak(b"{\"error\":\"invalid_request\"}"), None);
        assert!(contains(b"aab", b"ab") && !contains(b"aa", b"ab") && contains(b"", b""));
    }
}
