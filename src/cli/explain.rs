//! `oauthspec explain ID`: everything that has a name says what it is.

use std::fmt::Write as _;

use crate::diagnostic::nearest;
use crate::event::Verdict;
use crate::exit::Exit;
use crate::profile::{self, Profile};
use crate::report::level_word;

use super::{Failure, list, print, suites};

/// One thing that can be explained.
struct Topic {
    /// What kind of thing: `verdict`, `exit code`, …
    kind: &'static str,
    /// Its name, unique within its kind.
    name: String,
    /// Its line in the list.
    brief: String,
    /// What is printed.
    text: String,
}

pub(super) fn explain(topic: Option<&str>) -> Result<Exit, Failure> {
    let topics = topics()?;
    let Some(asked) = topic else {
        print::text(&contents(&topics))?;
        return Ok(Exit::Conforms);
    };
    let found: Vec<&Topic> = topics
        .iter()
        .filter(|topic| matches(topic, asked))
        .collect();
    if found.is_empty() {
        return Err(Failure::usage(unknown(asked, &topics)));
    }
    let mut out = String::new();
    for (index, topic) in found.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let _ = writeln!(
            out,
            "{} {}\n\n{}",
            topic.kind,
            topic.name,
            topic.text.trim_end()
        );
    }
    print::text(&out)?;
    Ok(Exit::Conforms)
}

/// `jwt.alg-none`, `forge.jwt.alg-none` and `forge jwt.alg-none` all name the same.
fn matches(topic: &Topic, asked: &str) -> bool {
    let kind = topic.kind.split(' ').next().unwrap_or(topic.kind);
    asked == topic.name
        || asked
            .strip_prefix(kind)
            .and_then(|rest| rest.strip_prefix(['.', ' ']))
            == Some(topic.name.as_str())
}

fn unknown(asked: &str, topics: &[Topic]) -> String {
    let mut near: Vec<&str> = topics
        .iter()
        .filter(|topic| topic.name.contains(asked) || asked.contains(topic.name.as_str()))
        .map(|topic| topic.name.as_str())
        .collect();
    near.truncate(5);
    if near.is_empty() {
        near.extend(nearest(
            asked,
            topics.iter().map(|topic| topic.name.as_str()),
        ));
    }
    let hint = if near.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", near.join(", "))
    };
    format!("nothing is called `{asked}`{hint} (`oauthspec explain` lists everything)")
}

fn contents(topics: &[Topic]) -> String {
    let mut out = String::new();
    let mut kind = "";
    for topic in topics {
        if topic.kind != kind {
            kind = topic.kind;
            let _ = writeln!(out, "{}{kind}", if out.is_empty() { "" } else { "\n" });
        }
        let _ = writeln!(out, "  {:<28} {}", topic.name, topic.brief);
    }
    out
}

fn topics() -> Result<Vec<Topic>, Failure> {
    let mut topics = Vec::new();
    for verdict in Verdict::ALL {
        let text = verdict_text(verdict);
        topics.push(Topic {
            kind: "verdict",
            name: verdict.word().to_owned(),
            brief: first_sentence(text),
            text: text.to_owned(),
        });
    }
    for exit in Exit::ALL {
        topics.push(Topic {
            kind: "exit code",
            name: exit.code().to_string(),
            brief: exit.words().to_owned(),
            text: format!("{}\n\n{}", exit.words(), exit.doc()),
        });
    }
    for profile in profile::all() {
        topics.push(Topic {
            kind: "profile",
            name: profile.name.clone(),
            brief: profile.title.clone(),
            text: profile_text(profile)?,
        });
    }
    let tokens = jose::Forge::ALL
        .iter()
        .map(|forge| (forge.name(), forge.doc()));
    let proofs = jose::Flaw::ALL.iter().map(|flaw| (flaw.name(), flaw.doc()));
    for (name, doc) in tokens.chain(proofs) {
        topics.push(Topic {
            kind: "forge",
            name: name.to_owned(),
            brief: first_sentence(doc),
            text: doc.trim().to_owned(),
        });
    }
    for fault in refserver::Fault::every() {
        let found = match fault.kind() {
            refserver::Kind::Case => {
                let of = match fault.face().service() {
                    Some(_) => format!("a fault of the face {}\n", fault.face().name()),
                    None => String::new(),
                };
                format!(
                    "{of}turns red: {}\nsee it: oauthspec run {} --fault {}",
                    fault.breaks().join(", "),
                    crate::targets::reference::shows(fault),
                    fault.name()
                )
            }
            refserver::Kind::Deep => "found by: oauthspec fuzz".to_owned(),
        };
        topics.push(Topic {
            kind: "fault",
            name: fault.name().to_owned(),
            brief: first_sentence(fault.doc()),
            text: format!("{}\n\n{found}", fault.doc().trim()),
        });
    }
    for oracle in crate::fuzz::oracle::Oracle::ALL {
        topics.push(Topic {
            kind: "oracle",
            name: oracle.name().to_owned(),
            brief: oracle.title().to_owned(),
            text: format!(
                "{}\n\n{}\n\nA correct server: {}\n\n{}",
                oracle.title(),
                oracle.why(),
                oracle.fix(),
                oracle.refs().join(", ")
            ),
        });
    }
    for name in crate::check::NAMES {
        if let Some(doc) = crate::check::doc(name) {
            topics.push(Topic {
                kind: "check",
                name: (*name).to_owned(),
                brief: first_sentence(doc.passes),
                text: doc.to_string(),
            });
        }
    }
    for suite in suites::load(&[])? {
        for case in &suite.cases {
            topics.push(Topic {
                kind: "case",
                name: case.id.clone(),
                brief: case.title.clone(),
                text: list::describe(case),
            });
        }
    }
    Ok(topics)
}

/// What a profile is, and where it is not of the suites' opinion.
fn profile_text(profile: &Profile) -> Result<String, Failure> {
    let mut out = format!(
        "{}\n\n{}\n\n{} cases\n",
        profile.title,
        profile.about,
        profile.len()
    );
    let suites = suites::load(&[])?;
    for case in suites.iter().flat_map(|suite| &suite.cases) {
        if let Some(level) = profile.level(&case.id).filter(|level| *level != case.level) {
            let (here, own) = (level_word(level), level_word(case.level));
            let _ = writeln!(out, "  {:<44} {here} (elsewhere {own})", case.id);
        }
    }
    Ok(out)
}

fn first_sentence(text: &str) -> String {
    let end = text.find(". ").map_or(text.len(), |end| end + 1);
    text.get(..end).unwrap_or(text).trim().replace('\n', " ")
}

fn verdict_text(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => {
            "The requirement holds, and that was earned. A refusal counts only beside a control: the same flow, in \
             the same run, without the one deviation, which succeeded before and after."
        }
        Verdict::Warn => {
            "A SHOULD is broken, or the refusal came with an error code that is not among the expected ones. It does \
             not fail the run unless --strict is given."
        }
        Verdict::Skipped => {
            "The target lacks something the case needs. The reason names it, and what in the target file would \
             enable it."
        }
        Verdict::Inconclusive => {
            "It could not be known: the control failed, the server throttled the requests, or another fault hides \
             this one. It is never counted as a pass; mend what the reason names and run again."
        }
        Verdict::Fail => {
            "A MUST is broken, or a promise of the profile's service. The report shows the one deviation, the control \
             beside the failing exchange, the clause and how to mend it."
        }
        Verdict::Error => {
            "The harness itself, or its configuration, broke while it worked on the case. Nothing is said about the \
             target."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_is_found_by_its_name_and_says_something() {
        let topics = topics().unwrap();
        for topic in &topics {
            assert!(!topic.text.trim().is_empty(), "{}", topic.name);
            assert!(topics.iter().any(|other| matches(other, &topic.name)));
        }
        assert!(topics.iter().any(|topic| matches(topic, "exit.4")));
        assert!(
            topics
                .iter()
                .any(|topic| matches(topic, "forge.jwt.alg-none"))
        );
    }

    #[test]
    fn an_unknown_name_is_answered_with_near_ones() {
        assert!(unknown("alg-none", &topics().unwrap()).contains("jwt.alg-none"));
        assert!(unknown("xyzzy", &topics().unwrap()).contains("lists everything"));
    }
}
