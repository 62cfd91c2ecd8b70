//! The innermost service: decodes the event, calls the handler, encodes its response.

use std::fmt::Debug;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use lambda_runtime_proto::client::{Response, StreamHead};
use pin_project_lite::pin_project;
use serde::{Deserialize, Serialize};
use tower::Service;

use crate::event;
use crate::failure::Failure;
use crate::panics;
use crate::response::AnyResponse;
use crate::slot::{Hand, Item, Outcome};
use crate::streaming;
use crate::{
    Diagnostic, Error, IntoFunctionResponse, LambdaEvent, LambdaInvocation, MetadataPrelude, PlainStream, RawResponse,
};

/// Makes a service for [`LambdaInvocation`]s of a handler for [`LambdaEvent`]s. `Types` are the event's, the buffered
/// response's and the stream's type.
///
/// Its future completes when the API has acknowledged the response, so that a layer around it sees the end of the
/// invocation and not just that of the handler. It never fails: what goes wrong is reported to the API.
pub struct HandlerService<F, Types> {
    handler: F,
    types: PhantomData<fn() -> Types>,
}

impl<F, Types> HandlerService<F, Types> {
    pub(crate) fn new(handler: F) -> Self {
        Self { handler, types: PhantomData }
    }
}

impl<F: Clone, Types> Clone for HandlerService<F, Types> {
    fn clone(&self) -> Self {
        Self::new(self.handler.clone())
    }
}

impl<F, A, B, S, D, E> Service<LambdaInvocation> for HandlerService<F, (A, B, S)>
where
    F: Service<LambdaEvent<A>>,
    F::Error: Into<Diagnostic> + Debug,
    F::Response: IntoFunctionResponse<B, S>,
    A: for<'de> Deserialize<'de>,
    B: Serialize,
    S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<Bytes> + Send,
    E: Into<Error> + Send + Debug,
{
    type Response = ();
    type Error = Error;
    type Future = HandlerFuture<F::Future, B, S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match panics::catch("the handler", || self.handler.poll_ready(cx).map_err(Into::into)) {
            Ok(ready) => ready.map_err(|diagnostic: Diagnostic| NotReady(diagnostic.into()).into()),
            Err(failure) => Poll::Ready(Err(NotReady(failure).into())),
        }
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let LambdaInvocation { mut parts, body, context } = invocation;
        let Some(hand) = parts.extensions.remove::<Hand>() else {
            return HandlerFuture { hand: None, stage: Stage::Settling };
        };
        tracing::trace!(body = %String::from_utf8_lossy(&body), "raw JSON event received from Lambda");
        let stage = match panics::catch("decoding the event", || event::decode(&body)) {
            Err(failure) => Stage::Failed { failure: Some(failure) },
            Ok(Err(error)) => Stage::Failed { failure: Some(error.into()) },
            Ok(Ok(payload)) => {
                // The event's memory can be used again while the handler runs.
                drop(body);
                let event = LambdaEvent { payload, context };
                match panics::catch("the handler", || self.handler.call(event)) {
                    Ok(future) => Stage::Handling { future },
                    Err(failure) => Stage::Failed { failure: Some(failure) },
                }
            }
        };
        HandlerFuture { hand: Some(hand), stage }
    }
}

/// The handler's `poll_ready` failed.
#[derive(Debug)]
pub(crate) struct NotReady(pub(crate) Failure);

impl std::fmt::Display for NotReady {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.diagnostic.error_message)
    }
}

impl std::error::Error for NotReady {}

pin_project! {
    /// The future of [`HandlerService`].
    pub struct HandlerFuture<Fut, B, S> {
        // `None` if a layer passed on another invocation than it got, without its extensions.
        hand: Option<Hand>,
        #[pin]
        stage: Stage<Fut, B, S>,
    }
}

pin_project! {
    #[project = StageProj]
    enum Stage<Fut, B, S> {
        Failed { failure: Option<Failure> },
        Handling { #[pin] future: Fut },
        Streaming { stream: S, types: PhantomData<fn() -> B> },
        Settling,
    }
}

impl<Fut, T, Err, B, S, D, E> Future for HandlerFuture<Fut, B, S>
where
    Fut: Future<Output = Result<T, Err>>,
    T: IntoFunctionResponse<B, S>,
    Err: Into<Diagnostic> + Debug,
    B: Serialize,
    S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<Bytes> + Send,
    E: Into<Error> + Send + Debug,
{
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(hand) = this.hand else { return Poll::Ready(Err(ExtensionsLost.into())) };
        loop {
            let next = match this.stage.as_mut().project() {
                StageProj::Failed { failure } => {
                    if let Some(failure) = failure.take() {
                        hand.leave(Outcome::Failure(failure), cx);
                    }
                    Stage::Settling
                }
                StageProj::Handling { future } => {
                    let polled = panics::catch("the handler", || {
                        future.poll(cx).map(|result| match result {
                            Ok(response) => begin(response.into_any_response(), cx),
                            Err(error) => Begun::Whole(Outcome::Failure(error.into().into())),
                        })
                    });
                    let begun = match polled {
                        Ok(polled) => ready!(polled),
                        Err(failure) => Begun::Whole(Outcome::Failure(failure)),
                    };
                    match begun {
                        Begun::Whole(outcome) => {
                            hand.leave(outcome, cx);
                            Stage::Settling
                        }
                        Begun::Stream { head, first, stream } => {
                            if !hand.leave(Outcome::Stream(head), cx) {
                                return Poll::Ready(Ok(()));
                            }
                            let ended = matches!(first, Some(Item::Finish(_)));
                            if let Some(item) = first {
                                hand.push(item, cx);
                            }
                            if ended { Stage::Settling } else { Stage::Streaming { stream, types: PhantomData } }
                        }
                    }
                }
                StageProj::Streaming { stream, .. } => {
                    ready!(pump(stream, hand, cx));
                    Stage::Settling
                }
                StageProj::Settling => return hand.poll_settled(cx).map(Ok),
            };
            this.stage.set(next);
        }
    }
}

/// A response of which the first is known.
enum Begun<S> {
    Whole(Outcome),
    Stream { head: StreamHead, first: Option<Item>, stream: S },
}

fn begin<B, S, D, E>(response: AnyResponse<B, S>, cx: &mut Context<'_>) -> Begun<S>
where
    B: Serialize,
    S: Stream<Item = Result<D, E>> + Unpin + 'static,
    D: Into<Bytes>,
    E: Into<Error>,
{
    let (head, mut stream) = match response {
        AnyResponse::Json(body) => return Begun::Whole(json(&body)),
        AnyResponse::Raw(RawResponse { content_type, body }) => {
            return Begun::Whole(Outcome::Response(Response::new(content_type, body)));
        }
        AnyResponse::Plain(PlainStream { content_type, stream }) => (StreamHead::Plain { content_type }, stream),
        AnyResponse::Http(response) => match prelude(response.metadata_prelude) {
            Ok(prelude) => (StreamHead::Http { prelude }, response.stream),
            Err(failure) => return Begun::Whole(Outcome::Failure(failure)),
        },
    };
    // What fails before the first byte can still be told as an error instead of a torn response.
    match poll_item(&mut stream, cx) {
        Poll::Ready(Item::Abort(failure)) => Begun::Whole(Outcome::Failure(failure)),
        Poll::Ready(item) => Begun::Stream { head, first: Some(item), stream },
        Poll::Pending => Begun::Stream { head, first: None, stream },
    }
}

fn json<B: Serialize>(body: &B) -> Outcome {
    match serde_json::to_vec(body) {
        Ok(json) => Outcome::Json(json.into()),
        Err(error) => Outcome::Failure(Failure::runtime(
            "Runtime.BadResponse",
            format!("the response cannot be written as JSON: {error}"),
        )),
    }
}

fn prelude(mut prelude: MetadataPrelude) -> Result<Bytes, Failure> {
    let bad = |why: String| Failure::runtime("Runtime.BadResponse", why);
    // JSON has no way to write them, and leaving them out would tell nobody.
    if let Some((name, _)) = prelude.headers.iter().find(|(_, value)| value.to_str().is_err()) {
        return Err(bad(format!("the response's header {name} has a value that is not visible ASCII")));
    }
    if let Some(cookie) = prelude.cookies.iter().find(|cookie| HeaderValue::from_str(cookie).is_err()) {
        return Err(bad(format!("the response's cookie {cookie:?} cannot stand in a header")));
    }
    prelude.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/octet-stream"));
    serde_json::to_vec(&prelude)
        .map(Bytes::from)
        .map_err(|error| bad(format!("the response's prelude cannot be written as JSON: {error}")))
}

fn poll_item<S, D, E>(stream: &mut S, cx: &mut Context<'_>) -> Poll<Item>
where
    S: Stream<Item = Result<D, E>> + Unpin + 'static,
    D: Into<Bytes>,
    E: Into<Error>,
{
    let polled = panics::catch("the response stream", || {
        Pin::new(&mut *stream).poll_next(cx).map(|item| match item {
            Some(Ok(data)) => Item::Chunk(data.into()),
            Some(Err(error)) => Item::Abort(error.into().into()),
            None => Item::Finish(streaming::trailers_of(stream)),
        })
    });
    polled.unwrap_or_else(|failure| Poll::Ready(Item::Abort(failure)))
}

/// Hands over what the stream yields, as fast as there is room, until its end.
fn pump<S, D, E>(stream: &mut S, hand: &Hand, cx: &mut Context<'_>) -> Poll<()>
where
    S: Stream<Item = Result<D, E>> + Unpin + 'static,
    D: Into<Bytes>,
    E: Into<Error>,
{
    while ready!(hand.poll_room(cx)) {
        let item = ready!(poll_item(stream, cx));
        let more = matches!(item, Item::Chunk(_));
        hand.push(item, cx);
        if !more {
            break;
        }
    }
    Poll::Ready(())
}

/// The way to answer was lost.
#[derive(Debug)]
struct ExtensionsLost;

impl std::fmt::Display for ExtensionsLost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "a layer passed on an invocation without the extensions of the one it got (LambdaInvocation::parts)",
        )
    }
}

impl std::error::Error for ExtensionsLost {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_or_cookie_that_cannot_be_sent_is_refused_by_its_name() {
        let header = |value: &[u8]| MetadataPrelude {
            headers: [("x-name".parse().unwrap(), HeaderValue::from_bytes(value).unwrap())].into_iter().collect(),
            ..MetadataPrelude::default()
        };
        let cookie = |cookie: &str| MetadataPrelude { cookies: vec![cookie.into()], ..MetadataPrelude::default() };
        for (metadata, words) in [(header(b"caf\xe9"), "x-name"), (cookie("a=1\r\nx-b: 2"), "a=1\\r\\n")] {
            let failure = prelude(metadata).unwrap_err();
            assert!(failure.diagnostic.error_message.contains(words), "{failure}");
        }
        assert!(prelude(header(b"a\tb")).is_ok() && prelude(cookie("a=\u{e9}")).is_ok());
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
