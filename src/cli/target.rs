//! What TARGET on the command line means: the embedded reference server, a target file, or an issuer.

use std::path::Path;

use refserver::{Face, Fault};

use crate::diagnostic::{Diagnostics, nearest};
use crate::run::prepare;
use crate::targets::gaps::{Gap, STAND_IN, sketch};
use crate::targets::model::Target;
use crate::targets::reference::Reference;
use crate::targets::{from_issuer, load};
use crate::transport::Network;

use super::{Failure, print};

/// A target that is ready, with the server behind it when it is ours.
pub(super) struct Ready {
    /// What is tested.
    pub target: Target,
    /// The embedded server, while it runs.
    pub reference: Option<Reference>,
}

impl Ready {
    /// Stops what was started for the command.
    pub async fn stop(self) {
        if let Some(reference) = self.reference {
            reference.stop().await;
        }
    }
}

/// Makes TARGET ready. `faults` are for the reference server only.
pub(super) async fn ready(name: &str, faults: &[String]) -> Result<Ready, Failure> {
    if name == "reference" || name.starts_with("reference:") {
        let face = face(
            name.strip_prefix("reference:")
                .unwrap_or(Face::default().name()),
        )?;
        let faults = faults
            .iter()
            .map(|fault| self::fault(fault))
            .collect::<Result<Vec<_>, _>>()?;
        of_this_face(face, &faults)?;
        let reference = Reference::start(face, faults, 0).await.map_err(|error| {
            Failure::unreachable(format!("the reference server does not start: {error}"))
        })?;
        return Ok(Ready {
            target: reference.target.clone(),
            reference: Some(reference),
        });
    }
    if !faults.is_empty() {
        return Err(Failure::usage(format!(
            "--fault is for the reference server; the target is {name}"
        )));
    }
    let target = if name.starts_with("http://") || name.starts_with("https://") {
        from_issuer(name).map_err(|problem| Failure::usage(problem.to_string()))?
    } else if name.ends_with(".toml") || Path::new(name).is_file() {
        let loaded =
            load(Path::new(name)).map_err(|problems| Failure::usage(problems.to_string()))?;
        for warning in &loaded.warnings {
            print::note(&warning.to_string());
        }
        loaded.target
    } else {
        return Err(Failure::usage(format!(
            "`{name}` is no target: give a target file (a path that ends in .toml), an issuer (https://…), or `reference`"
        )));
    };
    Ok(Ready {
        target,
        reference: None,
    })
}

/// What keeps a target file's server from being asked anything yet.
pub(super) struct Wanting {
    /// The target, with stand-ins for what is missing.
    pub target: Target,
    /// What its file takes from outside and is not there.
    pub gaps: Vec<Gap>,
    /// Hosts elsewhere that nobody has permitted to test.
    pub foreign: Vec<String>,
}

/// Looks at TARGET without sending anything. `None`: nothing is missing, or it is no file.
pub(super) fn wanting(name: &str, authorized: bool) -> Result<Option<Wanting>, Failure> {
    let path = Path::new(name);
    if !name.ends_with(".toml") && !path.is_file() {
        return Ok(None);
    }
    let refused = |problems: Diagnostics| Failure::usage(problems.to_string());
    let (target, gaps) = match sketch(path, crate::login::browser_is_here).map_err(refused)? {
        Some(sketch) => (sketch.target, sketch.gaps),
        None => (load(path).map_err(refused)?.target, Vec::new()),
    };
    let mut foreign = if authorized {
        Vec::new()
    } else {
        prepare::foreign(&target)
    };
    foreign.retain(|host| !host.contains(STAND_IN));
    let missing = !gaps.is_empty() || !foreign.is_empty();
    Ok(missing.then_some(Wanting {
        target,
        gaps,
        foreign,
    }))
}

/// The longest file of certificates: a CA's own, not everybody's.
const MAX_CA: u64 = 256 * 1024;

/// The certificates of a PEM file, and nothing else of it: a private key beside them stays where it is.
pub(super) fn certificates(path: &Path) -> Result<String, Failure> {
    use std::io::Read as _;
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let shown = path.display();
    let mut text = String::new();
    let read =
        std::fs::File::open(path).and_then(|file| file.take(MAX_CA).read_to_string(&mut text));
    if let Err(why) = read {
        return Err(Failure::usage(format!(
            "{shown} (--ca) cannot be read: {why}"
        )));
    }
    let blocks = text.split(BEGIN).skip(1);
    let blocks = blocks.filter_map(|rest| Some(rest.split_once(END)?.0.trim()));
    let fits = |block: &&str| {
        let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=\r\n".contains(&byte);
        !block.is_empty() && block.bytes().all(base64)
    };
    let all: String = (blocks.filter(fits))
        .map(|block| format!("{BEGIN}\n{block}\n{END}\n"))
        .collect();
    if all.is_empty() {
        return Err(Failure::usage(format!(
            "{shown} holds no certificate: --ca wants PEM, which has the line {BEGIN}"
        )));
    }
    Ok(all)
}

/// The network with these further root certificates, and otherwise as the environment says.
pub(super) fn network(ca: &str) -> Network {
    let network = Network {
        ca: ca.as_bytes().to_vec(),
        ..Network::default()
    };
    network.with_environment(&|name| std::env::var(name).ok())
}

/// The face of this name.
pub(super) fn face(name: &str) -> Result<Face, Failure> {
    Face::parse(name).ok_or_else(|| {
        let names: Vec<&str> = Face::ALL.iter().map(|face| face.name()).collect();
        Failure::usage(format!(
            "the reference server has no face `{name}`; it has: {}",
            names.join(", ")
        ))
    })
}

/// Refuses faults that break promises of another face: they would do nothing here.
pub(super) fn of_this_face(face: Face, faults: &[Fault]) -> Result<(), Failure> {
    let foreign = (faults.iter())
        .find(|fault| fault.face().service().is_some() && fault.face().service() != face.service());
    match foreign {
        None => Ok(()),
        Some(fault) => Err(Failure::usage(format!(
            "`{}` is a fault of the face `{}`: it needs the target reference:{}",
            fault.name(),
            fault.face().name(),
            fault.face().name()
        ))),
    }
}

/// The fault of this name.
pub(super) fn fault(name: &str) -> Result<Fault, Failure> {
    Fault::parse(name).ok_or_else(|| {
        let all = Fault::every();
        let hint = nearest(name, all.map(|fault| fault.name()))
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        Failure::usage(format!(
            "the reference server has no fault `{name}`{hint} (`oauthspec explain` lists the faults)"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(name: &str, faults: &[&str]) -> String {
        let faults: Vec<String> = faults.iter().map(|fault| (*fault).to_owned()).collect();
        match ready(name, &faults).await {
            Ok(_) => panic!("{name} was accepted"),
            Err(failure) => failure.message,
        }
    }

    #[tokio::test]
    async fn what_is_no_target_is_answered_with_what_one_is() {
        assert!(
            refused("as.example", &[])
                .await
                .contains("an issuer (https://…)")
        );
        assert!(
            refused("reference:nobody", &[])
                .await
                .contains("it has: reference")
        );
        assert!(
            refused("reference", &["xyzzy"])
                .await
                .contains("has no fault `xyzzy`")
        );
        assert!(
            refused("https://as.example", &["xyzzy"])
                .await
                .contains("--fault is for the reference server")
        );
        assert!(refused("missing.toml", &[]).await.contains("missing.toml"));
    }

    #[test]
    fn of_a_pem_file_only_the_certificates_are_taken() {
        let block = |label: &str, body: &str| {
            format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
        };
        let path = std::env::temp_dir().join(format!("oauthspec-ca-{}.pem", std::process::id()));
        let both = block("CERTIFICATE", "MIIB\nAA==") + &block("CERTIFICATE", "'''\nissuer = 1");
        let text = format!("words\n{}{both}", block("PRIVATE KEY", "MC4C"));
        std::fs::write(&path, text).unwrap();
        let Ok(taken) = certificates(&path) else {
            panic!("refused");
        };
        assert_eq!(taken, block("CERTIFICATE", "MIIB\nAA=="));
        std::fs::write(&path, block("PRIVATE KEY", "MC4C")).unwrap();
        assert!(certificates(&path).is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(certificates(&path).is_err());
    }

    #[tokio::test]
    async fn the_reference_server_is_started_and_stopped() {
        let first = Fault::ALL[0].name().to_owned();
        let ready = ready("reference", &[first]).await.unwrap();
        assert!(ready.target.issuer.starts_with("http://127.0.0.1:"));
        ready.stop().await;
    }
}
