//! Partial batch responses: of a batch of SQS messages, only those that fail are delivered again.
//! See [Handling errors for an SQS event source](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html).
//!
//! The crate [`aws_lambda_events`](https://docs.rs/aws_lambda_events) has the complete types of AWS's events.

use lambda_runtime_base::{Error, LambdaEvent};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Message>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    message_id: String,
    body: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failures {
    batch_item_failures: Vec<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

pub async fn handler(event: LambdaEvent<Batch>) -> Result<Failures, Error> {
    let mut batch_item_failures = Vec::new();
    for message in event.payload.records {
        if let Err(error) = handle(&message).await {
            eprintln!("message {}: {error}", message.message_id);
            batch_item_failures.push(Failure { item_identifier: message.message_id });
        }
    }
    Ok(Failures { batch_item_failures })
}

async fn handle(message: &Message) -> Result<(), Error> {
    let number: u64 = message.body.parse()?;
    eprintln!("message {}: {number}", message.message_id);
    Ok(())
}
