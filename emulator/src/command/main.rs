//! Runs a function on this machine as Lambda would.

mod cli;
mod function;
mod log;
mod memory;
mod once;
mod report;
mod serve;
mod session;

use std::io::Write as _;
use std::process::ExitCode;

use cli::Task;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(Task::Print(text)) => {
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Ok(Task::Once(event, options)) => ending(once::run(event, options)),
        Ok(Task::Serve(address, options)) => ending(serve::run(address, options)),
        Err(message) => {
            log::message(message);
            log::line("Try lambda-emulator --help");
            ExitCode::from(2)
        }
    }
}

fn ending(result: Result<ExitCode, String>) -> ExitCode {
    result.unwrap_or_else(|message| {
        log::message(message);
        ExitCode::FAILURE
    })
}
