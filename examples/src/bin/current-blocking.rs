//! Marks queries with the current invocation, without an async runtime; the lesson is [`current`](examples::current).
//!
//!     cargo emulate --event '{}' -- cargo run -q -p examples --bin current-blocking

use std::thread;

use examples::current::query;
use lambda_runtime_blocking::{Error, LambdaEvent, block_on, current, run_concurrent, sync_fn};
use serde_json::{Value, json};

fn main() -> Result<(), Error> {
    run_concurrent(sync_fn(handler))
}

fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let request_id = &event.context.request_id;
    let here = query("select 1");
    let current = current().ok_or("a handler has a current invocation")?;
    // Another thread has a current invocation only within the scope.
    let spawned = thread::spawn(move || block_on(current.scope(async { query("select 1") })));
    let spawned = spawned.join().map_err(|_| "the thread panicked")?;
    Ok(json!({ "marked": here.contains(request_id), "marked in a task": spawned.contains(request_id) }))
}
