//! A running function: on a thread, or in its own process.

use std::env;
use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures_channel::oneshot;

use super::{Function, Start};
use crate::happening::Happening;
use crate::process::{Process, Program};
use crate::{Dimension, Scenario};

/// The variable that contains the dimension, in a process that runs the function.
pub(crate) const CHILD: &str = "CONFORMANCE_FUNCTION";

const ADDRESS: &str = "AWS_LAMBDA_RUNTIME_API";
const MAX_CONCURRENCY: &str = "AWS_LAMBDA_MAX_CONCURRENCY";

/// A function that does not end, or a script that does not continue, within this time counts as hanging. A stream of 1 GiB
/// takes long on a busy machine.
const LIMIT: Duration = Duration::from_secs(300);

/// The same for a command that should end. A command that should not end fails in the API, when nothing is sent.
const END_LIMIT: Duration = Duration::from_secs(30);

/// How a function is run.
pub(crate) enum Launcher {
    /// On a thread of this process.
    Thread(Start, Dimension),
    /// In a separate process, which runs this program.
    Process(Dimension),
    /// As a command, in any language.
    Command(Program),
}

/// A running function. It stops when it is dropped.
pub(crate) struct Instance {
    running: Running,
    happenings: mpsc::Receiver<Happening>,
    end: Option<Result<(), String>>,
}

enum Running {
    Thread(Option<oneshot::Sender<()>>),
    Process(Child),
    Command(Process),
}

impl Launcher {
    /// Starts the function. The API sends [`Happening::Played`] to the same channel.
    pub(crate) fn launch(
        &self,
        scenario: &Scenario,
        address: &str,
        (sender, happenings): (mpsc::Sender<Happening>, mpsc::Receiver<Happening>),
    ) -> Result<Instance, String> {
        let running = match self {
            Self::Thread(start, dimension) => thread(*start, *dimension, address, sender)?,
            Self::Process(dimension) => {
                process(*dimension, address, sender).map_err(|error| format!("starting a process: {error}"))?
            }
            Self::Command(program) => Running::Command(program.start(&scenario.environment, address, sender)?),
        };
        Ok(Instance { running, happenings, end: None })
    }

    /// The number of invocations that the function serves at once.
    pub(crate) fn workers(&self) -> usize {
        self.dimension().map_or(1, Dimension::workers)
    }

    /// The number of requests for an event that may be lost with these connections.
    pub(crate) fn pipelined_requests_lost(&self, connections: usize) -> u64 {
        self.dimension().map_or(0, |dimension| dimension.pipelined_requests_lost(connections))
    }

    pub(crate) fn dimension(&self) -> Option<Dimension> {
        match self {
            Self::Thread(_, dimension) | Self::Process(dimension) => Some(*dimension),
            Self::Command(_) => None,
        }
    }
}

fn thread(
    start: Start,
    dimension: Dimension,
    address: &str,
    ended: mpsc::Sender<Happening>,
) -> Result<Running, String> {
    let (stop, stopped) = oneshot::channel();
    let address = address.parse().map_err(|error| format!("the address {address}: {error}"))?;
    let function = Function::new(address, stopped);
    thread::spawn(move || {
        let _ = ended.send(Happening::Ended(run(start, dimension, function)));
    });
    Ok(Running::Thread(Some(stop)))
}

fn process(dimension: Dimension, address: &str, ended: mpsc::Sender<Happening>) -> std::io::Result<Running> {
    let mut command = Command::new(env::current_exe()?);
    command.env(CHILD, dimension.name()).env(ADDRESS, address).env_remove(MAX_CONCURRENCY);
    let workers = dimension.workers();
    if workers > 1 {
        command.env(MAX_CONCURRENCY, workers.to_string());
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take();
    thread::spawn(move || {
        let mut message = String::new();
        if let Some(mut stdout) = stdout {
            let _ = stdout.read_to_string(&mut message);
        }
        let _ = ended.send(Happening::Ended(Err(message)));
    });
    Ok(Running::Process(child))
}

/// Runs the function in this process, which a [`Launcher`] has started, and prints the message of its error.
pub(crate) fn run_as_child(start: Start, dimension: &str) -> ExitCode {
    // The function is stopped by killing the process.
    let (_stop, stopped) = oneshot::channel();
    let ended = Dimension::named(dimension).ok_or_else(|| format!("unknown dimension {dimension}")).and_then(|it| {
        let address = env::var(ADDRESS).map_err(|error| format!("{ADDRESS}: {error}"))?;
        let address = address.parse().map_err(|error| format!("{ADDRESS}={address}: {error}"))?;
        run(start, it, Function::new(address, stopped))
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(start: Start, dimension: Dimension, function: Function) -> Result<(), String> {
    match catch_unwind(AssertUnwindSafe(|| start(dimension, function))) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(format!("run panicked: {}", text.unwrap_or_else(|| "no message".to_owned())))
        }
    }
}

impl Instance {
    /// The id of its process, if it has one.
    pub(crate) fn process(&self) -> Option<u32> {
        match &self.running {
            Running::Thread(_) => None,
            Running::Process(child) => Some(child.id()),
            Running::Command(process) => Some(process.id()),
        }
    }

    /// The last bytes of the output of a command.
    pub(crate) fn output(&self) -> String {
        match &self.running {
            Running::Command(process) => process.output(),
            Running::Thread(_) | Running::Process(_) => String::new(),
        }
    }

    /// Waits until the API has played its script.
    pub(crate) fn wait_until_played(&mut self) -> Result<(), String> {
        self.wait(LIMIT)?;
        self.end.as_ref().map_or(Ok(()), |_| Err("the function ended before the script did".to_owned()))
    }

    /// Waits until the function has ended without being stopped.
    pub(crate) fn wait_for_end(&mut self) -> Result<(), String> {
        let limit = if matches!(self.running, Running::Command(_)) { END_LIMIT } else { LIMIT };
        while self.end.is_none() {
            if let Happening::Violated = self.wait(limit)? {
                return Err("the function did not end".to_owned());
            }
        }
        Ok(())
    }

    fn wait(&mut self, limit: Duration) -> Result<Happening, String> {
        let happening = self.happenings.recv_timeout(limit);
        let happening =
            happening.map_err(|_| format!("neither the script nor the function ended within {} s", limit.as_secs()))?;
        self.note(&happening);
        Ok(happening)
    }

    fn note(&mut self, happening: &Happening) {
        if let Happening::Ended(end) = happening {
            self.end = Some(end.clone());
        }
    }

    /// Stops the function. If it ended before, returns how.
    pub(crate) fn stop(mut self) -> Result<Option<Result<(), String>>, String> {
        while self.end.is_none()
            && let Ok(happening) = self.happenings.try_recv()
        {
            self.note(&happening);
        }
        let ended = self.end.take();
        if ended.is_none() {
            self.halt();
            while self.end.is_none() {
                self.wait(LIMIT)?;
            }
        }
        Ok(ended)
    }

    fn halt(&mut self) {
        match &mut self.running {
            Running::Thread(stop) => {
                let _ = stop.take().map(|stop| stop.send(()));
            }
            Running::Process(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            Running::Command(process) => process.kill(),
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.halt();
    }
}
