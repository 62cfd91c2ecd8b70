//! `typed_events_examples::http` on smol.
//!
//!     cargo build --manifest-path examples/typed-events/Cargo.toml
//!     cargo emulate --event @examples/events/http.json -- examples/typed-events/target/debug/typed-http-smol

use lambda_runtime_smol::{Error, run, service_fn};
use typed_events_examples::http::handler;

fn main() -> Result<(), Error> {
    smol::block_on(run(service_fn(handler)))
}
