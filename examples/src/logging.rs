//! Logging in the format that `AWS_LAMBDA_LOG_FORMAT` selects (`JSON` or text), from the level in `AWS_LAMBDA_LOG_LEVEL`
//! upwards. Each line contains its fields and the request id of its invocation.

use lambda_runtime_base::{Error, LambdaEvent, tracing};
use serde_json::Value;

pub async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let name = event.payload["name"].as_str();
    tracing::debug!("logged at the level DEBUG only");
    tracing::info!(name, "greeting requested");
    if name.is_none() {
        return Err("no name in the event".into());
    }
    Ok(event.payload)
}
