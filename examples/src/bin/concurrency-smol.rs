//! Serves several invocations at a time on Lambda Managed Instances, and one at a time elsewhere.
//!
//!     cargo emulate --concurrency 8 -- cargo run -q -p examples --bin concurrency-smol

use std::time::Duration;

use lambda_runtime_smol::{Error, LambdaEvent, block_on, run_concurrent, service_fn};
use serde_json::{Value, json};

fn main() -> Result<(), Error> {
    block_on(run_concurrent(service_fn(handler)))
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let pause = Duration::from_millis(event.payload["wait_ms"].as_u64().unwrap_or(0));
    smol::Timer::after(pause).await;
    Ok(json!({ "waited_ms": pause.as_millis(), "event": event.payload }))
}
