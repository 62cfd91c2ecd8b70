//! One invocation, and its answer on stdout.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use lambda_runtime_emulator::{Builder, Emulator, Error, Fault, Invocation, Notice, Outcome, Prelude, ResponseHead};

use crate::cli::Options;
use crate::function::Function;
use crate::log;

pub(crate) fn run(event: Vec<u8>, options: Options) -> Result<ExitCode, String> {
    let (function, keeper) = Function::new();
    let (told, is_classic) = (function.clone(), options.concurrency == 1);
    let builder = builder(&options).observer(move |notice| observe(&told, is_classic, notice));
    let emulator = Arc::new(builder.start().map_err(|error| error.to_string())?);
    // The event is queued before the process can have died.
    let invocation = emulator.begin(event).map_err(|error| error.to_string())?;
    let interrupted = Arc::<AtomicBool>::default();
    let (flag, stopped) = (Arc::clone(&interrupted), function.clone());
    on_interrupt(move || {
        flag.store(true, Ordering::SeqCst);
        stopped.shut_down();
        std::process::exit(130);
    })?;
    keeper.start(options.command, Arc::clone(&emulator), || {})?;
    let outcome = print(invocation);
    while interrupted.load(Ordering::SeqCst) {
        // The handler ends the process; what became of the invocation is its doing.
        thread::park();
    }
    let code = outcome.map_or(ExitCode::SUCCESS, |outcome| end(&outcome));
    let_it_finish(&emulator);
    function.shut_down();
    name_unhappened(&options.faults, &emulator);
    Ok(code)
}

/// Who has asked for a fault that did not happen has tested nothing.
pub(crate) fn name_unhappened(faults: &[Fault], emulator: &Emulator) {
    let happened = emulator.observed().faults;
    for fault in faults.iter().filter(|fault| !happened.contains(fault)) {
        log::say(format_args!("the fault did not happen: {fault}"));
    }
}

/// The emulator that the options ask for.
pub(crate) fn builder(options: &Options) -> Builder {
    let name = std::env::var("AWS_LAMBDA_FUNCTION_NAME").ok().filter(|name| !name.is_empty());
    Emulator::builder()
        .timeout(options.timeout)
        // It may have to be compiled first.
        .claim_timeout(None)
        .concurrency(options.concurrency)
        .memory(options.memory)
        .snapstart(options.snapstart)
        .faults(options.faults.iter().cloned())
        .function_name(name.unwrap_or_else(|| "function".to_owned()))
}

/// What keeps the process in step with the emulator, and what somebody who reads the log should know.
pub(crate) fn observe(function: &Function, is_classic: bool, notice: &Notice<'_>) {
    match notice {
        Notice::Queued { .. } => function.wanted(),
        Notice::Ready => function.ready(),
        // As Lambda does. Managed Instances let the process go on, for it has other invocations in hand.
        Notice::Finished { end: lambda_runtime_emulator::End::TimedOut(_), .. } if is_classic => function.stop(),
        Notice::Fault { fault } => log::say(format_args!("fault: {fault}")),
        _ => {}
    }
}

pub(crate) fn on_interrupt(handler: impl FnMut() + Send + 'static) -> Result<(), String> {
    ctrlc::set_handler(handler).map_err(|error| format!("cannot handle Ctrl-C: {error}"))
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
    Some(invocation.outcome())
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
            log::say(error);
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
fn let_it_finish(emulator: &Emulator) {
    const PATIENCE: Duration = Duration::from_secs(2);
    emulator.wait_until(PATIENCE, |observed| observed.waiting > 0 || observed.open_connections == 0);
}
