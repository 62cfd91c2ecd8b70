//! The function's process: it is started when an event waits, stopped as Lambda stops it, and started again after it has
//! ended.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lambda_runtime_emulator::{Emulator, Observed};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::cli::Options;
use crate::log;
use crate::output::Output;
use crate::process_group::{ProcessGroup, no_thread};
use crate::watch::Watch;

/// A handle to the function's process.
#[derive(Clone)]
pub(crate) struct Function {
    messages: Sender<Message>,
    stats: Arc<Mutex<ProcessStats>>,
}

enum Message {
    /// An event waits.
    Wanted,
    /// The process has requested its first event.
    Ready,
    Exited(Pid),
    /// Stop the process because an invocation has timed out, and drop the sender afterwards.
    Stop(Sender<()>),
    /// Stop the process, drop the sender and end.
    Shutdown(Sender<()>),
}

/// Facts about the current process.
#[derive(Default)]
struct ProcessStats {
    group: Option<Pid>,
    started: Option<Instant>,
    /// Duration of the initialization, until it is reported.
    init: Option<Duration>,
    /// Whether it has finished an invocation.
    progressed: bool,
}

impl Function {
    /// Returns a handle, and the supervisor to start.
    pub(crate) fn new() -> (Self, Supervisor) {
        let (messages, inbox) = mpsc::channel();
        let stats = Arc::<Mutex<ProcessStats>>::default();
        let supervisor = Supervisor { messages: messages.clone(), inbox, stats: Arc::clone(&stats) };
        (Self { messages, stats }, supervisor)
    }

    /// Reports that an event waits for the process.
    pub(crate) fn wanted(&self) {
        let _ = self.messages.send(Message::Wanted);
    }

    /// Reports that the process has requested its first event.
    pub(crate) fn ready(&self) {
        let mut stats = self.stats();
        stats.init = stats.started.map(|started| started.elapsed());
        let _ = self.messages.send(Message::Ready);
    }

    /// Reports that the process has finished an invocation.
    pub(crate) fn progressed(&self) {
        self.stats().progressed = true;
    }

    /// Stops the process because an invocation has timed out, and returns when it has ended.
    pub(crate) fn stop(&self) {
        self.send_and_wait(Message::Stop);
    }

    /// Stops the process permanently, and returns when it has ended.
    pub(crate) fn shut_down(&self) {
        self.send_and_wait(Message::Shutdown);
    }

    fn send_and_wait(&self, message: fn(Sender<()>) -> Message) {
        let (done, wait) = mpsc::channel();
        if self.messages.send(message(done)).is_ok() {
            let _ = wait.recv();
        }
    }

    /// Returns the duration of the initialization, at the first call after it.
    pub(crate) fn take_init_duration(&self) -> Option<Duration> {
        self.stats().init.take()
    }

    /// The function's process group.
    pub(crate) fn group(&self) -> Option<Pid> {
        self.stats().group
    }

    fn stats(&self) -> MutexGuard<'_, ProcessStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts and stops the function's process.
pub(crate) struct Supervisor {
    messages: Sender<Message>,
    inbox: Receiver<Message>,
    stats: Arc<Mutex<ProcessStats>>,
}

impl Supervisor {
    /// Starts the function's process, and supervises it on another thread. `never_ready` is called if it ends before any
    /// process has requested an event.
    ///
    /// # Errors
    ///
    /// The process cannot be started.
    pub(crate) fn start(
        self,
        options: Arc<Options>,
        emulator: Arc<Emulator>,
        output: Arc<Output>,
        never_ready: impl FnOnce() + Send + 'static,
    ) -> Result<(), String> {
        let mut supervised = Supervised {
            supervisor: self,
            watch: Watch::new(&options.restart_on),
            options,
            emulator,
            output,
            process: None,
            failures: 0,
            second_init: false,
            not_before: Instant::now(),
            never_ready: Some(Box::new(never_ready)),
        };
        let (started, wait) = mpsc::channel();
        // The process may live only as long as the thread that starts it: see `launcher`.
        let supervise = move || {
            let result = supervised.start();
            let is_started = result.is_ok();
            let _ = started.send(result);
            if is_started {
                supervised.run();
            }
        };
        thread::Builder::new().name("supervisor".to_owned()).spawn(supervise).map_err(|error| no_thread(&error))?;
        wait.recv().unwrap_or_else(|error| Err(error.to_string()))
    }
}

/// The process, and what is needed to start it again.
struct Supervised {
    supervisor: Supervisor,
    options: Arc<Options>,
    watch: Watch,
    emulator: Arc<Emulator>,
    output: Arc<Output>,
    process: Option<Process>,
    /// The number of consecutive processes that ended without finishing an invocation.
    failures: u32,
    /// Whether the initialization of the last process timed out.
    second_init: bool,
    /// The earliest time at which the next process is started.
    not_before: Instant,
    never_ready: Option<Box<dyn FnOnce() + Send>>,
}

/// An external extension.
struct Extension {
    name: String,
    group: ProcessGroup,
}

/// The function's process, with its extensions.
struct Process {
    group: ProcessGroup,
    extensions: Vec<Extension>,
    started: Instant,
    /// Whether the initialization of the previous process timed out, so that this one counts against the invocation.
    is_second_init: bool,
    init_errors: usize,
    /// The time of the next hint that it has not requested an event.
    hint: Option<Instant>,
    /// The time since which events have been waiting while it has neither handled nor requested one.
    stuck_since: Option<Instant>,
}

/// Why the execution environment ends: `shutdownReason` of extensions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    Spindown,
    Timeout,
    Failure,
    /// Another process replaces it. Lambda has no separate name for this.
    Replaced,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Reason::Spindown | Reason::Replaced => "spindown",
            Reason::Timeout => "timeout",
            Reason::Failure => "failure",
        }
    }
}

impl Supervised {
    const FIRST_HINT: Duration = Duration::from_millis(800);
    const NEXT_HINT: Duration = Duration::from_secs(30);
    /// Lambda's limit for the end of an environment with an external extension.
    const EXTERNAL_GRACE: Duration = Duration::from_secs(2);
    /// The longest time for which an invocation in flight delays a restart after a change of files.
    const PATIENCE: Duration = Duration::from_secs(5);
    /// Interval between checks whether the process is stuck.
    const CHECK: Duration = Duration::from_millis(250);

    fn run(mut self) {
        loop {
            let next = self.next_action();
            let message = match next {
                None => self.supervisor.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(next) => self.supervisor.inbox.recv_timeout(next.saturating_duration_since(Instant::now())),
            };
            match message {
                Ok(Message::Wanted) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::Ready) => self.never_ready = None,
                Ok(Message::Exited(pid)) => {
                    if let Some(process) = self.process.take_if(|process| process.group.pid == pid) {
                        self.exited(process);
                    } else if let Some(name) = self.extension(pid) {
                        log::message(format_args!("the extension {name} ended: the function is restarted"));
                        self.stop(Reason::Failure);
                    }
                }
                Ok(Message::Stop(done)) => {
                    self.stop(Reason::Timeout);
                    drop(done);
                }
                Ok(Message::Shutdown(done)) => {
                    self.stop(Reason::Spindown);
                    drop(done);
                    return;
                }
                Err(RecvTimeoutError::Disconnected) => return self.stop(Reason::Spindown),
            }
        }
    }

    /// Restarts the process if its files have changed, starts it if an event waits for it, and checks that it requests
    /// events. Returns when to do so again.
    fn next_action(&mut self) -> Option<Instant> {
        if self.watch.is_empty() {
            return self.next_check();
        }
        let now = Instant::now();
        if let Some(since) = self.watch.changed(now) {
            self.emulator.pause(true);
            if self.emulator.observed().in_flight == 0 || since >= Self::PATIENCE {
                self.watch.clear();
                log::message("a file has changed: the function is restarted");
                self.stop(Reason::Replaced);
                if let Err(message) = self.start() {
                    log::message(message);
                }
                self.emulator.pause(false);
            }
        }
        let look = now + Watch::INTERVAL;
        Some(self.next_check().map_or(look, |next| next.min(look)))
    }

    fn next_check(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let observed = self.emulator.observed();
        let Some(process) = &mut self.process else {
            if observed.queued == 0 {
                return None;
            }
            if now < self.not_before {
                return Some(self.not_before);
            }
            return match self.start() {
                Ok(()) => self.next_check(),
                Err(message) => {
                    log::message(&message);
                    self.emulator.runtime_exited(&message);
                    None
                }
            };
        };
        if !observed.ready {
            let limit = match (self.options.init_timeout, process.is_second_init) {
                (limit, false) => limit,
                (limit, true) => limit.map(|_| self.options.timeout),
            };
            let until = limit.map(|limit| process.started + limit);
            if until.is_some_and(|until| until <= now) {
                self.init_timed_out();
                return self.next_check();
            }
            let hint = process.hint.get_or_insert(process.started + Self::FIRST_HINT);
            if *hint <= now {
                *hint = now + Self::NEXT_HINT;
                log::message(format_args!(
                    "the function has been running for {:.0} s and has not requested an event: GET \
                     http://{}/2018-06-01/runtime/invocation/next. It may still be compiling or starting; otherwise it \
                     has to use AWS_LAMBDA_RUNTIME_API",
                    process.started.elapsed().as_secs_f64(),
                    self.emulator.endpoint()
                ));
            }
            return process.hint.into_iter().chain(until).min();
        }
        if observed.queued == 0 {
            process.stuck_since = None;
            process.hint = None;
            return None;
        }
        if observed.waiting > 0 || observed.in_flight > 0 {
            process.stuck_since = None;
            process.hint = None;
            return Some(now + Self::CHECK);
        }
        // Events wait, and the process neither handles nor has requested one.
        let since = *process.stuck_since.get_or_insert(now);
        let hint = process.hint.get_or_insert(since + Self::FIRST_HINT);
        let stuck_for = now.duration_since(since);
        // A process that is merely late is stopped when the timeout of its last invocation has passed.
        if stuck_for >= self.options.timeout.saturating_add(Self::CHECK) {
            let seconds = stuck_for.as_secs_f64();
            log::message(format_args!("the function has not requested an event for {seconds:.2} s; it is restarted"));
            self.stop(Reason::Timeout);
            return self.next_check();
        }
        if *hint <= now {
            *hint = now + Self::NEXT_HINT;
            log::message(format_args!(
                "{} events wait, and the function has not requested the next event for {} s",
                observed.queued,
                stuck_for.as_secs()
            ));
        }
        Some(now + Self::CHECK)
    }

    /// Starts the extensions, and then the function.
    fn start(&mut self) -> Result<(), String> {
        let options = Arc::clone(&self.options);
        let Some((program, args)) = options.command.split_first() else { return Err("no command".to_owned()) };
        // Errors reported from now on belong to this process.
        let init_errors = self.emulator.observed().init_errors.len();
        let extensions = self.start_extensions()?;
        let started = Instant::now();
        *self.stats() = ProcessStats { started: Some(started), ..ProcessStats::default() };
        let group = match self.spawn(program, args) {
            Ok(group) => group,
            Err(message) => {
                extensions.into_iter().for_each(|extension| drop(extension.group.reap()));
                return Err(message);
            }
        };
        self.stats().group = Some(group.pid);
        let is_second_init = std::mem::take(&mut self.second_init);
        self.process =
            Some(Process { group, extensions, started, is_second_init, init_errors, hint: None, stuck_since: None });
        Ok(())
    }

    /// Starts the external extensions, and waits until they have registered: the runtime's first request for an event
    /// closes the registration.
    fn start_extensions(&self) -> Result<Vec<Extension>, String> {
        /// Lambda's limit for the initialization.
        const LIMIT: Duration = Duration::from_secs(10);
        /// Interval between checks whether an extension has ended.
        const LOOK: Duration = Duration::from_millis(50);
        let mut extensions: Vec<Extension> = Vec::new();
        for program in &self.options.extensions {
            match self.spawn(program.as_os_str(), &[]) {
                Ok(group) => extensions.push(Extension { name: extension_name(program), group }),
                Err(message) => {
                    extensions.into_iter().for_each(|extension| drop(extension.group.reap()));
                    return Err(message);
                }
            }
        }
        let (all, until) = (extensions.len(), Instant::now() + LIMIT);
        let has_ended = |extension: &Extension| extension.group.ended.try_recv() != Err(TryRecvError::Empty);
        while !self.emulator.wait_until(LOOK, |observed: &Observed| observed.registered_extensions >= all) {
            if Instant::now() >= until || extensions.iter().any(has_ended) {
                log::message("an extension has not registered; the function starts without it");
                break;
            }
        }
        Ok(extensions)
    }

    fn spawn(&self, program: &OsStr, args: &[OsString]) -> Result<ProcessGroup, String> {
        let messages = self.supervisor.messages.clone();
        let exited = move |pid| drop(messages.send(Message::Exited(pid)));
        ProcessGroup::spawn(program, args, &self.output, exited, |command| {
            command
                .envs(self.options.variables.iter().map(|(name, value)| (name, value)))
                .envs(self.emulator.environment())
        })
    }

    fn extension(&self, pid: Pid) -> Option<&str> {
        let extensions = self.process.iter().flat_map(|process| &process.extensions);
        extensions.filter(|extension| extension.group.pid == pid).map(|extension| extension.name.as_str()).next()
    }

    /// Handles a process that ended without being stopped.
    fn exited(&mut self, mut process: Process) {
        let before = self.emulator.observed();
        let init_errors = process.init_errors;
        self.stop_extensions(&mut process, Reason::Failure, Instant::now() + Self::EXTERNAL_GRACE);
        let reason = self.reap(process, Reason::Failure);
        if !before.ready {
            self.report_failed_start(&reason, init_errors);
        } else if before.in_flight == 0 {
            log::message(format_args!("the function ended between two events: {reason}"));
        }
    }

    /// Ends the process as Lambda does: at once, unless an extension is registered, which gets some time to flush its data.
    fn stop(&mut self, reason: Reason) {
        /// Time for a function with an external extension to end.
        const RUNTIME_GRACE: Duration = Duration::from_millis(300);
        /// Time for a function that is an extension itself to end.
        const INTERNAL_GRACE: Duration = Duration::from_millis(500);
        let Some(mut process) = self.process.take() else { return };
        let until = Instant::now() + Self::EXTERNAL_GRACE;
        if self.emulator.observed().registered_extensions > 0 {
            let _ = kill_process_group(process.group.pid, Signal::TERM);
            process.group.wait(if process.extensions.is_empty() { INTERNAL_GRACE } else { RUNTIME_GRACE });
            process.group.kill();
        }
        self.stop_extensions(&mut process, reason, until);
        self.reap(process, reason);
    }

    /// Notifies the external extensions, and kills those that have not ended in time.
    fn stop_extensions(&self, process: &mut Process, reason: Reason, until: Instant) {
        if process.extensions.is_empty() {
            return;
        }
        self.emulator.shut_down_extensions(reason.name(), until.saturating_duration_since(Instant::now()));
        for extension in &process.extensions {
            extension.group.wait(until.saturating_duration_since(Instant::now()));
        }
        for extension in process.extensions.drain(..) {
            extension.group.reap();
        }
    }

    /// Handles an initialization that took too long. As in Lambda, it is repeated once, during the first invocation.
    fn init_timed_out(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let milliseconds = process.started.elapsed().as_secs_f64() * 1000.0;
        let phase = if process.is_second_init { "invoke" } else { "init" };
        log::line(format_args!("INIT_REPORT Init Duration: {milliseconds:.2} ms\tPhase: {phase}\tStatus: timeout"));
        self.second_init = !process.is_second_init;
        let is_second_init = process.is_second_init;
        self.stop_extensions(&mut process, Reason::Timeout, Instant::now() + Self::EXTERNAL_GRACE);
        process.group.reap();
        self.output.drain();
        self.stats().group = None;
        match is_second_init {
            true => self.emulator.initialization_timed_out(self.options.timeout),
            false => self.emulator.runtime_replaced("the initialization timed out"),
        }
    }

    /// Kills the rest of the process group, and fails the invocations in flight. Returns how the process ended.
    fn reap(&mut self, process: Process, why: Reason) -> String {
        let reason = process.group.reap();
        self.output.drain();
        self.stats().group = None;
        match why {
            Reason::Replaced => self.emulator.runtime_replaced(&reason),
            _ => drop(self.emulator.runtime_exited(&reason)),
        }
        self.failures = if self.stats().progressed { 0 } else { self.failures.saturating_add(1) };
        self.not_before = Instant::now() + backoff(self.failures);
        reason
    }

    fn report_failed_start(&mut self, reason: &str, init_errors: usize) {
        let observed = self.emulator.observed();
        match observed.init_errors.get(init_errors..).and_then(<[_]>::last) {
            Some(error) => {
                log::message(format_args!("the function failed to start: {}: {}", error.error_type(), error.message()));
            }
            None => log::message(format_args!("the function ended before it requested an event: {reason}")),
        }
        if !self.watch.is_empty() {
            log::message("the function is started again when a file of --restart-on changes");
        } else if let Some(never_ready) = self.never_ready.take() {
            never_ready();
        }
    }

    fn stats(&self) -> MutexGuard<'_, ProcessStats> {
        self.supervisor.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name under which an external extension registers: that of its file.
pub(crate) fn extension_name(program: &Path) -> String {
    program.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Delay before the next process, after this many consecutive ones that finished no invocation.
fn backoff(failures: u32) -> Duration {
    const FIRST: Duration = Duration::from_millis(100);
    const MAX: Duration = Duration::from_secs(1);
    match failures.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => FIRST.saturating_mul(2_u32.saturating_pow(doublings)).min(MAX),
    }
}
