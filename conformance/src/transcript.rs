//! The record of a scenario.

use std::collections::VecDeque;
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
    /// The last bytes that passed, if a scripted API recorded them.
    pub wire: Wire,
    /// The end of what the function's process printed.
    pub output: String,
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
            None => f.write_str("the function did not end by itself")?,
            Some(Ok(())) => f.write_str("the function ended without an error")?,
            Some(Err(error)) => write!(f, "the function ended: {error}")?,
        }
        write!(f, "{}", self.wire)?;
        if !self.output.is_empty() {
            write!(f, "\noutput: \"{}\"", self.output.escape_debug())?;
        }
        Ok(())
    }
}

/// The bytes that an API sent and received: the last ones, each piece shortened.
#[derive(Debug, Clone, Default)]
pub struct Wire(VecDeque<Piece>);

#[derive(Debug, Clone)]
struct Piece {
    connection: usize,
    direction: Direction,
    shown: Vec<u8>,
    length: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Sent,
    Received,
}

impl Wire {
    const PIECES: usize = 12;
    const SHOWN: usize = 400;

    /// Records bytes. Those that follow others of the same connection and direction belong to the same piece.
    pub(crate) fn record(&mut self, connection: usize, direction: Direction, bytes: &[u8]) {
        let continues = self.0.back().is_some_and(|it| (it.connection, it.direction) == (connection, direction));
        if !continues {
            self.0.push_back(Piece { connection, direction, shown: Vec::new(), length: 0 });
            if self.0.len() > Self::PIECES {
                self.0.pop_front();
            }
        }
        if let Some(piece) = self.0.back_mut() {
            piece.length += bytes.len();
            let room = Self::SHOWN - piece.shown.len();
            piece.shown.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Piece { connection, direction, shown, length } in &self.0 {
            let who = match direction {
                Direction::Sent => "API",
                Direction::Received => "function",
            };
            write!(f, "\nconnection {connection}, {who}: \"{}\"", shown.escape_ascii())?;
            if shown.len() < *length {
                write!(f, "… ({length} bytes)")?;
            }
        }
        Ok(())
    }
}
