//! Exports a span per invocation, on tokio; the lesson is [`opentelemetry`](examples::opentelemetry).
//!
//!     cargo emulate --event '{"name":"World"}' -- cargo run -q -p examples --bin opentelemetry-tokio

use examples::opentelemetry::{handler, layer};
use lambda_runtime_tokio::{Error, Runtime, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    Runtime::new(service_fn(handler)).layer(layer()).run().await
}
