//! Reads settings before the first invocation, without an async runtime; the lesson is [`init`](examples::init).
//!
//!     TIMES=3 cargo emulate --event '{"name":"World"}' -- cargo run -q -p examples --bin init-blocking

use examples::init::{greet, times};
use lambda_runtime_blocking::{Error, initialize, run_concurrent, sync_fn};

fn main() -> Result<(), Error> {
    let times = initialize(times)?;
    run_concurrent(sync_fn(move |event| greet(times, event)))
}
