//! Exports a span per invocation, on smol; the lesson is [`opentelemetry`](examples::opentelemetry).
//!
//!     cargo emulate --event '{"name":"World"}' -- cargo run -q -p examples --bin opentelemetry-smol

use examples::opentelemetry::{handler, layer};
use lambda_runtime_smol::{Error, Runtime, block_on, service_fn};

fn main() -> Result<(), Error> {
    block_on(Runtime::new(service_fn(handler)).layer(layer()).run())
}
