//! The innermost service: decodes the event, calls the handler, and hands over the outcome.

use std::fmt::{self, Debug};
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

use crate::error::Error;
use crate::error::diagnostic::Diagnostic;
use crate::error::failure::Failure;
use crate::invocation::deserializer;
use crate::invocation::event::{LambdaEvent, LambdaInvocation};
use crate::panics;
use crate::response::{HandlerResponse, IntoFunctionResponse, MetadataPrelude, PlainStream, RawResponse};
use crate::service::outcome::{Outcome, ResponseBody};
use crate::service::responder::{Acknowledgement, Responder};

/// Adapts a handler of [`LambdaEvent`]s to a service of [`LambdaInvocation`]s. `Types` are the types of the event, the
/// buffered response and the stream.
///
/// Its future completes when the API has acknowledged the response, so a layer around it sees the end of the
/// invocation and not only that of the handler. It does not fail: failures of the handler are reported to the API.
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
        let responder = parts.extensions.remove::<Responder<Outcome>>();
        if responder.is_none() {
            return HandlerFuture { responder, stage: Stage::Failed { failure: None }, types: PhantomData };
        }
        trace_event(&body);
        let payload = panics::catch("decoding the event", || deserializer::decode(&body));
        // Frees the event's memory while the handler runs.
        drop(body);
        let future = payload
            .and_then(|payload| Ok(payload?))
            .and_then(|payload| panics::catch("the handler", || self.handler.call(LambdaEvent { payload, context })));
        let stage = match future {
            Ok(future) => Stage::Handling { future },
            Err(failure) => Stage::Failed { failure: Some(failure) },
        };
        HandlerFuture { responder, stage, types: PhantomData }
    }
}

fn trace_event(body: &[u8]) {
    tracing::trace!(
        target: "lambda_runtime",
        body = %String::from_utf8_lossy(body),
        "raw JSON event received from Lambda"
    );
}

/// The handler's `poll_ready` failed.
#[derive(Debug)]
pub(crate) struct NotReady(pub(crate) Failure);

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.diagnostic.error_message)
    }
}

impl std::error::Error for NotReady {}

pin_project! {
    /// The future of [`HandlerService`].
    pub struct HandlerFuture<Fut, B, S> {
        // `None` once it is used, or if a layer passed on an invocation without its extensions.
        responder: Option<Responder<Outcome>>,
        #[pin]
        stage: Stage<Fut>,
        types: PhantomData<fn() -> (B, S)>,
    }
}

pin_project! {
    #[project = StageProj]
    enum Stage<Fut> {
        Failed { failure: Option<Failure> },
        Handling { #[pin] future: Fut },
        Responded { acknowledgement: Acknowledgement<Outcome> },
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
        let outcome = match this.stage.as_mut().project() {
            StageProj::Responded { acknowledgement } => return Pin::new(acknowledgement).poll(cx).map(Ok),
            StageProj::Failed { failure } => failure.take().map(Outcome::Failure),
            StageProj::Handling { future } => {
                let polled = panics::catch("the handler", || {
                    future.poll(cx).map(|result| match result {
                        Ok(response) => start_response(response.into_handler_response(), cx),
                        Err(error) => Outcome::Failure(error.into().into()),
                    })
                });
                match polled {
                    Ok(polled) => Some(ready!(polled)),
                    Err(failure) => Some(Outcome::Failure(failure)),
                }
            }
        };
        let (Some(outcome), Some(responder)) = (outcome, this.responder.take()) else {
            return Poll::Ready(Err(ExtensionsLost.into()));
        };
        match responder.respond(outcome) {
            Ok(mut acknowledgement) => {
                let acknowledged = Pin::new(&mut acknowledgement).poll(cx);
                this.stage.set(Stage::Responded { acknowledgement });
                acknowledged.map(Ok)
            }
            // The invocation has an outcome already, or is over.
            Err(_) => Poll::Ready(Ok(())),
        }
    }
}

/// Encodes a response, or starts a streamed one.
fn start_response<B, S, D, E>(response: HandlerResponse<B, S>, cx: &mut Context<'_>) -> Outcome
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
        HandlerResponse::Plain(PlainStream { content_type, stream }) => {
            ResponseBody::start(stream, cx).map(|body| Outcome::Stream(StreamHead::Plain { content_type }, body))
        }
        HandlerResponse::Http(response) => prelude(response.metadata_prelude).and_then(|prelude| {
            let body = ResponseBody::start(response.stream, cx)?;
            Ok(Outcome::Stream(StreamHead::Http { prelude }, body))
        }),
    };
    started.unwrap_or_else(Outcome::Failure)
}

fn json<B: Serialize>(body: &B) -> Result<Outcome, Failure> {
    match serde_json::to_vec(body) {
        Ok(json) => Ok(Outcome::Response(Response::json(json))),
        Err(error) => Err(bad_response(format!("the response cannot be serialized as JSON: {error}"))),
    }
}

fn prelude(mut prelude: MetadataPrelude) -> Result<Bytes, Failure> {
    // JSON cannot represent them, and the caller would not notice if they were left out.
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

/// The invocation reached the handler without its [`Responder`].
#[derive(Debug)]
struct ExtensionsLost;

impl fmt::Display for ExtensionsLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a layer passed on an invocation without the extensions of the one that it received \
             (LambdaInvocation::parts)",
        )
    }
}

impl std::error::Error for ExtensionsLost {}

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
