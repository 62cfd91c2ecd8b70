//! Flushes metrics after the response, without an async runtime; the lesson is [`wait_until`](examples::wait_until).
//!
//!     cargo emulate --event '{"item":"pear"}' -- cargo run -q -p examples --bin wait-until-blocking

use examples::wait_until::handler;
use lambda_runtime_blocking::{Error, run, service_fn};

fn main() -> Result<(), Error> {
    run(service_fn(handler))
}
