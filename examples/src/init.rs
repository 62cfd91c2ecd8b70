//! Initialisation that can fail, because a setting is missing or cannot be parsed. Lambda and the caller receive the type and
//! the message of the error, and the process exits with code 1.

use lambda_runtime_base::{Error, LambdaEvent};
use serde_json::{Value, json};

/// Reads the settings. Others connect to a database here, or fetch a secret.
pub fn times() -> Result<usize, Error> {
    let times: usize = std::env::var("TIMES").map_err(|error| format!("TIMES: {error}"))?.parse()?;
    assert!(times < 100, "TIMES is {times}: expected less than 100");
    Ok(times)
}

pub fn greet(times: usize, event: LambdaEvent<Value>) -> Result<Value, Error> {
    let name = event.payload["name"].as_str().unwrap_or("stranger");
    Ok(json!({ "message": format!("Hello, {name}! ").repeat(times).trim_end() }))
}
