//! Parameters and their values: `with`, `without`, `raw`, `forge` and `given`.

use toml::de::DeValue;

use super::model::{Part, Template, Value};
use super::read::{Pieces, ReadChange, Reference};
use super::{template, words};
use crate::reader::{At, Entry, Span, Table, entries, kind};

/// JSON values in parameters nest no deeper.
const MAX_DEPTH: usize = 16;
impl<'r> Pieces<'r> {
    /// `with`, `without`, `raw` and `forge` of a step or a variant.
    pub(super) fn change(&self, table: &Table<'r, '_>) -> ReadChange {
        let mut read = ReadChange::default();
        if let Some(rows) = table.map("with") {
            self.parameters(&rows, "with", &mut read);
        }
        for name in table.texts("without").unwrap_or_default() {
            self.name_parameter(name.value, &name.span, "without", &mut read);
            read.change.without.push(name.value.to_owned());
        }
        for row in table.map("raw").unwrap_or_default() {
            self.name_parameter(row.key, &row.key_span, "raw", &mut read);
            match row.value {
                DeValue::String(text) => {
                    let text = self.template(text, &row.span, &mut read.references);
                    read.change.raw.push((row.key.to_owned(), text));
                }
                other => self
                    .reader
                    .error(
                        &row.span,
                        format!("a raw value must be a string, not {}", kind(other)),
                    )
                    .help("write it in quotes")
                    .report(),
            }
        }
        if let Some(forge) = table.text("forge") {
            if !self.known.forges.contains(&forge.value) {
                self.reader
                    .error(&forge.span, format!("unknown forgery `{}`", forge.value))
                    .suggest_or(
                        forge.value,
                        self.known.forges,
                        "`oauthspec explain` lists the forgeries under `forge`",
                    )
                    .report();
            }
            read.change.forge = Some(forge.value.to_owned());
            read.forge = Some(forge.span);
        }
        read
    }

    pub(super) fn parameters(&self, rows: &[Entry<'_>], key: &'static str, read: &mut ReadChange) {
        for row in rows {
            self.name_parameter(row.key, &row.key_span, key, read);
            if row.key == "@auth"
                && let DeValue::String(text) = row.value
                && !words::AUTH.contains(&text.as_ref())
            {
                self.reader
                    .error(&row.span, format!("`{text}` is no way to authenticate"))
                    .suggest(text, words::AUTH.iter().copied())
                    .report();
            }
            if let Some(value) = self.value(row.value, &row.span, &mut read.references, MAX_DEPTH) {
                read.change.with.push((row.key.to_owned(), value));
            }
        }
    }

    /// Notes a parameter's name, checks it, and refuses to change it twice.
    fn name_parameter(&self, name: &str, span: &Span, key: &'static str, read: &mut ReadChange) {
        if name.starts_with('@') && !is_pseudo(name) {
            self.reader
                .error(span, format!("unknown pseudo parameter `{name}`"))
                .suggest(name, words::PSEUDO.iter().copied())
                .note(
                    "names that end in a dot take one more: @header.Host, @query.token, @body.code",
                )
                .report();
        }
        if name.trim().is_empty() {
            self.reader
                .error(span, "a parameter without a name")
                .report();
        }
        // Left out of its place and sent raw, a parameter goes last.
        let moved = |old: &str| old == "without" && key == "raw" && !name.starts_with('@');
        if (read.parameters.iter()).any(|(old, by)| old.value == name && !moved(by)) {
            self.reader
                .error(span, format!("`{name}` is changed twice"))
                .help("a parameter is either set, left out or sent raw; left out and sent raw, it goes last")
                .report();
        }
        read.parameters.push((
            At {
                value: name.to_owned(),
                span: span.clone(),
            },
            key,
        ));
    }

    fn value(
        &self,
        value: &DeValue<'_>,
        span: &Span,
        references: &mut Vec<Reference>,
        depth: usize,
    ) -> Option<Value> {
        let Some(deeper) = depth.checked_sub(1) else {
            self.reader
                .error(
                    span,
                    format!("a value nests deeper than {MAX_DEPTH} levels"),
                )
                .report();
            return None;
        };
        Some(match value {
            DeValue::String(text) => Value::Text(self.template(text, span, references)),
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Integer(integer) => {
                let Ok(number) = i64::from_str_radix(integer.as_str(), integer.radix()) else {
                    self.reader
                        .error(span, "the number does not fit into 64 bits")
                        .help("write it as a string to send it as text")
                        .report();
                    return None;
                };
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "JSON numbers are doubles; a suite needs no more"
                )]
                Value::Number(number as f64)
            }
            DeValue::Float(float) => match float.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Value::Number(number),
                _ => {
                    self.reader
                        .error(span, "JSON has no such number")
                        .help("write it as a string to send it as text")
                        .report();
                    return None;
                }
            },
            DeValue::Datetime(_) => {
                self.reader
                    .error(span, "a parameter cannot be a date")
                    .help("write it as a string")
                    .report();
                return None;
            }
            DeValue::Array(list) => Value::List(
                list.iter()
                    .filter_map(|item| self.value(item.get_ref(), &item.span(), references, deeper))
                    .collect(),
            ),
            DeValue::Table(table) => Value::Table(
                entries(table)
                    .iter()
                    .filter_map(|row| {
                        let value = self.value(row.value, &row.span, references, deeper)?;
                        Some((row.key.to_owned(), value))
                    })
                    .collect(),
            ),
        })
    }

    fn template(&self, text: &str, span: &Span, references: &mut Vec<Reference>) -> Template {
        // Without escapes the literal is the text in quotes, and a place in one is a place in the other.
        let literal = self.text.get(span.clone()).unwrap_or("");
        let quoted = literal
            .get(1..literal.len().saturating_sub(1))
            .is_some_and(|inner| inner == text);
        let place = |inner: &Span| {
            if quoted {
                span.start + 1 + inner.start..span.start + 1 + inner.end
            } else {
                span.clone()
            }
        };
        match template::parse(text) {
            Ok((template, spans)) => {
                let named = template.0.iter().filter_map(|part| match part {
                    Part::Reference { name, field } => Some((name, field)),
                    Part::Text(_) => None,
                });
                for ((name, field), inner) in named.zip(&spans) {
                    references.push(Reference {
                        name: name.clone(),
                        field: field.clone(),
                        span: place(inner),
                    });
                }
                template
            }
            Err(error) => {
                self.reader
                    .error(&place(&error.span), error.message)
                    .help(error.help)
                    .report();
                Template::default()
            }
        }
    }
}

fn is_pseudo(name: &str) -> bool {
    words::PSEUDO.iter().any(|known| {
        if known.ends_with('.') {
            name.strip_prefix(known)
                .is_some_and(|rest| !rest.is_empty())
        } else {
            name == *known
        }
    })
}
