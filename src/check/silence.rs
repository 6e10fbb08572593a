//! Who was asked what on the way: pages with a login, pages at all, the status of the first answer.

use super::view::{View, quote};
use super::{Check, Finding, Look};
use crate::flow::{Answer, How};
use crate::login::html;
use crate::targets::model::Driver;

pub(super) const CHECKS: &[Check] = &[
    Check("login-was-shown", Look::At(login_was_shown)),
    Check("answered-in-silence", Look::At(answered_in_silence)),
    Check("redirect-302", Look::At(redirect_302)),
    Check("bad-request", Look::At(bad_request)),
];

/// The pages of the step as a browser reads them.
fn pages(view: &View<'_>) -> Vec<html::Page> {
    let read = |page: &String| html::read(page, view.authorization_endpoint);
    view.outcome.pages.iter().map(read).collect()
}

/// Kinds and names of fields by which somebody says who they are.
fn asks_who(field: &html::Field) -> bool {
    let said = format!("{} {}", field.name, field.label).to_ascii_lowercase();
    matches!(field.kind.as_str(), "password" | "email")
        || [
            "password",
            "email",
            "e-mail",
            "user name",
            "username",
            "one-time code",
            "otp",
        ]
        .iter()
        .any(|word| field.kind != "hidden" && said.contains(word))
}

fn login_was_shown(view: &View<'_>) -> Result<Finding, Finding> {
    if view.target.login.driver == Driver::None {
        return Err(Finding::not_applicable(
            "the target's server asks nobody (login driver none)",
        ));
    }
    let all = pages(view);
    let asked = all.iter().find(|page| {
        let mut fields = page.forms.iter().flat_map(|form| &form.fields);
        fields.any(asks_who)
    });
    if let Some(page) = asked {
        return Ok(Finding::pass(format!(
            "the page {} asks who it is",
            quote(&page.title)
        )));
    }
    view.redirected()?;
    Err(Finding::fail(format!(
        "the browser was sent to the client after {} pages, none of which asks who it is",
        all.len()
    )))
}

fn answered_in_silence(view: &View<'_>) -> Result<Finding, Finding> {
    if let Some(page) = pages(view).first() {
        return Err(Finding::fail(format!(
            "the page {} was shown",
            quote(&page.title)
        )));
    }
    let driver = view.target.login.driver;
    if matches!(driver, Driver::Hook | Driver::Manual) {
        return Err(Finding::undecided(format!(
            "the login driver `{}` does not tell which pages were shown",
            driver.word()
        )));
    }
    match &view.outcome.answer {
        Answer::Success => Ok(Finding::pass("the code came without a page")),
        Answer::Refused {
            how: How::Redirect,
            error,
            ..
        } => Ok(Finding::pass(format!(
            "the error {} came without a page",
            quote(error.as_deref().unwrap_or_default())
        ))),
        answer if answer.is_unknown() => {
            Err(Finding::undecided(format!("the step {}", answer.words())))
        }
        answer => Err(Finding::fail(format!(
            "the browser was not sent to the client: the step {}",
            answer.words()
        ))),
    }
}

/// The answer to the authorization request itself, before anything that was followed.
fn first_status(view: &View<'_>) -> Result<u16, Finding> {
    view.answers()
        .next()
        .map(|(_, reply)| reply.status)
        .ok_or_else(|| Finding::undecided("there was no answer to look at"))
}

fn redirect_302(view: &View<'_>) -> Result<Finding, Finding> {
    match first_status(view)? {
        302 => Ok(Finding::pass("the request was answered with 302")),
        303 => Err(Finding::warn(
            "the request was answered with 303: as good for browsers, and another status than documented",
        )),
        status => Err(Finding::fail(format!(
            "the request was answered with {status}, not 302"
        ))),
    }
}

fn bad_request(view: &View<'_>) -> Result<Finding, Finding> {
    let status = first_status(view)?;
    let by_redirect = matches!(
        view.outcome.answer,
        Answer::Refused {
            how: How::Redirect,
            ..
        }
    );
    match status {
        400 => Ok(Finding::pass("the request was answered with 400")),
        300..=399 if by_redirect => Ok(Finding::pass(
            "the error went to the redirect URI, as RFC 6749 §4.1.2.1 has it, not as a 400",
        )),
        status => Err(Finding::fail(format!(
            "the request was answered with {status}, neither 400 nor an error at the redirect URI"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, of};
    use crate::check::Found::{Fail, NotApplicable, Pass, Undecided, Warn};
    use crate::flow::{Answer, How};
    use crate::targets::model::Driver;

    const LOGIN: &str = "<title>Sign in</title><form method=post><input type=email name=m><button>Go</button></form>";
    const CONSENT: &str = "<title>Approve</title><form method=post><input type=hidden name=password_hint value=1><button>Approve</button></form>";

    fn page(body: &str) -> Stage {
        let mut stage = Stage::new();
        stage.page("client_id=app-a", body);
        stage
    }

    fn code() -> Stage {
        let mut stage = Stage::new();
        stage.authorize("client_id=app-a", "https://app.example/cb?code=x");
        stage
    }

    #[test]
    fn a_login_is_a_page_that_asks_who_it_is() {
        assert_eq!(of("login-was-shown", &page(LOGIN)), Pass);
        assert_eq!(of("login-was-shown", &code()), Fail);
        assert_eq!(of("login-was-shown", &page(CONSENT)), Undecided);
        let mut nobody = page(LOGIN);
        nobody.target.login.driver = Driver::None;
        assert_eq!(of("login-was-shown", &nobody), NotApplicable);
    }

    #[test]
    fn silence_is_an_answer_without_a_page() {
        assert_eq!(of("answered-in-silence", &code()), Pass);
        assert_eq!(of("answered-in-silence", &page(CONSENT)), Fail);
        let mut error = Stage::new();
        error.authorize(
            "client_id=app-a",
            "https://app.example/cb?error=login_required",
        );
        error.answer(Answer::Refused {
            status: 302,
            error: Some("login_required".into()),
            how: How::Redirect,
        });
        assert_eq!(of("answered-in-silence", &error), Pass);
        assert_eq!(of("answered-in-silence", &Stage::silent()), Undecided);
        let mut unseen = code();
        unseen.target.login.driver = Driver::Manual;
        assert_eq!(of("answered-in-silence", &unseen), Undecided);
    }

    #[test]
    fn the_first_answer_has_the_documented_status() {
        assert_eq!(of("redirect-302", &code()), Pass);
        assert_eq!(of("redirect-302", &page(LOGIN)), Fail);
        assert_eq!(of("redirect-302", &Stage::silent()), Undecided);
        let mut other = code();
        let status = |stage: &mut Stage, status| {
            if let Ok(reply) = &mut stage.log.last_mut().unwrap().recorded.reply {
                reply.status = status;
            }
        };
        status(&mut other, 303);
        assert_eq!(of("redirect-302", &other), Warn);
        let mut refused = page("<title>No</title>");
        assert_eq!(of("bad-request", &refused), Fail);
        status(&mut refused, 400);
        assert_eq!(of("bad-request", &refused), Pass);
    }
}
