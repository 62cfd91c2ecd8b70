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
use crate::Dimension;

/// In a process that is to run the function: the name of the dimension.
pub(crate) const CHILD: &str = "CONFORMANCE_FUNCTION";

const ADDRESS: &str = "AWS_LAMBDA_RUNTIME_API";
const MAX_CONCURRENCY: &str = "AWS_LAMBDA_MAX_CONCURRENCY";

/// A function hangs if it neither ends nor makes progress within this time.
const LIMIT: Duration = Duration::from_secs(60);

/// How a function is run.
pub(crate) struct Launcher {
    pub(crate) start: Start,
    pub(crate) dimension: Dimension,
    pub(crate) place: Place,
}

/// Where a function runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Thread,
    Process,
}

/// An event that the suite waits for.
#[derive(Debug)]
pub(crate) enum Happening {
    /// The API has played its script.
    Played,
    /// The function has ended, with this message of its error.
    Ended(Result<(), String>),
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
}

impl Launcher {
    /// Starts the function. The API sends [`Happening::Played`] to the same channel.
    pub(crate) fn launch(
        &self,
        address: &str,
        (sender, happenings): (mpsc::Sender<Happening>, mpsc::Receiver<Happening>),
    ) -> Result<Instance, String> {
        let running = match self.place {
            Place::Thread => self.thread(address, sender)?,
            Place::Process => self.process(address, sender).map_err(|error| format!("starting a process: {error}"))?,
        };
        Ok(Instance { running, happenings, end: None })
    }

    fn thread(&self, address: &str, ended: mpsc::Sender<Happening>) -> Result<Running, String> {
        let (start, dimension) = (self.start, self.dimension);
        let (stop, stopped) = oneshot::channel();
        let address = address.parse().map_err(|error| format!("the address {address}: {error}"))?;
        let function = Function::new(address, stopped);
        thread::spawn(move || {
            let _ = ended.send(Happening::Ended(run(start, dimension, function)));
        });
        Ok(Running::Thread(Some(stop)))
    }

    fn process(&self, address: &str, ended: mpsc::Sender<Happening>) -> std::io::Result<Running> {
        let mut command = Command::new(env::current_exe()?);
        command.env(CHILD, self.dimension.name()).env(ADDRESS, address).env_remove(MAX_CONCURRENCY);
        let workers = self.dimension.workers();
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
    /// The id of its own process, if it has one.
    pub(crate) fn process(&self) -> Option<u32> {
        match &self.running {
            Running::Thread(_) => None,
            Running::Process(child) => Some(child.id()),
        }
    }

    /// Waits until the API has played its script. `progress` changes as long as the function sends something.
    pub(crate) fn wait_until_played(&mut self, progress: impl Fn() -> usize) -> Result<(), String> {
        self.wait(progress)?;
        self.end.as_ref().map_or(Ok(()), |_| Err("the function ended before the script did".to_owned()))
    }

    /// Waits until the function has ended by itself.
    pub(crate) fn wait_for_end(&mut self, progress: impl Fn() -> usize) -> Result<(), String> {
        while self.end.is_none() {
            self.wait(&progress)?;
        }
        Ok(())
    }

    fn wait(&mut self, progress: impl Fn() -> usize) -> Result<(), String> {
        loop {
            let before = progress();
            match self.happenings.recv_timeout(LIMIT) {
                Ok(Happening::Ended(end)) => {
                    self.end = Some(end);
                    return Ok(());
                }
                Ok(Happening::Played) => return Ok(()),
                Err(_) if progress() != before => {}
                Err(_) => return Err(format!("the function hangs: nothing happened for {} s", LIMIT.as_secs())),
            }
        }
    }

    /// Stops the function, unless it has ended by itself: then it returns how.
    pub(crate) fn stop(mut self) -> Result<Option<Result<(), String>>, String> {
        let ended = self.end.take();
        if ended.is_none() {
            self.halt();
            self.wait_for_end(|| 0)?;
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
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.halt();
    }
}
