//! What is wrong with a single answer.

use super::*;

/// The host that headers name instead of the server's own.
const ATTACKER: &str = "attacker.example";

impl Judge<'_> {
    /// What any answer may be wrong about.
    pub(super) fn exchange(
        &self,
        operation: &Operation,
        done: &Done,
        seen: &Seen,
        out: &mut dyn FnMut(Oracle, String),
    ) {
        let fair = seen.fair();
        match &seen.reply {
            Err(Lost::Slow) => out(Oracle::Hang, "no answer in time".into()),
            Err(Lost::Closed) if fair => out(Oracle::Closed, Lost::Closed.words()),
            // More than we read may be a long answer to a long request.
            Err(Lost::Malformed(
                wire::http1::Error::HeadTooLong | wire::http1::Error::BodyTooLong,
            )) => {}
            Err(Lost::Malformed(error)) => out(
                Oracle::Injection,
                format!("not an HTTP/1.1 answer: {error}"),
            ),
            Err(_) => {}
            Ok(reply) => {
                if seen.took > self.patience {
                    out(
                        Oracle::Hang,
                        format!("answered {} after a long time", reply.status),
                    );
                }
                self.reply(operation, done, seen, reply, out);
            }
        }
    }

    pub(super) fn reply(
        &self,
        operation: &Operation,
        done: &Done,
        seen: &Seen,
        reply: &Reply,
        out: &mut dyn FnMut(Oracle, String),
    ) {
        let status = reply.status;
        let infrastructure =
            matches!(status, 502 | 504) || (status == 503 && reply.header("retry-after").is_some());
        let unknown_method = status == 501 && changes(operation, "@method");
        if status >= 500 && !infrastructure && !unknown_method {
            out(Oracle::Crash, format!("answered {status}"));
        }
        self.headers(reply, out);
        let json = reply.media_type().ends_with("json");
        if !json {
            self.markup(reply, out);
        }
        let quiet =
            reply.is_success() && matches!(done.kind, Kind::Call | Kind::Discover | Kind::Register);
        if !quiet && let Some(mark) = leak(&reply.body) {
            out(Oracle::Leak, format!("the answer has “{mark}”"));
        }
        let by_header = named_by_header(done);
        if by_header
            && matches!(done.kind, Kind::Discover | Kind::Call)
            && reply.is_success()
            && contains(&reply.body, ATTACKER.as_bytes())
        {
            out(Oracle::Poisoned, format!("the answer has {ATTACKER}"));
        }
        let location = reply.header("location");
        if by_header && location.is_some_and(|location| location.contains(ATTACKER)) {
            out(Oracle::Poisoned, format!("Location has {ATTACKER}"));
        }
        match done.kind {
            Kind::Exchange | Kind::Refresh | Kind::Revoke | Kind::Introspect | Kind::Direct => {
                self.endpoint(done, seen, reply, out)
            }
            Kind::Register if matches!(status, 400) => error_shape(reply, out),
            Kind::Call if status == 401 && reply.header("www-authenticate").is_none() => {
                out(Oracle::ErrorStatus, "401 without WWW-Authenticate".into());
            }
            _ => {}
        }
    }

    pub(super) fn headers(&self, reply: &Reply, out: &mut dyn FnMut(Oracle, String)) {
        for (name, value) in &reply.headers {
            let injected = name == "x-oauthspec-injected"
                || (name == "set-cookie" && value.starts_with(b"oauthspec="))
                || (matches!(name.as_str(), "location" | "www-authenticate")
                    && value.iter().any(|byte| matches!(byte, b'\r' | b'\n')));
            if injected {
                out(
                    Oracle::Injection,
                    format!("the answer has a header `{name}` that the request wrote"),
                );
            }
        }
    }

    /// Markup counts where a browser would read it as such: HTML, no type, or a type that is sniffed.
    pub(super) fn markup(&self, reply: &Reply, out: &mut dyn FnMut(Oracle, String)) {
        let kind = reply.media_type();
        let sniffed = kind.is_empty() && reply.header("x-content-type-options").is_none();
        let html = kind == "text/html"
            || kind == "application/xhtml+xml"
            || kind == "image/svg+xml"
            || sniffed;
        if html && contains(&reply.body, self.markup.as_bytes()) {
            out(
                Oracle::Markup,
                "the page has the markup as it was sent".into(),
            );
        }
    }

    /// The endpoints clients post to.
    pub(super) fn endpoint(
        &self,
        done: &Done,
        seen: &Seen,
        reply: &Reply,
        out: &mut dyn FnMut(Oracle, String),
    ) {
        if seen.request.method != "POST" {
            return;
        }
        if matches!(reply.status, 400 | 401) {
            error_shape(reply, out);
        }
        let tokens = matches!(done.kind, Kind::Exchange | Kind::Refresh | Kind::Direct);
        let object = reply.is_success().then(|| reply.json()).flatten();
        if let Some(wrong) = status_defect(&seen.request, reply, object.as_ref(), tokens) {
            out(Oracle::ErrorStatus, wrong);
        }
        if let Some(object) = object.filter(|object| object.contains_key("access_token"))
            && tokens
        {
            self.tokens(reply, &object, out);
        }
    }

    pub(super) fn tokens(
        &self,
        reply: &Reply,
        object: &serde_json::Map<String, serde_json::Value>,
        out: &mut dyn FnMut(Oracle, String),
    ) {
        use serde_json::Value;
        let stored = !reply
            .all("cache-control")
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|directive| directive.trim_ascii().eq_ignore_ascii_case(b"no-store"));
        if stored {
            out(
                Oracle::Cache,
                "tokens without Cache-Control: no-store".into(),
            );
        }
        let wrong = |name: &str, fits: fn(&Value) -> bool| {
            object.get(name).is_some_and(|value| !fits(value))
        };
        if !object.get("token_type").is_some_and(Value::is_string) {
            out(Oracle::Type, "token_type is no string".into());
        }
        if wrong("expires_in", |value| {
            value.as_f64().is_some_and(|seconds| seconds > 0.0)
        }) {
            out(Oracle::Type, "expires_in is no positive number".into());
        }
        for name in ["access_token", "refresh_token", "scope", "id_token"] {
            if wrong(name, Value::is_string) {
                out(Oracle::Type, format!("{name} is no string"));
            }
        }
        if let Ok(document) = wire::json::scan(&reply.body, wire::json::Limits::default())
            && !document.duplicates.is_empty()
        {
            out(Oracle::Type, "a member comes twice".into());
        }
    }
}

/// Whether a header of the request, and nothing else in it, names the attacker's host. What the request says in its URL
/// or body may come back, as `state` does; headers may not.
pub(super) fn named_by_header(done: &Done) -> bool {
    done.decisive().is_some_and(|seen| {
        let request = &seen.request;
        let header = |(_, value): &(String, String)| value.contains(ATTACKER);
        request.headers.iter().any(header)
            && !request.url.contains(ATTACKER)
            && !contains(&request.body, ATTACKER.as_bytes())
    })
}

/// RFC 6749 §5.2. An empty body without a type comes from the HTTP layer, which knows no OAuth.
pub(super) fn error_shape(reply: &Reply, out: &mut dyn FnMut(Oracle, String)) {
    for wrong in error_defects(reply) {
        out(Oracle::ErrorShape, wrong);
    }
}

/// What of the server's insides a text has.
pub(super) fn leak(body: &[u8]) -> Option<&'static str> {
    INSIDES
        .iter()
        .copied()
        .find(|mark| contains(body, mark.as_bytes()))
}
