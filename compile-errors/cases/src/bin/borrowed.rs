//! The payload borrows from the event.

use lambda_runtime_tokio::layers::TracingLayer;
use lambda_runtime_tokio::{Error, LambdaEvent, Runtime, run, run_concurrent, service_fn};
use serde::Deserialize;

#[derive(Deserialize)]
struct Order<'e> {
    item: &'e str,
}

async fn handler(event: LambdaEvent<Order<'_>>) -> Result<usize, Error> {
    Ok(event.payload.item.len())
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
