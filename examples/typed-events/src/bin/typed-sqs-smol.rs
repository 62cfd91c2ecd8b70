//! `typed_events_examples::sqs` on smol.
//!
//!     cargo build --manifest-path examples/typed-events/Cargo.toml
//!     cargo emulate --event @examples/events/sqs.json -- examples/typed-events/target/debug/typed-sqs-smol

use lambda_runtime_smol::{Error, run, service_fn};
use typed_events_examples::sqs::handler;

fn main() -> Result<(), Error> {
    smol::block_on(run(service_fn(handler)))
}
