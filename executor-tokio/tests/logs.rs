//! Where in the log the runtime's own words stand.

#![cfg(feature = "tracing")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails, and a handler may panic")]

use std::io::{BufRead as _, BufReader};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, stream};
use lambda_runtime_emulator::{Emulator, Event};
use lambda_runtime_tokio::layers::TracingLayer;
use lambda_runtime_tokio::tracing::subscriber::{self, util::SubscriberInitExt as _};
use lambda_runtime_tokio::{Error, LambdaEvent, Runtime, StreamResponse, service_fn};
use serde_json::Value;

async fn fails(
    event: LambdaEvent<String>,
) -> Result<StreamResponse<impl Stream<Item = Result<Bytes, Error>> + Unpin>, Error> {
    match event.payload.as_str() {
        "panic" => panic!("words"),
        "torn" => Ok(StreamResponse::from(stream::iter([Ok(Bytes::from("chunk")), Err("words".into())]))),
        _ => Err("words".into()),
    }
}

#[test]
fn a_failure_stands_in_the_span_of_its_invocation() {
    let (log, writer) = std::io::pipe().unwrap();
    let emulator = Emulator::start().unwrap();
    let address = emulator.endpoint().parse().unwrap();
    std::thread::spawn(move || {
        let _subscriber = subscriber::fmt().json().with_writer(Arc::new(writer)).set_default();
        let run = Runtime::new(service_fn(fails)).layer(TracingLayer::new()).address(address).run();
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run)
    });

    let mut log = BufReader::new(log).lines().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    for (request_id, event) in [("1", r#""error""#), ("2", r#""panic""#), ("3", r#""torn""#), ("4", "7")] {
        emulator.invoke(Event::new(event).request_id(request_id)).unwrap();
        let line = log.find(|line| line["level"] == "ERROR").unwrap();
        assert_eq!(line["span"]["requestId"], request_id, "{line}");
    }
}
