//! The smallest function, on threads that block: `{"name":"World"}` becomes `{"message":"Hello, World!"}`.
//!
//!     cargo emulate --event '{"name":"World"}' -- cargo run -q -p executor-blocking

use executor_blocking::{Blocking, block_on};
use lambda_runtime_base::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::{Value, json};

fn main() -> Result<(), Error> {
    let runtime = Runtime::<_, Blocking>::new(service_fn(handler));
    block_on(runtime.run_concurrent())?
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let name = event.payload.get("name").and_then(Value::as_str).unwrap_or("stranger");
    Ok(json!({ "message": format!("Hello, {name}!") }))
}
