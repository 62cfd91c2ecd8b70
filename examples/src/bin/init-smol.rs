//! Reads settings before the first invocation, on smol; the lesson is [`init`](examples::init).
//!
//!     TIMES=3 cargo emulate --event '{"name":"World"}' -- cargo run -q -p examples --bin init-smol

use examples::init::{greet, times};
use lambda_runtime_smol::{Error, block_on, initialize, run_concurrent, service_fn};

fn main() -> Result<(), Error> {
    block_on(async {
        let times = initialize(async { times() }).await?;
        run_concurrent(service_fn(move |event| async move { greet(times, event) })).await
    })
}
