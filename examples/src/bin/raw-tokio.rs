//! Events and responses that are not JSON: bytes in, bytes out, with a content type.
//!
//!     cargo emulate --event '"any bytes"' -- cargo run -q -p examples --bin raw-tokio

use lambda_runtime_tokio::{Error, LambdaEvent, RawEvent, RawResponse, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<RawEvent>) -> Result<RawResponse, Error> {
    let reversed: Vec<u8> = event.payload.0.iter().rev().copied().collect();
    Ok(RawResponse::new("application/octet-stream".parse()?, reversed))
}
