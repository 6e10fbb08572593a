//! The only writer of the command line: whole texts to the standard output, messages to the standard error.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

/// Writes a text to the standard output, without colours when nobody would see them. A reader who
/// went away (`| head`) is no error.
pub fn text(text: &str) -> io::Result<()> {
    bytes(text.as_bytes())
}

/// Writes bytes to the standard output.
pub fn bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Says on the standard error what went wrong.
pub fn error(message: &str) {
    // Diagnostics of a file come with their own heading, one each.
    if message.starts_with("error:") {
        return note(message);
    }
    say("error", AnsiColor::Red.on_default().bold(), message);
}

/// Says on the standard error what deserves attention.
pub fn warning(message: &str) {
    say("warning", AnsiColor::Yellow.on_default().bold(), message);
}

/// Says something on the standard error.
pub fn note(message: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{message}");
}

fn say(word: &str, style: Style, message: &str) {
    // Nothing is left to be told when even this cannot be written.
    let _ = writeln!(
        anstream::stderr().lock(),
        "{style}{word}:{style:#} {message}"
    );
}
