//! The last invocations, for the status page, and the ends of their logs, for callers that request them.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use lambda_runtime_emulator::serving::shortened;
use lambda_runtime_emulator::{End, Notice};
use serde_json::{Value, json};

use crate::time::Utc;

/// The last invocations. Their number and the size of each are limited.
#[derive(Debug, Default)]
pub struct History {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    records: VecDeque<Record>,
    /// Ids of the invocations that the function is handling.
    running: Vec<String>,
    /// Counts changes.
    version: u64,
    stopped: bool,
}

/// An invocation.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) request_id: String,
    /// The version of its last change.
    pub(crate) version: u64,
    /// The kind of call, such as `Invoke` or `GET /`.
    pub(crate) source: String,
    pub(crate) called: SystemTime,
    pub(crate) event: Start,
    pub(crate) response: Start,
    pub(crate) log: Tail,
    pub(crate) duration: Option<Duration>,
    pub(crate) status: Status,
    pub(crate) attempts: u32,
    pub(crate) faults: Vec<String>,
}

/// The status of an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Status {
    Waiting,
    Running,
    Complete,
    Failed(String),
}

/// The first bytes of a payload, and its length.
#[derive(Debug, Default)]
pub(crate) struct Start {
    pub(crate) data: Vec<u8>,
    /// The length of the whole payload.
    pub(crate) length: u64,
}

/// The last bytes of a log.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    data: VecDeque<u8>,
}

impl Start {
    const MAX: usize = 32 * 1024;

    fn push(&mut self, data: &[u8]) {
        let room = Self::MAX - self.data.len();
        self.data.extend_from_slice(data.get(..room).unwrap_or(data));
        self.length = self.length.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
    }
}

impl Tail {
    const MAX: usize = 32 * 1024;

    fn push(&mut self, data: &[u8]) {
        let data = data.get(data.len().saturating_sub(Self::MAX)..).unwrap_or(data);
        let excess = (self.data.len() + data.len()).saturating_sub(Self::MAX);
        self.data.drain(..excess);
        self.data.extend(data);
    }

    /// Returns at most this many of the last bytes.
    pub(crate) fn last(&self, max: usize) -> Vec<u8> {
        self.data.iter().skip(self.data.len().saturating_sub(max)).copied().collect()
    }
}

impl History {
    /// The number of invocations that are retained.
    const MAX: usize = 200;
    const MAX_FAULTS: usize = 100;
    /// The number of bytes of the end of a log that Lambda returns.
    const TAIL: usize = 4096;

    /// Records an event that a caller has sent.
    pub(crate) fn called(&self, request_id: &str, source: &str, event: &[u8]) {
        self.change(request_id, |record| {
            record.source = shortened(source);
            record.event = Start::default();
            record.event.push(event);
        });
    }

    /// Records a part of the response.
    pub(crate) fn responded(&self, request_id: &str, data: &[u8]) {
        self.change(request_id, |record| record.response.push(data));
    }

    /// Returns the last 4 KiB of an invocation's log.
    pub(crate) fn log_result(&self, request_id: &str) -> Vec<u8> {
        let state = self.state();
        let record = state.records.iter().rev().find(|record| record.request_id == request_id);
        record.map(|record| record.log.last(Self::TAIL)).unwrap_or_default()
    }

    /// Records what the emulator observes.
    pub fn observe(&self, notice: &Notice<'_>) {
        match notice {
            Notice::Delivered { request_id } => {
                self.state().running.push((*request_id).to_owned());
                self.change(request_id, |record| {
                    record.status = Status::Running;
                    record.attempts += 1;
                    record.response = Start::default();
                });
            }
            Notice::Finished { request_id, duration, end } => {
                self.state().running.retain(|running| running != request_id);
                self.change(request_id, |record| {
                    record.duration = Some(*duration);
                    record.status = match end {
                        End::Complete => Status::Complete,
                        other => Status::Failed(error_of(other)),
                    };
                });
            }
            Notice::Fault { fault } => {
                let running = self.state().running.clone();
                for request_id in running {
                    self.change(&request_id, |record| {
                        if record.faults.len() < Self::MAX_FAULTS {
                            record.faults.push(fault.to_string());
                        }
                    });
                }
            }
            _ => {}
        }
    }

    /// Records output of the function. A line belongs to the invocation whose id it contains, or to the only one that runs.
    pub(crate) fn logged(&self, output: &[u8]) {
        let running = self.state().running.clone();
        match running.as_slice() {
            [] => {}
            [only] => self.log(only, output),
            many => {
                for line in output.split_inclusive(|byte| *byte == b'\n') {
                    let text = String::from_utf8_lossy(line);
                    if let Some(request_id) = many.iter().find(|request_id| text.contains(request_id.as_str())) {
                        self.log(request_id, line);
                    }
                }
            }
        }
    }

    /// Appends to the log of an invocation.
    pub(crate) fn log(&self, request_id: &str, output: &[u8]) {
        self.change(request_id, |record| record.log.push(output));
    }

    /// Returns the oldest change after this version: its version, and the invocation as JSON. Waits for a change for at
    /// most `limit`, or until [`stop`](Self::stop).
    pub(crate) fn next_change(&self, after: u64, limit: Duration) -> Option<(u64, String)> {
        let until = Instant::now() + limit;
        let mut state = self.state();
        loop {
            let changed = state.records.iter().filter(|record| record.version > after);
            if let Some(record) = changed.min_by_key(|record| record.version) {
                return Some((record.version, record.json().to_string()));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || state.stopped {
                return None;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Sleeps for `limit`, or until [`stop`](Self::stop).
    pub(crate) fn pause(&self, limit: Duration) {
        let until = Instant::now() + limit;
        let mut state = self.state();
        while !state.stopped && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// Ends all waits.
    pub(crate) fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    fn change(&self, request_id: &str, change: impl FnOnce(&mut Record)) {
        let mut state = self.state();
        state.version += 1;
        let version = state.version;
        let at = state.records.iter().rposition(|record| record.request_id == request_id);
        if at.is_none() {
            if state.records.len() == Self::MAX {
                state.records.pop_front();
            }
            state.records.push_back(Record::new(request_id));
        }
        let record = match at {
            Some(at) => state.records.get_mut(at),
            None => state.records.back_mut(),
        };
        if let Some(record) = record {
            change(record);
            record.version = version;
        }
        drop(state);
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn new(request_id: &str) -> Self {
        Self {
            request_id: request_id.to_owned(),
            version: 0,
            source: String::new(),
            called: SystemTime::now(),
            event: Start::default(),
            response: Start::default(),
            log: Tail::default(),
            duration: None,
            status: Status::Waiting,
            attempts: 0,
            faults: Vec::new(),
        }
    }
}

impl Record {
    /// The invocation, as the status page gets it.
    fn json(&self) -> Value {
        let (status, error) = match &self.status {
            Status::Waiting => ("waiting", None),
            Status::Running => ("running", None),
            Status::Complete => ("complete", None),
            Status::Failed(error) => ("failed", Some(error)),
        };
        json!({
            "id": self.request_id,
            "source": self.source,
            "called": Utc::from(self.called).milliseconds,
            "event": self.event.json(),
            "response": self.response.json(),
            "log": String::from_utf8_lossy(&self.log.last(Tail::MAX)),
            "duration": self.duration.map(|duration| duration.as_secs_f64() * 1000.0),
            "status": status,
            "error": error,
            "attempts": self.attempts,
            "faults": self.faults,
        })
    }
}

impl Start {
    fn json(&self) -> Value {
        json!({"text": String::from_utf8_lossy(&self.data), "shown": self.data.len(), "length": self.length})
    }
}

fn error_of(end: &End) -> String {
    let error = end.error().map(|error| format!("{}: {}", error.error_type(), error.message()));
    shortened(&error.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered(history: &History, request_id: &str) {
        history.observe(&Notice::Delivered { request_id });
    }

    #[test]
    fn a_log_belongs_to_the_invocation_that_runs_or_that_a_line_names() {
        let history = History::default();
        history.logged(b"before\n");
        delivered(&history, "id-1");
        history.logged(b"first\n");
        delivered(&history, "id-2");
        history.logged(b"of id-2\nof nobody\nof id-1\n");
        assert_eq!(history.log_result("id-1"), b"first\nof id-1\n");
        assert_eq!(history.log_result("id-2"), b"of id-2\n");
    }

    #[test]
    fn what_it_retains_is_limited() {
        let history = History::default();
        for n in 0..History::MAX + 10 {
            history.called(&n.to_string(), "Invoke", &[b'x'; 2 * Start::MAX]);
        }
        delivered(&history, "last");
        for n in 0..100 {
            history.logged(format!("{n}{}\n", "y".repeat(1000)).as_bytes());
            history.responded("last", &[b'z'; 1000]);
        }
        let state = history.state();
        assert_eq!(state.records.len(), History::MAX);
        let sizes = state
            .records
            .iter()
            .map(|record| record.event.data.len() + record.response.data.len() + record.log.data.len());
        assert_eq!(sizes.max(), Some(Start::MAX + Tail::MAX));
        let last = state.records.back().map(|record| (record.response.length, record.log.last(5)));
        assert_eq!(last, Some((100_000, b"yyyy\n".to_vec())));
    }
}
