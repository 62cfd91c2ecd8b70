//! One invocation: its event, and whether an answer is the right one.

use base64::Engine as _;
use conformance::RecordedRequest;
use fastrand::Rng;
use lambda_runtime_proto::Endpoint;
use serde_json::Value;

use crate::function::{Chunks, End, Job, Task, failure_words, panic_words};

const PRELUDE: &[u8] =
    b"{\"statusCode\":200,\"headers\":{\"content-type\":\"application/octet-stream\"},\"cookies\":[]}\0\0\0\0\0\0\0\0";

/// An event, with what is sent around it.
pub struct Invocation {
    pub id: String,
    /// JSON; cut off where it asks for nothing.
    pub event: Vec<u8>,
    /// To be echoed exactly when it is there.
    pub invocation_id: Option<String>,
    number: u64,
    answer: Answer,
}

/// How it is to be answered.
enum Answer {
    /// The event comes back.
    Echo,
    /// At /error, with this type in the header and a message that ends so.
    Failure(&'static str, String),
    /// As a stream, which ends so.
    Stream(Chunks),
}

impl Invocation {
    /// The one with this number.
    pub fn draw(number: u64, rng: &mut Rng) -> Self {
        let task = match rng.u32(0..100) {
            0..62 => Task::Echo,
            62..68 => Task::Fail,
            68..70 => Task::Panic,
            _ => Task::Stream(chunks(number, rng)),
        };
        let job = Job { number, turns: few(rng), task, fill: "fill ".repeat(size(rng) / 5) };
        let mut event = serde_json::to_vec(&job).expect("a job is JSON");
        let mut answer = match task {
            Task::Echo => Answer::Echo,
            Task::Fail => Answer::Failure("Function.OutOfStock", failure_words(number)),
            Task::Panic => Answer::Failure("Function.Panic", panic_words(number)),
            // What fails before there is anything to stream is no torn stream.
            Task::Stream(Chunks { count: 0, turns: 0, end: End::Fail, .. }) => {
                Answer::Failure("Function.OutOfApples", failure_words(number))
            }
            Task::Stream(Chunks { count: 0, turns: 0, end: End::Panic, .. }) => {
                Answer::Failure("Function.Panic", panic_words(number))
            }
            Task::Stream(chunks) => Answer::Stream(chunks),
        };
        if rng.u32(0..100) == 0 {
            event.pop();
            answer = Answer::Failure("Runtime.BadEvent", format!("at line 1 column {}", event.len()));
        }
        Self {
            id: format!("8476a536-e9f4-11e8-9739-{number:012x}"),
            event,
            invocation_id: rng.bool().then(|| format!("opaque-{number}")),
            number,
            answer,
        }
    }

    /// The handler gets to see it.
    pub fn is_readable(&self) -> bool {
        !matches!(self.answer, Answer::Failure("Runtime.BadEvent", _))
    }

    /// Neither its event nor its answer takes memory worth speaking of.
    pub fn is_small(&self) -> bool {
        self.event.len() + self.answer_len() < 128 * 1024
    }

    /// It is answered with a stream, which is not sent again.
    pub fn streams(&self) -> bool {
        matches!(self.answer, Answer::Stream(_))
    }

    /// About how long the answer's body is.
    pub fn answer_len(&self) -> usize {
        match &self.answer {
            Answer::Echo => self.event.len(),
            Answer::Failure(..) => 80,
            Answer::Stream(chunks) => PRELUDE.len() + chunks.payload().len(),
        }
    }

    /// The answer is the right one, as far as it has come.
    pub fn check(&self, taken: &RecordedRequest) -> Result<(), String> {
        let endpoint = if matches!(self.answer, Answer::Failure(..)) { Endpoint::Error } else { Endpoint::Response };
        self.same("the endpoint", &taken.endpoint, &endpoint)?;
        self.same("the id in the path", &taken.id, &self.id)?;
        let echoed = taken.header("lambda-runtime-invocation-id");
        self.same("the invocation id", &echoed, &self.invocation_id.as_deref())?;
        match &self.answer {
            Answer::Echo => {
                self.same("the content type", &taken.header("content-type"), &Some("application/json"))?;
                self.body(taken, &self.event)
            }
            Answer::Failure(error_type, words) => {
                let header = taken.header("lambda-runtime-function-error-type");
                self.same("the error type's header", &header, &Some(*error_type))?;
                if taken.complete { self.report(&taken.body, words) } else { Ok(()) }
            }
            Answer::Stream(chunks) => {
                let mode = taken.header("lambda-runtime-function-response-mode");
                self.same("the response mode", &mode, &Some("streaming"))?;
                self.body(taken, &[PRELUDE, &chunks.payload()].concat())?;
                if taken.complete { self.trailers(taken, chunks.end) } else { Ok(()) }
            }
        }
    }

    fn body(&self, taken: &RecordedRequest, wanted: &[u8]) -> Result<(), String> {
        if if taken.complete { taken.body == wanted } else { wanted.starts_with(&taken.body) } {
            return Ok(());
        }
        let differs = taken.body.iter().zip(wanted).position(|(got, wanted)| got != wanted);
        Err(format!(
            "the body of the answer to invocation {} is wrong: {} bytes of {}, whole: {}, the first that differs is {:?}",
            self.number,
            taken.body.len(),
            wanted.len(),
            taken.complete,
            differs
        ))
    }

    fn report(&self, json: &[u8], words: &str) -> Result<(), String> {
        let report: Value = serde_json::from_slice(json).unwrap_or_default();
        match (report["errorMessage"].as_str(), &report["errorType"], &report["stackTrace"]) {
            (Some(message), Value::String(_), Value::Array(_)) if message.ends_with(words) => Ok(()),
            _ => Err(format!("the error of invocation {} has no message that ends \"{words}\": {report}", self.number)),
        }
    }

    fn trailers(&self, taken: &RecordedRequest, end: End) -> Result<(), String> {
        let (error_type, words) = match end {
            End::Finish => return self.same("the trailers", &taken.trailers, &Vec::new()),
            End::Fail => ("Function.OutOfApples", failure_words(self.number)),
            End::Panic => ("Function.Panic", panic_words(self.number)),
        };
        let trailer = taken.trailer("lambda-runtime-function-error-type");
        self.same("the trailer of the error type", &trailer, &Some(error_type))?;
        let body = taken.trailer("lambda-runtime-function-error-body").unwrap_or_default();
        let json = base64::engine::general_purpose::STANDARD.decode(body).unwrap_or_default();
        self.report(&json, &words)
    }

    fn same<T: PartialEq + std::fmt::Debug>(&self, what: &str, got: &T, wanted: &T) -> Result<(), String> {
        if got == wanted {
            return Ok(());
        }
        Err(format!("{what} of the answer to invocation {} is {got:?} and not {wanted:?}", self.number))
    }
}

fn chunks(number: u64, rng: &mut Rng) -> Chunks {
    let end = match rng.u32(0..10) {
        0 => End::Fail,
        1 => End::Panic,
        _ => End::Finish,
    };
    // A long one fills the sockets' buffers, so that the function has to wait for the API.
    let (count, size) = if rng.u32(0..500) == 0 { (64, 65536) } else { (rng.u64(0..12), small(rng)) };
    Chunks { number, count, size, turns: few(rng), end }
}

/// Mostly none.
fn few(rng: &mut Rng) -> usize {
    rng.u32(0..8).saturating_sub(5) as usize
}

/// Now and then as much as Lambda delivers.
fn size(rng: &mut Rng) -> usize {
    if rng.u32(0..1000) == 0 { rng.usize(0..6 << 20) } else { small(rng) }
}

/// Any number of bytes, with any number of digits.
fn small(rng: &mut Rng) -> usize {
    let bits = rng.u32(0..15);
    rng.usize(0..1 << bits)
}
