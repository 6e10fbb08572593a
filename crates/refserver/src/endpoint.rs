//! What the endpoints for clients have in common: a form by `POST`, nothing by `GET`, and errors in one shape (RFC 6749 §5.2).

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
    routing::{self, MethodRouter},
};
use serde_json::json;

use crate::{
    App, Fault,
    http::{self, Params},
};

/// An error code and its description.
pub(crate) type Fail = (&'static str, &'static str);

/// A request as it came.
pub(crate) struct Sent<'a> {
    pub headers: &'a HeaderMap,
    /// Without the question mark; empty when there is none.
    pub query: &'a str,
    pub body: &'a [u8],
}

/// The routes of such an endpoint: `read` finds the parameters in what was posted, `answer` is asked. A `GET` is refused, since a query ends up
/// in logs; with the fault `by_get` it is answered.
pub(crate) fn for_clients<F, A>(
    read: fn(&App, &Sent<'_>) -> Result<Params, Response>,
    by_get: Fault,
    answer: A,
) -> MethodRouter<Arc<App>>
where
    A: Fn(Arc<App>, HeaderMap, Params) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    type Asked = (State<Arc<App>>, HeaderMap, RawQuery);
    let posted = answer.clone();
    routing::post(
        async move |(State(app), headers, RawQuery(query)): Asked, body: Bytes| {
            let sent = Sent {
                headers: &headers,
                query: query.as_deref().unwrap_or_default(),
                body: &body,
            };
            match read(&app, &sent) {
                Ok(params) => posted(app, headers, params).await,
                Err(response) => response,
            }
        },
    )
    .get(async move |(State(app), headers, RawQuery(query)): Asked| {
        if !app.broken(by_get) {
            return only_post(&app);
        }
        let params = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
        answer(app, headers, params).await
    })
}

/// An error answer of an endpoint for clients (RFC 6749 §5.2).
pub(crate) fn fail(app: &App, status: StatusCode, error: &str, description: &str) -> Response {
    let status = if app.broken(Fault::TokenErrors200) {
        StatusCode::OK
    } else {
        status
    };
    if app.broken(Fault::StackTrace) {
        let trace = "Traceback (most recent call last):\n  File \"/srv/app/oauth/token.py\", line 212, in post\n    raise GrantError(code)";
        return http::secret_json(
            status,
            &json!({"error": error, "error_description": description, "stack": trace}),
        );
    }
    http::oauth_error(status, error, description)
}

/// The body of a request for clients, checked for form and repeats.
pub(crate) fn read_form(app: &App, sent: &Sent<'_>) -> Result<Params, Response> {
    let Sent { headers, body, .. } = *sent;
    let bad = |what: &str| Err(fail(app, StatusCode::BAD_REQUEST, "invalid_request", what));
    if !http::is_form(headers) && !app.broken(Fault::TokenContentType) {
        return bad("the body must be application/x-www-form-urlencoded");
    }
    if app.broken(Fault::TokenCharsetRefused)
        && headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value != "application/x-www-form-urlencoded")
    {
        return bad("unexpected content type");
    }
    let Some(mut params) = Params::parse(body) else {
        if app.broken(Fault::ServerError500) {
            return Err(fail(
                app,
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                "could not decode",
            ));
        }
        return bad("the body is not encoded properly");
    };
    if app.broken(Fault::TokenDuplicates) {
        params.keep_last();
    }
    if params.repeated().is_some() {
        return bad("a parameter is repeated");
    }
    Ok(params)
}

/// 405.
fn only_post(app: &App) -> Response {
    let mut response = fail(
        app,
        StatusCode::METHOD_NOT_ALLOWED,
        "invalid_request",
        "only POST is allowed here",
    );
    http::set(&mut response, header::ALLOW, "POST");
    response
}
