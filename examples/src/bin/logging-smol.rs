//! Logs as Lambda's settings require, on smol; the lesson is [`logging`](examples::logging).
//!
//!     AWS_LAMBDA_LOG_FORMAT=JSON cargo emulate --event '{"name":"World"}' -- cargo run -q -p examples --bin logging-smol

use examples::logging::handler;
use lambda_runtime_smol::{Error, block_on, run, service_fn, tracing};

fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    block_on(run(service_fn(handler)))
}
