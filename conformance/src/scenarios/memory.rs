//! Memory.

use std::time::Duration;

use lambda_runtime_proto::Endpoint::{Next, Response};

use super::sources::STREAMING;
use crate::{Expectation, Feature, Scenario, Steps};

pub(super) fn add(all: &mut Vec<Scenario>) {
    const CHUNK: usize = 64 * 1024;
    const CHUNKS: usize = 16 * 1024;
    let payload = format!(r#"{{"do":"stream","chunks":{CHUNKS},"bytes":{CHUNK}}}"#);
    // The memory of a process is read from /proc.
    if cfg!(target_os = "linux") {
        all.push(
            Scenario::must("stream-memory", "a stream of 1 GiB is sent in bounded memory to a slow reader", STREAMING)
                .requires(Feature::Streaming)
                .connection(
                    Steps::new()
                        .served("1")
                        .sample_memory()
                        .event_as("b", &payload)
                        .read_at_least(Response, 1)
                        .pause(Duration::from_millis(300))
                        .discard_rest()
                        .accept()
                        .read(Next)
                        .sample_memory()
                        .send(crate::messages::event("c", "1"))
                        .read(Response)
                        .accept(),
                )
                .expect(Expectation::ReceivedAtLeast { id: "b".to_owned(), bytes: CHUNK * CHUNKS })
                .expect(Expectation::MemoryGrowth(10 * 1024)),
        );
    }
}
