//! The wait for an event, and its delivery.

use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::{HeaderName, HeaderValue};
use lambda_runtime_proto::server::Reply;

use super::{Api, Attempts, Delivered, InFlight, Pending, Phase, Queued, State};
use crate::api::outcomes::Refused;
use crate::event::{ARN, DEADLINE, REQUEST_ID, TRACE_ID};
use crate::lock::wait_for;
use crate::{Error, Notice};

/// The result of a request for an event.
pub(super) enum Next {
    Event(Delivery),
    Refused(Refused),
    /// The connection is dead or belongs to a process that has ended, or the emulator stops.
    Gone,
}

/// An event to be written.
pub(super) struct Delivery {
    pub(super) pending: Arc<Pending>,
    deadline: Duration,
    /// Distinguishes deliveries of the same event.
    number: u64,
}

impl Api {
    /// Waits for an event. `is_alive` checks the runtime's connection.
    pub(super) fn next(&self, generation: u64, is_alive: impl Fn() -> bool) -> Next {
        let first = {
            let mut state = self.after_response();
            if self.is_responding(&state) || matches!(state.phase, Phase::Failed(_) | Phase::Stuck) {
                return Next::Refused(Refused::transition(state.name(), "Ready"));
            }
            let first = !matches!(state.phase, Phase::Ready);
            state.phase = Phase::Ready;
            state.observed.ready = true;
            state.responded = None;
            state.settle();
            // A classic runtime that repeats the request gets the same event again.
            if self.config.is_classic()
                && let Some(in_flight) = state.in_flight.values_mut().next()
            {
                return Next::Event(in_flight.deliver());
            }
            state.observed.waiting += 1;
            first
        };
        self.changed.notify_all();
        if first {
            self.notify(&Notice::Ready);
        }
        let delivery = self.block_for(generation, &is_alive, |state| {
            let ready = !state.paused
                && !state.queue.is_empty()
                && (!self.config.is_classic() || state.is_between_invocations());
            // If this connection is dead, the event is left to another.
            ready.then(|| is_alive().then(|| self.deliver(state)).flatten())
        });
        self.state().observed.waiting -= 1;
        self.changed.notify_all();
        let Some(Some(delivery)) = delivery else {
            // A function in a thread of this process ends, instead of connecting again.
            let stopped = Refused::new(403, "Emulator.Stopped", Error::Stopped.to_string());
            return if self.is_stopped() { Next::Refused(stopped) } else { Next::Gone };
        };
        if delivery.number == 1 {
            self.notify(&Notice::Delivered { request_id: &delivery.pending.request_id });
        }
        Next::Event(delivery)
    }

    /// Waits for a response that is being received on another connection, which makes a request for an event an error: the
    /// runtime may have closed that connection, and its end may not have been read yet.
    fn after_response(&self) -> MutexGuard<'_, State> {
        const MOMENT: Duration = Duration::from_secs(1);
        let began = Instant::now();
        let mut state = self.state();
        while self.is_responding(&state)
            && let Some(left) = MOMENT.checked_sub(began.elapsed())
        {
            (state, _) = wait_for(&self.changed, state, left);
        }
        state
    }

    /// Whether a response is being received and any other request is an error.
    fn is_responding(&self, state: &State) -> bool {
        self.config.is_classic() && state.in_flight.values().any(|in_flight| in_flight.responding)
    }

    /// Moves the first event of the queue in flight.
    fn deliver(&self, state: &mut State) -> Option<Delivery> {
        let Queued { pending, attempts, delivered, .. } = state.queue.pop_front()?;
        let delivered = delivered.unwrap_or_else(|| self.first_delivery(&pending));
        self.set_alarm(state, delivered.until);
        state.settling = None;
        let mut in_flight = InFlight { pending: Arc::clone(&pending), attempts, delivered, responding: false };
        let delivery = in_flight.deliver();
        self.notify_extensions(state, &pending, delivered.deadline);
        state.in_flight.insert(pending.request_id.clone(), in_flight);
        Some(delivery)
    }

    fn first_delivery(&self, pending: &Pending) -> Delivered {
        let timeout = pending.event.chosen_timeout().unwrap_or(self.config.timeout);
        let since = Instant::now();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Delivered { times: 0, since, timeout, until: since.checked_add(timeout), deadline: now.saturating_add(timeout) }
    }

    /// Returns an event that could not be written to the queue, for the next request.
    pub(super) fn undeliver(&self, delivery: &Delivery) {
        let mut state = self.state();
        let id = &delivery.pending.request_id;
        let is_undelivered =
            |in_flight: &InFlight| in_flight.delivered.times == delivery.number && !in_flight.responding;
        if state.in_flight.get(id).is_some_and(is_undelivered)
            && let Some(InFlight { pending, attempts, delivered, .. }) = state.in_flight.remove(id)
        {
            let until = self.claim_deadline(&mut state);
            let attempts = Attempts { undelivered: true, ..attempts };
            state.queue.push_front(Queued { pending, until, attempts, delivered: Some(delivered) });
            self.changed.notify_all();
        }
    }

    /// Waits until `ready` returns a value; `None` if the connection is dead, its process has ended, or the emulator stops.
    pub(super) fn block_for<T>(
        &self,
        generation: u64,
        is_alive: impl Fn() -> bool,
        mut ready: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        /// Interval between checks of a waiting connection, because no thread reads from it.
        const CHECK: Duration = Duration::from_millis(50);
        let mut state = self.state();
        loop {
            if state.stopped || state.generation != generation {
                return None;
            }
            if let Some(outcome) = ready(&mut state) {
                return Some(outcome);
            }
            let (guard, idle) = wait_for(&self.changed, state, CHECK);
            state = guard;
            if idle && !is_alive() {
                return None;
            }
        }
    }

    /// SnapStart: waits for the environment to be restored, by [`restore`](Self::restore) or the first event.
    pub(super) fn restore_next(&self, generation: u64, is_alive: impl Fn() -> bool) -> Option<Result<(), Refused>> {
        self.block_for(generation, is_alive, |state| match state.phase {
            Phase::Init if state.restored || !state.queue.is_empty() => {
                state.phase = Phase::Restoring;
                Some(Ok(()))
            }
            Phase::Init => None,
            _ => Some(Err(Refused::transition(state.name(), "RestoreReady"))),
        })
    }

    pub(crate) fn restore(&self) {
        self.state().restored = true;
        self.changed.notify_all();
    }
}

impl State {
    /// Classic: whether the invoke phase before the first event of the queue is over. An extension may be busy with that
    /// event, if the event was delivered before and could not be written.
    fn is_between_invocations(&self) -> bool {
        let next = self.queue.front().map(|queued| queued.pending.request_id.as_str());
        let is_done =
            |extension: &super::extensions::Registered| extension.busy_with().is_none_or(|id| Some(id) == next);
        self.in_flight.is_empty() && self.finishing == 0 && self.extensions.iter().all(is_done)
    }
}

impl InFlight {
    fn deliver(&mut self) -> Delivery {
        self.delivered.times += 1;
        let Delivered { times, deadline, .. } = self.delivered;
        Delivery { pending: Arc::clone(&self.pending), deadline, number: times }
    }
}

impl Delivery {
    /// The reply to /next.
    pub(super) fn reply(&self, arn: &HeaderValue) -> Reply {
        let Pending { request_id, event, trace_id, .. } = &*self.pending;
        let deadline = u64::try_from(self.deadline.as_millis()).unwrap_or(u64::MAX);
        let defaults = [
            ("Content-Type", Some(HeaderValue::from_static("application/json"))),
            (REQUEST_ID, HeaderValue::from_bytes(request_id.as_bytes()).ok()),
            (DEADLINE, Some(HeaderValue::from(deadline))),
            (ARN, Some(arn.clone())),
            (TRACE_ID, trace_id.clone()),
        ];
        let defaults = defaults.into_iter().filter(|(name, _)| event.wants_default(name));
        let defaults = defaults.filter_map(|(name, value)| Some((name, value?)));
        // `Event::header` refuses names that are not valid in HTTP.
        let all = defaults.chain(event.headers().cloned());
        let all = all.filter_map(|(name, value)| Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value)));
        all.fold(Reply::new(200).body(event.payload().clone()), |reply, (name, value)| reply.header(name, value))
    }
}
