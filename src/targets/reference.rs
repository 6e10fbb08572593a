//! The embedded reference server as a target: started in this process, on loopback, and described to
//! the harness by what it says about itself.

use std::io;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use refserver::{Face, Facts, Fault, Server};
use url::Url;

use super::model::{
    Client, ClientAuth, ClientKind, Driver, Endpoints, Login, LoginStep, Mint, Policy, Resource,
    Target, User,
};

/// A running reference server and the target that describes it.
#[derive(Debug)]
pub struct Reference {
    /// What the harness tests.
    pub target: Target,
    server: Server,
}

impl Reference {
    /// Starts the server with this face and these faults on this port (0: a free one); returns once
    /// it listens.
    ///
    /// # Errors
    /// The port cannot be listened on.
    pub async fn start(face: Face, faults: Vec<Fault>, port: u16) -> io::Result<Reference> {
        Reference::trusting(face, faults, port, None).await
    }

    /// The same; the face `alone` trusts `issuer`, an http URL on loopback where oauthspec then serves the issuer's documents.
    ///
    /// # Errors
    /// The port cannot be listened on.
    pub async fn trusting(
        face: Face,
        faults: Vec<Fault>,
        port: u16,
        issuer: Option<String>,
    ) -> io::Result<Reference> {
        let server = refserver::serve(refserver::Options {
            face,
            faults,
            port,
            trust: issuer,
        })
        .await?;
        let mut target = target(server.facts());
        if face != Face::default() {
            target.name = format!("reference:{}", face.name());
        }
        match face {
            Face::Mcp => target.profiles = vec!["mcp-2026-07-28".to_owned()],
            Face::Mcp2025 => target.profiles = vec!["mcp-2025-11-25".to_owned()],
            _ => {}
        }
        Ok(Reference { target, server })
    }

    /// Every secret the server has made and still remembers (see [`Server::secrets`]).
    pub fn secrets(&self) -> Vec<String> {
        self.server.secrets()
    }

    /// Makes the server lose what a restart of its process would (see [`Server::restart`]).
    pub fn restart(&self) {
        self.server.restart();
    }

    /// Stops the server; its tasks end within a second.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

/// The target in which a fault shows: its own face, and for what only MCP's profile judges the face of that profile.
#[must_use]
pub fn shows(fault: Fault) -> String {
    let only_mcp = fault.breaks().iter().all(|id| id.starts_with("mcp."));
    let face = match fault.face() {
        Face::Reference if only_mcp => Face::Mcp,
        face => face,
    };
    match face {
        Face::Reference => "reference".to_owned(),
        face => format!("reference:{}", face.name()),
    }
}

/// The target that the facts of a running reference server describe.
pub fn target(facts: &Facts) -> Target {
    Target {
        name: "reference".into(),
        source: None,
        issuer: facts.issuer.clone(),
        profiles: std::iter::once("oauth21".to_owned())
            .chain(facts.service.clone())
            .collect(),
        clients: match facts.issuer_key {
            Some(_) => vec![minted_for()],
            None => facts.clients.iter().map(client).collect(),
        },
        resources: (facts.resources.iter())
            .filter_map(|fact| resource(fact, &facts.issuer))
            .collect(),
        users: facts
            .users
            .iter()
            .map(|fact| User {
                name: fact.name.clone(),
                fields: fact.fields.clone(),
            })
            .collect(),
        login: login(facts),
        policy: Policy {
            scope: (!facts.scope.is_empty()).then(|| facts.scope.clone()),
            revocation_lag: Duration::ZERO,
            replay_grace: Duration::ZERO,
            token_body_json: facts.token_json,
            resource_required: facts.resource_required,
            pkce_optional: !facts.pkce_required,
            rar: facts.rar_required.clone(),
            error_aliases: Vec::new(),
            times: Vec::new(),
            state_required: facts.state_required,
            burst: true,
            consent_remembered: false,
        },
        endpoints: endpoints(facts),
        introspection_client: facts.introspection_client.clone(),
        rar: facts.rar.clone(),
        params: facts.params.clone(),
        departures: facts.departures.clone(),
        hosts: Vec::new(),
        network: crate::transport::Network {
            ca: facts.certificate.clone().unwrap_or_default().into_bytes(),
            ..crate::transport::Network::default()
        },
        mint: facts.issuer_key.clone().map(|signer| Mint {
            signer: Arc::new(LazyLock::new(Box::new(move || signer))),
            serve: facts.trusts,
            typ: "at+jwt".into(),
            lifetime: Duration::from_secs(300),
            claims: serde_json::Map::new(),
        }),
    }
}

/// The client that our own tokens name.
fn minted_for() -> Client {
    Client {
        name: "a".into(),
        register: false,
        id: Some("oauthspec".into()),
        secret: None,
        auth: ClientAuth::None,
        kind: ClientKind::Public,
        redirect_uris: Vec::new(),
    }
}

fn client(fact: &refserver::ClientFact) -> Client {
    Client {
        name: fact.name.clone(),
        register: false,
        id: Some(fact.id.clone()),
        secret: fact.secret.clone(),
        auth: match fact.auth {
            "client_secret_basic" => ClientAuth::Basic,
            "client_secret_post" => ClientAuth::Post,
            "private_key_jwt" => ClientAuth::PrivateKeyJwt,
            _ => ClientAuth::None,
        },
        kind: match fact.kind {
            "confidential" => ClientKind::Confidential,
            "native" => ClientKind::Native,
            _ => ClientKind::Public,
        },
        redirect_uris: fact.redirect_uris.clone(),
    }
}

fn resource(fact: &refserver::ResourceFact, issuer: &str) -> Option<Resource> {
    let (method, path) = fact.probe.split_once(' ')?;
    // A resource server alone is not where its issuer is.
    let base = Url::parse(fact.id.as_deref().unwrap_or(issuer)).ok()?;
    let posts = method != "GET";
    Some(Resource {
        name: fact.name.clone(),
        id: fact.id.clone(),
        method: method.to_owned(),
        url: base.join(path).ok()?,
        body: posts.then(|| (body(fact), "application/json".to_owned())),
        mcp: fact.mcp.map(str::to_owned),
        scope: (!fact.scope.is_empty()).then(|| fact.scope.clone()),
        broader: fact.broader.clone(),
        rar: fact.rar.clone(),
    })
}

/// What is posted to a probe: at an MCP server, the call of a tool that its scope is for.
fn body(fact: &refserver::ResourceFact) -> String {
    if fact.mcp.is_none() {
        return "{}".to_owned();
    }
    let tool = if fact.scope == "write" {
        "write_item"
    } else {
        "read_items"
    };
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{{}}}}}}"#
    )
}

/// Where things are, when no metadata says so.
fn endpoints(facts: &Facts) -> Endpoints {
    let url = |name: &str| {
        let (_, path) = facts
            .endpoints
            .iter()
            .find(|(own, _)| !facts.metadata && *own == name)?;
        let base = Url::parse(&facts.issuer).ok()?;
        Some(base.join(path).ok()?.to_string())
    };
    Endpoints {
        authorization: url("authorization"),
        token: url("token"),
        registration: url("registration"),
        revocation: url("revocation"),
        introspection: url("introspection"),
        jwks: url("jwks"),
        ..Endpoints::default()
    }
}

/// A step for each page, with the user's own fields, and one to consent.
fn login(facts: &Facts) -> Login {
    let pages = facts.pages.iter().map(|page| LoginStep {
        fill: (page.fields.iter())
            .map(|name| (name.clone(), format!("$user.{name}")))
            .collect(),
        press: Some(page.button.clone()),
        ..LoginStep::default()
    });
    let approval = LoginStep {
        fill: (facts.approval.iter())
            .map(|(field, own)| (field.clone(), format!("$user.{own}")))
            .collect(),
        press: Some("Approve".into()),
        deny: Some("Deny".into()),
        partly: (facts.withheld.iter())
            .map(|(field, value)| (field.clone(), value.clone()))
            .collect(),
        ..LoginStep::default()
    };
    Login {
        driver: match (&facts.issuer_key, facts.script) {
            (Some(_), _) => Driver::Mint,
            (None, true) => Driver::Browser,
            (None, false) => Driver::Form,
        },
        steps: match facts.issuer_key {
            Some(_) => Vec::new(),
            None => pages.chain(std::iter::once(approval)).collect(),
        },
        ..Login::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_face_describes_a_target_with_what_its_cases_conventionally_need() {
        for face in Face::ALL {
            let reference = Reference::start(*face, Vec::new(), 0).await.unwrap();
            let target = &reference.target;
            let alone = target.mint.is_some();
            let scheme = if *face == Face::Tenant {
                "https"
            } else {
                "http"
            };
            let own = format!("{scheme}://127.0.0.1:");
            assert!(alone || target.issuer.starts_with(&own));
            assert!(target.client("a").is_some() && target.user("a").is_some());
            for resource in &target.resources {
                assert_eq!(resource.url.host_str(), Some("127.0.0.1"));
            }
            for client in &target.clients {
                let public = client.auth == ClientAuth::None;
                assert_eq!(public, client.secret.is_none(), "{}", client.name);
            }
            reference.stop().await;
        }
    }
}
