//! The function's process: started when an event waits, stopped as Lambda stops it, started again when it has died.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lambda_runtime_emulator::Emulator;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::log;

/// Where those who have something to do with the process tell so.
#[derive(Clone)]
pub(crate) struct Function {
    messages: Sender<Message>,
    stats: Arc<Mutex<ProcessStats>>,
}

enum Message {
    /// An event waits.
    Wanted,
    /// It has asked for its first event.
    Ready,
    Exited(Pid),
    /// It is to be stopped, and whoever waits for that is told by the sender's end.
    Stop(Sender<()>),
    /// The same, for good.
    Shutdown(Sender<()>),
}

/// What is reported of the process.
#[derive(Default)]
struct ProcessStats {
    group: Option<Pid>,
    started: Option<Instant>,
    /// Until it is reported.
    init: Option<Duration>,
}

impl Function {
    /// A function that nobody [keeps](Supervisor) yet.
    pub(crate) fn new() -> (Self, Supervisor) {
        let (messages, inbox) = mpsc::channel();
        let stats = Arc::<Mutex<ProcessStats>>::default();
        let supervisor = Supervisor { messages: messages.clone(), inbox, stats: Arc::clone(&stats) };
        (Self { messages, stats }, supervisor)
    }

    /// An event waits for the process.
    pub(crate) fn wanted(&self) {
        let _ = self.messages.send(Message::Wanted);
    }

    /// The process asks for its first event.
    pub(crate) fn ready(&self) {
        let mut stats = self.stats();
        stats.init = stats.started.map(|started| started.elapsed());
        let _ = self.messages.send(Message::Ready);
    }

    /// Stops the process and returns when it is gone.
    pub(crate) fn stop(&self) {
        self.tell_and_wait(Message::Stop);
    }

    /// Stops the process for good.
    pub(crate) fn shut_down(&self) {
        self.tell_and_wait(Message::Shutdown);
    }

    fn tell_and_wait(&self, message: fn(Sender<()>) -> Message) {
        let (done, wait) = mpsc::channel();
        if self.messages.send(message(done)).is_ok() {
            let _ = wait.recv();
        }
    }

    /// How long start-up took, the first time it is asked for.
    pub(crate) fn take_init_duration(&self) -> Option<Duration> {
        self.stats().init.take()
    }

    /// The process group of the function.
    pub(crate) fn group(&self) -> Option<Pid> {
        self.stats().group
    }

    fn stats(&self) -> MutexGuard<'_, ProcessStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts and stops the process.
pub(crate) struct Supervisor {
    messages: Sender<Message>,
    inbox: Receiver<Message>,
    stats: Arc<Mutex<ProcessStats>>,
}

impl Supervisor {
    /// Starts the function's process and keeps it on a thread of its own. `never_ready` is called when it ends before
    /// it ever asked for an event.
    pub(crate) fn start(
        self,
        command: Vec<OsString>,
        emulator: Arc<Emulator>,
        never_ready: impl FnOnce() + Send + 'static,
    ) -> Result<(), String> {
        let mut supervised = Supervised {
            supervisor: self,
            command,
            emulator,
            process: None,
            hint: None,
            never_ready: Some(Box::new(never_ready)),
        };
        supervised.start()?;
        thread::spawn(move || supervised.run());
        Ok(())
    }
}

/// The process and what is needed to start it again.
struct Supervised {
    supervisor: Supervisor,
    command: Vec<OsString>,
    emulator: Arc<Emulator>,
    process: Option<Process>,
    /// When to say that it has not asked for an event.
    hint: Option<Instant>,
    never_ready: Option<Box<dyn FnOnce() + Send>>,
}

struct Process {
    child: Child,
    pid: Pid,
    started: Instant,
    /// Ends when the process does.
    gone: Receiver<()>,
    init_errors: usize,
}

impl Supervised {
    const FIRST_HINT: Duration = Duration::from_secs(10);
    const NEXT_HINT: Duration = Duration::from_secs(30);

    fn run(mut self) {
        loop {
            let message = match self.hint {
                None => self.supervisor.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(hint) => self.supervisor.inbox.recv_timeout(hint.saturating_duration_since(Instant::now())),
            };
            match message {
                Ok(Message::Wanted) => self.start_again(),
                Ok(Message::Ready) => {
                    self.hint = None;
                    self.never_ready = None;
                }
                Ok(Message::Exited(pid)) => {
                    if let Some(process) = self.process.take_if(|process| process.pid == pid) {
                        let before = self.emulator.observed();
                        let init_errors = process.init_errors;
                        let reason = self.reap(process);
                        if !before.ready {
                            self.tell_why(&reason, init_errors);
                        } else if before.in_flight == 0 {
                            log::message(format_args!("the function ended between two events: {reason}"));
                        }
                        self.start_if_wanted();
                    }
                }
                Ok(Message::Stop(done)) => {
                    self.stop();
                    self.start_if_wanted();
                    drop(done);
                }
                Ok(Message::Shutdown(done)) => {
                    self.stop();
                    drop(done);
                    return;
                }
                Err(RecvTimeoutError::Timeout) => self.give_hint(),
                Err(RecvTimeoutError::Disconnected) => return self.stop(),
            }
        }
    }

    fn start(&mut self) -> Result<(), String> {
        let Some((program, args)) = self.command.split_first() else { return Err("there is no command".to_owned()) };
        // What it may do before this goes on is noted against what is known now.
        let init_errors = self.emulator.observed().init_errors.len();
        let started = Instant::now();
        *self.stats() = ProcessStats { group: None, started: Some(started), init: None };
        let child = Command::new(program)
            .args(args)
            .env_remove("AWS_LAMBDA_MAX_CONCURRENCY")
            .envs(missing_variables())
            .envs(self.emulator.environment())
            .stdin(Stdio::null())
            // Stdout is for the answer.
            .stdout(io::stderr())
            .stderr(Stdio::inherit())
            .process_group(0)
            .spawn()
            .map_err(|error| cannot_start(program, &error))?;
        let pid = Pid::from_child(&child);
        let (alive, gone) = mpsc::channel();
        let messages = self.supervisor.messages.clone();
        thread::spawn(move || {
            // Not reaped: while it is a zombie its process group's id belongs to nobody else.
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
            drop(alive);
            let _ = messages.send(Message::Exited(pid));
        });
        self.stats().group = Some(pid);
        self.hint = Some(started + Self::FIRST_HINT);
        self.process = Some(Process { child, pid, started, gone, init_errors });
        Ok(())
    }

    fn start_if_wanted(&mut self) {
        if self.emulator.observed().queued > 0 {
            self.start_again();
        }
    }

    fn start_again(&mut self) {
        if self.process.is_none()
            && let Err(message) = self.start()
        {
            log::message(&message);
            self.emulator.runtime_exited(&message);
        }
    }

    /// Ends the process as Lambda does: at once, unless it registered an extension in order to be told before.
    fn stop(&mut self) {
        /// What Lambda leaves to a function with an internal extension.
        const GRACE: Duration = Duration::from_millis(500);
        let Some(process) = self.process.take() else { return };
        if !self.emulator.observed().extensions.is_empty() {
            let _ = kill_process_group(process.pid, Signal::TERM);
            let _ = process.gone.recv_timeout(GRACE);
        }
        self.reap(process);
    }

    /// Kills what is left of the process and its children, and tells what it had in hand. Returns how it ended.
    fn reap(&mut self, mut process: Process) -> String {
        let _ = kill_process_group(process.pid, Signal::KILL);
        let reason = process.child.wait().map_or_else(|error| error.to_string(), ending);
        self.hint = None;
        self.stats().group = None;
        self.emulator.runtime_exited(&reason);
        reason
    }

    /// The process ended by itself and never asked for an event.
    fn tell_why(&mut self, reason: &str, init_errors: usize) {
        let observed = self.emulator.observed();
        match observed.init_errors.get(init_errors..).and_then(<[_]>::last) {
            Some(error) => {
                log::message(format_args!("the function could not start: {}: {}", error.error_type(), error.message()));
            }
            None => log::message(format_args!("the function ended before it asked for an event: {reason}")),
        }
        if let Some(never_ready) = self.never_ready.take() {
            never_ready();
        }
    }

    fn stats(&self) -> MutexGuard<'_, ProcessStats> {
        self.supervisor.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_hint(&mut self) {
        let Some(process) = &self.process else {
            self.hint = None;
            return;
        };
        log::message(format_args!(
            "the function runs for {} s and has not asked for an event, by GET \
             http://{}/2018-06-01/runtime/invocation/next; Ctrl-C stops it",
            process.started.elapsed().as_secs(),
            self.emulator.endpoint()
        ));
        self.hint = Some(Instant::now() + Self::NEXT_HINT);
    }
}

/// What Lambda would set and the user may have set otherwise.
fn missing_variables() -> impl Iterator<Item = (&'static str, OsString)> {
    let task_root = std::env::current_dir().map(OsString::from).unwrap_or_default();
    let variables = [
        ("AWS_REGION", "us-east-1".into()),
        ("AWS_DEFAULT_REGION", "us-east-1".into()),
        ("TZ", ":UTC".into()),
        ("_HANDLER", "bootstrap".into()),
        ("LAMBDA_TASK_ROOT", task_root),
    ];
    variables.into_iter().filter(|(name, _)| std::env::var_os(name).is_none())
}

fn cannot_start(program: &OsStr, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "there is no such program".to_owned(),
        io::ErrorKind::PermissionDenied => "it is not executable".to_owned(),
        _ => error.to_string(),
    };
    format!("cannot start {program:?}: {why}. What is behind -- is the command that runs the function")
}

/// How a process ended, in Lambda's words.
fn ending(status: ExitStatus) -> String {
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
