//! The handler's future is not `Send`.

use std::future::ready;
use std::rc::Rc;

use lambda_runtime_tokio::{Error, LambdaEvent, run, run_concurrent, service_fn};

async fn handler(event: LambdaEvent<String>) -> Result<String, Error> {
    let payload = Rc::new(event.payload);
    ready(()).await;
    Ok(payload.to_string())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tokio::spawn(run(service_fn(handler))).await?
}

pub async fn concurrent() -> Result<(), Error> {
    run_concurrent(service_fn(handler)).await
}
