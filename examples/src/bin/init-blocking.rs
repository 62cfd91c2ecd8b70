//! Initialisation that can fail, because a setting is missing or cannot be parsed. Lambda and the caller receive the type and
//! the message of the error, and the process exits with code 1.
//!
//!     TIMES=3 cargo emulate --event '{"name":"World"}' -- cargo run -q -p examples --bin init-blocking

use lambda_runtime_blocking::{Error, LambdaEvent, initialize, run_concurrent, sync_fn};
use serde_json::{Value, json};

fn main() -> Result<(), Error> {
    let times = initialize(times)?;
    run_concurrent(sync_fn(move |event: LambdaEvent<Value>| -> Result<Value, Error> {
        let name = event.payload["name"].as_str().unwrap_or("stranger");
        Ok(json!({ "message": format!("Hello, {name}! ").repeat(times).trim_end() }))
    }))
}

/// Reads the function's settings. Others connect to a database here, or fetch a secret.
fn times() -> Result<usize, Error> {
    let times: usize = std::env::var("TIMES").map_err(|error| format!("TIMES: {error}"))?.parse()?;
    assert!(times < 100, "{times} is more often than anybody reads");
    Ok(times)
}
