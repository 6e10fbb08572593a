//! Grants that need nobody's approval in a browser: a client for itself (RFC 6749 §4.4) and, by fault, passwords.

use serde_json::{Map, Value};

use crate::{
    App, Fault,
    endpoint::Fail,
    http::Params,
    issue::{self, Rights, access_answer},
    rar,
    rights::{read_scopes, resources_asked},
    state::{Client, Db, Grant, now},
};

/// A grant that needs no code.
fn direct_grant(
    app: &App,
    client: &Client,
    params: &Params,
    user: Option<usize>,
) -> Result<Grant, Fail> {
    let scopes = read_scopes(
        app,
        client,
        params.get("scope").unwrap_or(app.face.default_scope),
    )
    .map_err(|_| ("invalid_scope", "scope is malformed or unknown"))?;
    let resources = resources_asked(app, params)?;
    let sub = match user.and_then(|user| app.users.get(user)) {
        Some(user) => user.sub.clone(),
        None => client.id.clone(),
    };
    let mut grant = Grant {
        client: client.id.clone(),
        user,
        sub,
        agent: None,
        limits: None,
        scopes,
        resources,
        details: Vec::new(),
        nonce: None,
        alive: true,
        expires: now() + app.face.lifetimes.refresh,
    };
    if let Some(text) = params.get("authorization_details") {
        grant.details = rar::read(app, text).map_err(|_| {
            (
                "invalid_authorization_details",
                "authorization_details is not valid",
            )
        })?;
    }
    Ok(grant)
}

/// Client credentials (RFC 6749 §4.4): no user, no refresh token.
pub(crate) fn by_client(
    app: &App,
    client: &Client,
    params: &Params,
    jkt: Option<&str>,
) -> Result<Map<String, Value>, Fail> {
    let named = ["sub", "username", "user_id", "login_hint"];
    let user = named
        .iter()
        .filter(|_| app.broken(Fault::ClientCredentialsAsUser))
        .find_map(|name| app.user_named(params.get(name)?));
    let grant = direct_grant(app, client, params, user)?;
    let mut db = app.db();
    let (id, mut body) = answer(app, &mut db, client, &grant, jkt);
    if app.broken(Fault::ClientCredentialsRefresh) {
        body.insert(
            "refresh_token".into(),
            issue::refresh(app, &mut db, id, client, grant.scopes, false, jkt).into(),
        );
    }
    Ok(body)
}

/// The password grant, which exists by fault only.
pub(crate) fn by_password(
    app: &App,
    client: &Client,
    params: &Params,
) -> Result<Map<String, Value>, Fail> {
    let name = params.get("username").unwrap_or_default();
    let Some(user) = app
        .users
        .iter()
        .position(|user| user.login_name() == name)
        .or(Some(0))
    else {
        return Err(("invalid_grant", "no such user"));
    };
    let grant = direct_grant(app, client, params, Some(user))?;
    Ok(answer(app, &mut app.db(), client, &grant, None).1)
}

/// Remembers the grant and gives its access token; the grant's number and the answer.
fn answer(
    app: &App,
    db: &mut Db,
    client: &Client,
    grant: &Grant,
    jkt: Option<&str>,
) -> (u64, Map<String, Value>) {
    let id = db.next_serial();
    db.grants.insert(id, grant.clone());
    let rights = Rights {
        scopes: grant.scopes.clone(),
        audience: grant.resources.clone(),
        details: grant.details.clone(),
        refreshed: false,
        jkt: jkt.map(str::to_owned),
    };
    (id, access_answer(app, db, id, grant, client, rights))
}
