//! Deadlines: `DeadlineLayer` ends an invocation with an error shortly before Lambda would kill the process.

use lambda_runtime_base::{Error, LambdaEvent};
use serde_json::Value;

pub async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    eprintln!("{:?} left, for a response that never comes", event.context.remaining_time());
    std::future::pending().await
}
