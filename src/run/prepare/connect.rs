//! The way to a target: who may be contacted, what of the target file is secret, and the issuer that we are.

use super::{Failure, Options};
use crate::client::World;
use crate::client::issuer::Issuer;
use crate::targets::model::Target;
use crate::transport::redact::Secrets;
use crate::transport::{AllowList, Transport};

/// Everything of a target that may be contacted.
fn contacted(target: &Target) -> Vec<String> {
    // The issuer that we are is not contacted.
    let mut urls: Vec<String> = Vec::new();
    urls.extend(target.mint.is_none().then(|| target.issuer.clone()));
    urls.extend(target.endpoints.all().map(str::to_owned));
    urls.extend(
        target
            .resources
            .iter()
            .map(|resource| resource.url.to_string()),
    );
    urls.extend(
        target
            .resources
            .iter()
            .filter_map(|resource| resource.id.clone()),
    );
    urls.extend(target.hosts.iter().cloned());
    urls
}

/// The hosts that are not on this machine: contacting them needs the user's word.
pub(crate) fn foreign(target: &Target) -> Vec<String> {
    let urls = contacted(target);
    let allow = AllowList::new(urls.iter().map(String::as_str), false);
    let hosts = allow.unauthorized().into_iter();
    hosts.map(str::to_owned).collect()
}

/// Makes a target reachable, and nothing else: nothing is sent.
///
/// # Errors
/// What the configuration forbids.
pub(crate) fn connect(target: Target, options: &Options) -> Result<World, Failure> {
    let urls = contacted(&target);
    let allow = AllowList::new(urls.iter().map(String::as_str), options.i_am_authorized);
    let unauthorized = allow.unauthorized();
    if !unauthorized.is_empty() {
        return Err(Failure::Configuration(format!(
            "the target is not on this machine ({}); pass --i-am-authorized if you may test it",
            unauthorized.join(", ")
        )));
    }
    // A round costs little where nobody else is served.
    let near = urls.iter().all(|url| allow.contains_loopback(url));
    let transport = Transport::through(
        allow,
        options.limits(),
        options.rate,
        target.network.clone(),
    )
    .map_err(|error| Failure::Configuration(error.to_string()))?;
    let mut secrets = Secrets::default();
    for client in &target.clients {
        if let Some(secret) = &client.secret {
            secrets.learn_given(secret, "client_secret");
        }
    }
    for (_, token) in &target.login.tokens {
        secrets.learn(token, "access_token");
    }
    for user in &target.users {
        for (_, value) in user.fields.iter().skip(1) {
            secrets.learn_given(value, "password");
        }
    }
    for (field, value) in target.login.steps.iter().flat_map(|step| &step.fill) {
        // A value in place of a reference to the user's.
        let sounds = ["password", "otp", "code", "pin", "secret"];
        let field = field.to_ascii_lowercase();
        if !value.starts_with('$') && sounds.iter().any(|word| field.contains(word)) {
            secrets.learn_given(value, "password");
        }
    }
    let proxy = target.network.proxy.as_deref();
    if let Some(proxy) = proxy.and_then(|proxy| url::Url::parse(proxy).ok())
        && let Some(password) = proxy.password()
    {
        secrets.learn_given(password, "password");
    }
    Ok(World {
        endpoints: target.endpoints.clone(),
        target,
        transport,
        metadata: None,
        metadata_url: None,
        resource_documents: std::collections::BTreeMap::new(),
        jwks: None,
        key: jose::SigningKey::generate(jose::Alg::ES256),
        canary: format!("oz{}", jose::random_token(6).replace(['-', '_'], "x")),
        listener: None,
        issuer: None,
        secrets,
        keep_evidence: options.keep_evidence,
        keep_secrets: options.keep_secrets,
        slow: options.slow,
        race_rounds: if near && options.rate.is_none() {
            12
        } else {
            5
        },
        registrations: std::sync::Mutex::new(Vec::new()),
        grants: std::sync::Mutex::new(Vec::new()),
        sessions: tokio::sync::Mutex::new(std::collections::BTreeMap::new()),
    })
}

/// Whether the tested servers are on this machine, so that they can reach a listener of ours.
pub(super) fn near(world: &World) -> bool {
    let target = &world.target;
    let place = match (&target.mint, target.resources.first()) {
        (Some(_), Some(resource)) => resource.url.as_str(),
        _ => target.issuer.as_str(),
    };
    world.transport.allow().contains_loopback(place)
}

/// Where oauthspec is the issuer: its key is the one to know, and its documents are served when the target file says so.
///
/// # Errors
/// The issuer's port cannot be had.
pub(crate) async fn open_issuer(world: &mut World) -> Result<(), Failure> {
    let Some(mint) = &world.target.mint else {
        return Ok(());
    };
    world.jwks = mint.signer.public_jwks();
    if let (true, Some(jwks)) = (mint.serve, &world.jwks) {
        let issuer = &world.target.issuer;
        let served = Issuer::serve(issuer, jwks).await.map_err(|why| {
            Failure::Configuration(format!(
                "the issuer's documents cannot be served at {issuer}: {why}; end what listens there, or choose another port"
            ))
        })?;
        world.issuer = Some(served);
    }
    Ok(())
}
