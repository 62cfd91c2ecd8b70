//! `typed_events_examples::sqs` on tokio.
//!
//!     cargo build --manifest-path examples/typed-events/Cargo.toml
//!     cargo emulate --event @examples/events/sqs.json -- examples/typed-events/target/debug/typed-sqs-tokio

use lambda_runtime_tokio::{Error, run, service_fn};
use typed_events_examples::sqs::handler;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}
