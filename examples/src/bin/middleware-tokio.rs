//! Measures invocations with a layer, on tokio; the lesson is [`middleware`](examples::middleware).
//!
//!     cargo emulate --event '{}' -- cargo run -q -p examples --bin middleware-tokio

use examples::middleware::{TimingLayer, handler};
use lambda_runtime_tokio::{Error, Runtime, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    Runtime::new(service_fn(handler)).layer(TimingLayer).run().await
}
