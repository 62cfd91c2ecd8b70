//! An echo that asks for the next invocation in the write that answers the last one: fewer system calls, and the next
//! event can come sooner. It is off by default; the documentation of `Runtime::pipelining` says when it is safe.

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
