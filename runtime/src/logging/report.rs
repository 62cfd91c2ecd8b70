//! Logging of the runtime's own messages.

/// Prints a line on stderr. A line that cannot be written, because the reader has gone or the disk is full, is lost;
/// `eprintln` would panic.
macro_rules! stderr_line {
    ($($message:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($message)*);
    }};
}

/// Logs through `tracing` if a subscriber or a logger of `log`, which then receives the events, is set. Otherwise it prints
/// to stderr, so the message is never lost silently.
macro_rules! report {
    ($level:ident, $($message:tt)*) => {
        if $crate::logging::report::has_subscriber() {
            tracing::$level!(target: "lambda_runtime", $($message)*);
        } else {
            $crate::logging::report::stderr_line!("[lambda-runtime] {}", format_args!($($message)*));
        }
    };
}

pub(crate) fn has_subscriber() -> bool {
    #[cfg(feature = "tracing")]
    let logger = log::max_level() > log::LevelFilter::Off;
    #[cfg(not(feature = "tracing"))]
    let logger = false;
    logger || tracing::dispatcher::has_been_set()
}

macro_rules! warn_ {
    ($($message:tt)*) => { $crate::logging::report::report!(warn, $($message)*) };
}

macro_rules! error_ {
    ($($message:tt)*) => { $crate::logging::report::report!(error, $($message)*) };
}

pub(crate) use {error_ as error, report, stderr_line, warn_ as warn};
