//! Every message that the runtime logs: a constant text, and fields.
//!
//! `docs/operating.md` lists them for operators; `.ci/readme` compares the list with this file.

use std::fmt::Display;
use std::io::{self, Write as _};

use http::HeaderName;
use lambda_runtime_proto::client::{NoInvocation, Reply};
use tracing::Level;
use tracing::field::{DisplayValue, display};

#[cfg(feature = "tracing")]
use super::line::{self, LogFormat, Object};
use super::text::OneLine;
use crate::env::address::Address;
use crate::error::diagnostic::Diagnostic;
use crate::error::failure::Failure;
use crate::error::refusal;

/// Logs an event of `tracing` if a subscriber or a logger of `log`, which then receives the events, is set. Otherwise it
/// prints the same to stderr, so the message is never lost silently.
macro_rules! message {
    ($level:ident, $text:literal $(, $field:ident = $value:expr)* $(,)?) => {
        if has_subscriber() {
            tracing::event!(target: "lambda_runtime", Level::$level, $($field = $value,)* $text);
        } else {
            print(Level::$level, $text, &[$((stringify!($field), &$value as &dyn Field)),*]);
        }
    };
}

/// Logs a failure, in its span.
macro_rules! failure_message {
    ($text:literal, $failure:ident $(, $field:ident = $value:expr)*) => {
        $failure.in_span(|Diagnostic { error_type, error_message }| {
            message!(
                ERROR,
                $text,
                $($field = $value,)*
                error_type = text(error_type),
                error_message = text(error_message),
                location = $failure.location().map(text),
                stack_trace = stack_trace($failure)
            );
        })
    };
}

/// Logs the API's refusal of an outcome.
macro_rules! refusal_message {
    ($level:ident, $text:literal, $request_id:ident, $reply:ident) => {
        let Diagnostic { error_type, error_message } = refusal($reply);
        message!(
            $level,
            $text,
            request_id = text($request_id),
            status = $reply.status(),
            error_type = text(error_type),
            error_message = text(error_message)
        );
    };
}

// Invocations.

/// The invocation failed, and the failure is about to be reported.
pub(crate) fn invocation_failed(request_id: &str, failure: &Failure) {
    failure_message!("invocation failed", failure, request_id = text(request_id));
}

/// The response is ended as incomplete, because its stream, or a layer, failed.
pub(crate) fn stream_failed(request_id: &str, failure: &Failure) {
    failure_message!("streamed response failed", failure, request_id = text(request_id));
}

/// The connection was lost, and a stream cannot be sent again.
pub(crate) fn stream_interrupted(request_id: &str) {
    message!(WARN, "streamed response interrupted", request_id = text(request_id));
}

/// A layer failed or panicked after the acknowledgement, so the caller does not notice.
pub(crate) fn layer_failed(request_id: &str, failure: &Failure) {
    failure_message!("layer failed after the response", failure, request_id = text(request_id));
}

/// Work after the response panicked, so the caller does not notice.
#[cfg(feature = "wait-until")]
pub(crate) fn work_failed(request_id: &str, failure: &Failure) {
    failure_message!("work after the response failed", failure, request_id = text(request_id));
}

/// Work after the response was unfinished at the deadline, and was dropped. `count` is the number of futures.
#[cfg(feature = "wait-until")]
pub(crate) fn work_timed_out(request_id: &str, count: u32) {
    message!(WARN, "work after the response timed out", request_id = text(request_id), count = count);
}

/// A destructor of the function, a layer or a stream panicked.
pub(crate) fn drop_failed(failure: &Failure) {
    failure_message!("destructor panicked", failure);
}

pub(crate) fn trailer_removed(request_id: &str, trailer: &HeaderName) {
    message!(WARN, "reserved trailer removed", request_id = text(request_id), trailer = text(trailer));
}

/// The invocation had timed out.
pub(crate) fn response_too_late(request_id: &str, reply: &Reply) {
    refusal_message!(WARN, "response too late", request_id, reply);
}

/// The response was resent after a lost connection, and had probably been accepted before.
pub(crate) fn repeated_response_refused(request_id: &str, reply: &Reply) {
    refusal_message!(WARN, "repeated response refused", request_id, reply);
}

pub(crate) fn response_refused(request_id: &str, reply: &Reply) {
    refusal_message!(ERROR, "response refused", request_id, reply);
}

// Start-up.

/// The process is about to end.
pub(crate) fn initialization_failed(failure: &Failure) {
    failure_message!("initialization failed", failure);
}

/// The process is about to end. `error_type` is `Runtime.BeforeSnapshotError` or `Runtime.AfterRestoreError`.
pub(crate) fn snapstart_failed(error_type: &str, error_message: &str) {
    message!(ERROR, "SnapStart failed", error_type = text(error_type), error_message = text(error_message));
}

// The Runtime API.

/// A reply to /next that is not an invocation. The request is repeated.
pub(crate) fn no_invocation(reason: &NoInvocation) {
    message!(WARN, "reply without an invocation", error_message = text(reason));
}

/// A connection ended unexpectedly. `attempt` is the number of connections since the last reply.
pub(crate) fn connection_lost(address: &Address, attempt: u32, error: &io::Error) {
    message!(WARN, "connection lost", address = text(address), attempt = attempt, error_message = text(error));
}

/// The rest of a reply that is not needed did not arrive in time, so the connection is replaced.
pub(crate) fn reply_incomplete(address: &Address) {
    message!(WARN, "reply incomplete", address = text(address));
}

// Workers.

/// `run` was called where `run_concurrent` is needed. `value` is that of `AWS_LAMBDA_MAX_CONCURRENCY`.
pub(crate) fn concurrency_ignored(value: &str) {
    message!(WARN, "concurrency ignored", concurrency = text(value));
}

/// The same event as `lambda_runtime` 1.5 logs.
pub(crate) fn workers_starting(count: u32) {
    message!(
        DEBUG,
        "runtime_worker_pool_initializing",
        event = text("runtime_worker_pool_initializing"),
        worker_count = count,
        execution_environment_max_concurrency = count
    );
}

/// `attempt` is the number of consecutive failures.
pub(crate) fn worker_restarted(attempt: u32, error: &str) {
    message!(WARN, "worker restarted", attempt = attempt, error_message = text(error));
}

pub(crate) fn worker_stopped(attempt: u32, error: &str) {
    message!(ERROR, "worker stopped", attempt = attempt, error_message = text(error));
}

// Graceful shutdown.

#[cfg(feature = "graceful-shutdown")]
pub(crate) fn shutdown_unavailable(error: &crate::error::Error) {
    message!(ERROR, "graceful shutdown unavailable", error_message = text(error));
}

/// The extension for graceful shutdown has ended.
#[cfg(feature = "graceful-shutdown")]
pub(crate) fn extension_ended(error: &crate::error::Error) {
    message!(WARN, "extension ended", error_message = text(error));
}

#[cfg(feature = "graceful-shutdown")]
pub(crate) fn shutdown_started(signal: &str) {
    message!(INFO, "graceful shutdown started", signal = text(signal));
}

#[cfg(feature = "graceful-shutdown")]
pub(crate) fn shutdown_completed() {
    message!(INFO, "graceful shutdown completed");
}

/// The hook panicked.
#[cfg(feature = "graceful-shutdown")]
pub(crate) fn shutdown_failed(panic: &str) {
    message!(ERROR, "graceful shutdown failed", error_message = text(panic));
}

/// A field of text that may come from the function or the API.
fn text<T: Display>(text: T) -> DisplayValue<OneLine<T>> {
    display(OneLine(text))
}

/// The lines of a panic's backtrace, if there are any.
fn stack_trace(failure: &Failure) -> Option<DisplayValue<OneLine<String>>> {
    (!failure.stack_trace().is_empty()).then(|| text(failure.stack_trace().join("\n")))
}

fn has_subscriber() -> bool {
    #[cfg(feature = "tracing")]
    let logger = log::max_level() > log::LevelFilter::Off;
    #[cfg(not(feature = "tracing"))]
    let logger = false;
    logger || tracing::dispatcher::has_been_set()
}

/// The value of a field. Unlike `serde_json::Value` it does not link the formatting of floating-point numbers.
enum Value {
    Text(String),
    Number(u32),
}

trait Field {
    /// `None` if it is absent.
    fn value(&self) -> Option<Value>;
}

impl<T: Display> Field for DisplayValue<T> {
    fn value(&self) -> Option<Value> {
        Some(Value::Text(self.to_string()))
    }
}

impl<F: Field> Field for Option<F> {
    fn value(&self) -> Option<Value> {
        self.as_ref()?.value()
    }
}

impl Field for u16 {
    fn value(&self) -> Option<Value> {
        Some(Value::Number((*self).into()))
    }
}

impl Field for u32 {
    fn value(&self) -> Option<Value> {
        Some(Value::Number(*self))
    }
}

/// Prints a message to stderr, unless its level is `DEBUG`. A line that cannot be written, because the reader is gone or the
/// disk is full, is lost; `eprintln` would panic.
#[cold]
fn print(level: Level, text: &str, fields: &[(&'static str, &dyn Field)]) {
    if level > Level::INFO {
        return;
    }
    #[cfg(feature = "tracing")]
    if LogFormat::from_env() == LogFormat::Json {
        let mut object = Object::new(level, text, line::RUNTIME);
        for (name, value) in values(fields) {
            let key = line::key(name);
            match value {
                Value::Text(stack) if key == line::STACK_TRACE => {
                    object.push(key, &line::frames(&stack).collect::<Vec<_>>());
                }
                Value::Text(text) => object.push(key, &*text),
                Value::Number(number) => object.push(key, &number),
            }
        }
        let _ = io::stderr().write_all(&object.end());
        return;
    }
    let _ = io::stderr().write_all(line(level, text, fields).as_bytes());
}

fn values<'f>(fields: &'f [(&'static str, &dyn Field)]) -> impl Iterator<Item = (&'static str, Value)> + 'f {
    fields.iter().filter_map(|(name, field)| Some((*name, field.value()?)))
}

fn line(level: Level, text: &str, fields: &[(&'static str, &dyn Field)]) -> String {
    let mut line = format!("[lambda-runtime] {level} {text}");
    // The panic hook has printed the stack.
    for (name, value) in values(fields).filter(|(name, _)| *name != "stack_trace") {
        line.extend([" ", name, "=", &quoted(value)]);
    }
    line.push('\n');
    line
}

/// The value of a field, in quotes unless it is one word.
fn quoted(value: Value) -> String {
    let text = match value {
        Value::Text(text) => text,
        Value::Number(number) => return number.to_string(),
    };
    let is_word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'='));
    if is_word { text } else { format!("\"{}\"", text.replace('"', "\\\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_constant_text_and_fields_that_cannot_be_mistaken_for_others() {
        let fields: [(&str, &dyn Field); 4] = [
            ("request_id", &text("8476-a")),
            ("status", &413_u16),
            ("location", &None::<u32>),
            ("error_message", &text("a=\"b\"\nstatus=1")),
        ];
        assert_eq!(
            line(Level::ERROR, "response refused", &fields),
            "[lambda-runtime] ERROR response refused request_id=8476-a status=413 \
             error_message=\"a=\\\"b\\\"\\nstatus=1\"\n"
        );
        assert_eq!(line(Level::INFO, "done", &[("empty", &text(""))]), "[lambda-runtime] INFO done empty=\"\"\n");
    }
}
