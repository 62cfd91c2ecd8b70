//! A batch of SQS messages. Those that are not numbers are delivered again.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use lambda_runtime_tokio::{Error, LambdaEvent};

pub async fn handler(event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let mut response = SqsBatchResponse::default();
    for message in event.payload.records {
        let body = message.body.unwrap_or_default();
        let id = message.message_id.unwrap_or_default();
        match body.parse::<u64>() {
            Ok(number) => eprintln!("message {id}: {number}"),
            Err(_) => response.add_failure(id),
        }
    }
    Ok(response)
}
