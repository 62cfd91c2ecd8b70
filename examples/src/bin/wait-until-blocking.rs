//! Work after the response: the caller does not wait for the metric to be flushed, and Lambda does not freeze the process before
//! it is. docs/operating.md describes what Lambda bills.
//!
//!     cargo emulate --event '{"item":"pear"}' -- cargo run -q -p examples --bin wait-until-blocking

use std::thread;
use std::time::Duration;

use lambda_runtime_blocking::{Error, LambdaEvent, run, sync_fn};
use serde_json::{Value, json};

fn main() -> Result<(), Error> {
    run(sync_fn(handler))
}

fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let item = event.payload["item"].to_string();
    event.context.wait_until(async move { flush("sold", &item) })?;
    Ok(json!({ "sold": event.payload["item"] }))
}

/// Stands for a request to a collector of metrics.
fn flush(metric: &str, value: &str) {
    thread::sleep(Duration::from_millis(50));
    eprintln!("flushed {metric}={value}");
}
