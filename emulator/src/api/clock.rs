//! What happens when time is up.

use std::time::Instant;

use super::{Api, State};
use crate::lock::{wait, wait_for};
use crate::{End, Error, FunctionError};

impl Api {
    /// Ends invocations whose time is up, until the emulator stops.
    pub(crate) fn run_clock(&self) {
        let mut state = self.state();
        while !state.stopped {
            let now = Instant::now();
            self.give_up_unclaimed(&mut state, now);
            let late = |until: Option<Instant>| until.is_some_and(|until| until <= now);
            let overdue = state.in_flight.iter().find(|(_, in_flight)| late(in_flight.until));
            if let Some((id, in_flight)) = overdue {
                let (id, timeout) =
                    (id.clone(), in_flight.pending.event.chosen_timeout().unwrap_or(self.config.timeout));
                drop(state);
                let message =
                    format!("RequestId: {id} Error: Task timed out after {:.2} seconds", timeout.as_secs_f64());
                self.finish(&id, End::TimedOut(FunctionError::of_platform("Sandbox.Timedout", &message)));
                state = self.state();
                continue;
            }
            let queued = state.queue.iter().filter_map(|queued| queued.until);
            state.alarm = queued.chain(state.in_flight.values().filter_map(|in_flight| in_flight.until)).min();
            state = match state.alarm {
                Some(alarm) => wait_for(&self.earlier, state, alarm.saturating_duration_since(now)).0,
                None => wait(&self.earlier, state),
            };
        }
    }

    fn give_up_unclaimed(&self, state: &mut State, now: Instant) {
        let (Some(waited), endpoint) = (self.config.claim_timeout, &self.config.endpoint) else { return };
        state.queue.retain(|queued| {
            let waits = queued.until.is_none_or(|until| until > now);
            if !waits {
                queued.pending.pipe.end(Err(Error::Unclaimed { waited, endpoint: endpoint.clone() }));
            }
            waits
        });
    }

    /// Makes sure that the clock looks again at this time.
    pub(super) fn set_alarm(&self, state: &mut State, until: Option<Instant>) {
        if let Some(until) = until
            && state.alarm.is_none_or(|alarm| until < alarm)
        {
            state.alarm = Some(until);
            self.earlier.notify_one();
        }
    }
}
