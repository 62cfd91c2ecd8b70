//! A process in its own process group, with the output and the variables that Lambda gives a function.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::launcher;
use crate::output::Output;

/// A process that leads its own process group.
pub(crate) struct ProcessGroup {
    child: Child,
    pub(crate) pid: Pid,
    /// Disconnected when the process has ended.
    pub(crate) ended: Receiver<()>,
}

impl ProcessGroup {
    /// Starts a program, with its output read by `output`. `configure` is called after Lambda's usual variables are set, and
    /// `exited` on another thread when the process has ended.
    pub(crate) fn spawn(
        program: &OsStr,
        args: &[OsString],
        output: &Arc<Output>,
        exited: impl FnOnce(Pid) + Send + 'static,
        configure: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<Self, String> {
        // One pipe for both, so that their order is kept. Stdout of the command itself is for the response.
        let pipe = output.attach().map_err(|error| format!("cannot read the function's output: {error}"))?;
        let stdout = pipe.try_clone().map_err(|error| format!("cannot read the function's output: {error}"))?;
        let mut child = launcher::spawn(program, args, |command| {
            command.env_remove("AWS_LAMBDA_MAX_CONCURRENCY").envs(missing_variables());
            configure(command).stdout(stdout).stderr(pipe).process_group(0)
        })
        .map_err(|error| cannot_start(program, &error))?;
        let pid = Pid::from_child(&child);
        let (alive, ended) = mpsc::channel();
        let watch = move || {
            // The process is not reaped: as long as it is a zombie, the id of its process group is not reused.
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
            drop(alive);
            exited(pid);
        };
        if let Err(error) = thread::Builder::new().name("watch".to_owned()).spawn(watch) {
            let _ = kill_process_group(pid, Signal::KILL);
            let _ = child.wait();
            return Err(no_thread(&error));
        }
        Ok(Self { child, pid, ended })
    }

    pub(crate) fn kill(&self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
    }

    /// Waits until the process has ended, for at most `limit`.
    pub(crate) fn wait(&self, limit: Duration) {
        let _ = self.ended.recv_timeout(limit);
    }

    /// Kills what is left of the group; returns how the process ended.
    pub(crate) fn reap(mut self) -> String {
        self.kill();
        self.child.wait().map_or_else(|error| error.to_string(), describe)
    }
}

/// Variables that Lambda sets, unless the user has set them.
fn missing_variables() -> impl Iterator<Item = (&'static str, OsString)> {
    let task_root = std::env::current_dir().map(OsString::from).unwrap_or_default();
    // Through a pipe, cargo would not colour its messages.
    let colour = io::stderr().is_terminal().then(|| ("CARGO_TERM_COLOR", "always".into()));
    let variables = [
        ("AWS_REGION", "us-east-1".into()),
        ("AWS_DEFAULT_REGION", "us-east-1".into()),
        ("TZ", ":UTC".into()),
        ("_HANDLER", "bootstrap".into()),
        ("LAMBDA_TASK_ROOT", task_root),
    ];
    variables.into_iter().chain(colour).filter(|(name, _)| std::env::var_os(name).is_none())
}

pub(crate) fn no_thread(error: &io::Error) -> String {
    format!("cannot start a thread: {error}")
}

fn cannot_start(program: &OsStr, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "not found".to_owned(),
        io::ErrorKind::PermissionDenied => "not executable".to_owned(),
        _ => error.to_string(),
    };
    format!("cannot start {program:?}: {why}; expected the command that runs the function after --")
}

/// How a process ended, as Lambda describes it.
fn describe(status: ExitStatus) -> String {
    let signal = |signal| match signal {
        4 => "signal: illegal instruction".to_owned(),
        6 => "signal: aborted".to_owned(),
        7 => "signal: bus error".to_owned(),
        8 => "signal: floating point exception".to_owned(),
        9 => "signal: killed".to_owned(),
        11 => "signal: segmentation fault".to_owned(),
        15 => "signal: terminated".to_owned(),
        other => format!("signal: {other}"),
    };
    match (status.code(), status.signal()) {
        (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, Some(number)) => format!("Runtime exited with error: {}", signal(number)),
        (None, None) => format!("Runtime exited with error: {status}"),
    }
}
