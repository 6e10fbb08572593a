//! A step that must be refused: by the protocol, with a page, with a challenge, or because its credential is dead.

use std::time::{Duration, Instant};

use super::step::StepJudge;
use super::{Opinion, describe, opinion};
use crate::check::{self, Found};
use crate::event::Verdict;
use crate::flow::confirm::{self, Confirmation};
use crate::flow::{Answer, How, Outcome};
use crate::suite::model::{Step, User, Verb};

impl StepJudge<'_, '_> {
    /// A step that the protocol must refuse.
    pub(super) async fn refused(&mut self, outcome: &Outcome, codes: &[String]) -> Opinion {
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
    pub(super) async fn page(&mut self, outcome: &Outcome) -> Opinion {
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
    pub(super) async fn challenge(&mut self, outcome: &Outcome, codes: &[String]) -> Opinion {
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
    pub(super) async fn dead(&mut self, outcome: &Outcome, codes: &[String]) -> Opinion {
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
