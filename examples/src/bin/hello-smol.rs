//! The smallest function: `{"name":"World"}` becomes `{"message":"Hello, World!"}`.
//!
//!     cargo emulate --event '{"name":"World"}' -- cargo run -q -p examples --bin hello-smol

use lambda_runtime_smol::{Error, LambdaEvent, block_on, run, service_fn};
use serde_json::{Value, json};

fn main() -> Result<(), Error> {
    block_on(run(service_fn(handler)))
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let name = event.payload["name"].as_str().unwrap_or("stranger");
    Ok(json!({ "message": format!("Hello, {name}!") }))
}
