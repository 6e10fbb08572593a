//! The authorization response: what the redirect carries and where it goes (RFC 6749 §4.1.2, RFC 9207).

use wire::form::Pairs;

use super::quality::quality;
use super::view::{Sent, View, first, leads_to, outline, quote, texts};
use super::{Check, Finding, Look};
use crate::suite::model::Verb;

pub(super) const CHECKS: &[Check] = &[
    Check("code-response", Look::At(code_response)),
    Check("state-echoed", Look::At(state_echoed)),
    Check("iss-equals-issuer", Look::At(iss_equals_issuer)),
    Check("iss-flag-truthful", Look::At(iss_flag_truthful)),
    Check("error-charset", Look::At(error_charset)),
    Check("no-token-in-redirect", Look::At(no_token_in_redirect)),
    Check("no-code", Look::At(no_code)),
    Check("single-code", Look::At(single_code)),
    Check("redirect-is-registered", Look::At(redirect_is_registered)),
    Check("redirect-query-kept", Look::At(redirect_query_kept)),
    Check("response-mode-lawful", Look::At(response_mode_lawful)),
    Check("challenge-not-in-code", Look::At(challenge_not_in_code)),
    Check("code-quality", Look::At(code_quality)),
];

fn code_response(view: &View<'_>) -> Result<Finding, Finding> {
    if view.outcome.answer.is_unknown() {
        view.redirected()?;
    }
    let asked = view.asked();
    let codes = view.response("code");
    let [code] = codes.as_slice() else {
        return Err(Finding::fail(format!(
            "the redirect has {} parameters `code`; the step {}",
            codes.len(),
            view.outcome.answer.words()
        )));
    };
    if code.is_empty() {
        return Err(Finding::fail("`code` is empty"));
    }
    if asked.iter().any(|(_, value)| value == code) {
        return Err(Finding::fail(format!(
            "`code` is a text that the request sent: {}",
            outline(code)
        )));
    }
    for name in ["state", "iss"] {
        let count = view.response(name).len();
        if count > 1 {
            return Err(Finding::fail(format!(
                "the redirect has {count} parameters `{name}`"
            )));
        }
    }
    let types = first(&asked, "response_type").unwrap_or_default();
    let wanted = |word: &str| types.split(' ').any(|kind| kind == word);
    for name in ["error", "access_token", "id_token"] {
        let present = view.outcome.response.iter().any(|(key, _)| key == name);
        if present && !(name == "id_token" && wanted("id_token")) {
            return Err(Finding::fail(format!(
                "the redirect has `{name}` beside `code`"
            )));
        }
    }
    Ok(Finding::pass(format!("one code, {}", outline(code))))
}

fn state_echoed(view: &View<'_>) -> Result<Finding, Finding> {
    view.redirected()?;
    let asked = view.asked();
    let sent: Vec<&str> = asked
        .iter()
        .filter(|(name, _)| name == "state")
        .map(|(_, value)| value.as_str())
        .collect();
    let got = view.response("state");
    match (sent.as_slice(), got.as_slice()) {
        ([], []) => Ok(Finding::pass("no state was sent, none came back")),
        ([], [got, ..]) => Err(Finding::fail(format!(
            "no state was sent, and {} came back",
            quote(got)
        ))),
        (["", ..], []) => Ok(Finding::pass("an empty state was sent, none came back")),
        ([sent, ..], []) => Err(Finding::fail(format!(
            "state {} was sent, and none came back",
            quote(sent)
        ))),
        (sent, [got]) if sent.contains(got) => Ok(Finding::pass(format!(
            "state {} came back as it was sent",
            quote(got)
        ))),
        ([sent, ..], [got]) => Err(Finding::fail(format!(
            "state {} came back as {}",
            quote(sent),
            quote(got)
        ))),
        (_, several) => Err(Finding::fail(format!(
            "the redirect has {} parameters `state`",
            several.len()
        ))),
    }
}

fn iss_equals_issuer(view: &View<'_>) -> Result<Finding, Finding> {
    view.redirected()?;
    let issuer = &view.target.issuer;
    match view.response("iss").as_slice() {
        [iss] if iss == issuer => Ok(Finding::pass(format!("`iss` is {}", quote(iss)))),
        [iss] => Err(Finding::fail(format!(
            "`iss` is {}, and the issuer is {}",
            quote(iss),
            quote(issuer)
        ))),
        [] => Err(Finding::fail("the redirect has no `iss`")),
        several => Err(Finding::fail(format!(
            "the redirect has {} parameters `iss`",
            several.len()
        ))),
    }
}

fn iss_flag_truthful(view: &View<'_>) -> Result<Finding, Finding> {
    view.redirected()?;
    let announced = view
        .metadata
        .and_then(|metadata| metadata.get("authorization_response_iss_parameter_supported"))
        == Some(&serde_json::Value::Bool(true));
    let present = !view.response("iss").is_empty();
    let name = "authorization_response_iss_parameter_supported";
    match (announced, present) {
        (true, false) => Err(Finding::fail(format!(
            "{name} is true, and the redirect has no `iss`"
        ))),
        (false, true) => Err(Finding::warn(format!(
            "the redirect has `iss`, and {name} is not announced"
        ))),
        (true, true) => Ok(Finding::pass("`iss` is announced and sent")),
        (false, false) => Ok(Finding::pass("`iss` is neither announced nor sent")),
    }
}

/// RFC 6749 §4.1.2.1, §5.2: the characters of `error` and `error_description`.
pub(super) fn in_error_charset(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

fn error_charset(view: &View<'_>) -> Result<Finding, Finding> {
    let mut members: Vec<(String, String)> = view.outcome.response.clone();
    if let Ok(reply) = view.last() {
        for (name, value) in reply.json().unwrap_or_default() {
            if let serde_json::Value::String(text) = value {
                members.push((name, text));
            }
        }
    }
    let named = |name: &str| first(&members, name);
    if let Some(error) = named("error").filter(|error| !in_error_charset(error)) {
        return Err(Finding::fail(format!(
            "`error` has other characters than RFC 6749 allows: {}",
            quote(error)
        )));
    }
    if let Some(uri) = named("error_uri").filter(|uri| !wire::uri::is_reference(uri)) {
        return Err(Finding::fail(format!(
            "`error_uri` is no URI reference: {}",
            quote(uri)
        )));
    }
    if let Some(text) = named("error_description").filter(|text| !in_error_charset(text)) {
        return Err(Finding::warn(format!(
            "`error_description` has other characters than RFC 6749 allows: {}",
            quote(text)
        )));
    }
    match named("error") {
        None => Err(Finding::not_applicable("the answer has no `error`")),
        Some(error) => Ok(Finding::pass(format!(
            "`error` {} and what goes with it are in their character sets",
            quote(error)
        ))),
    }
}

fn carries(sent: &[Sent<'_>], names: &[&str]) -> Option<(String, String)> {
    sent.iter().find_map(|sent| {
        let name = names.iter().find(|name| sent.all(name).next().is_some())?;
        let to = String::from_utf8_lossy(&sent.to);
        let to = to.split(['?', '#']).next().unwrap_or_default().to_owned();
        Some(((*name).to_owned(), to))
    })
}

fn no_token_in_redirect(view: &View<'_>) -> Result<Finding, Finding> {
    match carries(&view.redirects(), &["access_token"]) {
        Some((_, to)) => Err(Finding::fail(format!(
            "a redirect to {} carries `access_token`",
            quote(&to)
        ))),
        None => Ok(Finding::pass("no redirect carries a token")),
    }
}

fn no_code(view: &View<'_>) -> Result<Finding, Finding> {
    match carries(&view.sent_away(), &["code", "access_token"]) {
        Some((name, to)) => Err(Finding::fail(format!(
            "`{name}` was sent to {}",
            quote(&to)
        ))),
        None => Ok(Finding::pass("no answer of the step carries a code")),
    }
}

fn single_code(view: &View<'_>) -> Result<Finding, Finding> {
    let mut seen: Vec<(usize, String)> = Vec::new();
    for sent in view.sent_away() {
        for code in sent.all("code") {
            let entry = (sent.answer, code.to_owned());
            if !seen.contains(&entry) {
                seen.push(entry);
            }
        }
    }
    match seen.as_slice() {
        [] => Ok(Finding::pass("no answer carries a code")),
        [(_, code)] => Ok(Finding::pass(format!("one code, {}", outline(code)))),
        [(_, one), others @ ..] => {
            let what = if others.iter().all(|(_, code)| code == one) {
                "the same code"
            } else {
                "different codes"
            };
            Err(Finding::fail(format!(
                "{} answers of the step carry {what}",
                seen.len()
            )))
        }
    }
}

fn location(view: &View<'_>) -> Result<String, Finding> {
    match &view.outcome.location {
        Some(location) => Ok(String::from_utf8_lossy(location).into_owned()),
        None => Err(Finding::not_applicable(format!(
            "there was no redirect: the step {}",
            view.outcome.answer.words()
        ))),
    }
}

/// The registered redirect URI a location leads to, byte for byte.
fn registered<'v>(view: &'v View<'_>, location: &str) -> Option<&'v str> {
    view.client?
        .redirect_uris
        .iter()
        .find(|uri| leads_to(location, uri))
        .map(String::as_str)
}

fn redirect_is_registered(view: &View<'_>) -> Result<Finding, Finding> {
    let location = location(view)?;
    match registered(view, &location) {
        Some(uri) => Err(Finding::warn(format!(
            "the browser was sent to the registered redirect URI {}",
            quote(uri)
        ))),
        None => Err(Finding::fail(format!(
            "the browser was sent to {}, which is not registered for the client",
            quote(location.split(['?', '#']).next().unwrap_or_default())
        ))),
    }
}

fn redirect_query_kept(view: &View<'_>) -> Result<Finding, Finding> {
    let location = location(view)?;
    let uri = view
        .redirect_uri()
        .ok_or_else(|| Finding::not_applicable("the client has no redirect URI"))?;
    let Some((_, query)) = uri.split_once('?') else {
        return Err(Finding::not_applicable(format!(
            "the redirect URI {} has no query",
            quote(uri)
        )));
    };
    let before_fragment = location.split('#').next().unwrap_or_default();
    let marks = before_fragment.matches('?').count();
    if marks != 1 {
        return Err(Finding::fail(format!(
            "the Location has {marks} question marks"
        )));
    }
    let got = wire::location::read(location.as_bytes(), None).query_pairs();
    for (name, value) in texts(&Pairs::parse(query.as_bytes())) {
        if !got.all(&name).contains(&value) {
            return Err(Finding::fail(format!(
                "the Location lost the parameter {}={} of the redirect URI",
                quote(&name),
                quote(&value)
            )));
        }
    }
    Ok(Finding::pass("the redirect URI's own query is kept"))
}

fn response_mode_lawful(view: &View<'_>) -> Result<Finding, Finding> {
    let location = location(view)?;
    let uri = registered(view, &location)
        .ok_or_else(|| Finding::fail("the answer did not go to a registered redirect URI"))?;
    let read = wire::location::read(location.as_bytes(), None);
    let answered = |pairs: &Pairs| pairs.count("code") + pairs.count("error") > 0;
    let mode = if answered(&read.query_pairs()) {
        "query"
    } else if answered(&read.fragment_pairs()) {
        "fragment"
    } else {
        "form_post"
    };
    if mode == "query" {
        return Ok(Finding::pass(format!(
            "the answer came by query to {}",
            quote(uri)
        )));
    }
    let asked = view.asked_for("response_mode").unwrap_or_default();
    let offered = view
        .metadata
        .and_then(|metadata| metadata.get("response_modes_supported"))
        .and_then(serde_json::Value::as_array)
        .is_some_and(|modes| modes.iter().any(|mode| mode.as_str() == Some(&asked)));
    if asked == mode && offered {
        Ok(Finding::pass(format!(
            "{mode} was asked for, is offered, and was used"
        )))
    } else {
        Err(Finding::fail(format!(
            "the answer came by {mode}; {} was asked for{}",
            quote(&asked),
            if offered {
                ""
            } else {
                ", which is not offered"
            }
        )))
    }
}

fn challenge_not_in_code(view: &View<'_>) -> Result<Finding, Finding> {
    let code = view
        .outcome
        .code()
        .or_else(|| view.response("code").first().copied())
        .ok_or_else(|| Finding::undecided("there is no code to look at"))?;
    let mut texts: Vec<Vec<u8>> = vec![code.as_bytes().to_vec()];
    let is_base64url = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    for segment in code.split(|letter| !is_base64url(letter)) {
        texts.extend(jose::base64url_decode(segment));
    }
    let asked = &view.outcome.asked;
    for (name, secret) in [
        ("challenge", &asked.challenge),
        ("verifier", &asked.verifier),
    ] {
        let Some(secret) = secret.as_ref().filter(|text| text.len() >= 16) else {
            continue;
        };
        let inside = texts.iter().any(|text| {
            text.windows(secret.len())
                .any(|window| window == secret.as_bytes())
        });
        if inside {
            return Err(Finding::fail(format!(
                "the code holds the {name} of its own request in the clear"
            )));
        }
    }
    Ok(Finding::pass("the code does not give away its challenge"))
}

fn code_quality(view: &View<'_>) -> Result<Finding, Finding> {
    let codes: Vec<&str> = view
        .so_far()
        .iter()
        .filter(|outcome| matches!(outcome.verb, Verb::Authorize | Verb::Grant))
        .filter_map(|outcome| outcome.code())
        .collect();
    quality("codes", &codes)
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, of};
    use crate::check::Found::{Fail, NotApplicable, Pass, Undecided, Warn};
    use crate::flow::{Answer, How};

    const CODE: &str = "SplxlOBeZQQYbYS6WxSbIA";

    /// An authorization that ended at this Location.
    fn at(location: &str) -> Stage {
        let mut stage = Stage::new();
        stage.authorize("state=s1&response_type=code", location);
        stage
    }

    fn cb(query: &str) -> Stage {
        at(&format!("https://app.example/cb?{query}"))
    }

    #[test]
    fn a_code_response_has_one_code_and_no_error() {
        let check = "code-response";
        assert_eq!(of(check, &cb(&format!("code={CODE}&state=s1"))), Pass);
        assert_eq!(of(check, &cb(&format!("code={CODE}&code={CODE}"))), Fail);
        assert_eq!(of(check, &cb("code=s1")), Fail);
        assert_eq!(of(check, &cb("code=")), Fail);
        assert_eq!(of(check, &cb(&format!("code={CODE}&error=x"))), Fail);
        assert_eq!(of(check, &cb(&format!("code={CODE}#access_token=x"))), Fail);
    }

    #[test]
    fn state_comes_back_once_and_equal() {
        let check = "state-echoed";
        assert_eq!(of(check, &cb("code=c&state=s1")), Pass);
        assert_eq!(of(check, &cb("code=c&state=s2")), Fail);
        assert_eq!(of(check, &cb("code=c")), Fail);
        assert_eq!(of(check, &cb("code=c&state=s1&state=s1")), Fail);
        let mut stage = Stage::new();
        stage.authorize("state=a%2Bb+c", "https://app.example/cb?state=a%2Bb%20c");
        assert_eq!(of(check, &stage), Pass);
        stage.authorize("x=y", "https://app.example/cb?code=c");
        assert_eq!(of(check, &stage), Pass);
        stage.page("state=s", "<p>No</p>");
        assert_eq!(of(check, &stage), Undecided);
    }

    #[test]
    fn iss_is_the_issuer_and_its_flag_tells_the_truth() {
        let iss = "code=c&iss=https%3A%2F%2Fas.example%2Ft";
        assert_eq!(of("iss-equals-issuer", &cb(iss)), Pass);
        assert_eq!(of("iss-equals-issuer", &cb(&format!("{iss}%2F"))), Fail);
        assert_eq!(of("iss-equals-issuer", &cb("code=c")), Fail);
        assert_eq!(of("iss-equals-issuer", &Stage::silent()), Undecided);
        assert_eq!(of("iss-flag-truthful", &cb(iss)), Warn);
        assert_eq!(of("iss-flag-truthful", &cb("code=c")), Pass);
        let announced = |query: &str| {
            let mut stage = cb(query);
            stage.metadata(r#"{"authorization_response_iss_parameter_supported":true}"#);
            of("iss-flag-truthful", &stage)
        };
        assert_eq!(announced(iss), Pass);
        assert_eq!(announced("code=c"), Fail);
    }

    #[test]
    fn errors_keep_to_their_characters() {
        let check = "error-charset";
        assert_eq!(of(check, &cb("error=invalid_scope")), Pass);
        assert_eq!(of(check, &cb("error=a%22b")), Fail);
        assert_eq!(of(check, &cb("error=x&error_description=%0A")), Warn);
        assert_eq!(of(check, &cb("error=x&error_uri=%20%3C")), Fail);
        assert_eq!(of(check, &cb("code=c")), NotApplicable);
    }

    #[test]
    fn a_code_or_token_is_seen_in_any_answer() {
        assert_eq!(of("no-code", &cb("error=x")), Pass);
        assert_eq!(of("no-code", &cb("code=c")), Fail);
        assert_eq!(of("no-code", &at("https://evil.example/?code=c")), Fail);
        // Within the server a `code` is its own business.
        assert_eq!(of("no-code", &at("/callback?code=c")), Pass);
        assert_eq!(of("no-token-in-redirect", &cb("code=c")), Pass);
        assert_eq!(
            of(
                "no-token-in-redirect",
                &at("https://app.example/cb#access_token=t")
            ),
            Fail
        );
        let mut stage = Stage::new();
        stage.page(
            "state=s",
            r#"<form method=post action="https://app.example/cb"><input type=hidden name=code value=c></form>"#,
        );
        assert_eq!(of("no-code", &stage), Fail);
    }

    #[test]
    fn one_answer_carries_one_code() {
        let mut stage = cb("code=c1");
        assert_eq!(of("single-code", &stage), Pass);
        stage.another_answer(302, "https://app.example/cb?error=x");
        assert_eq!(of("single-code", &stage), Pass);
        stage.another_answer(302, "https://app.example/cb?code=c2");
        assert_eq!(of("single-code", &stage), Fail);
    }

    #[test]
    fn a_redirect_is_compared_byte_for_byte() {
        let check = "redirect-is-registered";
        assert_eq!(of(check, &cb("code=c")), Warn);
        assert_eq!(of(check, &at("https://app.example/cb/?code=c")), Fail);
        assert_eq!(of(check, &at("https://app.example/cb2?code=c")), Fail);
        assert_eq!(of(check, &Stage::silent()), NotApplicable);
    }

    #[test]
    fn the_query_of_a_redirect_uri_is_kept() {
        let check = "redirect-query-kept";
        let with = |location: &str| {
            let mut stage = at(location);
            stage.asked().redirect_uri = Some("https://app.example/cb?x=1".into());
            of(check, &stage)
        };
        assert_eq!(with("https://app.example/cb?x=1&code=c"), Pass);
        assert_eq!(with("https://app.example/cb?code=c"), Fail);
        assert_eq!(with("https://app.example/cb?x=1?code=c"), Fail);
        assert_eq!(of(check, &cb("code=c")), NotApplicable);
    }

    #[test]
    fn another_response_mode_is_lawful_when_asked_for_and_offered() {
        let check = "response-mode-lawful";
        let fragment = || {
            let mut stage = Stage::new();
            stage.authorize("response_mode=fragment", "https://app.example/cb#code=c");
            stage
        };
        assert_eq!(of(check, &cb("code=c")), Pass);
        assert_eq!(of(check, &fragment()), Fail);
        let mut stage = fragment();
        stage.metadata(r#"{"response_modes_supported":["fragment"]}"#);
        assert_eq!(of(check, &stage), Pass);
        assert_eq!(of(check, &at("https://evil.example/?code=c")), Fail);
    }

    #[test]
    fn a_code_hides_its_challenge() {
        let check = "challenge-not-in-code";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let with = |code: &str| {
            let mut stage = cb(&format!("code={code}"));
            stage.field("code", code);
            stage.asked().challenge = Some(challenge.into());
            of(check, &stage)
        };
        assert_eq!(with(CODE), Pass);
        assert_eq!(with(&format!("x.{challenge}")), Fail);
        assert_eq!(with(&format!("x.{}", jose::base64url(challenge))), Fail);
        assert_eq!(of(check, &Stage::silent()), Undecided);
    }

    #[test]
    fn codes_vary_enough() {
        let two = |one: &str, other: &str| {
            let mut stage = Stage::new();
            for code in [one, other] {
                stage.authorize("a=b", "https://app.example/cb");
                stage.field("code", code);
            }
            of("code-quality", &stage)
        };
        assert_eq!(two(CODE, "Zx9KqLr0TnUvWaBcDeFgHi"), Pass);
        assert_eq!(two(CODE, CODE), Fail);
        assert_eq!(
            two(
                "code-000000000000000000000001",
                "code-000000000000000000000002"
            ),
            Fail
        );
    }

    #[test]
    fn a_refusal_is_no_code_response() {
        let mut stage = cb("error=access_denied");
        stage.answer(Answer::Refused {
            status: 302,
            error: Some("access_denied".into()),
            how: How::Redirect,
        });
        assert_eq!(of("code-response", &stage), Fail);
        assert_eq!(of("code-response", &Stage::silent()), Undecided);
    }
}
