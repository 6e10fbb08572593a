//! The resource servers: a few guarded routes, and refusals as RFC 6750 §3 wants them.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, Method, StatusCode, header},
    response::Response,
};
use serde_json::json;

use crate::{
    AgnicFault, App, Fault, HightopFault, approval,
    bearer::{self, Bearer},
    dpop,
    face::{ResourceData, Route},
    http::{self, Params},
    mcp, rar,
};

/// A bearer token above this many bytes is refused unread.
const MAX_TOKEN: usize = 16 * 1024;

/// Answers a request for a path of `resource`.
pub(crate) async fn serve(
    app: Arc<App>,
    resource: &'static ResourceData,
    path: &'static str,
    request: Request<Body>,
) -> Response {
    if resource.name == mcp::NAME {
        return mcp::serve(&app, resource, request).await;
    }
    let method = if request.method() == Method::HEAD {
        Method::GET
    } else {
        request.method().clone()
    };
    let routes: Vec<&Route> = resource
        .routes
        .iter()
        .filter(|route| route.path == path)
        .collect();
    let Some(route) = routes.iter().find(|route| method == route.method) else {
        if let Some(route) = routes
            .first()
            .filter(|_| app.broken(Fault::RsOtherMethod) && request.method() == Method::PUT)
        {
            return data(route, "anybody");
        }
        let mut response = http::empty(StatusCode::METHOD_NOT_ALLOWED);
        http::set(
            &mut response,
            header::ALLOW,
            &routes
                .iter()
                .map(|route| route.method)
                .collect::<Vec<_>>()
                .join(", "),
        );
        return response;
    };
    let open = (app.broken(Fault::RsSlash) && request.uri().path().ends_with('/'))
        || (app.broken(Fault::RsOverride)
            && request
                .headers()
                .get("x-http-method-override")
                .is_some_and(|value| value == "OPTIONS"));
    if open {
        return data(route, "anybody");
    }
    if request.uri().path() != path {
        return http::empty(StatusCode::NOT_FOUND);
    }
    guarded(
        &app,
        resource,
        route,
        request.method().as_str(),
        request.headers(),
        request.uri().query().unwrap_or_default(),
    )
    .await
}

/// What the route protects.
fn data(route: &Route, sub: &str) -> Response {
    let status = if route.method == "POST" {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let mut response = http::json_response(
        status,
        &json!({"resource": route.name, "sub": sub, "items": ["protected item 1", "protected item 2"]}),
    );
    http::set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

/// A refusal with its challenge.
pub(crate) struct Challenge<'a> {
    pub app: &'a App,
    pub resource: &'a ResourceData,
}

impl Challenge<'_> {
    /// 401 or 403 with what the client needs to go on.
    pub fn refuse(&self, status: StatusCode, error: Option<&str>, scope: Option<&str>) -> Response {
        let mut response = match error {
            Some(error) => http::json_response(status, &json!({"error": error})),
            None => http::json_response(
                status,
                &json!({"error_description": "an access token is needed"}),
            ),
        };
        http::set(&mut response, header::CACHE_CONTROL, "no-store");
        let described = match self.app.face.resources {
            [first, second, ..] if self.app.broken(Fault::PrmChallengeOther) => {
                if self.resource.name == first.name {
                    second
                } else {
                    first
                }
            }
            _ => self.resource,
        };
        let path = crate::metadata::resource_path(described);
        let relative = self.app.broken(Fault::PrmChallengeRelative);
        let metadata = if relative { path } else { self.app.url(&path) };
        let mut value = format!(
            "Bearer realm=\"{}\", resource_metadata=\"{metadata}\"",
            self.resource.name
        );
        if self.app.broken(Fault::RsChallengeSyntax) {
            value = format!(
                "Bearer realm={}, resource_metadata={metadata}",
                self.resource.name
            );
        }
        if !self.app.face.rules.resource_indicators {
            value = format!("Bearer realm=\"{}\"", self.app.face.name);
        }
        if let Some(error) = error {
            value.push_str(&format!(", error=\"{error}\""));
        }
        if let Some(scope) = scope {
            value.push_str(&format!(", scope=\"{scope}\""));
        }
        let silent = match status {
            StatusCode::FORBIDDEN => self.app.broken(Fault::RsScopeNoChallenge),
            _ => self.app.broken(Fault::RsNoChallenge),
        };
        if !silent {
            http::set(&mut response, header::WWW_AUTHENTICATE, &value);
        }
        response
    }

    /// A refusal to somebody who showed, or should have shown, a key (RFC 9449 §7.1, §9).
    fn refuse_dpop(&self, error: &str) -> Response {
        let body = json!({"error": error});
        let mut response = http::json_response(StatusCode::UNAUTHORIZED, &body);
        http::set(&mut response, header::CACHE_CONTROL, "no-store");
        let algs: Vec<&str> = dpop::ALGS.iter().map(|alg| alg.name()).collect();
        let value = format!("DPoP algs=\"{}\", error=\"{error}\"", algs.join(" "));
        http::set(&mut response, header::WWW_AUTHENTICATE, &value);
        if error == "use_dpop_nonce" {
            let nonce = dpop::nonce(self.app, "rs", 0);
            let name = HeaderName::from_static(dpop::NONCE_HEADER);
            http::set(&mut response, name, &nonce);
        }
        response
    }
}

async fn guarded(
    app: &App,
    resource: &ResourceData,
    route: &Route,
    method: &str,
    headers: &HeaderMap,
    query: &str,
) -> Response {
    let challenge = Challenge { app, resource };
    let own_header = match route.name {
        "transactions" => app.broken(AgnicFault::TransactionsOwnHeader),
        "write" => app.broken(AgnicFault::GatewayOwnHeader),
        _ => false,
    };
    if own_header && !headers.contains_key("x-agnic-token") {
        return challenge.refuse(StatusCode::UNAUTHORIZED, None, None);
    }
    let invalid = || challenge.refuse(StatusCode::UNAUTHORIZED, Some("invalid_token"), None);
    let shown = http::single(headers, header::AUTHORIZATION).ok().flatten();
    if let Some(token) = shown.and_then(http::dpop).filter(|_| app.face.dpop) {
        let request = dpop::Request {
            method,
            url: &app.url(route.path),
            token: Some(token),
            server: "rs",
        };
        let key = match dpop::check(app, headers, &request) {
            Ok(key) => key,
            Err(dpop::Problem::Nonce) => return challenge.refuse_dpop("use_dpop_nonce"),
            Err(dpop::Problem::Invalid(_)) => return challenge.refuse_dpop("invalid_dpop_proof"),
        };
        if key.is_none() && !app.broken(Fault::DpopProofMissing) {
            return challenge.refuse_dpop("invalid_dpop_proof");
        }
        let id = app.url(resource.path);
        let bearer = bearer::judge(app, resource.name, &id, token).await;
        let own = bearer.as_ref().and_then(|bearer| bearer.jkt.as_deref());
        let fits = own.is_some() && (own == key.as_deref() || key.is_none());
        return match bearer {
            Some(bearer) if fits || app.broken(Fault::DpopAnyKey) => {
                allowed(app, &challenge, route, &bearer)
            }
            _ => challenge.refuse_dpop("invalid_token"),
        };
    }
    let token = match http::single(headers, header::AUTHORIZATION) {
        Ok(value) => value
            .and_then(|value| token_of(app, value))
            .map(str::to_owned),
        Err(()) if app.broken(Fault::RsTwoMethods) => headers
            .get_all(header::AUTHORIZATION)
            .iter()
            .next_back()
            .and_then(|value| token_of(app, value.to_str().ok()?))
            .map(str::to_owned),
        Err(()) => return challenge.refuse(StatusCode::BAD_REQUEST, Some("invalid_request"), None),
    };
    let token = token.or_else(|| {
        let params = Params::parse(query.as_bytes()).filter(|_| app.broken(Fault::RsQueryToken))?;
        params.get("access_token").map(str::to_owned)
    });
    let Some(token) = token else {
        let error = app
            .broken(Fault::RsErrorWithoutToken)
            .then_some("invalid_token");
        return challenge.refuse(StatusCode::UNAUTHORIZED, error, None);
    };
    if token.len() > 4096 && app.broken(Fault::RsTokenSize500) {
        return http::json_response(
            StatusCode::INTERNAL_SERVER_ERROR,
            &json!({"error": "internal"}),
        );
    }
    if app.broken(Fault::RsJwt500) && token.contains('.') && jose::Token::parse(&token).is_err() {
        let body = json!({"error": "internal"});
        return http::json_response(StatusCode::INTERNAL_SERVER_ERROR, &body);
    }
    let readable =
        token.len() <= MAX_TOKEN && (!token.is_empty() || app.broken(Fault::RsEmptyToken));
    let bearer = if readable {
        bearer::judge(app, resource.name, &app.url(resource.path), &token).await
    } else {
        None
    };
    // A token that is bound to a key is none without it (RFC 9449 §7.2).
    let bound = |bearer: &Bearer| bearer.jkt.is_some() && !app.broken(Fault::DpopBearer);
    match bearer.filter(|bearer| !bound(bearer)) {
        Some(bearer) => allowed(app, &challenge, route, &bearer),
        None => invalid(),
    }
}

/// What a valid token opens here.
fn allowed(app: &App, challenge: &Challenge<'_>, route: &Route, bearer: &Bearer) -> Response {
    let needed = match route.name {
        "a" if app.broken(HightopFault::SelfNeedsMore) => "agent:payments:write",
        _ => route.scope,
    };
    let scoped = bearer
        .scopes
        .iter()
        .any(|scope| satisfies(app, scope, needed))
        || needed.is_empty()
        || app.broken(Fault::RsScope);
    if !scoped {
        if app.broken(Fault::RsScope401) {
            return challenge.refuse(StatusCode::UNAUTHORIZED, Some("invalid_token"), None);
        }
        let scope = Some(needed).filter(|_| !app.broken(Fault::RsScopeUnnamed));
        let mut response =
            challenge.refuse(StatusCode::FORBIDDEN, Some("insufficient_scope"), scope);
        if app.broken(Fault::RsLeak) {
            let leaked = data(route, &bearer.sub);
            *response.body_mut() = leaked.into_body();
        }
        return response;
    }
    if let Some((kind, action)) = route.detail
        && !rar::allows(app, &bearer.details, kind, action)
    {
        // No registered error says "insufficient authorization details"; insufficient_scope is the one clients understand.
        return challenge.refuse(
            StatusCode::FORBIDDEN,
            Some("insufficient_scope"),
            Some(route.scope).filter(|scope| !scope.is_empty()),
        );
    }
    if bearer.barred.contains(&route.scope) {
        // The token is in order; it is the agent that may not.
        let mut response = http::json_response(
            StatusCode::FORBIDDEN,
            &json!({"message": "The selected agent is not allowed to do this."}),
        );
        http::set(&mut response, header::CACHE_CONTROL, "no-store");
        return response;
    }
    if route.scope == "payments:sign" && !approval::pay(app, bearer.grant) {
        let mut response = http::json_response(
            StatusCode::PAYMENT_REQUIRED,
            &json!({"message": "The payment is above the limits of this grant."}),
        );
        http::set(&mut response, header::CACHE_CONTROL, "no-store");
        return response;
    }
    data(route, &bearer.sub)
}

/// The token of an Authorization header; `None` when the scheme is another one.
fn token_of<'h>(app: &App, value: &'h str) -> Option<&'h str> {
    if app.broken(Fault::RsSchemeCase) {
        return value.strip_prefix("Bearer ");
    }
    // `Bearer` alone is an attempt with an empty token, not the absence of one.
    if value.trim().eq_ignore_ascii_case("bearer") {
        Some("")
    } else {
        http::bearer(value)
    }
}

/// Whether a scope of a token is the one a route needs.
fn satisfies(app: &App, own: &str, needed: &str) -> bool {
    own == needed
        || (app.broken(Fault::ScopePrefix) && own.starts_with(needed))
        || (app.broken(HightopFault::SimulateExecutes) && own == "agent:simulate")
}
