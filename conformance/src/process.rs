//! A runtime under test: a command that is started for each scenario, with Lambda's environment.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::happening::Happening;

/// Lambda's environment variables, besides the address of the API. Those that are set already are kept.
const ENVIRONMENT: [(&str, &str); 17] = [
    ("AWS_ACCESS_KEY_ID", "none"),
    ("AWS_SECRET_ACCESS_KEY", "none"),
    ("AWS_SESSION_TOKEN", "none"),
    ("AWS_REGION", "eu-west-1"),
    ("AWS_DEFAULT_REGION", "eu-west-1"),
    ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
    ("AWS_LAMBDA_FUNCTION_NAME", "conformance"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
    ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/conformance"),
    ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef"),
    ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
    ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
    ("LAMBDA_TASK_ROOT", "/var/task"),
    ("LANG", "en_US.UTF-8"),
    ("TZ", ":UTC"),
    ("_HANDLER", "handler.handler"),
];

/// Variables that decide how a runtime starts. Only a scenario sets them.
const RESERVED: [&str; 3] = ["AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_MAX_CONCURRENCY", "CONFORMANCE_INIT"];

/// Limit of the output of a process that is kept, in bytes. The last bytes are kept.
const OUTPUT: usize = 1500;

/// A command and its arguments.
#[derive(Debug, Clone)]
pub struct Program {
    command: OsString,
    arguments: Vec<OsString>,
}

impl Program {
    /// A program, which is looked up in `PATH`, and its arguments.
    pub fn new(command: impl Into<OsString>, arguments: impl IntoIterator<Item = OsString>) -> Self {
        Self { command: command.into(), arguments: arguments.into_iter().collect() }
    }

    /// Starts it, and ends it at once.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn check(&self) -> Result<(), String> {
        self.start(&[], "127.0.0.1:1", mpsc::channel().0).map(drop)
    }

    /// Starts it as the leader of a new process group. [`Happening::Ended`] is sent when it exits.
    pub(crate) fn start(
        &self,
        environment: &[(&str, &str)],
        address: &str,
        ended: mpsc::Sender<Happening>,
    ) -> Result<Process, String> {
        let mut command = Command::new(&self.command);
        command.args(&self.arguments);
        for name in RESERVED {
            command.env_remove(name);
        }
        for (name, value) in ENVIRONMENT {
            if RESERVED.contains(&name) || std::env::var_os(name).is_none() {
                command.env(name, value);
            }
        }
        command.envs(environment.iter().copied()).env("AWS_LAMBDA_RUNTIME_API", address);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let started = command.spawn();
        let mut child = started.map_err(|error| format!("starting {}: {error}", self.command.display()))?;
        let output = Arc::<Mutex<Vec<u8>>>::default();
        let pipes = [child.stdout.take().map(boxed), child.stderr.take().map(boxed)];
        for pipe in pipes.into_iter().flatten() {
            let output = Arc::clone(&output);
            thread::spawn(move || keep_end(pipe, &output));
        }
        let id = pid(&child).ok_or("the process has no id")?;
        lock(&RUNNING).insert(id.as_raw_nonzero().get());
        thread::spawn(move || {
            // The process stays a zombie until `kill`, so that its id is not reused.
            let status =
                rustix::io::retry_on_intr(|| waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT));
            let end = match status.ok().flatten() {
                Some(status) => ended_with(status.exit_status(), status.terminating_signal()),
                None => Err("it cannot be waited for".to_owned()),
            };
            let _ = ended.send(Happening::Ended(end));
        });
        Ok(Process { child, id, output, reaped: false })
    }
}

fn boxed(pipe: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    Box::new(pipe)
}

fn pid(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.id()).ok()?)
}

fn ended_with(code: Option<i32>, signal: Option<i32>) -> Result<(), String> {
    match (code, signal) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(format!("exit code {code}")),
        (None, Some(signal)) => Err(ExitStatus::from_raw(signal).to_string()),
        (None, None) => Err("unknown status".to_owned()),
    }
}

/// Reads to the end, and keeps the last bytes.
fn keep_end(mut pipe: impl Read, output: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = pipe.read(&mut buffer) {
        let mut output = lock(output);
        output.extend_from_slice(&buffer[..n]);
        let excess = output.len().saturating_sub(OUTPUT);
        output.drain(..excess);
    }
}

/// A started command. Dropping it kills the command and its descendants.
pub(crate) struct Process {
    child: Child,
    id: Pid,
    output: Arc<Mutex<Vec<u8>>>,
    reaped: bool,
}

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The last bytes of its output.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&lock(&self.output)).into_owned()
    }

    /// Kills the command and its descendants.
    pub(crate) fn kill(&mut self) {
        if !self.reaped {
            self.reaped = true;
            lock(&RUNNING).remove(&self.id.as_raw_nonzero().get());
            let _ = kill_process_group(self.id, Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The process groups of the commands that run.
static RUNNING: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Kills all commands when this process is interrupted or terminated, and ends it.
///
/// # Errors
///
/// The handler cannot be installed.
pub fn kill_all_when_interrupted() -> io::Result<()> {
    let handler = || {
        for group in lock(&RUNNING).iter().copied().filter_map(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        std::process::exit(130);
    };
    ctrlc::set_handler(handler).map_err(io::Error::other)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
