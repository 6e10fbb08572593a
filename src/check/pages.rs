//! What the user's browser meets on the way: pages, headers, cookies (RFC 9700 §2.6, §4.12, §4.16).

use super::view::{View, is_loopback, quote};
use super::{Check, Finding, Look};
use crate::login::html;
use crate::suite::model::Verb;
use crate::targets::model::Driver;
use crate::transport::Reply;
use wire::cookie::{SameSite, parse_set_cookie};

pub(super) const CHECKS: &[Check] = &[
    Check("consent-was-shown", Look::At(consent_was_shown)),
    Check("consent-names-client", Look::At(consent_names_client)),
    Check("consent-shows-redirect-host", Look::At(consent_shows_host)),
    Check("consent-warns-local", Look::At(consent_warns_local)),
    Check("no-reflection", Look::At(no_reflection)),
    Check("no-header-injection", Look::At(no_header_injection)),
    Check("no-307", Look::At(no_307)),
    Check("framing-blocked", Look::At(framing_blocked)),
    Check("no-cors", Look::At(no_cors)),
    Check("referrer-policy", Look::At(referrer_policy)),
    Check("session-cookies", Look::At(session_cookies)),
];

fn consent_was_shown(view: &View<'_>) -> Result<Finding, Finding> {
    if view.target.login.driver == Driver::None {
        return Err(Finding::not_applicable(
            "the target's server asks nobody (login driver none)",
        ));
    }
    let asked = view
        .pages()
        .iter()
        .filter(|(recorded, reply)| {
            html::read(&reply.text(), &recorded.request.url)
                .forms
                .iter()
                .any(|form| !view.leaves(form.action.as_bytes()))
        })
        .count();
    if asked > 0 {
        return Ok(Finding::pass(format!(
            "{asked} pages with a form came before the redirect"
        )));
    }
    view.redirected()?;
    if view.target.login.driver == Driver::Browser {
        return Err(Finding::undecided(
            "a real browser met the pages, and what scripts built there is not recorded",
        ));
    }
    Err(Finding::fail(
        "the browser was sent to the client without a page that asks",
    ))
}

/// What a person reads of a page: no tags, and no text of scripts and styles.
fn readable(page: &str) -> String {
    let mut text = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        text.push(' ');
        let tag = after.get(..6).unwrap_or(after).to_ascii_lowercase();
        let end = match () {
            () if tag.starts_with("script") => "</script",
            () if tag.starts_with("style") => "</style",
            () => "",
        };
        let lower = after.to_ascii_lowercase();
        let skip = lower.find(end).unwrap_or(after.len());
        let inner = after.get(skip..).unwrap_or_default();
        rest = inner.split_once('>').map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    text
}

fn consent_shows_host(view: &View<'_>) -> Result<Finding, Finding> {
    let pages = &view.outcome.pages;
    if pages.is_empty() {
        return Err(Finding::not_applicable("no page was shown"));
    }
    let host = view
        .redirect_uri()
        .and_then(|uri| wire::redirect_uri::Parts::split(uri).host)
        .ok_or_else(|| Finding::undecided("the redirect URI has no host"))?;
    if pages.iter().any(|page| readable(page).contains(host)) {
        return Ok(Finding::pass(format!("a page says {}", quote(host))));
    }
    Err(Finding::warn(format!(
        "the text of none of {} pages says {}",
        pages.len(),
        quote(host)
    )))
}

/// Words that only this text has: what the pages of another client say, and whatever is no plain word,
/// is left out.
fn further_words(text: &str, other: &str) -> usize {
    let plain = |word: &&str| word.len() > 2 && word.chars().all(char::is_alphabetic);
    let of = |text: &'_ str| -> std::collections::BTreeSet<String> {
        let words = text.split(|letter: char| letter.is_whitespace() || ".,;:!?".contains(letter));
        words.filter(plain).map(str::to_lowercase).collect()
    };
    of(text).difference(&of(other)).count()
}

fn consent_warns_local(view: &View<'_>) -> Result<Finding, Finding> {
    let earlier = view
        .earlier()
        .iter()
        .rev()
        .find(|outcome| outcome.verb == Verb::Authorize && !outcome.pages.is_empty())
        .ok_or_else(|| Finding::undecided("no other client's consent page was seen"))?;
    if view.outcome.pages.is_empty() {
        return Err(Finding::not_applicable("no page was shown"));
    }
    let own = readable(&view.outcome.pages.join("\n"));
    let other = readable(&earlier.pages.join("\n"));
    match further_words(&own, &other) {
        0..3 => Err(Finding::warn(
            "the pages say no more than for a client with a redirect URI on the internet",
        )),
        more => Ok(Finding::pass(format!(
            "the pages say {more} words more than for a client with a redirect URI on the internet"
        ))),
    }
}

fn consent_names_client(view: &View<'_>) -> Result<Finding, Finding> {
    let pages = &view.outcome.pages;
    if pages.is_empty() {
        return Err(Finding::not_applicable("no page was shown"));
    }
    let client = view
        .client
        .ok_or_else(|| Finding::undecided("the acting client is not known"))?;
    let id = client.id.as_deref().unwrap_or_default();
    let mut names: Vec<&str> = view
        .outcomes
        .iter()
        .filter(|outcome| outcome.verb == Verb::Register && outcome.field("client_id") == Some(id))
        .filter_map(|outcome| outcome.sent_param("client_name"))
        .collect();
    names.push(id);
    if client.register {
        names.push(crate::client::request::CLIENT_NAME);
    }
    let shown = names.iter().find(|name| {
        !name.is_empty()
            && pages
                .iter()
                .any(|page| page.contains(**name) || page.contains(&escaped(name)))
    });
    match shown {
        Some(name) => Ok(Finding::pass(format!("a page names {}", quote(name)))),
        None => Err(Finding::fail(format!(
            "none of {} pages names the client {}",
            pages.len(),
            quote(id)
        ))),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Whether a browser may read this as markup: by its media type, or by guessing.
fn may_be_markup(reply: &Reply) -> bool {
    let media_type = reply.media_type();
    media_type.is_empty()
        || matches!(
            media_type.as_str(),
            "text/html"
                | "application/xhtml+xml"
                | "image/svg+xml"
                | "text/xml"
                | "application/xml"
                | "unknown/unknown"
                | "application/unknown"
                | "*/*"
        )
}

fn no_reflection(view: &View<'_>) -> Result<Finding, Finding> {
    let canary = view.canary;
    let whole = format!("{canary}\"'><svg/onload=1>{canary}");
    // Escaped quotation marks do not help once the angle brackets are raw.
    let element = format!("<svg/onload=1>{canary}");
    let mut mentioned = false;
    for (recorded, reply) in view.answers() {
        let text = reply.text();
        mentioned |= text.contains(canary);
        if may_be_markup(reply) && (text.contains(&whole) || text.contains(&element)) {
            return Err(Finding::fail(format!(
                "the answer of {} ({}) contains the markup we sent, unescaped",
                quote(super::view::without_query(&recorded.request.url)),
                quote(&reply.media_type())
            )));
        }
    }
    Ok(Finding::pass(if mentioned {
        "what was sent is shown, but not as markup"
    } else {
        "what was sent is not shown"
    }))
}

fn no_header_injection(view: &View<'_>) -> Result<Finding, Finding> {
    for (_, reply) in view.answers() {
        for (name, value) in &reply.headers {
            if name.eq_ignore_ascii_case("x-oauthspec-injected") {
                return Err(Finding::fail(
                    "an answer has the header X-Oauthspec-Injected, which we sent in a parameter",
                ));
            }
            let guarded = ["location", "set-cookie"]
                .iter()
                .any(|guarded| name.eq_ignore_ascii_case(guarded));
            if guarded && value.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
                return Err(Finding::fail(format!(
                    "{name} contains a bare line break: {}",
                    quote(&String::from_utf8_lossy(value))
                )));
            }
        }
    }
    Ok(Finding::pass("no header was injected"))
}

fn no_307(view: &View<'_>) -> Result<Finding, Finding> {
    let mut kind = None;
    for (recorded, reply) in view.answers() {
        let to_post = recorded.request.method.eq_ignore_ascii_case("POST");
        match reply.status {
            307 if to_post => {
                return Err(Finding::fail(
                    "a POST was answered with 307, which sends its body on to the client",
                ));
            }
            308 if to_post => kind = Some(308),
            _ => {}
        }
    }
    match kind {
        Some(_) => Err(Finding::warn("a POST was answered with 308")),
        None => Ok(Finding::pass("no POST was answered with 307 or 308")),
    }
}

/// The HTML pages of the step, or that the check does not apply.
fn some_pages<'s>(
    view: &View<'s>,
) -> Result<Vec<(&'s crate::transport::Recorded, &'s Reply)>, Finding> {
    let pages = view.pages();
    if pages.is_empty() {
        return Err(Finding::not_applicable("no page was shown"));
    }
    Ok(pages)
}

fn framing_blocked(view: &View<'_>) -> Result<Finding, Finding> {
    let pages = some_pages(view)?;
    for (recorded, reply) in &pages {
        let ancestors: Vec<String> = reply
            .all("content-security-policy")
            .flat_map(|value| {
                String::from_utf8_lossy(value)
                    .to_ascii_lowercase()
                    .split([';', ','])
                    .map(|directive| directive.trim().to_owned())
                    .collect::<Vec<_>>()
            })
            .filter(|directive| directive.split_whitespace().next() == Some("frame-ancestors"))
            .collect();
        let by_csp = ancestors
            .iter()
            .any(|directive| !directive.split_whitespace().any(|word| word == "*"));
        let by_option = ancestors.is_empty()
            && reply.header("x-frame-options").is_some_and(|value| {
                let value = value.trim();
                value.eq_ignore_ascii_case("DENY") || value.eq_ignore_ascii_case("SAMEORIGIN")
            });
        if !by_csp && !by_option {
            return Err(Finding::warn(format!(
                "the page at {} may be framed: no frame-ancestors, no X-Frame-Options",
                quote(super::view::without_query(&recorded.request.url))
            )));
        }
    }
    Ok(Finding::pass(format!(
        "{} pages refuse framing",
        pages.len()
    )))
}

fn no_cors(view: &View<'_>) -> Result<Finding, Finding> {
    let endpoint = super::view::without_query(view.authorization_endpoint);
    // Where requests are pushed, pages may read the answer: they do that for their own clients.
    let browsed = view
        .answers()
        .skip_while(|(recorded, _)| super::view::without_query(&recorded.request.url) != endpoint);
    for (recorded, reply) in browsed {
        if let Some(value) = reply.header("access-control-allow-origin") {
            return Err(Finding::fail(format!(
                "{} answered with Access-Control-Allow-Origin: {}",
                quote(super::view::without_query(&recorded.request.url)),
                quote(&value)
            )));
        }
    }
    Ok(Finding::pass("no answer opens itself to other origins"))
}

fn referrer_policy(view: &View<'_>) -> Result<Finding, Finding> {
    const KNOWN: [&str; 8] = [
        "no-referrer",
        "origin",
        "same-origin",
        "strict-origin",
        "strict-origin-when-cross-origin",
        "origin-when-cross-origin",
        "no-referrer-when-downgrade",
        "unsafe-url",
    ];
    let pages = some_pages(view)?;
    for (recorded, reply) in &pages {
        let header: Vec<String> = reply
            .all("referrer-policy")
            .map(|value| String::from_utf8_lossy(value).to_ascii_lowercase())
            .collect();
        // The last policy that a browser knows counts (Referrer Policy §8.1).
        let policy = header
            .iter()
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .rfind(|word| KNOWN.contains(word));
        if !policy.is_some_and(|policy| KNOWN.iter().take(5).any(|good| *good == policy)) {
            return Err(Finding::warn(format!(
                "the page at {} has Referrer-Policy {}",
                quote(super::view::without_query(&recorded.request.url)),
                policy.map_or_else(|| "none".to_owned(), quote)
            )));
        }
    }
    Ok(Finding::pass(format!(
        "{} pages keep their address to themselves",
        pages.len()
    )))
}

fn session_cookies(view: &View<'_>) -> Result<Finding, Finding> {
    let plain = view.target.issuer.starts_with("http://") && is_loopback(&view.target.issuer);
    let mut seen = 0;
    for (_, reply) in view.answers() {
        for value in reply.all("set-cookie") {
            let Some(cookie) = parse_set_cookie(value) else {
                continue;
            };
            seen += 1;
            let mut lacks = Vec::new();
            if !cookie.http_only {
                lacks.push("HttpOnly");
            }
            if !matches!(cookie.same_site, Some(SameSite::Lax | SameSite::Strict)) {
                lacks.push("SameSite Lax or Strict");
            }
            if !cookie.secure && !plain {
                lacks.push("Secure");
            }
            if !lacks.is_empty() {
                return Err(Finding::fail(format!(
                    "the cookie {} lacks {}",
                    quote(&String::from_utf8_lossy(&cookie.name)),
                    lacks.join(", ")
                )));
            }
        }
    }
    if seen == 0 {
        return Err(Finding::not_applicable("no cookie was set"));
    }
    Ok(Finding::pass(format!("{seen} cookies are guarded")))
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, of};
    use crate::check::Found::{Fail, NotApplicable, Pass, Undecided, Warn};
    use crate::targets::model::Driver;

    const FORM: &str = "<form action=/consent method=post>app-a asks<button>Yes</button></form>";

    fn redirect(location: &str) -> Stage {
        let mut stage = Stage::new();
        stage.authorize("state=s", location);
        stage
    }

    /// A page with these headers.
    fn with(headers: &[(&str, &str)], body: &str) -> Stage {
        let mut stage = Stage::new();
        stage.page("state=s", body);
        for (name, value) in headers {
            stage.header(name, value);
        }
        stage
    }

    #[test]
    fn a_person_is_asked_before_the_redirect() {
        let check = "consent-was-shown";
        assert_eq!(of(check, &with(&[], FORM)), Pass);
        assert_eq!(of(check, &with(&[], "<p>Error</p>")), Undecided);
        let mut stage = redirect("https://app.example/cb?code=c");
        assert_eq!(of(check, &stage), Fail);
        stage.target.login.driver = Driver::None;
        assert_eq!(of(check, &stage), NotApplicable);
    }

    #[test]
    fn the_page_names_the_client() {
        let check = "consent-names-client";
        assert_eq!(of(check, &with(&[], FORM)), Pass);
        assert_eq!(of(check, &with(&[], "<form>Somebody asks</form>")), Fail);
        assert_eq!(
            of(check, &redirect("https://app.example/cb")),
            NotApplicable
        );
    }

    #[test]
    fn the_page_says_where_the_person_will_be_sent() {
        let shown = |page: &str| {
            let mut stage = with(&[], page);
            stage.sent("redirect_uri", "https://app.example/cb");
            of("consent-shows-redirect-host", &stage)
        };
        assert_eq!(shown("<p>to <b>app.example</b></p>"), Pass);
        assert_eq!(shown("<input value='https://app.example/cb'>"), Warn);
        assert_eq!(shown("<script>'app.example'</script><p>Allow?</p>"), Warn);
    }

    #[test]
    fn a_client_on_this_machine_is_warned_of() {
        let warned = |page: &str| {
            let mut stage = with(&[], "<p>An app asks. Allow?</p>");
            stage.page("state=s", page);
            of("consent-warns-local", &stage)
        };
        assert_eq!(warned("<p>An app asks. Allow?</p>"), Warn);
        let more = "<p>Any program on this computer may pretend.</p><p>An app asks. Allow?</p>";
        assert_eq!(warned(more), Pass);
        assert_eq!(
            of("consent-warns-local", &with(&[], "<p>Allow?</p>")),
            Undecided
        );
    }

    #[test]
    fn markup_that_was_sent_does_not_come_back_as_markup() {
        let check = "no-reflection";
        let raw = "no client CANARY\"'><svg/onload=1>CANARY";
        assert_eq!(of(check, &with(&[], raw)), Fail);
        assert_eq!(
            of(check, &with(&[], "CANARY&quot;&#39;><svg/onload=1>CANARY")),
            Fail
        );
        assert_eq!(
            of(
                check,
                &with(&[], "CANARY&quot;&#39;&gt;&lt;svg/onload=1&gt;CANARY")
            ),
            Pass
        );
        let json = with(&[("Content-Type", "application/json")], raw);
        assert_eq!(of(check, &json), Pass);
    }

    #[test]
    fn headers_are_not_injected() {
        let check = "no-header-injection";
        assert_eq!(of(check, &with(&[], "x")), Pass);
        assert_eq!(
            of(check, &with(&[("X-Oauthspec-Injected", "1")], "x")),
            Fail
        );
        assert_eq!(
            of(check, &redirect("https://app.example/cb?state=a\nb")),
            Fail
        );
    }

    #[test]
    fn a_post_is_not_sent_on() {
        let check = "no-307";
        let answered = |method: &str, status: u16| {
            let mut stage = redirect("https://app.example/cb");
            stage.another_answer(status, "https://app.example/cb?code=c");
            stage.method(method);
            of(check, &stage)
        };
        assert_eq!(answered("POST", 303), Pass);
        assert_eq!(answered("POST", 307), Fail);
        assert_eq!(answered("POST", 308), Warn);
        assert_eq!(answered("GET", 307), Pass);
    }

    #[test]
    fn pages_refuse_framing_and_keep_their_address() {
        let check = "framing-blocked";
        assert_eq!(of(check, &with(&[("X-Frame-Options", "deny")], "x")), Pass);
        let csp = |value| with(&[("Content-Security-Policy", value)], "x");
        assert_eq!(
            of(check, &csp("default-src 'self'; frame-ancestors 'none'")),
            Pass
        );
        assert_eq!(of(check, &csp("frame-ancestors *")), Warn);
        assert_eq!(of(check, &csp("default-src 'self'")), Warn);
        assert_eq!(of(check, &redirect("/x")), NotApplicable);

        let check = "referrer-policy";
        let policy = |value| with(&[("Referrer-Policy", value)], "x");
        assert_eq!(of(check, &policy("no-referrer")), Pass);
        assert_eq!(of(check, &policy("unsafe-url, strict-origin")), Pass);
        assert_eq!(of(check, &policy("unsafe-url")), Warn);
        assert_eq!(of(check, &with(&[], "x")), Warn);
        assert_eq!(of(check, &redirect("/x")), NotApplicable);
    }

    #[test]
    fn no_page_is_open_to_other_origins() {
        assert_eq!(of("no-cors", &with(&[], "x")), Pass);
        let open = with(&[("Access-Control-Allow-Origin", "*")], "x");
        assert_eq!(of("no-cors", &open), Fail);
    }

    #[test]
    fn cookies_are_guarded() {
        let check = "session-cookies";
        let cookie = |value| with(&[("Set-Cookie", value)], "x");
        assert_eq!(
            of(check, &cookie("s=1; HttpOnly; Secure; SameSite=Lax")),
            Pass
        );
        assert_eq!(of(check, &cookie("s=1; HttpOnly; SameSite=Lax")), Fail);
        assert_eq!(
            of(check, &cookie("s=1; HttpOnly; Secure; SameSite=None")),
            Fail
        );
        assert_eq!(of(check, &cookie("s=1; Secure; SameSite=Lax")), Fail);
        assert_eq!(of(check, &with(&[], "x")), NotApplicable);
        let mut stage = cookie("s=1; HttpOnly; SameSite=Strict");
        stage.target.issuer = "http://127.0.0.1:8080".into();
        assert_eq!(of(check, &stage), Pass);
    }
}
