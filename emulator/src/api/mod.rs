//! The Runtime API: what its connections share, and how an invocation passes through it.
//!
//! ```text
//!             begin()            next()                claim()             finish()
//!   ┌───────┐        ┌────────┐         ┌─────────┐                  ┌───────────┐         ┌──────┐
//!   │ Event ├───────►│ Queued ├────────►│ In hand ├─────────────────►│ Responding ├────────►│ Over │
//!   └───────┘        └────────┘         └──┬──────┘                  └───────────┘         └──────┘
//!                        ▲  not delivered  │   the time is up, the process has ended          ▲
//!                        └─────────────────┴──────────────────────────────────────────────────┘
//! ```

mod clock;
mod connection;
mod exchange;
mod extensions;
mod next;
mod outcomes;
mod script;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use http::HeaderValue;

use crate::lock::{lock, wait, wait_for};
use crate::pipe::Pipe;
use crate::{End, Error, Event, Fault, FunctionError, Notice, Observed, event, id};

pub(crate) use connection::serve;

/// What all connections to the Runtime API share.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) config: Config,
    state: Mutex<State>,
    /// Something happened that a connection or a caller may wait for.
    changed: Condvar,
    /// There is an earlier deadline than the clock knows.
    earlier: Condvar,
}

/// What is chosen before the start.
pub(crate) struct Config {
    pub(crate) endpoint: String,
    pub(crate) timeout: Duration,
    pub(crate) claim_timeout: Option<Duration>,
    pub(crate) concurrency: usize,
    pub(crate) function_name: String,
    pub(crate) function_arn: HeaderValue,
    pub(crate) memory: u32,
    pub(crate) snapstart: bool,
    pub(crate) stream_limit: u64,
    pub(crate) faults: Vec<Fault>,
    pub(crate) observer: Option<Box<Observer>>,
}

pub(crate) type Observer = dyn Fn(&Notice<'_>) + Send + Sync;

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Config {
    /// One invocation at a time, in the process's whole life: the usual Lambda, not Managed Instances.
    fn is_classic(&self) -> bool {
        self.concurrency == 1
    }
}

/// One invocation.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) request_id: String,
    pub(crate) event: Event,
    pub(crate) pipe: Pipe,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    /// Counts the processes that have ended: a connection of one that has gets nothing more.
    generation: u64,
    queue: VecDeque<Queued>,
    in_flight: HashMap<String, InFlight>,
    /// Invocations that are over, but not yet told.
    finishing: usize,
    /// Ids of invocations whose time was up and to which no late answer has come.
    timed_out: VecDeque<String>,
    /// Classic: the invocation that was answered last, until the runtime asks for the next.
    answered: Option<String>,
    /// SnapStart: the environment is restored.
    restored: bool,
    extensions: Vec<extensions::Registered>,
    observed: Observed,
    /// The clock sleeps until then.
    alarm: Option<Instant>,
    stopped: bool,
}

/// Where the runtime stands.
#[derive(Debug, Default)]
enum Phase {
    /// It has not asked for an event.
    #[default]
    Init,
    /// SnapStart: it was restored and has not asked for an event.
    Restoring,
    Ready,
    /// It reported that start-up failed.
    Failed(FunctionError),
    /// Classic: it sent a response that the API cannot get over.
    Stuck,
}

#[derive(Debug)]
struct Queued {
    pending: Arc<Pending>,
    /// When the caller will no longer wait.
    until: Option<Instant>,
}

/// An invocation that was delivered.
#[derive(Debug)]
struct InFlight {
    pending: Arc<Pending>,
    /// How often it was delivered.
    deliveries: u64,
    since: Instant,
    /// When its time is up, by the clock that does not jump.
    until: Option<Instant>,
    /// The same as time since the Unix epoch.
    deadline: Duration,
    /// A response has begun.
    responding: bool,
}

impl Api {
    pub(crate) fn new(config: Config) -> Self {
        Self { config, state: Mutex::default(), changed: Condvar::new(), earlier: Condvar::new() }
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
        let pending = Arc::new(Pending { request_id, event, pipe: Pipe::default() });
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
            let queued = self.queued(&mut state, Arc::clone(&pending));
            state.queue.push_back(queued);
        }
        self.changed.notify_all();
        self.notify(&Notice::Queued { request_id: &pending.request_id });
        Ok(pending)
    }

    fn queued(&self, state: &mut State, pending: Arc<Pending>) -> Queued {
        let until = self.config.claim_timeout.and_then(|limit| Instant::now().checked_add(limit));
        self.set_alarm(state, until);
        Queued { pending, until }
    }

    /// Ends an invocation that is in hand; `false` if it no longer is.
    fn finish(&self, request_id: &str, end: End) -> bool {
        let in_flight = {
            let mut state = self.state();
            let Some(in_flight) = state.in_flight.remove(request_id) else { return false };
            if let End::TimedOut(_) = end {
                state.remember_timed_out(request_id);
            } else if self.config.is_classic() {
                state.answered = Some(request_id.to_owned());
            }
            // Nothing else is delivered until the observer knows: it may want to end the process first.
            state.finishing += 1;
            in_flight
        };
        self.notify(&Notice::Finished { request_id, duration: in_flight.since.elapsed(), end: &end });
        in_flight.pending.pipe.end(Ok(end));
        self.state().finishing -= 1;
        self.changed.notify_all();
        true
    }

    /// The runtime's process has ended. Returns how many events still wait.
    pub(crate) fn runtime_exited(&self, reason: &str, close_connections: impl FnOnce()) -> usize {
        // Long enough for the connections' threads to read what the process left behind.
        const DRAIN: Duration = Duration::from_secs(1);
        let error = |id: &str| {
            let message = format!("RequestId: {id} Error: {reason}");
            End::Failed(FunctionError::of_platform("Runtime.ExitError", &message))
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
        let in_flight: Vec<String> = state.in_flight.keys().cloned().collect();
        if !matches!(state.phase, Phase::Ready | Phase::Stuck) {
            for Queued { pending, .. } in state.queue.drain(..) {
                pending.pipe.end(Ok(error(&pending.request_id)));
            }
        }
        state.phase = Phase::Init;
        state.restored = false;
        state.observed.ready = false;
        state.answered = None;
        state.extensions.clear();
        let queued = state.queue.len();
        drop(state);
        for id in in_flight {
            self.finish(&id, error(&id));
        }
        self.changed.notify_all();
        queued
    }

    /// Nothing happens from now on: whoever waits is told.
    pub(crate) fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        for Queued { pending, .. } in state.queue.drain(..) {
            pending.pipe.end(Err(Error::Stopped));
        }
        for (_, InFlight { pending, .. }) in state.in_flight.drain() {
            pending.pipe.end(Err(Error::Stopped));
        }
        self.changed.notify_all();
        self.earlier.notify_all();
    }

    pub(crate) fn observed(&self) -> Observed {
        self.state().snapshot()
    }

    /// Waits until what was observed satisfies a condition, or `limit` has passed; returns whether it does.
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

    /// Not to be called with the state locked: the observer may look at it.
    fn notify(&self, notice: &Notice<'_>) {
        if let Some(observer) = &self.config.observer {
            observer(notice);
        }
    }
}

impl State {
    /// Late answers are told apart from wrong ones for so many invocations.
    const TIMED_OUT: usize = 1000;

    fn remember_timed_out(&mut self, request_id: &str) {
        if self.timed_out.len() == Self::TIMED_OUT {
            self.timed_out.pop_front();
        }
        self.timed_out.push_back(request_id.to_owned());
    }

    fn snapshot(&self) -> Observed {
        let mut observed = self.observed.clone();
        observed.queued = self.queue.len();
        observed.in_flight = self.in_flight.len();
        observed
    }

    /// As AWS's emulator names it in its messages.
    fn name(&self) -> &'static str {
        match self.phase {
            Phase::Init => "Started",
            Phase::Restoring => "Restoring",
            Phase::Failed(_) => "InitError",
            Phase::Stuck => "InvocationResponse",
            Phase::Ready if self.in_flight.values().any(|in_flight| in_flight.responding) => "InvocationResponse",
            Phase::Ready if !self.in_flight.is_empty() => "Running",
            Phase::Ready if self.answered.is_some() => "RuntimeResponseSentState",
            Phase::Ready => "Ready",
        }
    }
}
