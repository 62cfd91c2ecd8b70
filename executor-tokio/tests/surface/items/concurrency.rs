//! Several invocations at a time.

use std::fmt::Debug;
use std::future::Future;

use bytes::Bytes;
use futures_util::Stream;
use lambda_runtime::layers::TracingLayer;
use lambda_runtime::{
    Diagnostic, Error, IntoFunctionResponse, LambdaEvent, LambdaInvocation, Runtime, Service, run_concurrent,
    service_fn,
};
use serde::{Deserialize, Serialize};

use super::responses::streamed;
use super::runtime::CountLayer;
use super::{Order, Receipt, echo, is_send, sell};

#[test]
fn a_function_runs_concurrently() {
    let _ = || drop(is_send(run_concurrent(service_fn(echo))));
    let _ = || drop(is_send(run_concurrent(service_fn(streamed))));
    let _ = || drop(is_send(concurrent(sell).layer(TracingLayer::new()).layer(CountLayer::default()).run_concurrent()));
}

/// The bounds that `lambda_http` has.
fn concurrent<H, Fut>(
    handler: H,
) -> Runtime<impl Service<LambdaInvocation, Response = (), Error = Error, Future: Send> + Clone + Send + 'static>
where
    H: FnMut(LambdaEvent<Order>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<Receipt, Error>> + Send + 'static,
{
    Runtime::new(service_fn(handler))
}

/// A wrapper with the bounds of the original's `run_concurrent`.
async fn run_generic<A, F, R, B, S, D, E>(handler: F) -> Result<(), Error>
where
    F: Service<LambdaEvent<A>, Response = R> + Clone + Send + 'static,
    F::Future: Future<Output = Result<R, F::Error>> + Send + 'static,
    F::Error: Into<Diagnostic> + Debug,
    A: for<'de> Deserialize<'de> + Send + 'static,
    R: IntoFunctionResponse<B, S> + Send + 'static,
    B: Serialize + Send + 'static,
    S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<Bytes> + Send + 'static,
    E: Into<Error> + Send + Debug + 'static,
{
    wait!(run_concurrent(handler))
}

#[test]
fn a_generic_function_may_repeat_the_bounds_of_run_concurrent() {
    let _ = || drop(is_send(run_generic(service_fn(echo))));
    let _ = || drop(is_send(run_generic(service_fn(streamed))));
}
