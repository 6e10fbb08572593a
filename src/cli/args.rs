//! What the command line accepts.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Drives an OAuth 2.1 authorization server and its resource servers through scripted flows and says
/// what conforms, what does not, and what could not be known.
#[derive(Debug, Parser)]
#[command(
    name = "oauthspec",
    version,
    about,
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the cases and what each needs
    #[command(after_help = "\
Examples:
  oauthspec list
  oauthspec list --suite pkce --suite redirect
  oauthspec list --case '*.near-miss*' --json
  oauthspec list --suite ./my-suites/")]
    List(ListArgs),

    /// Compare two JSON reports: what broke, what was mended, which policy changed
    #[command(after_help = "\
Exit code 1 when something broke, 4 when the new report decided nothing.

Examples:
  oauthspec compare main.json branch.json
  oauthspec compare --markdown main.json branch.json >> $GITHUB_STEP_SUMMARY")]
    Compare(CompareArgs),

    /// Explain a case, a check, a verdict, an exit code or a broken token by its name
    #[command(after_help = "\
Examples:
  oauthspec explain pkce.plain-rejected
  oauthspec explain inconclusive
  oauthspec explain 4
  oauthspec explain forge.jwt.alg-none
  oauthspec explain                     everything that can be explained")]
    Explain {
        /// The name; without one, everything that can be explained is listed
        topic: Option<String>,
    },

    /// Print a JSON Schema: report
    #[command(after_help = "\
Example:
  oauthspec schema report > report.schema.json")]
    Schema {
        /// Which one
        name: String,
    },

    /// Print the completions for a shell
    #[command(after_help = "\
Example:
  oauthspec completions bash > ~/.local/share/bash-completion/completions/oauthspec")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },

    /// Print the manual page
    #[command(after_help = "\
Example:
  oauthspec man | man -l -")]
    Man,
}

/// `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The earlier report (JSON)
    pub old: PathBuf,
    /// The later report (JSON)
    pub new: PathBuf,
    /// Write Markdown, for a comment or a job summary
    #[arg(long)]
    pub markdown: bool,
}

/// `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// A built-in suite, a suite file or a folder of them; may be repeated
    #[arg(long = "suite", value_name = "SUITE")]
    pub suites: Vec<String>,
    /// Only cases whose id fits; `*` stands for any text; may be repeated
    #[arg(long = "case", value_name = "GLOB")]
    pub cases: Vec<String>,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}
