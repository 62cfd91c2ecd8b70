//! Requests the next invocation in the same write as the response to the last: two system calls per invocation if both
//! replies arrive together. Off by default; see `Runtime::pipelining` for when it is safe.
//!
//!     cargo emulate --event '{}' -- cargo run -q -p examples --bin pipelining-blocking

use lambda_runtime_blocking::layers::TracingLayer;
use lambda_runtime_blocking::{Error, LambdaEvent, Runtime, block_on, sync_fn};
use serde_json::Value;

fn main() -> Result<(), Error> {
    block_on(Runtime::new(sync_fn(echo)).layer(TracingLayer::new()).pipelining(true).run())
}

fn echo(event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(event.payload)
}
