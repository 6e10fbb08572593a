//! What TARGET on the command line means: the embedded reference server, a target file, or an issuer.

use std::path::Path;

use refserver::{Face, Fault};

use crate::diagnostic::{Diagnostics, nearest};
use crate::run::prepare;
use crate::target::gaps::{Gap, STAND_IN, sketch};
use crate::target::model::Target;
use crate::target::reference::Reference;
use crate::target::{from_issuer, load};

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
    let (target, gaps) = match sketch(path).map_err(refused)? {
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

    #[tokio::test]
    async fn the_reference_server_is_started_and_stopped() {
        let first = Fault::ALL[0].name().to_owned();
        let ready = ready("reference", &[first]).await.unwrap();
        assert!(ready.target.issuer.starts_with("http://127.0.0.1:"));
        ready.stop().await;
    }
}
