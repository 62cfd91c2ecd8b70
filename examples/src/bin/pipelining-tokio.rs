//! Requests the next invocation in the same write as the response to the last: fewer system calls, and an earlier next
//! event. Off by default; see `Runtime::pipelining` for when it is safe.

use lambda_runtime_tokio::layers::TracingLayer;
use lambda_runtime_tokio::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    Runtime::new(service_fn(echo)).layer(TracingLayer::new()).pipelining(true).run().await
}

async fn echo(event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(event.payload)
}
