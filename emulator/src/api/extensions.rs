//! Extensions: those in the runtime's process, and [external](crate::Builder::external_extension) ones.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use lambda_runtime_proto::server::Reply;

use super::outcomes::Refused;
use super::{Api, Pending, Phase, State};
use crate::observed::Extension;
use crate::text::shortened;
use crate::{Observed, event, id};

const IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-identifier");
const SHUTDOWN: &str = "SHUTDOWN";
const EVENT_IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-event-identifier");

/// A registered extension.
#[derive(Debug)]
pub(super) struct Registered {
    id: String,
    extension: Extension,
    /// Events that it has not requested yet.
    pending: VecDeque<Bytes>,
    /// The invocation of its last INVOKE event, until it requests the next event.
    busy_with: Option<String>,
}

impl Registered {
    /// The limit of `pending`. Beyond it, the oldest event is dropped.
    const MAX_PENDING: usize = 100;

    fn push(&mut self, event: Bytes) {
        if self.pending.len() == Self::MAX_PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back(event);
    }

    pub(super) fn is_busy(&self) -> bool {
        self.busy_with.is_some()
    }

    pub(super) fn busy_with(&self) -> Option<&str> {
        self.busy_with.as_deref()
    }
}

impl State {
    fn registered(&mut self, identifier: &str) -> Option<&mut Registered> {
        self.extensions.iter_mut().find(|registered| registered.id == identifier)
    }

    /// Classic: ends the invoke phase once the runtime and every extension have requested the next event.
    pub(super) fn settle(&mut self) {
        if self.responded.is_none() && !self.extensions.iter().any(Registered::is_busy) {
            self.settling = None;
        }
    }

    /// Stops waiting for extensions.
    pub(super) fn release_extensions(&mut self) {
        for extension in &mut self.extensions {
            extension.busy_with = None;
        }
    }

    /// Names the runtime and the extensions that have not requested the next event.
    pub(super) fn unfinished(&self) -> String {
        let runtime = self.responded.iter().map(|_| "the runtime".to_owned());
        let busy = self.extensions.iter().filter(|extension| extension.is_busy());
        let extensions = busy.map(|registered| format!("the extension {}", registered.extension.name));
        runtime.chain(extensions).collect::<Vec<_>>().join(", ")
    }
}

impl Api {
    /// `POST /2020-01-01/extension/register`, with the list of events in the body.
    pub(super) fn register(&self, name: Option<&str>, body: &[u8]) -> Result<Reply, Refused> {
        const MAX: usize = 10;
        let forbidden = |error_type, message: &str| Err(Refused::new(403, error_type, message));
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return forbidden("Extension.InvalidExtensionName", "Empty extension name");
        };
        let json: serde_json::Value = serde_json::from_slice(body)
            .map_err(|error| Refused::new(403, "InvalidRequestFormat", error.to_string()))?;
        let events = json.get("events").and_then(|events| events.as_array()).into_iter().flatten();
        let mut events: Vec<String> = events.filter_map(|event| event.as_str().map(str::to_owned)).collect();
        let is_external = self.config.external_extensions.iter().any(|external| external == name);
        let allowed: &[&str] = if is_external { &["INVOKE", SHUTDOWN] } else { &["INVOKE"] };
        if let Some(event) = events.iter().find(|event| !allowed.contains(&event.as_str())) {
            let kind = if is_external { "external extension" } else { "extension in the runtime's process" };
            let message = format!("{}: not an event for an {kind}", shortened(event));
            return forbidden("Extension.InvalidEventType", &message);
        }
        events.dedup();
        let mut state = self.state();
        if !matches!(state.phase, Phase::Init) {
            return forbidden("Extension.RegistrationClosed", "Extension registration closed already");
        }
        let extension = Extension { name: shortened(name), events };
        if state.extensions.iter().any(|registered| registered.extension.name == extension.name) {
            return forbidden("Extension.InvalidExtensionState", "Extension with this name already registered");
        }
        if state.extensions.len() == MAX {
            return forbidden("Extension.TooManyExtensions", &format!("Extension limit ({MAX}) reached"));
        }
        Observed::push(&mut state.observed.extensions, extension.clone());
        let id = id::uuid();
        let identifier = HeaderValue::from_str(&id);
        state.extensions.push(Registered { id, extension, pending: VecDeque::new(), busy_with: None });
        self.changed.notify_all();
        let body = serde_json::json!({
            "functionName": self.config.function_name, "functionVersion": "$LATEST", "handler": "bootstrap",
        });
        let reply = Reply::new(200).json(body.to_string());
        Ok(identifier.into_iter().fold(reply, |reply, id| reply.header(IDENTIFIER, id)))
    }

    /// `GET /2020-01-01/extension/event/next`: waits, possibly forever. `None` if the connection is gone.
    pub(super) fn next_extension_event(
        &self,
        identifier: Option<&str>,
        generation: u64,
        is_alive: impl Fn() -> bool,
    ) -> Option<Result<Bytes, Refused>> {
        let Some(identifier) = identifier else {
            let message = "Missing Lambda-Extension-Identifier header";
            return Some(Err(Refused::new(403, "Extension.MissingExtensionIdentifier", message)));
        };
        let mut state = self.state();
        if let Some(registered) = state.registered(identifier)
            && registered.pending.is_empty()
        {
            registered.busy_with = None;
            state.settle();
            self.changed.notify_all();
        }
        drop(state);
        let event = self.block_for(generation, &is_alive, |state| {
            let Some(registered) = state.registered(identifier) else {
                let message = format!("Unknown extension {}", shortened(identifier));
                return Some(Some(Err(Refused::new(403, "Extension.UnknownExtensionIdentifier", message))));
            };
            // If this connection is dead, the event is left to another.
            (!registered.pending.is_empty())
                .then(|| is_alive().then(|| registered.pending.pop_front()).flatten().map(Ok))
        });
        event.flatten()
    }

    /// The reply to `GET /2020-01-01/extension/event/next`.
    pub(super) fn extension_event_reply(event: Bytes) -> Reply {
        let id = HeaderValue::from_str(&id::uuid()).into_iter();
        let reply = Reply::new(200).json(event);
        id.fold(reply, |reply, id| reply.header(EVENT_IDENTIFIER, id))
    }

    /// Notifies the external extensions that registered for SHUTDOWN. Returns their number.
    pub(crate) fn shut_down_extensions(&self, reason: &str, limit: Duration) -> usize {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let deadline = u64::try_from(now.saturating_add(limit).as_millis()).unwrap_or(u64::MAX);
        let event = serde_json::json!({"eventType": SHUTDOWN, "shutdownReason": reason, "deadlineMs": deadline});
        let event = Bytes::from(event.to_string());
        let mut notified = 0;
        let mut state = self.state();
        let wants = |registered: &&mut Registered| registered.extension.events.iter().any(|event| event == SHUTDOWN);
        for registered in state.extensions.iter_mut().filter(wants) {
            registered.push(event.clone());
            notified += 1;
        }
        self.changed.notify_all();
        notified
    }

    /// Returns an event that could not be written to the extension's queue.
    pub(super) fn undeliver_extension_event(&self, identifier: &str, event: Bytes) {
        if let Some(registered) = self.state().registered(identifier) {
            registered.pending.push_front(event);
        }
        self.changed.notify_all();
    }

    /// Records that an extension has failed and will not request another event.
    pub(super) fn extension_failed(&self, identifier: &str) {
        let mut state = self.state();
        state.extensions.retain(|registered| registered.id != identifier);
        state.settle();
        self.changed.notify_all();
    }

    /// Notifies the extensions that registered for INVOKE.
    pub(super) fn notify_extensions(&self, state: &mut State, pending: &Pending, deadline: Duration) {
        // Lambda always sends a trace id: clients expect a string.
        let trace_id = pending.trace_id.as_ref().or_else(|| pending.event.value(event::TRACE_ID));
        let trace_id = trace_id.map_or_else(Default::default, |id| String::from_utf8_lossy(id.as_bytes()));
        let event = serde_json::json!({
            "eventType": "INVOKE",
            "deadlineMs": u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
            "requestId": pending.request_id,
            "invokedFunctionArn": String::from_utf8_lossy(self.config.function_arn.as_bytes()),
            "tracing": {"type": "X-Amzn-Trace-Id", "value": trace_id},
        });
        let event = Bytes::from(event.to_string());
        let wants = |registered: &&mut Registered| {
            let was_notified = registered.busy_with() == Some(&pending.request_id);
            !was_notified && registered.extension.events.iter().any(|event| event == "INVOKE")
        };
        for registered in state.extensions.iter_mut().filter(wants) {
            registered.push(event.clone());
            registered.busy_with = Some(pending.request_id.clone());
        }
    }
}
