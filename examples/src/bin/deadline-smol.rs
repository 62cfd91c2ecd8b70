//! An invocation that takes too long ends shortly before its deadline with an error that says so, where Lambda would
//! kill the process without a word.
//!
//!     cargo emulate --timeout 1 --event '{}' -- cargo run -q -p examples --bin deadline-smol

use std::time::Duration;

use lambda_runtime_smol::layers::DeadlineLayer;
use lambda_runtime_smol::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::Value;

fn main() -> Result<(), Error> {
    smol::block_on(async {
        Runtime::new(service_fn(handler)).layer(DeadlineLayer::new(Duration::from_millis(200))).run().await
    })
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    eprintln!("{:?} left, and an answer that never comes", event.context.remaining_time());
    std::future::pending().await
}
