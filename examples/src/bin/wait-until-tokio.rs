//! Work after the response: the caller does not wait for the metric to be flushed, and Lambda does not freeze the process before
//! it is. docs/operating.md describes what Lambda bills.
//!
//!     cargo emulate --event '{"item":"pear"}' -- cargo run -q -p examples --bin wait-until-tokio

use std::time::Duration;

use lambda_runtime_tokio::{Error, LambdaEvent, run, service_fn, spawn_graceful_shutdown_handler};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // With a handler for the shutdown, the process ends after the last work.
    spawn_graceful_shutdown_handler(async || ()).await;
    run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let item = event.payload["item"].to_string();
    event.context.wait_until(async move { flush("sold", &item).await })?;
    Ok(json!({ "sold": event.payload["item"] }))
}

/// Stands for a request to a collector of metrics.
async fn flush(metric: &str, value: &str) {
    tokio::time::sleep(Duration::from_millis(50)).await;
    eprintln!("flushed {metric}={value}");
}
