//! The runtime's log: warnings and errors of this thread.

use std::cell::RefCell;
use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

thread_local! {
    static LINES: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// A line of the log.
#[derive(Debug, Default)]
pub struct Line {
    /// The complete text.
    pub all: String,
    pub message: String,
    pub request_id: Option<String>,
    pub error_type: Option<String>,
    pub attempt: Option<u64>,
}

/// Receives what the runtime logs.
struct Log;

/// Installs the subscriber, once in a process.
pub fn install() {
    // In tests several simulations share one process.
    let _ = tracing::subscriber::set_global_default(Log);
}

/// Takes the lines that were logged since the last call.
pub fn take() -> Vec<Line> {
    LINES.take()
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.level() <= &Level::INFO || metadata.level() <= &Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line { all: event.metadata().level().to_string(), ..Line::default() };
        event.record(&mut line);
        LINES.with_borrow_mut(|lines| lines.push(line));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for Line {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "attempt" {
            self.attempt = Some(value);
        }
        self.record_debug(field, &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.all, " {}=", field.name());
        let start = self.all.len();
        let _ = write!(self.all, "{value:?}");
        let text = || self.all[start..].to_owned();
        match field.name() {
            "message" => self.message = text(),
            "request_id" => self.request_id = Some(text()),
            "error_type" => self.error_type = Some(text()),
            _ => {}
        }
    }
}
