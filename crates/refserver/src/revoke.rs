//! Revocation (RFC 7009): a client ends its own tokens, at once.

use std::sync::Arc;

use axum::{
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde_json::json;

use crate::{
    App, Fault, client_auth,
    endpoint::fail,
    http::{self, Params},
    refresh,
    state::{Client, Db},
};

/// A token found, of either kind.
enum Found {
    Access {
        key: String,
        grant: u64,
        client: String,
    },
    Refresh {
        grant: u64,
        client: String,
    },
}

/// Answers a client that is done with a token.
pub(crate) async fn handle(app: Arc<App>, headers: HeaderMap, params: Params) -> Response {
    let (app, headers, params) = (&*app, &headers, &params);
    let client = match client_auth::authenticate(
        app,
        headers,
        params,
        app.broken(Fault::RevokeUnauthenticated),
    )
    .await
    {
        Ok(client) => client,
        Err(response) => return response,
    };
    let Some(asked) = params.get("token") else {
        return fail(
            app,
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "token is required",
        );
    };
    let mut db = app.db();
    let outcome = revoke(app, &mut db, &client, asked, params.get("token_type_hint"));
    drop(db);
    match outcome {
        Ok(()) => http::secret_json(StatusCode::OK, &json!({})),
        Err((error, what)) => fail(app, StatusCode::BAD_REQUEST, error, what),
    }
}

fn revoke(
    app: &App,
    db: &mut Db,
    client: &Client,
    asked: &str,
    hint: Option<&str>,
) -> Result<(), (&'static str, &'static str)> {
    let unknown = || {
        if app.broken(Fault::RevokeUnknown400) {
            Err(("invalid_request", "unknown token"))
        } else {
            Ok(())
        }
    };
    let hint = hint.filter(|_| app.broken(Fault::RevokeHintTrusted));
    let Some(found) = find(db, asked, hint) else {
        return unknown();
    };
    let (grant, owner) = match &found {
        Found::Access { grant, client, .. } | Found::Refresh { grant, client } => (*grant, client),
    };
    if *owner != client.id && !app.broken(Fault::RevokeAnyClient) {
        return Err(("invalid_request", "this is another client's token"));
    }
    if app.broken(Fault::RevokeNothing) {
        return Ok(());
    }
    let again = match &found {
        Found::Access { key, .. } => db.access.get(key).is_some_and(|access| access.revoked),
        Found::Refresh { .. } => !db.grant_alive(grant),
    };
    if again && app.broken(Fault::RevokeAgain400) {
        return Err(("invalid_request", "the token is revoked already"));
    }
    match found {
        Found::Access { key, .. } => {
            if let Some(access) = db
                .access
                .get_mut(&key)
                .filter(|_| !app.broken(Fault::RevokeAccessNothing))
            {
                access.revoked = true;
            }
        }
        Found::Refresh { .. } if app.broken(Fault::RevokeLeavesAccess) => {
            db.refresh
                .values_mut()
                .filter(|refresh| refresh.grant == grant)
                .for_each(|refresh| refresh.revoked = true);
        }
        Found::Refresh { .. } => db.end_grant(grant),
    }
    if app.broken(Fault::RevokeTooBroad) {
        refresh::end_siblings(db, grant);
    }
    Ok(())
}

/// Looks everywhere, whatever the hint says (RFC 7009 §2.1); `hint` is set by fault only.
fn find(db: &Db, asked: &str, hint: Option<&str>) -> Option<Found> {
    let jti = jose::Token::parse(asked)
        .ok()
        .and_then(|token| token.claim_str("jti").map(str::to_owned));
    let key = jti.as_deref().unwrap_or(asked);
    // A JWT is found by its jti, so it must be one; an opaque token by itself.
    let access = db
        .access
        .get(key)
        .filter(|access| access.jwt == jti.is_some());
    let access = access.map(|access| Found::Access {
        key: key.to_owned(),
        grant: access.grant,
        client: access.client.clone(),
    });
    let refresh = db.refresh.get(asked).map(|refresh| Found::Refresh {
        grant: refresh.grant,
        client: refresh.client.clone(),
    });
    match hint {
        Some("access_token") => access,
        Some("refresh_token") => refresh,
        _ => access.or(refresh),
    }
}
