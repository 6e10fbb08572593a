//! `--update-waivers`: brings the waiver file in step with what a run saw.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use jiff::civil::Date;
use jiff::{ToSpan as _, Zoned};
use toml::Value;

use crate::event::{Event, Verdict};
use crate::report::Report;
use crate::report::output::write_atomically;
use crate::report::text;
use crate::run::waiver::{Waiver, Waivers};

use super::print;

/// How long a new waiver counts, in days: it excuses for a while, and then asks again.
const DAYS: i32 = 90;

/// Hears a run and writes the file at its end.
pub(super) struct Update {
    path: PathBuf,
    old: Waivers,
    every: Vec<String>,
    strict: bool,
    today: Date,
    decided: Vec<(String, Verdict, String)>,
    whole: bool,
}

impl Update {
    /// Will bring `old`, read from `path`, in step. `every` holds the ids of all cases there are;
    /// `strict` says that warnings are waived too.
    pub(super) fn new(path: PathBuf, old: Waivers, every: Vec<String>, strict: bool) -> Update {
        Update {
            path,
            old,
            every,
            strict,
            today: Zoned::now().date(),
            decided: Vec::new(),
            whole: false,
        }
    }

    /// The file, and in words what changed.
    fn file(&self) -> (String, String) {
        let verdicts: Vec<(&str, Verdict)> = self
            .decided
            .iter()
            .map(|(id, verdict, _)| (id.as_str(), *verdict))
            .collect();
        let mut gone = self.old.stale(&verdicts);
        gone.extend(self.old.unknown(self.every.iter().map(String::as_str)));
        let kept: Vec<&Waiver> = self
            .old
            .0
            .iter()
            .filter(|waiver| !gone.contains(waiver))
            .collect();
        let mut out = String::from(
            "# Known failures: each with a reason, and the last day it counts. `oauthspec run --update-waivers` rewrites\n\
             # this file: what no longer fails goes, what fails is added, reasons and dates stay.\n",
        );
        for waiver in &kept {
            let expires = waiver.expires.map(|date| date.to_string());
            entry(&mut out, &waiver.case, &waiver.reason, expires.as_deref());
        }
        let until = self.today.saturating_add(DAYS.days()).to_string();
        let mut added = 0;
        for (id, verdict, reason) in &self.decided {
            let red = *verdict == Verdict::Fail || (self.strict && *verdict == Verdict::Warn);
            if red && !kept.iter().any(|waiver| waiver.covers(id)) {
                let reason = format!("not explained yet; seen: {}", text::line(reason));
                entry(&mut out, id, &reason, Some(&until));
                added += 1;
            }
        }
        let words = format!("{added} added, {} removed, {} kept", gone.len(), kept.len());
        (out, words)
    }
}

fn entry(out: &mut String, case: &str, reason: &str, expires: Option<&str>) {
    let quoted = |text: &str| Value::String(text.to_owned()).to_string();
    let _ = writeln!(
        out,
        "\n[[waiver]]\ncase = {}\nreason = {}",
        quoted(case),
        quoted(reason)
    );
    if let Some(expires) = expires {
        let _ = writeln!(out, "expires = {}", quoted(expires));
    }
}

impl Report for Update {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Case(case) => {
                let told = (case.id.clone(), case.verdict, case.reason.clone());
                self.decided.push(told);
            }
            Event::End(end) => self.whole = end.interrupted.is_none(),
            Event::Start(_) | Event::Progress { .. } => {}
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if !self.whole || self.decided.is_empty() {
            print::warning("the waivers stay as they are: the run did not come to its end");
            return Ok(());
        }
        self.decided.sort();
        let (file, words) = self.file();
        write_atomically(&self.path, file.as_bytes())?;
        print::note(&format!(
            "wrote {}: {words}; write down why each is accepted",
            self.path.display()
        ));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(old: &str, decided: &[(&str, Verdict)]) -> (Waivers, String) {
        let old = Waivers::load_str("waivers.toml", old).unwrap();
        let every = ["pkce.a", "pkce.b", "iss.c", "iss.d"];
        let mut update = Update::new(
            PathBuf::from("waivers.toml"),
            old,
            every.map(str::to_owned).into(),
            false,
        );
        update.decided = decided
            .iter()
            .map(|(id, verdict)| ((*id).to_owned(), *verdict, "it said \"no\"".to_owned()))
            .collect();
        let (file, words) = update.file();
        (Waivers::load_str("waivers.toml", &file).unwrap(), words)
    }

    #[test]
    fn what_fails_is_added_what_passes_goes_and_reasons_stay() {
        let (new, words) = update(
            "[[waiver]]\ncase = \"pkce.a\"\nreason = \"ticket 7\"\nexpires = \"2031-02-03\"\n\
             [[waiver]]\ncase = \"iss.c\"\nreason = \"mended\"\n[[waiver]]\ncase = \"gone.x\"\nreason = \"renamed\"\n",
            &[
                ("pkce.a", Verdict::Fail),
                ("pkce.b", Verdict::Fail),
                ("iss.c", Verdict::Pass),
                ("iss.d", Verdict::Warn),
            ],
        );
        assert_eq!(words, "1 added, 2 removed, 1 kept");
        let cases: Vec<&str> = new.0.iter().map(|waiver| waiver.case.as_str()).collect();
        assert_eq!(cases, ["pkce.a", "pkce.b"]);
        assert_eq!(new.0[0].reason, "ticket 7");
        assert!(new.0[1].reason.contains("it said \"no\""));
        assert!(new.0[1].expires.is_some(), "nothing is waived for ever");
    }

    #[test]
    fn what_was_not_decided_says_nothing_about_its_waiver() {
        let old = "[[waiver]]\ncase = \"pkce.*\"\nreason = \"known\"\n";
        let (new, _) = update(
            old,
            &[("iss.c", Verdict::Pass), ("pkce.a", Verdict::Inconclusive)],
        );
        assert_eq!(new.0.len(), 1);
    }
}
