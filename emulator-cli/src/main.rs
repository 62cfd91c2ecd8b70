//! Runs a function on this machine as AWS Lambda does.
//!
//! The command uses the library like any other program: only its public items.

#[cfg(unix)]
mod cli;
#[cfg(unix)]
mod function;
#[cfg(unix)]
mod launcher;
#[cfg(unix)]
mod log;
#[cfg(unix)]
mod memory;
#[cfg(unix)]
mod once;
#[cfg(unix)]
mod report;
#[cfg(unix)]
mod serve;
#[cfg(unix)]
mod session;

use std::process::ExitCode;

#[cfg(unix)]
fn main() -> ExitCode {
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

#[cfg(not(unix))]
fn main() -> ExitCode {
    eprintln!("lambda-emulator: this system has no process groups, which the command needs to stop a function");
    ExitCode::FAILURE
}
