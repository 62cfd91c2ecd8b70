//! The spans in which the runtime logs its messages.

#![cfg(feature = "tracing")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests and their handlers may panic")]

use std::io::{BufRead as _, BufReader};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, stream};
use lambda_runtime_emulator::{Emulator, Event};
use lambda_runtime_tokio::layers::TracingLayer;
use lambda_runtime_tokio::tracing::subscriber::fmt::format::FmtSpan;
use lambda_runtime_tokio::tracing::subscriber::util::SubscriberInitExt as _;
use lambda_runtime_tokio::tracing::{Level, subscriber};
use lambda_runtime_tokio::{Error, LambdaEvent, Runtime, StreamResponse, service_fn};
use serde_json::Value;

async fn fails(
    event: LambdaEvent<String>,
) -> Result<StreamResponse<impl Stream<Item = Result<Bytes, Error>> + Unpin>, Error> {
    match event.payload.as_str() {
        "panic" => panic!("message"),
        "interrupted" => Ok(StreamResponse::from(stream::iter([Ok(Bytes::from("chunk")), Err("message".into())]))),
        _ => Err("message".into()),
    }
}

/// Events for which the handler fails, each in another way.
const EVENTS: [&str; 4] = [r#""error""#, r#""panic""#, r#""interrupted""#, "7"];

/// Runs a function and returns the lines that it logs, one at the end of each span included.
fn logged<R: Future>(run: impl FnOnce() -> R + Send + 'static) -> impl Iterator<Item = Value> {
    let (log, writer) = std::io::pipe().unwrap();
    std::thread::spawn(move || {
        let subscriber = subscriber::fmt()
            .json()
            .with_max_level(Level::DEBUG)
            .with_span_events(FmtSpan::CLOSE)
            .with_writer(Arc::new(writer));
        let _subscriber = subscriber.set_default();
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run());
    });
    BufReader::new(log).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap())
}

#[test]
fn a_failure_is_logged_in_the_span_of_its_invocation() {
    let emulator = Emulator::builder().reserve_port().start().unwrap();
    let address = emulator.endpoint().parse().unwrap();
    let mut log = logged(|| Runtime::new(service_fn(fails)).layer(TracingLayer::new()).address(address).run());
    for (request_id, event) in ["1", "2", "3", "4"].into_iter().zip(EVENTS) {
        emulator.invoke(Event::new(event).request_id(request_id)).unwrap();
        let line = log.find(|line| line["level"] == "ERROR").unwrap();
        assert_eq!(line["span"]["requestId"], request_id, "{line}");
    }
}

#[test]
#[cfg(feature = "opentelemetry")]
fn the_span_of_a_failure_is_closed_before_spans_are_flushed() {
    use lambda_runtime_tokio::layers::OpenTelemetryLayer;
    use lambda_runtime_tokio::tracing::info;

    let emulator = Emulator::builder().reserve_port().start().unwrap();
    let address = emulator.endpoint().parse().unwrap();
    let layer = OpenTelemetryLayer::new(|| info!("flush"));
    let mut log = logged(|| Runtime::new(service_fn(fails)).layer(layer).address(address).run());
    for event in EVENTS {
        emulator.invoke(event).unwrap();
        let error = log.find(|line| line["level"] == "ERROR").unwrap();
        assert_eq!(error["span"]["name"], "Lambda function invocation", "{error}");
        let messages = [log.next(), log.next()].map(|line| line.unwrap()["fields"]["message"].clone());
        assert_eq!(messages, ["close", "flush"]);
    }
}

#[test]
fn the_start_of_many_workers_is_an_event_as_in_the_original() {
    let emulator = Emulator::builder().reserve_port().concurrency(3).start().unwrap();
    let environment = emulator.environment();
    let mut log = logged(|| Runtime::new(service_fn(fails)).environment(environment).run_concurrent());
    let line = log.find(|line| line["fields"]["event"] == "runtime_worker_pool_initializing").unwrap();
    let counts = [&line["fields"]["worker_count"], &line["fields"]["execution_environment_max_concurrency"]];
    assert_eq!((counts, &line["level"]), ([&Value::from(3), &Value::from(3)], &Value::from("DEBUG")));
}
