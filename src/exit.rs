//! Exit codes: the one place where they are decided on. `docs/exit-codes.md` is the same for users.

/// What the exit code of a command says. Scripts rely on the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    /// 0: something was decided, and nothing that counts is broken.
    Conforms,
    /// 1: at least one failure counts; for `compare`: something broke; for `fuzz`: a finding.
    DoesNotConform,
    /// 2: the command line, a file or the configuration is wrong, or an output could not be written.
    Usage,
    /// 3: the target does not answer, or the preflight (discovery, a first login) failed.
    Unreachable,
    /// 4: no case was selected, or every selected one was skipped or inconclusive.
    NothingDecided,
    /// 130: ended early by Ctrl-C; the reports were written and say so.
    Interrupted,
    /// 143: ended early by SIGTERM; the reports were written and say so.
    Terminated,
}

impl Exit {
    /// Every exit code.
    pub const ALL: [Exit; 7] = [
        Exit::Conforms,
        Exit::DoesNotConform,
        Exit::Usage,
        Exit::Unreachable,
        Exit::NothingDecided,
        Exit::Interrupted,
        Exit::Terminated,
    ];

    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Conforms => 0,
            Exit::DoesNotConform => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
            Exit::NothingDecided => 4,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        }
    }

    /// The exit code with this number.
    pub fn from_code(code: u8) -> Option<Exit> {
        Exit::ALL.into_iter().find(|exit| exit.code() == code)
    }

    /// The meaning in a few words, as printed at the end of a run.
    pub const fn words(self) -> &'static str {
        match self {
            Exit::Conforms => "conforms",
            Exit::DoesNotConform => "does not conform",
            Exit::Usage => "usage or configuration",
            Exit::Unreachable => "target unreachable or preflight failed",
            Exit::NothingDecided => "nothing was decided",
            Exit::Interrupted => "interrupted",
            Exit::Terminated => "terminated",
        }
    }

    /// What it means and what to do next.
    pub const fn doc(self) -> &'static str {
        match self {
            Exit::Conforms => {
                "At least one case was decided, and no failure that counts was found. What was skipped or \
                 inconclusive is not covered: the summary says how much that is."
            }
            Exit::DoesNotConform => {
                "At least one case failed at or above --fail-on (with --strict, warnings count too), a waiver no \
                 longer applies, `compare` found something broken, or `fuzz` has a finding. The failures are shown \
                 with the exchange, the clause and how to mend it."
            }
            Exit::Usage => {
                "The command line, a suite, target or waiver file is wrong, the run itself broke, or a report could \
                 not be written. The message says which file and line. Nothing is known about the target."
            }
            Exit::Unreachable => {
                "The target did not answer, or the correct flow does not work against it (discovery, registration, \
                 login). Nothing can be judged then. `oauthspec doctor TARGET` looks at the same things one by one."
            }
            Exit::NothingDecided => {
                "No case matched the selection, or each one was skipped or inconclusive. The reasons stand in the \
                 summary; `oauthspec list TARGET` says what each case needs."
            }
            Exit::Interrupted => {
                "Ctrl-C. What was decided until then is in the reports, which are marked as interrupted."
            }
            Exit::Terminated => {
                "SIGTERM. What was decided until then is in the reports, which are marked as interrupted."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_names_every_exit_code_with_its_meaning() {
        let page = include_str!("../docs/exit-codes.md");
        for exit in Exit::ALL {
            let row = format!("| {} | {} |", exit.code(), exit.words());
            assert!(page.contains(&row), "docs/exit-codes.md lacks `{row}`");
        }
    }

    #[test]
    fn numbers_are_distinct() {
        for exit in Exit::ALL {
            assert_eq!(Exit::from_code(exit.code()), Some(exit));
        }
    }
}
