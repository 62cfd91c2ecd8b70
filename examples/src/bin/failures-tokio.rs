//! Fails and panics on request, on tokio; the lesson is [`failures`](examples::failures).
//!
//!     cargo emulate --event '{"do":"panic"}' -- cargo run -q -p examples --bin failures-tokio

use examples::failures::handler;
use lambda_runtime_tokio::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}
