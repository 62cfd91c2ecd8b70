//! Failures: an error and a panic are both reported to the caller, and the function serves the next invocation.
//!
//!     cargo emulate --event '{"do":"panic"}' -- cargo run -q -p examples --bin failures-blocking

use lambda_runtime_blocking::{Error, LambdaEvent, run, sync_fn};
use serde_json::Value;

fn main() -> Result<(), Error> {
    run(sync_fn(handler))
}

fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    match event.payload["do"].as_str() {
        Some("error") => Err("asked to fail".into()),
        Some("panic") => panic!("asked to panic"),
        _ => Ok(event.payload),
    }
}
