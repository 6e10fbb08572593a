//! The authorization response: a redirect to the client with code or error, `state` and `iss` (RFC 6749 §4.1.2, RFC 9207).

use axum::{
    http::{HeaderName, HeaderValue, StatusCode},
    response::Response,
};

use crate::{App, Fault, HaspFault, authorize::Request, http, issue, pages, par};

/// Where an authorization response goes.
pub(crate) struct Target<'a> {
    pub uri: &'a str,
    pub state: Option<&'a str>,
    pub fragment: bool,
}

/// The authorization response after an approval (RFC 6749 §4.1.2).
pub(crate) fn success(app: &App, request: &Request, user: usize, status: StatusCode) -> Response {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    {
        let mut db = app.db();
        db.prune();
        if let Some(uri) = &request.pushed {
            par::spend(&mut db, uri);
        }
        let id = issue::open_grant(app, &mut db, request, user);
        if !request.implicit {
            pairs.push(("code", issue::code(app, &mut db, id, request)));
        }
        if (request.implicit || request.hybrid)
            && let Some(grant) = db.grants.get(&id).cloned()
        {
            let rights = issue::Rights {
                scopes: grant.scopes.clone(),
                audience: grant.resources.clone(),
                details: grant.details.clone(),
                refreshed: false,
                jkt: None,
            };
            let (token, life) = issue::access(app, &mut db, id, &grant, &request.client, rights);
            pairs.extend([
                ("access_token", token),
                ("token_type", "Bearer".into()),
                ("expires_in", life.to_string()),
            ]);
        }
    }
    let target = Target {
        uri: &request.redirect_uri,
        state: request.state.as_deref(),
        fragment: request.fragment,
    };
    answer(app, &target, pairs, status)
}

/// The authorization response after a refusal (RFC 6749 §4.1.2.1).
pub(crate) fn error_redirect(
    app: &App,
    target: &Target<'_>,
    error: &str,
    description: &str,
    status: StatusCode,
) -> Response {
    answer(
        app,
        target,
        vec![
            ("error", error.to_owned()),
            ("error_description", description.to_owned()),
        ],
        status,
    )
}

fn answer(
    app: &App,
    target: &Target<'_>,
    mut pairs: Vec<(&str, String)>,
    status: StatusCode,
) -> Response {
    let is_error = pairs.iter().any(|(name, _)| *name == "error");
    let mut state = target.state.map(str::to_owned);
    if app.broken(Fault::StateTrimmed) {
        state = state.map(|state| state.trim().to_owned());
    }
    if app.broken(Fault::StateCut) {
        state = state.map(|state| state.chars().take(255).collect());
    }
    if app.broken(Fault::StateInvented) && state.is_none() {
        state = Some(String::new());
    }
    if app.broken(Fault::StateLostOnError) && is_error {
        state = None;
    }
    if app.broken(HaspFault::StateLostOnDenial)
        && pairs.iter().any(|(_, value)| value == "access_denied")
    {
        state = None;
    }
    let raw_state = app.broken(Fault::StateUnencoded) || app.broken(Fault::HeaderInjection);
    if let Some(state) = state.clone().filter(|_| !raw_state) {
        pairs.push(("state", state));
    }
    let iss = match () {
        () if app.broken(Fault::IssWrong) => "https://issuer.example".to_owned(),
        () if app.broken(Fault::IssSlash) => format!("{}/", app.issuer),
        () => app.issuer.clone(),
    };
    let left_out =
        app.broken(Fault::IssMissing) || (is_error && app.broken(Fault::IssMissingOnError));
    if !left_out {
        pairs.push(("iss", iss.clone()));
        if app.broken(Fault::IssTwice) {
            pairs.push(("iss", iss));
        }
    }
    let pairs: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let mut location = if target.fragment {
        // A fragment of its own: the registered URI has none.
        let query = http::with_query("", &pairs);
        format!("{}#{}", target.uri, query.trim_start_matches('?'))
    } else if app.broken(Fault::RedirectQueryLost) {
        http::with_query(target.uri.split('?').next().unwrap_or_default(), &pairs)
    } else {
        http::with_query(target.uri, &pairs)
    };
    let mut injected = Vec::new();
    if raw_state && let Some(state) = state {
        let mut lines = state.split(['\r', '\n']).filter(|line| !line.is_empty());
        location.push_str("&state=");
        if app.broken(Fault::HeaderInjection) {
            location.push_str(lines.next().unwrap_or_default());
            injected.extend(
                lines
                    .filter_map(|line| line.split_once(':'))
                    .map(|(name, value)| (name.to_owned(), value.trim().to_owned())),
            );
        } else {
            location.push_str(&state);
        }
    }
    let Some(mut response) = http::redirect(status, &location) else {
        return pages::refusal(
            app,
            StatusCode::BAD_REQUEST,
            "The redirect URI cannot be used.",
        );
    };
    for (name, value) in injected {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(&value),
        ) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
