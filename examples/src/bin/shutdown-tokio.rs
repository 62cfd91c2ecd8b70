//! Graceful shutdown: a hook runs when Lambda announces shutdown by SIGTERM, or on Ctrl-C.
//!
//!     cargo emulate -- cargo run -q -p examples --bin shutdown-tokio     # then Ctrl-C

use lambda_runtime_tokio::{Error, LambdaEvent, run, service_fn, spawn_graceful_shutdown_handler};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // Registers an extension, which must precede the first invocation.
    spawn_graceful_shutdown_handler(|| async { eprintln!("flushed pending writes") }).await;
    run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(event.payload)
}
