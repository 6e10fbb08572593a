//! Page by page without JavaScript: the `form` driver. On every page the first login step that fits is
//! carried out, as a browser would: cookies, Origin, Referer, the button that was pressed.

use crate::login::form::{self, Chosen};
use crate::login::html::{self, Page};
use crate::login::{End, Seen, Visit, Walk, Will};
use crate::targets::model::Driver;
use crate::transport::pace::is_throttling;
use crate::transport::{Reply, Request};

/// Pages and redirects after which a login is going in circles.
const MOST_HOPS: usize = 30;
/// Bytes of pages after which no person would still be reading.
const MOST_BYTES: usize = 2 << 20;
/// How often one step may be carried out on pages that look the same.
const MOST_REPEATS: usize = 2;

/// Follows an authorization request and carries out the login steps.
pub async fn walk(visit: &Visit<'_>, first: Request) -> (End, Walk) {
    let steps = visit.will != Will::Nothing && visit.login.driver != Driver::None;
    go(visit, first, steps).await
}

/// Follows redirects only, up to the first page.
pub async fn look(visit: &Visit<'_>, first: Request) -> (End, Walk) {
    go(visit, first, false).await
}

async fn go(visit: &Visit<'_>, first: Request, steps: bool) -> (End, Walk) {
    let mut walk = Walk::default();
    let mut request = first;
    navigates(&mut request, None);
    for _ in 0..MOST_HOPS {
        let recorded = visit.browser.send(visit.transport, request.clone()).await;
        let reply = recorded.reply.clone();
        walk.log.push(recorded);
        let reply = match reply {
            Ok(reply) => reply,
            Err(reason) => return (End::NoAnswer(reason), walk),
        };
        if let Some(end) = stop(&reply) {
            return (end, walk);
        }
        if let Some(location) = reply
            .header_bytes("location")
            .filter(|_| reply.is_redirect())
        {
            match next_hop(visit, &request, location, reply.status) {
                Some(next) => request = next,
                None => return (redirect(location.to_vec()), walk),
            }
            continue;
        }
        match on_page(visit, &request, &reply, steps, &mut walk).await {
            Ok(next) => request = next,
            Err(end) => return (end, walk),
        }
    }
    let pages = walk.log.len();
    let text = format!("{pages} pages and redirects without reaching the redirect URI");
    (End::Stuck(text), walk)
}

fn redirect(location: Vec<u8>) -> End {
    End::Redirect {
        location,
        post: None,
    }
}

fn stop(reply: &Reply) -> Option<End> {
    if is_throttling(reply) {
        return Some(End::Throttled(format!("answered {}", reply.status)));
    }
    if reply.status >= 500 {
        return Some(End::ServerError(reply.status));
    }
    reply
        .unreadable()
        .map(|why| End::NoAnswer(format!("answered {}, but {why}", reply.status)))
}

/// The next request after a redirect, or `None` when it leads to the client or off the target.
pub(crate) fn next_hop(
    visit: &Visit<'_>,
    from: &Request,
    location: &[u8],
    status: u16,
) -> Option<Request> {
    let read = wire::location::read(location, Some(&from.url));
    let text = String::from_utf8_lossy(location).into_owned();
    if (visit.arrived)(&text) {
        return None;
    }
    let absolute = url::Url::parse(&from.url).ok()?.join(&text).ok()?;
    if read.browser.is_none()
        || (visit.arrived)(absolute.as_str())
        || !visit.transport.allow().contains(&absolute)
    {
        return None;
    }
    let mut next = if matches!(status, 307 | 308) {
        Request {
            url: absolute.to_string(),
            ..from.clone()
        }
    } else {
        Request::get(absolute.to_string())
    };
    // The redirect belongs to the navigation that met it.
    for name in ["Referer", "Sec-Fetch-Site"] {
        if let Some(value) = from.header(name).map(str::to_owned) {
            next.set(name, value);
        }
    }
    Some(next)
}

/// What a person does on this page: the next request, or the end.
pub(crate) async fn on_page(
    visit: &Visit<'_>,
    request: &Request,
    reply: &Reply,
    steps: bool,
    walk: &mut Walk,
) -> Result<Request, End> {
    let text = reply.text();
    if walk.pages.iter().map(String::len).sum::<usize>() + text.len() > MOST_BYTES {
        return Err(End::Stuck(format!(
            "pages of more than {MOST_BYTES} bytes without reaching the redirect URI"
        )));
    }
    let mut page = html::read(&text, &request.url);
    if let Some(policy) = reply.header("referrer-policy") {
        page.referrer = Some(policy.to_ascii_lowercase());
    }
    walk.pages.push(text);
    if let Some(end) = leaves(visit, &page) {
        return Err(end);
    }
    let chosen = steps.then(|| form::choose(&page, visit)).flatten();
    let mut seen = Seen {
        url: request.url.clone(),
        status: reply.status,
        step: chosen.as_ref().map(Chosen::number),
        did: String::new(),
        page: page.clone(),
    };
    let Some(chosen) = chosen else {
        let on = goes_on_by_itself(visit, &page);
        if on.is_some() {
            seen.did = "went on by itself".into();
        }
        walk.seen.push(seen);
        let about = about(&page, reply);
        let status = reply.status;
        return on
            .map(|on| sent_from(on, &page, &request.url))
            .ok_or(End::Page { status, about });
    };
    if repeats(walk, &seen) >= MOST_REPEATS {
        let why = format!(
            "step {} was carried out {} times and the page “{}” came back{}",
            chosen.number() + 1,
            MOST_REPEATS,
            page.title,
            said(&page)
        );
        walk.seen.push(seen);
        return Err(End::Stuck(why));
    }
    let next = match chosen {
        Chosen::Link { url, text, .. } => {
            seen.did = format!("followed the link “{text}”");
            Request::get(url)
        }
        Chosen::Form { form, step, .. } => {
            let filled = match form::values(visit, form, step, &request.url).await {
                Ok(filled) => filled,
                Err(why) => {
                    walk.seen.push(seen);
                    return Err(End::Stuck(why));
                }
            };
            if step.deny.is_some() {
                walk.consents += 1;
                let approval = form::submission(form, step.press.as_deref(), &filled, true);
                walk.approval = Some(sent_from(approval, &page, &request.url));
                let forged = form::submission(form, step.press.as_deref(), &filled, false);
                walk.forged = Some(sent_from(forged, &page, &request.url));
                if visit.will == Will::Hesitate {
                    seen.did = "stopped at the consent".into();
                    walk.seen.push(seen);
                    let status = reply.status;
                    let about = "the consent page".into();
                    return Err(End::Page { status, about });
                }
            }
            match (&step.deny, visit.will) {
                (Some(deny), Will::Deny) => {
                    seen.did = format!("denied with “{deny}”");
                    match form::denial(&page, form, deny, &filled) {
                        Some(request) => request,
                        None => {
                            let why = format!(
                                "the page “{}” has no button or link “{deny}” to deny with; it has {}",
                                page.title,
                                form::offers(&page)
                            );
                            walk.seen.push(seen);
                            return Err(End::Stuck(why));
                        }
                    }
                }
                _ => {
                    seen.did = form::words(step);
                    form::submission(form, step.press.as_deref(), &filled, true)
                }
            }
        }
    };
    walk.answered += 1;
    walk.seen.push(seen);
    Ok(sent_from(next, &page, &request.url))
}

/// How often this step was carried out on a page that looked like this one.
fn repeats(walk: &Walk, now: &Seen) -> usize {
    let names = |page: &Page| -> Vec<String> {
        let fields = page.forms.iter().flat_map(|form| &form.fields);
        fields.map(|field| field.name.clone()).collect()
    };
    let same = |seen: &&Seen| {
        seen.step == now.step
            && seen.page.title == now.page.title
            && names(&seen.page) == names(&now.page)
    };
    walk.seen.iter().filter(same).count()
}

/// What the page tells the person, for a message.
fn said(page: &Page) -> String {
    if page.text.is_empty() {
        String::new()
    } else {
        let text: String = page.text.chars().take(160).collect();
        format!(": “{text}”")
    }
}

/// A page that takes the person to the client: a form there that submits itself
/// (`response_mode=form_post`), or a meta refresh. A form that leads elsewhere is not pressed.
fn leaves(visit: &Visit<'_>, page: &Page) -> Option<End> {
    let foreign = |url: &str| {
        (visit.arrived)(url)
            || url::Url::parse(url).is_ok_and(|parsed| !visit.transport.allow().contains(&parsed))
    };
    if let Some(refresh) = page.refresh.as_ref().filter(|url| foreign(url)) {
        return Some(redirect(refresh.clone().into_bytes()));
    }
    let form = page.forms.iter().find(|form| {
        (visit.arrived)(&form.action) || (page.submits_itself && foreign(&form.action))
    })?;
    let mut post = wire::form::Pairs::new();
    for field in &form.fields {
        post.push(&field.name, &field.value);
    }
    Some(End::Redirect {
        location: form.action.clone().into_bytes(),
        post: Some(post),
    })
}

/// A page that needs nobody: it submits its only form, or refreshes to another page of the target.
fn goes_on_by_itself(visit: &Visit<'_>, page: &Page) -> Option<Request> {
    let own = |url: &str| {
        url::Url::parse(url).is_ok_and(|parsed| visit.transport.allow().contains(&parsed))
    };
    if let [form] = page.forms.as_slice()
        && page.submits_itself
        && form.fields.iter().all(|field| field.kind == "hidden")
        && own(&form.action)
    {
        return Some(form::submission(form, None, &[], true));
    }
    page.refresh
        .clone()
        .filter(|url| own(url))
        .map(Request::get)
}

/// A request that leaves a page: with the Origin and Referer a browser would send (the Fetch standard's
/// default policy, `strict-origin-when-cross-origin`, unless the page has its own).
fn sent_from(mut request: Request, page: &Page, page_url: &str) -> Request {
    let (Ok(from), Ok(to)) = (url::Url::parse(page_url), url::Url::parse(&request.url)) else {
        return request;
    };
    let origin = from.origin().ascii_serialization();
    let same = from.origin() == to.origin();
    let policy = page.referrer.as_deref().unwrap_or_default();
    let silent = policy.contains("no-referrer") && !policy.contains("when-downgrade");
    if request.method == "POST" {
        let shown = if silent { "null" } else { origin.as_str() };
        request.set("Origin", shown);
    }
    let whole = || {
        let mut whole = from.clone();
        whole.set_fragment(None);
        let _ = whole.set_username("");
        let _ = whole.set_password(None);
        whole.to_string()
    };
    let referer = match policy {
        _ if silent => None,
        "same-origin" => same.then(whole),
        "origin" | "strict-origin" => Some(format!("{origin}/")),
        _ if same => Some(whole()),
        _ => Some(format!("{origin}/")),
    };
    if let Some(referer) = referer {
        request.set("Referer", referer);
    }
    navigates(&mut request, Some(same));
    request
}

/// The headers of a navigation by a user (Fetch Metadata); `None`: the client's site led here.
pub(crate) fn navigates(request: &mut Request, same_origin: Option<bool>) {
    if request.header("sec-fetch-site").is_some() {
        return;
    }
    let site = match same_origin {
        Some(true) => "same-origin",
        _ => "cross-site",
    };
    request.set("Sec-Fetch-Site", site);
    request.set("Sec-Fetch-Mode", "navigate");
    request.set("Sec-Fetch-Dest", "document");
}

/// The title, or what can be read, and whether a browser is needed.
pub(super) fn about(page: &Page, reply: &Reply) -> String {
    let text: String = if page.text.is_empty() {
        reply.text().chars().take(160).collect()
    } else {
        page.text.chars().take(160).collect()
    };
    let mut about = if page.title.is_empty() {
        text
    } else if text.is_empty() {
        page.title.clone()
    } else {
        format!("{}: {text}", page.title)
    };
    if page.forms.is_empty() && page.scripts && reply.is_success() {
        about.push_str(
            " (a page of scripts without a form: it needs driver = \"browser\" or \"json\")",
        );
    }
    about
}
