//! The handler: the event names the operation.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::yield_now;
use http::HeaderMap;
use http_body::Frame;
use lambda_runtime_base::streaming::Body;
use lambda_runtime_base::{Diagnostic, FunctionResponse, LambdaEvent, StreamResponse, current};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::signal;
use super::timer::Timer;

thread_local! {
    /// Work after a response has ended.
    static WORK_HAS_ENDED: Cell<bool> = const { Cell::new(false) };
}

/// The result of [`handle`].
pub type HandlerResult = Result<FunctionResponse<Payload, Body>, Diagnostic>;

/// The payload of a buffered response.
#[derive(Debug)]
pub enum Payload {
    /// JSON.
    Json(Value),
    /// A map whose keys are not strings, which JSON cannot express.
    NotSerializable,
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Payload::Json(value) => value.serialize(serializer),
            Payload::NotSerializable => BTreeMap::from([((1, 2), 3)]).serialize(serializer),
        }
    }
}

/// Performs the operation named by `do` in the event, or else echoes the event.
///
/// | `do` | further fields | result |
/// |---|---|---|
/// | | `after_ms` | any operation starts after this delay |
/// | `context` | | the context as JSON |
/// | `large` | `bytes` | a string of this length |
/// | `yield` | `yields` | `"yielded"`, after this many polls |
/// | `current` | | the request id of the current invocation |
/// | `work` | `work_ms` | `"working"`, with work after the response that takes this long, or does not end |
/// | `work has ended` | | whether such work has ended on this thread, since it was asked last |
/// | `error`, `io error`, `panic` | `bytes` that the message of `error` is longer | a failure |
/// | `exit` | `code` | the process ends |
/// | `not serializable` | | a response that cannot be serialized |
/// | `stream` | `chunks`, `bytes` of each; `empty` chunks first; before each chunk `yields` or `every_ms`; `then`; `header` length; `panics_in_drop` | a streamed response |
///
/// The `then` of a stream is its end: `error`, `panic`, `trailers`, `long trailers`, `nothing` (it never ends), or by
/// default a regular one.
pub async fn handle(event: LambdaEvent<Value>) -> HandlerResult {
    let event_payload = &event.payload;
    if let Some(milliseconds) = event_payload["after_ms"].as_u64() {
        Timer::after(Duration::from_millis(milliseconds)).await;
    }
    let number = |name: &str| usize::try_from(event_payload[name].as_u64().unwrap_or_default()).unwrap();
    let buffered = |value| Ok(FunctionResponse::BufferedResponse(Payload::Json(value)));
    match event_payload["do"].as_str() {
        None => buffered(event.payload),
        Some("context") => buffered(serde_json::to_value(&event.context).unwrap()),
        Some("large") => buffered(json!("x".repeat(number("bytes")))),
        Some("yield") => {
            yields(number("yields")).await;
            buffered(json!("yielded"))
        }
        Some("current") => buffered(json!(current().map(|current| current.request_id().to_owned()))),
        Some("work") => {
            let milliseconds = event_payload["work_ms"].as_u64();
            let work = async move {
                match milliseconds {
                    Some(milliseconds) => Timer::after(Duration::from_millis(milliseconds)).await,
                    None => std::future::pending().await,
                }
                WORK_HAS_ENDED.set(true);
            };
            event.context.wait_until(work).unwrap();
            buffered(json!("working"))
        }
        Some("work has ended") => buffered(json!(WORK_HAS_ENDED.take())),
        Some("error") => {
            let Diagnostic { error_type, error_message } = out_of_stock();
            Err(Diagnostic { error_type, error_message: error_message + &"x".repeat(number("bytes")) })
        }
        Some("exit") => std::process::exit(i32::try_from(number("code")).unwrap()),
        Some("io error") => Err(std::io::Error::other("no disk").into()),
        Some("panic") => panic!("asked to panic"),
        Some("not serializable") => Ok(FunctionResponse::BufferedResponse(Payload::NotSerializable)),
        Some("stream") => {
            let chunks = Chunks {
                left: number("chunks"),
                size: number("bytes").max(1),
                empty: number("empty"),
                delay: match event_payload["every_ms"].as_u64() {
                    Some(milliseconds) => Delay::Timer(Duration::from_millis(milliseconds)),
                    None => Delay::Yields(number("yields")),
                },
                waiting: None,
                letter: 0,
                signal: event_payload["signal"].as_u64(),
                panics_in_drop: event_payload["panics_in_drop"] == true,
                end: match event_payload["then"].as_str() {
                    None => End::Finish,
                    Some("error") => End::Error,
                    Some("panic") => End::Panic,
                    Some("trailers") => End::Trailers(4),
                    Some("long trailers") => End::Trailers(5000),
                    Some("nothing") => End::Never,
                    Some(other) => panic!("unknown end of a stream: {other}"),
                },
            };
            let mut response = StreamResponse::from(Body::new(chunks));
            if let Some(length) = event_payload["header"].as_u64() {
                let value = "x".repeat(usize::try_from(length).unwrap()).parse().unwrap();
                response.metadata_prelude.headers.insert("x-long", value);
            }
            Ok(FunctionResponse::StreamingResponse(response))
        }
        Some(other) => panic!("unknown operation: {other}"),
    }
}

/// The error of the contract.
pub(super) fn out_of_stock() -> Diagnostic {
    Diagnostic { error_type: "OutOfStock".into(), error_message: "no apples left".into() }
}

async fn yields(times: usize) {
    for _ in 0..times {
        yield_now().await;
    }
}

/// A body whose chunks consist of one letter each: a to z, then a again.
struct Chunks {
    left: usize,
    size: usize,
    /// Empty chunks that come first.
    empty: usize,
    /// Delay before each chunk.
    delay: Delay,
    waiting: Option<Waiting>,
    letter: u8,
    /// The signal that is sent once the first chunk was taken.
    signal: Option<u64>,
    panics_in_drop: bool,
    end: End,
}

impl Drop for Chunks {
    fn drop(&mut self) {
        assert!(!self.panics_in_drop, "asked to panic in drop");
    }
}

enum Delay {
    Yields(usize),
    Timer(Duration),
}

type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Delay {
    fn start(&self) -> Waiting {
        match *self {
            Delay::Yields(count) => Box::pin(yields(count)),
            Delay::Timer(delay) => Box::pin(Timer::after(delay)),
        }
    }
}

enum End {
    Finish,
    /// Trailers with a value of this length.
    Trailers(usize),
    Error,
    Panic,
    Never,
    Over,
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = SourceError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, SourceError>>> {
        if self.letter > 0
            && let Some(signal) = self.signal.take()
        {
            signal::send(signal);
        }
        let mut waiting = self.waiting.take().unwrap_or_else(|| self.delay.start());
        if waiting.as_mut().poll(cx).is_pending() {
            self.waiting = Some(waiting);
            return Poll::Pending;
        }
        if self.empty > 0 {
            self.empty -= 1;
            return Poll::Ready(Some(Ok(Frame::data(Bytes::new()))));
        }
        if self.left > 0 {
            self.left -= 1;
            let letter = b'a' + self.letter % 26;
            self.letter = self.letter % 26 + 1;
            return Poll::Ready(Some(Ok(Frame::data(vec![letter; self.size].into()))));
        }
        match std::mem::replace(&mut self.end, End::Over) {
            End::Finish => Poll::Ready(None),
            End::Trailers(length) => Poll::Ready(Some(Ok(Frame::trailers(trailers(length))))),
            End::Error => Poll::Ready(Some(Err(SourceError))),
            End::Panic => panic!("asked to panic midway"),
            End::Never => {
                self.end = End::Never;
                Poll::Pending
            }
            End::Over => panic!("polled after its end"),
        }
    }
}

/// A trailer of the function's own, and one that would contradict the framing of the message.
fn trailers(length: usize) -> HeaderMap {
    [("x-checksum", &*"1".repeat(length)), ("content-length", "7")]
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .into_iter()
        .collect()
}

/// The error of a stream.
#[derive(Debug)]
struct SourceError;

impl std::fmt::Display for SourceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the source ran dry")
    }
}

impl std::error::Error for SourceError {}
