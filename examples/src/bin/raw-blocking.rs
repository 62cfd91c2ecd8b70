//! Events and responses that are not JSON: bytes and a content type.
//!
//!     cargo emulate --event '"any bytes"' -- cargo run -q -p examples --bin raw-blocking

use lambda_runtime_blocking::{Error, LambdaEvent, RawEvent, RawResponse, run, sync_fn};

fn main() -> Result<(), Error> {
    run(sync_fn(handler))
}

fn handler(event: LambdaEvent<RawEvent>) -> Result<RawResponse, Error> {
    let reversed: Vec<u8> = event.payload.0.iter().rev().copied().collect();
    Ok(RawResponse::new("application/octet-stream".parse()?, reversed))
}
