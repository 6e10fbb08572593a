//! What takes a whole case to see: names and references, controls, causes, variants. What a case
//! needs is in `needs`.

use std::collections::BTreeSet;

use super::model::{User, Value, Verb};
use super::read::{
    Each, Pieces, ReadCase, ReadChange, ReadExpect, ReadStep, ReadVariant, Reference,
};
use super::words::{self, Fields};
use crate::diagnostic::nearest;
use crate::reader::{At, Span};

/// Checks a case. Returns the capabilities that every use of a verb brings along without being declared.
pub(super) fn case(
    pieces: &Pieces<'_>,
    suite: &str,
    case: &ReadCase,
    variants: &[&ReadVariant],
) -> Vec<String> {
    let lint = Lint {
        pieces,
        suite,
        case,
        variants,
    };
    lint.variants_are_taken();
    lint.causes_and_deaths();
    for step in &case.steps {
        lint.step(step);
    }
    lint.names();
    lint.needs();
    lint.derived()
}

pub(super) struct Lint<'a> {
    pub pieces: &'a Pieces<'a>,
    pub suite: &'a str,
    pub case: &'a ReadCase,
    pub variants: &'a [&'a ReadVariant],
}

impl Lint<'_> {
    pub(super) fn error(
        &self,
        span: &Span,
        message: impl Into<String>,
    ) -> crate::reader::Problem<'_> {
        self.pieces.reader.error(span, message)
    }

    /// The change a step makes by itself, and then those its variants add.
    pub(super) fn changes<'s>(
        &'s self,
        step: &'s ReadStep,
    ) -> Vec<(Option<usize>, &'s ReadChange)> {
        let mut all = vec![(None, &step.change)];
        if step.step.vary {
            all.extend(
                self.variants
                    .iter()
                    .enumerate()
                    .map(|(index, variant)| (Some(index), &variant.change)),
            );
        }
        all
    }

    fn variants_are_taken(&self) {
        let vary = self.case.steps.iter().find(|step| step.step.vary);
        match (&self.case.each, vary) {
            (Some(each), None) => self
                .error(&each.span, "no step takes the variants")
                .help("mark the step that is to be varied with vary = true")
                .report(),
            (None, Some(step)) => self
                .error(
                    step.place("vary"),
                    "a step is varied, but the case has no variants",
                )
                .help("add [case.each] with the variants, or remove vary = true")
                .report(),
            _ => {}
        }
    }

    fn causes_and_deaths(&self) {
        let steps = &self.case.steps;
        for (index, step) in steps.iter().enumerate() {
            let earlier = steps.iter().take(index);
            let mut later = steps.iter().skip(index + 1);
            if let Some(expect) = &step.expect
                && expect.expect.dead.is_some()
                && !earlier.clone().any(|earlier| earlier.step.cause)
            {
                self.error(&expect.span, "nothing killed what is expected to be dead")
                    .help("mark the earlier step that kills it with cause = true")
                    .note("the control is the case without its cause steps: there this step must succeed")
                    .report();
            }
            if step.step.cause && !later.any(|step| self.expects_death(step)) {
                self.error(step.place("cause"), "this step kills nothing")
                    .help("expect.dead on a later step, or remove cause = true")
                    .report();
            }
        }
    }

    fn expects_death(&self, step: &ReadStep) -> bool {
        self.expectations(step)
            .any(|expect| expect.expect.dead.is_some())
    }

    /// The step's expectation and those of its variants.
    pub(super) fn expectations<'s>(
        &'s self,
        step: &'s ReadStep,
    ) -> impl Iterator<Item = &'s ReadExpect> {
        let varied = if step.step.vary { self.variants } else { &[] };
        step.expect
            .iter()
            .chain(varied.iter().filter_map(|variant| variant.expect.as_ref()))
    }

    fn step(&self, step: &ReadStep) {
        if step.broken {
            return;
        }
        self.keys_fit_the_verb(step);
        self.place_is_known(step);
        self.control_exists(step);
        for (_, change) in self.changes(step) {
            self.change(step, change);
        }
    }

    fn keys_fit_the_verb(&self, step: &ReadStep) {
        let verb = step.step.verb;
        let refuse = |key: &str, why: &str, help: &str| {
            if let Some(span) = step.at.get(key) {
                self.error(
                    span,
                    format!("`{key}` has no meaning for `{}`", verb.word()),
                )
                .label(why.to_owned())
                .help(help.to_owned())
                .report();
            }
        };
        let on_page = verb == Verb::Device && step.step.at.as_deref() == Some("page");
        if !matches!(verb, Verb::Authorize | Verb::Grant) && !on_page {
            refuse(
                "user",
                "no user is met here",
                "put it on the authorize or grant step (or device step at page) whose user is meant",
            );
        }
        if verb == Verb::Discover {
            refuse("client", "metadata is for everybody", "remove it");
        }
        let placed = [
            Verb::Discover,
            Verb::Register,
            Verb::Authorize,
            Verb::Grant,
            Verb::Call,
            Verb::Device,
            Verb::Http,
        ];
        if !placed.contains(&verb) {
            refuse(
                "at",
                "only discover, register, authorize, grant, call, device and http go to a place",
                "remove it",
            );
        }
    }

    fn place_is_known(&self, step: &ReadStep) {
        let known = match step.step.verb {
            Verb::Discover => words::DOCUMENTS,
            Verb::Http => words::ENDPOINTS,
            Verb::Register => words::REGISTRATIONS,
            Verb::Device => words::DEVICE,
            _ => return,
        };
        let named = |at: &str| {
            step.step.verb == Verb::Discover
                && at
                    .strip_prefix("resource.")
                    .is_some_and(crate::reader::is_slug)
        };
        match &step.step.at {
            Some(at) if !known.contains(&at.as_str()) && !named(at) => self
                .error(
                    step.place("at"),
                    format!("`{}` cannot be at `{at}`", step.step.verb.word()),
                )
                .suggest(at, known.iter().copied())
                .report(),
            None if step.step.verb == Verb::Http && !self.names_url(step) => self
                .error(&step.span, "an http step that goes nowhere")
                .help("name an endpoint with at = \"token\", or set given.\"@url\"")
                .report(),
            _ => {}
        }
    }

    fn names_url(&self, step: &ReadStep) -> bool {
        step.given.iter().any(|name| name.value == "@url")
            || self.changes(step).iter().any(|(_, change)| {
                change
                    .parameters
                    .iter()
                    .any(|(name, _)| name.value == "@url")
            })
    }

    /// A refusal proves something only beside the same step without its deviation. (A varied step
    /// deviates by its variants, and a variant that changes nothing was refused already.)
    fn control_exists(&self, step: &ReadStep) {
        let Some(expect) = &step.expect else {
            return;
        };
        let refuses = expect.expect.refuses() && expect.expect.dead.is_none();
        let deviates = !step.step.change.is_empty()
            || step.step.parallel.is_some()
            || step.step.user != User::Approve
            || step.step.vary;
        if refuses && !deviates {
            self.error(&expect.span, "this refusal has no control")
                .label("nothing in this step deviates")
                .note("the control is the same step without its deviation, and it must succeed")
                .help(
                    "say what is wrong with the request (with, without, raw, forge, parallel, user); \
                     if an earlier step kills what is used here, mark that one cause = true and \
                     expect.dead here",
                )
                .report();
        }
    }

    fn change(&self, step: &ReadStep, change: &ReadChange) {
        let verb = step.step.verb;
        let signed = step.given.iter().any(|given| given.value == "@request");
        let has_credential = matches!(
            verb,
            Verb::Exchange | Verb::Refresh | Verb::Revoke | Verb::Introspect | Verb::Call
        ) || (signed && verb == Verb::Authorize);
        if let Some(span) = &change.forge
            && !has_credential
        {
            self.error(span, format!("`{}` presents nothing to forge", verb.word()))
                .help("forge the code of an exchange, or the token of refresh, revoke, introspect or call")
                .report();
        }
        if let (Some(span), Some(name)) = (&change.forge, &change.change.forge)
            && name.starts_with("dpop.")
            && !step.given.iter().any(|given| given.value == "@dpop")
        {
            self.error(span, "there is no proof to forge")
                .help("let the correct step send one: given.\"@dpop\" = \"a\"")
                .report();
        }
        for (name, key) in &change.parameters {
            if name.value == "@url" && !matches!(verb, Verb::Http | Verb::Call) {
                self.error(&name.span, "only an http or call step has an @url")
                    .help("use do = \"http\"")
                    .report();
            }
            if *key == "without" {
                self.something_to_leave_out(step, name);
            }
        }
        if verb != Verb::Register {
            for (name, value) in &change.change.with {
                if matches!(value, Value::List(list) if list.is_empty()) {
                    let span = change
                        .parameters
                        .iter()
                        .find(|(parameter, _)| parameter.value == *name)
                        .map_or(&step.span, |(parameter, _)| &parameter.span);
                    self.error(span, format!("`{name}` is an empty list"))
                        .help(format!("to leave it out, write without = [\"{name}\"]"))
                        .report();
                }
            }
        }
    }

    fn something_to_leave_out(&self, step: &ReadStep, name: &At<String>) {
        let sent = step.step.verb.sends();
        let of_document =
            step.step.verb == Verb::Register && step.step.at.is_some() && name.value == "client_id";
        let given = step.given.iter().any(|given| given.value == name.value);
        if of_document
            || given
            || name.value.starts_with('@')
            || sent.contains(&name.value.as_str())
        {
            return;
        }
        self.error(
            &name.span,
            format!(
                "`{}` sends no `{}` by itself",
                step.step.verb.word(),
                name.value
            ),
        )
        .label("nothing to leave out")
        .suggest(
            &name.value,
            sent.iter()
                .copied()
                .chain(step.given.iter().map(|given| given.value.as_str())),
        )
        .note("put the parameter into `given` when the correct request must carry it")
        .report();
    }

    // --- names ---------------------------------------------------------------------------------

    fn names(&self) {
        let mut used = BTreeSet::new();
        for (index, step) in self.case.steps.iter().enumerate() {
            let earlier = self.case.steps.get(..index).unwrap_or_default();
            if let Some(name) = &step.step.name
                && find(earlier, name).is_some()
            {
                self.error(step.place("as"), format!("the name `{name}` is taken"))
                    .help("every step of a case has a name of its own")
                    .report();
            }
            if let Some(client) = &step.step.client
                && let Some(source) = find(earlier, client)
            {
                used.insert(client.clone());
                if source.step.verb != Verb::Register {
                    self.error(
                        step.place("client"),
                        format!(
                            "`{client}` is no client but a {} step",
                            source.step.verb.word()
                        ),
                    )
                    .help("name a client of the target file or an earlier register step")
                    .report();
                }
            }
            let all = step.references.iter().chain(
                self.changes(step)
                    .into_iter()
                    .flat_map(|(_, change)| &change.references),
            );
            for reference in all {
                self.reference(step, earlier, reference);
                // A misspelt name is used all the same: one slip is one message.
                let names = earlier.iter().filter_map(|step| step.step.name.as_deref());
                let meant = nearest(&reference.name, names);
                used.insert(meant.unwrap_or(&reference.name).to_owned());
            }
        }
        for step in &self.case.steps {
            if let Some(name) = &step.step.name
                && !used.contains(name)
            {
                self.error(step.place("as"), format!("the name `{name}` is never used"))
                    .help(format!("remove it, or use ${name}.field in a later step"))
                    .report();
            }
        }
    }

    fn reference(&self, step: &ReadStep, earlier: &[ReadStep], reference: &Reference) {
        let Reference { name, field, span } = reference;
        if let Some(fields) = words::builtin(name) {
            if let Fields::These(fields) = fields
                && !fields.contains(&field.as_str())
            {
                self.error(span, format!("`${name}` has no field `{field}`"))
                    .suggest(field, fields.iter().copied())
                    .report();
            }
            return;
        }
        let Some(source) = find(earlier, name) else {
            let later = find(&self.case.steps, name);
            let problem = self.error(span, format!("unknown name `${name}`"));
            match later {
                Some(_) => problem
                    .label("this step comes later")
                    .help("refer to earlier steps only")
                    .report(),
                None => {
                    let known: Vec<&str> = earlier
                        .iter()
                        .filter_map(|step| step.step.name.as_deref())
                        .chain(words::BUILTINS.iter().map(|(name, _)| *name))
                        .collect();
                    problem.suggest(name, known).report();
                }
            }
            return;
        };
        let fields = source.step.verb.outputs();
        if !source.broken && !fields.contains(&field.as_str()) {
            self.error(
                span,
                format!(
                    "`${name}` has no field `{field}`: it is a {} step",
                    source.step.verb.word()
                ),
            )
            .suggest(field, fields.iter().copied())
            .report();
        }
        if source.step.cause && !step.step.cause {
            self.error(span, format!("`${name}` is missing in the control"))
                .label("comes from a cause step")
                .note("the control of what is dead leaves the cause steps out, so nothing else may build on them")
                .help("take the value from an earlier step, or mark this step cause = true as well")
                .report();
        }
    }
}

pub(super) fn find<'s>(steps: &'s [ReadStep], name: &str) -> Option<&'s ReadStep> {
    steps
        .iter()
        .find(|step| step.step.name.as_deref() == Some(name))
}

/// The name of a shared table, when `each` names one.
pub(super) fn table_name(case: &ReadCase) -> Option<&At<String>> {
    match case.each.as_ref().map(|each| &each.value) {
        Some(Each::Table(name)) => Some(name),
        _ => None,
    }
}
