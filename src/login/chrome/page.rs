//! A page as a script in it sees it: what a person could do there, and which step fits.

use serde_json::Value;

use crate::login::html::{Button, Field, Form, Page};

/// The page as the script describes it, for messages.
pub(super) fn read_page(found: &Value, title: String, text: String) -> Page {
    let list = |name: &str| {
        found
            .get(name)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let member = |value: &Value, name: &str| {
        value
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let fields: Vec<Field> = list("inputs")
        .iter()
        .map(|input| Field {
            name: member(input, "name"),
            value: String::new(),
            kind: member(input, "kind"),
            label: member(input, "label"),
            options: options(input),
            active: true,
        })
        .collect();
    let buttons: Vec<Button> = list("buttons")
        .iter()
        .map(|button| Button {
            name: String::new(),
            value: String::new(),
            text: button.as_str().unwrap_or_default().to_owned(),
            action: None,
            method: None,
        })
        .collect();
    let mut page = Page {
        title,
        text,
        scripts: true,
        ..Page::default()
    };
    if !fields.is_empty() || !buttons.is_empty() {
        page.forms.push(Form {
            action: String::new(),
            method: "POST".to_owned(),
            enctype: String::new(),
            fields,
            buttons,
        });
    }
    page
}

/// What a select offers: value and text.
fn options(input: &Value) -> Vec<(String, String)> {
    let all = input.get("options").and_then(Value::as_array);
    let pair = |option: &Value| {
        Some((
            option.get(0)?.as_str()?.to_owned(),
            option.get(1)?.as_str()?.to_owned(),
        ))
    };
    all.into_iter().flatten().filter_map(pair).collect()
}

/// What a person could do on the page, and the first step that fits it. Shadow roots are looked into.
pub(super) const LOOK_AT_PAGE: &str = r#"
const steps = arguments[0];
const every = (root, out = []) => {
  for (const e of root.querySelectorAll('*')) {
    if (out.length > 5000) break;
    out.push(e);
    if (e.shadowRoot) every(e.shadowRoot, out);
  }
  return out;
};
const all = every(document);
const shown = e => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== 'hidden' && !e.disabled;
const norm = s => (s || '').replace(/\s+/g, ' ').replace(/^[ :*]+|[ :*]+$/g, '').toLowerCase();
const labels = e => [...(e.labels || [])].map(l => l.innerText)
  .concat([e.getAttribute('aria-label'), e.getAttribute('placeholder')])
  .concat((e.getAttribute('aria-labelledby') || '').split(' ').map(i => i && document.getElementById(i)?.innerText))
  .filter(Boolean);
const inputs = all.filter(e => e.matches('input:not([type=hidden]):not([type=submit]):not([type=button]):not([type=image]), textarea, select') && shown(e));
const buttons = all.filter(e => e.matches('button, input[type=submit], input[type=button], input[type=image], [role=button]') && shown(e));
const links = all.filter(e => e.matches('a[href], [role=link]') && shown(e));
const said = e => e.innerText || e.value || e.getAttribute('aria-label') || e.title || '';
const field = n => inputs.find(e => e.name === n || e.id === n) || inputs.find(e => labels(e).some(l => norm(l) === norm(n)));
const button = p => buttons.find(e => norm(said(e)) === norm(p))
  || buttons.find(e => e.name && p === e.name + '=' + e.value)
  || buttons.find(e => e.name && e.name === p);
const link = p => links.find(e => norm(said(e)) === norm(p));
const out = {
  url: location.href, ready: document.readyState, title: document.title,
  text: (document.body ? document.body.innerText : '').replace(/\s+/g, ' ').trim().slice(0, 400),
  inputs: inputs.slice(0, 20).map(e => ({ name: e.name || e.id, kind: e.type || 'text', label: labels(e)[0] || '',
    options: [...(e.options || [])].slice(0, 20).map(o => [o.value, o.text.trim()]) })),
  buttons: buttons.slice(0, 20).map(e => said(e).slice(0, 80)),
};
for (let i = 0; i < steps.length; i++) {
  const s = steps[i];
  const target = s.link ? link(s.link) : s.press ? button(s.press) : null;
  if ((s.link || s.press) && !target) continue;
  const fields = s.fill.map(field);
  if (fields.some(f => !f)) continue;
  if (!s.link && !s.press && !s.fill.length) continue;
  out.step = i;
  out.fields = fields;
  out.button = target;
  out.deny = s.deny ? button(s.deny) || link(s.deny) || null : null;
  break;
}
return out;
"#;

/// Makes a field ready for typing (true), or sets a box, radio button or select by itself (false).
pub(super) const PREPARE_FIELD: &str = r#"
const [e, wanted] = arguments;
const tell = () => { e.dispatchEvent(new Event('input', {bubbles: true})); e.dispatchEvent(new Event('change', {bubbles: true})); };
if (e.tagName === 'SELECT') {
  const o = [...e.options].find(o => o.value === wanted || o.text.trim().toLowerCase() === wanted.toLowerCase());
  if (o) { e.value = o.value; tell(); }
  return false;
}
if (e.type === 'checkbox' || e.type === 'radio') {
  const on = wanted === 'true' || wanted === 'on' || wanted === e.value;
  if (e.checked !== on) e.click();
  return false;
}
e.focus();
if (e.select) e.select();
return true;
"#;

/// Whether the button is still there to be pressed on the same page.
pub(super) const STILL_THERE: &str = r#"
const [e, url] = arguments;
return e.isConnected && location.href === url && !e.disabled && e.getClientRects().length > 0;
"#;
