//! Counts invocations, on smol; the lesson is [`shared_state`](examples::shared_state).
//!
//!     cargo emulate --event '{}' -- cargo run -q -p examples --bin shared-state-smol

use std::cell::Cell;
use std::rc::Rc;

use examples::shared_state::handler;
use lambda_runtime_smol::{Error, block_on, run, service_fn};

fn main() -> Result<(), Error> {
    let count = Rc::new(Cell::new(0));
    block_on(run(service_fn(|event| handler(Rc::clone(&count), event))))
}
