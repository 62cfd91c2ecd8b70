//! `typed_events_examples::http` on tokio.
//!
//!     cargo build --manifest-path examples/typed-events/Cargo.toml
//!     cargo emulate --event @examples/events/http.json -- examples/typed-events/target/debug/typed-http-tokio

use lambda_runtime_tokio::{Error, run, service_fn};
use typed_events_examples::http::handler;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}
