//! The innermost service: decodes the event, calls the handler, encodes its response.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use lambda_runtime_proto::client::{Response, StreamHead};
use pin_project_lite::pin_project;
use tower::Service;

use crate::bounds::{EventPayload, HandlerError, HandlerOutput};
use crate::event;
use crate::failure::Failure;
use crate::panics;
use crate::response::{AnyResponse, ByteStream, ErasedResponse};
use crate::slot::{Hand, Item, Outcome};
use crate::{Diagnostic, Error, LambdaEvent, LambdaInvocation, MetadataPrelude, PlainStream, RawResponse};

/// A [`Handler`](crate::Handler) as a service of [`LambdaInvocation`]s. `Fut` is its future.
///
/// Its future completes when the API has acknowledged the response, so that a layer around it sees the end of the
/// invocation and not just that of the handler. It never fails: what goes wrong is reported to the API.
pub struct HandlerService<H, Fut> {
    handler: H,
    // Functions instead of a bound on `H`: the compiler would have to prove the bound again wherever `run` is awaited in
    // an `async` block that must be `Send`, and fails to do so for handlers that borrow (rust-lang/rust#110338).
    poll_ready: fn(&mut H, &mut Context<'_>) -> Poll<Result<(), Diagnostic>>,
    call: fn(&mut H, Bytes, crate::Context) -> Result<Fut, Failure>,
    poll: PollHandler<Fut>,
}

type PollHandler<Fut> = fn(Pin<&mut Fut>, &mut Context<'_>) -> Poll<Result<ErasedResponse, Diagnostic>>;

impl<H, Fut> HandlerService<H, Fut> {
    pub(crate) fn new<A, R, E, B, S>(handler: H) -> Self
    where
        H: Service<LambdaEvent<A>, Response = R, Error = E, Future = Fut>,
        A: EventPayload,
        R: HandlerOutput<B, S>,
        E: HandlerError,
    {
        Self {
            handler,
            poll_ready: |handler, cx| handler.poll_ready(cx).map_err(Into::into),
            call,
            poll: |future, cx| poll::<H, _>(future, cx).map(|result| result.map(R::erase).map_err(Into::into)),
        }
    }
}

impl<H: Clone, Fut> Clone for HandlerService<H, Fut> {
    fn clone(&self) -> Self {
        Self { handler: self.handler.clone(), ..*self }
    }
}

/// Decodes the event and calls the handler.
fn call<H, A>(handler: &mut H, body: Bytes, context: crate::Context) -> Result<H::Future, Failure>
where
    H: Service<LambdaEvent<A>>,
    A: EventPayload,
{
    let payload = panics::catch("decoding the event", || event::decode(&body))??;
    // The event's memory can be used again while the handler runs.
    drop(body);
    panics::catch("the handler", || handler.call(LambdaEvent { payload, context }))
}

/// Polls the future of a service, as `S::Future`, which is known to be a future.
fn poll<S, A>(future: Pin<&mut S::Future>, cx: &mut Context<'_>) -> Poll<Result<S::Response, S::Error>>
where
    S: Service<A>,
{
    future.poll(cx)
}

impl<H, Fut> Service<LambdaInvocation> for HandlerService<H, Fut> {
    type Response = ();
    type Error = Error;
    type Future = HandlerFuture<Fut>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match panics::catch("the handler", || (self.poll_ready)(&mut self.handler, cx)) {
            Ok(ready) => ready.map_err(|diagnostic| NotReady(diagnostic.into()).into()),
            Err(failure) => Poll::Ready(Err(NotReady(failure).into())),
        }
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let LambdaInvocation { mut parts, body, context } = invocation;
        let hand = parts.extensions.remove::<Hand>();
        let stage = if hand.is_none() {
            Stage::Settling
        } else {
            tracing::trace!(body = %String::from_utf8_lossy(&body), "raw JSON event received from Lambda");
            match (self.call)(&mut self.handler, body, context) {
                Ok(future) => Stage::Handling { future },
                Err(failure) => Stage::Failed { failure: Some(failure) },
            }
        };
        HandlerFuture { hand, poll: self.poll, stage }
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
    pub struct HandlerFuture<Fut> {
        // `None` if a layer passed on another invocation than it got, without its extensions.
        hand: Option<Hand>,
        poll: PollHandler<Fut>,
        #[pin]
        stage: Stage<Fut>,
    }
}

pin_project! {
    #[project = StageProj]
    enum Stage<Fut> {
        Failed { failure: Option<Failure> },
        Handling { #[pin] future: Fut },
        Streaming { stream: Box<dyn ByteStream> },
        Settling,
    }
}

impl<Fut> Future for HandlerFuture<Fut> {
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
                        (this.poll)(future, cx).map(|result| match result {
                            Ok(response) => begin(response, cx),
                            Err(diagnostic) => Begun::Whole(Outcome::Failure(diagnostic.into())),
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
                            if ended { Stage::Settling } else { Stage::Streaming { stream } }
                        }
                    }
                }
                StageProj::Streaming { stream } => {
                    ready!(pump(stream.as_mut(), hand, cx));
                    Stage::Settling
                }
                StageProj::Settling => return hand.poll_settled(cx).map(Ok),
            };
            this.stage.set(next);
        }
    }
}

/// A response of which the first is known.
enum Begun {
    Whole(Outcome),
    Stream { head: StreamHead, first: Option<Item>, stream: Box<dyn ByteStream> },
}

fn begin(response: ErasedResponse, cx: &mut Context<'_>) -> Begun {
    let (head, mut stream) = match response {
        AnyResponse::Json(body) => return Begun::Whole(json(body)),
        AnyResponse::Raw(RawResponse { content_type, body }) => {
            return Begun::Whole(Outcome::Response(Response { content_type, body }));
        }
        AnyResponse::Plain(PlainStream { content_type, stream }) => (StreamHead::Plain { content_type }, stream),
        AnyResponse::Http(response) => match prelude(response.metadata_prelude) {
            Ok(prelude) => (StreamHead::Http { prelude }, response.stream),
            Err(failure) => return Begun::Whole(Outcome::Failure(failure)),
        },
    };
    // What fails before the first byte can still be told as an error instead of a torn response.
    match poll_item(stream.as_mut(), cx) {
        Poll::Ready(Item::Abort(failure)) => Begun::Whole(Outcome::Failure(failure)),
        Poll::Ready(item) => Begun::Stream { head, first: Some(item), stream },
        Poll::Pending => Begun::Stream { head, first: None, stream },
    }
}

fn json(encoded: serde_json::Result<Vec<u8>>) -> Outcome {
    match encoded {
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

fn poll_item(stream: &mut dyn ByteStream, cx: &mut Context<'_>) -> Poll<Item> {
    let polled = panics::catch("the response stream", || {
        stream.poll_chunk(cx).map(|chunk| match chunk {
            Some(Ok(data)) => Item::Chunk(data),
            Some(Err(error)) => Item::Abort(error.into()),
            None => Item::Finish(stream.trailers()),
        })
    });
    polled.unwrap_or_else(|failure| Poll::Ready(Item::Abort(failure)))
}

/// Hands over what the stream yields, as fast as there is room, until its end.
fn pump(stream: &mut dyn ByteStream, hand: &Hand, cx: &mut Context<'_>) -> Poll<()> {
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
