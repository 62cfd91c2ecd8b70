//! A running function: on a thread, or in a process of its own.

use std::env;
use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;

use futures_channel::oneshot;

use super::{Function, Start};
use crate::Dimension;

/// In a process that is to run the function: the name of the dimension.
pub(crate) const CHILD: &str = "CONFORMANCE_FUNCTION";

const ADDRESS: &str = "AWS_LAMBDA_RUNTIME_API";
const MAX_CONCURRENCY: &str = "AWS_LAMBDA_MAX_CONCURRENCY";

/// Where a function runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Thread,
    Process,
}

/// What the suite waits for.
#[derive(Debug)]
pub(crate) enum Happening {
    /// The API has played its script.
    Played,
    /// The function has ended; the message of its error.
    Ended(Result<(), String>),
}

/// A running function. It stops when it is dropped.
pub(crate) struct Instance(Running);

enum Running {
    Thread(Option<oneshot::Sender<()>>),
    Process(Child),
}

impl Instance {
    /// Starts the function. [`Happening::Ended`] is sent when it has ended.
    pub(crate) fn start(
        start: Start,
        dimension: Dimension,
        place: Place,
        address: &str,
        ended: mpsc::Sender<Happening>,
    ) -> Result<Self, String> {
        match place {
            Place::Thread => {
                let (stop, stopped) = oneshot::channel();
                let address = address.parse().map_err(|error| format!("the address {address}: {error}"))?;
                let function = Function::new(address, stopped);
                thread::spawn(move || {
                    let _ = ended.send(Happening::Ended(caught(start, dimension, function)));
                });
                Ok(Self(Running::Thread(Some(stop))))
            }
            Place::Process => {
                let mut child = child(dimension, address).map_err(|error| format!("starting a process: {error}"))?;
                let stdout = child.stdout.take();
                thread::spawn(move || {
                    let mut message = String::new();
                    if let Some(mut stdout) = stdout {
                        let _ = stdout.read_to_string(&mut message);
                    }
                    let _ = ended.send(Happening::Ended(Err(message)));
                });
                Ok(Self(Running::Process(child)))
            }
        }
    }

    /// The id of its process, if it has one of its own.
    pub(crate) fn process(&self) -> Option<u32> {
        match &self.0 {
            Running::Thread(_) => None,
            Running::Process(child) => Some(child.id()),
        }
    }

    /// Stops the function; [`Happening::Ended`] follows.
    pub(crate) fn stop(&mut self) {
        match &mut self.0 {
            Running::Thread(stop) => {
                let _ = stop.take().map(|stop| stop.send(()));
            }
            Running::Process(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.stop();
    }
}

fn child(dimension: Dimension, address: &str) -> std::io::Result<Child> {
    let mut command = Command::new(env::current_exe()?);
    command.env(CHILD, dimension.name()).env(ADDRESS, address).env_remove(MAX_CONCURRENCY);
    if dimension.workers() > 1 {
        command.env(MAX_CONCURRENCY, dimension.workers().to_string());
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
}

/// Runs the function in this process, which [`Instance::start`] has started, and prints its error.
pub(crate) fn run_as_child(start: Start, dimension: &str) -> ExitCode {
    let (_stop, stopped) = oneshot::channel();
    let function = Dimension::named(dimension).ok_or_else(|| format!("unknown dimension {dimension}")).and_then(|it| {
        let address = env::var(ADDRESS).map_err(|error| format!("{ADDRESS}: {error}"))?;
        let address = address.parse().map_err(|error| format!("{ADDRESS}={address}: {error}"))?;
        caught(start, it, Function::new(address, stopped))
    });
    match function {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn caught(start: Start, dimension: Dimension, function: Function) -> Result<(), String> {
    match catch_unwind(AssertUnwindSafe(|| start(dimension, function))) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(format!("run panicked: {}", text.unwrap_or_else(|| "no message".to_owned())))
        }
    }
}
