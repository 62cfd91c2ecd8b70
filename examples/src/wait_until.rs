//! Work after the response: the caller does not wait until the metric is flushed, and Lambda does not freeze the process
//! before. `docs/operating.md` describes what Lambda bills.

use lambda_runtime_base::{Error, LambdaEvent};
use serde_json::{Value, json};

pub async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let item = event.payload["item"].to_string();
    event.context.wait_until(async move { flush("sold", &item).await })?;
    Ok(json!({ "sold": event.payload["item"] }))
}

/// A stand-in for a request to a collector of metrics.
async fn flush(metric: &str, value: &str) {
    eprintln!("flushed {metric}={value}");
}
