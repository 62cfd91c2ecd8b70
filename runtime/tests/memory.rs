//! The memory that an event occupies.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod in_memory;

use std::future::ready;

use lambda_runtime_base::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::Value;

use crate::in_memory::InMemory;

const EVENT: usize = 6_000_000;

#[test]
fn a_json_event_is_in_memory_once_besides_its_decoded_value() {
    let text = "x".repeat(EVENT - 2);
    let event =
        format!("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nContent-Length: {EVENT}\r\n\r\n\"{text}\"");
    let event = event.leak().as_bytes();
    let served = || {
        let length = |event: LambdaEvent<Value>| ready(Ok::<_, Error>(event.payload.as_str().map_or(0, str::len)));
        in_memory::serve(Runtime::with_executor(service_fn(length), InMemory { event, invocations: 1 }));
    };
    let peak = usize::try_from(allocation_counter::measure(served).bytes_max).unwrap();
    assert!((2 * EVENT..2 * EVENT + EVENT / 10).contains(&peak), "{peak}");
}
