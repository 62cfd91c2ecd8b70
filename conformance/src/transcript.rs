//! The record of a scenario.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Instant;
use std::{fmt, io};

use base64::Engine as _;

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
    /// Samples of the peak memory of the function's process, in KiB.
    pub memory: Vec<u64>,
    /// The bytes that passed.
    pub wire: Wire,
    /// The last bytes of the output of the function's process.
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

/// The bytes that an API sent and received: the last ones, each piece shortened, for people; and the first ones, with
/// times, as the emulator's command records them with `--record`.
#[derive(Debug, Clone, Default)]
pub struct Wire {
    last: VecDeque<Piece>,
    began: Option<Instant>,
    /// JSON lines.
    record: String,
}

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
    /// Limit of the record, in bytes.
    const MAX_RECORD: usize = 1024 * 1024;

    /// Writes the record to a file in the folder for temporary files, and returns its path.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub(crate) fn save(&self, scenario: &str) -> io::Result<PathBuf> {
        let path = std::env::temp_dir().join(format!("conformance-{scenario}-{}.jsonl", std::process::id()));
        std::fs::write(&path, &self.record)?;
        Ok(path)
    }

    fn add_to_record(&mut self, connection: usize, direction: Direction, bytes: &[u8]) {
        if self.record.len() + bytes.len() > Self::MAX_RECORD {
            return;
        }
        let milliseconds = self.began.get_or_insert_with(Instant::now).elapsed().as_secs_f64() * 1000.0;
        let from = match direction {
            Direction::Sent => "api",
            Direction::Received => "runtime",
        };
        let (name, value) = match std::str::from_utf8(bytes) {
            Ok(text) => ("text", text.to_owned()),
            Err(_) => ("base64", base64::engine::general_purpose::STANDARD.encode(bytes)),
        };
        let line = serde_json::json!({"ms": milliseconds, "connection": connection, "from": from, name: value});
        self.record.push_str(&format!("{line}\n"));
    }

    /// Records bytes. Those that follow others of the same connection and direction belong to the same piece.
    pub(crate) fn record(&mut self, connection: usize, direction: Direction, bytes: &[u8]) {
        self.add_to_record(connection, direction, bytes);
        let continues = self.last.back().is_some_and(|it| (it.connection, it.direction) == (connection, direction));
        if !continues {
            self.last.push_back(Piece { connection, direction, shown: Vec::new(), length: 0 });
            if self.last.len() > Self::PIECES {
                self.last.pop_front();
            }
        }
        if let Some(piece) = self.last.back_mut() {
            piece.length += bytes.len();
            let room = Self::SHOWN - piece.shown.len();
            piece.shown.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Piece { connection, direction, shown, length } in &self.last {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_json_lines_and_limited() {
        let mut wire = Wire::default();
        wire.record(1, Direction::Received, b"GET /next");
        wire.record(1, Direction::Sent, b"\xff");
        for _ in 0..1000 {
            wire.record(2, Direction::Sent, &[b'x'; 10_000]);
        }
        let path = wire.save("test").unwrap();
        let record = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        assert!(record.len() < Wire::MAX_RECORD + 100);
        let lines: Vec<serde_json::Value> = record.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[0]["from"], &lines[0]["text"]), (&"runtime".into(), &"GET /next".into()));
        assert_eq!((&lines[1]["from"], &lines[1]["base64"]), (&"api".into(), &"/w==".into()));
    }
}
