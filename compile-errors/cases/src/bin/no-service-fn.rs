//! The function is not wrapped in `service_fn`.

use lambda_runtime_tokio::layers::TracingLayer;
use lambda_runtime_tokio::{Error, LambdaEvent, Runtime, run, run_concurrent};

async fn handler(event: LambdaEvent<String>) -> Result<String, Error> {
    Ok(event.payload)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(handler).await
}

pub async fn concurrent() -> Result<(), Error> {
    run_concurrent(handler).await
}

pub async fn with_layers() -> Result<(), Error> {
    Runtime::new(handler).layer(TracingLayer::new()).run().await
}
