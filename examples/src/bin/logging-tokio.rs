//! Logs as Lambda's settings require, on tokio; the lesson is [`logging`](examples::logging).
//!
//!     AWS_LAMBDA_LOG_FORMAT=JSON cargo emulate --event '{"name":"World"}' -- cargo run -q -p examples --bin logging-tokio

use examples::logging::handler;
use lambda_runtime_tokio::{Error, run, service_fn, tracing};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    run(service_fn(handler)).await
}
