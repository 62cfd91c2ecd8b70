//! The allocations of an invocation.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod in_memory;

use std::future::ready;

use http::HeaderValue;
use lambda_runtime_base::{Error, LambdaEvent, RawResponse, Runtime, service_fn};

use crate::in_memory::InMemory;

/// An event with the headers of every event on Lambda.
const EVENT: &[u8] = b"HTTP/1.1 200 OK\r\nDate: Thu, 26 Nov 2026 08:00:00 GMT\r\nContent-Type: application/json\r\n\
    Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\nLambda-Runtime-Deadline-Ms: 4102444800000\r\n\
    Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-2:123456789012:function:custom-runtime\r\n\
    Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\r\n\
    Content-Length: 1\r\n\r\n7";

/// Allocations of an invocation: the event's message, and in its context the request id, the ARN and the trace id.
///
/// The features `current` and `wait-until` do not change the number for a function that does not use them.
const ALLOCATIONS: u64 = 4;

#[test]
fn an_invocation_allocates_as_often_with_features_that_it_does_not_use() {
    let allocations = |invocations| {
        let handler = |event: LambdaEvent<u32>| {
            let body = if event.payload == 7 { "\"seven\"" } else { "" };
            ready(Ok::<_, Error>(RawResponse::new(HeaderValue::from_static("application/json"), body)))
        };
        let executor = InMemory { event: EVENT, invocations };
        let serve = || in_memory::serve(Runtime::with_executor(service_fn(handler), executor.clone()));
        allocation_counter::measure(serve).count_total
    };
    // The first run initialises the process, and its first invocations make buffers grow.
    allocations(1);
    let (few, many) = (allocations(10), allocations(110));
    assert_eq!(many - few, 100 * ALLOCATIONS);
}
