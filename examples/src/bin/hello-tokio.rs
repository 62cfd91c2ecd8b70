//! The smallest function: `{"name":"World"}` becomes `{"message":"Hello, World!"}`.
//!
//!     cargo emulate --event '{"name":"World"}' -- cargo run -q -p examples --bin hello-tokio

use lambda_runtime_tokio::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let name = event.payload["name"].as_str().unwrap_or("stranger");
    Ok(json!({ "message": format!("Hello, {name}!") }))
}
