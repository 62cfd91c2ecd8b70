//! The stream that is the response of every streaming function.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;

/// Yields the same chunk repeatedly, without producing it, so that only the runtime is measured.
pub struct Chunks {
    chunk: Bytes,
    left: usize,
}

impl Chunks {
    /// The stream that the event `[count, size]` requests.
    pub fn new((count, size): (usize, usize)) -> Self {
        Self { chunk: Bytes::from(vec![b'x'; size]), left: count }
    }
}

impl Stream for Chunks {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(left) = self.left.checked_sub(1) else { return Poll::Ready(None) };
        self.left = left;
        Poll::Ready(Some(Ok(self.chunk.clone())))
    }
}
