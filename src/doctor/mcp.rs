//! What an MCP server says to a client that has a token: which revision it speaks, and which of its tools only reads.

use serde_json::{Map, Value, json};

use crate::client::mcp::has_sessions;
use crate::doctor::init::NewMcp;
use crate::flow::{Answer, Scene, World};
use crate::suite::model::{Change, Step, User, Verb};
use crate::transport::Reply;

/// Those that are asked for. A server that keeps sessions says itself which one it speaks.
const REVISIONS: [&str; 2] = ["2026-07-28", "2025-11-25"];
/// Tools that are looked at.
const MOST_TOOLS: usize = 50;
/// The longest name of a tool that is taken over.
const LONGEST: usize = 200;

/// Asks the server behind the resource `mcp`.
///
/// # Errors
/// Why it is of no use.
pub(super) async fn learn(world: &mut World) -> Result<NewMcp, String> {
    let mut refused = Vec::new();
    for asked in REVISIONS {
        // Before there were sessions to open, and after them there is a method to ask by.
        let first = match has_sessions(asked) {
            true => "tools/list",
            false => "server/discover",
        };
        match call(world, asked, &json!({"method": first})).await {
            Ok(said) => {
                let revision = said.revision.unwrap_or_else(|| asked.to_owned());
                return Ok(with_tools(world, revision).await);
            }
            Err(why) => refused.push(format!("{asked}: {why}")),
        }
    }
    Err(format!(
        "no MCP server of a known revision answers there ({})",
        refused.join("; ")
    ))
}

/// The tools, and one to call: one that says that it only reads, and that needs nothing to be said.
async fn with_tools(world: &mut World, revision: String) -> NewMcp {
    let listed = call(world, &revision, &json!({"method": "tools/list"})).await;
    let listed = listed.map(|said| said.result).unwrap_or_default();
    let tools: Vec<&Value> = (listed.get("tools").and_then(Value::as_array).into_iter())
        .flatten()
        .take(MOST_TOOLS)
        .collect();
    let name = |tool: &Value| {
        let name = tool.get("name").and_then(Value::as_str)?;
        (name.len() <= LONGEST).then(|| name.to_owned())
    };
    let mut mcp = NewMcp {
        revision: Some(revision.clone()),
        tool: None,
        tools: tools.iter().copied().filter_map(name).collect(),
    };
    let harmless = tools.into_iter().find(|tool| {
        let needed = tool.pointer("/inputSchema/required");
        let needs_nothing = needed.is_none_or(|all| all.as_array().is_some_and(Vec::is_empty));
        needs_nothing && tool.pointer("/annotations/readOnlyHint") == Some(&Value::Bool(true))
    });
    if let Some(tool) = harmless.and_then(name) {
        let params = json!({"name": tool, "arguments": {}});
        let called = json!({"method": "tools/call", "params": params});
        let called = call(world, &revision, &called).await;
        let works = |said: &Said| said.result.get("isError") != Some(&Value::Bool(true));
        mcp.tool = called.is_ok_and(|said| works(&said)).then_some(tool);
    }
    mcp
}

/// What the server said to a message.
struct Said {
    result: Map<String, Value>,
    /// The revision that `initialize` agreed on.
    revision: Option<String>,
}

/// Sends a message with a fresh token, in a session where the revision has such.
async fn call(world: &mut World, revision: &str, message: &Value) -> Result<Said, String> {
    let mut message = message.clone();
    if let Some(object) = message.as_object_mut() {
        object.insert("jsonrpc".to_owned(), "2.0".into());
        object.insert("id".to_owned(), 1.into());
    }
    let mut resources = world.target.resources.iter_mut();
    let Some(resource) = resources.find(|one| one.name == "mcp") else {
        return Err("the target has no such resource".to_owned());
    };
    resource.mcp = Some(revision.to_owned());
    resource.body = Some((message.to_string(), "application/json".to_owned()));
    let mut scene = Scene::new(world);
    let mut step = Step::new(Verb::Call);
    step.at = Some("mcp".to_owned());
    let outcome = scene
        .perform(&step, &Change::default(), User::Approve, 1)
        .await
        .clone();
    if outcome.answer != Answer::Success {
        return Err(scene.secrets.redact(&outcome.answer.words()));
    }
    let reply = scene.last_exchange(&outcome);
    let reply = reply.and_then(|last| last.reply.as_ref().ok());
    let answer = reply.and_then(read).unwrap_or_default();
    let Some(Value::Object(result)) = answer.get("result") else {
        let error = answer.get("error").and_then(|error| error.get("message"));
        let error = error
            .and_then(Value::as_str)
            .unwrap_or("no JSON-RPC result");
        let error: String = error.chars().take(160).collect();
        return Err(scene.secrets.redact(&error));
    };
    let opened = scene.log.iter().find(|logged| {
        let body = String::from_utf8_lossy(&logged.recorded.request.body);
        body.contains("\"initialize\"")
    });
    let opened = opened.and_then(|logged| read(logged.recorded.reply.as_ref().ok()?));
    let agreed = opened.and_then(|said| {
        let version = said.get("result")?.get("protocolVersion")?.as_str()?;
        is_date(version).then(|| version.to_owned())
    });
    Ok(Said {
        result: result.clone(),
        revision: agreed,
    })
}

/// Revisions are named by a day.
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-')
}

/// The JSON-RPC answer in a body, which is JSON or a stream of events.
fn read(reply: &Reply) -> Option<Map<String, Value>> {
    if reply.media_type() != "text/event-stream" {
        return reply.json();
    }
    let text = reply.text();
    let events = text.lines().filter_map(|line| line.strip_prefix("data:"));
    let objects = events.filter_map(|data| serde_json::from_str::<Map<String, Value>>(data).ok());
    let mut answers = objects.filter(|one| one.contains_key("result") || one.contains_key("error"));
    answers.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(media: &str, body: &str) -> Reply {
        Reply {
            status: 200,
            headers: vec![("content-type".into(), media.into())],
            body: body.into(),
            truncated: false,
        }
    }

    #[test]
    fn an_answer_is_found_in_json_and_in_a_stream() {
        let json = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#;
        let stream =
            format!("event: message\ndata: {{\"method\":\"x\"}}\n\nid: 2\ndata: {json}\n\n");
        for reply in [
            reply("application/json", json),
            reply("text/event-stream; charset=utf-8", &stream),
        ] {
            assert!(read(&reply).unwrap().contains_key("result"));
        }
        for body in ["", "data: {", "data: []", "data: {\"id\":1}"] {
            assert!(read(&reply("text/event-stream", body)).is_none(), "{body}");
        }
    }
}
