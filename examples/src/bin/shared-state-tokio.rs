//! What is set up once and used by every invocation: here a counter, usually a client or a pool. With one invocation
//! at a time it need not be `Send`.
//!
//!     cargo emulate --event '{}' -- cargo run -q -p examples --bin shared-state-tokio

use std::cell::Cell;
use std::rc::Rc;

use lambda_runtime_tokio::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let count = Rc::new(Cell::new(0));
    run(service_fn(|event: LambdaEvent<Value>| {
        let count = Rc::clone(&count);
        async move {
            count.set(count.get() + 1);
            Ok::<_, Error>(json!({ "invocations": count.get(), "request_id": event.context.request_id }))
        }
    }))
    .await
}
