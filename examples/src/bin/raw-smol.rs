//! Events and responses that are not JSON: bytes in, bytes out, with a content type.
//!
//!     cargo emulate --event '"any bytes"' -- cargo run -q -p examples --bin raw-smol

use lambda_runtime_smol::{Error, LambdaEvent, RawEvent, RawResponse, run, service_fn};

fn main() -> Result<(), Error> {
    smol::block_on(run(service_fn(handler)))
}

async fn handler(event: LambdaEvent<RawEvent>) -> Result<RawResponse, Error> {
    let reversed: Vec<u8> = event.payload.0.iter().rev().copied().collect();
    Ok(RawResponse::new("application/octet-stream".parse()?, reversed))
}
