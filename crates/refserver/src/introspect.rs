//! Introspection (RFC 7662): what a token is worth, told to the resource servers only.

use std::sync::Arc;

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};

use crate::{
    App, Fault, client_auth,
    endpoint::fail,
    http::{self, Params},
    state::now,
};

/// Answers a resource server.
pub(crate) async fn handle(app: Arc<App>, headers: HeaderMap, params: Params) -> Response {
    let (app, headers, params) = (&*app, &headers, &params);
    let allowed = match client_auth::authenticate(app, headers, params, false).await {
        Ok(client) => {
            client.introspects || (app.broken(Fault::IntrospectPublic) && client.is_public())
        }
        Err(_) => false,
    };
    if !allowed && !app.broken(Fault::IntrospectOpen) {
        let mut response = fail(
            app,
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "introspection needs the credentials of a resource server",
        );
        http::set(
            &mut response,
            header::WWW_AUTHENTICATE,
            "Basic realm=\"introspection\", charset=\"UTF-8\"",
        );
        return response;
    }
    let Some(asked) = params.get("token") else {
        return fail(
            app,
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "token is required",
        );
    };
    http::secret_json(StatusCode::OK, &describe(app, asked))
}

fn describe(app: &App, asked: &str) -> Value {
    let active = || {
        if app.broken(Fault::IntrospectText) {
            json!("true")
        } else {
            json!(true)
        }
    };
    let db = app.db();
    let parsed = jose::Token::parse(asked).ok();
    // A JWT counts when it is the very one that was issued: its signature, not just its jti.
    let jti = parsed
        .as_ref()
        .filter(|token| {
            token.verify(&app.jwks, &[jose::Alg::ES256]).is_ok()
                || crate::issue::weak_secret(app).is_some()
        })
        .and_then(|token| token.claim_str("jti"));
    if let Some(access) = db
        .access
        .get(jti.unwrap_or(asked))
        .filter(|access| access.jwt == jti.is_some())
    {
        let alive = (!access.revoked && db.grant_alive(access.grant))
            || app.broken(Fault::IntrospectRevokedActive);
        if !alive || access.expires <= now() {
            return inactive(app, &access.sub);
        }
        let mut body = json!({
            "active": active(),
            "scope": access.scopes.join(" "),
            "client_id": access.client,
            "sub": access.sub,
            "aud": access.audience,
            "iss": app.issuer,
            "iat": access.issued,
            "exp": access.expires,
            "token_type": if access.jkt.is_some() { "DPoP" } else { "Bearer" },
        });
        if let (Some(jkt), Some(members)) = (&access.jkt, body.as_object_mut()) {
            members.insert("cnf".into(), json!({"jkt": jkt}));
        }
        if let Some(members) = body
            .as_object_mut()
            .filter(|_| !access.details.is_empty() && !app.broken(Fault::RarHidden))
        {
            members.insert(
                "authorization_details".into(),
                access.details.clone().into(),
            );
        }
        return body;
    }
    if let Some(refresh) = db.refresh.get(asked) {
        let alive = (!refresh.revoked && !refresh.consumed && db.grant_alive(refresh.grant))
            || app.broken(Fault::IntrospectRevokedActive);
        let sub = db
            .grants
            .get(&refresh.grant)
            .map_or("", |grant| grant.sub.as_str());
        if !alive || refresh.expires <= now() {
            return inactive(app, sub);
        }
        return json!({"active": active(), "scope": refresh.scopes.join(" "), "client_id": refresh.client, "sub": sub, "iss": app.issuer, "exp": refresh.expires});
    }
    inactive(app, "")
}

/// Nothing but the fact (RFC 7662 §2.2).
fn inactive(app: &App, sub: &str) -> Value {
    if app.broken(Fault::IntrospectTalkative) {
        json!({"active": false, "sub": sub, "reason": "unknown or revoked"})
    } else {
        json!({"active": false})
    }
}
