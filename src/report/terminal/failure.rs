//! A failure on the terminal: everything needed to mend it.

use std::io;

use crate::event::{CaseReport, Verdict};
use crate::report::exchange::{self, Detail, Kind, Row};
use crate::report::{full_name, level_word, result, severity_word, text, troubles, waived, worst};
use crate::suite::refs;

use super::{Terminal, severity_style, style};

/// How many failures are shown with their exchanges; the others get one line.
const SHOWN: usize = 20;

impl Terminal {
    /// The failures in full, the costliest first; then the warnings.
    pub(super) fn failures(&mut self, cases: &[CaseReport]) -> io::Result<()> {
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
                    text::log(&refs::display_all(&case.refs))
                );
                self.say(&line)?;
            }
        }
        let excused = waived(cases);
        if !excused.is_empty() && !self.look.quiet {
            self.say("")?;
            let heading = self.bold("Waived");
            self.say(&heading)?;
            for case in excused {
                let line = format!("  {}  {}", text::log(&case.id), text::log(&case.reason));
                self.say(&line)?;
                let line = format!(
                    "    {} {}",
                    self.dim("because"),
                    text::log(case.waived.as_deref().unwrap_or_default())
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
                .saturating_sub(text::width(&name) + 5 + case.verdict.word().len()),
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
        if let Some(variant) = variant.filter(|variant| !variant.deviation.is_empty()) {
            let alone = variant.control.is_empty();
            let label = if alone { "step" } else { "deviation" };
            self.labelled(label, &variant.deviation)?;
        }
        self.labelled("result", variant.map_or(case.reason.as_str(), result))?;
        if let Some(variant) = variant {
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
        self.labelled("clause", &refs::display_all(&case.refs))?;
        if let Some(promise) = &case.promise {
            self.labelled("promise", promise)?;
        }
        self.labelled("why", &case.why)?;
        self.labelled("fix", &case.fix)?;
        if let Some(variant) = variant {
            let rows = exchange::rows(variant, Detail::SHORT);
            if rows.is_empty() {
                // Nothing was exchanged.
            } else if variant.control.is_empty() {
                self.alone(&rows)?;
            } else {
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

    /// An exchange with nothing to compare it with.
    fn alone(&mut self, rows: &[Row]) -> io::Result<()> {
        self.say("")?;
        let columns = self.look.width.saturating_sub(4);
        for row in rows {
            let content = text::log(row.right.as_deref().unwrap_or(""));
            self.say(&format!("  │ {}", text::cut(&content, columns)))?;
        }
        self.say("")
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
}
