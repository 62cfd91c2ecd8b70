//! Initialisation that can fail, because a setting is missing or cannot be parsed. Lambda and the caller receive the type and
//! the message of the error, and the process exits with code 1.
//!
//!     TIMES=3 cargo emulate --event '{"name":"World"}' -- cargo run -q -p examples --bin init-tokio

use lambda_runtime_tokio::layers::TracingLayer;
use lambda_runtime_tokio::{Error, LambdaEvent, Runtime, initialize, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let times = initialize(times()).await?;
    let greet = move |event: LambdaEvent<Value>| async move {
        let name = event.payload["name"].as_str().unwrap_or("stranger");
        Ok::<_, Error>(json!({ "message": format!("Hello, {name}! ").repeat(times).trim_end() }))
    };
    Runtime::new(service_fn(greet)).layer(TracingLayer::new()).run_concurrent().await
}

/// Reads the function's settings. Others connect to a database here, or fetch a secret.
async fn times() -> Result<usize, Error> {
    let times: usize = std::env::var("TIMES").map_err(|error| format!("TIMES: {error}"))?.parse()?;
    assert!(times < 100, "{times} is more often than anybody reads");
    Ok(times)
}
