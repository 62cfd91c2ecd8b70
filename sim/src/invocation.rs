//! One invocation: its event, and the check of its outcome.

use base64::Engine as _;
use bytes::Bytes;
use fastrand::Rng;
use lambda_runtime_proto::Endpoint;
use lambda_runtime_proto::server::{Request, Trailers};
use serde_json::Value;

use crate::job::{Chunks, End, Job, Task, failure_message, panic_message};

const PRELUDE: &[u8] =
    b"{\"statusCode\":200,\"headers\":{\"content-type\":\"application/octet-stream\"},\"cookies\":[]}\0\0\0\0\0\0\0\0";

/// The largest event that Lambda delivers.
pub const LARGEST_EVENT: usize = 6 * 1024 * 1024 + 100;

/// Requirements of a sandbox on its invocations.
#[derive(Debug, Clone, Copy)]
pub struct Kinds {
    /// A layer ends an invocation before its deadline.
    pub has_deadline_layer: bool,
}

/// An event and its expected outcome.
#[derive(Debug)]
pub struct Invocation {
    pub number: u64,
    /// JSON; truncated if it is a bad event.
    pub event: Bytes,
    /// Echoed if and only if it is there.
    pub invocation_id: Option<String>,
    /// The client context is not JSON.
    pub has_bad_header: bool,
    /// The event is announced to be larger than the limit.
    pub is_too_large: bool,
    expects: Outcome,
    /// The handler or its stream never completes.
    pub is_stuck: bool,
}

#[derive(Debug)]
enum Outcome {
    Echo,
    /// The type in the header, and the end of the message.
    Failure(&'static str, String),
    Stream(Bytes, StreamEnd),
}

#[derive(Debug)]
enum StreamEnd {
    Complete,
    Failed(&'static str, String),
}

/// The outcome that is being received.
#[derive(Debug)]
pub struct Received {
    pub number: u64,
    pub endpoint: Endpoint,
    /// The outcome is not the expected one, for a reason that excuses it.
    substitute: Option<&'static str>,
    offset: usize,
    report: Vec<u8>,
}

impl Invocation {
    /// Draws the invocation with this number. Its sandbox can end a stuck one only if it has the layer for it.
    pub fn draw(number: u64, rng: &mut Rng, kinds: Kinds, allow_stuck: bool) -> Self {
        let mut is_stuck = false;
        let task = match rng.u32(0..1000) {
            0..560 => Task::Echo,
            560..620 => Task::Sleep(1 << rng.u32(0..21)),
            620..680 => Task::Fail,
            680..700 => Task::Panic,
            700..720 if allow_stuck => Task::Stuck,
            _ => Task::Stream(chunks(rng, allow_stuck)),
        };
        let fill = match rng.u32(0..25_000) {
            0..6 => 60_000,
            // As much as Lambda delivers.
            6 => usize::MAX,
            _ => below_power(rng),
        };
        let turns = rng.u32(0..8).saturating_sub(5);
        let work = (rng.u32(0..8) == 0).then(|| (rng.u32(0..4), 1 << rng.u32(0..12)));
        let mut job = Job { number, turns, task, work, fill: String::new() };
        let fixed = if fill == usize::MAX { serde_json::to_vec(&job).expect("a job is JSON").len() } else { 0 };
        // One of this size fits exactly.
        job.fill = "f".repeat(if fill == usize::MAX { LARGEST_EVENT - fixed } else { fill });
        let mut event = serde_json::to_vec(&job).expect("a job is JSON");
        let deadline = "ms before its deadline because it was still running";
        let mut expects = match task {
            Task::Echo | Task::Sleep(_) => Outcome::Echo,
            Task::Fail => Outcome::Failure("Function.OutOfStock", failure_message(number)),
            Task::Panic => Outcome::Failure("Function.Panic", panic_message(number)),
            Task::Stuck => {
                is_stuck = true;
                Outcome::Failure("Function.DeadlineNear", deadline.to_owned())
            }
            // A failure before the first chunk is reported like that of a buffered response.
            Task::Stream(Chunks { count: 0, turns: 0, pause: 0, end: End::Fail, .. }) => {
                Outcome::Failure("Function.OutOfApples", failure_message(number))
            }
            Task::Stream(Chunks { count: 0, turns: 0, pause: 0, end: End::Panic, .. }) => {
                Outcome::Failure("Function.Panic", panic_message(number))
            }
            Task::Stream(chunks) => {
                is_stuck = chunks.end == End::Stuck;
                let end = match chunks.end {
                    End::Finish => StreamEnd::Complete,
                    End::Fail => StreamEnd::Failed("Function.OutOfApples", failure_message(number)),
                    End::Panic => StreamEnd::Failed("Function.Panic", panic_message(number)),
                    End::Stuck => StreamEnd::Failed("Function.DeadlineNear", deadline.to_owned()),
                };
                Outcome::Stream([PRELUDE, &chunks.payload(number)].concat().into(), end)
            }
        };
        let odd = rng.u32(0..400);
        if odd < 4 && !is_stuck {
            event.pop();
            expects = Outcome::Failure("Runtime.BadEvent", format!("at line 1 column {}", event.len()));
        }
        let has_bad_header = odd == 4 && !is_stuck;
        if has_bad_header {
            expects = Outcome::Failure("Runtime.BadHeader", String::new());
        }
        let is_too_large = odd == 5 && !is_stuck;
        if is_too_large {
            let message = format!("the event is larger than {LARGEST_EVENT} bytes, the most that Lambda sends");
            expects = Outcome::Failure("Runtime.EventTooLarge", message);
        }
        debug_assert!(!is_stuck || allow_stuck || kinds.has_deadline_layer);
        Self {
            number,
            event: event.into(),
            invocation_id: rng.bool().then(|| format!("opaque-{number}")),
            has_bad_header,
            is_too_large,
            expects,
            is_stuck,
        }
    }

    /// The handler is called for it.
    pub fn is_readable(&self) -> bool {
        !matches!(self.expects, Outcome::Failure("Runtime.BadEvent" | "Runtime.BadHeader" | "Runtime.EventTooLarge", _))
    }

    pub fn is_stream(&self) -> bool {
        matches!(self.expects, Outcome::Stream(..))
    }

    /// The runtime must log that it failed.
    pub fn fails(&self) -> bool {
        matches!(self.expects, Outcome::Failure(..) | Outcome::Stream(_, StreamEnd::Failed(..)))
    }

    /// The approximate length of the outcome.
    pub fn outcome_len(&self) -> usize {
        300 + match &self.expects {
            Outcome::Echo => self.event.len(),
            Outcome::Failure(..) => 80,
            Outcome::Stream(body, _) => body.len(),
        }
    }

    /// Checks the head of an outcome. `undelivered`: the real one was interrupted too often, so another one may take its
    /// place. `late`: the layer may have ended it.
    pub fn begin(
        &self,
        request: &Request,
        endpoint: Endpoint,
        undelivered: bool,
        late: bool,
    ) -> Result<Received, String> {
        let headers = request.headers();
        let header = |name: &str| headers.get_str(name);
        let mut substitute = None;
        let error_type = header("lambda-runtime-function-error-type");
        if endpoint == Endpoint::Error {
            if error_type == Some("Runtime.ResponseNotDelivered") && undelivered {
                substitute = Some("Runtime.ResponseNotDelivered");
            } else if error_type == Some("Function.DeadlineNear") && late {
                substitute = Some("Function.DeadlineNear");
            }
        }
        if substitute.is_none() {
            let (expected, expected_type, content_type) = match &self.expects {
                Outcome::Echo => (Endpoint::Response, None, "application/json"),
                Outcome::Failure(error_type, _) => (Endpoint::Error, Some(*error_type), "application/json"),
                Outcome::Stream(..) => {
                    (Endpoint::Response, None, "application/vnd.awslambda.http-integration-response")
                }
            };
            self.same("the endpoint", &endpoint, &expected)?;
            self.same("the header of the error type", &error_type, &expected_type)?;
            self.same("the content type", &header("content-type"), &Some(content_type))?;
            self.same("the streaming mode", &request.is_streaming(), &self.is_stream())?;
            if self.is_stream() {
                let announced: Vec<_> = headers
                    .iter()
                    .filter(|(name, _)| name.eq_ignore_ascii_case("trailer"))
                    .map(|(_, value)| value)
                    .collect();
                self.same("the number of announced trailers", &announced.len(), &2)?;
            }
        }
        self.same("the invocation id", &header("lambda-runtime-invocation-id"), &self.invocation_id.as_deref())?;
        Ok(Received { number: self.number, endpoint, substitute, offset: 0, report: Vec::new() })
    }

    /// Checks a part of the body.
    pub fn data(&self, received: &mut Received, data: &[u8]) -> Result<(), String> {
        let expected = match &self.expects {
            _ if received.endpoint == Endpoint::Error => {
                received.report.extend_from_slice(data);
                return Ok(());
            }
            Outcome::Echo => &self.event,
            Outcome::Stream(body, _) => body,
            Outcome::Failure(..) => {
                return Err(format!("invocation {} has a body and should have failed", self.number));
            }
        };
        let end = received.offset + data.len();
        if expected.get(received.offset..end) != Some(data) {
            return Err(format!(
                "the body of the response to invocation {} is wrong in bytes {}..{end} of {}",
                self.number,
                received.offset,
                expected.len()
            ));
        }
        received.offset = end;
        Ok(())
    }

    /// Checks the end of an outcome that is complete.
    pub fn end(&self, received: &Received, trailers: &Trailers, late: bool) -> Result<(), String> {
        let trailers = trailers.fields();
        let error_type = trailers.get_str("lambda-runtime-function-error-type");
        match &self.expects {
            _ if received.substitute.is_some() => self.report(&received.report, None),
            Outcome::Echo => self.same("the length of the response", &received.offset, &self.event.len()),
            Outcome::Failure(_, message) => self.report(&received.report, Some(message)),
            Outcome::Stream(body, end) => {
                let json = || {
                    let body = trailers.get_str("lambda-runtime-function-error-body").unwrap_or_default();
                    base64::engine::general_purpose::STANDARD.decode(body).unwrap_or_default()
                };
                if late && error_type == Some("Function.DeadlineNear") {
                    return self.report(&json(), None);
                }
                self.same("the length of the stream", &received.offset, &body.len())?;
                match end {
                    StreamEnd::Complete => self.same("the number of trailers", &trailers.iter().count(), &0),
                    StreamEnd::Failed(expected, message) => {
                        self.same("the trailer of the error type", &error_type, &Some(*expected))?;
                        self.report(&json(), Some(message))
                    }
                }
            }
        }
    }

    fn report(&self, json: &[u8], message: Option<&str>) -> Result<(), String> {
        let report: Value = serde_json::from_slice(json).unwrap_or_default();
        match (report["errorMessage"].as_str(), &report["errorType"], &report["stackTrace"]) {
            (Some(text), Value::String(_), Value::Array(_))
                if message.is_none_or(|message| text.ends_with(message)) =>
            {
                Ok(())
            }
            _ => Err(format!(
                "the error of invocation {} has no message that ends in {message:?}: {report}",
                self.number
            )),
        }
    }

    fn same<T: PartialEq + std::fmt::Debug>(&self, what: &str, got: &T, wanted: &T) -> Result<(), String> {
        if got == wanted {
            return Ok(());
        }
        Err(format!("{what} of the outcome of invocation {} is {got:?} and not {wanted:?}", self.number))
    }
}

/// A number of bytes, with any number of digits.
fn below_power(rng: &mut Rng) -> usize {
    let bits = rng.u32(0..11);
    rng.usize(0..1 << bits)
}

fn chunks(rng: &mut Rng, allow_stuck: bool) -> Chunks {
    let end = match rng.u32(0..20) {
        0 | 1 => End::Fail,
        2 | 3 => End::Panic,
        4 if allow_stuck => End::Stuck,
        _ => End::Finish,
    };
    let (count, size) = match rng.u32(0..2000) {
        // More than the runtime may hold.
        0 => (rng.u32(8..24), 32 * 1024),
        1 => (rng.u32(50..400), 1000),
        _ => (rng.u32(0..8), below_power(rng)),
    };
    let pause = if rng.u32(0..8) == 0 { 1 << rng.u32(0..19) } else { 0 };
    Chunks { count, size, turns: rng.u32(0..8).saturating_sub(5), pause, end }
}
