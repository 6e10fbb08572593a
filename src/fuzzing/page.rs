//! Pages of a login: hostile markup is bounded, and a form built from the bytes is read as it was built.

use super::{planted, text};

const BASE: &str = "https://as.example/login/step?x=1";
/// Bytes of the form that is built at most: a longer page is read in part.
const LONGEST: usize = 16 * 1024;
/// Fields of it.
const MOST_FIELDS: usize = 20;

/// The bytes as a page, and the bytes as what a form is made of: lines are values.
pub fn login_page(data: &[u8]) {
    let text = text(data);
    let page = planted::login_page(&text, BASE);
    assert!(page.forms.len() <= 50 && page.links.len() <= 500);
    assert!(
        page.text.len() <= 401,
        "more than the beginning of the text"
    );
    for form in &page.forms {
        assert!(["GET", "POST"].contains(&form.method.as_str()));
        assert!(
            ["application/x-www-form-urlencoded", "multipart/form-data"]
                .contains(&form.enctype.as_str())
        );
        for field in &form.fields {
            assert!(
                !field.name.is_empty(),
                "a field without a name is not submitted"
            );
            let never = ["submit", "image", "button", "reset", "file"];
            assert!(!never.contains(&field.kind.as_str()), "{}", field.kind);
        }
    }

    if text.len() > LONGEST {
        return;
    }
    // A browser reads a carriage return as a line feed, and U+0000 as U+FFFD.
    let text = text.replace(['\r', '\0'], "");
    let values: Vec<&str> = text.split('\n').take(MOST_FIELDS).collect();
    let mut html = String::from("<!doctype html><form method=post action=\"/next\">");
    for (index, value) in values.iter().enumerate() {
        let value = escaped(value);
        html.push_str(&match index % 3 {
            0 => format!("<input name=\"n{index}{value}\" value=\"{value}\">"),
            1 => format!("<textarea name=\"n{index}{value}\">{value}</textarea>"),
            _ => format!("<input type=hidden name=\"n{index}{value}\" value=\"{value}\">"),
        });
    }
    html.push_str("<button name=go value=1>Go</button></form>");
    let page = planted::login_page(&html, BASE);
    assert_eq!(page.forms.len(), 1, "text became a form");
    let form = &page.forms[0];
    assert_eq!(form.action, "https://as.example/next");
    assert_eq!(form.method, "POST");
    let read: Vec<(String, String)> = form
        .fields
        .iter()
        .map(|field| (field.name.clone(), field.value.clone()))
        .collect();
    let built: Vec<(String, String)> = values
        .iter()
        .enumerate()
        .map(|(index, value)| (format!("n{index}{value}"), (*value).to_owned()))
        .collect();
    assert_eq!(read, built, "the form is read otherwise than it was built");
    assert_eq!(form.buttons.len(), 1);
    assert!(page.links.is_empty() && !page.scripts && page.refresh.is_none());
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
