//! The outcome of an invocation, as the innermost service hands it over.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::HeaderMap;
use lambda_runtime_proto::client::{Response, StreamHead};
use tracing::Span;

use crate::error::Error;
use crate::error::failure::Failure;
use crate::panics;
use crate::response::streaming;

/// What the handler came to.
pub(crate) enum Outcome {
    Response(Response),
    Failure(Failure),
    Stream(StreamHead, ResponseBody),
}

/// A part of a streamed response.
pub(crate) enum Item {
    Chunk(Bytes),
    /// The end of a complete response, with its trailers.
    Finish(HeaderMap),
    Abort(Failure),
}

/// The body of a streamed response.
///
/// It is polled and dropped in the span that was current when it was handed over, whoever does that, and a panic in it
/// becomes a failure.
pub(crate) struct ResponseBody {
    /// The first item, if it was ready before the response was handed over.
    first: Option<Item>,
    /// `None` only while it is dropped.
    chunks: Option<Box<dyn Chunks>>,
    span: Span,
}

/// A stream of a handler's own type.
trait Chunks: Send {
    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Item>;
}

struct ChunksOf<S>(S);

impl<S, D, E> Chunks for ChunksOf<S>
where
    S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<Bytes>,
    E: Into<Error>,
{
    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Item> {
        Pin::new(&mut self.0).poll_next(cx).map(|item| match item {
            Some(Ok(data)) => Item::Chunk(data.into()),
            Some(Err(error)) => Item::Abort(error.into().into()),
            None => Item::Finish(streaming::trailers_of(&mut self.0)),
        })
    }
}

impl ResponseBody {
    /// Polls the first item: an error before the first byte can still be reported as a failed invocation instead of an
    /// interrupted response.
    pub(crate) fn start<S, D, E>(stream: S, cx: &mut Context<'_>) -> Result<Self, Failure>
    where
        S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
        D: Into<Bytes>,
        E: Into<Error>,
    {
        let chunks: Box<dyn Chunks> = Box::new(ChunksOf(stream));
        let mut body = Self { first: None, chunks: Some(chunks), span: Span::current() };
        match body.poll_item(cx) {
            Poll::Ready(Item::Abort(failure)) => return Err(failure),
            Poll::Ready(item) => body.first = Some(item),
            Poll::Pending => {}
        }
        Ok(body)
    }

    /// The next item. Not called again after [`Item::Finish`] or [`Item::Abort`].
    pub(crate) fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Item> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(first);
        }
        let Some(chunks) = &mut self.chunks else { return Poll::Pending };
        self.span
            .in_scope(|| panics::catch("the response stream", || chunks.poll_item(cx)))
            .unwrap_or_else(|failure| Poll::Ready(Item::Abort(failure)))
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        let chunks = self.chunks.take();
        self.span.in_scope(|| {
            if let Err(failure) = panics::catch("dropping the response stream", || drop(chunks)) {
                failure.log(format_args!("the response stream failed after its end"));
            }
        });
    }
}
