//! The lines that Lambda writes to a function's log.

use std::fmt::Write as _;
use std::time::Duration;

use lambda_runtime_emulator::{End, Notice};

use crate::function::Function;
use crate::{log, memory};

/// Writes these lines to stderr.
pub(crate) struct Report {
    pub(crate) function: Function,
    /// In MB.
    pub(crate) memory: u32,
}

impl Report {
    pub(crate) fn write(&self, notice: &Notice<'_>) {
        match notice {
            Notice::Delivered { request_id } => {
                log::line(format_args!("START RequestId: {request_id} Version: $LATEST"))
            }
            Notice::Finished { request_id, duration, end } => self.finished(request_id, *duration, end),
            _ => {}
        }
    }

    fn finished(&self, request_id: &str, duration: Duration, end: &End) {
        let milliseconds = |duration: Duration| duration.as_secs_f64() * 1000.0;
        let duration = milliseconds(duration);
        let mut line = format!(
            "REPORT RequestId: {request_id}\tDuration: {duration:.2} ms\tBilled Duration: {:.0} ms\tMemory Size: {} MB\t",
            duration.ceil(),
            self.memory
        );
        // Writing to a String does not fail.
        if let Some(peak) = self.function.group().and_then(memory::peak) {
            let _ = write!(line, "Max Memory Used: {peak} MB\t");
        }
        if let Some(init) = self.function.take_init_duration() {
            let _ = write!(line, "Init Duration: {:.2} ms\t", milliseconds(init));
        }
        match end {
            End::Complete => {}
            End::TimedOut(error) => {
                log::line(error.message());
                let _ = write!(line, "Status: timeout");
            }
            other => {
                let error_type = other.error().map(|error| error.error_type()).unwrap_or_default();
                if error_type.starts_with("Runtime.") {
                    log::line(other.error().map(|error| error.message()).unwrap_or_default());
                }
                let _ = write!(line, "Status: error\tError Type: {error_type}");
            }
        }
        log::line(format_args!("END RequestId: {request_id}"));
        log::line(line.trim_end());
    }
}
