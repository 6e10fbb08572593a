//! Before a case runs: find the target, register what must be registered, and prove that the
//! correct flow works. A configuration mistake is found here and never looks like a server's failure.

mod connect;
mod documents;
mod preflight;
mod registration;

use std::time::Duration;

use super::Options;
use crate::client::World;
use crate::client::listener::Listener;
use crate::exit::Exit;
use crate::targets::model::{Endpoints, Target};

pub(crate) use connect::{connect, foreign, open_issuer};
pub(crate) use documents::read_metadata;
pub(crate) use registration::register_each;

/// Time limits of one exchange that the preflight may take.
pub(crate) const PREFLIGHT: u32 = 12;

/// A target that can be tested.
pub struct Prepared {
    /// Shared by all scenes.
    pub world: World,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Why a capability is absent, where more can be said than that.
    pub reasons: Vec<(String, String)>,
    /// Whether the correct flow works.
    pub preflight: Result<(), String>,
    /// Things the user should know.
    pub warnings: Vec<String>,
}

impl Prepared {
    /// Whether the target has this capability.
    pub fn has(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|own| own == capability)
    }
}

/// Why nothing can be tested.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration forbids it.
    #[error("{0}")]
    Configuration(String),
    /// The target is not there, or the correct flow does not work.
    #[error("{0}")]
    Unreachable(String),
}

impl Failure {
    /// The exit code it leads to.
    pub fn exit(&self) -> Exit {
        match self {
            Failure::Configuration(_) => Exit::Usage,
            Failure::Unreachable(_) => Exit::Unreachable,
        }
    }
}

/// Finds the target and proves that it works.
///
/// # Errors
/// [`Failure`], when nothing could be decided.
pub async fn prepare(target: Target, options: &Options) -> Result<Prepared, Failure> {
    let mut world = connect(target, options)?;
    let mut warnings = Vec::new();
    let minted = world.target.mint.is_some();
    let reached = if minted {
        open_issuer(&mut world).await?;
        Ok(None)
    } else {
        read_metadata(&mut world, &mut warnings).await
    };
    let mut silent = None;
    let metadata_missing = match reached {
        Err(reason) if options.despite_preflight => {
            silent = Some(reason);
            None
        }
        Err(reason) => return Err(Failure::Unreachable(reason)),
        Ok(missing) => missing,
    };
    let given = world.target.login.driver.brings_tokens();
    if given {
        // Nothing may be asked of the authorization server in the name of the given tokens.
        world.endpoints = Endpoints {
            jwks: world.endpoints.jwks.take(),
            introspection: world.endpoints.introspection.take(),
            ..Endpoints::default()
        };
    }
    if world.endpoints.token.is_none() && !given && !options.despite_preflight {
        let why = metadata_missing.unwrap_or_else(|| "the metadata names none".into());
        return Err(Failure::Unreachable(format!(
            "no token endpoint is known ({why}); check the issuer's spelling, or write it under [endpoints] in the target file"
        )));
    }
    if connect::near(&world) {
        world.listener = Listener::start(world.key.public_jwks().to_string())
            .await
            .ok();
    }
    let mut prepared = Prepared {
        capabilities: Vec::new(),
        reasons: Vec::new(),
        preflight: Ok(()),
        warnings,
        world,
    };
    registration::register_clients(&mut prepared).await;
    look(&mut prepared, options.timeout * PREFLIGHT).await;
    if let (Ok(()), Some(reason), false) = (&prepared.preflight, silent, given) {
        // Nothing to act with and nobody who answers: the latter comes first.
        prepared.preflight = Err(reason);
    }
    match prepared.preflight.clone() {
        Err(reason) if !options.despite_preflight => {
            let leftovers = super::cleanup::clean(&prepared.world, false).await;
            let mut text = reason;
            for leftover in leftovers {
                text.push_str(&format!("; left behind: {leftover}"));
            }
            Err(Failure::Unreachable(text))
        }
        _ => Ok(prepared),
    }
}

/// Finds out what a connected target with its clients can do, and whether the correct flow works.
pub(crate) async fn look(prepared: &mut Prepared, bound: Duration) {
    prepared.capabilities = prepared.world.static_capabilities();
    documents::look_at_documents(prepared).await;
    registration::look_at_registration(prepared).await;
    prepared.preflight = preflight::preflight(prepared, bound).await;
}
