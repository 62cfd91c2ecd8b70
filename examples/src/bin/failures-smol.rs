//! What a caller sees when a handler fails: an error and a panic are reported, and the function serves on.
//!
//!     cargo emulate --event '{"do":"panic"}' -- cargo run -q -p examples --bin failures-smol

use lambda_runtime_smol::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

fn main() -> Result<(), Error> {
    smol::block_on(run(service_fn(handler)))
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    match event.payload["do"].as_str() {
        Some("error") => Err("asked to fail".into()),
        Some("panic") => panic!("asked to panic"),
        _ => Ok(event.payload),
    }
}
