//! An invocation that takes too long ends shortly before its deadline with an error that says so, where Lambda would
//! kill the process without a word.
//!
//!     cargo emulate --timeout 1 --event '{}' -- cargo run -q -p examples --bin deadline-tokio

use std::time::Duration;

use lambda_runtime_tokio::layers::DeadlineLayer;
use lambda_runtime_tokio::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    Runtime::new(service_fn(handler)).layer(DeadlineLayer::new(Duration::from_millis(200))).run().await
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    eprintln!("{:?} left, and an answer that never comes", event.context.remaining_time());
    std::future::pending().await
}
