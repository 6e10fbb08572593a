//! What a check may look at, and the few questions many checks ask.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};
use wire::form::Pairs;
use wire::json::{Document, Limits, Value, scan};

use super::Finding;
use crate::flow::scene::Logged;
use crate::flow::{Answer, How, Outcome, Scene};
use crate::login::html;
use crate::suite::model::Verb;
use crate::targets::model::{Client, Resource, Target};
use crate::transport::{Recorded, Reply};

/// One step of a scene with everything that stands around it. Nothing in here is redacted.
pub struct View<'s> {
    /// What is tested.
    pub target: &'s Target,
    /// The metadata of the run.
    pub metadata: Option<&'s Map<String, Json>>,
    /// Where it was found.
    pub metadata_url: Option<&'s str>,
    /// The server's public keys.
    pub jwks: Option<&'s Json>,
    /// The authorization endpoint.
    pub authorization_endpoint: &'s str,
    /// The token endpoint.
    pub token_endpoint: &'s str,
    /// The marker that occurs nowhere else.
    pub canary: &'s str,
    /// Every step of the scene so far.
    pub outcomes: &'s [Outcome],
    /// Every exchange of the scene so far.
    pub log: &'s [Logged],
    /// What was asked of our listener in this scene; `None` without a listener.
    pub hits: Option<Vec<String>>,
    /// The thumbprints of the scene's keys for DPoP proofs: `a` and `b`.
    pub thumbprints: Vec<String>,
    /// The acting client.
    pub client: Option<&'s Client>,
    /// The step in question.
    pub outcome: &'s Outcome,
    /// Its number.
    pub at: usize,
}

/// Parameters that an answer sends to a redirect URI (or anywhere else).
pub struct Sent<'s> {
    /// Which answer of the step, counted from 0.
    pub answer: usize,
    /// Where to: the `Location` value or the form's action.
    pub to: Cow<'s, [u8]>,
    /// Query, fragment and form-post fields together.
    pub params: Vec<(String, String)>,
}

impl Sent<'_> {
    /// Every value of a parameter that is not empty.
    pub fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        self.params
            .iter()
            .filter(move |(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }
}

impl<'s> View<'s> {
    /// The view of step number `at`; `None` when there is no such step.
    pub fn of(scene: &'s Scene<'_>, at: usize) -> Option<View<'s>> {
        let world = scene.world;
        let outcome = scene.outcomes.get(at)?;
        Some(View {
            target: &world.target,
            metadata: world.metadata.as_ref(),
            metadata_url: world.metadata_url.as_deref(),
            jwks: world.jwks.as_ref(),
            authorization_endpoint: world.endpoints.authorization.as_deref().unwrap_or_default(),
            token_endpoint: world.endpoints.token.as_deref().unwrap_or_default(),
            canary: &world.canary,
            outcomes: &scene.outcomes,
            log: &scene.log,
            hits: world
                .listener
                .as_ref()
                .map(|listener| listener.hits(&scene.id)),
            thumbprints: scene.keys().thumbprints(),
            client: scene.client_named(&outcome.client),
            outcome,
            at,
        })
    }

    /// The steps before this one.
    pub fn earlier(&self) -> &'s [Outcome] {
        self.outcomes.get(..self.at).unwrap_or_default()
    }

    /// This step and those before it.
    pub fn so_far(&self) -> &'s [Outcome] {
        self.outcomes.get(..=self.at).unwrap_or_default()
    }

    /// The exchanges of a step.
    pub fn exchanges_of(&self, outcome: &Outcome) -> impl DoubleEndedIterator<Item = &'s Recorded> {
        self.log
            .get(outcome.log.clone())
            .unwrap_or_default()
            .iter()
            .map(|logged| &logged.recorded)
    }

    /// The exchanges of this step.
    pub fn exchanges(&self) -> impl DoubleEndedIterator<Item = &'s Recorded> {
        self.exchanges_of(self.outcome)
    }

    /// The answers of this step with what they answer.
    pub fn answers(&self) -> impl DoubleEndedIterator<Item = (&'s Recorded, &'s Reply)> {
        self.exchanges()
            .filter_map(|recorded| Some((recorded, recorded.reply.as_ref().ok()?)))
    }

    /// The last answer of the step: the decisive one.
    pub fn last(&self) -> Result<&'s Reply, Finding> {
        self.answers()
            .next_back()
            .map(|(_, reply)| reply)
            .ok_or_else(|| Finding::undecided("there was no answer to look at"))
    }

    /// The last answer of the token endpoint (or, in an `http` step, of what was asked).
    pub fn token_answer(&self) -> Result<&'s Reply, Finding> {
        self.token_answer_of(self.outcome).ok_or_else(|| {
            Finding::without_success("no answer of the token endpoint", &self.outcome.answer)
        })
    }

    fn token_answer_of(&self, outcome: &Outcome) -> Option<&'s Reply> {
        let endpoint = without_query(self.token_endpoint);
        self.exchanges_of(outcome)
            .rev()
            .find(|recorded| {
                outcome.verb == Verb::Http || without_query(&recorded.request.url) == endpoint
            })
            .and_then(|recorded| recorded.reply.as_ref().ok())
    }

    /// The token answer of a step as JSON, when it is an object.
    pub fn token_object(&self, outcome: &Outcome) -> Option<Map<String, Json>> {
        self.token_answer_of(outcome)?.json()
    }

    /// The pages of the step: HTML that is no redirect.
    pub fn pages(&self) -> Vec<(&'s Recorded, &'s Reply)> {
        self.answers()
            .filter(|(_, reply)| {
                !reply.is_redirect() && !reply.body.is_empty() && reply.media_type() == "text/html"
            })
            .collect()
    }

    /// The parameters of the authorization request as a strict form parser reads them; what was
    /// pushed stands in for a request URI.
    pub fn asked(&self) -> Vec<(String, String)> {
        self.asked_by(self.outcome)
    }

    fn asked_by(&self, outcome: &Outcome) -> Vec<(String, String)> {
        let endpoint = without_query(self.authorization_endpoint);
        let request = self
            .exchanges_of(outcome)
            .map(|recorded| &recorded.request)
            .find(|request| without_query(&request.url) == endpoint);
        let Some(request) = request else {
            return Vec::new();
        };
        let query = request.url.split_once('?').map_or("", |(_, query)| query);
        let query = query.split('#').next().unwrap_or_default();
        let mut params = texts(&Pairs::parse(query.as_bytes()));
        params.extend(texts(&Pairs::parse(&request.body)));
        let uri = first(&params, "request_uri").map(str::to_owned);
        if let Some(uri) = uri
            && let Some(pushed) = self
                .outcomes
                .iter()
                .find(|outcome| outcome.field("request_uri") == Some(&uri))
        {
            // As a strict reader has it, like what stands in a query.
            let body = self.exchanges_of(pushed).next_back();
            match body.map(|recorded| texts(&Pairs::parse(&recorded.request.body))) {
                Some(read) if !read.is_empty() => params.extend(read),
                _ => params.extend(pushed.sent.iter().cloned()),
            }
        }
        params
    }

    /// Where the parameters of this step's authorization were asked for: its own request, else that
    /// of the authorization whose code it redeemed.
    pub fn asked_for(&self, name: &str) -> Option<String> {
        let own = self.asked();
        if let Some(value) = first(&own, name) {
            return Some(value.to_owned());
        }
        let code = self.outcome.code()?;
        let authorization = self
            .outcomes
            .iter()
            .find(|outcome| outcome.verb == Verb::Authorize && outcome.code() == Some(code))?;
        if authorization.sent_param("request").is_some() {
            return authorization.sent_param(name).map(str::to_owned);
        }
        // Of a request by reference only what was pushed counts (RFC 9126 §4).
        let pushed = authorization.sent_param("request_uri").and_then(|uri| {
            self.outcomes.iter().find(|outcome| {
                outcome.verb == Verb::Push && outcome.field("request_uri") == Some(uri)
            })
        });
        if let Some(pushed) = pushed {
            return pushed.sent_param(name).map(str::to_owned);
        }
        first(&self.asked_by(authorization), name)
            .or(authorization.sent_param(name))
            .map(str::to_owned)
    }

    /// Whether the browser was sent to a client at all.
    pub fn redirected(&self) -> Result<(), Finding> {
        if let Answer::Refused { how: How::Json, .. } = &self.outcome.answer {
            return Err(Finding::not_applicable(format!(
                "the request was refused where it was pushed, before any browser: the step {}",
                self.outcome.answer.words()
            )));
        }
        if self.outcome.response.is_empty() && self.outcome.location.is_none() {
            Err(Finding::undecided(format!(
                "the browser was not sent to the client: the step {}",
                self.outcome.answer.words()
            )))
        } else {
            Ok(())
        }
    }

    /// The redirect parameters of this name.
    pub fn response(&self, name: &str) -> Vec<&'s str> {
        self.outcome
            .response
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The redirect URI in question: the one asked for, else the first registered.
    pub fn redirect_uri(&self) -> Option<&'s str> {
        self.outcome.asked.redirect_uri.as_deref().or_else(|| {
            self.client?
                .redirect_uris
                .first()
                .map(std::string::String::as_str)
        })
    }

    /// Everything the answers of the step send elsewhere: by `Location`, meta refresh or a form that
    /// leads off the authorization server or to a redirect URI.
    pub fn sent_away(&self) -> Vec<Sent<'s>> {
        self.redirects()
            .into_iter()
            .filter(|sent| self.leaves(&sent.to))
            .collect()
    }

    /// Every redirect of the step, wherever to, and every form that leads to a client.
    pub fn redirects(&self) -> Vec<Sent<'s>> {
        let mut found = Vec::new();
        for (answer, (recorded, reply)) in self.answers().enumerate() {
            for location in reply.all("location") {
                found.push(Sent {
                    answer,
                    to: Cow::Borrowed(location),
                    params: location_params(location),
                });
            }
            if reply.media_type() != "text/html" || reply.is_redirect() {
                continue;
            }
            let page = html::read(&reply.text(), &recorded.request.url);
            if let Some(refresh) = page.refresh {
                found.push(Sent {
                    answer,
                    params: location_params(refresh.as_bytes()),
                    to: Cow::Owned(refresh.into_bytes()),
                });
            }
            for form in page.forms {
                if self.leaves(form.action.as_bytes()) {
                    let mut params = location_params(form.action.as_bytes());
                    params.extend(
                        form.fields
                            .into_iter()
                            .map(|field| (field.name, field.value)),
                    );
                    found.push(Sent {
                        answer,
                        to: Cow::Owned(form.action.into_bytes()),
                        params,
                    });
                }
            }
        }
        found
    }

    /// Whether a location leads to a client or to another origin than the authorization server's.
    pub fn leaves(&self, location: &[u8]) -> bool {
        let text = String::from_utf8_lossy(location);
        let registered = self
            .target
            .clients
            .iter()
            .chain(self.client)
            .flat_map(|client| &client.redirect_uris);
        let asked = self.asked();
        let asked = asked
            .iter()
            .filter(|(name, _)| name == "redirect_uri")
            .map(|(_, uri)| uri);
        if registered.chain(asked).any(|uri| leads_to(&text, uri)) {
            return true;
        }
        let home = origin(self.authorization_endpoint);
        let read = wire::location::read(location, Some(self.authorization_endpoint));
        read.origin_browser() != home
    }

    /// The resource of this step.
    pub fn resource(&self) -> Option<&'s Resource> {
        self.target.resource(self.outcome.resource.as_deref()?)
    }

    /// The identifiers of the resources that this step's token was asked for.
    pub fn resources_asked_for(&self) -> Vec<String> {
        let own: Vec<String> = self
            .outcome
            .sent
            .iter()
            .filter(|(name, value)| name == "resource" && !value.is_empty())
            .map(|(_, value)| value.clone())
            .collect();
        if own.is_empty() {
            self.outcome
                .asked
                .resource
                .clone()
                .filter(|value| !value.is_empty())
                .into_iter()
                .collect()
        } else {
            own
        }
    }

    /// The introspection answer about an access token, from any step of the case.
    pub fn introspection(&self, token: &str) -> Option<Map<String, Json>> {
        let asked = self.outcomes.iter().find(|outcome| {
            outcome.verb == Verb::Introspect
                && outcome.answer == Answer::Success
                && outcome.sent_param("token") == Some(token)
        })?;
        self.exchanges_of(asked)
            .next_back()?
            .reply
            .as_ref()
            .ok()?
            .json()
    }

    /// A member of the access token of a step: the JWT's, else the introspection answer's.
    pub fn claim(&self, outcome: &Outcome, name: &str) -> Option<Json> {
        let token = outcome.field("access_token")?;
        if let Ok(jwt) = jose::Token::parse(token)
            && let Some(value) = jwt.claims.get(name)
        {
            return Some(value.clone());
        }
        self.introspection(token)?.get(name).cloned()
    }

    /// Whether the claims of a step's access token can be read at all.
    pub fn readable(&self, outcome: &Outcome) -> bool {
        outcome.field("access_token").is_some_and(|token| {
            jose::Token::parse(token).is_ok() || self.introspection(token).is_some()
        })
    }
}

/// A reply's body as a JSON object, with what is worth knowing about how it was written.
pub fn object(reply: &Reply) -> Result<Document, String> {
    let document = scan(&reply.body, Limits::default())
        .map_err(|error| format!("the body is not JSON: {error}"))?;
    if document.value.as_object().is_none() {
        return Err(format!(
            "the body is a JSON {}, not an object",
            document.value.kind()
        ));
    }
    Ok(document)
}

/// The strings of an array; `None` when it is none or holds anything else.
pub fn strings(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

/// The pairs as text.
pub fn texts(pairs: &Pairs) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|pair| {
            (
                String::from_utf8_lossy(&pair.name).into_owned(),
                pair.text(),
            )
        })
        .collect()
}

/// The first value of a name.
pub fn first<'p>(params: &'p [(String, String)], name: &str) -> Option<&'p str> {
    params
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

fn location_params(location: &[u8]) -> Vec<(String, String)> {
    let read = wire::location::read(location, None);
    let mut params = texts(&read.query_pairs());
    params.extend(texts(&read.fragment_pairs()));
    params
}

/// Whether a location is this redirect URI with response parameters added.
pub fn leads_to(location: &str, uri: &str) -> bool {
    !uri.is_empty()
        && location.strip_prefix(uri).is_some_and(|rest| {
            rest.is_empty()
                || rest.starts_with(['?', '#'])
                || (rest.starts_with('&') && uri.contains('?'))
        })
}

/// A URL up to its query.
pub fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// The origin of an absolute URL.
pub fn origin(url: &str) -> Option<String> {
    wire::location::read(url.as_bytes(), None).origin_browser()
}

/// Whether a URL's host is this machine.
pub fn is_loopback(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| {
        url.host_str().is_some_and(|host| {
            host == "localhost" || wire::redirect_uri::is_loopback_literal(host)
        })
    })
}

/// Whether a URL may be asked for secrets: https, or http on this machine.
pub fn is_secure(url: &str) -> bool {
    url.starts_with("https://") || (url.starts_with("http://") && is_loopback(url))
}

/// Text as a sentence quotes it: in quotation marks, control characters escaped, at most 80 characters.
pub fn quote(text: &str) -> String {
    let mut shown: String = text.chars().take(80).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

/// A secret as a sentence may name it: how it begins and how long it is.
pub fn outline(secret: &str) -> String {
    let start: String = secret.chars().take(4).collect();
    format!("{start}… ({} characters)", secret.chars().count())
}

/// The words of a scope, sorted.
pub fn words(scope: &str) -> std::collections::BTreeSet<&str> {
    scope.split_whitespace().collect()
}

/// A scope claim as text: a string, or an array of strings joined.
pub fn scope_text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Array(items) => Some(
            items
                .iter()
                .filter_map(Json::as_str)
                .collect::<Vec<_>>()
                .join(" "),
        ),
        _ => None,
    }
}
