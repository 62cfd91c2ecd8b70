//! Reads settings before the first invocation, on tokio; the lesson is [`init`](examples::init).
//!
//!     TIMES=3 cargo emulate --event '{"name":"World"}' -- cargo run -q -p examples --bin init-tokio

use examples::init::{greet, times};
use lambda_runtime_tokio::{Error, initialize, run_concurrent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let times = initialize(async { times() }).await?;
    run_concurrent(service_fn(move |event| async move { greet(times, event) })).await
}
