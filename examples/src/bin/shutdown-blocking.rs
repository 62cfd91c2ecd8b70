//! Graceful shutdown: a hook runs on another thread when Lambda announces shutdown by SIGTERM, or on Ctrl-C.
//!
//!     cargo emulate -- cargo run -q -p examples --bin shutdown-blocking     # then Ctrl-C

use lambda_runtime_blocking::{Error, LambdaEvent, block_on, run, spawn_graceful_shutdown_handler, sync_fn};
use serde_json::Value;

fn main() -> Result<(), Error> {
    // Before the first invocation is requested.
    block_on(spawn_graceful_shutdown_handler(|| async { eprintln!("flushed pending writes") }));
    run(sync_fn(handler))
}

fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(event.payload)
}
