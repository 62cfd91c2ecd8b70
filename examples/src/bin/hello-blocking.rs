//! The smallest function without an async runtime: `{"name":"World"}` becomes `{"message":"Hello, World!"}`.
//!
//!     cargo emulate --event '{"name":"World"}' -- cargo run -q -p examples --bin hello-blocking

use lambda_runtime_blocking::{Error, LambdaEvent, run, sync_fn};
use serde_json::{Value, json};

fn main() -> Result<(), Error> {
    run(sync_fn(handler))
}

fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let name = event.payload["name"].as_str().unwrap_or("stranger");
    Ok(json!({ "message": format!("Hello, {name}!") }))
}
