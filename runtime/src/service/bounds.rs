//! The bound of `run`, and its parts.
//!
//! Each trait has one blanket implementation. They are separate traits for the sake of error messages: if a bound of an
//! implementation marked `do_not_recommend` fails, the compiler reports the implemented trait, with its message, instead of
//! the bound.
//!
//! [`EventService`] has the types of the service as parameters because a bound on a projection (`F::Response`) would fail
//! first, with the message of the bound in `tower` that failed.

// No module named `diagnostic` may be in scope here, or the attributes refer to it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use serde::{Deserialize, Serialize};
use tower::Service;

use super::handler::{Functions, HandlerService};
use super::outcome::{Outcome, start_response};
use crate::error::Error;
use crate::error::diagnostic::Diagnostic;
use crate::error::failure::Failure;
use crate::invocation::deserializer;
use crate::invocation::event::{LambdaEvent, LambdaInvocation};
use crate::panics;
use crate::response::IntoFunctionResponse;

/// A handler of events, as `run` and [`Runtime::new`](crate::Runtime::new) accept it.
///
/// It is implemented for every [`Service<LambdaEvent<A>>`](Service) whose types are an [`EventPayload`], a
/// [`HandlerOutput`] and a [`HandlerError`], and cannot be implemented otherwise. [`service_fn`](crate::service_fn) makes
/// such a service from an `async fn` or a closure.
///
/// `T` is inferred from the types of the handler. A generic function that accepts a handler has `T` as a parameter too, and
/// another parameter for the handler's future: with `H::Future` in its place, the compiler cannot always prove that the
/// future of the function is `Send`.
///
/// ```
/// use lambda_runtime_base::layers::TracingLayer;
/// use lambda_runtime_base::{Error, Executor, Handler, Runtime};
///
/// async fn serve<H, T, Fut, X>(handler: H, executor: X) -> Result<(), Error>
/// where
///     H: Handler<T, Future = Fut>,
///     X: Executor,
/// {
///     Runtime::with_executor(handler, executor).layer(TracingLayer::new()).run().await
/// }
/// ```
///
/// `run_concurrent` also requires `H: Clone + Send + 'static` and `Fut: Send + 'static`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler: expected `service_fn` of an `async fn` that returns a `Result`",
    label = "expected `service_fn(f)`, where `f` is an `async fn(LambdaEvent<T>) -> Result<R, E>`",
    note = "`f` may also be a closure that returns a future; any other `tower::Service<LambdaEvent<T>>` is a handler, too"
)]
pub trait Handler<T>: Sized {
    /// The type that events are decoded into.
    type Payload: EventPayload;

    /// The future that handles one event.
    type Future;

    // Without a receiver, so that it cannot be confused with the methods of a service.
    #[doc(hidden)]
    fn into_service(handler: Self) -> HandlerService<Self, Self::Future>;
}

impl<F, A, R, E, Fut, B, S> Handler<(A, R, E, Fut, B, S)> for F
where
    F: EventService<A, R, E, Fut>,
    A: EventPayload,
    R: HandlerOutput<B, S>,
    E: HandlerError,
{
    type Payload = A;
    type Future = Fut;

    fn into_service(handler: Self) -> HandlerService<Self, Fut> {
        let functions = Functions {
            poll_ready: |handler: &mut F, cx| handler.poll_ready(cx).map_err(Into::into),
            call: call::<F, A>,
            poll: |future, cx| {
                poll::<F, A>(future, cx).map(|result| match result {
                    Ok(response) => R::into_outcome(response, cx),
                    Err(error) => Outcome::Failure(Failure::from(error.into())),
                })
            },
        };
        HandlerService::new(handler, functions)
    }
}

fn call<F, A>(handler: &mut F, invocation: LambdaInvocation) -> Result<F::Future, Failure>
where
    F: Service<LambdaEvent<A>>,
    A: EventPayload,
{
    let LambdaInvocation { body, context, .. } = invocation;
    let payload = panics::catch("decoding the event", || deserializer::decode(&body))??;
    // Frees the event's memory while the handler runs.
    drop(body);
    panics::catch("the handler", || handler.call(LambdaEvent { payload, context }))
}

/// Polls the future of a service. The compiler knows that it is a future only by the type `F::Future`.
fn poll<F, A>(future: Pin<&mut F::Future>, cx: &mut Context<'_>) -> Poll<Result<F::Response, F::Error>>
where
    F: Service<LambdaEvent<A>>,
{
    future.poll(cx)
}

/// A [`Service`] of [`LambdaEvent`]s, with payload, response, error and future as parameters. Implemented for every such
/// service.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler: expected `service_fn` of an `async fn` that returns a `Result`",
    label = "expected `service_fn(f)`, where `f` is an `async fn(LambdaEvent<T>) -> Result<R, E>`",
    note = "`f` may also be a closure that returns a future; any other `tower::Service<LambdaEvent<T>>` is a handler, too"
)]
pub trait EventService<A, R, E, Fut>: Service<LambdaEvent<A>, Response = R, Error = E, Future = Fut> {}

#[diagnostic::do_not_recommend]
impl<F, A, R, E, Fut> EventService<A, R, E, Fut> for F where
    F: Service<LambdaEvent<A>, Response = R, Error = E, Future = Fut>
{
}

/// A type that an event can be decoded into: one that implements [`Deserialize`] and does not borrow from the event, or
/// [`RawEvent`](crate::RawEvent), which contains the event's bytes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be decoded from an event: it does not implement `serde::Deserialize`",
    label = "derive `serde::Deserialize` for this type and those in it",
    note = "a type from another crate may need the feature `serde` of that crate"
)]
pub trait EventPayload: for<'de> Deserialize<'de> {}

#[diagnostic::do_not_recommend]
impl<A> EventPayload for A where A: for<'de> Deserialize<'de> {}

/// A type that a handler can return: one that implements [`Serialize`], or any other [`IntoFunctionResponse`], such as a
/// [`StreamResponse`](crate::StreamResponse) of bytes. `B` and `S` are the types of a buffered response and of a stream.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as a response: it neither implements `serde::Serialize` nor is a stream of bytes",
    label = "derive `serde::Serialize` for this type and those in it, unless it is a stream",
    note = "a type from another crate may need the feature `serde` of that crate",
    note = "for streams: in `StreamResponse<S>`, `S` must be `Stream<Item = Result<D, E>> + Unpin + Send + 'static`, with \
            `D: Into<Bytes>` and `E: Into<Error>`"
)]
pub trait HandlerOutput<B, S>: IntoFunctionResponse<B, S> {
    #[doc(hidden)]
    fn into_outcome(output: Self, cx: &mut Context<'_>) -> Outcome;
}

#[diagnostic::do_not_recommend]
impl<R, B, S, D, E> HandlerOutput<B, S> for R
where
    R: IntoFunctionResponse<B, S>,
    B: Serialize,
    S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<Bytes>,
    E: Into<Error>,
{
    fn into_outcome(output: Self, cx: &mut Context<'_>) -> Outcome {
        start_response(output.into_handler_response(), cx)
    }
}

/// A type that a handler can fail with: one that converts into a [`Diagnostic`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a handler: it does not convert into `Diagnostic`",
    label = "return `Error` instead, or implement `From<{Self}>` for `Diagnostic`",
    note = "`?` converts a `std::error::Error` that is `Send` and `Sync` into `Error`",
    note = "the features `anyhow`, `eyre` and `miette` add the conversion for the errors of these crates"
)]
pub trait HandlerError: Into<Diagnostic> {}

#[diagnostic::do_not_recommend]
impl<E> HandlerError for E where E: Into<Diagnostic> {}
