#![doc = include_str!("../README.md")]
//!
//! The library of this package exists for its tests, and is not a contract.
#![doc(hidden)]

#[cfg(unix)]
mod cli;
pub mod front;
#[cfg(unix)]
mod function;
pub mod history;
#[cfg(unix)]
mod launcher;
mod log;
#[cfg(unix)]
mod memory;
#[cfg(unix)]
mod once;
#[cfg(unix)]
mod output;
#[cfg(unix)]
mod process_group;
#[cfg(unix)]
mod record;
#[cfg(unix)]
mod replay;
#[cfg(unix)]
mod report;
#[cfg(unix)]
mod serve;
#[cfg(unix)]
mod session;
mod templates;
mod time;
#[cfg(unix)]
mod watch;

use std::process::ExitCode;

/// Runs the command.
#[cfg(unix)]
pub fn main() -> ExitCode {
    use std::io::Write as _;

    use cli::Task;

    if let Some(code) = launcher::run(std::env::args_os()) {
        return code;
    }
    match cli::parse(std::env::args_os()) {
        Ok(Task::Print(text)) => {
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Ok(Task::Once(event, options)) => exit_code(once::run(event, options)),
        Ok(Task::Replay(file, command)) => exit_code(replay::run(&file, &command)),
        Ok(Task::Serve(endpoint, options)) => exit_code(serve::run(endpoint, options)),
        Err(message) => {
            log::message(message);
            log::line("Try lambda-emulator --help");
            ExitCode::from(2)
        }
    }
}

#[cfg(unix)]
fn exit_code(result: Result<ExitCode, String>) -> ExitCode {
    result.unwrap_or_else(|message| {
        log::message(message);
        ExitCode::FAILURE
    })
}

/// Reports that the command does not run on this system.
#[cfg(not(unix))]
pub fn main() -> ExitCode {
    log::message("this system has no process groups, which the command needs to stop a function");
    ExitCode::FAILURE
}
