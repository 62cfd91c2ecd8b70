//! The record of a scenario.

use std::fmt;

use crate::RecordedRequest;

/// The record of a scenario.
#[derive(Debug, Default)]
pub struct Transcript {
    /// The requests that the API read, in order. The emulator records one for each invocation.
    pub requests: Vec<RecordedRequest>,
    /// The number of connections, without those of workers that only wait.
    pub connections: usize,
    /// The result of `run`: the message of its error. `None` if the suite stopped the function.
    pub end: Option<Result<(), String>>,
    /// Samples of the memory that the function's process has used at most, in KiB.
    pub memory: Vec<u64>,
}

impl Transcript {
    /// The requests about an invocation, in order.
    pub fn of<'a>(&'a self, id: &str) -> impl DoubleEndedIterator<Item = &'a RecordedRequest> {
        self.requests.iter().filter(move |request| request.id == id)
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        writeln!(f, "connections: {}", self.connections)?;
        for request in self.requests.iter().take(SHOWN) {
            writeln!(f, "request: {request}")?;
        }
        if let Some(left_out) = self.requests.len().checked_sub(SHOWN + 1) {
            writeln!(f, "and {} more requests", left_out + 1)?;
        }
        match &self.end {
            None => f.write_str("the function did not end by itself"),
            Some(Ok(())) => f.write_str("the function ended without an error"),
            Some(Err(error)) => write!(f, "the function ended: {error}"),
        }
    }
}
