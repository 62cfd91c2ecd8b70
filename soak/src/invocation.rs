//! One invocation: its event, and the check of its outcome.

use base64::Engine as _;
use conformance::RecordedRequest;
use fastrand::Rng;
use lambda_runtime_proto::Endpoint;
use serde_json::Value;

use crate::function::{Chunks, End, Job, Task, failure_message, panic_message};

const PRELUDE: &[u8] =
    b"{\"statusCode\":200,\"headers\":{\"content-type\":\"application/octet-stream\"},\"cookies\":[]}\0\0\0\0\0\0\0\0";

/// An event and its headers.
pub struct Invocation {
    pub id: String,
    /// JSON, truncated in some invocations.
    pub event: Vec<u8>,
    /// Must be echoed if it is present.
    pub invocation_id: Option<String>,
    number: u64,
    outcome: Outcome,
}

/// The expected outcome.
enum Outcome {
    /// A response with the event.
    Echo,
    /// An error with this type in the header, and a message that ends in this text.
    Failure(&'static str, String),
    /// A streamed response.
    Stream(Chunks),
}

impl Invocation {
    /// Draws the invocation with this number.
    pub fn draw(number: u64, rng: &mut Rng) -> Self {
        let task = match rng.u32(0..100) {
            0..62 => Task::Echo,
            62..68 => Task::Fail,
            68..70 => Task::Panic,
            _ => Task::Stream(chunks(number, rng)),
        };
        let job = Job { number, turns: few(rng), task, fill: "fill ".repeat(size(rng) / 5) };
        let mut event = serde_json::to_vec(&job).expect("a job is JSON");
        let mut outcome = match task {
            Task::Echo => Outcome::Echo,
            Task::Fail => Outcome::Failure("Function.OutOfStock", failure_message(number)),
            Task::Panic => Outcome::Failure("Function.Panic", panic_message(number)),
            // A stream that fails before its first chunk is reported as an error.
            Task::Stream(Chunks { count: 0, turns: 0, end: End::Fail, .. }) => {
                Outcome::Failure("Function.OutOfApples", failure_message(number))
            }
            Task::Stream(Chunks { count: 0, turns: 0, end: End::Panic, .. }) => {
                Outcome::Failure("Function.Panic", panic_message(number))
            }
            Task::Stream(chunks) => Outcome::Stream(chunks),
        };
        if rng.u32(0..100) == 0 {
            event.pop();
            outcome = Outcome::Failure("Runtime.BadEvent", format!("at line 1 column {}", event.len()));
        }
        Self {
            id: format!("8476a536-e9f4-11e8-9739-{number:012x}"),
            event,
            invocation_id: rng.bool().then(|| format!("opaque-{number}")),
            number,
            outcome,
        }
    }

    /// Whether the event can be decoded.
    pub fn is_readable(&self) -> bool {
        !matches!(self.outcome, Outcome::Failure("Runtime.BadEvent", _))
    }

    /// Whether the event and the outcome use little memory.
    pub fn is_small(&self) -> bool {
        self.event.len() + self.outcome_len() < 128 * 1024
    }

    /// Whether the response is streamed, and so not resent.
    pub fn streams(&self) -> bool {
        matches!(self.outcome, Outcome::Stream(_))
    }

    /// The approximate length of the outcome's body.
    pub fn outcome_len(&self) -> usize {
        match &self.outcome {
            Outcome::Echo => self.event.len(),
            Outcome::Failure(..) => 80,
            Outcome::Stream(chunks) => PRELUDE.len() + chunks.payload().len(),
        }
    }

    /// Checks the part of the outcome that has arrived.
    pub fn check(&self, request: &RecordedRequest) -> Result<(), String> {
        let endpoint = if matches!(self.outcome, Outcome::Failure(..)) { Endpoint::Error } else { Endpoint::Response };
        self.same("the endpoint", &request.endpoint, &endpoint)?;
        self.same("the id in the path", &request.id, &self.id)?;
        let echoed = request.header("lambda-runtime-invocation-id");
        self.same("the invocation id", &echoed, &self.invocation_id.as_deref())?;
        match &self.outcome {
            Outcome::Echo => {
                self.same("the content type", &request.header("content-type"), &Some("application/json"))?;
                self.body(request, &self.event)
            }
            Outcome::Failure(error_type, message) => {
                let header = request.header("lambda-runtime-function-error-type");
                self.same("the error type's header", &header, &Some(*error_type))?;
                if request.complete { self.report(&request.body, message) } else { Ok(()) }
            }
            Outcome::Stream(chunks) => {
                let mode = request.header("lambda-runtime-function-response-mode");
                self.same("the response mode", &mode, &Some("streaming"))?;
                self.body(request, &[PRELUDE, &chunks.payload()].concat())?;
                if request.complete { self.trailers(request, chunks.end) } else { Ok(()) }
            }
        }
    }

    fn body(&self, request: &RecordedRequest, expected: &[u8]) -> Result<(), String> {
        if if request.complete { request.body == expected } else { expected.starts_with(&request.body) } {
            return Ok(());
        }
        let differs = request.body.iter().zip(expected).position(|(got, expected)| got != expected);
        Err(format!(
            "invocation {}: wrong body of the outcome: {} of {} bytes, complete: {}, first difference at {:?}",
            self.number,
            request.body.len(),
            expected.len(),
            request.complete,
            differs
        ))
    }

    fn report(&self, json: &[u8], ending: &str) -> Result<(), String> {
        let report: Value = serde_json::from_slice(json).unwrap_or_default();
        match (report["errorMessage"].as_str(), &report["errorType"], &report["stackTrace"]) {
            (Some(message), Value::String(_), Value::Array(_)) if message.ends_with(ending) => Ok(()),
            _ => Err(format!(
                "the error of invocation {} has no message that ends in \"{ending}\": {report}",
                self.number
            )),
        }
    }

    fn trailers(&self, request: &RecordedRequest, end: End) -> Result<(), String> {
        let (error_type, message) = match end {
            End::Finish => return self.same("the trailers", &request.trailers, &Vec::new()),
            End::Fail => ("Function.OutOfApples", failure_message(self.number)),
            End::Panic => ("Function.Panic", panic_message(self.number)),
        };
        let trailer = request.trailer("lambda-runtime-function-error-type");
        self.same("the trailer of the error type", &trailer, &Some(error_type))?;
        let body = request.trailer("lambda-runtime-function-error-body").unwrap_or_default();
        let json = base64::engine::general_purpose::STANDARD.decode(body).unwrap_or_default();
        self.report(&json, &message)
    }

    fn same<T: PartialEq + std::fmt::Debug>(&self, what: &str, got: &T, expected: &T) -> Result<(), String> {
        if got == expected {
            return Ok(());
        }
        Err(format!("{what} of the outcome of invocation {} is {got:?}, expected {expected:?}", self.number))
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

/// Usually zero.
fn few(rng: &mut Rng) -> usize {
    rng.u32(0..8).saturating_sub(5) as usize
}

/// Usually small, rarely up to the largest event.
fn size(rng: &mut Rng) -> usize {
    if rng.u32(0..1000) == 0 { rng.usize(0..6 << 20) } else { small(rng) }
}

/// A size with a random number of bits.
fn small(rng: &mut Rng) -> usize {
    let bits = rng.u32(0..15);
    rng.usize(0..1 << bits)
}
