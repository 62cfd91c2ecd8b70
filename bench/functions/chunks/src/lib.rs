//! The stream that every streaming function responds with.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;

/// The same chunk again and again. It is there already: what is measured is the runtime.
pub struct Chunks {
    chunk: Bytes,
    left: usize,
}

impl Chunks {
    /// What the event `[count, size]` asks for.
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
