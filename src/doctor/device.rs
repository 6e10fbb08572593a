//! Finds out what a person does on the verification page of the device grant (RFC 8628 §3.3).

use crate::doctor::explore::learn;
use crate::doctor::init::Draft;
use crate::flow::{Answer, Scene, World};
use crate::login;
use crate::suite::model::{Change, Step, User, Verb};

/// Pages that are learnt beside those of the login.
const MOST_PAGES: usize = 4;

/// Adds the login steps that a device's user takes, when the server has the device grant and lets the client use it; steps that do not lead
/// through are not kept. The login itself is known.
pub(super) async fn learn_page(draft: &mut Draft, world: &mut World, notes: &mut Vec<String>) {
    if world.endpoints.device.is_none() {
        return;
    }
    let before = draft.steps.len();
    let shown = [("user_code".to_owned(), String::new())];
    for _ in 0..=MOST_PAGES {
        let mut scene = Scene::new(world);
        let mut step = Step::new(Verb::Device);
        step.at = Some("page".to_owned());
        let outcome = scene
            .perform(&step, &Change::default(), User::Approve, 1)
            .await
            .clone();
        let stopped = match &outcome.answer {
            Answer::Success => {
                if draft.steps.len() > before {
                    notes.push("a device's user gets through too".to_owned());
                }
                return;
            }
            // A client that may not is none whose devices wait; cases say so.
            Answer::NotApplicable(_) => return,
            other => scene.secrets.redact(&other.words()),
        };
        let page = outcome.seen.last().map(|seen| &seen.page);
        let learnt = page.and_then(|page| learn(page, &shown));
        let learnt = learnt.filter(|(step, asked)| {
            let known =
                (draft.steps.iter()).any(|old| old.press == step.press && old.fill == step.fill);
            !known && asked.iter().all(|(field, _)| field == "user_code")
        });
        let Some((step, _)) = learnt else {
            notes.push(format!(
                "the device's verification page was not learnt: it {stopped}"
            ));
            break;
        };
        let title = page.map_or("", |page| page.title.as_str());
        notes.push(format!(
            "page “{title}” of a device: {}",
            login::form::words(&step)
        ));
        world.target.login.steps.push(step.clone());
        draft.steps.push(step);
    }
    draft.steps.truncate(before);
    world.target.login.steps.truncate(before);
}
