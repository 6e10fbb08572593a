//! Redeeming a code (RFC 6749 §4.1.3): once, by its own client, with its verifier.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    AgnicFault, App, Fault,
    endpoint::Fail,
    http::Params,
    issue::{self, Rights},
    pkce,
    rights::{audience, details},
    state::{Client, Code, Db, now_ms},
};

/// How long a fault looks away between checking and marking.
pub(crate) const RACE_WINDOW: Duration = Duration::from_millis(50);

/// The tokens for a code.
pub(crate) async fn by_code(
    app: &App,
    client: &Client,
    params: &Params,
    jkt: Option<&str>,
) -> Result<Map<String, Value>, Fail> {
    if app.broken(Fault::CodeRace) || app.broken(Fault::CodeRaceForks) {
        redeem(app, client, params, jkt, Step::Look)?;
        tokio::time::sleep(RACE_WINDOW).await;
        return redeem(app, client, params, jkt, Step::Take);
    }
    redeem(app, client, params, jkt, Step::Both)
}

/// On a correct server looking and taking are one step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Both,
    Look,
    Take,
}

/// Everything a valid redemption must show besides the code itself.
fn proof(app: &App, db: &Db, code: &Code, params: &Params) -> Result<(), Fail> {
    if params.get("redirect_uri").is_none()
        && app.face.rules.parameters_required
        && !app.broken(AgnicFault::TokenRedirectUriOptional)
    {
        return Err(("invalid_request", "redirect_uri is required"));
    }
    if let Some(uri) = params.get("redirect_uri")
        && uri != code.redirect_uri
        && !app.broken(Fault::TokenRedirectUnchecked)
    {
        return Err((
            "invalid_grant",
            "redirect_uri is not the one of the authorization request",
        ));
    }
    pkce::check(app, code, params, db.codes.values())
}

fn redeem(
    app: &App,
    client: &Client,
    params: &Params,
    jkt: Option<&str>,
    step: Step,
) -> Result<Map<String, Value>, Fail> {
    let Some(asked) = params.get("code") else {
        return Err(("invalid_request", "code is required"));
    };
    let mut db = app.db();
    let unknown = (
        "invalid_grant",
        "the code is unknown, used, expired or another client's",
    );
    let key = match () {
        () if db.codes.contains_key(asked) => asked.to_owned(),
        () if app.broken(Fault::CodePrefix) => {
            let near = |known: &&String| {
                asked.len() >= 8 && (known.starts_with(asked) || asked.starts_with(known.as_str()))
            };
            db.codes.keys().find(near).cloned().ok_or(unknown)?
        }
        () => return Err(unknown),
    };
    let code = db.codes.get(&key).cloned().ok_or(unknown)?;
    if code.client != client.id && !app.broken(Fault::CodeAnyClient) {
        return Err(unknown);
    }
    let proof = proof(app, &db, &code, params);
    if code.used && step != Step::Take && !app.broken(Fault::CodeReusable) {
        // Only a replay that would have been valid says that the code leaked together with its verifier (OAuth 2.1 §7.5.3).
        if (proof.is_ok() || app.broken(Fault::CodeReplayFragile))
            && !app.broken(Fault::CodeReplayHarmless)
        {
            end_after_replay(app, &mut db, code.grant);
        }
        return Err(unknown);
    }
    if code.expires_ms <= now_ms() && !app.broken(Fault::CodeNeverExpires) {
        return Err(unknown);
    }
    proof?;
    if code.jkt.is_some() && code.jkt.as_deref() != jkt {
        return Err(("invalid_dpop_proof", "the code is bound to another key"));
    }
    let grant = db
        .grants
        .get(&code.grant)
        .filter(|grant| grant.alive)
        .cloned()
        .ok_or(unknown)?;
    let audience = audience(app, params, &grant, app.broken(Fault::ResourceTokenSwitch))?;
    let details = details(app, params, &grant, app.broken(Fault::RarTokenWidens))?;
    if step == Step::Look {
        return Ok(Map::new());
    }
    if let Some(stored) = db.codes.get_mut(&key) {
        stored.used = true;
    }
    if app.broken(Fault::ResourceNarrowSticks)
        && let Some(stored) = db.grants.get_mut(&code.grant)
    {
        stored.resources = audience.clone();
    }
    let rights = Rights {
        scopes: grant.scopes.clone(),
        audience,
        details,
        refreshed: false,
        jkt: jkt.map(str::to_owned),
    };
    let id = if code.used && app.broken(Fault::CodeRaceForks) {
        let id = db.next_serial();
        db.grants.insert(id, grant.clone());
        id
    } else {
        code.grant
    };
    Ok(issue::first_answer(
        app, &mut db, id, &grant, client, rights,
    ))
}

/// A code was replayed: what came out of it ends.
fn end_after_replay(app: &App, db: &mut Db, grant: u64) {
    if !app.broken(Fault::CodeReplayLeavesChain) {
        return db.end_grant(grant);
    }
    for access in db
        .access
        .values_mut()
        .filter(|access| access.grant == grant && !access.refreshed)
    {
        access.revoked = true;
    }
    for refresh in db
        .refresh
        .values_mut()
        .filter(|refresh| refresh.grant == grant && !refresh.refreshed)
    {
        refresh.revoked = true;
    }
}
