//! Middleware: a custom layer runs code before the handler, and again after the response has been acknowledged.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use lambda_runtime_base::tower::Layer;
use lambda_runtime_base::{Error, LambdaEvent, LambdaInvocation, Service};
use serde_json::Value;

/// Logs the duration of each invocation, including the time to send the response.
pub struct TimingLayer;

impl<S> Layer<S> for TimingLayer {
    type Service = Timing<S>;

    fn layer(&self, inner: S) -> Timing<S> {
        Timing { inner }
    }
}

pub struct Timing<S> {
    inner: S,
}

impl<S> Service<LambdaInvocation> for Timing<S>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let (id, bytes) = (invocation.context.request_id.clone(), invocation.body.len());
        let start = Instant::now();
        let inner = self.inner.call(invocation);
        Box::pin(async move {
            let result = inner.await;
            eprintln!("invocation {id}: {bytes} bytes, {:?}", start.elapsed());
            result
        })
    }
}

pub async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(event.payload)
}
