//! The device grant (RFC 8628): a device asks for a code, a person types it elsewhere, the device polls.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use jose::{base64url_decode, random_token};
use serde_json::{Map, Value, json};

use crate::{
    App, Fault,
    authorize::Request,
    client_auth,
    endpoint::{self, Fail, Sent, read_form},
    http::{self, Params},
    interaction,
    issue::{self, Rights},
    pages,
    rights::{self, read_scopes, resources_asked},
    state::{Client, Db, now_ms},
};

/// The grant type (RFC 8628 §3.4).
pub(crate) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Consonants only: no words, nothing to mix up (RFC 8628 §6.1). 20^8 codes are 34 bits.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of a user code.
const LENGTH: usize = 8;
/// Seconds between polls, as announced.
const INTERVAL: u64 = 1;
/// What `slow_down` adds (RFC 8628 §3.5).
const SLOWER: u64 = 5;
/// Seconds a device code lives.
const LIFE: u64 = 600;
/// The same for a client with brief codes.
const BRIEF_LIFE: u64 = 2;
/// Wrong user codes after which a person is logged out (RFC 8628 §5.1): a next try costs a login.
const MOST_WRONG: u32 = 10;

/// A device that waits.
pub(crate) struct Device {
    /// What it asks for, as it is put to the person.
    request: Request,
    user_code: String,
    decision: Decision,
    /// Seconds between polls now.
    interval: u64,
    polled_ms: u64,
    /// Milliseconds since the epoch.
    pub expires_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    Open,
    /// By this grant.
    Approved(u64),
    Denied,
    Redeemed(u64),
}

/// What was posted to the device authorization endpoint (RFC 8628 §3.1).
pub(crate) fn read(app: &App, sent: &Sent<'_>) -> Result<Params, Response> {
    match Params::parse(sent.body) {
        Some(mut params) if app.broken(Fault::DeviceDuplicates) => {
            params.keep_last();
            Ok(params)
        }
        _ => read_form(app, sent),
    }
}

const KNOWN: &[&str] = &[
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "scope",
    "resource",
];

/// Answers a device that asks for a code.
pub(crate) async fn authorize(app: Arc<App>, headers: HeaderMap, params: Params) -> Response {
    let (app, headers, params) = (&*app, &headers, &params);
    let fail = |(error, what): Fail| endpoint::fail(app, StatusCode::BAD_REQUEST, error, what);
    let unknown = |(name, _): &(String, String)| !KNOWN.contains(&name.as_str());
    if app.broken(Fault::DeviceUnknownRefused) && params.pairs().iter().any(unknown) {
        return fail(("invalid_request", "unknown parameter"));
    }
    let client = if app.broken(Fault::DeviceClientUnchecked) {
        let id = params.get("client_id").unwrap_or_default();
        let known = app.db().clients.get(id).cloned();
        known.unwrap_or_else(|| Client {
            id: id.to_owned(),
            grant_types: vec![GRANT_TYPE.to_owned()],
            ..Client::default()
        })
    } else {
        match client_auth::authenticate(app, headers, params, false).await {
            Ok(client) => client,
            Err(response) => return response,
        }
    };
    if !client.may(GRANT_TYPE) {
        return fail((
            "unauthorized_client",
            "the client is not registered for this grant type",
        ));
    }
    match open(app, client, params) {
        Ok(body) => http::secret_json(StatusCode::OK, &body),
        Err(error) => fail(error),
    }
}

/// A new request of a device, and the answer to it (RFC 8628 §3.2).
#[expect(clippy::indexing_slicing, reason = "a JSON object takes any member")]
fn open(app: &App, client: Client, params: &Params) -> Result<Value, Fail> {
    let scope = params.get("scope").unwrap_or(app.face.default_scope);
    let scopes = read_scopes(app, &client, scope)
        .map_err(|_| ("invalid_scope", "scope is malformed or unknown"))?;
    let resources = resources_asked(app, params)?;
    let life = if client.brief { BRIEF_LIFE } else { LIFE };
    let mut db = app.db();
    db.prune();
    let device_code = if app.broken(Fault::DeviceCodeShort) {
        random_token(4)
    } else {
        issue::secret(app.face.prefixes.code)
    };
    let user_code = if app.broken(Fault::DeviceUserCodeCounts) {
        counted(db.next_serial())
    } else {
        random_user_code()
    };
    let request = Request {
        client,
        scopes,
        resources,
        device: Some(device_code.clone()),
        ..Request::default()
    };
    let device = Device {
        request,
        user_code: user_code.clone(),
        decision: Decision::Open,
        interval: INTERVAL,
        polled_ms: 0,
        expires_ms: now_ms() + life * 1000,
    };
    db.devices.insert(device_code.clone(), device);
    drop(db);
    let page = app.url(app.face.device.map_or("/device", |device| device.page));
    let mut body = json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": life,
        "interval": INTERVAL,
    });
    if app.broken(Fault::DeviceIntervalText) {
        body["expires_in"] = life.to_string().into();
        body["interval"] = INTERVAL.to_string().into();
    }
    if app.broken(Fault::DeviceUriMissing)
        && let Some(members) = body.as_object_mut()
        && let Some(uri) = members.remove("verification_uri")
    {
        members.insert("verification_url".into(), uri);
    }
    Ok(body)
}

/// `BCDF-GHJK`.
fn spell(letters: &[u8]) -> String {
    let text: String = letters.iter().map(|letter| char::from(*letter)).collect();
    match text.split_at_checked(LENGTH / 2) {
        Some((left, right)) => format!("{left}-{right}"),
        None => text,
    }
}

fn random_user_code() -> String {
    let mut letters = Vec::new();
    while letters.len() < LENGTH {
        let bytes = base64url_decode(&random_token(32)).unwrap_or_default();
        // Bytes above the last multiple of twenty would make some letters likelier.
        let fair = bytes.iter().filter(|byte| **byte < 240);
        letters.extend(fair.filter_map(|byte| LETTERS.get(usize::from(byte % 20))));
    }
    letters.truncate(LENGTH);
    spell(&letters)
}

/// User codes that count up, by fault.
fn counted(mut number: u64) -> String {
    let mut letters = [LETTERS[0]; LENGTH];
    for letter in letters.iter_mut().rev() {
        let digit = usize::try_from(number % 20).unwrap_or_default();
        *letter = LETTERS.get(digit).copied().unwrap_or(LETTERS[0]);
        number /= 20;
    }
    spell(&letters)
}

/// A user code as it is compared: case and punctuation do not count (RFC 8628 §6.1).
fn plain(app: &App, code: &str) -> String {
    if app.broken(Fault::DeviceUserCodeExact) {
        return code.to_owned();
    }
    let letters = code.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_uppercase()).collect()
}

/// The verification page (RFC 8628 §3.3): whoever is not logged in logs in first.
pub(crate) async fn page(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let session = interaction::session(&app, &headers);
    let Some((id, session)) = session.filter(|(_, session)| session.user.is_some()) else {
        let request = Request {
            device: Some(String::new()),
            ..Request::default()
        };
        return interaction::begin(&app, &headers, request, None, None, StatusCode::SEE_OTHER);
    };
    let params = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let mut csrf = session.csrf;
    if csrf.is_empty() {
        csrf = random_token(24);
        if let Some(stored) = app.db().sessions.get_mut(&id) {
            stored.csrf.clone_from(&csrf);
        }
    }
    let code = params.get("user_code").unwrap_or_default();
    pages::user_code(&app, action(&app), &csrf, code, false)
}

fn action(app: &App) -> &'static str {
    app.face.device.map_or("", |device| device.page)
}

/// A user code was typed.
pub(crate) async fn entered(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = Params::parse(&body).filter(|params| {
        http::is_form(&headers) && params.repeated().is_none() && params.sent("user_code")
    });
    let session = interaction::session(&app, &headers);
    let own = |csrf: &str| {
        let sent = params.as_ref().and_then(|params| params.get("csrf"));
        !csrf.is_empty() && sent == Some(csrf)
    };
    let Some((id, session)) = session.filter(|(_, session)| own(&session.csrf)) else {
        return pages::refusal(
            &app,
            StatusCode::FORBIDDEN,
            "This form was not sent from its own page.",
        );
    };
    let code = params.as_ref().and_then(|params| params.get("user_code"));
    let code = code.unwrap_or_default();
    let request = waiting(&app, &app.db(), code);
    let Some(request) = request else {
        return wrong(&app, &id, &session.csrf, code);
    };
    interaction::begin(
        &app,
        &headers,
        request,
        session.user,
        Some(id),
        StatusCode::SEE_OTHER,
    )
}

/// What the device with this user code asks for.
fn waiting(app: &App, db: &Db, code: &str) -> Option<Request> {
    let typed = plain(app, code);
    let now = now_ms();
    let open = |device: &&Device| {
        plain(app, &device.user_code) == typed
            && device.expires_ms > now
            && (device.decision == Decision::Open || app.broken(Fault::DeviceUserCodeReusable))
    };
    db.devices
        .values()
        .find(open)
        .map(|device| device.request.clone())
}

/// A code nobody waits with; too many of them end the session.
fn wrong(app: &App, id: &str, csrf: &str, code: &str) -> Response {
    let mut db = app.db();
    let tries = db.sessions.get_mut(id).map_or(MOST_WRONG, |session| {
        session.wrong_codes += 1;
        session.wrong_codes
    });
    if tries < MOST_WRONG || app.broken(Fault::DeviceGuessing) {
        drop(db);
        return pages::user_code(app, action(app), csrf, code, true);
    }
    db.sessions.remove(id);
    drop(db);
    pages::refusal(
        app,
        StatusCode::FORBIDDEN,
        "Too many wrong codes. Look at your device, and log in again.",
    )
}

/// The person has decided: `user` approves, `None` denies.
pub(crate) fn decided(app: &App, request: &Request, user: Option<usize>) -> Response {
    let code = request.device.as_deref().unwrap_or_default();
    let user = user.or(Some(0).filter(|_| app.broken(Fault::DeviceDenialApproves)));
    let mut db = app.db();
    let open = db.devices.get(code).is_some_and(|device| {
        device.expires_ms > now_ms()
            && (device.decision == Decision::Open || app.broken(Fault::DeviceUserCodeReusable))
    });
    if !open {
        drop(db);
        return pages::refusal(app, StatusCode::BAD_REQUEST, "The device waits no longer.");
    }
    let decision = match user {
        Some(user) => Decision::Approved(issue::open_grant(app, &mut db, request, user)),
        None if app.broken(Fault::DeviceDenialForgotten) => Decision::Open,
        None => Decision::Denied,
    };
    if let Some(device) = db.devices.get_mut(code) {
        device.decision = decision;
    }
    drop(db);
    pages::device_decided(app, user.is_some())
}

/// A poll at the token endpoint (RFC 8628 §3.4, §3.5).
pub(crate) fn by_device_code(
    app: &App,
    client: &Client,
    params: &Params,
    jkt: Option<&str>,
) -> Result<Map<String, Value>, Fail> {
    let Some(asked) = params.get("device_code") else {
        return Err(("invalid_request", "device_code is required"));
    };
    let unknown = (
        "invalid_grant",
        "the device code is unknown, used or another client's",
    );
    let mut db = app.db();
    let device = db.devices.get_mut(asked).ok_or(unknown)?;
    if device.request.client.id != client.id && !app.broken(Fault::DeviceAnyClient) {
        return Err(unknown);
    }
    if device.expires_ms <= now_ms() && !app.broken(Fault::DeviceNeverExpires) {
        return Err(("expired_token", "the device code has expired"));
    }
    let id = match device.decision {
        Decision::Approved(id) => id,
        Decision::Redeemed(id) if app.broken(Fault::DeviceReusable) => id,
        Decision::Redeemed(_) => return Err(unknown),
        Decision::Denied => return Err(("access_denied", "the user said no")),
        Decision::Open if app.broken(Fault::DeviceUnapproved) => {
            let request = device.request.clone();
            issue::open_grant(app, &mut db, &request, 0)
        }
        Decision::Open => {
            let early = device.polled_ms + device.interval * 1000 > now_ms();
            device.polled_ms = now_ms();
            if early && app.broken(Fault::DevicePollingFatal) {
                device.decision = Decision::Denied;
                return Err(unknown);
            }
            if early {
                device.interval += SLOWER;
                return Err(("slow_down", "polled before the interval was over"));
            }
            return Err(("authorization_pending", "nobody has decided yet"));
        }
    };
    if let Some(device) = db.devices.get_mut(asked) {
        device.decision = Decision::Redeemed(id);
    }
    let alive = db.grants.get(&id).filter(|grant| grant.alive).cloned();
    let grant = alive.ok_or(unknown)?;
    let rights = Rights {
        scopes: grant.scopes.clone(),
        audience: rights::audience(app, params, &grant, false)?,
        details: Vec::new(),
        refreshed: false,
        jkt: jkt.map(str::to_owned),
    };
    Ok(issue::first_answer(
        app, &mut db, id, &grant, client, rights,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_code_can_be_read_aloud() {
        for code in [random_user_code(), counted(1), counted(u64::MAX)] {
            assert_eq!(code.len(), LENGTH + 1, "{code}");
            let (left, right) = code.split_once('-').expect("one dash in the middle");
            for letter in left.bytes().chain(right.bytes()) {
                assert!(LETTERS.contains(&letter), "{code}");
            }
        }
        assert_ne!(counted(1), counted(2));
        assert_ne!(random_user_code(), random_user_code());
    }
}
