//! Which login step fits a page, and what the browser sends when it is carried out.

use crate::login::html::{Button, Field, Form, Page};
use crate::login::{HOOK_VALUE, Visit, user_value, value};
use crate::targets::model::{Login, LoginStep, User};
use crate::transport::Request;

/// What is done on a page.
pub enum Chosen<'a> {
    /// A form is filled in and submitted.
    Form {
        /// Counted from 0.
        number: usize,
        /// Which form.
        form: &'a Form,
        /// Which step.
        step: &'a LoginStep,
    },
    /// A link is followed.
    Link {
        /// Counted from 0.
        number: usize,
        /// Where to.
        url: String,
        /// What it says.
        text: String,
    },
}

impl Chosen<'_> {
    /// The step's number, counted from 0.
    pub fn number(&self) -> usize {
        match self {
            Chosen::Form { number, .. } | Chosen::Link { number, .. } => *number,
        }
    }
}

/// The first login step that fits this page: its fields and its button are in one form, or its link
/// is there.
pub fn choose<'a>(page: &'a Page, visit: &Visit<'a>) -> Option<Chosen<'a>> {
    visit
        .login
        .steps
        .iter()
        .enumerate()
        .find_map(|(number, step)| {
            if let Some(wanted) = &step.link {
                let (text, url) = link(page, wanted)?;
                return Some(Chosen::Link {
                    number,
                    url: url.clone(),
                    text: text.clone(),
                });
            }
            let form = page
                .forms
                .iter()
                .find(|form| misfit(form, step, visit.login, visit.user).is_none())?;
            Some(Chosen::Form { number, form, step })
        })
}

/// Why a step does not fit a form; `None` when it does.
pub fn misfit(form: &Form, step: &LoginStep, login: &Login, user: Option<&User>) -> Option<String> {
    if step.fill.is_empty() && step.press.is_none() {
        return Some("it neither fills in nor presses anything".to_owned());
    }
    for (name, value) in &step.fill {
        if field(form, name).is_none() {
            return Some(format!("there is no field “{name}”"));
        }
        let known = if value == HOOK_VALUE {
            login.hook.is_some()
        } else {
            user_value(value, user).is_some()
        };
        if !known {
            return Some(format!("there is no value {value} for the field “{name}”"));
        }
    }
    let press = step.press.as_ref()?;
    button(form, press)
        .is_none()
        .then(|| format!("there is no button “{press}”"))
}

/// A link by its text.
fn link<'a>(page: &'a Page, wanted: &str) -> Option<&'a (String, String)> {
    page.links
        .iter()
        .find(|(text, _)| text.eq_ignore_ascii_case(wanted.trim()))
}

/// A field by its name, else by its label.
pub fn field<'a>(form: &'a Form, name: &str) -> Option<&'a Field> {
    form.fields
        .iter()
        .find(|field| field.name == name)
        .or_else(|| {
            let name = name.trim_matches([' ', ':', '*']);
            form.fields
                .iter()
                .find(|field| field.kind != "hidden" && field.label.eq_ignore_ascii_case(name))
        })
}

/// A button by text, `name=value`, or name; never just the first one.
pub fn button<'a>(form: &'a Form, press: &str) -> Option<&'a Button> {
    let by = |fits: &dyn Fn(&Button) -> bool| form.buttons.iter().find(|button| fits(button));
    let press = press.trim();
    by(&|button| button.text.eq_ignore_ascii_case(press))
        .or_else(|| {
            let (name, value) = press.split_once('=')?;
            by(&|button| button.name == name && button.value == value)
        })
        .or_else(|| by(&|button| !press.is_empty() && button.name == press))
}

/// The step's values by the names of the form's fields.
///
/// # Errors
/// A value that cannot be had.
pub async fn values(
    visit: &Visit<'_>,
    form: &Form,
    step: &LoginStep,
    page_url: &str,
) -> Result<Vec<(String, String)>, String> {
    let mut filled = Vec::new();
    for (name, wanted) in &step.fill {
        let Some(field) = field(form, name) else {
            continue;
        };
        let value = value(visit, name, wanted, page_url).await?;
        filled.push((field.name.clone(), value));
    }
    Ok(filled)
}

/// What the browser sends when this button is pressed with these values.
pub fn submission(
    form: &Form,
    press: Option<&str>,
    filled: &[(String, String)],
    hidden: bool,
) -> Request {
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for own in &form.fields {
        let wanted = filled.iter().find(|(name, _)| *name == own.name);
        let sent = match (wanted, own.kind.as_str()) {
            (Some((_, wanted)), "checkbox" | "radio") => {
                ticked(own, wanted).then_some(own.value.as_str())
            }
            (Some((_, wanted)), "select") => Some(chosen(own, wanted)),
            (Some((_, wanted)), _) => Some(wanted.as_str()),
            (None, "hidden") => hidden.then_some(own.value.as_str()),
            (None, _) => own.active.then_some(own.value.as_str()),
        };
        if let Some(value) = sent {
            pairs.push((&own.name, value));
        }
    }
    let pressed = press.and_then(|press| button(form, press));
    if let Some(button) = pressed.filter(|button| !button.name.is_empty()) {
        pairs.push((&button.name, &button.value));
    }
    let action = pressed
        .and_then(|button| button.action.clone())
        .unwrap_or_else(|| form.action.clone());
    let method = pressed
        .and_then(|button| button.method.as_deref())
        .unwrap_or(&form.method);
    encode(method, &form.enctype, action, &pairs)
}

fn encode(method: &str, enctype: &str, action: String, pairs: &[(&str, &str)]) -> Request {
    if method == "POST" && enctype == "multipart/form-data" {
        let boundary = format!("----form{}", jose::random_token(12));
        let mut body = String::new();
        for (name, value) in pairs {
            let name = name.replace('"', "%22").replace(['\r', '\n'], "");
            body.push_str(&format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        body.push_str(&format!("--{boundary}--\r\n"));
        let kind = format!("multipart/form-data; boundary={boundary}");
        return Request::post(action, &kind, body.into_bytes());
    }
    let mut form = wire::form::Pairs::new();
    for (name, value) in pairs {
        form.push(name, value);
    }
    let encoded = form.encode();
    if method == "POST" {
        return Request::post(action, "application/x-www-form-urlencoded", encoded);
    }
    let base = action.split(['?', '#']).next().unwrap_or_default();
    Request::get(format!("{base}?{}", String::from_utf8_lossy(&encoded)))
}

/// Whether a box or radio button is to be ticked: its value or label is named, or `true`.
fn ticked(field: &Field, wanted: &str) -> bool {
    if wanted.is_empty() {
        return false;
    }
    wanted == field.value
        || field.label.eq_ignore_ascii_case(wanted)
        || (field.kind == "checkbox" && matches!(wanted, "true" | "on"))
}

/// The option whose value or text is named; a value that is not offered goes out as it stands.
fn chosen<'a>(field: &'a Field, wanted: &'a str) -> &'a str {
    field
        .options
        .iter()
        .find(|(value, text)| value == wanted || text.eq_ignore_ascii_case(wanted))
        .map_or(wanted, |(value, _)| value)
}

/// How a person says no on this page: a button of the same form, of another form, or a link.
pub fn denial(
    page: &Page,
    form: &Form,
    deny: &str,
    filled: &[(String, String)],
) -> Option<Request> {
    if button(form, deny).is_some() {
        return Some(submission(form, Some(deny), filled, true));
    }
    let other = page.forms.iter().find(|form| button(form, deny).is_some());
    if let Some(other) = other {
        return Some(submission(other, Some(deny), &[], true));
    }
    link(page, deny).map(|(_, url)| Request::get(url.clone()))
}

/// What a step does, in words and without values.
pub fn words(step: &LoginStep) -> String {
    let fields: Vec<&str> = step.fill.iter().map(|(name, _)| name.as_str()).collect();
    let fill = if fields.is_empty() {
        String::new()
    } else {
        format!("filled in {} and ", fields.join(", "))
    };
    match &step.press {
        Some(press) => format!("{fill}pressed “{press}”"),
        None => format!("{fill}submitted the form"),
    }
}

/// What a page offers, in words: its fields, buttons and links.
pub fn offers(page: &Page) -> String {
    const SHOWN: usize = 12;
    let mut parts = Vec::new();
    for form in &page.forms {
        let fields: Vec<String> = form
            .fields
            .iter()
            .filter(|field| field.kind != "hidden")
            .take(SHOWN)
            .map(|field| match field.label.as_str() {
                "" => format!("`{}`", field.name),
                label => format!("`{}` (“{label}”)", field.name),
            })
            .collect();
        let buttons: Vec<String> = form
            .buttons
            .iter()
            .take(SHOWN)
            .map(
                |button| match (button.text.as_str(), button.name.as_str()) {
                    (text, "") => format!("“{text}”"),
                    (text, name) => format!("“{text}” ({name}={})", button.value),
                },
            )
            .collect();
        let fields = if fields.is_empty() {
            "no field".to_owned()
        } else {
            format!("fields {}", fields.join(", "))
        };
        let buttons = if buttons.is_empty() {
            "no button".to_owned()
        } else {
            format!("buttons {}", buttons.join(", "))
        };
        parts.push(format!("a form with {fields} and {buttons}"));
    }
    let links: Vec<&str> = page
        .links
        .iter()
        .map(|(text, _)| text.as_str())
        .filter(|text| !text.is_empty())
        .take(SHOWN)
        .collect();
    if !links.is_empty() {
        parts.push(format!("links “{}”", links.join("”, “")));
    }
    if parts.is_empty() {
        return if page.scripts {
            "no form, only scripts (driver = \"browser\" runs them)".to_owned()
        } else {
            "no form and no link".to_owned()
        };
    }
    parts.join("; ")
}

/// Why no step fits a page, step by step.
pub fn misfits(page: &Page, login: &Login, user: Option<&User>) -> Vec<String> {
    login
        .steps
        .iter()
        .enumerate()
        .map(|(number, step)| {
            let why = match &step.link {
                Some(wanted) => format!("there is no link “{wanted}”"),
                None => page
                    .forms
                    .iter()
                    .filter_map(|form| misfit(form, step, login, user))
                    .next()
                    .unwrap_or_else(|| "there is no form".to_owned()),
            };
            format!("step {}: {why}", number + 1)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::html::read;

    fn body(request: &Request) -> String {
        String::from_utf8_lossy(&request.body).into_owned()
    }

    #[test]
    fn boxes_radios_and_selects_are_set_as_a_person_would() {
        let page = read(
            "<form method=post><input type=checkbox name=keep value=yes><input type=checkbox name=ads checked>\
             <input type=radio name=who value=1><input type=radio name=who value=2>\
             <select name=agent><option value=a1>One<option value=a2>Two</select><button name=go value=1>Go</button></form>",
            "https://as.example/p",
        );
        let set = |pairs: &[(&str, &str)]| {
            let filled: Vec<(String, String)> = pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            body(&submission(&page.forms[0], Some("Go"), &filled, true))
        };
        assert_eq!(set(&[]), "ads=on&agent=a1&go=1");
        assert_eq!(
            set(&[
                ("keep", "true"),
                ("ads", ""),
                ("who", "2"),
                ("agent", "Two")
            ]),
            "keep=yes&who=2&agent=a2&go=1"
        );
    }

    #[test]
    fn a_denial_is_found_in_the_form_in_another_form_or_as_a_link() {
        let page = read(
            "<form method=post action=/yes><input type=hidden name=csrf value=t><button>Allow</button></form>\
             <form method=post action=/no><input type=hidden name=csrf value=u><button>Refuse</button></form>\
             <a href=/abort>[ Cancel ]</a>",
            "https://as.example/p",
        );
        let form = &page.forms[0];
        let other = denial(&page, form, "refuse", &[]).unwrap();
        assert_eq!(
            (other.url.as_str(), body(&other).as_str()),
            ("https://as.example/no", "csrf=u")
        );
        let link = denial(&page, form, "[ Cancel ]", &[]).unwrap();
        assert_eq!(
            (link.method.as_str(), link.url.as_str()),
            ("GET", "https://as.example/abort")
        );
        assert_eq!(denial(&page, form, "Decline", &[]).map(|r| r.url), None);
    }

    #[test]
    fn a_multipart_form_is_sent_as_one() {
        let page = read(
            "<form method=post enctype='multipart/form-data'><input name=a><button formaction=/x>Go</button></form>",
            "https://as.example/p",
        );
        let filled = [("a".to_owned(), "1 2".to_owned())];
        let request = submission(&page.forms[0], Some("Go"), &filled, true);
        assert_eq!(request.url, "https://as.example/x");
        assert!(
            request
                .header("content-type")
                .unwrap()
                .starts_with("multipart/form-data; boundary=")
        );
        assert!(body(&request).contains("name=\"a\"\r\n\r\n1 2\r\n"));
    }

    #[test]
    fn a_page_says_what_it_offers_and_why_a_step_does_not_fit() {
        let page = read(
            "<form><label>E-mail<input name=email></label><button>Next</button></form><a href=/r>Register</a>",
            "https://as.example/p",
        );
        assert_eq!(
            offers(&page),
            "a form with fields `email` (“E-mail”) and buttons “Next”; links “Register”"
        );
        let login = Login {
            steps: vec![LoginStep {
                fill: vec![("mail".to_owned(), "x".to_owned())],
                ..LoginStep::default()
            }],
            ..Login::default()
        };
        assert_eq!(
            misfits(&page, &login, None),
            ["step 1: there is no field “mail”"]
        );
    }
}
