//! Serves several invocations at a time on Lambda Managed Instances, one per thread, and one at a time elsewhere.
//!
//!     cargo emulate --concurrency 8 -- cargo run -q -p examples --bin concurrency-blocking

use std::thread;
use std::time::Duration;

use lambda_runtime_blocking::{Error, LambdaEvent, run_concurrent, sync_fn};
use serde_json::{Value, json};

fn main() -> Result<(), Error> {
    run_concurrent(sync_fn(handler))
}

fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let pause = Duration::from_millis(event.payload["wait_ms"].as_u64().unwrap_or(0));
    thread::sleep(pause);
    Ok(json!({ "waited_ms": pause.as_millis(), "event": event.payload }))
}
