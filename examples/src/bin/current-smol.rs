//! The current invocation, for code that its context does not reach: here, a query is marked with the request id. It works
//! with many concurrent invocations, too, and in tasks that the handler spawns in the scope of its invocation.
//!
//!     cargo emulate --event '{}' -- cargo run -q -p examples --bin current-smol

use lambda_runtime_smol::{Error, LambdaEvent, current, run_concurrent, service_fn};
use serde_json::{Value, json};

fn main() -> Result<(), Error> {
    smol::block_on(run_concurrent(service_fn(handler)))
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let request_id = &event.context.request_id;
    let here = query("select 1").await;
    let current = current().ok_or("a handler has a current invocation")?;
    let spawned = smol::spawn(current.scope(query("select 1"))).await;
    Ok(json!({ "marked": here.contains(request_id), "marked in a task": spawned.contains(request_id) }))
}

async fn query(sql: &str) -> String {
    match current() {
        Some(current) => format!("{sql} /* {} */", current.request_id()),
        None => sql.to_owned(),
    }
}
