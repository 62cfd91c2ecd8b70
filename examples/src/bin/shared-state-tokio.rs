//! Counts invocations, on tokio; the lesson is [`shared_state`](examples::shared_state).
//!
//!     cargo emulate --event '{}' -- cargo run -q -p examples --bin shared-state-tokio

use std::cell::Cell;
use std::rc::Rc;

use examples::shared_state::handler;
use lambda_runtime_tokio::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let count = Rc::new(Cell::new(0));
    run(service_fn(|event| handler(Rc::clone(&count), event))).await
}
