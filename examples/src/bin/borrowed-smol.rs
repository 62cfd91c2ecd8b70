//! Borrows from the event instead of copying it, on smol; the lesson is [`borrowed`](examples::borrowed).
//!
//!     cargo emulate --event '{"customer":"Ann","details":{"item": "pear"}}' -- \
//!         cargo run -q -p examples --bin borrowed-smol

use examples::borrowed::handler;
use lambda_runtime_smol::{Error, block_on, run, service_fn};

fn main() -> Result<(), Error> {
    block_on(run(service_fn(handler)))
}
