//! An invocation in progress.

use std::sync::Arc;

use crate::api::Pending;
use crate::pipe::Chunk;
use crate::{Error, Outcome, ResponseHead};

/// An invocation in progress, from the caller's point of view.
///
/// As an iterator it yields the chunks of the response, and blocks until the next one arrives. The emulator buffers 64 KiB
/// of chunks that are not taken; then it stops reading from the function.
///
/// Dropping it does not stop the function: its response is discarded.
#[must_use = "the function's response is discarded when this is dropped"]
#[derive(Debug)]
pub struct Invocation {
    pending: Arc<Pending>,
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

    /// Blocks until the invocation ends. The body of the outcome is the part that was not taken as chunks before.
    ///
    /// # Errors
    ///
    /// No runtime requested the event in time, or the emulator was stopped.
    pub fn wait(self) -> Result<Outcome, Error> {
        self.pending.pipe.wait()
    }

    /// The same as [`wait`](Self::wait) for async code, on any executor: it does not block the thread.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait).
    pub async fn wait_async(self) -> Result<Outcome, Error> {
        self.pending.pipe.wait_async().await
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
