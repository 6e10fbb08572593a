//! What a person sees: a line a case while the run goes on, then the failures with everything needed
//! to mend them, then a summary that cannot look green when little was decided.
//!
//! Every line that holds outside text begins with something of ours, so that no server can start a
//! line of a CI log (workflow commands begin with `::`).

mod failure;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};

use crate::event::{CaseReport, Event, RunEnd, RunStart, Severity, Verdict};

use super::{
    Report, decided_little, decided_words, outcome_words, severity_word, text, troubles, waived,
};

/// How the terminal report looks.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Colours.
    pub colour: bool,
    /// Whether a progress line may be drawn over.
    pub live: bool,
    /// Columns.
    pub width: usize,
    /// Only failures and the summary.
    pub quiet: bool,
    /// GitHub workflow commands for failures and warnings.
    pub annotations: bool,
}

impl Default for Look {
    fn default() -> Look {
        Look {
            colour: false,
            live: false,
            width: 100,
            quiet: false,
            annotations: false,
        }
    }
}

/// The terminal report.
pub struct Terminal {
    out: Box<dyn Write + Send>,
    look: Look,
    start: Option<RunStart>,
    cases: Vec<CaseReport>,
    progress: Option<Instant>,
}

impl Terminal {
    /// Writes to `out`.
    pub fn new(out: Box<dyn Write + Send>, look: Look) -> Terminal {
        Terminal {
            out,
            look,
            start: None,
            cases: Vec::new(),
            progress: None,
        }
    }

    fn paint(&self, style: Style, words: &str) -> String {
        if self.look.colour {
            format!("{style}{words}{style:#}")
        } else {
            words.to_owned()
        }
    }

    fn dim(&self, words: &str) -> String {
        self.paint(Style::new().dimmed(), words)
    }

    fn bold(&self, words: &str) -> String {
        self.paint(Style::new().bold(), words)
    }

    fn verdict(&self, verdict: Verdict) -> String {
        self.paint(style(verdict), &text::fill(verdict.word(), 12))
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        if self.progress.take().is_some() {
            self.out.write_all(b"\r\x1b[2K")?;
        }
        writeln!(self.out, "{line}")
    }

    /// A labelled text, broken at the width, each line under the first.
    fn labelled(&mut self, label: &str, content: &str) -> io::Result<()> {
        let room = self.look.width.saturating_sub(13).max(30);
        for (index, part) in text::wrap(&text::log(content), room).iter().enumerate() {
            let head = if index == 0 { label } else { "" };
            let line = format!(
                "  {} {part}",
                self.dim(&format!("{}│", text::fill(head, 9)))
            );
            self.say(&line)?;
        }
        Ok(())
    }

    fn begin(&mut self, start: &RunStart) -> io::Result<()> {
        self.start = Some(start.clone());
        if self.look.quiet {
            return Ok(());
        }
        let line = format!(
            "{}  target {}  profiles {}  {} cases  seed {}",
            text::log(&start.tool),
            self.bold(&text::log(&start.target)),
            text::log(&start.profiles.join(" ")),
            start.cases,
            start.seed
        );
        self.say(&line)?;
        self.say("")
    }

    fn draw(&mut self, done: u32, total: u32, doing: &str, elapsed: Duration) -> io::Result<()> {
        if !self.look.live || self.look.quiet {
            return Ok(());
        }
        if self
            .progress
            .is_some_and(|drawn| drawn.elapsed() < Duration::from_millis(80))
        {
            return Ok(());
        }
        let line = format!(
            "{done}/{total}  {} s  {}",
            elapsed.as_secs(),
            text::log(doing)
        );
        let line = self.dim(&text::cut(&line, self.look.width.saturating_sub(1)));
        self.progress = Some(Instant::now());
        write!(self.out, "\r\x1b[2K{line}")?;
        self.out.flush()
    }

    fn case(&mut self, case: &CaseReport) -> io::Result<()> {
        // What was skipped is said once at the end, by reason.
        if !self.look.quiet && case.verdict != Verdict::Skipped {
            let note = match (case.verdict, &case.waived) {
                (_, Some(waived)) => format!("waived: {waived}"),
                (Verdict::Pass, None) => case.title.clone(),
                _ => case.reason.clone(),
            };
            let count = if case.variants.len() > 1 {
                format!(" ({})", case.variants.len())
            } else {
                String::new()
            };
            let name = text::log(&case.id) + &count;
            let room = self
                .look
                .width
                .saturating_sub(15 + text::width(&name))
                .max(20);
            let line = format!(
                "{} {name}  {}",
                self.verdict(case.verdict),
                self.dim(&text::cut(&text::log(&note), room))
            );
            self.say(&line)?;
        }
        self.cases.push(case.clone());
        Ok(())
    }

    fn end(&mut self, end: &RunEnd) -> io::Result<()> {
        let cases = std::mem::take(&mut self.cases);
        self.failures(&cases)?;
        self.undecided(&cases)?;
        self.promised(&cases)?;
        if !self.look.quiet {
            if !end.policy.is_empty() {
                self.say("")?;
                let heading = self.bold("Policy seen");
                self.say(&heading)?;
                let column = end
                    .policy
                    .iter()
                    .map(|line| text::width(&text::log(&line.topic)))
                    .max()
                    .unwrap_or(0);
                let column = column.min(40);
                let room = self.look.width.saturating_sub(column + 5).max(30);
                for line in &end.policy {
                    let mut topic = text::fill(&text::log(&line.topic), column);
                    for part in text::wrap(&text::log(&line.observed), room) {
                        // The mark keeps outside text from beginning a line.
                        self.say(&format!("  {topic} │ {part}"))?;
                        topic = " ".repeat(column);
                    }
                }
            }
            if !end.leftovers.is_empty() {
                self.say("")?;
                let heading = self.bold("Left behind at the target (could not be removed)");
                self.say(&heading)?;
                for leftover in &end.leftovers {
                    self.say(&format!("  - {}", text::log(leftover)))?;
                }
            }
        }
        for problem in &end.problems {
            let word = self.paint(style(Verdict::Error), "problem");
            self.say(&format!("{word}  {}", text::log(problem)))?;
        }
        self.annotate(&cases)?;
        self.recall(&cases)?;
        let excused = waived(&cases).len();
        self.summary(end, excused)?;
        self.out.flush()
    }

    /// What was skipped and what stayed open, once a reason.
    fn undecided(&mut self, cases: &[CaseReport]) -> io::Result<()> {
        if self.look.quiet {
            return Ok(());
        }
        for (verdict, title) in [
            (Verdict::Inconclusive, "Inconclusive"),
            (Verdict::Skipped, "Skipped"),
        ] {
            let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for case in cases.iter().filter(|case| case.verdict == verdict) {
                reasons.entry(&case.reason).or_default().push(&case.id);
            }
            if reasons.is_empty() {
                continue;
            }
            self.say("")?;
            let heading = self.bold(title);
            self.say(&heading)?;
            for (reason, ids) in reasons {
                let more = if ids.len() > 3 {
                    format!(" and {} more", ids.len() - 3)
                } else {
                    String::new()
                };
                let some: Vec<&str> = ids.iter().take(3).copied().collect();
                let line = format!("  {:>4} × {}", ids.len(), text::log(reason));
                self.say(&line)?;
                let line = self.dim(&format!("         {}{more}", text::log(&some.join(", "))));
                self.say(&line)?;
            }
        }
        Ok(())
    }

    /// What services promise: the counts, and the promises that are not kept or not known.
    fn promised(&mut self, cases: &[CaseReport]) -> io::Result<()> {
        for (service, cases) in super::promises(cases) {
            self.say("")?;
            let heading = self.bold(&format!("Promises of {}", text::log(service)));
            self.say(&format!("{heading}: {}", super::promises_words(&cases)))?;
            for case in cases.iter().filter(|case| case.verdict != Verdict::Pass) {
                let promise = case.promise.as_deref().unwrap_or_default();
                let line = format!(
                    "  {} {}  {}",
                    self.verdict(case.verdict),
                    text::log(&case.id),
                    self.dim(&text::log(promise))
                );
                self.say(&line)?;
            }
        }
        Ok(())
    }

    /// The failures once more, a line each, where the eye is at the end of a long run.
    fn recall(&mut self, cases: &[CaseReport]) -> io::Result<()> {
        const MOST: usize = 20;
        let failures: Vec<&CaseReport> = troubles(cases)
            .into_iter()
            .filter(|case| case.verdict != Verdict::Warn)
            .collect();
        if failures.len() < 2 {
            return Ok(());
        }
        self.say("")?;
        for case in failures.iter().take(MOST) {
            let word = text::fill(severity_word(case.severity), 8);
            let room = self.look.width.saturating_sub(25 + text::width(&case.id));
            let line = format!(
                "{} {}  {}  {}",
                self.verdict(case.verdict),
                self.paint(severity_style(case.severity), &word),
                text::log(&case.id),
                self.dim(&text::cut(&text::log(&case.title), room.max(20)))
            );
            self.say(&line)?;
        }
        if failures.len() > MOST {
            self.say(&format!("and {} more", failures.len() - MOST))?;
        }
        Ok(())
    }

    fn annotate(&mut self, cases: &[CaseReport]) -> io::Result<()> {
        if !self.look.annotations {
            return Ok(());
        }
        for case in troubles(cases) {
            let kind = if case.verdict == Verdict::Warn {
                "warning"
            } else {
                "error"
            };
            let line = annotation(
                kind,
                &case.id,
                &format!("{}: {}\nfix: {}", case.title, case.reason, case.fix),
            );
            self.say(&line)?;
        }
        Ok(())
    }

    fn summary(&mut self, end: &RunEnd, excused: usize) -> io::Result<()> {
        let summary = &end.summary;
        self.say("")?;
        let mut parts = Vec::new();
        for verdict in Verdict::ALL {
            let count = match verdict {
                Verdict::Pass => summary.pass,
                Verdict::Fail => summary.fail,
                Verdict::Warn => summary.warn,
                Verdict::Inconclusive => summary.inconclusive,
                Verdict::Skipped => summary.skipped,
                Verdict::Error => summary.error,
            };
            let words = format!("{count} {}", verdict.word());
            parts.push(if count == 0 {
                self.dim(&words)
            } else {
                self.paint(style(verdict), &words)
            });
        }
        let little = decided_little(summary);
        let tone = match (end.exit_code, little) {
            (0, false) => style(Verdict::Pass),
            (0, true) | (4, _) => style(Verdict::Warn),
            _ => style(Verdict::Fail),
        };
        let decided = decided_words(summary);
        let decided = if little && summary.total() > 0 {
            format!("{decided}: little is known about this server")
        } else {
            decided
        };
        let line = format!(
            "{}  {} requests in {:.1} s",
            self.paint(
                if little {
                    style(Verdict::Warn)
                } else {
                    Style::new().bold()
                },
                &decided
            ),
            end.requests,
            end.duration_ms as f64 / 1000.0
        );
        self.say(&line)?;
        let line = format!("  {}", parts.join("  "));
        self.say(&line)?;
        if excused > 0 {
            self.say(&format!("  {excused} of them waived"))?;
        }
        if let Some(why) = &end.interrupted {
            let line = format!(
                "{} {}",
                self.paint(style(Verdict::Fail), "interrupted:"),
                text::log(why)
            );
            self.say(&line)?;
        }
        let line = format!(
            "{} {}",
            self.paint(tone.bold(), &text::log(outcome_words(end))),
            self.dim(&format!("(exit code {})", end.exit_code))
        );
        self.say(&line)
    }
}

/// A workflow command for one finding.
fn annotation(kind: &str, title: &str, message: &str) -> String {
    format!(
        "::{kind} title={}::{}",
        text::annotation_property(title),
        text::annotation(message)
    )
}

fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Pass => AnsiColor::Green.on_default(),
        Verdict::Warn | Verdict::Inconclusive => AnsiColor::Yellow.on_default(),
        Verdict::Skipped => Style::new().dimmed(),
        Verdict::Fail => AnsiColor::Red.on_default().bold(),
        Verdict::Error => AnsiColor::Magenta.on_default().bold(),
    }
}

fn severity_style(severity: Severity) -> Style {
    match severity {
        Severity::Critical | Severity::High => AnsiColor::Red.on_default(),
        Severity::Medium => AnsiColor::Yellow.on_default(),
        Severity::Low | Severity::Cosmetic => Style::new().dimmed(),
    }
}

impl Report for Terminal {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Start(start) => self.begin(start),
            Event::Progress {
                done,
                total,
                doing,
                elapsed,
            } => self.draw(*done, *total, doing, *elapsed),
            Event::Case(case) => self.case(case),
            Event::End(end) => self.end(end),
        }
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if self.progress.take().is_some() {
            self.out.write_all(b"\r\x1b[2K")?;
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests;
