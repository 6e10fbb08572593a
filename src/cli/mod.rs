//! The command line: arguments in, exit code out. What a command does lives in the library; here is
//! only how it is asked for and how its answer is printed.
//!
//! Only what works is offered: a subcommand appears in `--help` with the work that carries it.

mod args;
mod compare;
mod doctor;
pub mod drive;
mod explain;
mod fuzz;
mod init;
mod list;
mod login;
mod parse;
mod plan;
pub mod print;
mod resume;
mod run;
mod scan;
mod selftest;
mod serve;
pub mod signals;
mod suites;
mod target;
mod waivers;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::exit::Exit;

pub use args::{Cli, Command};
pub use serve::describe;

/// Why a command could not do its work: what is said and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What went wrong, where, and what to do next.
    pub message: String,
}

impl Failure {
    /// The command line, a file or the configuration is wrong.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure {
            exit: Exit::Usage,
            message: message.into(),
        }
    }

    /// The target does not answer, or the preflight failed.
    pub fn unreachable(message: impl Into<String>) -> Failure {
        Failure {
            exit: Exit::Unreachable,
            message: message.into(),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::usage(error.to_string())
    }
}

/// Runs the tool with these arguments (the first is the program's name).
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        print::error(&crash(place.as_deref()));
    }));
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Also `--help` and `--version`, which are no errors.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() {
                Exit::Usage.code()
            } else {
                0
            });
        }
    };
    let exit = match dispatch(cli) {
        Ok(exit) => exit.code(),
        Err(failure) => {
            print::error(&failure.message);
            failure.exit.code()
        }
    };
    ExitCode::from(exit)
}

/// What is said of a defect of ours: its place. The message of a panic may hold what a server sent.
fn crash(place: Option<&str>) -> String {
    format!(
        "this is a defect of oauthspec {} at {}; please report it with the command line",
        env!("CARGO_PKG_VERSION"),
        place.unwrap_or("an unknown place")
    )
}

fn dispatch(cli: Cli) -> Result<Exit, Failure> {
    match cli.command {
        Command::Compare(arguments) => compare::compare(&arguments),
        Command::Run(arguments) => wait(run::run(&arguments)),
        Command::Fuzz(arguments) => wait(fuzz::fuzz(&arguments)),
        Command::Replay(arguments) => wait(fuzz::replay(&arguments)),
        Command::Scan(arguments) => wait(scan::scan(&arguments)),
        Command::Init(arguments) => wait(init::init(&arguments)),
        Command::Login(arguments) => wait(login::login(&arguments)),
        Command::Doctor(arguments) => wait(doctor::doctor(&arguments)),
        Command::Selftest(arguments) => wait(selftest::selftest(&arguments)),
        Command::Serve(arguments) => wait(serve::serve(&arguments)),
        Command::List(arguments) => wait(list::list(&arguments)),
        Command::Explain { topic } => explain::explain(topic.as_deref()),
        Command::Schema { name } => schema(&name),
        Command::Completions { shell } => {
            let mut bytes = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "oauthspec", &mut bytes);
            print::bytes(&bytes)?;
            Ok(Exit::Conforms)
        }
        Command::Man => {
            let mut whole = Cli::command();
            whole.build();
            let mut bytes = Vec::new();
            clap_mangen::Man::new(whole.clone()).render(&mut bytes)?;
            for command in whole
                .get_subcommands()
                .filter(|command| command.get_name() != "help")
            {
                clap_mangen::Man::new(command.clone()).render(&mut bytes)?;
            }
            print::bytes(&bytes)?;
            Ok(Exit::Conforms)
        }
    }
}

/// Runs an asynchronous command to its end. Tasks that outlive it get a second.
fn wait(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(command);
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    result
}

fn schema(name: &str) -> Result<Exit, Failure> {
    let Some(text) = crate::schema::schema(name) else {
        let names = crate::schema::NAMES.join(", ");
        return Err(Failure::usage(format!(
            "there is no schema `{name}`; the schemas are: {names}"
        )));
    };
    print::text(&text)?;
    Ok(Exit::Conforms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_example_of_the_help_can_be_read() {
        for command in Cli::command().get_subcommands_mut() {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let examples = help
                .lines()
                .filter_map(|line| line.trim().strip_prefix("oauthspec "));
            for example in examples {
                // Up to a redirection, a pipe or the remark beside it.
                let words = example.split("   ").next().unwrap_or(example);
                let words = words.split(['>', '|']).next().unwrap_or(words);
                let words = words.split_whitespace().map(|word| word.trim_matches('\''));
                let words: Vec<&str> = std::iter::once("oauthspec").chain(words).collect();
                if let Err(error) = Cli::try_parse_from(&words) {
                    panic!("{example}: {error}");
                }
                for pair in words.windows(2).filter(|pair| pair[0] == "--fault") {
                    assert!(refserver::Fault::parse(pair[1]).is_some(), "{example}");
                }
            }
        }
    }
}
