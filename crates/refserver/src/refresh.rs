//! Refreshing (RFC 6749 §6): every use rotates, a replay ends the grant (RFC 9700 §4.14.2).

use serde_json::{Map, Value};

use crate::{
    App, Fault,
    code::{RACE_WINDOW, Step},
    endpoint::Fail,
    http::Params,
    issue::{self, Rights, access_answer},
    rights::{audience, details, read_scopes},
    state::{Client, Db, Refresh, now},
};

/// New tokens for a refresh token.
pub(crate) async fn by_refresh(
    app: &App,
    client: &Client,
    params: &Params,
    jkt: Option<&str>,
) -> Result<Map<String, Value>, Fail> {
    if app.broken(Fault::RefreshRace) {
        rotate(app, client, params, jkt, Step::Look)?;
        tokio::time::sleep(RACE_WINDOW).await;
        return rotate(app, client, params, jkt, Step::Take);
    }
    rotate(app, client, params, jkt, Step::Both)
}

fn rotate(
    app: &App,
    client: &Client,
    params: &Params,
    jkt: Option<&str>,
    step: Step,
) -> Result<Map<String, Value>, Fail> {
    let Some(asked) = params.get("refresh_token") else {
        return Err(("invalid_request", "refresh_token is required"));
    };
    let mut db = app.db();
    let unknown = (
        "invalid_grant",
        "the refresh token is unknown, used, revoked, expired or another client's",
    );
    let (key, refresh) = find_refresh(app, &db, asked).ok_or(unknown)?;
    if (refresh.client != client.id && !app.broken(Fault::RefreshAnyClient))
        || refresh.revoked
        || refresh.expires <= now()
    {
        return Err(unknown);
    }
    if let Some(bound) = &refresh.jkt
        && jkt != Some(bound.as_str())
        && !app.broken(Fault::DpopRefreshUnbound)
    {
        return Err((
            "invalid_dpop_proof",
            "the refresh token is bound to another key",
        ));
    }
    let reusable = app.broken(Fault::RefreshOldWorks) || app.broken(Fault::RefreshNoRotation);
    if refresh.consumed && step != Step::Take && !reusable {
        // Somebody has a token that is not theirs; nobody can say who (RFC 9700 §4.14.2).
        end_after_refresh_replay(app, &mut db, refresh.grant);
        return Err(unknown);
    }
    let grant = db
        .grants
        .get(&refresh.grant)
        .filter(|grant| grant.alive)
        .cloned()
        .ok_or(unknown)?;
    let audience = audience(
        app,
        params,
        &grant,
        app.broken(Fault::ResourceRefreshSwitch),
    )?;
    let details = details(app, params, &grant, app.broken(Fault::RarRefreshWidens))?;
    let scopes = match params
        .get("scope")
        .filter(|_| !app.broken(Fault::RefreshNarrowIgnored))
    {
        None => refresh.scopes.clone(),
        Some(text) => {
            let asked = read_scopes(app, client, text)
                .map_err(|_| ("invalid_scope", "scope is malformed or unknown"))?;
            if asked.iter().any(|scope| !refresh.scopes.contains(scope))
                && !app.broken(Fault::RefreshWidens)
            {
                return Err(("invalid_scope", "scope exceeds what was granted"));
            }
            asked
        }
    };
    if step == Step::Look {
        return Ok(Map::new());
    }
    let next_scopes = if app.broken(Fault::RefreshNarrowSticks) {
        scopes.clone()
    } else {
        refresh.scopes.clone()
    };
    let mut body = access_answer(
        app,
        &mut db,
        refresh.grant,
        &grant,
        client,
        Rights {
            scopes,
            audience,
            details,
            refreshed: true,
            jkt: jkt.map(str::to_owned),
        },
    );
    let next = if app.broken(Fault::RefreshNoRotation) {
        asked.to_owned()
    } else {
        if let Some(stored) = db.refresh.get_mut(&key) {
            stored.consumed = true;
        }
        issue::refresh(app, &mut db, refresh.grant, client, next_scopes, true, jkt)
    };
    body.insert("refresh_token".into(), next.into());
    Ok(body)
}

fn find_refresh(app: &App, db: &Db, asked: &str) -> Option<(String, Refresh)> {
    if let Some(refresh) = db.refresh.get(asked) {
        return Some((asked.to_owned(), refresh.clone()));
    }
    if app.broken(Fault::RefreshPrefix) && asked.len() >= 8 {
        let near = |(known, _): &(&String, &Refresh)| {
            known.starts_with(asked) || asked.starts_with(known.as_str())
        };
        return db
            .refresh
            .iter()
            .filter(|(_, refresh)| !refresh.consumed)
            .find(near)
            .map(|(key, refresh)| (key.clone(), refresh.clone()));
    }
    if app.broken(Fault::RefreshByAccess) {
        let jti = jose::Token::parse(asked)
            .ok()
            .and_then(|token| token.claim_str("jti").map(str::to_owned));
        let access = db.access.get(jti.as_deref().unwrap_or(asked))?;
        let (grant, client, scopes) = (access.grant, access.client.clone(), access.scopes.clone());
        let refresh = Refresh {
            grant,
            client,
            scopes,
            jkt: None,
            consumed: false,
            revoked: false,
            refreshed: false,
            expires: access.expires,
        };
        return Some((asked.to_owned(), refresh));
    }
    None
}

fn end_after_refresh_replay(app: &App, db: &mut Db, grant: u64) {
    if app.broken(Fault::RefreshReplayHarmless) {
        return;
    }
    let refuse = |refresh: &mut Refresh| refresh.revoked = true;
    if app.broken(Fault::RefreshReplayKillsParent) {
        db.refresh
            .values_mut()
            .filter(|refresh| refresh.grant == grant && refresh.consumed)
            .for_each(refuse);
    } else if app.broken(Fault::RefreshReplayLeavesAccess) {
        db.refresh
            .values_mut()
            .filter(|refresh| refresh.grant == grant)
            .for_each(refuse);
    } else {
        db.end_grant(grant);
        if app.broken(Fault::RefreshReplayTooBroad) {
            end_siblings(db, grant);
        }
    }
}

/// Ends every grant the same user has given to the same client.
pub(crate) fn end_siblings(db: &mut Db, grant: u64) {
    let Some((client, user)) = db
        .grants
        .get(&grant)
        .map(|grant| (grant.client.clone(), grant.user))
    else {
        return;
    };
    for sibling in db
        .grants
        .values_mut()
        .filter(|other| other.client == client && other.user == user)
    {
        sibling.alive = false;
    }
}
