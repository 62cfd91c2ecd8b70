//! The Runtime API: what its connections share, and the states of an invocation.
//!
//! ```text
//!     start_invocation()      next()                  claim()               finish()
//!   ┌───────┐        ┌────────┐        ┌───────────┐        ┌────────────┐         ┌──────────┐
//!   │ Event ├───────►│ Queued ├───────►│ In flight ├───────►│ Responding ├────────►│ Finished │
//!   └───────┘        └────────┘        └───┬───────┘        └────────────┘         └──────────┘
//!                        ▲  not delivered  │   the timeout has passed, the process has ended ▲
//!                        └─────────────────┴────────────────────────────────────────────────┘
//! ```

mod clock;
mod connection;
mod exchange;
mod extensions;
mod metadata;
mod next;
mod outcomes;
mod script;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use http::HeaderValue;

use crate::budget::Budget;
use crate::lock::{lock, wait, wait_for};
use crate::pipe::Pipe;
use crate::traffic::Recorder;
use crate::{End, Error, Event, Fault, FunctionError, MAX_EVENT, Notice, Observed, event, id};

pub(crate) use connection::serve;

/// State shared by all connections to the Runtime API.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) config: Config,
    /// For buffered bodies and replies to callers.
    pub(crate) buffers: Arc<Budget>,
    state: Mutex<State>,
    /// Notified of every change that a connection or a caller may wait for.
    changed: Condvar,
    /// Notified when a deadline is earlier than the one that the clock waits for.
    earlier: Condvar,
}

/// The settings of [`Builder`](crate::Builder).
pub(crate) struct Config {
    pub(crate) endpoint: String,
    pub(crate) timeout: Duration,
    pub(crate) claim_timeout: Option<Duration>,
    pub(crate) concurrency: usize,
    pub(crate) function_name: String,
    pub(crate) function_arn: HeaderValue,
    pub(crate) memory: u32,
    pub(crate) snapstart: bool,
    pub(crate) metadata_token: String,
    pub(crate) external_extensions: Vec<String>,
    pub(crate) stream_limit: u64,
    pub(crate) max_queued_events: usize,
    pub(crate) max_queued_bytes: usize,
    pub(crate) faults: Vec<Fault>,
    pub(crate) observer: Option<Box<Observer>>,
    pub(crate) recorder: Option<Box<Recorder>>,
}

pub(crate) type Observer = dyn Fn(&Notice<'_>) + Send + Sync;

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Config {
    /// Whether the function handles one invocation at a time, as usual in Lambda and unlike on Managed Instances.
    fn is_classic(&self) -> bool {
        self.concurrency == 1
    }

    /// The limit of the bytes of unfinished events: those that may wait, and one of the largest size per concurrent
    /// invocation.
    fn max_bytes(&self) -> usize {
        self.max_queued_bytes.saturating_add(self.concurrency.saturating_mul(MAX_EVENT))
    }
}

/// An invocation, from its start to its end.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) request_id: String,
    pub(crate) event: Event,
    /// The trace id that the emulator adds; `None` if the event has one or must not have one.
    trace_id: Option<HeaderValue>,
    pub(crate) pipe: Pipe,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    /// The number of processes that have ended. Connections of an earlier generation receive no events.
    generation: u64,
    queue: VecDeque<Queued>,
    in_flight: HashMap<String, InFlight>,
    /// Invocations that have ended, of which the observer has not been notified yet.
    finishing: usize,
    /// Ids of invocations that timed out and have no late response yet.
    timed_out: VecDeque<String>,
    /// Classic: the invocation that was responded to last, until the runtime requests the next event.
    responded: Option<String>,
    settling: Option<Settling>,
    /// Whether the current process has finished an invocation.
    progressed: bool,
    /// Whether the delivery of events is paused.
    paused: bool,
    /// SnapStart: whether the environment is restored.
    restored: bool,
    extensions: Vec<extensions::Registered>,
    observed: Observed,
    /// The next wake-up of the clock.
    alarm: Option<Instant>,
    stopped: bool,
}

/// How the runtime's process ended.
pub(crate) enum Exit<'a> {
    /// It exited or was stopped, for this reason.
    Ended(&'a str),
    /// It was stopped before it requested an event. Queued events end with this timeout of an invocation.
    InitTimedOut(Duration),
    /// It was stopped for this reason. Queued events wait for the next process.
    Replaced(&'a str),
}

/// The state of the runtime.
#[derive(Debug, Default)]
enum Phase {
    /// It has not requested an event.
    #[default]
    Init,
    /// SnapStart: it was restored and has not requested an event.
    Restoring,
    Ready,
    /// It reported that its initialization failed.
    Failed(FunctionError),
    /// Classic: it sent a response from which the API cannot recover.
    Stuck,
}

#[derive(Debug)]
struct Queued {
    pending: Arc<Pending>,
    /// When the claim timeout passes.
    until: Option<Instant>,
    attempts: Attempts,
    /// Its deliveries so far, none of which could be written.
    delivered: Option<Delivered>,
}

/// The number of processes that exited instead of accepting an event.
#[derive(Debug, Clone, Copy, Default)]
struct Attempts {
    failed: u32,
    /// Whether the current process requested the event and it could not be written.
    undelivered: bool,
}

/// The deliveries of an event. Its timeout is counted from the first.
#[derive(Debug, Clone, Copy)]
struct Delivered {
    times: u64,
    since: Instant,
    timeout: Duration,
    /// The end of the timeout, on the monotonic clock.
    until: Option<Instant>,
    /// The end of the timeout, as time since the Unix epoch.
    deadline: Duration,
}

impl Attempts {
    /// Failed attempts after which the invocation fails.
    const MAX: u32 = 3;
}

/// An invocation that was delivered.
#[derive(Debug)]
struct InFlight {
    pending: Arc<Pending>,
    attempts: Attempts,
    delivered: Delivered,
    /// Whether a response has begun.
    responding: bool,
}

/// Classic: an invocation that has ended while its invoke phase has not, because the runtime or an extension has not
/// requested the next event.
#[derive(Debug)]
struct Settling {
    request_id: String,
    timeout: Duration,
    until: Option<Instant>,
}

impl Api {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            buffers: Budget::new(config.max_bytes()),
            config,
            state: Mutex::default(),
            changed: Condvar::new(),
            earlier: Condvar::new(),
        }
    }

    /// Queues an event.
    pub(crate) fn start_invocation(&self, event: Event) -> Result<Arc<Pending>, Error> {
        if let Some(name) = event.invalid_header() {
            return Err(Error::InvalidHeader(name));
        }
        let is_chosen = event.chosen_request_id().is_some();
        let request_id = event.chosen_request_id().map_or_else(id::uuid, str::to_owned);
        if HeaderValue::from_bytes(request_id.as_bytes()).is_err() {
            return Err(Error::InvalidHeader(event::REQUEST_ID));
        }
        let trace_id = event.wants_default(event::TRACE_ID).then(id::trace_id).flatten();
        let pending = Arc::new(Pending { request_id, event, trace_id, pipe: Pipe::default() });
        {
            let mut state = self.state();
            if state.stopped {
                return Err(Error::Stopped);
            }
            let queued = state.queue.iter().map(|queued| &queued.pending.request_id);
            if is_chosen && state.in_flight.keys().chain(queued).any(|id| *id == pending.request_id) {
                return Err(Error::DuplicateRequestId(pending.request_id.clone()));
            }
            if let Phase::Failed(error) = &state.phase {
                pending.pipe.end(Ok(End::Failed(error.clone())));
                return Ok(pending);
            }
            let retained = state.retained();
            let is_over = retained > 0 && retained.saturating_add(pending.event.size()) > self.config.max_bytes();
            if is_over || state.queue.len() >= self.config.max_queued_events {
                return Err(Error::QueueFull);
            }
            let until = self.claim_deadline(&mut state);
            let queued =
                Queued { pending: Arc::clone(&pending), until, attempts: Attempts::default(), delivered: None };
            state.queue.push_back(queued);
        }
        self.changed.notify_all();
        self.notify(&Notice::Queued { request_id: &pending.request_id });
        Ok(pending)
    }

    /// Returns the end of the claim timeout of an event that is queued now.
    fn claim_deadline(&self, state: &mut State) -> Option<Instant> {
        let until = self.config.claim_timeout.and_then(|limit| Instant::now().checked_add(limit));
        self.set_alarm(state, until);
        until
    }

    /// Ends an invocation that is in flight; `false` if it has ended already.
    fn finish(&self, request_id: &str, end: End) -> bool {
        let mut state = self.state();
        let Some(in_flight) = state.in_flight.remove(request_id) else { return false };
        state.progressed = true;
        state.finishing += 1;
        if let End::TimedOut(_) = end {
            state.remember_timed_out(request_id);
            state.release_extensions();
        } else if self.config.is_classic() {
            let Delivered { timeout, until, .. } = in_flight.delivered;
            state.responded = Some(request_id.to_owned());
            state.settling = Some(Settling { request_id: request_id.to_owned(), timeout, until });
        }
        drop(state);
        self.conclude(&in_flight.pending, &in_flight.delivered, end);
        true
    }

    /// Notifies the observer and the caller of an end. `finishing` counts it, so that no event is delivered before the
    /// observer returns: it may end the process first.
    fn conclude(&self, pending: &Pending, delivered: &Delivered, end: End) {
        let (request_id, duration) = (pending.request_id.as_str(), delivered.since.elapsed());
        self.notify(&Notice::Finished { request_id, duration, end: &end });
        pending.pipe.end(Ok(end));
        self.state().finishing -= 1;
        self.changed.notify_all();
    }

    /// Handles the end of the runtime's process. Returns the number of events that are still queued.
    pub(crate) fn runtime_exited(&self, exit: &Exit<'_>, close_connections: impl FnOnce()) -> usize {
        // Time for the connections' threads to read what the process has written.
        const DRAIN: Duration = Duration::from_secs(1);
        let error = |id: &str| match exit {
            Exit::InitTimedOut(timeout) => clock::timed_out(id, *timeout),
            Exit::Ended(reason) | Exit::Replaced(reason) => {
                let message = format!("RequestId: {id} Error: {reason}");
                End::Failed(FunctionError::of_platform("Runtime.ExitError", &message))
            }
        };
        let mut state = self.state();
        state.generation += 1;
        self.changed.notify_all();
        let drained_by = Instant::now() + DRAIN;
        while state.observed.open_connections > 0 && !state.stopped {
            let left = drained_by.saturating_duration_since(Instant::now());
            if left.is_zero() {
                close_connections();
                break;
            }
            state = wait_for(&self.changed, state, left).0;
        }
        let in_flight = state.in_flight.drain().map(|(_, InFlight { pending, delivered, .. })| (pending, delivered));
        let mut delivered: Vec<(Arc<Pending>, Delivered)> = in_flight.collect();
        let mut undelivered = Vec::new();
        let was_ready = matches!(state.phase, Phase::Ready | Phase::Stuck);
        let progressed = state.progressed || !delivered.is_empty();
        state.queue.retain_mut(|queued| {
            let attempts = &mut queued.attempts;
            if let Exit::Replaced(_) = exit {
                return true;
            }
            if !progressed || attempts.undelivered {
                *attempts = Attempts { failed: attempts.failed + 1, undelivered: false };
            }
            let stays = was_ready && attempts.failed < Attempts::MAX;
            match queued.delivered {
                _ if stays => {}
                Some(earlier) => delivered.push((Arc::clone(&queued.pending), earlier)),
                None => undelivered.push(Arc::clone(&queued.pending)),
            }
            stays
        });
        state.finishing += delivered.len();
        state.phase = Phase::Init;
        state.progressed = false;
        state.restored = false;
        state.observed.ready = false;
        state.responded = None;
        state.settling = None;
        state.extensions.clear();
        let queued = state.queue.len();
        drop(state);
        for pending in undelivered {
            pending.pipe.end(Ok(error(&pending.request_id)));
        }
        for (pending, delivered) in delivered {
            self.conclude(&pending, &delivered, error(&pending.request_id));
        }
        self.changed.notify_all();
        queued
    }

    /// Ends all invocations and waits, and refuses new ones. Returns whether a function waits for an event or is about to.
    pub(crate) fn stop(&self) -> bool {
        let mut state = self.state();
        state.stopped = true;
        let expects_event = state.observed.waiting > 0 || state.responded.is_some();
        let queued = mem::take(&mut state.queue);
        let in_flight = mem::take(&mut state.in_flight);
        drop(state);
        let queued = queued.into_iter().map(|Queued { pending, .. }| pending);
        for pending in queued.chain(in_flight.into_values().map(|InFlight { pending, .. }| pending)) {
            pending.pipe.end(Err(Error::Stopped));
        }
        self.changed.notify_all();
        self.earlier.notify_all();
        expects_event
    }

    pub(crate) fn hold_events(&self, paused: bool) {
        self.state().paused = paused;
        self.changed.notify_all();
    }

    pub(crate) fn observed(&self) -> Observed {
        self.state().snapshot()
    }

    /// Waits until the condition holds, for at most `limit`; returns whether it holds.
    pub(crate) fn wait_until(&self, limit: Duration, condition: impl Fn(&Observed) -> bool) -> bool {
        let until = Instant::now().checked_add(limit);
        let mut state = self.state();
        loop {
            if condition(&state.snapshot()) {
                return true;
            }
            state = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => wait(&self.changed, state),
                Some(Duration::ZERO) => return false,
                Some(left) => wait_for(&self.changed, state, left).0,
            };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Calls the observer. The state must not be locked, because the observer may read it.
    fn notify(&self, notice: &Notice<'_>) {
        if let Some(observer) = &self.config.observer {
            // A panic must not leave the invocation half finished. The panic hook has reported it.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| observer(notice)));
        }
    }
}

impl State {
    /// Invocations for which a late response is distinguished from one with a wrong id.
    const TIMED_OUT: usize = 1000;

    fn remember_timed_out(&mut self, request_id: &str) {
        if self.timed_out.len() == Self::TIMED_OUT {
            self.timed_out.pop_front();
        }
        self.timed_out.push_back(request_id.to_owned());
    }

    /// Bytes of all events that are not finished.
    fn retained(&self) -> usize {
        let queued = self.queue.iter().map(|queued| &queued.pending);
        let in_flight = self.in_flight.values().map(|in_flight| &in_flight.pending);
        queued.chain(in_flight).fold(0, |bytes: usize, pending| bytes.saturating_add(pending.event.size()))
    }

    fn snapshot(&self) -> Observed {
        let mut observed = self.observed.clone();
        observed.queued = self.queue.len();
        observed.in_flight = self.in_flight.len();
        observed.registered_extensions = self.extensions.len();
        observed.busy_extensions = self.extensions.iter().filter(|extension| extension.is_busy()).count();
        observed
    }

    /// The name of the state in the messages of AWS's emulator.
    fn name(&self) -> &'static str {
        match self.phase {
            Phase::Init => "Started",
            Phase::Restoring => "Restoring",
            Phase::Failed(_) => "InitError",
            Phase::Stuck => "InvocationResponse",
            Phase::Ready if self.in_flight.values().any(|in_flight| in_flight.responding) => "InvocationResponse",
            Phase::Ready if !self.in_flight.is_empty() => "Running",
            Phase::Ready if self.responded.is_some() => "RuntimeResponseSentState",
            Phase::Ready => "Ready",
        }
    }
}
