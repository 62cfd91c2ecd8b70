//! Streams a response word by word. With `{"fail":true}` the stream fails midway, and the caller receives an error instead
//! of a shorter response.
//!
//!     cargo emulate --event '{}' -- cargo run -q -p examples --bin streaming-tokio
//!     cargo emulate --event '{"fail":true}' -- cargo run -q -p examples --bin streaming-tokio

use std::time::Duration;

use lambda_runtime_tokio::streaming::{Body, Response, channel};
use lambda_runtime_tokio::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

const TEXT: &str = "Each of these words is sent as soon as it is ready, without waiting for the last.\n";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<Value>) -> Result<Response<Body>, Error> {
    let fail = event.payload["fail"] == true;
    let (mut sender, body) = channel();
    tokio::spawn(async move {
        for (n, word) in TEXT.split_inclusive(' ').enumerate() {
            if fail && n == 5 {
                sender.send_error("the source ran dry");
                return;
            }
            // The body was dropped: the caller is gone.
            if sender.send_data(word.into()).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    Ok(Response::from(body))
}
