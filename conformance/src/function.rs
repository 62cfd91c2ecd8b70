//! The function that the scenarios invoke: the event says what it does.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use lambda_runtime_base::streaming::Body;
use lambda_runtime_base::{Diagnostic, FunctionResponse, LambdaEvent, StreamResponse};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// What [`handle`] returns.
pub type Reply = Result<FunctionResponse<Answer, Body>, Diagnostic>;

/// A buffered response: JSON, or what cannot become JSON.
#[derive(Debug)]
pub enum Answer {
    /// This.
    Json(Value),
    /// A map whose keys are no strings.
    Impossible,
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Answer::Json(value) => value.serialize(serializer),
            Answer::Impossible => BTreeMap::from([((1, 2), 3)]).serialize(serializer),
        }
    }
}

/// Does what the event's `do` says, and echoes an event without.
pub async fn handle(event: LambdaEvent<Value>) -> Reply {
    if let Some(milliseconds) = event.payload["after_ms"].as_u64() {
        Timer::after(Duration::from_millis(milliseconds)).await;
    }
    let number = |name: &str| usize::try_from(event.payload[name].as_u64().unwrap_or_default()).unwrap();
    let buffered = |value| Ok(FunctionResponse::BufferedResponse(Answer::Json(value)));
    match event.payload["do"].as_str() {
        None => buffered(event.payload),
        Some("context") => buffered(serde_json::to_value(&event.context).unwrap()),
        Some("large") => buffered(json!("x".repeat(number("bytes")))),
        Some("wait") => {
            Turns(number("turns")).await;
            buffered(json!("waited"))
        }
        Some("error") => Err(Diagnostic { error_type: "OutOfStock".into(), error_message: "no apples left".into() }),
        Some("io error") => Err(std::io::Error::other("no disk").into()),
        Some("panic") => panic!("asked to panic"),
        Some("impossible") => Ok(FunctionResponse::BufferedResponse(Answer::Impossible)),
        Some("stream") => {
            let chunks = Chunks { left: number("chunks"), size: number("bytes").max(1), ..Chunks::default() };
            let chunks = match event.payload["then"].as_str() {
                Some("error") => Chunks { end: End::Error, ..chunks },
                Some("panic") => Chunks { end: End::Panic, ..chunks },
                Some("trailers") => Chunks { end: End::Trailers(4), ..chunks },
                Some("long trailers") => Chunks { end: End::Trailers(5000), ..chunks },
                Some("nothing") => Chunks { end: End::Never, ..chunks },
                _ => chunks,
            };
            let chunks = Chunks { turns: number("turns"), empty: number("empty"), ..chunks };
            let mut response = StreamResponse::from(Body::new(chunks));
            if let Some(length) = event.payload["header"].as_u64() {
                let value = "x".repeat(usize::try_from(length).unwrap()).parse().unwrap();
                response.metadata_prelude.headers.insert("x-long", value);
            }
            Ok(FunctionResponse::StreamingResponse(response))
        }
        Some(other) => panic!("no such thing to do: {other}"),
    }
}

/// Is ready after a time, on any executor.
struct Timer(Arc<Mutex<Timing>>);

#[derive(Default)]
struct Timing {
    over: bool,
    waker: Option<Waker>,
}

impl Timer {
    fn after(duration: Duration) -> Self {
        let timing = Arc::new(Mutex::new(Timing::default()));
        let on_thread = Arc::clone(&timing);
        std::thread::spawn(move || {
            std::thread::sleep(duration);
            let mut timing = on_thread.lock().unwrap();
            timing.over = true;
            timing.waker.take().map(Waker::wake)
        });
        Self(timing)
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut timing = self.0.lock().unwrap();
        timing.waker = Some(cx.waker().clone());
        if timing.over { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// A future that is ready after so many polls.
#[derive(Debug)]
pub struct Turns(pub usize);

impl Future for Turns {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A body of chunks, each of one letter, a to z and again.
#[derive(Debug, Default)]
struct Chunks {
    left: usize,
    size: usize,
    /// So many empty ones first.
    empty: usize,
    /// Not ready so many times before each.
    turns: usize,
    turn: usize,
    letter: u8,
    end: End,
}

#[derive(Debug, Default)]
enum End {
    #[default]
    Finish,
    /// With a value of this length.
    Trailers(usize),
    Error,
    Panic,
    Never,
    Over,
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Diagnosed;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Diagnosed>>> {
        if self.turn < self.turns {
            self.turn += 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.turn = 0;
        if self.empty > 0 {
            self.empty -= 1;
            return Poll::Ready(Some(Ok(Frame::data(Bytes::new()))));
        }
        if self.left > 0 {
            self.left -= 1;
            let letter = b'a' + self.letter % 26;
            self.letter = self.letter.wrapping_add(1) % 26;
            return Poll::Ready(Some(Ok(Frame::data(vec![letter; self.size].into()))));
        }
        match std::mem::replace(&mut self.end, End::Over) {
            End::Finish => Poll::Ready(None),
            End::Trailers(length) => Poll::Ready(Some(Ok(Frame::trailers(trailers(length))))),
            End::Error => Poll::Ready(Some(Err(Diagnosed))),
            End::Panic => panic!("asked to panic midway"),
            End::Never => {
                self.end = End::Never;
                Poll::Pending
            }
            End::Over => panic!("polled after its end"),
        }
    }
}

/// One of one's own, and one that would contradict the message's framing.
fn trailers(length: usize) -> HeaderMap {
    [("x-checksum", &*"1".repeat(length)), ("content-length", "7")]
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .into_iter()
        .collect()
}

/// The error of a stream.
#[derive(Debug)]
struct Diagnosed;

impl std::fmt::Display for Diagnosed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the source ran dry")
    }
}

impl std::error::Error for Diagnosed {}
