//! The events of the function.

use serde::{Deserialize, Serialize};

/// An event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    pub number: u64,
    /// The handler yields this many times.
    pub turns: u32,
    pub task: Task,
    /// Work after the response: it yields this many times, and then sleeps for this many microseconds.
    pub work: Option<(u32, u64)>,
    pub fill: String,
}

/// The operation that an event requests.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Task {
    Echo,
    /// Sleeps for this many microseconds, and returns the event.
    Sleep(u64),
    Fail,
    Panic,
    /// Never completes.
    Stuck,
    Stream(Chunks),
}

/// The chunks of a stream. Each contains bytes by which it is recognised.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Chunks {
    pub count: u32,
    pub size: usize,
    /// The stream yields this many times before each chunk.
    pub turns: u32,
    /// Delay before each chunk, in microseconds.
    pub pause: u64,
    pub end: End,
}

/// The end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    Finish,
    Fail,
    Panic,
    /// The stream never ends.
    Stuck,
}

impl Job {
    /// Whether the handler or its stream never completes.
    pub fn is_stuck(&self) -> bool {
        matches!(self.task, Task::Stuck | Task::Stream(Chunks { end: End::Stuck, .. }))
    }
}

impl Chunks {
    /// Fails when it is first polled.
    pub(crate) fn fails_at_once(&self) -> bool {
        (self.count, self.turns, self.pause) == (0, 0, 0) && matches!(self.end, End::Fail | End::Panic)
    }

    pub(crate) fn chunk(&self, number: u64, n: u32) -> Vec<u8> {
        let mut chunk = ((number << 20) + u64::from(n)).to_le_bytes().repeat(self.size / 8 + 1);
        chunk.truncate(self.size);
        chunk
    }

    /// Appends all chunks of the invocation with this number.
    pub(crate) fn append_to(&self, payload: &mut Vec<u8>, number: u64) {
        payload.reserve(self.count as usize * self.size);
        (0..self.count).for_each(|n| payload.extend_from_slice(&self.chunk(number, n)));
    }
}

/// The message of a failure. It contains the number of the event.
pub(crate) fn failure_message(number: u64) -> String {
    format!("no apples for {number}")
}

/// The start of [`panic_message`].
pub const PANIC: &str = "asked to panic";

/// The message of a panic. It contains the number of the event.
pub fn panic_message(number: u64) -> String {
    format!("{PANIC} by {number}")
}
