//! A layer of `tracing-subscriber` that writes the log as Lambda's own runtimes do.

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, Write as _};

use serde_json::Value;
use tracing::field::{Field as FieldOf, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::line::{Field, Line, LogFormat};
use crate::error::diagnostic::Diagnostic;
#[cfg(feature = "current")]
use crate::invocation::current::current;

/// A [`Layer`] that writes each event as one line, in one write, as AWS's own runtimes do. It composes with other layers.
///
/// In JSON, a line has `timestamp`, `level`, `message` and `logger`; within an invocation also `requestId` and, if there are
/// any, `tenantId` and `xrayTraceId`. The fields of the event and of its spans follow; a field whose name is taken is nested in
/// an object `fields`. A field that is a [`std::error::Error`] becomes `errorType`, `errorMessage`, `stackTrace` and `location`.
///
/// ```
/// use lambda_runtime_base::tracing::subscriber::layer::{Layer as _, SubscriberExt as _};
/// use lambda_runtime_base::tracing::subscriber::{registry, util::SubscriberInitExt as _};
/// use lambda_runtime_base::tracing::{LogFilter, LogLayer};
///
/// let _guard = registry().with(LogLayer::from_env().with_filter(LogFilter::from_env())).set_default();
/// ```
#[derive(Debug, Clone)]
pub struct LogLayer<W = fn() -> io::Stdout> {
    format: LogFormat,
    writer: W,
}

impl LogLayer {
    /// A layer that writes to stdout, from where Lambda takes the log.
    pub fn new(format: LogFormat) -> Self {
        Self { format, writer: io::stdout }
    }

    /// A layer with the [format of the environment](LogFormat::from_env).
    pub fn from_env() -> Self {
        Self::new(LogFormat::from_env())
    }
}

impl<W> LogLayer<W> {
    /// Writes to another writer.
    pub fn with_writer<W2>(self, writer: W2) -> LogLayer<W2>
    where
        W2: for<'writer> MakeWriter<'writer> + 'static,
    {
        LogLayer { format: self.format, writer }
    }
}

/// The fields of a span, in its extensions.
struct SpanFields(Vec<Field>);

impl<S, W> Layer<S> for LogLayer<W>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().replace(SpanFields(fields.with_error()));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        let Some(SpanFields(recorded)) = extensions.get_mut() else { return };
        for (name, value) in fields.with_error() {
            match recorded.iter_mut().find(|(recorded, _)| *recorded == name) {
                Some((_, place)) => *place = value,
                None => recorded.push((name, value)),
            }
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut found = Fields::default();
        event.record(&mut found);
        let metadata = event.metadata();
        // Records of `log` that `tracing-log` has converted.
        let is_log = metadata.target() == "log";
        let logger = found.fields.iter().find(|(name, _)| is_log && *name == "log.target");
        let logger = logger.and_then(|(_, value)| value.as_str()).unwrap_or(metadata.target());
        let mut line = Line::new(*metadata.level(), logger, found.message);
        for (name, value) in found.fields {
            if !(is_log && name.starts_with("log.")) {
                line.field(metadata.target(), name, value);
            }
        }
        if let Some((_, error)) = found.error {
            let location = metadata.file().zip(metadata.line()).map(|(file, line)| format!("{file}:{line}"));
            line.error(error, location);
        }
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(SpanFields(fields)) = span.extensions().get() {
                for (name, value) in fields {
                    line.field(span.metadata().target(), name, value.clone());
                }
            }
        }
        // Without a span, too.
        #[cfg(feature = "current")]
        if !line.has_request_id()
            && let Some(current) = current()
        {
            let ids = [
                ("requestId", Some(current.request_id())),
                ("tenantId", current.tenant_id()),
                ("xrayTraceId", current.xray_trace_id()),
            ];
            for (name, id) in ids {
                line.field(super::line::RUNTIME, name, id.map_or(Value::Null, Value::from));
            }
        }
        let line = match self.format {
            LogFormat::Text => line.text(),
            LogFormat::Json => line.json(),
        };
        // A line that cannot be written is lost: in Lambda stdout and stderr are one pipe.
        let _ = self.writer.make_writer_for(metadata).write_all(&line);
    }
}

/// Collects the fields of an event or of a span.
#[derive(Default)]
struct Fields {
    message: String,
    fields: Vec<Field>,
    /// The first error, and the name of its field.
    error: Option<(&'static str, Diagnostic)>,
}

impl Fields {
    fn push(&mut self, field: &FieldOf, value: impl Into<Value>) {
        let name = field.name();
        if name == "message" {
            self.message = match value.into() {
                Value::String(text) => text,
                other => other.to_string(),
            };
        } else {
            self.fields.push((name.strip_prefix("r#").unwrap_or(name), value.into()));
        }
    }

    /// For a span, where an error is a field like others.
    fn with_error(mut self) -> Vec<Field> {
        if let Some((name, error)) = self.error {
            self.fields.push((name, error.error_message.into()));
        }
        self.fields
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &FieldOf, value: f64) {
        self.push(field, value);
    }

    fn record_i64(&mut self, field: &FieldOf, value: i64) {
        self.push(field, value);
    }

    fn record_u64(&mut self, field: &FieldOf, value: u64) {
        self.push(field, value);
    }

    fn record_bool(&mut self, field: &FieldOf, value: bool) {
        self.push(field, value);
    }

    fn record_str(&mut self, field: &FieldOf, value: &str) {
        self.push(field, value);
    }

    fn record_error(&mut self, field: &FieldOf, error: &(dyn StdError + 'static)) {
        let diagnostic = Diagnostic::of(error);
        if self.error.is_some() {
            self.push(field, diagnostic.error_message);
        } else {
            self.error = Some((field.name(), diagnostic));
        }
    }

    fn record_debug(&mut self, field: &FieldOf, value: &dyn fmt::Debug) {
        self.push(field, format!("{value:?}"));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;
    use tracing::Instrument as _;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::invocation::context;
    use crate::layers::trace::request_span;
    use crate::logging::messages;

    /// Each write, separately.
    #[derive(Clone, Default)]
    struct Writes(Arc<Mutex<Vec<String>>>);

    impl io::Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn subscriber(format: LogFormat) -> (impl Subscriber + Send + Sync, Writes) {
        let writes = Writes::default();
        let writer = writes.clone();
        (tracing_subscriber::registry().with(LogLayer::new(format).with_writer(move || writer.clone())), writes)
    }

    /// Returns the writes of a log.
    pub(crate) fn logged(format: LogFormat, log: impl FnOnce()) -> Vec<String> {
        let (subscriber, Writes(writes)) = subscriber(format);
        tracing::subscriber::with_default(subscriber, log);
        let writes = writes.lock().unwrap();
        assert!(writes.iter().all(|line| line.find('\n') == Some(line.len() - 1)), "{writes:?}");
        writes.clone()
    }

    /// The only line, without the timestamp, whose form is checked.
    fn json_of(log: impl FnOnce()) -> Value {
        let lines = logged(LogFormat::Json, log);
        let [line] = &lines[..] else { panic!("{lines:?}") };
        let mut line: Value = serde_json::from_str(line).unwrap();
        let timestamp = line.as_object_mut().unwrap().remove("timestamp").unwrap();
        check_timestamp(timestamp.as_str().unwrap());
        line
    }

    fn check_timestamp(timestamp: &str) {
        let shape: String = timestamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{timestamp}");
    }

    fn invocation() -> tracing::Span {
        request_span(&context::Context {
            request_id: "8476".into(),
            tenant_id: Some("blue".into()),
            xray_trace_id: Some("Root=1-a".into()),
            ..context::Context::default()
        })
    }

    #[test]
    fn a_line_of_json_is_flat() {
        let line = json_of(|| {
            let _span = tracing::info_span!("outer", n = 7, user = tracing::field::Empty).entered();
            tracing::Span::current().record("user", "ann");
            tracing::info!(target: "shop", big = 1_u64, ratio = 0.5, ok = true, r#type = ?Some(1), "sold {}", "apples");
        });
        let expected = json!({
            "level": "INFO", "message": "sold apples", "logger": "shop", "big": 1, "ratio": 0.5, "ok": true,
            "type": "Some(1)", "n": 7, "user": "ann",
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn a_line_within_an_invocation_has_its_ids() {
        let ids = json!({
            "level": "WARN", "message": "m", "logger": "shop", "requestId": "8476", "tenantId": "blue",
            "xrayTraceId": "Root=1-a",
        });
        assert_eq!(json_of(|| invocation().in_scope(|| tracing::warn!(target: "shop", "m"))), ids);
        // On another thread, as a spawned task is.
        let (subscriber, Writes(writes)) = subscriber(LogFormat::Json);
        tracing::subscriber::with_default(subscriber, || {
            let task = async { tracing::warn!(target: "shop", "m") }.instrument(invocation());
            let dispatch = tracing::dispatcher::get_default(Clone::clone);
            std::thread::spawn(move || {
                tracing::dispatcher::with_default(&dispatch, || futures_util::FutureExt::now_or_never(task))
            })
            .join()
            .unwrap()
        });
        let line: Value = serde_json::from_str(&writes.lock().unwrap()[0]).unwrap();
        assert_eq!(line["requestId"], "8476");
    }

    #[test]
    #[cfg(feature = "current")]
    fn without_a_span_the_ids_are_those_of_the_current_invocation() {
        let current = crate::invocation::current::tests::running("8476");
        let line = json_of(|| {
            let log = async { tracing::warn!(target: "shop", "m") };
            futures_util::FutureExt::now_or_never(current.scope(log)).unwrap();
        });
        assert_eq!(line, json!({ "level": "WARN", "message": "m", "logger": "shop", "requestId": "8476" }));
    }

    #[test]
    fn a_field_whose_name_is_taken_is_nested() {
        let line = json_of(|| {
            let _outer = tracing::info_span!("outer", level = "deep", n = 1, m = 1).entered();
            let _inner = tracing::info_span!("inner", n = 2).entered();
            tracing::info!(target: "shop", timestamp = 3, n = 3, fields = 4, requestId = "mine", "text");
        });
        let expected = json!({
            "level": "INFO", "message": "text", "logger": "shop", "n": 3, "requestId": "mine", "m": 1,
            "fields": { "timestamp": 3, "fields": 4, "n": 2, "level": "deep" },
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn an_error_has_type_message_and_location() {
        let error = "x".parse::<i32>().unwrap_err();
        let mut line =
            json_of(|| tracing::error!(error = &error as &(dyn StdError + 'static), item = "pear", "failed"));
        let location = line["location"].take();
        assert!(location.as_str().unwrap().contains("layer.rs:"), "{location}");
        let expected = json!({
            "level": "ERROR", "message": "failed", "logger": module_path!(), "errorType": "ParseIntError",
            "errorMessage": "invalid digit found in string", "stackTrace": [], "location": null, "item": "pear",
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn a_message_of_the_runtime_has_the_names_of_lambdas_runtimes() {
        crate::panics::install_hook();
        let failure = crate::panics::catch("the handler", || panic!("no {}", "pears")).unwrap_err();
        let line = json_of(|| messages::invocation_failed("8476", &failure));
        assert_eq!((&line["message"], &line["logger"]), (&json!("invocation failed"), &json!("lambda_runtime")));
        assert_eq!((&line["requestId"], &line["errorType"]), (&json!("8476"), &json!("Function.Panic")));
        let texts = [&line["errorMessage"], &line["location"]].map(|text| text.as_str().unwrap());
        assert!(texts[0].ends_with(": no pears") && texts[1].contains("layer.rs:"), "{line}");
    }

    #[test]
    fn text_has_level_timestamp_request_id_and_message() {
        let lines = logged(LogFormat::Text, || {
            tracing::info!("starting");
            invocation().in_scope(|| tracing::warn!(name = "pe\"ar", n = 2, "two\nlines"));
            tracing::info!(n = 1);
        });
        let lines = lines.iter().map(|line| line.trim_end().splitn(4, '\t').collect::<Vec<_>>());
        let lines: Vec<_> =
            lines.inspect(|line| check_timestamp(line[1])).map(|line| (line[0], line[2], line[3])).collect();
        let expected =
            [("[INFO]", "", "starting"), ("[WARN]", "8476", r#"two\nlines name="pe\"ar" n=2"#), ("[INFO]", "", "n=1")];
        assert_eq!(lines, expected);
    }

    #[test]
    fn each_line_is_one_write_from_any_number_of_threads() {
        let (subscriber, Writes(writes)) = subscriber(LogFormat::Json);
        let dispatch = tracing::Dispatch::new(subscriber);
        std::thread::scope(|threads| {
            for thread in 0..8 {
                let dispatch = &dispatch;
                threads.spawn(move || {
                    tracing::dispatcher::with_default(dispatch, || {
                        (0..100).for_each(|n| tracing::info!(thread, n, "{}", "x".repeat(n * 100)));
                    });
                });
            }
        });
        let writes = writes.lock().unwrap();
        let lines = writes.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let found: std::collections::BTreeSet<_> =
            lines.map(|line| (line["thread"].as_u64().unwrap(), line["n"].as_u64().unwrap())).collect();
        assert_eq!((writes.len(), found.len()), (800, 800));
    }
}
