//! Where the runtime's own words go.

/// Logs through `tracing` where a subscriber is set, and to stderr where none is: in either case the user sees it.
macro_rules! report {
    ($level:ident, $($message:tt)*) => {
        if tracing::dispatcher::has_been_set() {
            tracing::$level!($($message)*);
        } else {
            eprintln!("[lambda-runtime] {}", format_args!($($message)*));
        }
    };
}

macro_rules! warn_ {
    ($($message:tt)*) => { $crate::log::report!(warn, $($message)*) };
}

macro_rules! error_ {
    ($($message:tt)*) => { $crate::log::report!(error, $($message)*) };
}

pub(crate) use {error_ as error, report, warn_ as warn};
