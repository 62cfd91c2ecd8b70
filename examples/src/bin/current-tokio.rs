//! Marks queries with the current invocation, on tokio; the lesson is [`current`](examples::current).
//!
//!     cargo emulate --event '{}' -- cargo run -q -p examples --bin current-tokio

use examples::current::query;
use lambda_runtime_tokio::{Error, LambdaEvent, current, run_concurrent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run_concurrent(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let request_id = &event.context.request_id;
    let here = query("select 1");
    let current = current().ok_or("a handler has a current invocation")?;
    let spawned = tokio::spawn(current.scope(async { query("select 1") })).await?;
    Ok(json!({ "marked": here.contains(request_id), "marked in a task": spawned.contains(request_id) }))
}
