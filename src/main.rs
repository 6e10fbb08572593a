//! The command line tool.

use std::process::ExitCode;

/// A run is many small pieces of text on several threads, where the allocators of C libraries, and musl's most of all,
/// are slow.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    oauthspec::cli::main(std::env::args_os())
}
