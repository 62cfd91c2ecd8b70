//! A single invocation, and its response on stdout.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use lambda_runtime_emulator::{Emulator, Error, Event, Invocation, Notice, Outcome, Prelude, ResponseHead};

use crate::cli::Options;
use crate::function::Function;
use crate::log;
use crate::output::Output;
use crate::session::{builder, observe, on_interrupt, report_unused_faults};

pub(crate) fn run(event: Event, options: Options) -> Result<ExitCode, String> {
    let options = Arc::new(options);
    let (function, supervisor) = Function::new();
    let overdue = Arc::<AtomicBool>::default();
    let (observed, is_overdue, is_classic) = (function.clone(), Arc::clone(&overdue), options.concurrency == 1);
    let builder = builder(&options)?.observer(move |notice| {
        if let Notice::Overdue { .. } = notice {
            is_overdue.store(true, Ordering::SeqCst);
        }
        observe(&observed, is_classic, notice);
    });
    let emulator = Arc::new(builder.start().map_err(|error| error.to_string())?);
    // The event is queued before the process starts, because it fails if the process ends.
    let invocation = emulator.start_invocation(event).map_err(|error| error.to_string())?;
    let interrupted = Interrupted::default();
    let output = Output::new(Arc::default());
    let (flag, stopped, drained) = (interrupted.clone(), function.clone(), Arc::clone(&output));
    on_interrupt(move || {
        flag.set();
        stopped.shut_down();
        drained.drain();
        std::process::exit(130);
    })?;
    supervisor.start(Arc::clone(&options), Arc::clone(&emulator), Arc::clone(&output), || {})?;
    let printed = print(invocation);
    interrupted.wait_if_set();
    let code = match printed {
        Ok(outcome) => {
            let code = report(&outcome);
            wait_until_idle(&emulator, &options);
            if overdue.load(Ordering::SeqCst) { ExitCode::FAILURE } else { code }
        }
        // The reader closed the pipe, which is not an error.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            log::message(format_args!("cannot write the response to stdout: {error}"));
            ExitCode::FAILURE
        }
    };
    function.shut_down();
    output.drain();
    interrupted.wait_if_set();
    report_unused_faults(&options.faults, &emulator);
    Ok(code)
}

/// Set when the handler of Ctrl-C runs.
#[derive(Clone, Default)]
struct Interrupted(Arc<AtomicBool>);

impl Interrupted {
    fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Waits forever if the handler runs, because it ends the process.
    fn wait_if_set(&self) {
        while self.0.load(Ordering::SeqCst) {
            thread::park();
        }
    }
}

/// Prints the response as it arrives.
///
/// # Errors
///
/// Stdout cannot be written to.
fn print(mut invocation: Invocation) -> io::Result<Result<Outcome, Error>> {
    let mut response = Response { prelude: None, ends_in_newline: true };
    if invocation.head().as_ref().is_some_and(ResponseHead::has_prelude) {
        response.prelude = Some(Prelude::default());
    }
    for chunk in invocation.by_ref() {
        response.chunk(chunk.data)?;
    }
    response.end()?;
    Ok(invocation.wait())
}

/// Prints an error, if there is one.
fn report(outcome: &Result<Outcome, Error>) -> ExitCode {
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

/// A response on its way to stdout.
struct Response {
    /// The prelude, until it is complete.
    prelude: Option<Prelude>,
    ends_in_newline: bool,
}

impl Response {
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

/// Waits for the end of the invoke phase: until the runtime and every extension have requested the next event. A function
/// may be busy after its response, for example with its log.
fn wait_until_idle(emulator: &Emulator, options: &Options) {
    // Managed Instances have no such phase, so a worker that does not return must not delay the end.
    const WORKERS: Duration = Duration::from_secs(2);
    // The process is stopped when its timeout has passed.
    let limit = if options.concurrency == 1 { Duration::MAX } else { WORKERS };
    emulator.wait_until(limit, |observed| {
        !observed.ready || observed.waiting >= options.concurrency && observed.busy_extensions == 0
    });
}
