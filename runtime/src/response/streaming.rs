//! Utilities for functions that stream their response.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::iter;
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
    // Plus one slot per sender: room for one chunk.
    let (data, chunks) = mpsc::channel(0);
    let (trailers_in, trailers) = oneshot::channel();
    let sender = Sender { data, trailers: Some(trailers_in), sending: false, strict: false };
    (sender, Source::Channel { chunks, trailers }.into())
}

/// Feeds a [`Body`].
///
/// How the body ends depends on how the sender is dropped:
///
/// | the sender | the body |
/// |---|---|
/// | is dropped | is complete, as in `lambda_runtime` |
/// | is dropped by a panic, or after a [`send_data`](Self::send_data) that was cancelled before it completed | is interrupted: its task was cancelled |
/// | is [strict](Self::strict) and dropped without [`finish`](Self::finish) | is interrupted |
/// | is ended by [`finish`](Self::finish) | is complete |
/// | is ended by [`abort`](Self::abort), or has sent an [error](Self::send_error) | is interrupted |
///
/// ```
/// use lambda_runtime_base::streaming::{BodyError, Sender};
///
/// // Complete when the loop ends, interrupted if the task is cancelled in `send_data`.
/// async fn dropped(mut sender: Sender) -> Result<(), BodyError> {
///     for chunk in ["one", "two"] {
///         sender.send_data(chunk.into()).await?;
///     }
///     Ok(())
/// }
///
/// // Complete only at the last line: `?` and a cancellation at any `await` interrupt the response.
/// async fn strict(sender: Sender) -> Result<(), lambda_runtime_base::Error> {
///     let mut sender = sender.strict();
///     for chunk in ["one", "two"] {
///         sender.send_data(produce(chunk).await?.into()).await?;
///     }
///     sender.finish();
///     Ok(())
/// }
///
/// // Interrupted: a part of the response is missing.
/// async fn aborted(mut sender: Sender) -> Result<(), BodyError> {
///     sender.send_data("one".into()).await?;
///     sender.abort();
///     Ok(())
/// }
/// # async fn produce(chunk: &'static str) -> Result<&'static str, std::io::Error> { Ok(chunk) }
/// ```
#[must_use = "dropping the sender ends the body"]
#[derive(Debug)]
pub struct Sender {
    data: mpsc::Sender<Result<Bytes, BodyError>>,
    trailers: Option<oneshot::Sender<HeaderMap>>,
    /// A call of `send_data` has begun and not completed.
    sending: bool,
    /// A drop without `finish` interrupts the body.
    strict: bool,
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
    /// The body was dropped.
    pub async fn send_data(&mut self, chunk: Bytes) -> Result<(), BodyError> {
        self.sending = true;
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.try_send_data(chunk).map_err(|_| BodyError::new(Gone))
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

    /// Sends a chunk if there is room for it.
    ///
    /// # Errors
    ///
    /// Returns the chunk if the body has no room, or was dropped.
    pub fn try_send_data(&mut self, chunk: Bytes) -> Result<(), Bytes> {
        self.data.try_send(Ok(chunk)).map_err(|error| error.into_inner().unwrap_or_default())?;
        self.sending = false;
        Ok(())
    }

    /// From now on, dropping the sender without [`finish`](Self::finish) interrupts the body.
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Ends the body as complete.
    pub fn finish(mut self) {
        self.sending = false;
        self.strict = false;
    }

    /// Ends the body as interrupted.
    pub fn abort(mut self) {
        self.send_error(Aborted);
    }

    /// Ends the body as interrupted, with this reason.
    pub fn send_error(&mut self, error: impl Into<Error>) {
        // A clone has its own slot in the channel, so this succeeds even if the channel is full.
        let _ = self.data.clone().try_send(Err(BodyError::new(error)));
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.send_error(Panicked);
        } else if self.sending {
            self.send_error(Cancelled);
        } else if self.strict {
            self.send_error(Unfinished);
        }
    }
}

/// A stream of bytes: the receiving half of a [`channel`], bytes in memory, or any [`http_body::Body`]. Its trailers are
/// sent after the last chunk.
#[derive(Debug, Default)]
pub struct Body {
    source: Source,
    /// Trailers that were received while it was read as a [`Stream`], which cannot yield them.
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
    /// Creates a body with the bytes and trailers of `body`.
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Error>,
    {
        Source::Other(body.map_err(BodyError::new).boxed_unsync()).into()
    }

    /// Creates a body from the chunks of an iterator, each sent before the next one is taken. An error interrupts the response.
    ///
    /// The iterator blocks the thread that polls the runtime. With executors other than `lambda-runtime-blocking`, use it
    /// only if the iterator does not wait.
    ///
    /// ```
    /// use lambda_runtime_base::streaming::{Body, Response};
    /// use lambda_runtime_base::{Error, LambdaEvent};
    ///
    /// fn handler(event: LambdaEvent<u32>) -> Result<Response<Body>, Error> {
    ///     let lines = (1..=event.payload).map(|n| Ok::<_, Error>(format!("line {n}\n")));
    ///     Ok(Response::from(Body::from_chunks(lines)))
    /// }
    /// ```
    pub fn from_chunks<I, D, E>(chunks: I) -> Self
    where
        I: IntoIterator<Item = Result<D, E>>,
        I::IntoIter: Send + 'static,
        D: Into<Bytes>,
        E: Into<Error>,
    {
        Self::new(Chunks { iterator: chunks.into_iter(), yielded: false })
    }

    /// Creates a body from a reader, in chunks of up to 64 KiB, each sent before the next one is read. An error interrupts
    /// the response.
    ///
    /// The reader blocks the thread that polls the runtime, as the iterator of [`from_chunks`](Self::from_chunks) does.
    ///
    /// ```
    /// use std::fs::File;
    ///
    /// use lambda_runtime_base::streaming::{Body, Response};
    /// use lambda_runtime_base::{Error, LambdaEvent};
    ///
    /// fn handler(event: LambdaEvent<String>) -> Result<Response<Body>, Error> {
    ///     Ok(Response::from(Body::from_reader(File::open(event.payload)?)))
    /// }
    /// ```
    pub fn from_reader<R: io::Read + Send + 'static>(mut reader: R) -> Self {
        Self::from_chunks(iter::from_fn(move || {
            let mut chunk = vec![0; READ_SIZE];
            let read = loop {
                match reader.read(&mut chunk) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => break read,
                }
            };
            match read {
                Ok(0) => None,
                Ok(n) => {
                    chunk.truncate(n);
                    Some(Ok(chunk))
                }
                Err(error) => Some(Err(error)),
            }
        }))
    }

    /// Creates an empty body.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The same as [`channel`].
    pub fn channel() -> (Sender, Body) {
        channel()
    }

    /// Waits for the whole body.
    ///
    /// # Errors
    ///
    /// The body failed.
    pub async fn collect(self) -> Result<Collected<Bytes>, BodyError> {
        http_body_util::BodyExt::collect(self).await
    }
}

/// The most that [`Body::from_reader`] reads at once.
const READ_SIZE: usize = 64 * 1024;

/// The body of [`Body::from_chunks`].
struct Chunks<I> {
    iterator: I,
    /// A chunk was yielded by the last poll.
    yielded: bool,
}

// The iterator is never pinned.
impl<I> Unpin for Chunks<I> {}

impl<I, D, E> http_body::Body for Chunks<I>
where
    I: Iterator<Item = Result<D, E>>,
    D: Into<Bytes>,
    E: Into<Error>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        // The iterator may block, so the last chunk is sent first.
        self.yielded = !self.yielded;
        if !self.yielded {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let chunk = self.iterator.next();
        Poll::Ready(chunk.map(|chunk| chunk.map(|data| Frame::data(data.into())).map_err(Into::into)))
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
                // Both channels end with the sender, so the trailers are known by now.
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
            // Trailers end the bytes.
            Err(frame) => {
                self.trailers = frame.into_trailers().ok();
                None
            }
        })
    }
}

/// The trailers of a stream that has ended. Only a [`Body`] can have any.
pub(crate) fn trailers_of<S: 'static>(stream: &mut S) -> HeaderMap {
    let body = (stream as &mut dyn Any).downcast_mut::<Body>();
    body.and_then(|body| body.trailers.take()).unwrap_or_default()
}

/// The error of a [`Body`] or a [`Sender`]. It displays like the error that it wraps.
pub struct BodyError {
    inner: Error,
}

impl BodyError {
    /// Wraps any error.
    pub fn new(error: impl Into<Error>) -> Self {
        Self { inner: error.into() }
    }

    /// Returns the wrapped error.
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

/// Unit errors whose names are the error types that Lambda receives.
macro_rules! body_errors {
    ($($name:ident: $message:literal),* $(,)?) => {$(
        #[derive(Debug)]
        struct $name;

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($message)
            }
        }

        impl std::error::Error for $name {}
    )*};
}

body_errors! {
    Gone: "the response body was dropped, so nothing more can be sent",
    Aborted: "the function aborted the response body",
    Panicked: "the task that sends the response body panicked",
    Cancelled: "the task that sends the response body was cancelled before it had sent everything",
    Unfinished: "the sender of the response body was dropped without `finish`",
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, StreamExt};

    use super::*;

    /// Sends some chunks, drops the sender, and returns what was received: text, and an error at the end.
    fn received(send: impl FnOnce(Sender) + Send + 'static) -> (String, Option<String>) {
        let (sender, body) = channel();
        // A panic belongs to the sender's thread.
        let _ = std::thread::spawn(move || send(sender)).join();
        let (mut text, mut error) = (String::new(), None);
        for item in StreamExt::collect::<Vec<_>>(body).now_or_never().expect("the sender was dropped") {
            match item {
                Ok(data) => text.push_str(std::str::from_utf8(&data).unwrap()),
                Err(reason) => error = Some(reason.to_string()),
            }
        }
        (text, error)
    }

    fn send(sender: &mut Sender, chunk: &'static str) {
        sender.send_data(chunk.into()).now_or_never().expect("there is room").unwrap();
    }

    #[test]
    fn a_sender_that_is_dropped_ends_the_body_as_complete() {
        let (text, error) = received(|mut sender| send(&mut sender, "all"));
        assert_eq!((&*text, error), ("all", None));
        assert_eq!(received(drop), (String::new(), None));
    }

    #[test]
    fn a_sender_whose_send_is_cancelled_interrupts_the_body() {
        let (text, error) = received(|mut sender| {
            send(&mut sender, "half");
            assert!(sender.send_data("the rest".into()).now_or_never().is_none(), "the channel is full");
        });
        assert_eq!(text, "half");
        assert!(error.unwrap().contains("cancelled"));
    }

    #[test]
    fn a_cancelled_send_that_is_repeated_does_no_harm() {
        let (mut sender, mut body) = channel();
        send(&mut sender, "one ");
        assert!(sender.send_data("two".into()).now_or_never().is_none());
        assert_eq!(body.next().now_or_never().unwrap().unwrap().unwrap(), "one ");
        send(&mut sender, "two");
        drop(sender);
        assert_eq!(body.next().now_or_never().unwrap().unwrap().unwrap(), "two");
        assert!(body.next().now_or_never().unwrap().is_none());
    }

    #[test]
    fn a_strict_sender_must_finish() {
        let (text, error) = received(|sender| send(&mut sender.strict(), "half"));
        assert_eq!(text, "half");
        assert!(error.unwrap().contains("`finish`"));
        let (text, error) = received(|sender| {
            let mut sender = sender.strict();
            send(&mut sender, "all");
            sender.finish();
        });
        assert_eq!((&*text, error), ("all", None));
    }

    #[test]
    fn a_sender_that_panics_interrupts_the_body() {
        let (text, error) = received(|mut sender| {
            send(&mut sender, "half");
            panic!("the other half is lost");
        });
        assert_eq!(text, "half");
        assert!(error.unwrap().contains("panicked"));
    }

    #[test]
    fn an_aborted_body_is_interrupted() {
        let (text, error) = received(|mut sender| {
            send(&mut sender, "half");
            sender.abort();
        });
        assert_eq!(text, "half");
        assert!(error.unwrap().contains("aborted"));
    }
}
