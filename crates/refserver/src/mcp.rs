//! An MCP server as a resource server (Model Context Protocol, revision 2026-07-28): JSON-RPC over POST, no sessions, every request with
//! its own access token. Two tools, one of which needs a further scope.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};

use crate::{
    App, Fault, bearer,
    face::ResourceData,
    http::{self, Params},
    resource::Challenge,
};

/// The resource that is an MCP server.
pub(crate) const NAME: &str = "mcp";
/// The protocol revision.
pub const REVISION: &str = "2026-07-28";
/// The longest message that is read, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// Tools and the scope each needs.
const TOOLS: &[(&str, &str)] = &[("read_items", "read"), ("write_item", "write")];
const SESSION: &str = "mcp-session-id";

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
    if request.method() != Method::POST {
        let mut response = http::empty(StatusCode::METHOD_NOT_ALLOWED);
        http::set(&mut response, header::ALLOW, "POST");
        return response;
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let authorized = match authorize(app, &challenge, &headers, &query).await {
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
    if version != REVISION && !app.broken(Fault::McpVersion) {
        return malformed(&Value::Null, "unsupported protocol version");
    }
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let id = message.get("id").cloned().unwrap_or_default();
    let member = |value: &Value, name: &str| {
        let text = value.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let method = member(&message, "method");
    if member(&message, "jsonrpc") != "2.0" || method.is_empty() {
        return malformed(&id, "this is no JSON-RPC request");
    }
    let params = message.get("params").cloned().unwrap_or_default();
    let name = member(&params, "name");
    let differs = text(&headers, "mcp-method") != method
        || (method == "tools/call" && text(&headers, "mcp-name") != name);
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
    let has = authorized.scopes.iter().any(|scope| scope == needed);
    if !has && !slash && !app.broken(Fault::McpScope) {
        let scope = Some(needed).filter(|_| !app.broken(Fault::McpScopeUnnamed));
        return challenge.refuse(StatusCode::FORBIDDEN, Some("insufficient_scope"), scope);
    }
    let mut response = answer(&id, &method, &authorized.sub);
    if app.broken(Fault::McpSession) {
        let value = session(app);
        if let Ok(value) = HeaderValue::from_str(&value) {
            let name = HeaderName::from_static(SESSION);
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
) -> Result<bearer::Bearer, Response> {
    let scope = Some("read").filter(|_| !app.broken(Fault::McpScopeUnnamed));
    let refuse = |error| Err(challenge.refuse(StatusCode::UNAUTHORIZED, error, scope));
    if app.broken(Fault::McpSession) && text(headers, SESSION) == session(app) {
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

fn answer(id: &Value, method: &str, sub: &str) -> Response {
    let result = match method {
        "tools/list" => {
            let schema = json!({"type": "object"});
            let tools = TOOLS.iter();
            let tools: Vec<Value> = tools
                .map(|(name, _)| json!({"name": name, "inputSchema": schema}))
                .collect();
            json!({"tools": tools})
        }
        "tools/call" => {
            let text = format!("protected item 1 of {sub}, protected item 2 of {sub}");
            json!({"content": [{"type": "text", "text": text}]})
        }
        "resources/read" => json!({"contents": [{"uri": "items:1", "text": "protected item 1"}]}),
        "server/discover" | "initialize" => json!({
            "protocolVersion": REVISION,
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
