//! `oauthspec scan`: what can be said about a server one only visits.

use crate::exit::Exit;
use crate::run::Options;
use crate::suite::model::{Case, Step, Suite, Value, Verb};
use crate::targets::from_issuer;

use super::args::ScanArgs;
use super::run::{Asked, perform};
use super::{Failure, print, suites, target};

pub(super) async fn scan(arguments: &ScanArgs) -> Result<Exit, Failure> {
    let mut target =
        from_issuer(&arguments.issuer).map_err(|problem| Failure::usage(problem.to_string()))?;
    if let Some(path) = &arguments.ca {
        target.network.ca = target::certificates(path)?.into_bytes();
    }
    let all = suites::load(&[])?;
    let later = with_a_login(&all, &arguments.issuer);
    let suites = visiting(all);
    let options = Options {
        jobs: 2,
        rate: Some(arguments.rate),
        timeout: arguments.timeout,
        deadline: arguments.deadline,
        // Nothing here does what any visitor's client does not do.
        i_am_authorized: true,
        ..Options::default()
    };
    let ready = target::Ready {
        target,
        reference: None,
    };
    let exit = perform(Asked {
        ready,
        suites,
        options,
        reports: &arguments.reports,
        quiet: arguments.quiet,
        update: None,
    })
    .await?;
    print::note(&later);
    Ok(exit)
}

/// What stays unknown without a login: how many cases of which suites.
fn with_a_login(suites: &[Suite], issuer: &str) -> String {
    let mut all = 0;
    let mut parts = Vec::new();
    for suite in suites {
        let more = suite.cases.iter().filter(|case| !harmless(case)).count();
        if more > 0 {
            parts.push(format!("{} {more}", suite.name));
        }
        all += more;
    }
    format!(
        "A login would add up to {all} cases: {}. `oauthspec list --suite NAME` names them; next: oauthspec init {}",
        parts.join(", "),
        crate::report::text::line(issuer)
    )
}

/// The cases that need no login and change nothing: each step reads a public document.
fn visiting(suites: Vec<Suite>) -> Vec<Suite> {
    suites
        .into_iter()
        .map(|mut suite| {
            suite.cases.retain(harmless);
            suite
        })
        .filter(|suite| !suite.cases.is_empty())
        .collect()
}

fn harmless(case: &Case) -> bool {
    let asks = ["login", "registration", "listener"];
    case.needs.iter().all(|need| !asks.contains(&need.as_str())) && case.steps.iter().all(reads)
}

fn reads(step: &Step) -> bool {
    match step.verb {
        Verb::Discover => step.change.is_empty() && step.parallel.is_none(),
        // An `http` step without a method is a POST where its endpoint takes one.
        Verb::Http => {
            step.at.as_deref() == Some("jwks")
                && step.change.is_empty()
                && step
                    .given
                    .iter()
                    .all(|(name, value)| name == "@method" && is_get(value))
        }
        _ => false,
    }
}

fn is_get(value: &Value) -> bool {
    use crate::suite::model::{Part, Template};
    matches!(value, Value::Text(Template(parts)) if *parts == [Part::Text("GET".to_owned())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_only_reads_public_documents_and_finds_some() {
        let cases: Vec<Case> = visiting(suites::load(&[]).unwrap())
            .into_iter()
            .flat_map(|suite| suite.cases)
            .collect();
        assert!(cases.len() >= 10, "{}", cases.len());
        for case in cases {
            for step in &case.steps {
                assert!(
                    matches!(step.verb, Verb::Discover | Verb::Http),
                    "{}",
                    case.id
                );
            }
            assert!(
                !case
                    .needs
                    .iter()
                    .any(|need| need == "login" || need == "registration"),
                "{}",
                case.id
            );
        }
    }
}
