//! The error does not convert into `Diagnostic`.

use lambda_runtime_tokio::layers::TracingLayer;
use lambda_runtime_tokio::{Error, LambdaEvent, Runtime, run, run_concurrent, service_fn};

#[derive(Debug)]
struct OutOfStock;

async fn handler(event: LambdaEvent<String>) -> Result<String, OutOfStock> {
    if event.payload.is_empty() { Err(OutOfStock) } else { Ok(event.payload) }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}

pub async fn concurrent() -> Result<(), Error> {
    run_concurrent(service_fn(handler)).await
}

pub async fn with_layers() -> Result<(), Error> {
    Runtime::new(service_fn(handler)).layer(TracingLayer::new()).run().await
}
