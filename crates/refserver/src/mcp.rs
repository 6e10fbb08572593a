//! An MCP server as a resource server (Model Context Protocol, revision 2026-07-28): JSON-RPC over POST, no sessions, every request with
//! its own access token. Two tools, one of which needs a further scope. In the face `mcp-2025` it speaks revision 2025-11-25, with sessions.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};

use crate::{
    App, Fault, SessionFault, bearer,
    face::ResourceData,
    http::{self, Params},
    mcp_session,
    resource::Challenge,
};

/// The resource that is an MCP server.
pub(crate) const NAME: &str = "mcp";
/// The longest message that is read, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// Tools and the scope each needs.
const TOOLS: &[(&str, &str)] = &[("read_items", "read"), ("write_item", "write")];

/// The scope that covers this one: who may write may read.
pub(crate) fn broader(scope: &str) -> Option<&'static str> {
    (scope == "read").then_some("write")
}

/// Answers a request at the MCP endpoint.
pub(crate) async fn serve(
    app: &App,
    resource: &'static ResourceData,
    request: Request<Body>,
) -> Response {
    let challenge = Challenge { app, resource };
    let slash = request.uri().path().ends_with('/');
    if slash && !app.broken(Fault::McpSlash) {
        return http::empty(StatusCode::NOT_FOUND);
    }
    let headers = request.headers().clone();
    if !local(app, &headers) {
        return http::empty(StatusCode::FORBIDDEN);
    }
    let sessions = app.face.rules.mcp_sessions;
    let verb = request.method().clone();
    if verb != Method::POST && !(sessions && (verb == Method::GET || verb == Method::DELETE)) {
        let mut response = http::empty(StatusCode::METHOD_NOT_ALLOWED);
        let allowed = if sessions {
            "POST, GET, DELETE"
        } else {
            "POST"
        };
        http::set(&mut response, header::ALLOW, allowed);
        return response;
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let open = (verb == Method::GET && app.broken(SessionFault::StreamOpen))
        || (verb == Method::DELETE && app.broken(SessionFault::EndOpen));
    let stands_for = mcp_session::named(app, &headers)
        .filter(|_| open || app.broken(SessionFault::Authenticates));
    let authorized = match authorize(app, &challenge, &headers, &query, stands_for).await {
        Ok(bearer) => bearer,
        Err(response) if slash => {
            drop(response);
            bearer::Bearer::default()
        }
        Err(response) => return response,
    };
    let Ok(body) = to_bytes(request.into_body(), MAX_BODY).await else {
        return http::empty(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let version = text(&headers, "mcp-protocol-version");
    let supported = version == app.face.mcp_revision() || app.broken(Fault::McpVersion);
    if verb != Method::POST {
        let owner = match mcp_session::enter(app, &headers, &authorized.sub) {
            Ok(owner) if supported => owner,
            Ok(_) => return malformed(&Value::Null, "unsupported protocol version"),
            Err(response) => return response,
        };
        return match verb {
            Method::GET => mcp_session::stream(&owner),
            _ => mcp_session::end(app, &headers),
        };
    }
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let id = message.get("id").cloned().unwrap_or_default();
    let member = |value: &Value, name: &str| {
        let text = value.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let method = member(&message, "method");
    // Where there are sessions, it is by `initialize` that the two agree on a version.
    let begins = sessions && method == "initialize";
    if !(supported || begins && version.is_empty()) {
        return malformed(&Value::Null, "unsupported protocol version");
    }
    if member(&message, "jsonrpc") != "2.0" || method.is_empty() {
        return malformed(&id, "this is no JSON-RPC request");
    }
    let params = message.get("params").cloned().unwrap_or_default();
    let name = member(&params, "name");
    let differs = text(&headers, "mcp-method") != method
        || (method == "tools/call" && text(&headers, "mcp-name") != name);
    let differs = differs && !sessions;
    if differs && !app.broken(Fault::McpHeaders) {
        return malformed(&id, "HeaderMismatch: the headers are not those of the body");
    }
    // Who trusts the header asks for the scope of the tool that stands there, and runs the other one.
    let asked = if differs {
        text(&headers, "mcp-name")
    } else {
        &name
    };
    let tool = TOOLS.iter().find(|(tool, _)| *tool == asked);
    let needed = tool.map_or("read", |(_, scope)| *scope);
    let covers = Some(broader(needed)).filter(|_| !app.broken(Fault::McpScopeExact));
    let has = (authorized.scopes.iter())
        .any(|scope| scope == needed || covers.flatten() == Some(scope.as_str()));
    if !has && !slash && !app.broken(Fault::McpScope) {
        let scope = Some(needed).filter(|_| !app.broken(Fault::McpScopeUnnamed));
        return challenge.refuse(StatusCode::FORBIDDEN, Some("insufficient_scope"), scope);
    }
    let mut owner = authorized.sub;
    if sessions && !begins && !slash {
        owner = match mcp_session::enter(app, &headers, &owner) {
            Ok(owner) => owner,
            Err(response) => return response,
        };
        // A notification has no answer.
        if id.is_null() {
            return http::empty(StatusCode::ACCEPTED);
        }
    }
    let mut response = answer(app, &id, &method, &owner);
    if begins {
        mcp_session::open(app, &owner, &mut response);
    }
    if app.broken(Fault::McpSession) {
        let value = session(app);
        if let Ok(value) = HeaderValue::from_str(&value) {
            let name = HeaderName::from_static(mcp_session::NAME);
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The session that a fault gives to everybody who was authorized once.
fn session(app: &App) -> String {
    jose::base64url(jose::sha256(app.nonce_secret.as_bytes()))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

/// Whether the request is meant for this server and comes from no foreign page (DNS rebinding).
fn local(app: &App, headers: &HeaderMap) -> bool {
    let own = app.origin.split("://").nth(1).unwrap_or_default();
    let host = text(headers, "host");
    let named = host == own || host == own.replace("127.0.0.1", "localhost");
    let origin = headers.get(header::ORIGIN);
    let fits = origin.is_none_or(|origin| *origin == *app.origin);
    (named || app.broken(Fault::McpHost)) && (fits || app.broken(Fault::McpOrigin))
}

/// Whose token came along, or the refusal.
async fn authorize(
    app: &App,
    challenge: &Challenge<'_>,
    headers: &HeaderMap,
    query: &str,
    stands_for: Option<mcp_session::Session>,
) -> Result<bearer::Bearer, Response> {
    let scope = Some("read").filter(|_| !app.broken(Fault::McpScopeUnnamed));
    let refuse = |error| Err(challenge.refuse(StatusCode::UNAUTHORIZED, error, scope));
    if app.broken(Fault::McpSession) && text(headers, mcp_session::NAME) == session(app) {
        return Ok(bearer::Bearer {
            scopes: vec!["read".into(), "write".into()],
            ..bearer::Bearer::default()
        });
    }
    let token = match http::single(headers, header::AUTHORIZATION) {
        Ok(value) => value.and_then(http::bearer),
        Err(()) => None,
    };
    let params = Params::parse(query.as_bytes()).unwrap_or_default();
    let token = token.map(str::to_owned).or_else(|| {
        let token = params.get("access_token");
        token
            .filter(|_| app.broken(Fault::RsQueryToken))
            .map(str::to_owned)
    });
    let Some(token) = token else {
        if let Some(session) = stands_for {
            return Ok(bearer::Bearer {
                sub: session.sub,
                scopes: vec!["read".into(), "write".into()],
                ..bearer::Bearer::default()
            });
        }
        if app.broken(Fault::McpOpen) {
            return Ok(bearer::Bearer {
                scopes: vec!["read".into()],
                ..bearer::Bearer::default()
            });
        }
        return refuse(None);
    };
    let id = app.url(challenge.resource.path);
    let bearer = bearer::judge(app, challenge.resource.name, &id, &token).await;
    match bearer.filter(|bearer| bearer.jkt.is_none()) {
        Some(bearer) => Ok(bearer),
        None if app.broken(Fault::McpErrors200) => {
            let error = json!({"code": -32001, "message": "the token is not valid"});
            let body = json!({"jsonrpc": "2.0", "id": null, "error": error});
            Err(http::json_response(StatusCode::OK, &body))
        }
        None => refuse(Some("invalid_token")),
    }
}

/// 400 with a JSON-RPC error.
fn malformed(id: &Value, what: &str) -> Response {
    let error = json!({"code": -32600, "message": what});
    let body = json!({"jsonrpc": "2.0", "id": id, "error": error});
    http::json_response(StatusCode::BAD_REQUEST, &body)
}

fn answer(app: &App, id: &Value, method: &str, sub: &str) -> Response {
    let result = match method {
        "tools/list" => {
            let schema = json!({"type": "object"});
            let tools = TOOLS.iter();
            let tools: Vec<Value> = tools
                .map(|(name, scope)| {
                    let hints = json!({"readOnlyHint": *scope == "read"});
                    json!({"name": name, "inputSchema": schema, "annotations": hints})
                })
                .collect();
            json!({"tools": tools})
        }
        "tools/call" => {
            let text = format!("protected item 1 of {sub}, protected item 2 of {sub}");
            json!({"content": [{"type": "text", "text": text}]})
        }
        "resources/read" => json!({"contents": [{"uri": "items:1", "text": "protected item 1"}]}),
        "server/discover" | "initialize" => json!({
            "protocolVersion": app.face.mcp_revision(),
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "reference", "version": "1"},
        }),
        _ => {
            let error = json!({"code": -32601, "message": "no such method"});
            let body = json!({"jsonrpc": "2.0", "id": id, "error": error});
            return http::json_response(StatusCode::OK, &body);
        }
    };
    let body = json!({"jsonrpc": "2.0", "id": id, "result": result});
    let mut response = http::json_response(StatusCode::OK, &body);
    http::set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}
