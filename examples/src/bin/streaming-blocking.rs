//! Streams a response word by word from an iterator. With `{"fail":true}` the stream fails midway, and the caller receives an
//! error instead of a shorter response. `Body::from_reader` streams a file or any other reader.
//!
//!     cargo emulate --event '{}' -- cargo run -q -p examples --bin streaming-blocking
//!     cargo emulate --event '{"fail":true}' -- cargo run -q -p examples --bin streaming-blocking

use std::thread;
use std::time::Duration;

use lambda_runtime_blocking::streaming::{Body, Response};
use lambda_runtime_blocking::{Error, LambdaEvent, run, sync_fn};
use serde_json::Value;

const TEXT: &str = "Each of these words is sent as soon as it is ready, without waiting for the last.\n";

fn main() -> Result<(), Error> {
    run(sync_fn(handler))
}

fn handler(event: LambdaEvent<Value>) -> Result<Response<Body>, Error> {
    let fail = event.payload["fail"] == true;
    let words = TEXT.split_inclusive(' ').enumerate().map(move |(n, word)| {
        if fail && n == 5 {
            return Err("the source ran dry");
        }
        if n > 0 {
            thread::sleep(Duration::from_millis(100));
        }
        Ok(word)
    });
    Ok(Response::from(Body::from_chunks(words)))
}
