//! What a finding's case expects, and how values are spelt in it.

use super::steps::{CHALLENGES, REFUSALS, Steps};
use super::*;
use crate::client::request;

impl<'s> Steps<'s> {
    /// What is expected of a step: a refusal where it `deviates`, since a correct one may not be refused.
    pub(super) fn expectation(
        &self,
        operation: &Operation,
        deviates: bool,
        accused: bool,
    ) -> Vec<String> {
        let call = operation.kind == Kind::Call;
        let refusal = || {
            if call {
                format!("expect.challenge = {CHALLENGES}")
            } else {
                format!("expect.refused = {REFUSALS}")
            }
        };
        let either = |check: &str| {
            let mut lines = vec![format!("expect.check = [{}]", quote(check))];
            if deviates {
                lines.push(refusal());
                lines.push("expect.or = \"decided-later\"".into());
            }
            lines
        };
        if !accused {
            return if deviates {
                vec![refusal(), "expect.or = \"decided-later\"".into()]
            } else {
                Vec::new()
            };
        }
        match self.oracle {
            Oracle::Crash | Oracle::Closed | Oracle::Hang => either("prompt-answer"),
            Oracle::Forbidden if operation.kind == Kind::Revoke => either("prompt-answer"),
            Oracle::Forbidden | Oracle::Ambiguous => vec![refusal()],
            Oracle::Double if operation.copies > 1 => {
                vec!["expect.check = [\"single-success\"]".into()]
            }
            Oracle::NotRevoked if operation.kind == Kind::Revoke => vec!["cause = true".into()],
            Oracle::NotRevoked => vec!["cause = true".into(), refusal()],
            Oracle::Double | Oracle::Dead | Oracle::ForeignRevoked | Oracle::Redirect => {
                if deviates {
                    vec![refusal(), "expect.or = \"decided-later\"".into()]
                } else {
                    Vec::new()
                }
            }
            Oracle::Markup => either("no-reflection"),
            Oracle::Injection => either("no-header-injection"),
            Oracle::ErrorShape => either("error-in-form"),
            Oracle::ErrorStatus if call && !deviates => either("challenge-syntax"),
            Oracle::ErrorStatus if call => {
                vec![refusal(), "expect.check = [\"challenge-syntax\"]".into()]
            }
            Oracle::ErrorStatus => either("error-in-status"),
            Oracle::Cache => either("tokens-not-stored"),
            Oracle::Type => either("tokens-typed"),
            Oracle::State => either("state-echoed"),
            Oracle::Leak => either("no-insides"),
            Oracle::Refused => Vec::new(),
            Oracle::Poisoned => either("no-attacker-host"),
        }
    }

    /// A value as a suite template.
    pub(super) fn template(
        &mut self,
        text: &Text,
        name: &str,
        operation: &Operation,
        source: Option<&str>,
        encoded: bool,
    ) -> String {
        let mut out = String::new();
        for piece in &text.0 {
            let next = match piece {
                Piece::Text(text) => text.replace('$', "$$"),
                Piece::Repeat(text, times) => text.repeat((*times).min(200_000)).replace('$', "$$"),
                Piece::Named(name, field) => {
                    if let Some(client) =
                        name.strip_prefix("client-").filter(|client| *client != "a")
                    {
                        self.need(format!("client.{client}"));
                    }
                    format!("${name}.{field}")
                }
                Piece::Own => self.own(name, operation, source, encoded),
            };
            append(&mut out, &next);
        }
        out
    }

    /// What the correct request carries, as a template.
    pub(super) fn own(
        &mut self,
        name: &str,
        operation: &Operation,
        source: Option<&str>,
        encoded: bool,
    ) -> String {
        let name = name.strip_prefix("@query.").unwrap_or(name);
        let plain = name
            .split('[')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let stage = self.stage;
        let client: Option<&Client> = stage.actors.get(operation.client);
        let literal = |text: &str| {
            let text = if encoded {
                wire::form::encode_component(text.as_bytes())
            } else {
                text.to_owned()
            };
            text.replace('$', "$$")
        };
        let credential = matches!(
            plain.as_str(),
            "code" | "refresh_token" | "token" | "@authorization" | "@header.authorization"
        );
        if credential && let Some(source) = source {
            return source.to_owned();
        }
        match plain.as_str() {
            "client_id" => "$client.id".into(),
            "client_secret" => "$client.secret".into(),
            "redirect_uri" if encoded => literal(
                client
                    .and_then(|client| client.redirect_uris.first())
                    .map_or("", String::as_str),
            ),
            "redirect_uri" => "$client.redirect_uri".into(),
            "code_verifier" => "$pkce.verifier".into(),
            "code_challenge" => "$pkce.challenge".into(),
            "code_challenge_method" => "S256".into(),
            "response_type" => "code".into(),
            "state" => "oauthspec-state".into(),
            "grant_type" => match operation.kind {
                Kind::Refresh => "refresh_token".into(),
                Kind::Direct => "client_credentials".into(),
                _ => "authorization_code".into(),
            },
            "resource" => {
                let resource = stage
                    .resources
                    .get(operation.resource)
                    .or(stage.resources.first());
                let Some(resource) = resource else {
                    return String::new();
                };
                if resource.name != "a" {
                    self.need(format!("resource.{}", resource.name));
                }
                format!("$resource.{}", resource.name.replace('-', "_"))
            }
            "scope" => {
                let resources = &stage.resources;
                let resource = resources.get(operation.resource).or(resources.first());
                let resource = resource.filter(|_| operation.kind != Kind::Direct);
                let scope = request::scope(&stage.world, resource);
                literal(&scope.unwrap_or_default())
            }
            "authorization_details" => match stage.world.target.rar.first() {
                Some((name, _)) => {
                    self.needs.retain(|need| need != "rar");
                    self.need(format!("rar.{name}"));
                    format!("$rar.{}", name.replace('-', "_"))
                }
                None => String::new(),
            },
            "token_type_hint" => "refresh_token".into(),
            // Registered metadata stands for itself.
            other if operation.kind == Kind::Register => {
                let value = client.map(|client| request::metadata(&stage.world, client, "fuzz"));
                let value = value
                    .and_then(|members| members.into_iter().find(|(member, _)| member == other));
                value
                    .map(|(_, value)| value.to_string().replace('$', "$$"))
                    .unwrap_or_default()
            }
            _ => String::new(),
        }
    }

    pub(super) fn finish(self) -> (Vec<String>, String) {
        let mut out = String::new();
        let later: Vec<String> = self
            .steps
            .iter()
            .flat_map(|step| step.lines.clone())
            .collect();
        for step in &self.steps {
            let _ = writeln!(out, "\n[[case.step]]\ndo = {}", quote(step.verb));
            let used = |name: &String| {
                let forms = [format!("${name}."), format!("${{{name}.")];
                let mut lines = later.iter();
                lines.any(|line| forms.iter().any(|form| line.contains(form)))
            };
            if let Some(name) = step.name.as_ref().filter(|name| used(name)) {
                let _ = writeln!(out, "as = {}", quote(name));
            }
            for line in &step.lines {
                let _ = writeln!(out, "{line}");
            }
        }
        let mut needs = self.needs;
        // What the steps do not show to be needed would be refused as idle.
        let mentions = |word: &str| out.contains(word);
        needs.retain(|need| match need.as_str() {
            "refresh_token" => mentions("refresh_token") || mentions("\"refresh\""),
            _ => true,
        });
        (needs, out)
    }
}

/// Whether some value takes up what the correct request carries in one of these.
pub(super) fn needs_own(operation: &Operation, names: &[&str]) -> bool {
    operation
        .deviations
        .iter()
        .flat_map(|deviation| &deviation.edits)
        .any(|edit| {
            let name = edit.name().strip_prefix("@query.").unwrap_or(edit.name());
            let plain = name.split('[').next().unwrap_or_default();
            names.iter().any(|own| own.eq_ignore_ascii_case(plain))
                && edit
                    .values()
                    .iter()
                    .any(|value| value.0.contains(&Piece::Own))
        })
}

/// Appends to a template. A reference at its end gets braces where what follows would read as more of its name.
fn append(out: &mut String, next: &str) {
    let more = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let field = out.len() - out.trim_end_matches(more).len();
    if field > 0
        && next.starts_with(more)
        && let Some((before, reference)) = out.rsplit_once('$')
        && !before.ends_with('$')
        && let Some((name, _)) = reference.split_once('.')
        && name.len() + 1 + field == reference.len()
        && !name.contains(|c: char| !more(c) && c != '-')
    {
        *out = format!("{before}${{{reference}}}");
    }
    out.push_str(next);
}
