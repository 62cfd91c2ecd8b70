//! Ends an invocation before its deadline, on tokio; the lesson is [`deadline`](examples::deadline).
//!
//!     cargo emulate --timeout 1 --event '{}' -- cargo run -q -p examples --bin deadline-tokio

use std::time::Duration;

use examples::deadline::handler;
use lambda_runtime_tokio::layers::DeadlineLayer;
use lambda_runtime_tokio::{Error, Runtime, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    Runtime::new(service_fn(handler)).layer(DeadlineLayer::new(Duration::from_millis(200))).run().await
}
