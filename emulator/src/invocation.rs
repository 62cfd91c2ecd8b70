//! An invocation under way.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::api::Pending;
use crate::{Error, Outcome, ResponseHead};

/// An invocation under way, as its caller sees it.
///
/// As an iterator it blocks until some of the response arrives and gives that, to the end of the response. Chunks that
/// are not taken wait: after 64 KiB the emulator stops reading from the function.
///
/// Dropping it leaves the function running; its answer goes nowhere.
#[must_use = "the function's answer goes nowhere when this is dropped"]
#[derive(Debug)]
pub struct Invocation {
    pending: Arc<Pending>,
}

/// Some of a response's body, as it was read from the function: not necessarily one chunk of the function's.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The bytes; never empty.
    pub data: Bytes,
    /// When they arrived. For a buffered response, when it was complete.
    pub at: Instant,
}

impl Invocation {
    pub(crate) fn new(pending: Arc<Pending>) -> Self {
        Self { pending }
    }

    /// The request id.
    pub fn request_id(&self) -> &str {
        &self.pending.request_id
    }

    /// Blocks until the response begins; `None` if the invocation ends without one.
    pub fn head(&self) -> Option<ResponseHead> {
        self.pending.pipe.head()
    }

    /// Blocks until the invocation ends. The outcome's body is what was not taken as chunks before.
    ///
    /// # Errors
    ///
    /// The event was not fetched in time, or the emulator was stopped.
    pub fn wait(self) -> Result<Outcome, Error> {
        self.pending.pipe.outcome()
    }
}

impl Iterator for Invocation {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        self.pending.pipe.next()
    }
}

impl Drop for Invocation {
    fn drop(&mut self) {
        self.pending.pipe.abandon();
    }
}
