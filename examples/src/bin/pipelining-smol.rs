//! Requests the next invocation in the same write as the response to the last: fewer system calls, and an earlier next
//! event. Off by default; see `Runtime::pipelining` for when it is safe.

use lambda_runtime_smol::layers::TracingLayer;
use lambda_runtime_smol::{Error, LambdaEvent, Runtime, block_on, service_fn};
use serde_json::Value;

fn main() -> Result<(), Error> {
    block_on(Runtime::new(service_fn(echo)).layer(TracingLayer::new()).pipelining(true).run())
}

async fn echo(event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(event.payload)
}
