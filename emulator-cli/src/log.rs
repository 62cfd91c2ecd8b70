//! The log: lines on stderr, to which the function writes, too.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Writes a line with one call, so that it is not interleaved with others. A closed stderr is not an error.
pub(crate) fn line(text: impl Display) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// Writes a line of the emulator itself.
pub(crate) fn message(text: impl Display) {
    line(format_args!("lambda-emulator: {text}"));
}
