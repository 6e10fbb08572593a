//! What an authorization request asks for, read and checked: everything but its client and its redirect URI.

use serde_json::Value;

use crate::{
    AgnicFault, App, Fault, HaspFault, HightopFault, TenantFault, approval,
    http::Params,
    pkce, rar,
    rights::{read_resources, read_scopes},
    state::Client,
};

/// A request that may be put to the user.
#[derive(Clone, Default)]
pub(crate) struct Request {
    pub client: Client,
    pub redirect_uri: String,
    pub state: Option<String>,
    pub scopes: Vec<String>,
    pub challenge: Option<pkce::Challenge>,
    pub resources: Vec<String>,
    pub details: Vec<Value>,
    pub nonce: Option<String>,
    pub prompt: Vec<String>,
    pub login_hint: Option<String>,
    /// The key that must redeem the code (RFC 9449 §10).
    pub jkt: Option<String>,
    /// The device code this is decided for; empty as long as no user code has been typed.
    pub device: Option<String>,
    /// What goes back besides or instead of a code; nothing but by fault.
    pub implicit: bool,
    pub hybrid: bool,
    pub fragment: bool,
    /// The subject a parameter has chosen; by fault only.
    pub chosen: Option<String>,
    /// What may be spent, once that is known.
    pub limits: Option<approval::Limits>,
    /// The agent it is for, once that is known.
    pub agent: Option<String>,
    /// What is wrong with it and was not told before login; by fault only.
    pub late: Option<&'static str>,
    /// The reference it was pushed under (RFC 9126).
    pub pushed: Option<String>,
}

/// Why a request goes no further, as it is told to the client.
pub(super) struct Stop {
    pub error: &'static str,
    pub description: String,
}

fn stop<T>(error: &'static str, description: impl Into<String>) -> Result<T, Stop> {
    Err(Stop {
        error,
        description: description.into(),
    })
}

/// The parameters that an error may name.
const KNOWN: &[&str] = &[
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "resource",
    "authorization_details",
    "nonce",
    "prompt",
    "login_hint",
    "id_token_hint",
    "claims",
    "max_age",
    "ui_locales",
    "acr_values",
    "display",
];

/// Everything but client and redirect URI. `pushed` is the reference of a pushed request.
pub(super) fn validate(
    app: &App,
    mut client: Client,
    redirect_uri: String,
    pushed: Option<String>,
    params: &Params,
) -> Result<Request, Stop> {
    let twice_on_purpose = |name: &str| {
        name == "redirect_uri"
            && (app.broken(Fault::RedirectFirstCheckedLastUsed)
                || app.broken(Fault::RedirectLastCheckedFirstUsed))
    };
    if let Some(name) = params.repeated().filter(|name| !twice_on_purpose(name)) {
        let name = if KNOWN.contains(&name) {
            name
        } else {
            "a parameter"
        };
        return stop("invalid_request", format!("{name} is repeated"));
    }
    if app.broken(Fault::UnknownParamRefused)
        && params
            .pairs()
            .iter()
            .any(|(name, _)| !KNOWN.contains(&name.as_str()))
    {
        return stop("invalid_request", "unknown parameter");
    }
    if params.get("request").is_some() {
        return stop("request_not_supported", "request objects are not supported");
    }
    if params.get("request_uri").is_some() {
        return stop("request_uri_not_supported", "request_uri is not supported");
    }
    let by_rule = app.face.rules.push_required && !app.broken(TenantFault::PushUnrequired);
    let by_client = client.push_required && !app.broken(Fault::ParUnrequired);
    if pushed.is_none() && (by_rule || by_client) {
        return stop("invalid_request", "requests must be pushed");
    }
    client.pkce_optional |= pushed.is_some() && app.broken(Fault::ParPkceOptional);
    let (mut implicit, mut hybrid) = (false, false);
    match params.get("response_type") {
        Some("code") => {}
        Some("token") if app.broken(Fault::ImplicitIssued) => implicit = true,
        Some("code token" | "token code") if app.broken(Fault::HybridIssued) => hybrid = true,
        None if app.broken(Fault::ResponseTypeAssumed) => {}
        None => return stop("invalid_request", "response_type is required"),
        Some(other)
            if app.broken(Fault::UnknownResponseTypeAccepted) && !other.contains("token") => {}
        Some(other) => {
            let description = match app.broken(Fault::ErrorDescriptionRaw) {
                true => format!("only code is supported, not \"{other}\""),
                false => "only response_type code is supported".into(),
            };
            return stop("unsupported_response_type", description);
        }
    }
    if !client.may("authorization_code") {
        return stop(
            "unauthorized_client",
            "the client is not registered for the authorization code grant",
        );
    }
    let mut fragment = implicit || hybrid;
    match params.get("response_mode") {
        None | Some("query") => {}
        Some("fragment") if app.broken(Fault::ResponseModeFragment) => fragment = true,
        Some(_) => return stop("invalid_request", "only response_mode query is supported"),
    }
    let challenge =
        pkce::from_request(app, &client, params).or_else(|what| stop("invalid_request", what))?;
    let scopes = scopes(app, &client, params)?;
    let resources = resources(app, params)?;
    let details = match params.get("authorization_details") {
        Some(text) => {
            let again = percent_decoded(text);
            let text = match app.broken(HaspFault::DecodedTwice) {
                true => &again,
                false => text,
            };
            rar::read(app, text).or_else(|what| stop("invalid_authorization_details", what))?
        }
        None => match app.face.rules.details_required {
            Some(_) if !app.broken(HaspFault::DetailsOptional) => {
                return stop("invalid_request", "authorization_details is required");
            }
            _ => Vec::new(),
        },
    };
    let agent = agent(app, params)?;
    let prompt: Vec<String> = params
        .get("prompt")
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    if prompt.len() > 1
        && prompt.iter().any(|word| word == "none")
        && !app.broken(Fault::PromptNoneCombined)
    {
        return stop("invalid_request", "prompt none cannot be combined");
    }
    Ok(Request {
        device: None,
        jkt: params
            .get("dpop_jkt")
            .filter(|_| app.face.dpop && !app.broken(Fault::DpopJktIgnored))
            .map(str::to_owned),
        client,
        redirect_uri,
        state: params.get("state").map(str::to_owned),
        scopes,
        challenge,
        resources,
        details,
        nonce: params.get("nonce").map(str::to_owned),
        prompt,
        login_hint: params.get("login_hint").map(str::to_owned),
        implicit,
        hybrid,
        fragment,
        chosen: chosen_subject(app, params),
        agent,
        limits: None,
        late: None,
        pushed,
    })
}

/// Text after one more round of percent-decoding.
fn percent_decoded(text: &str) -> String {
    match Params::parse(format!("x={text}").as_bytes()) {
        Some(params) => params.get("x").unwrap_or(text).to_owned(),
        None => text.to_owned(),
    }
}

/// The agent that the request names, where it must.
fn agent(app: &App, params: &Params) -> Result<Option<String>, Stop> {
    let Some(name) = app.face.rules.agent_parameter else {
        return Ok(None);
    };
    match params.get(name) {
        Some(id) if app.agent(id).is_some() || app.broken(HaspFault::AgentUnchecked) => {
            Ok(Some(id.to_owned()))
        }
        Some(_) => stop("invalid_request", format!("{name} is not known")),
        None if app.broken(HaspFault::AgentOptional) => {
            Ok(app.agents.first().map(|agent| agent.id.clone()))
        }
        None => stop("invalid_request", format!("{name} is required")),
    }
}

/// The scopes asked for, or the default ones (RFC 6749 §3.3).
pub(super) fn scopes(app: &App, client: &Client, params: &Params) -> Result<Vec<String>, Stop> {
    let text = match params.get("scope") {
        Some(text) => text,
        None if params.sent("scope") && app.broken(Fault::EmptyNotOmitted) => {
            return stop("invalid_scope", "scope is empty");
        }
        None if app.broken(AgnicFault::DefaultScopeLess) => "balance:read",
        None => app.face.default_scope,
    };
    read_scopes(app, client, text).or_else(|what| stop("invalid_scope", what))
}

/// The resources asked for, or the default one (RFC 8707 §2).
pub(super) fn resources(app: &App, params: &Params) -> Result<Vec<String>, Stop> {
    let default = app.face.default_resource.and_then(|name| {
        app.face
            .resources
            .iter()
            .find(|resource| resource.name == name)
    });
    let asked = params.all("resource");
    if asked.is_empty() || app.broken(Fault::ResourceIgnored) || !app.face.rules.resource_indicators
    {
        let default = default.or_else(|| {
            let first = app.face.resources.first();
            first.filter(|_| app.broken(HightopFault::ResourceOptional))
        });
        return match default {
            Some(resource) => Ok(vec![app.url(resource.path)]),
            None => stop("invalid_target", "resource is required"),
        };
    }
    let mut resources = read_resources(app, &asked).or_else(|what| stop("invalid_target", what))?;
    if app.broken(Fault::ResourceFirstOnly) {
        resources.truncate(1);
    }
    Ok(resources)
}

/// The subject a parameter names. Nothing but a login may choose the subject, so this is `None` on a correct server.
fn chosen_subject(app: &App, params: &Params) -> Option<String> {
    // Whoever is named becomes the subject, known or not.
    let subject = |name: &str| match app.user_named(name).and_then(|user| app.users.get(user)) {
        Some(user) => user.sub.clone(),
        None => name.to_owned(),
    };
    let by_hint = || {
        params
            .get("login_hint")
            .filter(|_| app.broken(Fault::LoginHintChoosesSubject))
            .map(subject)
    };
    let by_user_id = || {
        params
            .get("user_id")
            .filter(|_| app.broken(Fault::UserIdChoosesSubject))
            .map(subject)
    };
    let by_claims = || {
        let claims: Value = params
            .get("claims")
            .filter(|_| app.broken(Fault::ClaimsChoosesSubject))
            .and_then(|text| serde_json::from_str(text).ok())?;
        let sub = claims
            .pointer("/id_token/sub")
            .or_else(|| claims.pointer("/userinfo/sub"))?;
        let value = sub
            .get("value")
            .or_else(|| sub.pointer("/values/0"))
            .unwrap_or(sub);
        Some(subject(value.as_str()?))
    };
    let by_id_token = || {
        let token = params
            .get("id_token_hint")
            .filter(|_| app.broken(Fault::IdTokenHintChoosesSubject))?;
        Some(subject(jose::Token::parse(token).ok()?.claim_str("sub")?))
    };
    by_hint()
        .or_else(by_user_id)
        .or_else(by_claims)
        .or_else(by_id_token)
}
