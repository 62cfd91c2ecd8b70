//! Reports custom error types, on tokio; the lesson is [`errors`](examples::errors).
//!
//!     cargo emulate --event '{"item":"pear"}' -- cargo run -q -p examples --bin errors-tokio

use examples::errors::handler;
use lambda_runtime_tokio::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}
