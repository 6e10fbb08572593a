//! Deep faults: a layer in front of the correct server that breaks it in one odd corner. They are of the kinds that real servers have and that
//! nobody writes a case for; the fuzzer must find them. Correct requests never meet one.

mod asked;
mod mistakes;

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use maud::{PreEscaped, html};
use serde_json::{Map, Value, json};
use wire::form::Pairs;

use self::asked::Asked;
use self::mistakes::mistakes;
use crate::{App, Fault, http, redirect};

/// How long a hang lasts.
const HANG: Duration = Duration::from_secs(5);
/// How long the slow path of a redemption takes.
const SLOW_PATH: Duration = Duration::from_millis(40);
/// More than any correct request, and more than the server itself reads.
const MOST: usize = 1 << 20;

/// The endpoints that have deep faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Authorize,
    Token,
    Revoke,
    Introspect,
    Register,
    Metadata,
    Resource,
    Elsewhere,
}

fn crash() -> Response {
    http::json_response(
        StatusCode::INTERNAL_SERVER_ERROR,
        &json!({"error": "server_error"}),
    )
}

/// How deeply brackets are nested.
fn depth(text: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => {
                now += 1;
                most = most.max(now);
            }
            b']' | b'}' => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// The layer.
pub(crate) async fn layer(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST).await else {
        return http::empty(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let mut asked = Asked {
        place: place(&app, parts.uri.path()),
        method: parts.method.clone(),
        headers: parts.headers.clone(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body,
    };
    if hangs(&app, &asked) {
        tokio::time::sleep(HANG).await;
    }
    if crashes(&app, &asked) {
        return crash();
    }
    if let Some(response) = errs(&app, &asked) {
        return response;
    }
    let before = asked.query.clone();
    mistakes(&app, &mut asked);
    slow_path(&app, &asked).await;
    if asked.query != before
        && let Ok(uri) = format!("{}?{}", parts.uri.path(), asked.query).parse::<Uri>()
    {
        parts.uri = uri;
    }
    parts.headers.clone_from(&asked.headers);
    if asked.body.len()
        != parts
            .headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .unwrap_or(0)
    {
        parts
            .headers
            .insert(header::CONTENT_LENGTH, HeaderValue::from(asked.body.len()));
    }
    let request = Request::from_parts(parts, Body::from(asked.body.clone()));
    let response = next.run(request).await;
    afterwards(&app, &asked, response).await
}

fn place(app: &App, path: &str) -> Place {
    let paths = &app.face.paths;
    match path {
        path if path == paths.authorize => Place::Authorize,
        path if path == paths.token => Place::Token,
        path if Some(path) == paths.revoke => Place::Revoke,
        path if Some(path) == paths.introspect => Place::Introspect,
        path if Some(path) == paths.register => Place::Register,
        path if path.starts_with("/.well-known/") => Place::Metadata,
        path if app
            .face
            .resources
            .iter()
            .any(|resource| resource.routes.iter().any(|route| route.path == path)) =>
        {
            Place::Resource
        }
        _ => Place::Elsewhere,
    }
}

fn hangs(app: &App, asked: &Asked) -> bool {
    match asked.place {
        Place::Token => {
            let names = asked.pairs();
            (app.broken(Fault::DeepHangBrackets)
                && names
                    .iter()
                    .any(|(name, _)| name.matches('[').count() >= 100))
                || (app.broken(Fault::DeepHangContentType)
                    && asked.header(header::CONTENT_TYPE).matches(' ').count() >= 300)
        }
        Place::Authorize => {
            app.broken(Fault::DeepHangUri)
                && asked
                    .values("redirect_uri")
                    .iter()
                    .any(|uri| uri.matches('@').count() >= 100)
        }
        Place::Register => app.broken(Fault::DeepHangJson) && depth(&asked.json()) >= 500,
        _ => false,
    }
}

/// What ends in an unhandled error.
fn crashes(app: &App, asked: &Asked) -> bool {
    let broken = |fault| app.broken(fault);
    let text = || String::from_utf8_lossy(asked.form()).into_owned();
    match asked.place {
        Place::Authorize => {
            let details = || asked.value("authorization_details").unwrap_or_default();
            (broken(Fault::DeepCrashNulState)
                && asked
                    .values("state")
                    .iter()
                    .any(|state| state.contains('\0')))
                || (broken(Fault::DeepCrashSurrogate)
                    && details().to_ascii_lowercase().contains("\\ud8"))
                || (broken(Fault::DeepCrashJsonDepth) && depth(&details()) > 60)
                || (broken(Fault::DeepCrashLongScope)
                    && asked.value("scope").is_some_and(|scope| scope.len() > 4096))
                || (broken(Fault::DeepCrashFullWidth)
                    && asked.value("client_id").is_some_and(|id| {
                        id.chars().any(|c| ('\u{ff01}'..='\u{ff5e}').contains(&c))
                    }))
                || (broken(Fault::DeepCrashMaxAge)
                    && asked
                        .value("max_age")
                        .is_some_and(|age| age.parse::<i64>().is_err()))
                || (broken(Fault::DeepCrashCookie)
                    && asked.headers.contains_key(header::COOKIE)
                    && !asked.header(header::COOKIE).contains('='))
                || (broken(Fault::DeepCrashFormPost)
                    && asked.value("response_mode").as_deref() == Some("form_post")
                    && asked.value("prompt").is_some())
        }
        Place::Token => {
            let content_type = asked.header(header::CONTENT_TYPE).to_ascii_lowercase();
            let charset = || {
                content_type
                    .split_once("charset")
                    .is_some_and(|(_, charset)| !charset.contains("utf-8"))
            };
            (broken(Fault::DeepCrashOverlong) && text().to_ascii_lowercase().contains("%c0%"))
                || (broken(Fault::DeepCrashBasicColon)
                    && asked
                        .basic()
                        .and_then(|text| STANDARD.decode(text).ok())
                        .is_some_and(|text| !text.contains(&b':')))
                || (broken(Fault::DeepCrashCharset) && charset())
                || (broken(Fault::DeepCrashBracketCode)
                    && asked
                        .pairs()
                        .iter()
                        .any(|(name, _)| name.starts_with("code[")))
                || (broken(Fault::DeepCrashManyParameters) && asked.pairs().len() > 1000)
                || (broken(Fault::DeepCrashPut) && asked.method == Method::PUT)
                || (broken(Fault::DeepCrashRefreshResource)
                    && asked.value("refresh_token").is_some()
                    && asked.value("scope").is_some()
                    && asked.values("resource").len() > 1)
        }
        Place::Revoke => {
            (broken(Fault::DeepCrashPercentRevoke) && Pairs::parse(asked.form()).bad_escapes())
                || (broken(Fault::DeepCrashHintText)
                    && asked
                        .value("token_type_hint")
                        .is_some_and(|hint| !hint.is_ascii()))
        }
        Place::Introspect => {
            broken(Fault::DeepCrashBasicBase64)
                && asked
                    .basic()
                    .is_some_and(|text| STANDARD.decode(text).is_err())
        }
        Place::Register => {
            let body = asked.json();
            (broken(Fault::DeepCrashHugeNumber) && body.contains("1e400"))
                || (broken(Fault::DeepCrashNullRedirects)
                    && body.contains("\"redirect_uris\":null"))
                || (broken(Fault::DeepCrashProtoMember) && body.contains("\"__proto__\""))
                || (broken(Fault::DeepCrashByteOrderMark) && body.starts_with('\u{feff}'))
                || (broken(Fault::DeepCrashLongName)
                    && body
                        .split("\"client_name\":\"")
                        .nth(1)
                        .is_some_and(|rest| rest.find('"').unwrap_or(0) > 4096))
        }
        Place::Metadata => {
            let proto = asked.header(HeaderName::from_static("x-forwarded-proto"));
            broken(Fault::DeepCrashForwardedProto)
                && !matches!(proto.as_str(), "" | "http" | "https")
        }
        Place::Resource => {
            let credentials: Vec<&HeaderValue> = asked
                .headers
                .get_all(header::AUTHORIZATION)
                .iter()
                .collect();
            (broken(Fault::DeepCrashBearerTab)
                && credentials
                    .iter()
                    .any(|value| value.as_bytes().contains(&b'\t')))
                || (broken(Fault::DeepCrashTwoAuthorization) && credentials.len() > 1)
        }
        Place::Elsewhere => false,
    }
}

/// Answers that only the broken server gives.
fn errs(app: &App, asked: &Asked) -> Option<Response> {
    match asked.place {
        Place::Authorize => errs_at_authorize(app, asked),
        Place::Token => errs_at_token(app, asked),
        Place::Revoke => {
            let hint = asked.value("token_type_hint").unwrap_or_default();
            if app.broken(Fault::DeepPoisonPill) && asked.value("__proto__").is_some() {
                app.db().poisoned = true;
            }
            if app.broken(Fault::DeepRevokeHint)
                && !matches!(hint.as_str(), "" | "access_token" | "refresh_token")
            {
                return Some(http::secret_json(StatusCode::OK, &json!({})));
            }
            if app.broken(Fault::DeepRevokeForeign) && !hint.is_empty() {
                let mut db = app.db();
                let grant = db
                    .refresh
                    .get(&asked.value("token")?)
                    .map(|refresh| refresh.grant);
                if let Some(grant) = grant {
                    db.end_grant(grant);
                    return Some(http::secret_json(StatusCode::OK, &json!({})));
                }
            }
            None
        }
        _ => None,
    }
}

fn errs_at_authorize(app: &App, asked: &Asked) -> Option<Response> {
    let to = |uri: &str| {
        let error = [
            ("error", "invalid_request"),
            ("state", "x"),
            ("iss", app.issuer.as_str()),
        ];
        http::redirect(StatusCode::FOUND, &http::with_query(uri, &error))
    };
    if app.broken(Fault::DeepLocaleMarkup)
        && let Some(locales) = asked
            .value("ui_locales")
            .filter(|locales| locales.contains('<'))
    {
        return Some(http::page(
            StatusCode::BAD_REQUEST,
            html! { p { "No such language: " (PreEscaped(locales)) } },
        ));
    }
    if app.broken(Fault::DeepSemicolon)
        && let Some((_, uri)) = asked.query.split_once(";redirect_uri=")
    {
        let uri = uri.split(['&', ';']).next().unwrap_or_default();
        let uri = wire::form::decode_component(uri.as_bytes());
        return to(&String::from_utf8_lossy(&uri));
    }
    let uris = asked.values("redirect_uri");
    if app.broken(Fault::DeepPostedRedirect) && asked.method == Method::POST && uris.len() == 2 {
        return to(uris.last()?);
    }
    let client = asked
        .value("client_id")
        .and_then(|id| app.db().clients.get(&id).cloned())?;
    let uri = uris.first()?;
    if !redirect::allowed(app, &client, uri) {
        let details = asked.value("authorization_details");
        let malformed = details.is_some_and(|text| !matches!(serde_json::from_str(&text), Ok(Value::Array(items)) if !items.is_empty()));
        let prompt = asked.value("prompt").unwrap_or_default();
        let contradictory = prompt.split_whitespace().count() > 1
            && prompt.split_whitespace().any(|word| word == "none");
        let names = asked.pairs();
        let repeated = names.iter().enumerate().any(|(at, (name, _))| {
            !matches!(name.as_str(), "resource" | "redirect_uri" | "client_id")
                && names.iter().take(at).any(|(earlier, _)| earlier == name)
        });
        if (app.broken(Fault::DeepErrorDetails) && malformed)
            || (app.broken(Fault::DeepErrorPrompt) && contradictory)
            || (app.broken(Fault::DeepErrorRepeat) && repeated)
        {
            return to(uri);
        }
        return None;
    }
    if app.broken(Fault::DeepPostedInjection) && asked.method == Method::POST {
        let state = asked
            .value("state")
            .filter(|state| state.contains(['\r', '\n']))?;
        let mut response = to(uri)?;
        for line in state.split(['\r', '\n']) {
            if let Some((name, value)) = line.split_once(':')
                && let (Ok(name), Ok(value)) = (
                    HeaderName::from_bytes(name.as_bytes()),
                    HeaderValue::from_str(value.trim()),
                )
            {
                response.headers_mut().insert(name, value);
            }
        }
        return Some(response);
    }
    if app.broken(Fault::DeepLongNameRefused)
        && asked.pairs().iter().any(|(name, _)| name.len() > 40)
    {
        return to(uri);
    }
    None
}

fn errs_at_token(app: &App, asked: &Asked) -> Option<Response> {
    if app.db().poisoned {
        return Some(http::oauth_error(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "no",
        ));
    }
    let grant_type = asked.value("grant_type").unwrap_or_default();
    let supported = matches!(
        grant_type.as_str(),
        "" | "authorization_code" | "refresh_token" | "client_credentials"
    );
    if app.broken(Fault::DeepGrantTypeEcho) && !supported {
        return Some(http::oauth_error(
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            &format!("no grant type {grant_type}"),
        ));
    }
    if app.broken(Fault::DeepUrnError200) && grant_type.starts_with("urn:") {
        return Some(http::oauth_error(
            StatusCode::OK,
            "unsupported_grant_type",
            "not supported",
        ));
    }
    if app.broken(Fault::DeepMultipartTrace)
        && asked.header(header::CONTENT_TYPE).starts_with("multipart/")
    {
        let trace = "Traceback (most recent call last):\n  File \"/srv/app/forms.py\", line 12, in read\n    boundary = params['boundary']";
        return Some(http::secret_json(
            StatusCode::BAD_REQUEST,
            &json!({"error": "invalid_request", "detail": trace}),
        ));
    }
    None
}

const KNOWN: &[&str] = &[
    "grant_type",
    "code",
    "redirect_uri",
    "client_id",
    "client_secret",
    "code_verifier",
    "refresh_token",
    "scope",
    "resource",
    "authorization_details",
];

/// A redemption that looks, waits, and then takes.
async fn slow_path(app: &App, asked: &Asked) {
    let slow = app.broken(Fault::DeepCodeRace)
        && asked.place == Place::Token
        && asked
            .pairs()
            .iter()
            .any(|(name, _)| !KNOWN.contains(&name.as_str()));
    let Some(code) = asked.value("code").filter(|_| slow) else {
        return;
    };
    if app.db().codes.get(&code).is_none_or(|code| code.used) {
        return;
    }
    tokio::time::sleep(SLOW_PATH).await;
    if let Some(stored) = app.db().codes.get_mut(&code) {
        stored.used = false;
    }
}

/// What a success leaves behind, and how the answer looks.
async fn afterwards(app: &App, asked: &Asked, mut response: Response) -> Response {
    if asked.place != Place::Token {
        return response;
    }
    let succeeded = response.status() == StatusCode::OK;
    if succeeded && app.broken(Fault::DeepCodeKept) && asked.value("scope").is_some() {
        let code = asked.value("code").unwrap_or_default();
        if let Some(stored) = app.db().codes.get_mut(&code) {
            stored.used = false;
        }
    }
    if succeeded && app.broken(Fault::DeepRefreshKept) && asked.value("audience").is_some() {
        let token = asked.value("refresh_token").unwrap_or_default();
        if let Some(stored) = app.db().refresh.get_mut(&token) {
            stored.consumed = false;
        }
    }
    if succeeded && app.broken(Fault::DeepCacheNonce) && asked.value("nonce").is_some() {
        response.headers_mut().remove(header::CACHE_CONTROL);
    }
    if succeeded
        && app.broken(Fault::DeepExpiresText)
        && asked.value("refresh_token").is_some()
        && asked.value("scope").is_some()
    {
        return with_body(response, |body| {
            let mut value: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
            let life = value
                .get("expires_in")
                .map(Value::to_string)
                .unwrap_or_default();
            value.insert("expires_in".into(), life.into());
            Value::from(value).to_string()
        })
        .await;
    }
    if !succeeded && app.broken(Fault::DeepXmlError) && asked.header(header::ACCEPT).contains("xml")
    {
        http::set(&mut response, header::CONTENT_TYPE, "application/xml");
        return with_body(response, |_| "<error>invalid_request</error>".into()).await;
    }
    response
}

async fn with_body(response: Response, change: impl Fn(&[u8]) -> String) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, MOST).await.unwrap_or_default();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(change(&body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_what_is_open_at_once() {
        assert_eq!(depth("[[]][]"), 2);
        assert_eq!(depth(r#"[{"a":[1]}]"#), 3);
    }
}
