//! The command line tool.

use std::process::ExitCode;

fn main() -> ExitCode {
    oauthspec::cli::main(std::env::args_os())
}
