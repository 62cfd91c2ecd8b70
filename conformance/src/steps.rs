//! The steps of the scripted API.

use std::time::Duration;

use bytes::Bytes;
use lambda_runtime_proto::Endpoint;

use crate::messages;

/// A step of the API on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// As the first step of a script: refuses connections for this time.
    ListenAfter(Duration),
    /// Reads a request to its end. It must be for this endpoint.
    Read(Endpoint),
    /// Reads the head of a request for this endpoint, and at least this many bytes of its body.
    ReadAtLeast(Endpoint, usize),
    /// Reads a request to its end. It must be a response or an error.
    ReadOutcome,
    /// Reads the rest of the current request.
    ReadRest,
    /// Reads the rest of the current request, and keeps only its length.
    DiscardRest,
    /// Sends bytes.
    Send(Bytes),
    /// Sends bytes, each in its own write.
    SendByteByByte(Bytes),
    /// Waits.
    Pause(Duration),
    /// Shuts down the API's half of the connection.
    HalfClose,
    /// Closes the connection with a TCP reset.
    Reset,
    /// Discards what the function sends until it closes the connection.
    AwaitClose,
    /// Records the peak memory of the function's process.
    SampleMemory,
    /// Sends SIGTERM to the function's process.
    Terminate,
}

/// The steps on one connection, as a builder. After the last step of the last connection the API keeps it open;
/// any other is closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steps(Vec<Step>);

impl Steps {
    /// No steps: the connection is accepted and closed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a step.
    pub fn step(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }

    /// Adds the steps of another builder.
    pub fn then(mut self, steps: Self) -> Self {
        self.0.extend(steps.0);
        self
    }

    /// Reads a request for the next event and sends one, with the request id `a`.
    pub fn event(self, payload: &str) -> Self {
        self.event_as("a", payload)
    }

    /// Reads a request for the next event and sends one, with this request id.
    pub fn event_as(self, id: &str, payload: &str) -> Self {
        self.read(Endpoint::Next).send(messages::event(id, payload))
    }

    /// Sends an event, and acknowledges its response.
    pub fn served(self, payload: &str) -> Self {
        self.event(payload).read(Endpoint::Response).accept()
    }

    /// Sends an event, and acknowledges its error.
    pub fn failed(self, payload: &str) -> Self {
        self.event(payload).read(Endpoint::Error).accept()
    }

    /// [`Step::Read`].
    pub fn read(self, endpoint: Endpoint) -> Self {
        self.step(Step::Read(endpoint))
    }

    /// [`Step::ReadAtLeast`].
    pub fn read_at_least(self, endpoint: Endpoint, bytes: usize) -> Self {
        self.step(Step::ReadAtLeast(endpoint, bytes))
    }

    /// [`Step::ReadOutcome`].
    pub fn read_outcome(self) -> Self {
        self.step(Step::ReadOutcome)
    }

    /// [`Step::ReadRest`].
    pub fn read_rest(self) -> Self {
        self.step(Step::ReadRest)
    }

    /// [`Step::DiscardRest`].
    pub fn discard_rest(self) -> Self {
        self.step(Step::DiscardRest)
    }

    /// [`Step::Send`].
    pub fn send(self, bytes: impl Into<Bytes>) -> Self {
        self.step(Step::Send(bytes.into()))
    }

    /// [`Step::SendByteByByte`].
    pub fn send_byte_by_byte(self, bytes: impl Into<Bytes>) -> Self {
        self.step(Step::SendByteByByte(bytes.into()))
    }

    /// Sends Lambda's acknowledgement.
    pub fn accept(self) -> Self {
        self.send(messages::accepted())
    }

    /// Sends a refusal in Lambda's form.
    pub fn refuse(self, status: u16, error_type: &str) -> Self {
        self.send(messages::refusal(status, error_type))
    }

    /// [`Step::Pause`].
    pub fn pause(self, duration: Duration) -> Self {
        self.step(Step::Pause(duration))
    }

    /// [`Step::HalfClose`].
    pub fn half_close(self) -> Self {
        self.step(Step::HalfClose)
    }

    /// [`Step::Reset`].
    pub fn reset(self) -> Self {
        self.step(Step::Reset)
    }

    /// [`Step::AwaitClose`].
    pub fn await_close(self) -> Self {
        self.step(Step::AwaitClose)
    }

    /// [`Step::SampleMemory`].
    pub fn sample_memory(self) -> Self {
        self.step(Step::SampleMemory)
    }

    /// [`Step::Terminate`].
    pub fn terminate(self) -> Self {
        self.step(Step::Terminate)
    }

    /// The steps.
    pub fn as_slice(&self) -> &[Step] {
        &self.0
    }

    pub(crate) fn needs_process(&self) -> bool {
        self.0.contains(&Step::SampleMemory) || self.0.contains(&Step::Terminate)
    }
}
