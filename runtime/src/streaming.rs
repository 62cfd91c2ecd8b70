//! Utilities for functions that stream their response.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_channel::mpsc;
use futures_core::Stream;

use crate::Error;
pub use crate::StreamResponse as Response;

/// Creates a [`Body`] and the [`Sender`] that feeds it.
///
/// ```
/// use lambda_runtime_core::streaming::{Body, Response, channel};
/// use lambda_runtime_core::{Error, LambdaEvent};
///
/// async fn handler(_event: LambdaEvent<serde_json::Value>) -> Result<Response<Body>, Error> {
///     let (mut sender, body) = channel();
///     // On another task or thread:
///     std::thread::spawn(move || {
///         let _ = sender.try_send_data("hello".into());
///     });
///     Ok(Response::from(body))
/// }
/// ```
pub fn channel() -> (Sender, Body) {
    // With the sender's own place there is room for one chunk.
    let (data, chunks) = mpsc::channel(0);
    (Sender { data }, Body { chunks: Source::Channel(chunks) })
}

/// Feeds a [`Body`]. Dropping it ends the body as complete; [`abort`](Self::abort) ends it as torn.
#[must_use = "Sender does nothing unless sent on"]
#[derive(Debug)]
pub struct Sender {
    data: mpsc::Sender<Result<Bytes, Error>>,
}

impl Sender {
    /// Waits until there is room for a chunk.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.data.poll_ready(cx).map_err(|_| Gone.into())
    }

    /// Waits until there is room and sends a chunk.
    ///
    /// # Errors
    ///
    /// The body was dropped: nobody reads what is sent.
    pub async fn send_data(&mut self, chunk: Bytes) -> Result<(), Error> {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.data.try_send(Ok(chunk)).map_err(|_| Gone.into())
    }

    /// Sends a chunk if there is room for it now.
    ///
    /// # Errors
    ///
    /// There is no room, or the body was dropped; the chunk is returned.
    pub fn try_send_data(&mut self, chunk: Bytes) -> Result<(), Bytes> {
        self.data.try_send(Ok(chunk)).map_err(|error| error.into_inner().unwrap_or_default())
    }

    /// Ends the body as failed.
    pub fn abort(mut self) {
        self.send_error(Box::new(Aborted));
    }

    /// Ends the body as failed, for this reason.
    pub fn send_error(&mut self, error: Error) {
        // A clone has a place of its own, so this succeeds even when the channel is full.
        let _ = self.data.clone().try_send(Err(error));
    }
}

/// A stream of bytes: the receiving half of a [`channel`], or bytes that are there already.
#[derive(Debug, Default)]
pub struct Body {
    chunks: Source,
}

#[derive(Debug)]
enum Source {
    Channel(mpsc::Receiver<Result<Bytes, Error>>),
    Whole(Option<Bytes>),
}

impl Default for Source {
    fn default() -> Self {
        Source::Whole(None)
    }
}

impl Body {
    /// No bytes at all.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The same as [`channel`].
    pub fn channel() -> (Sender, Body) {
        channel()
    }
}

macro_rules! body_from {
    ($($bytes:ty),*) => {$(
        impl From<$bytes> for Body {
            fn from(bytes: $bytes) -> Self {
                Self { chunks: Source::Whole(Some(bytes.into())) }
            }
        }
    )*};
}

body_from!(Bytes, Vec<u8>, String, &'static [u8], &'static str);

impl Stream for Body {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.chunks {
            Source::Channel(receiver) => Pin::new(receiver).poll_next(cx),
            Source::Whole(bytes) => Poll::Ready(bytes.take().map(Ok)),
        }
    }
}

/// The body that a [`Sender`] fed is gone.
#[derive(Debug)]
struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the response body was dropped: nobody reads what is sent")
    }
}

impl std::error::Error for Gone {}

/// [`Sender::abort`].
#[derive(Debug)]
struct Aborted;

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the function aborted the response body")
    }
}

impl std::error::Error for Aborted {}
