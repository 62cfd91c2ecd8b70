//! Measures invocations with a layer, on smol; the lesson is [`middleware`](examples::middleware).
//!
//!     cargo emulate --event '{}' -- cargo run -q -p examples --bin middleware-smol

use examples::middleware::{TimingLayer, handler};
use lambda_runtime_smol::{Error, Runtime, block_on, service_fn};

fn main() -> Result<(), Error> {
    block_on(Runtime::new(service_fn(handler)).layer(TimingLayer).run())
}
