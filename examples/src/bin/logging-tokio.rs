//! A log that follows Lambda's settings: `AWS_LAMBDA_LOG_FORMAT` (`JSON`, or text) and `AWS_LAMBDA_LOG_LEVEL`. Each line
//! contains the request id of its invocation, and the fields of the event.
//!
//!     AWS_LAMBDA_LOG_FORMAT=JSON cargo emulate --event '{"name":"World"}' -- cargo run -q -p examples --bin logging-tokio

use lambda_runtime_tokio::{Error, LambdaEvent, run, service_fn, tracing};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let name = event.payload["name"].as_str();
    tracing::debug!("seen only at the level DEBUG");
    tracing::info!(name, "somebody is to be greeted");
    if name.is_none() {
        return Err("nobody is".into());
    }
    Ok(event.payload)
}
