//! Hello, World on the traits of `futures-io`: `{"name":"World"}` becomes `{"message":"Hello, World!"}`.
//!
//!     cargo emulate --event '{"name":"World"}' -- cargo run -q -p executor-futures-io

use executor_futures_io::async_net;
use lambda_runtime_base::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::{Value, json};

fn main() -> Result<(), Error> {
    let runtime = Runtime::with_executor(service_fn(handler), async_net::executor());
    async_io::block_on(runtime.run_concurrent_local())
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let name = event.payload.get("name").and_then(Value::as_str).unwrap_or("stranger");
    Ok(json!({ "message": format!("Hello, {name}!") }))
}
