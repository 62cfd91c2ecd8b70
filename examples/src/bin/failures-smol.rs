//! Fails and panics on request, on smol; the lesson is [`failures`](examples::failures).
//!
//!     cargo emulate --event '{"do":"panic"}' -- cargo run -q -p examples --bin failures-smol

use examples::failures::handler;
use lambda_runtime_smol::{Error, block_on, run, service_fn};

fn main() -> Result<(), Error> {
    block_on(run(service_fn(handler)))
}
