//! Flushes metrics after the response, on tokio; the lesson is [`wait_until`](examples::wait_until).
//!
//!     cargo emulate --event '{"item":"pear"}' -- cargo run -q -p examples --bin wait-until-tokio

use examples::wait_until::handler;
use lambda_runtime_tokio::{Error, run, service_fn, spawn_graceful_shutdown_handler};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // With a shutdown handler, the process exits only after the last work.
    spawn_graceful_shutdown_handler(async || ()).await;
    run(service_fn(handler)).await
}
