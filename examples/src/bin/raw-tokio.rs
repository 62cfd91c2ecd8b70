//! Reverses bytes, on tokio; the lesson is [`raw`](examples::raw).
//!
//!     cargo emulate --event '"any bytes"' -- cargo run -q -p examples --bin raw-tokio

use examples::raw::handler;
use lambda_runtime_tokio::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}
