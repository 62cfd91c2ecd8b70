//! Ends an invocation before its deadline, on smol; the lesson is [`deadline`](examples::deadline).
//!
//!     cargo emulate --timeout 1 --event '{}' -- cargo run -q -p examples --bin deadline-smol

use std::time::Duration;

use examples::deadline::handler;
use lambda_runtime_smol::layers::DeadlineLayer;
use lambda_runtime_smol::{Error, Runtime, block_on, service_fn};

fn main() -> Result<(), Error> {
    block_on(Runtime::new(service_fn(handler)).layer(DeadlineLayer::new(Duration::from_millis(200))).run())
}
