//! Responses and errors that runtimes post.

use std::mem;
use std::sync::Arc;

use lambda_runtime_proto::server::Reply;

use super::{Api, Pending, Phase, Queued};
use crate::{End, FunctionError, Observed};

/// A refusal of a request.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) error_type: &'static str,
    pub(super) message: String,
}

impl Refused {
    pub(super) fn new(status: u16, error_type: &'static str, message: impl Into<String>) -> Self {
        Self { status, error_type, message: message.into() }
    }

    /// The state of the runtime does not allow the request.
    pub(super) fn transition(from: &str, to: &str) -> Self {
        let message =
            format!("State transition from {from} to {to} failed for runtime. Error: State transition is not allowed");
        Self::new(403, "InvalidStateTransition", message)
    }

    pub(super) fn invalid_request_id() -> Self {
        Self::new(400, "InvalidRequestID", "Invalid request ID")
    }

    pub(super) fn too_large(limit: u64) -> Self {
        let message = format!("Exceeded maximum allowed payload size ({limit} bytes).");
        Self::new(413, "RequestEntityTooLarge", message)
    }

    pub(super) fn reply(&self) -> Reply {
        let body = serde_json::json!({"errorMessage": self.message, "errorType": self.error_type});
        Reply::new(self.status).json(body.to_string())
    }
}

impl Api {
    /// Claims the right to respond to an invocation. `echo` is the request's `Lambda-Runtime-Invocation-Id`.
    pub(super) fn claim(&self, id: &str, echo: Option<&[u8]>, to: &str) -> Result<Arc<Pending>, Refused> {
        let mut state = self.state();
        let name = state.name();
        let Some(in_flight) = state.in_flight.get_mut(id) else {
            drop(state);
            return Err(self.not_in_flight(id, to));
        };
        if in_flight.responding {
            return Err(match self.config.is_classic() {
                true => Refused::transition(name, to),
                false => Refused::invalid_request_id(),
            });
        }
        if echo != in_flight.pending.event.echo().map(|value| value.as_bytes()) {
            let message = "Lambda-Runtime-Invocation-Id differs from that of the event";
            return Err(Refused::new(400, "InvalidRequestID", message));
        }
        in_flight.responding = true;
        Ok(Arc::clone(&in_flight.pending))
    }

    /// Returns the refusal of a response to an invocation that is not in flight.
    pub(super) fn not_in_flight(&self, id: &str, to: &str) -> Refused {
        let mut state = self.state();
        if let Some(at) = state.timed_out.iter().position(|timed_out| timed_out == id) {
            state.timed_out.remove(at);
            return Refused::new(410, "InvokeTimeout", "Invoke timeout");
        }
        match state.responded.as_deref() == Some(id) {
            true => Refused::transition(state.name(), to),
            false => Refused::invalid_request_id(),
        }
    }

    /// Handles a report to /error.
    pub(super) fn fail(&self, id: &str, echo: Option<&[u8]>, error: FunctionError) -> Result<(), Refused> {
        const TO: &str = "InvocationErrorResponse";
        self.claim(id, echo, TO)?;
        if self.finish(id, End::Failed(error)) { Ok(()) } else { Err(self.not_in_flight(id, TO)) }
    }

    /// Handles a response in an unknown mode: the caller gets an error, and a classic runtime cannot continue.
    pub(super) fn fail_response_mode(&self, id: &str) {
        if self.config.is_classic() {
            self.state().phase = Phase::Stuck;
        }
        let message = "The response mode is neither absent nor \"streaming\"";
        self.finish(id, End::Failed(FunctionError::of_platform("Runtime.InvalidResponseModeHeader", message)));
    }

    /// Handles a report to /init/error.
    pub(super) fn init_error(&self, error: FunctionError) -> Result<(), Refused> {
        self.start_failed(error, "InitError", |phase| matches!(phase, Phase::Init | Phase::Restoring))
    }

    /// Handles a report to /restore/error.
    pub(super) fn restore_error(&self, error: FunctionError) -> Result<(), Refused> {
        self.start_failed(error, "RuntimeRestoreErrorState", |phase| matches!(phase, Phase::Restoring))
    }

    fn start_failed(&self, error: FunctionError, to: &str, allows: fn(&Phase) -> bool) -> Result<(), Refused> {
        let mut state = self.state();
        if !allows(&state.phase) {
            return Err(Refused::transition(state.name(), to));
        }
        let observed = &mut state.observed;
        let list = if to == "InitError" { &mut observed.init_errors } else { &mut observed.restore_errors };
        Observed::push_error(list, &error);
        let queued = mem::take(&mut state.queue);
        state.phase = Phase::Failed(error.clone());
        drop(state);
        for Queued { pending, .. } in queued {
            pending.pipe.end(Ok(End::Failed(error.clone())));
        }
        self.changed.notify_all();
        Ok(())
    }
}
