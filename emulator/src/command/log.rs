//! The log: what is said on stderr, where the function writes, too.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Writes a line at once, so that it stays in one piece. That nobody reads it is no reason to fail.
pub(crate) fn line(text: impl Display) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// The same, as the emulator's own word.
pub(crate) fn message(text: impl Display) {
    line(format_args!("lambda-emulator: {text}"));
}
