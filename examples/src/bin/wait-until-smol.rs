//! Flushes metrics after the response, on smol; the lesson is [`wait_until`](examples::wait_until).
//!
//!     cargo emulate --event '{"item":"pear"}' -- cargo run -q -p examples --bin wait-until-smol

use examples::wait_until::handler;
use lambda_runtime_smol::{Error, block_on, run, service_fn, spawn_graceful_shutdown_handler};

fn main() -> Result<(), Error> {
    block_on(async {
        // With a shutdown handler, the process exits only after the last work.
        spawn_graceful_shutdown_handler(async || ()).await;
        run(service_fn(handler)).await
    })
}
