//! From TOML to cases, with the place of everything that the lint may have to point at.
//!
//! What can be said about one value by itself is said here; what takes a whole case (names,
//! controls, needs) is in `lint`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use toml::de::{DeTable, DeValue};

use super::file::{CaseFile, ExpectFile, StepFile, SuiteFile, VariantFile};
use super::model::{Change, Expect, Source, Step, User, Variant, Verb};
use super::{Known, refs, words};
use crate::diagnostic::nearest;
use crate::event::{Level, Severity};
use crate::reader::{At, Entry, Reader, Shape, Span, Table, entries, is_slug, kind, slugged};

/// The keys of every table of a suite file.
pub(super) struct Shapes {
    pub suite: Shape,
    pub case: Shape,
    pub step: Shape,
    pub variant: Shape,
    pub expect: Shape,
}

pub(super) static SHAPES: LazyLock<Shapes> = LazyLock::new(|| Shapes {
    suite: Shape::of::<SuiteFile>(),
    case: Shape::of::<CaseFile>(),
    step: Shape::of::<StepFile>(),
    variant: Shape::of::<VariantFile>(),
    expect: Shape::of::<ExpectFile>(),
});

/// `$name.field` somewhere.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub name: String,
    pub field: String,
    pub span: Span,
}

/// Parameters by name, and the references in their values.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadChange {
    pub change: Change,
    /// Every parameter that is named, with the key (`with`, `without`, `raw`) that names it.
    pub parameters: Vec<(At<String>, &'static str)>,
    pub references: Vec<Reference>,
    pub forge: Option<Span>,
}

pub(super) struct ReadExpect {
    pub expect: Expect,
    pub span: Span,
}

pub(super) struct ReadStep {
    pub step: Step,
    pub span: Span,
    /// The names in `given`.
    pub given: Vec<At<String>>,
    /// The references in `given`.
    pub references: Vec<Reference>,
    pub change: ReadChange,
    pub expect: Option<ReadExpect>,
    /// Whether something in the step could not be read: what follows from it is not reported.
    pub broken: bool,
    /// Where each of the plain keys stands.
    pub at: BTreeMap<&'static str, Span>,
}

impl ReadStep {
    /// Where a key of the step stands, or the step.
    pub fn place(&self, key: &str) -> &Span {
        self.at.get(key).unwrap_or(&self.span)
    }
}

pub(super) struct ReadVariant {
    pub variant: Variant,
    pub needs: Vec<At<String>>,
    pub change: ReadChange,
    pub expect: Option<ReadExpect>,
}

/// What `each` says.
pub(super) enum Each {
    Table(At<String>),
    Here(Vec<ReadVariant>),
}

pub(super) struct ReadCase {
    pub id: Option<At<String>>,
    pub title: String,
    pub level: Option<Level>,
    pub severity: Option<Severity>,
    pub refs: Vec<String>,
    pub why: String,
    pub fix: String,
    pub needs: Vec<At<String>>,
    pub rows: Vec<String>,
    pub promise: Option<String>,
    pub without_fault: Option<String>,
    pub each: Option<At<Each>>,
    pub steps: Vec<ReadStep>,
    pub span: Span,
}

/// Reads the pieces of one file.
pub(super) struct Pieces<'r> {
    pub reader: &'r Reader,
    pub text: &'r str,
    pub known: &'r Known<'r>,
}

impl<'r> Pieces<'r> {
    pub fn case(&self, table: &Table<'r, '_>) -> ReadCase {
        let id = table.text("id").map(|id| self.slug("id", &id));
        let level = table.word("level", LEVELS, level);
        let promise = table.owned("promise");
        if let Some(At { value, span }) = &level
            && *value == Level::Promise
            && table.entry("promise").is_none()
        {
            self.reader
                .error(
                    span,
                    "a case of level `promise` does not say what was promised",
                )
                .help("add promise = \"what the service promises, in your words (page, section)\"")
                .report();
        }
        ReadCase {
            id,
            title: table.owned("title").unwrap_or_default(),
            level: level.map(|level| level.value),
            severity: table
                .word("severity", SEVERITIES, severity)
                .map(|severity| severity.value),
            refs: self.refs(table),
            why: table.owned("why").unwrap_or_default(),
            fix: table.owned("fix").unwrap_or_default(),
            needs: self.needs(table),
            rows: self.rows(table),
            promise,
            without_fault: table.owned("without_fault"),
            each: self.each(table),
            steps: table
                .tables("step", "a step", &SHAPES.step)
                .unwrap_or_default()
                .iter()
                .map(|step| self.step(step))
                .collect(),
            span: table.span.clone(),
        }
    }

    /// A slug; reported and kept when it is none.
    pub fn slug(&self, what: &str, text: &At<&str>) -> At<String> {
        if !is_slug(text.value) {
            let mut problem = self
                .reader
                .error(&text.span, format!("{what} `{}` is no slug", text.value));
            problem = if what == "id" && text.value.contains('.') {
                problem.help("write the second half only: the suite's name is put in front of it")
            } else {
                problem.help(match slugged(text.value).as_str() {
                    "" => "use lower-case letters, digits and single hyphens".to_owned(),
                    slug => format!("use lower-case letters, digits and single hyphens: `{slug}`"),
                })
            };
            problem.report();
        }
        At {
            value: text.value.to_owned(),
            span: text.span.clone(),
        }
    }

    fn refs(&self, table: &Table<'r, '_>) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for text in table.texts("refs").unwrap_or_default() {
            if let Err(error) = refs::Clause::parse(text.value) {
                self.reader
                    .error(&text.span, error.message)
                    .help(error.help)
                    .report();
            }
            self.push_once(&mut all, &text, "refs");
        }
        all
    }

    fn rows(&self, table: &Table<'r, '_>) -> Vec<String> {
        let mut all = Vec::new();
        for text in table.texts("rows").unwrap_or_default() {
            let halves = text.value.split_once('.');
            if !halves.is_some_and(|(area, name)| is_slug(area) && is_slug(name)) {
                self.reader
                    .error(&text.span, format!("`{}` is no row id", text.value))
                    .help("write area and name: \"redirect.near-miss\"")
                    .report();
            }
            self.push_once(&mut all, &text, "rows");
        }
        all
    }

    pub(super) fn push_once(&self, all: &mut Vec<String>, text: &At<&str>, key: &str) {
        if all.iter().any(|old| old == text.value) {
            self.reader
                .error(&text.span, format!("`{}` is twice in `{key}`", text.value))
                .help("remove one of them")
                .report();
        } else {
            all.push(text.value.to_owned());
        }
    }

    fn needs(&self, table: &Table<'r, '_>) -> Vec<At<String>> {
        let mut all: Vec<At<String>> = Vec::new();
        for need in table.texts("needs").unwrap_or_default() {
            let named = words::NAMED_CAPABILITIES.iter().any(|prefix| {
                need.value
                    .strip_prefix(prefix)
                    .is_some_and(|name| !name.is_empty())
            });
            if !named && !words::CAPABILITIES.contains(&need.value) {
                self.reader
                    .error(&need.span, format!("unknown capability `{}`", need.value))
                    .suggest(
                        need.value,
                        words::CAPABILITIES.iter().copied().chain([
                            "client.NAME",
                            "resource.NAME",
                            "rar.NAME",
                        ]),
                    )
                    .report();
                // What was meant counts as declared, so that one slip is one message.
                if let Some(meant) = nearest(need.value, words::CAPABILITIES.iter().copied()) {
                    all.push(At {
                        value: meant.to_owned(),
                        span: need.span,
                    });
                }
            } else if all.iter().any(|old| old.value == need.value) {
                self.reader
                    .error(&need.span, format!("`{}` is twice in `needs`", need.value))
                    .help("remove one of them")
                    .report();
            } else {
                all.push(At {
                    value: need.value.to_owned(),
                    span: need.span,
                });
            }
        }
        all
    }

    fn each(&self, table: &Table<'r, '_>) -> Option<At<Each>> {
        let entry = table.entry("each")?;
        let value = match entry.value {
            DeValue::String(name) => Each::Table(At {
                value: name.to_string(),
                span: entry.span.clone(),
            }),
            DeValue::Table(variants) => Each::Here(self.variants(variants, &entry.key_span)),
            other => {
                self.reader
                    .error(&entry.span, format!("`each` is {}", kind(other)))
                    .help("write the name of a [table.NAME], or the variants below [case.each]")
                    .report();
                return None;
            }
        };
        Some(At {
            value,
            span: entry.key_span.clone(),
        })
    }

    /// The variants of `[case.each]` or `[table.NAME]`.
    pub fn variants(&self, table: &DeTable<'_>, span: &Span) -> Vec<ReadVariant> {
        const MOST: usize = 400;
        let rows = entries(table);
        if rows.is_empty() {
            self.reader
                .error(span, "a table of variants without a variant")
                .help("write one variant a line: trailing-slash.redirect_uri = \"…\"")
                .report();
        }
        if rows.len() > MOST {
            self.reader
                .error(span, format!("{} variants in one table", rows.len()))
                .label(format!("at most {MOST}"))
                .help("split the case")
                .report();
        }
        rows.iter()
            .take(MOST)
            .filter_map(|row| self.variant(row))
            .collect()
    }

    fn variant(&self, row: &Entry<'_>) -> Option<ReadVariant> {
        let name = self.slug(
            "variant",
            &At {
                value: row.key,
                span: row.key_span.clone(),
            },
        );
        let DeValue::Table(body) = row.value else {
            self.reader
                .error(
                    &row.span,
                    format!("variant `{}` is {}, not a table", row.key, kind(row.value)),
                )
                .help(format!(
                    "name the parameter it changes: {}.redirect_uri = \"…\"",
                    row.key
                ))
                .report();
            return None;
        };
        // Plain keys are parameters; the reserved words keep their meaning.
        let rows = entries(body);
        let reserved = |key: &str| SHAPES.variant.keys.iter().any(|word| word == key);
        let free = Shape {
            keys: rows.iter().map(|row| row.key.to_owned()).collect(),
            required: Vec::new(),
        };
        let table = Table::new(self.reader, body, row.key_span.clone(), "a variant", &free);
        let plain: Vec<Entry<'_>> = rows.into_iter().filter(|row| !reserved(row.key)).collect();
        let mut change = self.change(&table);
        for row in &plain {
            if let Some(meant) = nearest(row.key, ["without", "forge", "expect"])
                && row.key.len() > 4
            {
                self.reader
                    .error(&row.key_span, format!("`{}` looks like a slip", row.key))
                    .help(format!(
                        "did you mean `{meant}`? A parameter of this name goes under `with`"
                    ))
                    .report();
            }
        }
        self.parameters(&plain, "with", &mut change);
        let needs = self.needs(&table);
        let variant = Variant {
            name: name.value,
            level: table.word("level", LEVELS, level).map(|level| level.value),
            needs: needs.iter().map(|need| need.value.clone()).collect(),
            change: change.change.clone(),
            expect: None,
        };
        if variant.change.is_empty() {
            self.reader
                .error(
                    &name.span,
                    format!("variant `{}` changes nothing", variant.name),
                )
                .help("name a parameter, or use with, without, raw or forge")
                .report();
        }
        Some(ReadVariant {
            variant,
            needs,
            change,
            expect: self.expect(&table),
        })
    }

    fn step(&self, table: &Table<'r, '_>) -> ReadStep {
        let before = self.reader.count();
        let verbs = Verb::ALL.map(Verb::word);
        let mut at = BTreeMap::new();
        for key in [
            "do", "as", "client", "user", "at", "parallel", "wait", "vary", "cause",
        ] {
            if let Some(entry) = table.entry(key) {
                at.insert(key, entry.span.clone());
            }
        }
        let verb = table
            .word("do", &verbs, |word| {
                Verb::ALL.into_iter().find(|verb| verb.word() == word)
            })
            .map(|verb| verb.value);
        let users = User::ALL.map(User::word);
        let user = table
            .word("user", &users, |word| {
                User::ALL.into_iter().find(|user| user.word() == word)
            })
            .map_or(User::Approve, |user| user.value);
        let mut given = ReadChange::default();
        if let Some(rows) = table.map("given") {
            self.parameters(&rows, "given", &mut given);
        }
        let change = self.change(table);
        let expect = self.expect(table);
        let step = Step {
            // A file with an unknown verb is refused; nobody acts on the stand-in.
            verb: verb.unwrap_or(Verb::Http),
            name: self.step_name(table),
            client: table.owned("client"),
            user,
            at: table.owned("at"),
            given: given.change.with,
            change: change.change.clone(),
            parallel: self.parallel(table),
            wait: self.within(table, "wait"),
            vary: self.only_true(table, "vary"),
            cause: self.only_true(table, "cause"),
            expect: expect
                .as_ref()
                .map(|expect| expect.expect.clone())
                .unwrap_or_default(),
            source: self.source(&table.span),
        };
        ReadStep {
            step,
            span: table.span.clone(),
            given: given.parameters.into_iter().map(|(name, _)| name).collect(),
            references: given.references,
            change,
            expect,
            broken: table.entry("do").is_none() || self.reader.count() > before,
            at,
        }
    }

    pub fn source(&self, span: &Span) -> Source {
        Source {
            file: self.reader.file().to_owned(),
            line: self.reader.line(span),
            span: span.clone(),
        }
    }

    fn step_name(&self, table: &Table<'r, '_>) -> Option<String> {
        let name = table.text("as")?;
        let fits = name.value.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .value
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !fits {
            self.reader
                .error(&name.span, format!("`{}` is no name", name.value))
                .help("a name begins with a lower-case letter; letters, digits and hyphens follow")
                .report();
        } else if words::builtin(name.value).is_some() {
            self.reader
                .error(&name.span, format!("`{}` is a built-in name", name.value))
                .help("choose another name for this step")
                .report();
        }
        Some(name.value.to_owned())
    }

    fn parallel(&self, table: &Table<'r, '_>) -> Option<u32> {
        let copies = table.integer("parallel")?;
        match u32::try_from(copies.value) {
            Ok(value @ 2..=64) => Some(value),
            _ => {
                self.reader
                    .error(&copies.span, format!("{} requests at once", copies.value))
                    .label("from 2 to 64")
                    .help("races show with few copies; 10 is a good number")
                    .report();
                None
            }
        }
    }

    /// A flag that is either true or left out.
    pub(super) fn only_true(&self, table: &Table<'r, '_>, key: &str) -> bool {
        let Some(flag) = table.flag(key) else {
            return false;
        };
        if !flag.value {
            self.reader
                .error(&flag.span, format!("`{key} = false` says nothing"))
                .help("leave it out")
                .report();
        }
        flag.value
    }
}

const LEVELS: &[&str] = &["must", "should", "may", "promise"];

fn level(word: &str) -> Option<Level> {
    Some(match word {
        "must" => Level::Must,
        "should" => Level::Should,
        "may" => Level::May,
        "promise" => Level::Promise,
        _ => return None,
    })
}

const SEVERITIES: &[&str] = &["critical", "high", "medium", "low", "cosmetic"];

fn severity(word: &str) -> Option<Severity> {
    Some(match word {
        "critical" => Severity::Critical,
        "high" => Severity::High,
        "medium" => Severity::Medium,
        "low" => Severity::Low,
        "cosmetic" => Severity::Cosmetic,
        _ => return None,
    })
}
