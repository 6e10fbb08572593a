//! What a person sees: a line a case while the run goes on, then the failures with everything needed
//! to mend them, then a summary that cannot look green when little was decided.
//!
//! Every line that holds outside text begins with something of ours, so that no server can start a
//! line of a CI log (workflow commands begin with `::`).

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};

use crate::event::{CaseReport, Event, RunEnd, RunStart, Severity, Verdict};

use super::exchange::{self, Detail, Kind, Row};
use super::{
    Report, clause, decided_little, decided_words, full_name, level_word, outcome_words,
    severity_word, text, troubles, worst,
};

/// How many failures are shown with their exchanges; the others get one line.
const SHOWN: usize = 20;

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
                for line in &end.policy {
                    let shown = format!(
                        "  {}  {}",
                        text::fill(&text::log(&line.topic), column.min(40)),
                        text::log(&line.observed)
                    );
                    self.say(&shown)?;
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
        self.summary(end)?;
        self.out.flush()
    }

    fn failures(&mut self, cases: &[CaseReport]) -> io::Result<()> {
        let found = troubles(cases);
        let (failures, warnings): (Vec<&CaseReport>, Vec<&CaseReport>) = found
            .into_iter()
            .partition(|case| case.verdict != Verdict::Warn);
        for (index, case) in failures.iter().enumerate() {
            if index < SHOWN {
                self.failure(case)?;
            } else {
                if index == SHOWN {
                    self.say("")?;
                    self.say("Further failures (a report file shows them in full):")?;
                }
                let line = format!(
                    "{} {}  {}",
                    self.verdict(case.verdict),
                    text::log(&case.id),
                    text::log(&case.reason)
                );
                self.say(&line)?;
            }
        }
        if !warnings.is_empty() && !self.look.quiet {
            self.say("")?;
            let heading = self.bold("Warnings");
            self.say(&heading)?;
            for case in warnings {
                let line = format!(
                    "  {}  {}",
                    self.paint(style(Verdict::Warn), &text::log(&case.id)),
                    text::log(&case.reason)
                );
                self.say(&line)?;
                let line = format!("    {} {}", self.dim("fix"), text::log(&case.fix));
                self.say(&line)?;
                let line = format!(
                    "    {} {}",
                    self.dim("see"),
                    text::log(&clause::list(&case.refs))
                );
                self.say(&line)?;
            }
        }
        Ok(())
    }

    fn failure(&mut self, case: &CaseReport) -> io::Result<()> {
        let variant = worst(case);
        let name =
            text::log(&variant.map_or_else(|| case.id.clone(), |variant| full_name(case, variant)));
        let rule = "─".repeat(
            self.look
                .width
                .saturating_sub(text::width(&name) + 6)
                .min(60),
        );
        self.say("")?;
        let line = format!(
            "{} {} {}",
            self.paint(style(case.verdict), &format!("━━ {}", case.verdict.word())),
            self.bold(&name),
            self.dim(&rule)
        );
        self.say(&line)?;
        let line = format!(
            "  {}  {}",
            text::log(&case.title),
            self.paint(
                severity_style(case.severity),
                &format!(
                    "[{}, {}]",
                    level_word(case.level),
                    severity_word(case.severity)
                )
            )
        );
        self.say(&line)?;
        self.labelled(
            "reason",
            variant.map_or(case.reason.as_str(), |variant| variant.reason.as_str()),
        )?;
        if let Some(waived) = &case.waived {
            self.labelled("waiver", waived)?;
        }
        if let Some(variant) = variant {
            if !variant.deviation.is_empty() {
                self.labelled("deviation", &variant.deviation)?;
            }
            let others: Vec<String> = case
                .variants
                .iter()
                .filter(|other| {
                    other.name != variant.name
                        && matches!(
                            other.verdict,
                            Verdict::Fail | Verdict::Error | Verdict::Warn
                        )
                })
                .map(|other| format!("{} ({})", other.name, other.verdict.word()))
                .collect();
            if !others.is_empty() {
                self.labelled("also", &others.join(", "))?;
            }
        }
        self.labelled("clause", &clause::list(&case.refs))?;
        if let Some(promise) = &case.promise {
            self.labelled("promise", promise)?;
        }
        self.labelled("why", &case.why)?;
        self.labelled("fix", &case.fix)?;
        if let Some(variant) = variant {
            let rows = exchange::rows(variant, Detail::SHORT);
            if !rows.is_empty() {
                self.beside(rows)?;
            }
            if let Some(first) = exchange::story(variant).failing.first() {
                // Whole, in one line, so that it can be copied.
                let line = format!("  {} {}", self.dim("repeat   │"), text::log(&first.curl));
                self.say(&line)?;
            }
        }
        let line = format!("  {} {}", self.dim("case     │"), text::log(&case.source));
        self.say(&line)
    }

    fn beside(&mut self, rows: Vec<Row>) -> io::Result<()> {
        self.say("")?;
        if self.look.width >= 110 {
            let column = (self.look.width - 9) / 2;
            let line = format!(
                "    {} │ {}",
                self.bold(&text::fill("control", column)),
                self.bold("with the deviation")
            );
            self.say(&line)?;
            for row in rows {
                let line = self.row(&row, column);
                self.say(&line)?;
            }
        } else {
            let columns = self.look.width.saturating_sub(8);
            for (title, mark, verdict) in [
                ("control", "- │", Verdict::Pass),
                ("with the deviation", "+ │", Verdict::Fail),
            ] {
                let line = format!("    {}", self.bold(title));
                self.say(&line)?;
                for row in &rows {
                    let side = if verdict == Verdict::Pass {
                        &row.left
                    } else {
                        &row.right
                    };
                    let Some(content) = side else { continue };
                    let content = text::cut(&text::log(content), columns);
                    let line = match row.kind {
                        Kind::Differs => format!(
                            "    {} {}",
                            self.paint(style(verdict), mark),
                            self.paint(style(verdict), &content)
                        ),
                        Kind::Same | Kind::Fresh => format!("      │ {}", self.dim(&content)),
                    };
                    self.say(&line)?;
                }
            }
        }
        self.say("")
    }

    fn row(&self, row: &Row, column: usize) -> String {
        let left = text::fill(&text::log(row.left.as_deref().unwrap_or("")), column);
        let right = text::cut(&text::log(row.right.as_deref().unwrap_or("")), column);
        match row.kind {
            Kind::Same => format!("  │ {} │ {}", self.dim(&left), self.dim(&right)),
            Kind::Fresh => format!("  ~ {} │ {}", self.dim(&left), self.dim(&right)),
            Kind::Differs => {
                let red = style(Verdict::Fail);
                format!(
                    "  {} {left} {} {}",
                    self.paint(red, "≠"),
                    self.paint(red, "│"),
                    self.paint(red, &right)
                )
            }
        }
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

    fn summary(&mut self, end: &RunEnd) -> io::Result<()> {
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
mod tests {
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;

    use super::*;
    use crate::report::sample;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);
    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shown(look: Look, cases: Vec<CaseReport>) -> String {
        let buffer = Buffer::default();
        let mut terminal = Box::new(Terminal::new(Box::new(buffer.clone()), look));
        for event in sample::events_of(cases) {
            terminal.event(&event).unwrap();
        }
        terminal.finish().unwrap();
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_failure_says_everything_needed_to_mend_it() {
        let shown = shown(
            Look {
                width: 120,
                ..Look::default()
            },
            sample::cases(),
        );
        for part in [
            "redirect.near-miss/trailing-slash",
            "[must, critical]",
            "a code was issued to an address that is not registered",
            "authorize with redirect_uri = \"https://app-a.example/cb/\"",
            "twice (fail)",
            "RFC 9700 §2.1, OAuth 2.1 (draft 16) §4.1.3",
            "Whoever owns the other address receives the code.",
            "Compare the redirect URI byte by byte",
            "?redirect_uri=https%3A%2F%2Fapp-a.example%2Fcb%2F",
            "curl -i 'https://as.example/authorize",
            "suites/redirect.toml:12",
        ] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
        let differing = shown.lines().filter(|line| line.contains('≠')).count();
        assert_eq!(
            differing, 3,
            "one changed parameter in each of three failures\n{shown}"
        );
    }

    #[test]
    fn a_narrow_terminal_shows_one_after_the_other_and_keeps_to_its_width() {
        let shown = shown(
            Look {
                width: 80,
                ..Look::default()
            },
            sample::cases(),
        );
        assert!(shown.contains("- │"), "{shown}");
        for line in shown.lines().filter(|line| {
            line.contains('│') && !line.contains("repeat") && !line.contains("case ")
        }) {
            assert!(text::width(line) <= 80, "{line}");
        }
    }

    #[test]
    fn little_decided_never_reads_as_success() {
        let mut cases = sample::cases();
        cases.retain(|case| {
            matches!(
                case.verdict,
                Verdict::Pass | Verdict::Skipped | Verdict::Inconclusive
            )
        });
        let buffer = Buffer::default();
        let mut terminal = Terminal::new(Box::new(buffer.clone()), Look::default());
        let end = RunEnd {
            exit_code: 0,
            outcome: "conforms".into(),
            ..sample::end(&cases)
        };
        terminal.event(&Event::End(Box::new(end))).unwrap();
        let shown = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        assert!(
            shown.contains("1 of 3 decided: little is known about this server"),
            "{shown}"
        );
        assert!(!shown.contains("conforms"), "{shown}");
    }

    #[test]
    fn what_is_skipped_is_said_once_a_reason() {
        let skipped: Vec<CaseReport> = (0..5)
            .map(|n| {
                sample::case(
                    &format!("rar.x{n}"),
                    Severity::Low,
                    vec![sample::variant("", Verdict::Skipped, "needs rar")],
                )
            })
            .collect();
        let shown = shown(Look::default(), skipped);
        assert!(shown.contains("5 × needs rar"), "{shown}");
        assert_eq!(shown.matches("needs rar").count(), 1);
    }

    #[test]
    fn quiet_keeps_failures_and_the_summary() {
        let shown = shown(
            Look {
                quiet: true,
                ..Look::default()
            },
            sample::cases(),
        );
        assert!(!shown.contains("authz.state-echo"));
        assert!(shown.contains("redirect.near-miss/trailing-slash"));
        assert!(shown.contains("4 of 7 decided"));
    }

    #[test]
    fn without_colour_there_is_not_one_escape_character() {
        assert!(!shown(Look::default(), sample::cases()).contains('\u{1b}'));
        assert!(
            shown(
                Look {
                    colour: true,
                    ..Look::default()
                },
                sample::cases()
            )
            .contains('\u{1b}')
        );
    }

    #[test]
    fn a_progress_line_is_wiped_before_the_next_line() {
        let shown = shown(
            Look {
                live: true,
                ..Look::default()
            },
            sample::cases(),
        );
        assert!(shown.contains("\r\u{1b}[2K"));
        for line in shown.lines() {
            // What the eye sees is what follows the last wipe.
            let seen = line.rsplit("\u{1b}[2K").next().unwrap_or(line);
            assert!(
                !(seen.contains("fail  ") && seen.contains("/7  ")),
                "{line}"
            );
        }
    }

    /// The workflow commands a GitHub runner would find: `::name props::message` at the start of a line,
    /// after blanks, and the older `##[name]` anywhere.
    fn commands(shown: &str) -> Vec<(String, String, String)> {
        let decode = |text: &str| {
            text.replace("%0D", "\r")
                .replace("%0A", "\n")
                .replace("%3A", ":")
                .replace("%2C", ",")
                .replace("%25", "%")
        };
        shown
            .split(['\n', '\r'])
            .filter_map(|line| {
                let command = || {
                    let rest = line.trim_start().strip_prefix("::")?;
                    let (head, message) = rest.split_once("::")?;
                    let (name, title) = head.split_once(" title=").unwrap_or((head, ""));
                    Some((name.to_owned(), decode(title), decode(message)))
                };
                let older = || {
                    line.contains("##[")
                        .then(|| ("older".to_owned(), String::new(), line.to_owned()))
                };
                command().or_else(older)
            })
            .collect()
    }

    fn holds(hostile: &str, width: usize) {
        let case = sample::hostile_case(hostile);
        let expected = format!("{}: {}\nfix: {}", case.title, case.reason, case.fix);
        let shown = shown(
            Look {
                annotations: true,
                width,
                ..Look::default()
            },
            vec![case],
        );
        let found = commands(&shown);
        assert_eq!(found.len(), 1, "{found:?}\n{shown}");
        assert_eq!(found[0].0, "error");
        assert_eq!(found[0].1, "redirect.hostile");
        let visible: String = expected
            .chars()
            .map(|c| {
                if matches!(c, '\n' | '\r') {
                    c.to_string()
                } else {
                    text::line(&c.to_string())
                }
            })
            .collect();
        assert_eq!(found[0].2, visible);
        assert!(
            !shown.chars().any(|c| c != '\n' && text::is_hidden(c)),
            "{shown:?}"
        );
    }

    #[test]
    fn texts_made_to_break_out_stay_text() {
        for hostile in sample::HOSTILE {
            holds(hostile, 120);
            holds(hostile, 80);
        }
    }

    proptest! {
        #[test]
        fn no_text_starts_a_workflow_command_or_moves_the_cursor(hostile in any::<String>(), wide in any::<bool>()) {
            holds(&hostile, if wide { 130 } else { 70 });
        }
    }
}
