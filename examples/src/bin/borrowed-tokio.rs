//! Borrows from the event instead of copying it, on tokio; the lesson is [`borrowed`](examples::borrowed).
//!
//!     cargo emulate --event '{"customer":"Ann","details":{"item": "pear"}}' -- \
//!         cargo run -q -p examples --bin borrowed-tokio

use examples::borrowed::handler;
use lambda_runtime_tokio::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}
