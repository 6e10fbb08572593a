//! The odd server's login for programs: an empty page whose script asks for everything.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::{Server, Shared, html, json_answer};

/// The page of a program: an empty body and a script that asks for everything.
pub(super) async fn app_page(Path(id): Path<String>) -> Response {
    html(
        200,
        "App",
        &format!(
            r#"<div id=root></div><script>
const root = document.getElementById('root');
const make = (tag, more) => Object.assign(document.createElement(tag), more);
const api = async (path, body) => (await fetch(path, body && {{ method: 'POST',
  headers: {{ 'content-type': 'application/json', 'x-csrf': csrf }}, body: JSON.stringify(body) }})).json();
let csrf;
const later = ms => new Promise(r => setTimeout(r, ms));
(async () => {{
  ({{ csrf }} = (await api('/api/session')).data);
  await later(120);
  const email = make('input', {{ type: 'email', placeholder: 'E-mail' }});
  const password = make('input', {{ type: 'password', name: 'pw' }});
  const help = make('button', {{ textContent: 'Help' }});
  const go = make('button', {{ textContent: 'Sign in', disabled: true }});
  const typed = () => {{ go.disabled = !(email.value && password.value); }};
  email.oninput = password.oninput = typed;
  const message = make('p', {{}});
  root.replaceChildren(email, password, help, go, message);
  go.disabled = false;
  go.onclick = async () => {{
    go.disabled = true;
    const answer = await api('/api/login/{id}', {{ email: email.value, password: password.value }});
    await later(80);
    if (!answer.ok) {{ message.textContent = 'That is not right.'; go.disabled = false; return; }}
    const no = make('button', {{ textContent: 'Decline' }});
    const yes = make('button', {{ textContent: 'Accept' }});
    const say = decision => async () => {{
      const {{ redirect_to }} = await api('/api/consent/{id}', {{ decision }});
      location.assign(redirect_to);
    }};
    no.onclick = say('deny');
    yes.onclick = say('approve');
    document.title = 'Consent';
    root.replaceChildren(no, yes);
  }};
}})();
</script>"#
        ),
    )
}

pub(super) async fn broken_page() -> Response {
    html(
        200,
        "Broken",
        "<div id=root></div><script>document.getElementById('root').textContent = 'The app failed to load.'</script>",
    )
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(header::COOKIE)?.to_str().ok()?;
    text.split(';').find_map(|one| {
        let (key, value) = one.trim().split_once('=')?;
        (key == name).then(|| value.to_owned())
    })
}

pub(super) async fn session() -> Response {
    let csrf = jose::random_token(9);
    let mut response = json_answer(200, json!({ "data": { "csrf": csrf } }));
    let value = format!("csrf={csrf}; Path=/; SameSite=Lax");
    response
        .headers_mut()
        .insert(header::SET_COOKIE, HeaderValue::from_str(&value).unwrap());
    response
}

/// The JSON body of a request that carries the session's CSRF token and its own Origin.
fn api_body(shared: &Shared, headers: &HeaderMap, body: &Bytes) -> Option<Value> {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let genuine = text("x-csrf").is_some()
        && text("x-csrf") == cookie(headers, "csrf")
        && text("origin").as_deref() == Some(shared.base.as_str());
    genuine.then(|| serde_json::from_slice(body).ok()).flatten()
}

pub(super) async fn api_login(
    State(shared): Server,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(body) = api_body(&shared, &headers, &body) else {
        return json_answer(403, json!({ "error": "csrf" }));
    };
    if body["password"] != shared.password.as_str() {
        return json_answer(401, json!({ "ok": false, "message": "wrong password" }));
    }
    if let Some(own) = shared.db.lock().unwrap().interactions.get_mut(&id) {
        own.user = true;
    }
    json_answer(200, json!({ "ok": true }))
}

pub(super) async fn api_consent(
    State(shared): Server,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(body) = api_body(&shared, &headers, &body) else {
        return json_answer(403, json!({ "error": "csrf" }));
    };
    let decision = if body["decision"] == "approve" {
        "y"
    } else {
        "n"
    };
    json_answer(
        200,
        json!({ "redirect_to": format!("/resume/{id}?d={decision}") }),
    )
}
