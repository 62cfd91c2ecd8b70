//! The payload does not implement `Deserialize`.

use lambda_runtime_tokio::layers::TracingLayer;
use lambda_runtime_tokio::{Error, LambdaEvent, Runtime, run, run_concurrent, service_fn};

struct Order {
    item: String,
}

async fn handler(event: LambdaEvent<Order>) -> Result<String, Error> {
    Ok(event.payload.item)
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
