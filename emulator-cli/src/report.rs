//! The lines that Lambda writes to a function's log.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use lambda_runtime_emulator::{End, FunctionError, Notice};

use crate::function::Function;
use crate::history::History;
use crate::output::Output;
use crate::{log, memory};

/// Writes these lines to stderr and to the log of the invocation.
pub(crate) struct Report {
    pub(crate) function: Function,
    pub(crate) history: Arc<History>,
    pub(crate) output: Arc<Output>,
    /// In MB.
    pub(crate) memory: u32,
    pub(crate) style: Style,
}

/// The form of the lines on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// As Lambda writes them.
    Plain,
    /// In columns, for a terminal.
    Aligned { coloured: bool },
}

impl Style {
    /// The style for stderr.
    pub(crate) fn of_stderr() -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match io::stderr().is_terminal() {
            true => Style::Aligned { coloured: !is_set("NO_COLOR") },
            false => Style::Plain,
        }
    }
}

/// The facts of a REPORT line.
struct Facts<'a> {
    duration: Duration,
    init: Option<Duration>,
    memory: u32,
    peak: Option<u64>,
    error: Option<&'a FunctionError>,
    timed_out: bool,
}

impl Report {
    pub(crate) fn write(&self, notice: &Notice<'_>) {
        match notice {
            Notice::Delivered { request_id } => {
                self.output.drain();
                self.history.observe(notice);
                self.line(request_id, "START", &format!("START RequestId: {request_id} Version: $LATEST"), "", false);
            }
            Notice::Finished { request_id, duration, end } => {
                self.output.drain();
                self.finished(request_id, *duration, end);
                self.history.observe(notice);
            }
            other => self.history.observe(other),
        }
    }

    fn finished(&self, request_id: &str, duration: Duration, end: &End) {
        let facts = Facts {
            duration,
            init: self.function.take_init_duration(),
            memory: self.memory,
            peak: self.function.group().and_then(memory::peak),
            error: end.error(),
            timed_out: matches!(end, End::TimedOut(_)),
        };
        // Lambda's own errors are not in the function's output.
        if let Some(error) = facts.error.filter(|error| facts.timed_out || error.error_type().starts_with("Runtime.")) {
            let message = error.message();
            log::line(&message);
            self.history.log(request_id, format!("{message}\n").as_bytes());
        }
        let failed = facts.error.is_some();
        self.line(request_id, "END", &format!("END RequestId: {request_id}"), "", failed);
        self.line(request_id, "REPORT", &facts.plain(request_id), &facts.aligned(), failed);
    }

    fn line(&self, request_id: &str, kind: &str, plain: &str, aligned: &str, failed: bool) {
        match self.style {
            Style::Plain => log::line(plain),
            Style::Aligned { coloured } => log::line(columns(kind, request_id, aligned, coloured, failed)),
        }
        self.history.log(request_id, format!("{plain}\n").as_bytes());
    }
}

fn columns(kind: &str, request_id: &str, rest: &str, coloured: bool, failed: bool) -> String {
    const CYAN: &str = "\x1b[36m";
    const RED: &str = "\x1b[31m";
    let (on, off) = match coloured {
        true => (if failed { RED } else { CYAN }, "\x1b[0m"),
        false => ("", ""),
    };
    format!("{on}{kind:<6}{off}  {request_id}  {rest}").trim_end().to_owned()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

impl Facts<'_> {
    fn plain(&self, request_id: &str) -> String {
        let duration = milliseconds(self.duration);
        let mut line = format!(
            "REPORT RequestId: {request_id}\tDuration: {duration:.2} ms\tBilled Duration: {:.0} ms\tMemory Size: {} MB\t",
            duration.ceil(),
            self.memory
        );
        // Writing to a String does not fail.
        if let Some(peak) = self.peak {
            let _ = write!(line, "Max Memory Used: {peak} MB\t");
        }
        if let Some(init) = self.init {
            let _ = write!(line, "Init Duration: {:.2} ms\t", milliseconds(init));
        }
        let _ = match self.error {
            None => Ok(()),
            Some(_) if self.timed_out => write!(line, "Status: timeout"),
            Some(error) => write!(line, "Status: error\tError Type: {}", error.error_type()),
        };
        line.trim_end().to_owned()
    }

    fn aligned(&self) -> String {
        let mut line = format!("{:>10.2} ms", milliseconds(self.duration));
        let _ = match self.peak {
            Some(peak) => write!(line, "  {peak:>5} MB"),
            None => write!(line, "  {:>5}   ", ""),
        };
        let _ = match self.error {
            None => write!(line, "  ok"),
            Some(_) if self.timed_out => write!(line, "  timeout"),
            Some(error) => write!(line, "  {}", error.error_type()),
        };
        if let Some(init) = self.init {
            let _ = write!(line, "  (init {:.2} ms)", milliseconds(init));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_on_a_terminal_are_aligned() {
        let facts = |milliseconds, peak, init| Facts {
            duration: Duration::from_millis(milliseconds),
            init,
            memory: 128,
            peak,
            error: None,
            timed_out: false,
        };
        let cold = facts(7, Some(9), Some(Duration::from_millis(80))).aligned();
        let warm = facts(12_345, Some(120), None).aligned();
        assert_eq!(columns("START", "id", "", false, false), "START   id");
        assert_eq!(
            columns("REPORT", "id", &cold, false, false),
            "REPORT  id        7.00 ms      9 MB  ok  (init 80.00 ms)"
        );
        assert_eq!(columns("REPORT", "id", &warm, false, false), "REPORT  id    12345.00 ms    120 MB  ok");
        assert_eq!(columns("END", "id", "", true, false), "\x1b[36mEND   \x1b[0m  id");
        assert_eq!(columns("END", "id", "", true, true), "\x1b[31mEND   \x1b[0m  id");
    }
}
