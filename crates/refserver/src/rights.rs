//! Scopes, resources and authorization details: what may be asked for at all, and within a grant. Names are compared letter for letter (RFC 6749 §3.3, RFC 8707 §2).

use serde_json::Value;

use crate::{
    App, Fault, HightopFault,
    endpoint::Fail,
    http::Params,
    rar,
    state::{Client, Grant},
};

/// Reads a scope value and bounds it by what exists and what the client registered. `Err` is a description.
pub(crate) fn read_scopes(app: &App, client: &Client, text: &str) -> Result<Vec<String>, String> {
    let quoted = |what: &str| {
        if app.broken(Fault::ErrorDescriptionRaw) {
            format!("{what}: \"{text}\"")
        } else {
            what.to_owned()
        }
    };
    let allowed_byte =
        |b: u8| b == 0x21 || (0x23..=0x5b).contains(&b) || (0x5d..=0x7e).contains(&b);
    let known = |scope: &str| {
        app.face
            .scopes
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| {
                !(*name == "agent:borrow:write" && app.broken(HightopFault::ScopeForgotten))
            })
            .find(|name| *name == scope)
    };
    let mut scopes: Vec<String> = Vec::new();
    // A server without scopes is asked for none.
    if text.is_empty() && app.face.scopes.is_empty() {
        return Ok(scopes);
    }
    for word in text.split(' ') {
        if word.is_empty() || !word.bytes().all(allowed_byte) {
            if app.broken(Fault::ScopeMalformed) {
                continue;
            }
            return Err(quoted("scope is malformed"));
        }
        let found = known(word)
            .map(str::to_owned)
            .or_else(|| {
                let names = || app.face.scopes.iter().map(|(name, _)| *name);
                let near = names().any(|name| word.starts_with(name));
                (near && app.broken(Fault::ScopePrefix)).then(|| word.to_owned())
            })
            .or_else(|| {
                app.broken(Fault::ScopeUnknownGranted)
                    .then(|| word.to_owned())
            });
        let Some(scope) = found else {
            return Err(quoted("scope is unknown"));
        };
        let bounded = client.scope.as_ref().is_none_or(|own| own.contains(&scope))
            || app.broken(Fault::DcrScopeUnenforced);
        if !bounded {
            return Err(quoted("scope is not one the client has registered"));
        }
        if app.broken(Fault::ScopeOrderMatters) {
            let place = |scope: &str| app.face.scopes.iter().position(|(name, _)| *name == scope);
            if scopes
                .last()
                .is_some_and(|last| place(last) > place(&scope))
            {
                return Err("scopes are out of order".into());
            }
        }
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if scopes.is_empty() {
        return Err("scope is empty".into());
    }
    Ok(scopes)
}

/// Reads `resource` values: each must be a resource identifier of ours, letter for letter. `Err` is a description.
pub(crate) fn read_resources(app: &App, asked: &[&str]) -> Result<Vec<String>, &'static str> {
    let known = app.resource_ids();
    let mut resources: Vec<String> = Vec::new();
    for asked in asked {
        let asked = if app.broken(Fault::ResourceMalformed) {
            asked.split('#').next().unwrap_or(asked)
        } else {
            asked
        };
        let found = known
            .iter()
            .find(|id| {
                *id == asked
                    || (app.broken(Fault::ResourcePrefix) && asked.starts_with(id.as_str()))
                    || (app.broken(Fault::ResourceHostOnly) && asked.starts_with(&app.origin))
            })
            .cloned()
            .or_else(|| {
                (app.broken(Fault::ResourceSpelling)
                    && known.iter().any(|id| asked.trim_end_matches('/') == id))
                .then(|| asked.to_owned())
            })
            .or_else(|| app.broken(Fault::ResourceUnknown).then(|| asked.to_owned()));
        let Some(id) = found else {
            return Err("resource is not one of this server's");
        };
        if !resources.contains(&id) {
            resources.push(id);
        }
    }
    Ok(resources)
}

/// The resources that a request without a grant before it asks for: those it names, or the default one.
pub(crate) fn resources_asked(app: &App, params: &Params) -> Result<Vec<String>, Fail> {
    let asked = params.all("resource");
    if !asked.is_empty() {
        return read_resources(app, &asked).map_err(|what| ("invalid_target", what));
    }
    let default = (app.face.default_resource).ok_or(("invalid_target", "resource is required"))?;
    let resources = app.face.resources.iter();
    Ok(resources
        .filter(|resource| resource.name == default)
        .map(|resource| app.url(resource.path))
        .collect())
}

/// The audience asked for: within the grant (RFC 8707 §2.2), or all of it.
pub(crate) fn audience(
    app: &App,
    params: &Params,
    grant: &Grant,
    any_known: bool,
) -> Result<Vec<String>, Fail> {
    let asked = params.all("resource");
    if asked.is_empty() && app.broken(HightopFault::AudienceForgotten) {
        let all = app.face.resources.iter();
        return Ok(all.map(|resource| app.url(resource.path)).collect());
    }
    let ignored = [
        Fault::ResourceIgnored,
        Fault::AudienceMissing,
        Fault::AudienceAll,
    ]
    .iter()
    .any(|fault| app.broken(*fault));
    if asked.is_empty() || ignored || !app.face.rules.resource_indicators {
        return Ok(grant.resources.clone());
    }
    if app.broken(Fault::ResourceTokenUnknown) {
        return Ok(asked.into_iter().map(str::to_owned).collect());
    }
    let mut asked = read_resources(app, &asked).map_err(|what| ("invalid_target", what))?;
    if app.broken(Fault::ResourceFirstOnly) {
        asked.truncate(1);
    }
    if !any_known && asked.iter().any(|id| !grant.resources.contains(id)) {
        return Err(("invalid_target", "this resource was not granted"));
    }
    Ok(asked)
}

/// The authorization details asked for: within the grant (RFC 9396 §6), or all of them.
pub(crate) fn details(
    app: &App,
    params: &Params,
    grant: &Grant,
    any_valid: bool,
) -> Result<Vec<Value>, Fail> {
    let Some(text) = params.get("authorization_details") else {
        return Ok(grant.details.clone());
    };
    let asked = rar::read(app, text).map_err(|_| {
        (
            "invalid_authorization_details",
            "authorization_details is not valid",
        )
    })?;
    if !any_valid && !rar::within(app, &asked, &grant.details) {
        return Err((
            "invalid_authorization_details",
            "authorization_details exceeds what was granted",
        ));
    }
    Ok(asked)
}
