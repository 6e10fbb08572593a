//! Finds out how one logs in at a server: follows an authorization request, and on every page that no
//! step fits makes one, as a person would: fill in what is asked, press what goes on.

use crate::doctor::init::{Draft, second_variable};
use crate::doctor::{device, mcp, page};
use crate::flow::{Answer, Scene, World};
use crate::login::html::{Button, Field, Form, Page};
use crate::login::{self, End, Walk, Will};
use crate::run::Options;
use crate::run::cleanup;
use crate::run::prepare;
use crate::suite::model::{Change, Step, User, Verb};
use crate::targets::model::{Driver, LoginStep};

/// Pages that are learnt in one login.
const MOST_PAGES: usize = 10;

/// Completes the draft: registers its clients for a moment, walks the login, tries the probe. Returns
/// what its owner should know. `env` holds the credentials.
pub async fn explore(
    draft: &mut Draft,
    options: &Options,
    env: &dyn Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut notes = Vec::new();
    // Credentials that are not there yet are asked for by name, and never sent.
    let target = match draft.target(&|name| Some(env(name).unwrap_or_else(|| "not-set".to_owned())))
    {
        Ok(target) => target,
        Err(problems) => return vec![problems.to_string()],
    };
    let mut world = match prepare::connect(target, options) {
        Ok(world) => world,
        Err(failure) => return vec![format!("nothing was tried: {failure}")],
    };
    if let Err(why) = prepare::read_metadata(&mut world, &mut notes).await {
        return vec![why];
    }
    world.target.users.clear();
    world.target.login.steps.clear();
    if world.endpoints.authorization.is_none() {
        notes.push("no authorization endpoint is known, so no login was tried".to_owned());
        return notes;
    }
    register(draft, &mut world, &mut notes).await;
    if world
        .target
        .clients
        .first()
        .is_some_and(|client| client.id.is_some())
    {
        walk(draft, &mut world, env, &mut notes).await;
        if draft.walked {
            try_token(draft, &mut world, &mut notes).await;
            try_probes(draft, &mut world, &mut notes).await;
            device::learn_page(draft, &mut world, &mut notes).await;
        }
    }
    let every = draft
        .fields
        .iter()
        .map(|(_, variable)| second_variable(variable));
    draft.second =
        !draft.fields.is_empty() && every.clone().all(|variable| env(&variable).is_some());
    for leftover in cleanup::clean(&world, false).await {
        notes.push(format!("left behind: {leftover}"));
    }
    notes
        .iter()
        .map(|note| world.secrets.redact(note))
        .collect()
}

async fn register(draft: &mut Draft, world: &mut World, notes: &mut Vec<String>) {
    let Some(endpoint) = world.endpoints.registration.clone() else {
        return;
    };
    for (name, answer) in prepare::register_each(world, &endpoint).await {
        let Err(why) = answer else { continue };
        notes.push(format!("client {name} could not be registered: {why}"));
        let client = draft.clients.iter_mut().find(|client| client.name == name);
        if let Some(client) = client
            && name != "a"
        {
            client.refused = Some(why);
        } else {
            notes.push("give the id of a client that is registered there: --client-id".to_owned());
        }
    }
}

async fn walk(
    draft: &mut Draft,
    world: &mut World,
    env: &dyn Fn(&str) -> Option<String>,
    notes: &mut Vec<String>,
) {
    let Some(client) = world.target.clients.first().cloned() else {
        return;
    };
    let Some(uri) = client.redirect_uris.first().cloned() else {
        return;
    };
    world.target.users = vec![crate::targets::model::User {
        name: "a".to_owned(),
        fields: Vec::new(),
    }];
    let wanted = std::mem::take(&mut draft.fields);
    for _ in 0..=MOST_PAGES {
        let (end, walk) = page::open(world, &client, &uri, Will::Approve).await;
        match end {
            End::Redirect { location, .. } => {
                return arrived(draft, &location, notes);
            }
            End::Page { status, about } if status < 400 => {
                let Some(page) = walk.seen.last().map(|seen| &seen.page) else {
                    return notes.push(format!("the login stopped at a page: {about}"));
                };
                let by_scripts = page.forms.is_empty() && page.scripts;
                if by_scripts && world.target.login.driver == Driver::Form {
                    notes.push("the login page is made by scripts: a real browser is used (driver = \"browser\")".to_owned());
                    world.target.login.driver = Driver::Browser;
                    draft.driver = "browser";
                    continue;
                }
                let Some((step, asked)) = learn(page, &wanted) else {
                    return notes.push(format!(
                        "the login stopped at a page without a form: {about}"
                    ));
                };
                let known = |step: &LoginStep| {
                    draft
                        .steps
                        .iter()
                        .any(|old| old.press == step.press && old.fill == step.fill)
                };
                if known(&step) {
                    return notes.push(format!(
                        "the login goes in circles at “{}”: {about}",
                        page.title
                    ));
                }
                let mut missing = Vec::new();
                for (field, variable) in asked {
                    match env(&variable) {
                        Some(value) => {
                            world.secrets.learn_given(&value, "password");
                            if let Some(user) = world.target.users.first_mut()
                                && !user.fields.iter().any(|(own, _)| *own == field)
                            {
                                user.fields.push((field.clone(), value));
                            }
                        }
                        None => missing.push(variable.clone()),
                    }
                    if !draft.fields.iter().any(|(own, _)| *own == field) {
                        draft.fields.push((field, variable));
                    }
                }
                notes.push(format!(
                    "page “{}”: {}",
                    page.title,
                    login::form::words(&step)
                ));
                world.target.login.steps.push(step.clone());
                draft.steps.push(step);
                if !missing.is_empty() {
                    return notes.push(format!(
                        "the login stops here: set {} in the environment and ask again, then the pages behind it are learnt too",
                        missing.join(", ")
                    ));
                }
            }
            other => return stopped(other, &walk, notes),
        }
    }
    notes.push(format!("the login did not end within {MOST_PAGES} pages"));
}

fn arrived(draft: &mut Draft, location: &[u8], notes: &mut Vec<String>) {
    let read = wire::location::read(location, None);
    let get = |name: &str| read.query_pairs().first(name).unwrap_or_default();
    if !get("code").is_empty() {
        draft.walked = true;
        return notes.push("the login leads to the redirect URI with a code".to_owned());
    }
    let (error, description) = (get("error"), get("error_description"));
    if error.is_empty() {
        return notes.push(format!(
            "the login leads to {}; if that host belongs to the server, add it to hosts in the file",
            String::from_utf8_lossy(location)
        ));
    }
    notes.push(format!(
        "the authorization request was refused: {error} {description}; {}",
        hint(&error, &description)
    ));
}

/// Which flag answers a refusal.
fn hint(error: &str, description: &str) -> &'static str {
    let about = |word: &str| error.contains(word) || description.contains(word);
    if about("authorization_details") {
        "give what it grants: --rar JSON"
    } else if about("target") || about("resource") {
        "give a request to the API: --probe \"GET https://api.example/me\", or its --resource"
    } else if about("scope") {
        "give a scope it knows: --scope"
    } else {
        "if it wants a further parameter, give it: --param NAME=VALUE"
    }
}

fn stopped(end: End, walk: &Walk, notes: &mut Vec<String>) {
    let body = walk
        .log
        .last()
        .and_then(|recorded| recorded.reply.as_ref().ok()?.json());
    let member = |name: &str| -> String {
        let value = body.as_ref().and_then(|body| body.get(name)?.as_str());
        value.unwrap_or_default().chars().take(200).collect()
    };
    let (error, description) = (member("error"), member("error_description"));
    let why = match end {
        End::Page { status, about } => format!("a page with status {status}: {about}"),
        End::ServerError(status) => format!("the server failed with {status}"),
        End::Throttled(why) | End::NoAnswer(why) | End::Stuck(why) => why,
        End::Redirect { .. } => String::new(),
    };
    if error.is_empty() {
        notes.push(format!("the login stopped: {why}"));
    } else {
        notes.push(format!(
            "the authorization request was refused: {error} {description}; {}",
            hint(&error, &description)
        ));
    }
}

/// Whether the code can be exchanged, with a form as the specifications have it, or else with JSON.
async fn try_token(draft: &mut Draft, world: &mut World, notes: &mut Vec<String>) {
    let mut refused = String::new();
    for json in [false, true] {
        world.target.policy.token_body_json = json;
        let mut scene = Scene::new(world);
        let grant = Step::new(Verb::Grant);
        let outcome = scene
            .perform(&grant, &Change::default(), User::Approve, 1)
            .await;
        if outcome.answer == Answer::Success {
            draft.token_json = json;
            if json {
                notes.push("the token endpoint takes JSON and no form".to_owned());
            }
            return;
        }
        if !json {
            let words = outcome.answer.words();
            refused = scene.secrets.redact(&words);
        }
    }
    world.target.policy.token_body_json = false;
    notes.push(format!("the code could not be exchanged: {refused}"));
}

/// Whether the probes work with a token of this login; one that does not becomes a comment.
async fn try_probes(draft: &mut Draft, world: &mut World, notes: &mut Vec<String>) {
    for resource in &mut draft.resources {
        let tried = match &resource.mcp {
            None => try_probe(world, resource.name()).await,
            Some(_) => mcp::learn(world).await.map(|learnt| {
                let probe = match &learnt.tool {
                    Some(tool) => format!("calls `{tool}`, which says that it only reads"),
                    None => "lists its tools".to_owned(),
                };
                let revision = learnt.revision().to_owned();
                resource.mcp = Some(learnt);
                format!("the MCP server speaks revision {revision}; the probe {probe}")
            }),
        };
        match tried {
            Ok(note) => notes.push(note),
            Err(why) => {
                notes.push(format!("the probe does not work with a token: {why}"));
                resource.refused = Some(why);
            }
        }
    }
}

async fn try_probe(world: &World, name: &str) -> Result<String, String> {
    let mut scene = Scene::new(world);
    let change = Change::default();
    for (number, verb) in [(1, Verb::Grant), (2, Verb::Call)] {
        let mut step = Step::new(verb);
        step.at = Some(name.to_owned());
        let outcome = scene.perform(&step, &change, User::Approve, number).await;
        if outcome.answer != Answer::Success {
            let words = outcome.answer.words();
            return Err(scene.secrets.redact(&format!("{} {words}", verb.word())));
        }
    }
    Ok("the probe works with a token".to_owned())
}

/// Words on buttons that go on, and on those that do not, the likeliest first.
const ON: [&str; 14] = [
    "approve",
    "allow",
    "authorize",
    "authorise",
    "accept",
    "grant",
    "confirm",
    "yes",
    "sign in",
    "sign-in",
    "log in",
    "login",
    "continue",
    "next",
];
/// The first of them are said to a request, not to a login.
const DECISIONS: usize = 6;
const OFF: [&str; 9] = [
    "deny", "reject", "refuse", "decline", "disallow", "don't", "cancel", "abort", "no",
];

/// The step for a page, and the user's fields it needs with their environment variables.
pub(super) fn learn(
    page: &Page,
    wanted: &[(String, String)],
) -> Option<(LoginStep, Vec<(String, String)>)> {
    let visible = |form: &Form| form.fields.iter().filter(|field| asks(field)).count();
    let form = page
        .forms
        .iter()
        .filter(|form| visible(form) > 0 || !form.buttons.is_empty())
        .max_by_key(|form| {
            (
                visible(form),
                on(form).is_some_and(|(rank, _)| rank < ON.len()),
            )
        })?;
    let mut step = LoginStep {
        press: on(form).map(|(_, press)| press),
        ..LoginStep::default()
    };
    let mut asked = Vec::new();
    for field in form.fields.iter().filter(|field| asks(field)) {
        let name = if field.name.is_empty() {
            &field.label
        } else {
            &field.name
        };
        if field.kind.starts_with("select") || !field.options.is_empty() {
            // By its text: what stands behind it may be another thing for another person.
            let (_, text) = field
                .options
                .iter()
                .find(|(value, text)| !value.is_empty() && !text.starts_with('$'))?;
            let own = user_field(field, name, wanted);
            if !wanted.contains(&own) {
                step.fill.push((name.clone(), text.clone()));
                continue;
            }
        }
        let (own, variable) = user_field(field, name, wanted);
        // What stands there already is left as it is, unless the owner says otherwise.
        if !field.value.is_empty() && !wanted.contains(&(own.clone(), variable.clone())) {
            continue;
        }
        step.fill.push((name.clone(), format!("$user.{own}")));
        asked.push((own, variable));
    }
    // Where nobody types, or the button says so, somebody decides.
    let decides = on(form).is_some_and(|(rank, _)| rank < DECISIONS);
    if asked.is_empty() || decides {
        let buttons = page
            .forms
            .iter()
            .flat_map(|form| &form.buttons)
            .map(press_of);
        let links = page.links.iter().map(|(text, _)| text.clone());
        step.deny = buttons
            .chain(links)
            .find(|text| rank(&OFF, text).is_some() && Some(text) != step.press.as_ref());
    }
    (!step.fill.is_empty() || step.press.is_some()).then_some((step, asked))
}

/// Whether a person has to do something about the field.
fn asks(field: &Field) -> bool {
    let kind = field.kind.as_str();
    let silent = matches!(
        kind,
        "hidden" | "checkbox" | "radio" | "submit" | "button" | "image" | "reset" | "file"
    );
    let nameless = field.name.is_empty() && field.label.is_empty();
    !silent && !nameless
}

/// What the step presses to press this button.
fn press_of(button: &Button) -> String {
    match (button.text.trim(), button.name.as_str()) {
        ("", "") => button.value.clone(),
        ("", name) => format!("{name}={}", button.value),
        (text, _) => text.to_owned(),
    }
}

/// The button that goes on, and how sure that is (lower is surer).
fn on(form: &Form) -> Option<(usize, String)> {
    form.buttons
        .iter()
        .map(press_of)
        .filter(|press| !press.is_empty())
        .map(|press| match (rank(&ON, &press), rank(&OFF, &press)) {
            (Some(rank), None) => (rank, press),
            (_, Some(_)) => (ON.len() + 1, press),
            (None, None) => (ON.len(), press),
        })
        .min_by_key(|(rank, _)| *rank)
}

/// The place of the first word that stands in the text by itself.
fn rank(words: &[&str], text: &str) -> Option<usize> {
    let lower = text.to_lowercase();
    let spaced: String = lower
        .chars()
        .map(|letter| {
            if letter.is_alphanumeric() || letter == '\'' || letter == '-' {
                letter
            } else {
                ' '
            }
        })
        .collect();
    let spaced = format!(
        " {} ",
        spaced.split_whitespace().collect::<Vec<_>>().join(" ")
    );
    words
        .iter()
        .position(|word| spaced.contains(&format!(" {word} ")))
}

/// Which of the user's fields goes here: one the owner named, or a new one.
fn user_field(field: &Field, name: &str, wanted: &[(String, String)]) -> (String, String) {
    let plain = |text: &str| -> String {
        text.chars()
            .filter(|letter| letter.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    let (own, label) = (plain(name), plain(&field.label));
    let known = wanted.iter().find(|(field, _)| {
        let field = plain(field);
        field == own
            || field == label
            || (field.len() > 2 && (own.contains(&field) || field.contains(&own)))
    });
    if let Some((field, variable)) = known {
        return (field.clone(), variable.clone());
    }
    let key: String = name
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .take(40)
        .collect();
    let key = if key.is_empty() {
        "field".to_owned()
    } else {
        key
    };
    let variable = format!("ALICE_{}", key.to_ascii_uppercase());
    (key, variable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::html;

    fn learnt(body: &str) -> (LoginStep, Vec<(String, String)>) {
        learn(&html::read(body, "https://as.example/login"), &[]).unwrap()
    }

    #[test]
    fn a_login_form_is_filled_in_and_sent() {
        let (step, asked) = learnt(
            "<form><input type=hidden name=csrf value=x><label>E-mail <input name=Email type=email></label>\
             <input type=password name=pw><input type=checkbox name=stay><button>Cancel</button><button>Sign in</button></form>",
        );
        assert_eq!(step.press.as_deref(), Some("Sign in"));
        assert_eq!(
            asked,
            [
                ("email".into(), "ALICE_EMAIL".into()),
                ("pw".into(), "ALICE_PW".into())
            ]
        );
        assert_eq!(step.fill[0], ("Email".to_owned(), "$user.email".to_owned()));
        assert_eq!(step.deny, None, "nobody denies by not logging in");
    }

    #[test]
    fn a_consent_is_approved_and_can_be_denied() {
        for (body, press, deny) in [
            (
                "<form><button name=d value=no>Deny</button><button name=d value=yes>Approve</button></form>",
                "Approve",
                Some("Deny"),
            ),
            (
                "<form><button>Continue</button></form><a href=/abort>[ Cancel ]</a>",
                "Continue",
                Some("[ Cancel ]"),
            ),
            (
                "<form action=/no><button>Do not allow, no</button></form><form action=/yes><button>Yes, allow</button></form>",
                "Yes, allow",
                Some("Do not allow, no"),
            ),
            ("<form><input type=submit value=OK></form>", "OK", None),
        ] {
            let (step, asked) = learnt(body);
            assert_eq!(step.press.as_deref(), Some(press), "{body}");
            assert_eq!(step.deny.as_deref(), deny, "{body}");
            assert!(asked.is_empty());
        }
    }

    #[test]
    fn a_value_that_stands_there_is_left_and_a_decision_can_be_denied_beside_fields() {
        let (step, asked) = learnt(
            "<form><input name=limit value=5><input name=note><button>Approve</button><button>Deny</button></form>",
        );
        assert_eq!(asked, [("note".to_owned(), "ALICE_NOTE".to_owned())]);
        assert_eq!(step.deny.as_deref(), Some("Deny"));
    }

    #[test]
    fn a_choice_takes_the_first_that_is_one() {
        let (step, _) = learnt(
            "<form><select name=agent><option value=''>-</option><option value=a1>One</option></select><button>Next</button></form>",
        );
        assert_eq!(step.fill, [("agent".to_owned(), "One".to_owned())]);
    }

    #[test]
    fn the_owners_names_are_found_again() {
        let page = html::read(
            "<form><input name=login><input name=passwd type=password><button>Go</button></form>",
            "https://as.example/",
        );
        let wanted = [
            ("login".to_owned(), "ME".to_owned()),
            ("pass".to_owned(), "MY_WORD".to_owned()),
        ];
        let (step, asked) = learn(&page, &wanted).unwrap();
        assert_eq!(step.fill[1].1, "$user.pass");
        assert_eq!(asked[1].1, "MY_WORD");
    }
}
