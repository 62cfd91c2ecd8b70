//! Reports custom error types, on smol; the lesson is [`errors`](examples::errors).
//!
//!     cargo emulate --event '{"item":"pear"}' -- cargo run -q -p examples --bin errors-smol

use examples::errors::handler;
use lambda_runtime_smol::{Error, block_on, run, service_fn};

fn main() -> Result<(), Error> {
    block_on(run(service_fn(handler)))
}
