//! One invocation, and its answer on stdout.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use lambda_runtime_emulator::{Emulator, Error, Invocation, Outcome, Prelude, ResponseHead};

use crate::cli::Options;
use crate::function::Function;
use crate::log;
use crate::session::{builder, observe, on_interrupt, report_unused_faults};

pub(crate) fn run(event: Vec<u8>, options: Options) -> Result<ExitCode, String> {
    let (function, supervisor) = Function::new();
    let (told, is_classic) = (function.clone(), options.concurrency == 1);
    let builder = builder(&options).observer(move |notice| observe(&told, is_classic, notice));
    let emulator = Arc::new(builder.start().map_err(|error| error.to_string())?);
    // The event is queued before the process can have died.
    let invocation = emulator.start_invocation(event).map_err(|error| error.to_string())?;
    let interrupted = Arc::<AtomicBool>::default();
    let (flag, stopped) = (Arc::clone(&interrupted), function.clone());
    on_interrupt(move || {
        flag.store(true, Ordering::SeqCst);
        stopped.shut_down();
        std::process::exit(130);
    })?;
    supervisor.start(options.command, Arc::clone(&emulator), || {})?;
    let outcome = print(invocation);
    while interrupted.load(Ordering::SeqCst) {
        // The handler ends the process; what became of the invocation is its doing.
        thread::park();
    }
    let code = outcome.map_or(ExitCode::SUCCESS, |outcome| end(&outcome));
    wait_until_idle(&emulator);
    function.shut_down();
    report_unused_faults(&options.faults, &emulator);
    Ok(code)
}

/// Prints the answer as it comes. `None` if nobody reads on: no reason to go on, but none to complain.
fn print(mut invocation: Invocation) -> Option<Result<Outcome, Error>> {
    let mut answer = Answer { prelude: None, ends_in_newline: true };
    if invocation.head().as_ref().is_some_and(ResponseHead::has_prelude) {
        answer.prelude = Some(Prelude::default());
    }
    for chunk in invocation.by_ref() {
        answer.chunk(chunk.data).ok()?;
    }
    answer.end().ok()?;
    Some(invocation.wait())
}

/// Tells what went wrong, if anything.
fn end(outcome: &Result<Outcome, Error>) -> ExitCode {
    match outcome {
        Ok(outcome) => match outcome.error() {
            None => ExitCode::SUCCESS,
            Some(error) => {
                log::line(String::from_utf8_lossy(error.body()));
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            log::message(error);
            ExitCode::FAILURE
        }
    }
}

/// An answer on its way to stdout.
struct Answer {
    /// Until it has come whole.
    prelude: Option<Prelude>,
    ends_in_newline: bool,
}

impl Answer {
    fn chunk(&mut self, data: Bytes) -> io::Result<()> {
        let data = match &mut self.prelude {
            None => data,
            Some(prelude) => {
                let Some(payload) = prelude.take(data) else { return Ok(()) };
                if let Some(json) = prelude.json() {
                    log::line(String::from_utf8_lossy(&json));
                }
                self.prelude = None;
                payload
            }
        };
        self.write(&data)
    }

    fn end(mut self) -> io::Result<()> {
        if let Some(prelude) = self.prelude.take() {
            self.write(&prelude.rest())?;
        }
        if !self.ends_in_newline && io::stdout().is_terminal() {
            self.write(b"\n")?;
        }
        Ok(())
    }

    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        if let Some(last) = data.last() {
            self.ends_in_newline = *last == b'\n';
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(data)?;
        stdout.flush()
    }
}

/// A function may have something to do behind its answer, such as to write its log: it is done when it asks again.
fn wait_until_idle(emulator: &Emulator) {
    const PATIENCE: Duration = Duration::from_secs(2);
    emulator.wait_until(PATIENCE, |observed| observed.waiting > 0 || observed.open_connections == 0);
}
