//! A deviation in words.

use crate::suite::model::{Change, Part, Step, Template, User, Value};

/// The one deviation in words: `authorize with code_challenge_method = plain`.
pub fn describe(step: &Step, change: &Change) -> String {
    let mut parts = Vec::new();
    for (name, value) in &change.with {
        parts.push(format!("with {name} = {}", value_words(value)));
    }
    if !change.without.is_empty() {
        parts.push(format!("without {}", change.without.join(", ")));
    }
    for (name, template) in &change.raw {
        parts.push(format!(
            "with the bytes {name}={}",
            template_words(template)
        ));
    }
    if let Some(forge) = &change.forge {
        parts.push(format!("with its credential forged ({forge})"));
    }
    if step.user != User::Approve {
        parts.push(format!("with the user {}", step.user.word()));
    }
    if let Some(copies) = step.parallel {
        parts.push(format!("{copies} times at once"));
    }
    if let Some(client) = step.client.as_deref().filter(|client| *client != "a") {
        parts.push(format!("as client {client}"));
    }
    let verb = match &step.at {
        Some(at) => format!("{} at {at}", step.verb.word()),
        None => step.verb.word().to_owned(),
    };
    if parts.is_empty() {
        verb
    } else {
        format!("{verb} {}", parts.join(", "))
    }
}

fn value_words(value: &Value) -> String {
    match value {
        Value::Text(template) => template_words(template),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(value_words).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::Table(table) => {
            let members: Vec<String> = table
                .iter()
                .map(|(name, value)| format!("{name}: {}", value_words(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

fn template_words(template: &Template) -> String {
    let text: String = template
        .0
        .iter()
        .map(|part| match part {
            Part::Text(text) => text
                .chars()
                .flat_map(|letter| {
                    let visible = !letter.is_control();
                    let shown = visible.then_some(letter);
                    let escaped = (!visible).then(|| letter.escape_default());
                    shown.into_iter().chain(escaped.into_iter().flatten())
                })
                .collect(),
            Part::Reference { name, field } => format!("${name}.{field}"),
        })
        .collect();
    if text.chars().count() > 120 {
        let start: String = text.chars().take(100).collect();
        return format!("“{start}…” ({} characters)", text.chars().count());
    }
    format!("“{text}”")
}
