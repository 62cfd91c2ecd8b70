//! Handles a batch of SQS messages, on tokio; the lesson is [`sqs_batch`](examples::sqs_batch).
//!
//!     cargo emulate --event @examples/events/sqs.json -- cargo run -q -p examples --bin sqs-batch-tokio

use examples::sqs_batch::handler;
use lambda_runtime_tokio::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}
