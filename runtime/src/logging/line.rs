//! One line of the log, and its formats.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
use tracing::Level;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

use super::text::Escaped;
use crate::error::diagnostic::Diagnostic;

/// The format of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LogFormat {
    /// Level, timestamp, request id and message, separated by tabs. Fields follow the message.
    #[default]
    Text,
    /// A flat JSON object.
    Json,
}

impl LogFormat {
    /// The format in `AWS_LAMBDA_LOG_FORMAT`: JSON, or text.
    pub fn from_env() -> Self {
        let is_json = std::env::var("AWS_LAMBDA_LOG_FORMAT").is_ok_and(|format| format.eq_ignore_ascii_case("json"));
        if is_json { LogFormat::Json } else { LogFormat::Text }
    }
}

/// Targets of events and spans that the runtime itself emits.
pub(crate) const RUNTIME: &str = "lambda_runtime";

pub(super) const STACK_TRACE: &str = "stackTrace";

/// A named value of an event or of a span.
pub(crate) type Field = (&'static str, Value);

/// A line of the log.
#[derive(Debug)]
pub(crate) struct Line {
    level: Level,
    logger: String,
    message: String,
    standard: Standard,
    /// The other fields of the event, then those of its spans, innermost first.
    fields: Vec<Field>,
}

/// Fields with a fixed position.
#[derive(Debug, Default)]
struct Standard {
    request_id: Option<Value>,
    tenant_id: Option<Value>,
    xray_trace_id: Option<Value>,
    error_type: Option<Value>,
    error_message: Option<Value>,
    stack_trace: Option<Value>,
    location: Option<Value>,
}

impl Standard {
    /// The place of a field of the runtime's own events and spans.
    fn place(&mut self, name: &'static str) -> Option<&mut Option<Value>> {
        Some(match key(name) {
            "requestId" | "faas.invocation_id" => &mut self.request_id,
            "tenantId" => &mut self.tenant_id,
            "xrayTraceId" => &mut self.xray_trace_id,
            "errorType" => &mut self.error_type,
            "errorMessage" => &mut self.error_message,
            STACK_TRACE => &mut self.stack_trace,
            "location" => &mut self.location,
            _ => return None,
        })
    }

    fn ids(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        let ids =
            [("requestId", &self.request_id), ("tenantId", &self.tenant_id), ("xrayTraceId", &self.xray_trace_id)];
        ids.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)))
    }

    fn error(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        let error = [
            ("errorType", &self.error_type),
            ("errorMessage", &self.error_message),
            (STACK_TRACE, &self.stack_trace),
            ("location", &self.location),
        ];
        error.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)))
    }
}

impl Line {
    pub(crate) fn new(level: Level, target: &str, message: String) -> Self {
        Self { level, logger: target.to_owned(), message, standard: Standard::default(), fields: Vec::new() }
    }

    /// Adds a field of an event or a span with this target. The first of its name counts.
    pub(crate) fn field(&mut self, target: &str, name: &'static str, value: Value) {
        let place = if target == RUNTIME { self.standard.place(name) } else { None };
        if value.is_null() && place.is_some() {
            return;
        }
        match place {
            Some(place @ None) if name == "stack_trace" => {
                *place = value.as_str().map(|text| frames(text).collect());
            }
            Some(place) => _ = place.get_or_insert(value),
            None => self.fields.push((name, value)),
        }
    }

    #[cfg(feature = "current")]
    pub(crate) fn has_request_id(&self) -> bool {
        self.standard.request_id.is_some()
    }

    /// Adds an error, unless there is one, with the location where it was logged.
    pub(crate) fn error(&mut self, error: Diagnostic, location: Option<String>) {
        if self.standard.error_type.is_none() {
            self.standard.error_type = Some(error.error_type.into());
            self.standard.error_message = Some(error.error_message.into());
            self.standard.stack_trace = Some(Value::Array(Vec::new()));
            self.standard.location = location.map(Value::from);
        }
    }

    /// One flat JSON object. A field whose name the object already has is nested in the object `fields`.
    pub(crate) fn json(&self) -> Vec<u8> {
        let mut object = Object::new(self.level, &self.message, &self.logger);
        self.standard.ids().chain(self.standard.error()).for_each(|(name, value)| object.push(name, value));
        let mut nested = serde_json::Map::new();
        for (name, value) in &self.fields {
            if object.names.contains(name) {
                nested.entry(*name).or_insert_with(|| value.clone());
            } else {
                object.push(name, value);
            }
        }
        if !nested.is_empty() {
            object.push("fields", &nested);
        }
        object.end()
    }

    /// Level, timestamp and request id, then the message with the other fields; separated by tabs. Without the stack trace,
    /// which the panic hook has printed.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut message = self.message.clone();
        let fields = self.fields.iter().map(|(name, value)| (*name, value));
        let error = self.standard.error().filter(|(name, _)| *name != STACK_TRACE);
        for (name, value) in error.chain(fields) {
            let separator = if message.is_empty() { "" } else { " " };
            let _ = write!(message, "{separator}{name}={value}");
        }
        let request_id = self.standard.request_id.as_ref().and_then(Value::as_str).unwrap_or_default();
        format!("[{}]\t{}\t{}\t{}\n", self.level, timestamp(), Escaped(request_id), Escaped(&message)).into_bytes()
    }
}

/// The name in JSON of a field of the runtime's own events and spans.
pub(super) fn key(name: &'static str) -> &'static str {
    match name {
        "request_id" => "requestId",
        "tenant_id" => "tenantId",
        "error_type" => "errorType",
        "error_message" => "errorMessage",
        "stack_trace" => STACK_TRACE,
        name => name,
    }
}

/// The lines of a stack trace, which are escaped as one.
pub(super) fn frames(stack: &str) -> impl Iterator<Item = &str> {
    stack.split("\\n")
}

/// A line as an object of JSON, field by field.
pub(super) struct Object {
    json: Vec<u8>,
    names: Vec<&'static str>,
}

impl Object {
    /// The object with what every line has.
    pub(super) fn new(level: Level, message: &str, logger: &str) -> Self {
        let mut object = Self { json: b"{".to_vec(), names: vec!["fields"] };
        object.push("timestamp", &*timestamp());
        object.push("level", level.as_str());
        object.push("message", message);
        object.push("logger", logger);
        object
    }

    pub(super) fn end(mut self) -> Vec<u8> {
        self.json.extend_from_slice(b"}\n");
        self.json
    }

    pub(super) fn push<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) {
        if self.json.len() > 1 {
            self.json.push(b',');
        }
        // Neither text nor a value of `tracing` can fail to serialize.
        let _ = serde_json::to_writer(&mut self.json, name);
        self.json.push(b':');
        let _ = serde_json::to_writer(&mut self.json, value);
        self.names.push(name);
    }
}

/// The current time: UTC, with milliseconds.
fn timestamp() -> String {
    let mut text = String::new();
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    // From microseconds.
    if text.ends_with('Z') && text.len() > 4 {
        text.truncate(text.len() - 4);
        text.push('Z');
    }
    text
}
