//! Utilities for functions that stream their response.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_channel::{mpsc, oneshot};
use futures_core::Stream;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Collected};

use crate::error::Error;

pub use super::StreamResponse as Response;

/// Creates a [`Body`] and the [`Sender`] that feeds it.
///
/// ```
/// use lambda_runtime_base::streaming::{Body, Response, channel};
/// use lambda_runtime_base::{Error, LambdaEvent};
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
    let (trailers_in, trailers) = oneshot::channel();
    (Sender { data, trailers: Some(trailers_in) }, Source::Channel { chunks, trailers }.into())
}

/// Feeds a [`Body`]. Dropping it ends the body as complete, unless it is dropped by a panic; [`abort`](Self::abort) ends
/// it as torn.
#[must_use = "Sender does nothing unless sent on"]
#[derive(Debug)]
pub struct Sender {
    data: mpsc::Sender<Result<Bytes, BodyError>>,
    trailers: Option<oneshot::Sender<HeaderMap>>,
}

impl Sender {
    /// Waits until there is room for a chunk.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        self.data.poll_ready(cx).map_err(|_| BodyError::new(Gone))
    }

    /// Waits until there is room and sends a chunk.
    ///
    /// # Errors
    ///
    /// The body was dropped: nobody reads what is sent.
    pub async fn send_data(&mut self, chunk: Bytes) -> Result<(), BodyError> {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.data.try_send(Ok(chunk)).map_err(|_| BodyError::new(Gone))
    }

    /// Sends trailers, which follow the last chunk.
    ///
    /// # Errors
    ///
    /// Trailers were sent already, or the body was dropped.
    pub async fn send_trailers(&mut self, trailers: HeaderMap) -> Result<(), BodyError> {
        let sender = self.trailers.take().ok_or_else(|| BodyError::new(Gone))?;
        sender.send(trailers).map_err(|_| BodyError::new(Gone))
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
        self.send_error(Aborted);
    }

    /// Ends the body as failed, for this reason.
    pub fn send_error(&mut self, error: impl Into<Error>) {
        // A clone has a place of its own, so this succeeds even when the channel is full.
        let _ = self.data.clone().try_send(Err(BodyError::new(error)));
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.send_error(Panicked);
        }
    }
}

/// A stream of bytes: the receiving half of a [`channel`], bytes that are there already, or any
/// [`http_body::Body`]. Its trailers go out behind the last chunk.
#[derive(Debug, Default)]
pub struct Body {
    source: Source,
    /// Those that came when it was read as a [`Stream`], which has no place for them.
    trailers: Option<HeaderMap>,
}

#[derive(Debug)]
enum Source {
    Channel { chunks: mpsc::Receiver<Result<Bytes, BodyError>>, trailers: oneshot::Receiver<HeaderMap> },
    Whole(Option<Bytes>),
    Other(UnsyncBoxBody<Bytes, BodyError>),
}

impl Default for Source {
    fn default() -> Self {
        Source::Whole(None)
    }
}

impl From<Source> for Body {
    fn from(source: Source) -> Self {
        Self { source, trailers: None }
    }
}

impl Body {
    /// The same bytes and trailers as `body`.
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Error>,
    {
        Source::Other(body.map_err(BodyError::new).boxed_unsync()).into()
    }

    /// No bytes at all.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The same as [`channel`].
    pub fn channel() -> (Sender, Body) {
        channel()
    }

    /// Waits for all of it.
    ///
    /// # Errors
    ///
    /// The body failed.
    pub async fn collect(self) -> Result<Collected<Bytes>, BodyError> {
        http_body_util::BodyExt::collect(self).await
    }
}

macro_rules! body_from {
    ($($bytes:ty),*) => {$(
        impl From<$bytes> for Body {
            fn from(bytes: $bytes) -> Self {
                let bytes = Bytes::from(bytes);
                Source::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())).into()
            }
        }
    )*};
}

body_from!(Bytes, Vec<u8>, String, &'static [u8], &'static str);

impl From<Cow<'static, [u8]>> for Body {
    fn from(bytes: Cow<'static, [u8]>) -> Self {
        match bytes {
            Cow::Borrowed(bytes) => bytes.into(),
            Cow::Owned(bytes) => bytes.into(),
        }
    }
}

impl From<Cow<'static, str>> for Body {
    fn from(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.source {
            Source::Channel { chunks, trailers } => match ready!(Pin::new(chunks).poll_next(cx)) {
                Some(chunk) => Poll::Ready(Some(chunk.map(Frame::data))),
                // Known by now: both ends went with the sender.
                None => Poll::Ready(trailers.try_recv().ok().flatten().map(|trailers| Ok(Frame::trailers(trailers)))),
            },
            Source::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Other(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Channel { .. } => false,
            Source::Whole(bytes) => bytes.is_none(),
            Source::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Channel { .. } => SizeHint::default(),
            Source::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Source::Other(body) => body.size_hint(),
        }
    }
}

impl Stream for Body {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(frame) = ready!(http_body::Body::poll_frame(self.as_mut(), cx)?) else { return Poll::Ready(None) };
        Poll::Ready(match frame.into_data() {
            Ok(data) => Some(Ok(data)),
            // Trailers are the end of the bytes.
            Err(frame) => {
                self.trailers = frame.into_trailers().ok();
                None
            }
        })
    }
}

/// The trailers of a stream that has ended: only a [`Body`] can have some.
pub(crate) fn trailers_of<S: 'static>(stream: &mut S) -> HeaderMap {
    let body = (stream as &mut dyn Any).downcast_mut::<Body>();
    body.and_then(|body| body.trailers.take()).unwrap_or_default()
}

/// Why a [`Body`] failed, or why a [`Sender`] cannot send. It reads as the error that it was made of.
pub struct BodyError {
    inner: Error,
}

impl BodyError {
    /// Of any error.
    pub fn new(error: impl Into<Error>) -> Self {
        Self { inner: error.into() }
    }

    /// The error that it was made of.
    pub fn into_inner(self) -> Error {
        self.inner
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl fmt::Debug for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

impl std::error::Error for BodyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.inner)
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

/// The task that fed a body panicked.
#[derive(Debug)]
struct Panicked;

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what feeds the response body panicked")
    }
}

impl std::error::Error for Panicked {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_whose_sender_panicked_is_torn() {
        let (mut sender, mut body) = channel();
        let feeding = std::thread::spawn(move || {
            sender.try_send_data("half of it".into()).unwrap();
            panic!("the other half is lost");
        });
        assert!(feeding.join().is_err());
        let mut next = || Pin::new(&mut body).poll_next(&mut Context::from_waker(std::task::Waker::noop()));
        assert!(matches!(next(), Poll::Ready(Some(Ok(data))) if data == "half of it"));
        assert!(matches!(next(), Poll::Ready(Some(Err(error))) if error.to_string().contains("panicked")));
    }
}
