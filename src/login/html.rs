//! What a person could do on a page: its forms, buttons and links.

use std::time::{Duration, Instant};

use html5ever::driver::{ParseOpts, parse_document};
use html5ever::tendril::TendrilSink as _;
use scraper::{ElementRef, Html, HtmlTreeSink, Selector};
use url::Url;

/// What is parsed of a page. A few bytes can stand for many elements (unclosed formatting elements
/// are repeated in every paragraph), so the tree's size and the time are bounded too.
const MOST_BYTES: usize = 512 << 10;
const MOST_NODES: usize = 60_000;
const MOST_TIME: Duration = Duration::from_secs(2);
/// Characters parsed between two looks at the bounds.
const BITE: usize = 64;

/// Elements looked at on one page; more is a hostile page, and the rest is ignored.
const MOST_ELEMENTS: usize = 2_000;

/// A form as a browser sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Absolute URL it submits to.
    pub action: String,
    /// `GET` or `POST`.
    pub method: String,
    /// The body's media type: `application/x-www-form-urlencoded`, or `multipart/form-data`.
    pub enctype: String,
    /// Fields in page order, buttons apart.
    pub fields: Vec<Field>,
    /// Its submit buttons in page order.
    pub buttons: Vec<Button>,
}

/// An input, select or textarea.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The `name`.
    pub name: String,
    /// The value it would submit untouched.
    pub value: String,
    /// `text`, `hidden`, `checkbox`, …
    pub kind: String,
    /// The text of its label: `<label>`, `aria-label`, or else the placeholder.
    pub label: String,
    /// What a select offers: value and text.
    pub options: Vec<(String, String)>,
    /// Whether it is submitted untouched (an unticked checkbox is not).
    pub active: bool,
}

/// A submit button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// Its `name`, possibly empty.
    pub name: String,
    /// Its `value`.
    pub value: String,
    /// What it says.
    pub text: String,
    /// `formaction`, when it has its own.
    pub action: Option<String>,
    /// `formmethod`, when it has its own.
    pub method: Option<String>,
}

/// A page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The title.
    pub title: String,
    /// The forms.
    pub forms: Vec<Form>,
    /// Links: text and absolute URL.
    pub links: Vec<(String, String)>,
    /// Where a meta refresh leads.
    pub refresh: Option<String>,
    /// What `<meta name=referrer>` says.
    pub referrer: Option<String>,
    /// Whether a script submits a form by itself.
    pub submits_itself: bool,
    /// Whether the page has scripts: without a form it is then a page for a real browser.
    pub scripts: bool,
    /// The beginning of what a person reads on it.
    pub text: String,
}

/// Reads a page found at `base`. Never fails: what is no HTML has no forms.
pub fn read(html: &str, base: &str) -> Page {
    let document = parse(html);
    let base = Url::parse(base).ok();
    let resolve = |reference: &str| -> String {
        match &base {
            Some(base) => base
                .join(reference)
                .map_or_else(|_| reference.to_owned(), |url| url.to_string()),
            None => reference.to_owned(),
        }
    };
    let here = base.as_ref().map(Url::to_string).unwrap_or_default();
    let labels = labels(&document);
    let mut page = Page {
        title: select(&document, "title")
            .next()
            .map(text)
            .unwrap_or_default(),
        ..Page::default()
    };
    for form in select(&document, "form").take(50) {
        page.forms
            .push(read_form(&document, form, &labels, &here, &resolve));
    }
    for link in select(&document, "a[href]").take(500) {
        page.links
            .push((text(link), resolve(link.attr("href").unwrap_or_default())));
    }
    page.refresh = select(&document, "meta[http-equiv]")
        .filter(|meta| {
            meta.attr("http-equiv")
                .is_some_and(|value| value.eq_ignore_ascii_case("refresh"))
        })
        .find_map(|meta| {
            let content = meta.attr("content")?;
            let at = content.to_ascii_lowercase().find("url=")?;
            let target = content.get(at + 4..)?.trim().trim_matches(['"', '\'']);
            Some(resolve(target))
        });
    page.referrer = select(&document, "meta[name=referrer]")
        .find_map(|meta| meta.attr("content").map(str::to_ascii_lowercase));
    let mut scripts = select(&document, "script").peekable();
    page.scripts = scripts.peek().is_some();
    let submits = |code: &str| code.contains(".submit()");
    page.submits_itself = scripts.any(|script| submits(&script.text().collect::<String>()))
        || select(&document, "body[onload]").any(|body| body.attr("onload").is_some_and(submits));
    page.text = visible(&document);
    page
}

/// The beginning of the text a person sees.
fn visible(document: &Html) -> String {
    const SHOWN: usize = 400;
    let mut out = String::new();
    for body in select(document, "body").take(1) {
        for node in body.descendants().take(MOST_ELEMENTS) {
            let hidden = node
                .parent()
                .and_then(ElementRef::wrap)
                .is_some_and(|parent| {
                    matches!(
                        parent.value().name(),
                        "script" | "style" | "noscript" | "option"
                    )
                });
            let Some(text) = node.value().as_text().filter(|_| !hidden) else {
                continue;
            };
            for word in text.split_whitespace() {
                if out.len() + word.len() > SHOWN {
                    return out;
                }
                if !out.is_empty() {
                    out.push(' ');
                }
                out.push_str(word);
            }
        }
    }
    out
}

/// The document as far as the bounds allow; what comes after is not there.
fn parse(html: &str) -> Html {
    let clock = Instant::now();
    let sink = HtmlTreeSink::new(Html::new_document());
    let mut parser = parse_document(sink, ParseOpts::default());
    let mut rest = html
        .get(..html.floor_char_boundary(MOST_BYTES))
        .unwrap_or_default();
    while !rest.is_empty() {
        let (bite, after) = rest.split_at(rest.floor_char_boundary(BITE));
        parser.process(bite.into());
        rest = after;
        let nodes = parser.tokenizer.sink.sink.0.borrow().tree.values().len();
        if nodes > MOST_NODES || clock.elapsed() > MOST_TIME {
            break;
        }
    }
    parser.finish()
}

fn select<'a>(document: &'a Html, selector: &str) -> impl Iterator<Item = ElementRef<'a>> {
    Selector::parse(selector)
        .ok()
        .map(|selector| document.select(&selector).collect::<Vec<_>>())
        .unwrap_or_default()
        .into_iter()
        .take(MOST_ELEMENTS)
}

fn text(element: ElementRef<'_>) -> String {
    element
        .text()
        .take(200)
        .collect::<String>()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// Label texts by the id they are for.
fn labels(document: &Html) -> Vec<(String, String)> {
    select(document, "label[for]")
        .map(|label| {
            (
                label.attr("for").unwrap_or_default().to_owned(),
                text(label),
            )
        })
        .collect()
}

fn read_form(
    document: &Html,
    form: ElementRef<'_>,
    labels: &[(String, String)],
    here: &str,
    resolve: &dyn Fn(&str) -> String,
) -> Form {
    let action = form.attr("action").filter(|action| !action.is_empty());
    let mut out = Form {
        action: action.map_or_else(|| here.to_owned(), resolve),
        method: method(form.attr("method")),
        enctype: match form.attr("enctype") {
            Some(kind) if kind.eq_ignore_ascii_case("multipart/form-data") => {
                "multipart/form-data".to_owned()
            }
            _ => "application/x-www-form-urlencoded".to_owned(),
        },
        fields: Vec::new(),
        buttons: Vec::new(),
    };
    let Ok(controls) = Selector::parse("input, select, textarea, button") else {
        return out;
    };
    let own: Vec<ElementRef<'_>> = form.select(&controls).take(MOST_ELEMENTS).collect();
    // Controls elsewhere on the page may belong to the form by its id.
    let by_id = form.attr("id").map(|id| {
        document
            .select(&controls)
            .filter(|control| control.attr("form") == Some(id))
            .take(MOST_ELEMENTS)
            .collect::<Vec<_>>()
    });
    for control in own.into_iter().chain(by_id.unwrap_or_default()) {
        read_control(control, labels, resolve, &mut out);
    }
    out
}

/// A form knows two methods; anything else is a GET.
fn method(said: Option<&str>) -> String {
    match said {
        Some(said) if said.eq_ignore_ascii_case("post") => "POST".to_owned(),
        _ => "GET".to_owned(),
    }
}

fn read_control(
    control: ElementRef<'_>,
    labels: &[(String, String)],
    resolve: &dyn Fn(&str) -> String,
    form: &mut Form,
) {
    if control.attr("disabled").is_some() {
        return;
    }
    let attribute = |name: &str| control.attr(name).unwrap_or_default().to_owned();
    let name = attribute("name");
    let tag = control.value().name();
    let kind = match tag {
        "input" => {
            let kind = attribute("type").to_ascii_lowercase();
            if kind.is_empty() {
                "text".to_owned()
            } else {
                kind
            }
        }
        "button" => match control.attr("type") {
            Some("button" | "reset") => return,
            _ => "submit".to_owned(),
        },
        other => other.to_owned(),
    };
    if matches!(kind.as_str(), "submit" | "image") {
        form.buttons.push(Button {
            text: button_text(control, tag),
            value: attribute("value"),
            action: control.attr("formaction").map(resolve),
            method: control.attr("formmethod").map(|said| method(Some(said))),
            name,
        });
        return;
    }
    if name.is_empty() || matches!(kind.as_str(), "button" | "reset" | "file") {
        return;
    }
    let ticked = control.attr("checked").is_some();
    let value = match tag {
        "select" => chosen(control),
        "textarea" => control.text().collect(),
        _ if matches!(kind.as_str(), "checkbox" | "radio") => {
            control.attr("value").unwrap_or("on").to_owned()
        }
        _ => attribute("value"),
    };
    form.fields.push(Field {
        active: !matches!(kind.as_str(), "checkbox" | "radio") || ticked,
        options: if tag == "select" {
            options(control)
        } else {
            Vec::new()
        },
        label: label(control, labels),
        name,
        value,
        kind,
    });
}

/// What a button says: its text, an input's value, or the name for screen readers.
fn button_text(control: ElementRef<'_>, tag: &str) -> String {
    let said = if tag == "button" {
        text(control)
    } else {
        control.attr("value").unwrap_or_default().to_owned()
    };
    let other = ["aria-label", "title", "alt"];
    if said.is_empty() {
        other
            .iter()
            .find_map(|name| control.attr(name))
            .unwrap_or_default()
            .trim()
            .to_owned()
    } else {
        said
    }
}

/// What a field is called: a label for it or around it, `aria-label`, the placeholder.
fn label(control: ElementRef<'_>, labels: &[(String, String)]) -> String {
    let by_id = labels
        .iter()
        .find(|(id, _)| !id.is_empty() && Some(id.as_str()) == control.attr("id"))
        .map(|(_, label)| label.clone());
    let around = || {
        control
            .ancestors()
            .take(10)
            .filter_map(ElementRef::wrap)
            .find(|element| element.value().name() == "label")
            .map(text)
    };
    let said = by_id
        .or_else(around)
        .or_else(|| control.attr("aria-label").map(str::to_owned))
        .or_else(|| control.attr("placeholder").map(str::to_owned))
        .unwrap_or_default();
    // The marks of a form's layout are no part of the name.
    said.trim_matches([' ', ':', '*']).to_owned()
}

/// What a select offers.
fn options(select: ElementRef<'_>) -> Vec<(String, String)> {
    let Ok(options) = Selector::parse("option") else {
        return Vec::new();
    };
    select
        .select(&options)
        .take(200)
        .map(|option| {
            let said = text(option);
            (
                option.attr("value").unwrap_or(&said).to_owned(),
                said.clone(),
            )
        })
        .collect()
}

/// The selected option, else the first.
fn chosen(select: ElementRef<'_>) -> String {
    let Ok(options) = Selector::parse("option") else {
        return String::new();
    };
    let all: Vec<ElementRef<'_>> = select.select(&options).take(MOST_ELEMENTS).collect();
    let option = all
        .iter()
        .find(|option| option.attr("selected").is_some())
        .or(all.first());
    option.map_or_else(String::new, |option| {
        option
            .attr("value")
            .map_or_else(|| text(*option), str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_a_person_would() {
        let page = read(
            r#"<title>Sign in</title><form method=post action="/login?x=1">
            <label for=e>E-mail</label><input id=e name=email><input type=hidden name=csrf value=t>
            <input type=checkbox name=remember><select name=agent><option value=1>One<option value=2 selected>Two</select>
            <button name=action value=ok>Log in</button><button type=button>Help</button></form><a href="/other">Other</a>"#,
            "https://as.example/authorize?y=2",
        );
        assert_eq!(page.title, "Sign in");
        let form = &page.forms[0];
        assert_eq!(form.action, "https://as.example/login?x=1");
        assert_eq!(form.method, "POST");
        assert_eq!(form.fields[0].label, "E-mail");
        assert!(
            !form
                .fields
                .iter()
                .any(|field| field.name == "remember" && field.active)
        );
        assert_eq!(
            form.fields
                .iter()
                .find(|f| f.name == "agent")
                .map(|f| f.value.as_str()),
            Some("2")
        );
        assert_eq!(form.buttons.len(), 1);
        assert_eq!(form.buttons[0].text, "Log in");
        assert_eq!(page.links[0].1, "https://as.example/other");
    }

    #[test]
    fn fields_are_named_by_any_kind_of_label() {
        let page = read(
            "<form><label>E-mail * <input name=a></label><input name=b aria-label='One-time code'>\
             <input name=c placeholder='Your name:'><button title=Go></button></form><script>x</script><p>Hello  there</p>",
            "https://as.example/",
        );
        let labels: Vec<&str> = page.forms[0]
            .fields
            .iter()
            .map(|f| f.label.as_str())
            .collect();
        assert_eq!(labels, ["E-mail", "One-time code", "Your name"]);
        assert_eq!(page.forms[0].buttons[0].text, "Go");
        assert!(page.scripts && !page.submits_itself);
        assert_eq!(page.text, "E-mail * Hello there");
    }

    #[test]
    fn few_bytes_cannot_become_a_tree_without_bounds() {
        let mut page: String = (0..5_000).map(|at| format!("<b id={at}>")).collect();
        page.push_str(&"<p>".repeat(5_000));
        let nodes = parse(&page).tree.values().len();
        // One bite of paragraphs may still add its share.
        assert!(nodes < MOST_NODES + BITE / 3 * 5_000, "{nodes}");
        let deep = "<div>".repeat(100_000);
        assert!(parse(&deep).tree.values().len() <= MOST_NODES + BITE);
    }

    #[test]
    fn a_form_without_action_submits_to_its_page() {
        let page = read("<form><input name=a></form>", "https://as.example/p?q=1");
        assert_eq!(page.forms[0].action, "https://as.example/p?q=1");
        assert_eq!(page.forms[0].method, "GET");
    }
}
