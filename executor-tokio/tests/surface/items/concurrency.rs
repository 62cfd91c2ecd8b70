//! Many invocations at once.

use std::future::Future;

use lambda_runtime::layers::TracingLayer;
use lambda_runtime::{Error, LambdaEvent, LambdaInvocation, Runtime, Service, run_concurrent, service_fn};

use super::responses::streamed;
use super::runtime::CountLayer;
use super::{Order, Receipt, echo, is_send, sell};

#[test]
fn a_function_runs_concurrently() {
    let _ = || drop(is_send(run_concurrent(service_fn(echo))));
    let _ = || drop(is_send(run_concurrent(service_fn(streamed))));
    let _ = || drop(is_send(concurrent(sell).layer(TracingLayer::new()).layer(CountLayer::default()).run_concurrent()));
}

/// As `lambda_http` has it.
fn concurrent<H, Fut>(
    handler: H,
) -> Runtime<impl Service<LambdaInvocation, Response = (), Error = Error, Future: Send> + Clone + Send + 'static>
where
    H: FnMut(LambdaEvent<Order>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<Receipt, Error>> + Send + 'static,
{
    Runtime::new(service_fn(handler))
}
