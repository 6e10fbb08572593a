//! What a case needs of its target: every use must be declared, and what is declared must be used.

use std::collections::BTreeSet;

use super::lint::{Lint, find};
use super::model::{User, Verb};
use super::read::{ReadChange, ReadStep, Reference};
use super::words;
use crate::reader::{At, Span};

/// Something a case uses that a target may not have.
struct Use {
    need: String,
    span: Span,
    /// The variant that uses it; `None` for the case itself.
    variant: Option<usize>,
    /// Whether the case makes sense without it.
    optional: bool,
}

impl Lint<'_> {
    pub(super) fn needs(&self) {
        let uses = self.uses();
        let declared = |need: &str, variant: Option<usize>| {
            let of_variant = variant
                .and_then(|index| self.variants.get(index))
                .map(|variant| variant.needs.as_slice())
                .unwrap_or_default();
            self.case.needs.iter().chain(of_variant).any(|declared| {
                declared.value == need || (need == "rar" && declared.value.starts_with("rar."))
            })
        };
        for used in &uses {
            if !used.optional && !declared(&used.need, used.variant) {
                self.error(
                    &used.span,
                    format!("the capability `{}` is not declared", used.need),
                )
                .label("used here")
                .help(format!(
                    "add \"{}\" to `needs` of the {}",
                    used.need,
                    if used.variant.is_some() {
                        "case or the variant"
                    } else {
                        "case"
                    }
                ))
                .report();
            }
        }
        let checks = self.case.steps.iter().any(|step| {
            self.expectations(step)
                .any(|expect| !expect.expect.check.is_empty() || expect.expect.or.is_some())
        });
        let derived = self.derived();
        let broken = self.case.steps.iter().any(|step| step.broken);
        let idle = |need: &At<String>, variant: Option<usize>| {
            let word = need.value.as_str();
            let used = uses
                .iter()
                .any(|used| used.need == word && (variant.is_none() || used.variant == variant));
            let excused = words::QUALIFIERS.contains(&word)
                || (checks && words::CHECKED.contains(&word))
                || derived.iter().any(|derived| derived == word);
            if !used && !excused && !broken {
                self.error(&need.span, format!("nothing here needs `{word}`"))
                    .help("remove it: a case is skipped where a declared capability is missing")
                    .report();
            }
        };
        for need in &self.case.needs {
            idle(need, None);
        }
        for (index, variant) in self.variants.iter().enumerate() {
            for need in &variant.needs {
                idle(need, Some(index));
            }
        }
    }

    /// Everything the readable steps use.
    fn uses(&self) -> Vec<Use> {
        let mut uses = Vec::new();
        for (index, step) in self.case.steps.iter().enumerate() {
            let earlier = self.case.steps.get(..index).unwrap_or_default();
            let mut add = |need: &str, span: &Span| {
                uses.push(Use {
                    need: need.to_owned(),
                    span: span.clone(),
                    variant: None,
                    optional: false,
                });
            };
            if step.broken {
                continue;
            }
            if is_document(step) {
                add("cimd", step.place("at"));
                add("listener", step.place("at"));
            } else if let Some(need) = need_of_verb(step) {
                add(need, step.place("do"));
            }
            if step.step.asks_for_itself() {
                add("client_credentials", step.place("given"));
            }
            for need in needs_of_user(step.step.user) {
                add(need, step.place("user"));
            }
            if let Some(client) = &step.step.client
                && client != "a"
                && find(earlier, client).is_none()
            {
                add(&format!("client.{client}"), step.place("client"));
            }
            if let Some(need) = need_of_place(step) {
                add(&need, step.place("at"));
            }
            for name in &step.given {
                if let Some(need) = need_of_parameter(&name.value) {
                    add(need, &name.span);
                }
            }
            for reference in &step.references {
                if let Some(need) = self.need_of_reference(reference) {
                    add(&need, &reference.span);
                }
            }
            for (variant, change) in self.changes(step) {
                self.uses_of_change(step.step.verb, variant, change, &mut uses);
            }
        }
        uses
    }

    fn uses_of_change(
        &self,
        verb: Verb,
        variant: Option<usize>,
        change: &ReadChange,
        uses: &mut Vec<Use>,
    ) {
        for (name, _) in &change.parameters {
            if let Some(need) = need_of_parameter(&name.value) {
                uses.push(Use {
                    need: need.to_owned(),
                    span: name.span.clone(),
                    variant,
                    // A finding is about what was sent, whether the server knows the parameter or not.
                    optional: self.suite == words::FINDINGS,
                });
            }
        }
        let mut add = |need: &str, span: &Span| {
            uses.push(Use {
                need: need.to_owned(),
                span: span.clone(),
                variant,
                optional: false,
            });
        };
        for reference in &change.references {
            if let Some(need) = self.need_of_reference(reference) {
                add(&need, &reference.span);
            }
        }
        if let (Some(forge), Some(span)) = (&change.change.forge, &change.forge)
            && forge.contains('.')
            && !forge.starts_with("dpop.")
        {
            // What is forged at the authorization endpoint is a request object.
            let forged = if verb == Verb::Authorize {
                "jar"
            } else {
                "jwt"
            };
            add(forged, span);
            if forge.starts_with("signed.") {
                add("issuer_key", span);
            }
            if words::LISTENER_FORGES.contains(&forge.as_str()) {
                add("listener", span);
            }
        }
    }

    fn need_of_reference(&self, reference: &Reference) -> Option<String> {
        let Reference { name, field, .. } = reference;
        if let Some(client) = name.strip_prefix("client-") {
            return (client != "a").then(|| format!("client.{client}"));
        }
        if let Some(user) = name.strip_prefix("user-") {
            return (user == "b").then(|| "user.b".to_owned());
        }
        match (name.as_str(), field.as_str()) {
            ("resource" | "scope" | "probe", "a") | ("scope", "all") => None,
            ("resource" | "scope" | "probe", field) => Some(format!("resource.{field}")),
            ("rar", field) => Some(format!("rar.{field}")),
            ("broader", _) => Some("broader".to_owned()),
            ("listener", _) => Some("listener".to_owned()),
            _ if words::builtin(name).is_some() => None,
            (_, "refresh_token") => Some("refresh_token".to_owned()),
            (_, "id_token") => Some("id_token".to_owned()),
            (_, "registration_access_token" | "registration_client_uri") => {
                Some("management".to_owned())
            }
            _ => None,
        }
    }

    /// What nearly every case needs and need not say: a login where a user is met, client `a` where
    /// no other is named, resource `a` where a token is used.
    pub(super) fn derived(&self) -> Vec<String> {
        let mut needs = BTreeSet::new();
        for step in &self.case.steps {
            let verb = step.step.verb;
            // An accepted push is confirmed by a user who follows it.
            let followed = verb == Verb::Push && step.step.expect.refused.is_some();
            if followed
                || matches!(
                    verb,
                    Verb::Authorize
                        | Verb::Exchange
                        | Verb::Grant
                        | Verb::Refresh
                        | Verb::Revoke
                        | Verb::Introspect
                        | Verb::Call
                )
            {
                needs.insert("login");
            }
            if verb == Verb::Device && matches!(step.step.at.as_deref(), Some("page" | "poll")) {
                needs.insert("login");
            }
            let acts = !matches!(verb, Verb::Discover | Verb::Register | Verb::Http);
            if acts && step.step.client.as_deref().unwrap_or("a") == "a" {
                needs.insert("client.a");
            }
            let place = step.step.at.as_deref();
            if verb == Verb::Call && place.unwrap_or("a") == "a"
                || verb == Verb::Http && place == Some("resource")
            {
                needs.insert("resource.a");
            }
        }
        needs.into_iter().map(str::to_owned).collect()
    }
}

/// A registration that is a document of ours, to be fetched.
fn is_document(step: &ReadStep) -> bool {
    step.step.verb == Verb::Register && step.step.at.is_some()
}

fn need_of_verb(step: &ReadStep) -> Option<&'static str> {
    Some(match step.step.verb {
        Verb::Discover => match step.step.at.as_deref().unwrap_or("as") {
            "openid" => "openid",
            "as" => "metadata",
            _ => "prm",
        },
        Verb::Register => "registration",
        Verb::Push => "par",
        Verb::Refresh => "refresh_token",
        Verb::Revoke => "revocation",
        Verb::Introspect => "introspection",
        Verb::Device => "device",
        Verb::Authorize | Verb::Exchange | Verb::Grant | Verb::Call | Verb::Http => return None,
    })
}

fn needs_of_user(user: User) -> &'static [&'static str] {
    match user {
        User::Approve | User::Absent | User::Returning => &[],
        User::Deny => &["deny"],
        User::Second => &["user.b"],
        User::DenyThenApprove => &["deny", "pages"],
        User::ApproveTwice | User::ApproveAtOnce | User::Forged => &["pages"],
        User::OtherBrowser => &["user.b", "pages"],
        User::Partly => &["partly"],
    }
}

fn need_of_place(step: &ReadStep) -> Option<String> {
    let at = step.step.at.as_deref()?;
    match step.step.verb {
        Verb::Authorize | Verb::Grant | Verb::Call if at != "a" => Some(format!("resource.{at}")),
        Verb::Discover => at.starts_with("resource.").then(|| at.to_owned()),
        Verb::Http => match at {
            "jwks" => Some("jwks".to_owned()),
            "revoke" => Some("revocation".to_owned()),
            "introspect" => Some("introspection".to_owned()),
            "register" => Some("registration".to_owned()),
            _ => None,
        },
        _ => None,
    }
}

fn need_of_parameter(name: &str) -> Option<&'static str> {
    match name {
        "resource" => Some("resource"),
        "authorization_details" => Some("rar"),
        "@dpop" | "dpop_jkt" => Some("dpop"),
        _ => None,
    }
}
