//! An echo that asks for the next invocation in the write that answers the last one: fewer system calls, and the next
//! event can come sooner. It is off by default; the documentation of `Runtime::pipelining` says when it is safe.

use lambda_runtime_smol::layers::TracingLayer;
use lambda_runtime_smol::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::Value;

fn main() -> Result<(), Error> {
    smol::block_on(Runtime::new(service_fn(echo)).layer(TracingLayer::new()).pipelining(true).run())
}

async fn echo(event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(event.payload)
}
