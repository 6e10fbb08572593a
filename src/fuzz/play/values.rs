//! What goes into a request: deviations, and what correct requests carry.

use super::*;

impl<'p> Player<'p> {
    /// Applies an operation's deviations; `own` gives what correct requests carry where the draft has nothing.
    pub(super) fn deviate(&self, draft: &mut Draft, operation: &Operation) {
        let edits = merged(operation);
        // What is their own is what it was before all of them.
        let before = if edits.iter().any(|edit| edit.keeps()) {
            draft.clone()
        } else {
            Draft::new("", "", draft.encoding)
        };
        for edit in edits {
            match edit {
                Edit::With(name, values) => {
                    let params = values
                        .iter()
                        .map(|value| Param::Text(self.text(value, name, &before, operation, false)))
                        .collect();
                    draft.alter(name, params).ok();
                }
                Edit::Without(name) => draft.leave_out(name),
                Edit::Raw(name, value) => {
                    let text = self.text(
                        value,
                        name,
                        &before,
                        operation,
                        draft.encoding != Encoding::Json,
                    );
                    draft.alter(name, vec![Param::Raw(text)]).ok();
                }
            }
        }
    }

    pub(super) fn text(
        &self,
        text: &Text,
        name: &str,
        draft: &Draft,
        operation: &Operation,
        encoded: bool,
    ) -> String {
        let mut out = String::new();
        for piece in &text.0 {
            let (value, outside) = match piece {
                Piece::Text(text) => (text.clone(), false),
                Piece::Repeat(text, times) => (text.repeat((*times).min(200_000)), false),
                Piece::Own => (self.own(name, draft, operation), true),
                Piece::Named(name, field) => (self.named(name, field, operation), true),
            };
            if outside && encoded {
                out.push_str(&wire::form::encode_component(value.as_bytes()));
            } else {
                out.push_str(&value);
            }
        }
        out
    }

    /// What the correct request carries in a parameter.
    pub(super) fn own(&self, name: &str, draft: &Draft, operation: &Operation) -> String {
        let name = name
            .strip_prefix("@query.")
            .or_else(|| name.strip_prefix("@header."))
            .unwrap_or(name);
        if name == "@authorization" || name == "Authorization" {
            return draft.get("token").unwrap_or_default();
        }
        // Under another case or with brackets it is still the same parameter's value.
        let plain = name
            .split('[')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        if let Some(value) = draft.get(name).or_else(|| draft.get(&plain)) {
            return value;
        }
        match plain.as_str() {
            "scope" => self.scope(operation.resource).unwrap_or_default(),
            "resource" => self.resource_id(operation.resource).unwrap_or_default(),
            "authorization_details" => self.details().unwrap_or_default(),
            "token_type_hint" => "refresh_token".into(),
            _ => String::new(),
        }
    }

    pub(super) fn named(&self, name: &str, field: &str, operation: &Operation) -> String {
        let world = &self.stage.world;
        let client = match name {
            "client" => Some(self.client(operation.client)),
            other => other
                .strip_prefix("client-")
                .and_then(|name| world.target.client(name)),
        };
        match (name, field) {
            ("canary", "html") => format!("{0}\"'><svg/onload=1>{0}", world.canary),
            ("canary", _) => world.canary.clone(),
            ("random", _) => "oauthspec-random-value-of-43-characters-0123".into(),
            ("rar", _) => self.details().unwrap_or_default(),
            ("resource", _) => self.resource_id(operation.resource).unwrap_or_default(),
            ("target", "issuer") => world.target.issuer.clone(),
            (_, "redirect_uri") => client
                .and_then(|client| client.redirect_uris.first().cloned())
                .unwrap_or_default(),
            (_, "id") => client
                .and_then(|client| client.id.clone())
                .unwrap_or_default(),
            _ => String::new(),
        }
    }

    pub(super) fn details(&self) -> Option<String> {
        self.stage
            .world
            .target
            .rar
            .first()
            .map(|(_, text)| text.clone())
    }

    pub(super) fn scope(&self, resource: usize) -> Option<String> {
        request::scope(&self.stage.world, self.resource(resource))
    }
}
