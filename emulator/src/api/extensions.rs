//! Extensions that a runtime registers from within its process.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use lambda_runtime_proto::server::Reply;

use super::outcomes::Refused;
use super::{Api, Pending, Phase, State};
use crate::observed::Extension;
use crate::{Observed, event, id};

/// A registered extension.
#[derive(Debug)]
pub(super) struct Registered {
    id: String,
    extension: Extension,
    /// Events that it has not asked for.
    pending: VecDeque<Bytes>,
}

impl Registered {
    /// An extension that never asks misses what is older than so many events.
    const PENDING: usize = 100;
}

impl Api {
    /// `POST /2020-01-01/extension/register`, with the events that it wants in the body.
    pub(super) fn register(&self, name: Option<&str>, body: &[u8]) -> Result<Reply, Refused> {
        const MAX: usize = 10;
        let forbidden = |error_type, message: &str| Err(Refused::new(403, error_type, message));
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return forbidden("Extension.InvalidExtensionName", "Empty extension name");
        };
        let json: serde_json::Value = serde_json::from_slice(body)
            .map_err(|error| Refused::new(403, "InvalidRequestFormat", error.to_string()))?;
        let events = json.get("events").and_then(|events| events.as_array()).into_iter().flatten();
        let events: Vec<String> = events.filter_map(|event| event.as_str().map(str::to_owned)).collect();
        if let Some(event) = events.iter().find(|event| *event != "INVOKE") {
            let message = format!("{event}: an extension inside the runtime's process gets no such event");
            return forbidden("Extension.InvalidEventType", &message);
        }
        let mut state = self.state();
        if !matches!(state.phase, Phase::Init) {
            return forbidden("Extension.RegistrationClosed", "Extension registration closed already");
        }
        if state.extensions.iter().any(|registered| registered.extension.name == name) {
            return forbidden("Extension.InvalidExtensionState", "Extension with this name already registered");
        }
        if state.extensions.len() == MAX {
            return forbidden("Extension.TooManyExtensions", &format!("Extension limit ({MAX}) reached"));
        }
        let extension = Extension { name: name.to_owned(), events };
        Observed::push(&mut state.observed.extensions, extension.clone());
        let id = id::uuid();
        let identifier = HeaderValue::from_str(&id);
        state.extensions.push(Registered { id, extension, pending: VecDeque::new() });
        self.changed.notify_all();
        let body = serde_json::json!({
            "functionName": self.config.function_name, "functionVersion": "$LATEST", "handler": "bootstrap",
        });
        let reply = Reply::new(200).json(body.to_string());
        Ok(identifier.into_iter().fold(reply, |reply, id| reply.header("Lambda-Extension-Identifier", id)))
    }

    /// `GET /2020-01-01/extension/event/next`: waits, perhaps for ever. `None` if the connection is gone.
    pub(super) fn next_extension_event(
        &self,
        identifier: Option<&str>,
        generation: u64,
        is_alive: impl Fn() -> bool,
    ) -> Option<Result<Reply, Refused>> {
        let Some(identifier) = identifier else {
            let message = "Missing Lambda-Extension-Identifier header";
            return Some(Err(Refused::new(403, "Extension.MissingExtensionIdentifier", message)));
        };
        self.block_for(generation, is_alive, |state| {
            let mut extensions = state.extensions.iter_mut();
            let Some(registered) = extensions.find(|registered| registered.id == identifier) else {
                let message = format!("Unknown extension {identifier}");
                return Some(Err(Refused::new(403, "Extension.UnknownExtensionIdentifier", message)));
            };
            let event = registered.pending.pop_front()?;
            let id = HeaderValue::from_str(&id::uuid()).into_iter();
            let reply = Reply::new(200).json(event);
            Some(Ok(id.fold(reply, |reply, id| reply.header("Lambda-Extension-Event-Identifier", id))))
        })
    }

    /// An invocation is delivered: extensions that want to know are told.
    pub(super) fn tell_extensions(&self, state: &mut State, pending: &Pending, deadline: Duration) {
        let wanting = |registered: &&mut Registered| registered.extension.events.iter().any(|event| event == "INVOKE");
        for registered in state.extensions.iter_mut().filter(wanting) {
            let trace_id = pending.event.headers().find(|(name, _)| *name == event::TRACE_ID);
            let event = serde_json::json!({
                "eventType": "INVOKE",
                "deadlineMs": u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
                "requestId": pending.request_id,
                "invokedFunctionArn": String::from_utf8_lossy(self.config.function_arn.as_bytes()),
                "tracing": {
                    "type": "X-Amzn-Trace-Id",
                    "value": trace_id.map(|(_, value)| String::from_utf8_lossy(value.as_bytes())),
                },
            });
            if registered.pending.len() == Registered::PENDING {
                registered.pending.pop_front();
            }
            registered.pending.push_back(event.to_string().into());
        }
    }
}
