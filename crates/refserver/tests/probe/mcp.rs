//! The MCP server.

use oauthspec_refserver::Fault;

use crate::support::{Answer, Target};

/// A call of a tool, with headers replaced (`-` leaves one out).
async fn call(t: &Target, path: &str, token: &str, tool: &str, changes: &[(&str, &str)]) -> Answer {
    let authorization = format!("Bearer {token}");
    let mut headers = vec![
        ("Content-Type", "application/json"),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", tool),
    ];
    if !token.is_empty() {
        headers.push(("Authorization", &authorization));
    }
    for (name, _) in changes {
        headers.retain(|(own, _)| own != name);
    }
    headers.extend(changes.iter().copied());
    let body =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}"}}}}"#);
    t.send("POST", path, &headers, &body).await
}

pub async fn shows(t: &Target, fault: Fault) -> Option<bool> {
    let id = t.resource("mcp");
    let token = t.grant("a", &[("resource", &id)]).await;
    let token = token.text("access_token");
    let with = async |changes: &[(&str, &str)]| {
        let answer = call(t, "/mcp", &token, "read_items", changes).await;
        answer.status == 200
    };
    let scopes = || async {
        let path = "/.well-known/oauth-protected-resource/mcp";
        t.send("GET", path, &[], "").await.body
    };
    Some(match fault {
        Fault::McpOpen => call(t, "/mcp", "", "read_items", &[]).await.status == 200,
        Fault::McpSession => {
            let first = call(t, "/mcp", &token, "read_items", &[]).await;
            assert_eq!(first.status, 200, "{first:?}");
            match first.header("mcp-session-id") {
                Some(session) => {
                    let headers = [("Mcp-Session-Id", session)];
                    let again = call(t, "/mcp", "", "read_items", &headers).await;
                    again.status == 200
                }
                None => false,
            }
        }
        Fault::McpErrors200 => call(t, "/mcp", "x", "read_items", &[]).await.status == 200,
        Fault::McpScope => call(t, "/mcp", &token, "write_item", &[]).await.status == 200,
        Fault::McpScopeExact => {
            let wide = t.grant("a", &[("resource", &id), ("scope", "write")]).await;
            let wide = wide.text("access_token");
            assert_eq!(call(t, "/mcp", &wide, "write_item", &[]).await.status, 200);
            call(t, "/mcp", &wide, "read_items", &[]).await.status == 403
        }
        Fault::McpScopeUnnamed => {
            let answer = call(t, "/mcp", &token, "write_item", &[]).await;
            let challenge = answer.header("www-authenticate").unwrap_or_default();
            !challenge.contains("scope=\"")
        }
        Fault::McpOrigin => with(&[("Origin", "https://attacker.example")]).await,
        Fault::McpHost => {
            let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
            let request = format!(
                "POST /mcp HTTP/1.0\r\nHost: attacker.example\r\nAuthorization: Bearer {token}\r\n\
                 MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            t.raw(&request).await.status == 200
        }
        Fault::McpVersion => with(&[("MCP-Protocol-Version", "1999-01-01")]).await,
        Fault::McpHeaders => with(&[("Mcp-Method", "tools/list")]).await,
        Fault::McpSlash => call(t, "/mcp/", "", "read_items", &[]).await.status == 200,
        Fault::McpOfflineAccess => scopes().await.contains("offline_access"),
        Fault::McpOmnibus => scopes().await.contains('*'),
        _ => return None,
    })
}
