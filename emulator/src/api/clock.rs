//! Timeouts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Api, Delivered, Pending, Queued, State};
use crate::lock::{wait, wait_for};
use crate::{End, Error, FunctionError, Notice};

impl Api {
    /// Ends invocations whose timeout has passed, until the emulator stops.
    pub(crate) fn run_clock(&self) {
        let mut state = self.state();
        while !state.stopped {
            let now = Instant::now();
            let is_late = |until: Option<Instant>| until.is_some_and(|until| until <= now);
            if let Some(pending) = state.take_unclaimed(is_late) {
                drop(state);
                let waited = self.config.claim_timeout.unwrap_or_default();
                pending.pipe.end(Err(Error::Unclaimed { waited, endpoint: self.config.endpoint.clone() }));
                state = self.state();
                continue;
            }
            if let Some((id, in_flight)) =
                state.in_flight.iter().find(|(_, in_flight)| is_late(in_flight.delivered.until))
            {
                let (id, timeout) = (id.clone(), in_flight.delivered.timeout);
                drop(state);
                self.finish(&id, timed_out(&id, timeout));
                state = self.state();
                continue;
            }
            if let Some((pending, delivered)) = state.take_undelivered(is_late) {
                drop(state);
                self.conclude(&pending, &delivered, timed_out(&pending.request_id, delivered.timeout));
                state = self.state();
                continue;
            }
            if let Some(settling) = state.settling.take_if(|settling| is_late(settling.until)) {
                let unfinished = state.unfinished();
                state.release_extensions();
                drop(state);
                self.notify(&Notice::Overdue {
                    request_id: &settling.request_id,
                    timeout: settling.timeout,
                    unfinished: &unfinished,
                });
                self.changed.notify_all();
                state = self.state();
                continue;
            }
            let queued = state.queue.iter().filter_map(|queued| queued.until);
            let delivered = state.queue.iter().filter_map(|queued| queued.delivered?.until);
            let in_flight = state.in_flight.values().filter_map(|in_flight| in_flight.delivered.until);
            let settling = state.settling.iter().filter_map(|settling| settling.until);
            state.alarm = queued.chain(delivered).chain(in_flight).chain(settling).min();
            state = match state.alarm {
                Some(alarm) => wait_for(&self.earlier, state, alarm.saturating_duration_since(now)).0,
                None => wait(&self.earlier, state),
            };
        }
    }

    /// Wakes the clock at this time.
    pub(super) fn set_alarm(&self, state: &mut State, until: Option<Instant>) {
        if let Some(until) = until
            && state.alarm.is_none_or(|alarm| until < alarm)
        {
            state.alarm = Some(until);
            self.earlier.notify_one();
        }
    }
}

impl State {
    /// Removes from the queue an event whose claim timeout has passed.
    fn take_unclaimed(&mut self, is_late: impl Fn(Option<Instant>) -> bool) -> Option<Arc<Pending>> {
        let position = self.queue.iter().position(|queued| is_late(queued.until))?;
        Some(self.queue.remove(position)?.pending)
    }

    /// Removes from the queue an event that was delivered, could not be written, and whose timeout has passed.
    fn take_undelivered(&mut self, is_late: impl Fn(Option<Instant>) -> bool) -> Option<(Arc<Pending>, Delivered)> {
        let late = |queued: &Queued| queued.delivered.is_some_and(|delivered| is_late(delivered.until));
        let Queued { pending, delivered, .. } = self.queue.remove(self.queue.iter().position(late)?)?;
        self.progressed = true;
        self.finishing += 1;
        self.remember_timed_out(&pending.request_id);
        self.release_extensions();
        Some((pending, delivered?))
    }
}

pub(super) fn timed_out(id: &str, timeout: Duration) -> End {
    let seconds = timeout.as_secs_f64();
    let message = format!("RequestId: {id} Error: Task timed out after {seconds:.2} seconds");
    End::TimedOut(FunctionError::of_platform("Sandbox.Timedout", &message))
}
