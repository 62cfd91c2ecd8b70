//! Handles a batch of SQS messages, on smol; the lesson is [`sqs_batch`](examples::sqs_batch).
//!
//!     cargo emulate --event @examples/events/sqs.json -- cargo run -q -p examples --bin sqs-batch-smol

use examples::sqs_batch::handler;
use lambda_runtime_smol::{Error, block_on, run, service_fn};

fn main() -> Result<(), Error> {
    block_on(run(service_fn(handler)))
}
