//! A batch of SQS messages, of which some may fail: only those come again.
//! See [partial batch responses](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html).
//!
//!     cargo emulate --event @examples/events/sqs.json -- cargo run -q -p examples --bin sqs-batch-smol

use lambda_runtime_smol::{Error, LambdaEvent, run, service_fn};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Batch {
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
struct Failures {
    batch_item_failures: Vec<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

fn main() -> Result<(), Error> {
    smol::block_on(run(service_fn(handler)))
}

async fn handler(event: LambdaEvent<Batch>) -> Result<Failures, Error> {
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
