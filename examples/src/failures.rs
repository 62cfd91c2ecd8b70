//! Failures: an error and a panic are both reported to the caller, and the function serves the next invocation.

use lambda_runtime_base::{Error, LambdaEvent};
use serde_json::Value;

pub async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    match event.payload["do"].as_str() {
        Some("error") => Err("asked to fail".into()),
        Some("panic") => panic!("asked to panic"),
        _ => Ok(event.payload),
    }
}
