//! Where the runtime's own words go.

/// Says something on stderr. Where that cannot be written, because what read it has ended or the disk is full, it is lost:
/// `eprintln` would panic.
macro_rules! say {
    ($($message:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($message)*);
    }};
}

/// Logs through `tracing` where a subscriber is set, or a logger of `log`, which then gets its events; and to stderr where
/// neither is: in any case the user sees it.
macro_rules! report {
    ($level:ident, $($message:tt)*) => {
        if $crate::log::is_heard() {
            tracing::$level!($($message)*);
        } else {
            $crate::log::say!("[lambda-runtime] {}", format_args!($($message)*));
        }
    };
}

pub(crate) fn is_heard() -> bool {
    #[cfg(feature = "tracing")]
    let logger = ::log::max_level() > ::log::LevelFilter::Off;
    #[cfg(not(feature = "tracing"))]
    let logger = false;
    logger || tracing::dispatcher::has_been_set()
}

macro_rules! warn_ {
    ($($message:tt)*) => { $crate::log::report!(warn, $($message)*) };
}

macro_rules! error_ {
    ($($message:tt)*) => { $crate::log::report!(error, $($message)*) };
}

pub(crate) use {error_ as error, report, say, warn_ as warn};
