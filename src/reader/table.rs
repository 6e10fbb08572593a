//! A table of a file: its keys checked against a shape, its values by type.

use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::{At, Reader, Shape, Span};

/// One entry of a table.
#[derive(Debug, Clone)]
pub(crate) struct Entry<'d> {
    pub key: &'d str,
    pub key_span: Span,
    pub value: &'d DeValue<'d>,
    pub span: Span,
}

/// The entries of a table in file order.
pub(crate) fn entries<'d>(table: &'d DeTable<'d>) -> Vec<Entry<'d>> {
    let mut entries: Vec<Entry<'d>> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().as_ref(),
            key_span: key.span(),
            value: value.get_ref(),
            span: value.span(),
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_span.start);
    entries
}

/// A table whose keys were checked against its shape.
pub(crate) struct Table<'r, 'd> {
    pub reader: &'r Reader,
    /// Where the table begins: its first key, or its header.
    pub span: Span,
    entries: Vec<Entry<'d>>,
}

impl<'r, 'd> Table<'r, 'd> {
    /// Reads a table: reports unknown keys and missing ones. `what` names it in messages (`a step`).
    pub fn new(
        reader: &'r Reader,
        table: &'d DeTable<'d>,
        span: Span,
        what: &str,
        shape: &Shape,
    ) -> Table<'r, 'd> {
        let entries = entries(table);
        for entry in &entries {
            if !shape.keys.iter().any(|key| key == entry.key) {
                reader
                    .error(
                        &entry.key_span,
                        format!("unknown key `{}` in {what}", entry.key),
                    )
                    .suggest(entry.key, shape.keys.iter().map(String::as_str))
                    .report();
            }
        }
        let missing: Vec<&str> = shape
            .required
            .iter()
            .map(String::as_str)
            .filter(|key| !entries.iter().any(|entry| entry.key == *key))
            .collect();
        if !missing.is_empty() {
            reader
                .error(&span, format!("{what} has no {}", quoted(&missing)))
                .help(format!("add {}", quoted_assignments(&missing)))
                .report();
        }
        Table {
            reader,
            span,
            entries,
        }
    }

    pub fn entry(&self, key: &str) -> Option<&Entry<'d>> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    fn wrong_type(&self, entry: &Entry<'_>, wanted: &str) {
        let key = entry.key;
        let help = match wanted {
            "a string" => format!("write it in quotes: {key} = \"…\""),
            "true or false" => format!("write it without quotes: {key} = true"),
            "a whole number" => format!("write it without quotes: {key} = 10"),
            "a list of tables" => format!("write [[{key}]] with two brackets, and the keys below"),
            _ => format!("write {key}.NAME = …, or [{key}] and the keys below"),
        };
        self.reader
            .error(
                &entry.span,
                format!(
                    "`{}` must be {wanted}, not {}",
                    entry.key,
                    kind(entry.value)
                ),
            )
            .help(help)
            .report();
    }

    /// A string that is not empty.
    pub fn text(&self, key: &str) -> Option<At<&'d str>> {
        let entry = self.entry(key)?;
        match entry.value {
            DeValue::String(text) if text.trim().is_empty() => {
                self.reader
                    .error(&entry.span, format!("`{key}` is empty"))
                    .help("write something, or leave the key out if it is not required")
                    .report();
                None
            }
            DeValue::String(text) => Some(At {
                value: text.as_ref(),
                span: entry.span.clone(),
            }),
            _ => {
                self.wrong_type(entry, "a string");
                None
            }
        }
    }

    /// The text of [`Table::text`], without its place.
    pub fn owned(&self, key: &str) -> Option<String> {
        self.text(key).map(|text| text.value.to_owned())
    }

    /// One of the words that `read` understands.
    pub fn word<T>(
        &self,
        key: &str,
        known: &[&str],
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<At<T>> {
        let text = self.text(key)?;
        match read(text.value) {
            Some(value) => Some(At {
                value,
                span: text.span,
            }),
            None => {
                self.reader
                    .error(&text.span, format!("`{key}` cannot be `{}`", text.value))
                    .suggest(text.value, known.iter().copied())
                    .report();
                None
            }
        }
    }

    /// `true`, or absent.
    pub fn flag(&self, key: &str) -> Option<At<bool>> {
        let entry = self.entry(key)?;
        match entry.value {
            DeValue::Boolean(value) => Some(At {
                value: *value,
                span: entry.span.clone(),
            }),
            _ => {
                self.wrong_type(entry, "true or false");
                None
            }
        }
    }

    /// A whole number.
    pub fn integer(&self, key: &str) -> Option<At<u64>> {
        let entry = self.entry(key)?;
        let value = match entry.value {
            DeValue::Integer(integer) => {
                u64::from_str_radix(integer.as_str(), integer.radix()).ok()
            }
            _ => None,
        };
        if value.is_none() {
            self.wrong_type(entry, "a whole number");
        }
        value.map(|value| At {
            value,
            span: entry.span.clone(),
        })
    }

    /// A list of strings with at least one. `""` is an element like any other.
    pub fn texts(&self, key: &str) -> Option<Vec<At<&'d str>>> {
        let entry = self.entry(key)?;
        let DeValue::Array(list) = entry.value else {
            self.reader
                .error(
                    &entry.span,
                    format!("`{key}` must be a list, not {}", kind(entry.value)),
                )
                .help(format!("write {key} = [\"…\"]"))
                .report();
            return None;
        };
        if list.is_empty() {
            self.reader
                .error(&entry.span, format!("`{key}` is an empty list"))
                .help("name at least one, or leave the key out")
                .report();
        }
        let mut texts = Vec::new();
        for item in list.iter() {
            match item.get_ref() {
                DeValue::String(text) => texts.push(At {
                    value: text.as_ref(),
                    span: item.span(),
                }),
                other => self
                    .reader
                    .error(
                        &item.span(),
                        format!("`{key}` must hold strings, not {}", kind(other)),
                    )
                    .report(),
            }
        }
        Some(texts)
    }

    /// A table, as its entries in file order.
    pub fn map(&self, key: &str) -> Option<Vec<Entry<'d>>> {
        let entry = self.entry(key)?;
        match entry.value {
            DeValue::Table(table) if table.is_empty() => {
                self.reader
                    .error(&entry.span, format!("`{key}` is an empty table"))
                    .help("write at least one key into it, or leave it out")
                    .report();
                None
            }
            DeValue::Table(table) => Some(entries(table)),
            _ => {
                self.wrong_type(entry, "a table");
                None
            }
        }
    }

    /// A table with a shape of its own.
    pub fn table(&self, key: &str, what: &str, shape: &Shape) -> Option<Table<'r, 'd>> {
        let entry = self.entry(key)?;
        match entry.value {
            DeValue::Table(table) => Some(Table::new(
                self.reader,
                table,
                first_key(table).unwrap_or(entry.key_span.clone()),
                what,
                shape,
            )),
            _ => {
                self.wrong_type(entry, "a table");
                None
            }
        }
    }

    /// Tables by name, in file order: `[client.a]`, `[client.b]`. `what` is the group's word.
    pub fn named(&self, key: &str, what: &str, shape: &Shape) -> Vec<(At<&'d str>, Table<'r, 'd>)> {
        let mut tables = Vec::new();
        for entry in self.map(key).unwrap_or_default() {
            match entry.value {
                DeValue::Table(table) => tables.push((
                    At {
                        value: entry.key,
                        span: entry.key_span.clone(),
                    },
                    Table::new(
                        self.reader,
                        table,
                        entry.key_span.clone(),
                        &format!("{what} `{}`", entry.key),
                        shape,
                    ),
                )),
                _ => self
                    .reader
                    .error(
                        &entry.key_span,
                        format!("`{key}.{}` must be a table", entry.key),
                    )
                    .help(format!(
                        "every {what} has a name: write [{key}.a] and put its keys below"
                    ))
                    .report(),
            }
        }
        tables
    }

    /// A list of tables with a shape of their own, in file order.
    pub fn tables(&self, key: &str, what: &str, shape: &Shape) -> Option<Vec<Table<'r, 'd>>> {
        let entry = self.entry(key)?;
        let DeValue::Array(list) = entry.value else {
            self.wrong_type(entry, "a list of tables");
            return None;
        };
        if list.is_empty() {
            self.reader
                .error(&entry.span, format!("`{key}` is an empty list"))
                .report();
        }
        let mut tables = Vec::new();
        for item in list.iter() {
            match item.get_ref() {
                DeValue::Table(table) => tables.push(Table::new(
                    self.reader,
                    table,
                    first_key(table).unwrap_or(item.span()),
                    what,
                    shape,
                )),
                other => self
                    .reader
                    .error(
                        &item.span(),
                        format!("`{key}` must hold tables, not {}", kind(other)),
                    )
                    .report(),
            }
        }
        Some(tables)
    }

    /// `"500ms"`, `"10s"`, `"1m"`: at most `longest`.
    pub fn duration(&self, key: &str, longest: Duration) -> Option<At<Duration>> {
        let text = self.text(key)?;
        let value = self.reader.duration(key, text.value, &text.span, longest)?;
        Some(At {
            value,
            span: text.span,
        })
    }
}

/// `a`, `b` and `c`.
fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

fn quoted_assignments(keys: &[&str]) -> String {
    let lines: Vec<String> = keys.iter().map(|key| format!("{key} = …")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    quoted(&lines)
}

/// Where a table's first key stands: the best place to point at when the table itself is wrong.
pub(crate) fn first_key(table: &DeTable<'_>) -> Option<Span> {
    table
        .keys()
        .map(toml::Spanned::span)
        .min_by_key(|span| span.start)
}

/// The type of a value, for messages.
pub(crate) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
