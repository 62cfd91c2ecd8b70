//! The command, and the function that it runs in tests.

#![allow(dead_code, reason = "every test file uses some of this")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) fn emulator() -> Command {
    Command::new(env!("CARGO_BIN_EXE_lambda-emulator"))
}

/// The function that executes its events.
pub(crate) fn function() -> PathBuf {
    let bin = Path::new(env!("CARGO_BIN_EXE_lambda-emulator"));
    let function = bin.with_file_name("examples").join("test-function");
    assert!(function.exists(), "{function:?} is built by `cargo test -p lambda-emulator`");
    function
}

pub(crate) fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

pub(crate) fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

pub(crate) fn has_line(output: &Output, has: impl Fn(&str) -> bool) -> bool {
    stderr(output).lines().any(has)
}

/// Whether the process runs; a zombie does not.
pub(crate) fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, fields)| !fields.trim_start().starts_with('Z'))
}
