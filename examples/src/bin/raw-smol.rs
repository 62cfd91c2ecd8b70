//! Reverses bytes, on smol; the lesson is [`raw`](examples::raw).
//!
//!     cargo emulate --event '"any bytes"' -- cargo run -q -p examples --bin raw-smol

use examples::raw::handler;
use lambda_runtime_smol::{Error, block_on, run, service_fn};

fn main() -> Result<(), Error> {
    block_on(run(service_fn(handler)))
}
