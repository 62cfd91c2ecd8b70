//! An invocation: its event, and the check of its outcome.

use base64::Engine as _;
use bytes::Bytes;
use lambda_runtime_proto::Endpoint;
use lambda_runtime_proto::server::{Request, Route, Trailers};
use serde_json::Value;

use crate::ids::number_of;
use crate::job::{End, Job, Task, failure_message, panic_message};

const PRELUDE: &[u8] =
    b"{\"statusCode\":200,\"headers\":{\"content-type\":\"application/octet-stream\"},\"cookies\":[]}\0\0\0\0\0\0\0\0";

/// The largest event that Lambda delivers.
pub const LARGEST_EVENT: usize = 6 * 1024 * 1024 + 100;

/// The end of the message of an invocation that a layer ended before its deadline.
const DEADLINE: &str = "ms before its deadline because it was still running";

/// An event and its expected outcome.
#[derive(Debug)]
pub struct Invocation {
    pub number: u64,
    /// JSON; incomplete if the event has that [`Defect`].
    pub event: Bytes,
    /// `Lambda-Runtime-Invocation-Id`, which the outcome must repeat.
    pub invocation_id: Option<String>,
    pub defect: Option<Defect>,
    /// Whether the handler or its stream never completes.
    pub is_stuck: bool,
    expects: Outcome,
}

/// A defect of an event, so that the handler is not called for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// The last byte is missing.
    Incomplete,
    /// The client context is not JSON.
    BadHeader,
    /// It is announced to be larger than [`LARGEST_EVENT`].
    TooLarge,
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

/// Reasons for another outcome than the expected one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Excuses {
    /// The outcome was interrupted too often, so a report of that may take its place.
    pub is_undelivered: bool,
    /// A layer may have ended the invocation before its deadline.
    pub is_late: bool,
}

/// An outcome that is being received.
#[derive(Debug)]
pub struct Received {
    pub number: u64,
    pub is_complete: bool,
    endpoint: Endpoint,
    /// The outcome is not the expected one, for a reason that excuses it.
    is_substitute: bool,
    len: usize,
    report: Vec<u8>,
}

impl Received {
    /// The number of bytes of the body so far.
    pub fn body_len(&self) -> usize {
        self.len
    }
}

impl Invocation {
    /// The invocation of this job.
    pub fn new(job: &Job, defect: Option<Defect>, has_invocation_id: bool) -> Self {
        let number = job.number;
        let mut event = serde_json::to_vec(job).expect("a job is JSON");
        let expects = match defect {
            None => Outcome::of(job),
            Some(Defect::Incomplete) => {
                event.pop();
                Outcome::Failure("Runtime.BadEvent", format!("at line 1 column {}", event.len()))
            }
            Some(Defect::BadHeader) => Outcome::Failure("Runtime.BadHeader", String::new()),
            Some(Defect::TooLarge) => Outcome::Failure(
                "Runtime.EventTooLarge",
                format!("the event is larger than {LARGEST_EVENT} bytes, the most that Lambda sends"),
            ),
        };
        Self {
            number,
            event: event.into(),
            invocation_id: has_invocation_id.then(|| format!("opaque-{number}")),
            defect,
            is_stuck: job.is_stuck(),
            expects,
        }
    }

    /// Whether the handler is called for it.
    pub fn is_readable(&self) -> bool {
        self.defect.is_none()
    }

    pub fn is_stream(&self) -> bool {
        matches!(self.expects, Outcome::Stream(..))
    }

    /// Whether the runtime must log that it failed.
    pub fn fails(&self) -> bool {
        matches!(self.expects, Outcome::Failure(..) | Outcome::Stream(_, StreamEnd::Failed(..)))
    }

    /// The length of the body of its outcome; approximate if that is an error.
    pub fn body_len(&self) -> usize {
        match &self.expects {
            Outcome::Echo => self.event.len(),
            Outcome::Failure(..) => 80,
            Outcome::Stream(body, _) => body.len(),
        }
    }

    /// Checks the head of an outcome.
    ///
    /// # Errors
    ///
    /// It is not the head of the expected outcome, nor of one that has an excuse.
    pub fn begin(&self, request: &Request, excuses: Excuses) -> Result<Received, String> {
        let Route::Api(endpoint, id) = request.route() else {
            return Err(format!("{} {} is not a request of the Runtime API", request.method(), request.path()));
        };
        self.same("the number", &number_of(id), &Some(self.number))?;
        let (mut error_type, mut content_type, mut invocation_id, mut trailers) = (None, None, None, 0);
        // In one pass, because the simulation checks millions of heads.
        for (name, value) in request.headers().iter() {
            let value = std::str::from_utf8(value).ok();
            match name {
                _ if name.eq_ignore_ascii_case("lambda-runtime-function-error-type") => error_type = value,
                _ if name.eq_ignore_ascii_case("content-type") => content_type = value,
                _ if name.eq_ignore_ascii_case("lambda-runtime-invocation-id") => invocation_id = value,
                _ if name.eq_ignore_ascii_case("trailer") => trailers += 1,
                _ => {}
            }
        }
        let is_substitute = endpoint == Endpoint::Error
            && (error_type == Some("Runtime.ResponseNotDelivered") && excuses.is_undelivered
                || error_type == Some("Function.DeadlineNear") && excuses.is_late);
        if !is_substitute {
            let (expected, expected_type, expected_content) = match &self.expects {
                Outcome::Echo => (Endpoint::Response, None, "application/json"),
                Outcome::Failure(error_type, _) => (Endpoint::Error, Some(*error_type), "application/json"),
                Outcome::Stream(..) => {
                    (Endpoint::Response, None, "application/vnd.awslambda.http-integration-response")
                }
            };
            self.same("the endpoint", &endpoint, &expected)?;
            self.same("the header of the error type", &error_type, &expected_type)?;
            self.same("the content type", &content_type, &Some(expected_content))?;
            self.same("the streaming mode", &request.is_streaming(), &self.is_stream())?;
            self.same("the number of announced trailers", &trailers, &if self.is_stream() { 2 } else { 0 })?;
        }
        self.same("the invocation id", &invocation_id, &self.invocation_id.as_deref())?;
        Ok(Received { number: self.number, is_complete: false, endpoint, is_substitute, len: 0, report: Vec::new() })
    }

    /// Checks a part of the body.
    ///
    /// # Errors
    ///
    /// The body is not the expected one.
    pub fn data(&self, received: &mut Received, data: &[u8]) -> Result<(), String> {
        let start = received.len;
        received.len += data.len();
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
        if expected.get(start..received.len) == Some(data) {
            return Ok(());
        }
        Err(format!(
            "the body of the response to invocation {} is wrong in bytes {start}..{} of {}",
            self.number,
            received.len,
            expected.len()
        ))
    }

    /// Checks the end of an outcome, which is complete.
    ///
    /// # Errors
    ///
    /// The body is too short, or the message or the trailers are not the expected ones.
    pub fn end(&self, received: &mut Received, trailers: &Trailers, excuses: Excuses) -> Result<(), String> {
        received.is_complete = true;
        let trailers = trailers.fields();
        let error_type = trailers.get_str("lambda-runtime-function-error-type");
        match &self.expects {
            _ if received.is_substitute => self.report(&received.report, None),
            Outcome::Echo => self.same("the length of the response", &received.len, &self.event.len()),
            Outcome::Failure(_, message) => self.report(&received.report, Some(message)),
            Outcome::Stream(body, end) => {
                let json = || {
                    let body = trailers.get_str("lambda-runtime-function-error-body").unwrap_or_default();
                    base64::engine::general_purpose::STANDARD.decode(body).unwrap_or_default()
                };
                if excuses.is_late && error_type == Some("Function.DeadlineNear") {
                    return self.report(&json(), None);
                }
                self.same("the length of the stream", &received.len, &body.len())?;
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
        check_report(json, message.unwrap_or_default())
            .map_err(|violation| format!("the error of invocation {}: {violation}", self.number))
    }

    fn same<T: PartialEq + std::fmt::Debug>(&self, what: &str, got: &T, expected: &T) -> Result<(), String> {
        if got == expected {
            return Ok(());
        }
        Err(format!("{what} of the outcome of invocation {} is {got:?}, expected {expected:?}", self.number))
    }
}

impl Outcome {
    /// The outcome that this job requests.
    fn of(job: &Job) -> Self {
        let number = job.number;
        match job.task {
            Task::Echo | Task::Sleep(_) => Self::Echo,
            Task::Fail => Self::Failure("Function.OutOfStock", failure_message(number)),
            Task::Panic => Self::Failure("Function.Panic", panic_message(number)),
            Task::Stuck => Self::Failure("Function.DeadlineNear", DEADLINE.to_owned()),
            Task::Stream(chunks) => {
                let failed = match chunks.end {
                    End::Finish => None,
                    End::Fail => Some(("Function.OutOfApples", failure_message(number))),
                    End::Panic => Some(("Function.Panic", panic_message(number))),
                    End::Stuck => Some(("Function.DeadlineNear", DEADLINE.to_owned())),
                };
                match failed {
                    // A failure before the first chunk is reported like that of a buffered response.
                    Some((error_type, message)) if chunks.fails_at_once() => Self::Failure(error_type, message),
                    failed => {
                        let mut body = PRELUDE.to_vec();
                        chunks.append_to(&mut body, number);
                        let complete = StreamEnd::Complete;
                        let end =
                            failed.map_or(complete, |(error_type, message)| StreamEnd::Failed(error_type, message));
                        Self::Stream(body.into(), end)
                    }
                }
            }
        }
    }
}

/// Checks the JSON of an error, whose message must end in this text.
///
/// # Errors
///
/// It has another message, or is not the JSON of an error.
pub fn check_report(json: &[u8], message: &str) -> Result<(), String> {
    let report: Value = serde_json::from_slice(json).unwrap_or_default();
    match (report["errorMessage"].as_str(), &report["errorType"], &report["stackTrace"]) {
        (Some(text), Value::String(_), Value::Array(_)) if text.ends_with(message) => Ok(()),
        _ => Err(format!("expected a report whose message ends in {message:?}, got {report}")),
    }
}
