//! The outcome of an invocation, as the innermost service hands it over.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use lambda_runtime_proto::client::{Response, StreamHead};
use serde::Serialize;
use tracing::Span;

use crate::error::Error;
use crate::error::failure::Failure;
use crate::logging::messages;
use crate::panics;
use crate::response::{HandlerResponse, MetadataPrelude, PlainStream, RawResponse, streaming};

/// The outcome of a handler.
pub enum Outcome {
    Response(Response),
    Failure(Failure),
    /// Boxed, because most outcomes are not streams.
    Stream(StreamHead, Box<ResponseBody>),
}

/// Encodes a response, or starts a streamed one.
pub(crate) fn start_response<B, S, D, E>(response: HandlerResponse<B, S>, cx: &mut Context<'_>) -> Outcome
where
    B: Serialize,
    S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<Bytes>,
    E: Into<Error>,
{
    let started = match response {
        HandlerResponse::Json(body) => json(&body),
        HandlerResponse::Raw(RawResponse { content_type, body }) => {
            Ok(Outcome::Response(Response::new(content_type, body)))
        }
        HandlerResponse::Plain(PlainStream { content_type, stream }) => ResponseBody::start(stream, cx)
            .map(|body| Outcome::Stream(StreamHead::Plain { content_type }, Box::new(body))),
        HandlerResponse::Http(response) => prelude(response.metadata_prelude).and_then(|prelude| {
            let body = ResponseBody::start(response.stream, cx)?;
            Ok(Outcome::Stream(StreamHead::Http { prelude }, Box::new(body)))
        }),
    };
    started.unwrap_or_else(Outcome::Failure)
}

fn json<B: Serialize>(body: &B) -> Result<Outcome, Failure> {
    let mut json = STORAGE.try_with(Cell::take).unwrap_or_default();
    if let Err(error) = serde_json::to_writer(&mut json, body) {
        return Err(bad_response(format!("the response cannot be serialized as JSON: {error}")));
    }
    Ok(Outcome::Response(Response::json(into_bytes(json))))
}

/// A small response is copied into an allocation of its size, and its storage is reused.
fn into_bytes(mut json: Vec<u8>) -> Bytes {
    if json.len() > SMALL {
        return Bytes::from(json);
    }
    let copied = Bytes::copy_from_slice(&json);
    json.clear();
    // Fails while the thread ends.
    let _ = STORAGE.try_with(|storage| storage.set(json));
    copied
}

const SMALL: usize = 4 * 1024;

thread_local! {
    static STORAGE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

fn prelude(mut prelude: MetadataPrelude) -> Result<Bytes, Failure> {
    // JSON cannot represent them, and omitting them would hide the error.
    if let Some((name, _)) = prelude.headers.iter().find(|(_, value)| value.to_str().is_err()) {
        return Err(bad_response(format!("the value of the response's header {name} is not visible ASCII")));
    }
    if let Some(cookie) = prelude.cookies.iter().find(|cookie| HeaderValue::from_str(cookie).is_err()) {
        return Err(bad_response(format!("the response's cookie {cookie:?} is not a valid header value")));
    }
    prelude.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/octet-stream"));
    serde_json::to_vec(&prelude)
        .map(Bytes::from)
        .map_err(|error| bad_response(format!("the response's prelude cannot be serialized as JSON: {error}")))
}

fn bad_response(message: String) -> Failure {
    Failure::runtime("Runtime.BadResponse", message)
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
/// It is polled and dropped in the span that was current at the handover, and a panic in it becomes a failure.
pub struct ResponseBody {
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
                messages::drop_failed(&failure);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_or_cookie_that_json_cannot_represent_is_an_error_that_names_it() {
        let header = |value: &[u8]| MetadataPrelude {
            headers: [("x-name".parse().unwrap(), HeaderValue::from_bytes(value).unwrap())].into_iter().collect(),
            ..MetadataPrelude::default()
        };
        let cookie = |cookie: &str| MetadataPrelude { cookies: vec![cookie.into()], ..MetadataPrelude::default() };
        for (metadata, part) in [(header(b"caf\xe9"), "x-name"), (cookie("a=1\r\nx-b: 2"), "a=1\\r\\n")] {
            let failure = prelude(metadata).unwrap_err();
            assert!(failure.diagnostic.error_message.contains(part), "{failure}");
        }
        assert!(prelude(header(b"a\tb")).is_ok() && prelude(cookie("a=\u{e9}")).is_ok());
    }

    /// A stream whose destructor panics.
    struct Bomb;

    impl Stream for Bomb {
        type Item = Result<Bytes, Error>;

        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Pending
        }
    }

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a stream is dropped");
        }
    }

    #[test]
    fn a_panic_in_the_destructor_of_a_stream_goes_no_further() {
        let body = ResponseBody::start(Bomb, &mut Context::from_waker(std::task::Waker::noop())).unwrap();
        drop(body);
    }

    #[test]
    fn a_prelude_keeps_any_status_repeated_headers_and_cookies() {
        let headers = [("x-part", "a"), ("x-part", "b"), ("content-type", "text/html")]
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        let metadata = MetadataPrelude {
            status_code: http::StatusCode::from_u16(418).unwrap(),
            headers: headers.into_iter().collect(),
            cookies: vec!["a=1; Secure".into(), "b=2".into()],
        };
        let json: serde_json::Value = serde_json::from_slice(&prelude(metadata).unwrap()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "statusCode": 418,
                "headers": { "x-part": ["a", "b"], "content-type": "text/html" },
                "cookies": ["a=1; Secure", "b=2"],
            })
        );
    }
}
