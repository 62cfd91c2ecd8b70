//! A layer of one's own: it sees every invocation before the handler does, and again when the response has gone out.
//!
//!     cargo emulate --event '{}' -- cargo run -q -p examples --bin middleware-smol

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use lambda_runtime_smol::tower::Layer;
use lambda_runtime_smol::{Error, LambdaEvent, LambdaInvocation, Runtime, Service, service_fn};
use serde_json::Value;

/// Tells how long each invocation took, response included.
struct TimingLayer;

impl<S> Layer<S> for TimingLayer {
    type Service = Timing<S>;

    fn layer(&self, inner: S) -> Timing<S> {
        Timing { inner }
    }
}

struct Timing<S> {
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

fn main() -> Result<(), Error> {
    smol::block_on(async { Runtime::new(service_fn(handler)).layer(TimingLayer).run().await })
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(event.payload)
}
