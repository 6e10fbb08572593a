//! What the answers of a variant mean.

use std::time::{Duration, Instant};

use super::control::{deviation, expectation};
use super::performance::{PATIENCE, THROTTLED_PATIENCE};
use crate::check::{self, Found};
use crate::event::{Exchange, Level, Role, Verdict};
use crate::flow::audience::side_by_side;
use crate::flow::confirm::{self, Confirmation};
use crate::flow::{Answer, How, Outcome, Scene, World};
use crate::suite::model::{Case, Change, Expect, Part, Step, Template, User, Value, Variant, Verb};

/// What a performance of a variant came to, before its controls are looked at.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub reason: String,
    /// What the decisive step answered, for the policy read-out.
    pub observed: String,
    /// The exchanges.
    pub evidence: Vec<Exchange>,
    /// Whether the server gave no usable answer, so that trying again may help.
    pub unanswered: bool,
    /// Whether it asked for patience.
    pub throttled: bool,
}

/// One opinion about one step.
#[derive(Debug, Clone)]
struct Opinion {
    verdict: Verdict,
    reason: String,
}

fn opinion(verdict: Verdict, reason: impl Into<String>) -> Opinion {
    Opinion {
        verdict,
        reason: reason.into(),
    }
}

/// Performs a variant and judges it; races are repeated, throttled flows tried again.
pub async fn variant(world: &World, case: &Case, variant: &Variant) -> Judgement {
    let races = case.steps.iter().any(|step| step.parallel.is_some())
        || case
            .steps
            .iter()
            .any(|step| step.user == User::ApproveAtOnce);
    let rounds = if races { world.race_rounds.max(1) } else { 1 };
    let mut worst: Option<Judgement> = None;
    for round in 1..=rounds {
        let mut judged = once(world, case, variant).await;
        for again in 0..THROTTLED_PATIENCE {
            if again >= PATIENCE && !judged.throttled {
                break;
            }
            if judged.verdict != Verdict::Inconclusive || !judged.unanswered {
                break;
            }
            judged = once(world, case, variant).await;
        }
        if races && judged.verdict == Verdict::Pass {
            judged.reason = format!("not observed in {round} rounds: {}", judged.reason);
        }
        let worse = worst
            .as_ref()
            .is_none_or(|worst| judged.verdict >= worst.verdict);
        if worse {
            worst = Some(judged);
        }
        if worst
            .as_ref()
            .is_some_and(|worst| worst.verdict >= Verdict::Fail)
        {
            break;
        }
    }
    worst.unwrap_or_else(|| Judgement {
        verdict: Verdict::Error,
        reason: "no round was performed".into(),
        observed: String::new(),
        evidence: Vec::new(),
        unanswered: false,
        throttled: false,
    })
}

/// One performance.
async fn once(world: &World, case: &Case, variant: &Variant) -> Judgement {
    let level = variant.level.unwrap_or(case.level);
    let mut scene = Scene::new(world);
    let mut opinions: Vec<Opinion> = Vec::new();
    let mut observed = String::new();
    let mut deviating = Vec::new();
    let mut attacked = false;
    let mut unanswered = false;
    let mut throttled = false;
    let refuses_anywhere = case
        .steps
        .iter()
        .any(|step| expectation(step, variant).refuses());
    for (number, step) in case.steps.iter().enumerate() {
        let expect = expectation(step, variant);
        let change = deviation(step, variant);
        let outcome = scene
            .perform(step, &change, step.user, number + 1)
            .await
            .clone();
        // A step may arrange others before its own outcome, which is the last.
        let at = scene.outcomes.len().saturating_sub(1);
        if expect.refuses() || step.cause || !change.is_empty() {
            deviating.push(at);
        }
        throttled |= matches!(outcome.answer, Answer::Throttled(_));
        unanswered |= matches!(outcome.answer, Answer::NoAnswer(_) | Answer::Throttled(_));
        if expect.refuses() || observed.is_empty() || !expect.check.is_empty() {
            observed = outcome.answer.words();
        }
        let mut judge = StepJudge {
            scene: &mut scene,
            step,
            expect,
            change: &change,
            number: number + 1,
            level,
            at,
            attacked,
            refuses_anywhere,
        };
        let judged = judge.step(&outcome).await;
        let stop = judged
            .iter()
            .any(|one| one.verdict > Verdict::Warn || one.verdict == Verdict::Skipped);
        opinions.extend(judged);
        attacked |= expect.refuses() || step.cause;
        if stop {
            break;
        }
    }
    let decided = combine(opinions);
    Judgement {
        verdict: decided.verdict,
        reason: scene.secrets.redact(&decided.reason),
        observed: scene.secrets.redact(&observed),
        evidence: scene.evidence(Role::Setup, &deviating),
        unanswered,
        throttled,
    }
}

/// The worst opinion; "does not apply" only when nothing else was found.
fn combine(opinions: Vec<Opinion>) -> Opinion {
    let mut worst: Option<Opinion> = None;
    let mut skipped: Option<Opinion> = None;
    for one in opinions {
        if one.verdict == Verdict::Skipped {
            skipped.get_or_insert(one);
            continue;
        }
        let worse = worst
            .as_ref()
            .is_none_or(|worst| one.verdict > worst.verdict);
        // Among equals the last one says most: it is the end of the flow.
        let later = worst
            .as_ref()
            .is_some_and(|worst| one.verdict == worst.verdict && !one.reason.is_empty());
        if worse || later {
            worst = Some(one);
        }
    }
    match (worst, skipped) {
        (Some(worst), _) if worst.verdict >= Verdict::Warn => worst,
        (_, Some(skipped)) => skipped,
        (Some(worst), None) => worst,
        (None, None) => opinion(Verdict::Pass, "every step succeeded"),
    }
}

/// Judges one step.
struct StepJudge<'j, 'w> {
    scene: &'j mut Scene<'w>,
    step: &'j Step,
    expect: &'j Expect,
    change: &'j Change,
    number: usize,
    level: Level,
    at: usize,
    attacked: bool,
    refuses_anywhere: bool,
}

impl StepJudge<'_, '_> {
    async fn step(&mut self, outcome: &Outcome) -> Vec<Opinion> {
        let mut opinions = Vec::new();
        match &outcome.answer {
            Answer::NotApplicable(why) => return vec![opinion(Verdict::Skipped, why.clone())],
            // Silence is what this check is about; to all others it says nothing.
            Answer::NoAnswer(_) if self.expect.check.iter().any(|name| name == "prompt-answer") => {
                let finding = check::run("prompt-answer", self.scene, self.at).await;
                return vec![opinion(self.broken(), finding.reason)];
            }
            Answer::NoAnswer(_) | Answer::Throttled(_) => {
                let words = format!("{} {}", outcome.label, outcome.answer.words());
                return vec![opinion(Verdict::Inconclusive, words)];
            }
            _ => {}
        }
        for name in &self.expect.check {
            let finding = check::run(name, self.scene, self.at).await;
            // An optional step that did not succeed skips the case; that nothing could be checked is no news.
            if finding.found == Found::Undecided
                && self.expect.optional.is_some()
                && outcome.answer != Answer::Success
            {
                continue;
            }
            let verdict = match finding.found {
                Found::Pass => Verdict::Pass,
                Found::Warn => Verdict::Warn,
                Found::Fail => self.broken(),
                Found::Undecided => Verdict::Inconclusive,
                Found::NotApplicable => Verdict::Skipped,
            };
            opinions.push(opinion(verdict, finding.reason));
        }
        // What a check reads out is the answer that counts.
        let reads_out = self
            .expect
            .check
            .iter()
            .any(|name| name == "rotation-read-out");
        let left_to_check =
            reads_out || (self.step.parallel.is_some() && !self.expect.check.is_empty());
        if !left_to_check {
            opinions.push(self.answer(outcome).await);
        }
        opinions
    }

    /// A breach at this level.
    fn broken(&self) -> Verdict {
        match self.level {
            Level::Must | Level::Promise => Verdict::Fail,
            Level::Should => Verdict::Warn,
            Level::May => Verdict::Pass,
        }
    }

    async fn answer(&mut self, outcome: &Outcome) -> Opinion {
        if let Some(codes) = &self.expect.dead {
            return self.dead(outcome, codes).await;
        }
        if let Some(codes) = &self.expect.challenge {
            return self.challenge(outcome, codes).await;
        }
        if let Some(codes) = &self.expect.refused {
            return self.refused(outcome, codes).await;
        }
        if self.expect.page {
            return self.page(outcome).await;
        }
        self.success(outcome).await
    }

    fn says(&self, outcome: &Outcome) -> String {
        let what = describe(self.step, self.change);
        format!("{what} {}", outcome.answer.words())
    }

    /// A step that must succeed.
    async fn success(&mut self, outcome: &Outcome) -> Opinion {
        if outcome.answer == Answer::Success {
            return opinion(Verdict::Pass, self.says(outcome));
        }
        if let Some(reason) = &self.expect.optional {
            return opinion(
                Verdict::Skipped,
                format!("{reason} ({})", outcome.answer.words()),
            );
        }
        if self.attacked {
            let words = format!(
                "{}: what was not attacked must go on working",
                self.says(outcome)
            );
            return opinion(self.broken(), words);
        }
        let why = side_by_side(self.scene, outcome).await;
        if self.refuses_anywhere {
            let words = format!(
                "the situation could not be arranged: {}{why}",
                self.says(outcome)
            );
            return opinion(Verdict::Inconclusive, words);
        }
        opinion(self.broken(), self.says(outcome) + &why)
    }

    /// A step that the protocol must refuse.
    async fn refused(&mut self, outcome: &Outcome, codes: &[String]) -> Opinion {
        let says = self.says(outcome);
        match &outcome.answer {
            Answer::Refused { error, how, .. } => match error {
                Some(error) if self.known(codes, error) => opinion(Verdict::Pass, says),
                // A page for people is judged as a page, whatever code it shows.
                Some(_) if *how == How::Page && codes.iter().any(|code| code == "page") => {
                    opinion(Verdict::Pass, says)
                }
                Some(_) => opinion(
                    Verdict::Warn,
                    format!("{says}; expected {}", codes.join(" or ")),
                ),
                None if codes.iter().any(|code| code == "page") => opinion(Verdict::Pass, says),
                // Before the redirect URI can be trusted, or on an endpoint for people, a page is a
                // lawful refusal; at a JSON endpoint it is a formal defect.
                None if *how == How::Page && outcome.verb == Verb::Authorize => {
                    opinion(Verdict::Pass, says)
                }
                None => opinion(
                    Verdict::Warn,
                    format!("{says}; expected the error code {}", codes.join(" or ")),
                ),
            },
            Answer::ServerError(_) => opinion(Verdict::Warn, says),
            Answer::Success => self.accepted(outcome).await,
            Answer::Astray { .. } => opinion(self.broken(), says),
            _ => opinion(Verdict::Inconclusive, says),
        }
    }

    /// The listed codes, and those the target declares to mean the same.
    fn known(&self, codes: &[String], error: &str) -> bool {
        let aliases = &self.scene.world.target.policy.error_aliases;
        codes.iter().any(|code| {
            code == error
                || aliases
                    .iter()
                    .any(|(name, others)| name == code && others.iter().any(|other| other == error))
        })
    }

    /// A step that had to be refused and was not: lawful after all, or confirmed by use.
    async fn accepted(&mut self, outcome: &Outcome) -> Opinion {
        let says = self.says(outcome);
        if let Some(name) = &self.expect.or {
            let finding = check::run(name, self.scene, self.at).await;
            match finding.found {
                Found::Pass => {
                    return opinion(
                        Verdict::Pass,
                        format!("{says}, lawfully: {}", finding.reason),
                    );
                }
                Found::Warn => {
                    return opinion(Verdict::Warn, format!("{says}: {}", finding.reason));
                }
                Found::Undecided => {
                    return opinion(Verdict::Inconclusive, format!("{says}: {}", finding.reason));
                }
                Found::Fail | Found::NotApplicable => {
                    return opinion(self.broken(), format!("{says}: {}", finding.reason));
                }
            }
        }
        match confirm::confirm(self.scene, self.at).await {
            Confirmation::Works(how) => opinion(self.broken(), format!("{says}, and {how}")),
            // A check may wait until the pushed request is used (RFC 9126 §2.1).
            Confirmation::OfNoUse(how) if outcome.verb == Verb::Push => opinion(
                Verdict::Pass,
                format!("{says}, and was refused later: {how}"),
            ),
            Confirmation::OfNoUse(how) => {
                opinion(Verdict::Warn, format!("{says}, but it is of no use: {how}"))
            }
            Confirmation::Unknown(how) => opinion(self.broken(), format!("{says} ({how})")),
        }
    }

    /// A request whose redirect URI or client cannot be trusted must end on a page.
    async fn page(&mut self, outcome: &Outcome) -> Opinion {
        let says = self.says(outcome);
        let redirected = matches!(outcome.answer, Answer::Success)
            || matches!(
                &outcome.answer,
                Answer::Refused {
                    how: How::Redirect,
                    ..
                }
            );
        match &outcome.answer {
            Answer::ServerError(_) => opinion(Verdict::Warn, says),
            Answer::Astray { .. } => opinion(self.broken(), says),
            Answer::Refused { how, .. }
                if *how != How::Redirect && self.asks_to_log_in(outcome) =>
            {
                opinion(
                    Verdict::Skipped,
                    format!("{says}: it is the login page, which says nothing about the request"),
                )
            }
            Answer::Refused { how, .. } if *how != How::Redirect => opinion(Verdict::Pass, says),
            _ if redirected && self.asked_for_another(outcome) => opinion(
                Verdict::Warn,
                format!(
                    "{says}: it went to a registered redirect URI in place of the one asked for"
                ),
            ),
            Answer::Success => self.accepted(outcome).await,
            _ => opinion(self.broken(), says),
        }
    }

    /// Whether nobody was there and the server asked for somebody: that it looks at the redirect URI or the client, now or after the login, cannot be seen.
    fn asks_to_log_in(&self, outcome: &Outcome) -> bool {
        let about = ["redirect_uri", "client_id"];
        let nobody = self.step.user == User::Absent;
        let names = self.change.names();
        nobody
            && names.iter().any(|name| about.contains(&name.as_str()))
            && outcome.pages.last().is_some_and(|page| {
                let fields = crate::login::html::read(page, "").forms;
                let mut fields = fields.iter().flat_map(|form| &form.fields);
                fields.any(|field| matches!(field.kind.as_str(), "password" | "text" | "email"))
            })
    }

    /// Whether the redirect went to a URI that the request did not ask for.
    fn asked_for_another(&self, outcome: &Outcome) -> bool {
        let location = outcome.location.as_deref().unwrap_or_default();
        let location = String::from_utf8_lossy(location).into_owned();
        let asked: Vec<&str> = outcome
            .sent
            .iter()
            .filter(|(name, _)| name == "redirect_uri")
            .map(|(_, value)| value.as_str())
            .collect();
        let changed = self
            .change
            .with
            .iter()
            .map(|(name, _)| name)
            .chain(self.change.raw.iter().map(|(name, _)| name))
            .any(|name| name == "redirect_uri");
        changed && asked.iter().any(|uri| !location.starts_with(uri))
    }

    /// A call that the resource server must refuse.
    async fn challenge(&mut self, outcome: &Outcome, codes: &[String]) -> Opinion {
        let says = self.says(outcome);
        match &outcome.answer {
            Answer::Success => self.accepted(outcome).await,
            Answer::ServerError(_) => opinion(Verdict::Warn, says),
            Answer::Refused { status, error, how } => {
                let wanted = wanted_status(codes);
                let code = error.as_deref().unwrap_or_default();
                let right_code = codes.iter().any(|listed| listed == code);
                if *how != How::Challenge {
                    return opinion(
                        Verdict::Warn,
                        format!("{says}; expected a Bearer challenge"),
                    );
                }
                if !right_code {
                    let listed: Vec<&str> = codes
                        .iter()
                        .map(|code| {
                            if code.is_empty() {
                                "no error code"
                            } else {
                                code
                            }
                        })
                        .collect();
                    return opinion(
                        Verdict::Warn,
                        format!("{says}; expected {}", listed.join(" or ")),
                    );
                }
                if !wanted.contains(status) {
                    return opinion(
                        Verdict::Warn,
                        format!(
                            "{says}; expected status {}",
                            wanted
                                .iter()
                                .map(u16::to_string)
                                .collect::<Vec<_>>()
                                .join(" or ")
                        ),
                    );
                }
                opinion(Verdict::Pass, says)
            }
            _ => opinion(Verdict::Inconclusive, says),
        }
    }

    /// Something that lived must be refused now, at the latest after the target's declared lag.
    async fn dead(&mut self, outcome: &Outcome, codes: &[String]) -> Opinion {
        let limit = (self.expect.within.as_ref())
            .map_or(Duration::ZERO, |within| self.scene.world.time(within));
        let deadline = Instant::now() + limit;
        let mut latest = outcome.clone();
        while latest.answer == Answer::Success && !uses_up(self.step) && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let change = self.change.clone();
            let user = self.step.user;
            latest = self
                .scene
                .perform(self.step, &change, user, self.number)
                .await
                .clone();
        }
        let says = format!(
            "{} {}",
            describe(self.step, self.change),
            latest.answer.words()
        );
        match &latest.answer {
            Answer::Success => opinion(
                self.broken(),
                format!("{says}: it lives on{}", lag_words(limit)),
            ),
            Answer::Refused { error, .. } => {
                let code = error.as_deref().unwrap_or("page");
                if self.known(codes, code) {
                    opinion(Verdict::Pass, says)
                } else {
                    opinion(
                        Verdict::Warn,
                        format!("{says}; expected {}", codes.join(" or ")),
                    )
                }
            }
            Answer::ServerError(_) => opinion(Verdict::Warn, says),
            _ => opinion(Verdict::Inconclusive, says),
        }
    }
}

/// Whether performing a step twice is not the same as once.
fn uses_up(step: &Step) -> bool {
    matches!(step.verb, Verb::Refresh | Verb::Exchange)
}

fn lag_words(limit: Duration) -> String {
    if limit.is_zero() {
        String::new()
    } else {
        format!(
            " after {} s, which the target declares as its lag",
            limit.as_secs_f32()
        )
    }
}

/// RFC 6750 §3.1.
fn wanted_status(codes: &[String]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for code in codes {
        let status = match code.as_str() {
            "insufficient_scope" => 403,
            "invalid_request" => 400,
            _ => 401,
        };
        if !statuses.contains(&status) {
            statuses.push(status);
        }
    }
    statuses
}

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
